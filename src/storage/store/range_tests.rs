//! Ranges of a sealed segment's file: whole batches, the right ones, found without reading them.

use std::path::Path;

use super::model_tests::{DATA, append_acked, batch_of, start};
use crate::model::units::{KIB, MIB};
use crate::model::{LogId, Offset, PartitionIndex, TopicId};
use crate::runtime::Runtime;
use crate::runtime::sim::{Host, SimOptions, World};
use crate::storage::directory::segment_path;
use crate::storage::{Log, LogConfig, LogReadError, ReadBytes, ReadPart, Store};

const ID: LogId = LogId { topic: TopicId([7; 16]), partition: PartitionIndex(0) };
/// Several entries of the index each.
const SEGMENT_BYTES: u32 = 256 * KIB as u32;
const BATCHES: i64 = 240;

fn open(store: &Store) -> Log {
    let config = LogConfig { segment_bytes: SEGMENT_BYTES, ..LogConfig::default() };
    let log = store.create(ID, "orders", config);
    log.set_config(config);
    log
}

/// Appends batches of one record each, of many sizes; some are larger than the index's interval.
async fn append_all(runtime: &Runtime, log: &Log) {
    for number in 0..BATCHES {
        let size = match number % 40 {
            7 => 50 * KIB,
            rest => 100 + 97 * rest as usize,
        };
        let batch = batch_of(0, &vec![number as u8; size]);
        append_acked(runtime, log, &batch).await.expect("room, and durable");
    }
}

/// A log of several segments, none of whose bytes is in memory.
fn cold(world: &World, host: &Host) -> (Runtime, Log) {
    let runtime = host.runtime();
    world.run_until(async {
        let (store, _) = start(&runtime).await;
        append_all(&runtime, &open(&store)).await;
        store.close().await.expect("a clean stop");
    });
    let (store, _) = world.run_until(start(&runtime));
    let log = open(&store);
    (runtime, log)
}

/// The bytes of what was read, and whether all of them came as ranges.
async fn bytes(read: ReadBytes) -> (Vec<u8>, bool) {
    let (mut all, mut ranges) = (Vec::new(), true);
    for part in read.into_parts() {
        match part {
            ReadPart::Piece(piece) => {
                ranges = false;
                all.extend_from_slice(&piece);
            }
            ReadPart::File(range) => {
                let buffer = crate::runtime::AlignedBuf::zeroed(range.bytes as usize);
                let (buffer, read) = range.file.read_at(buffer, range.offset).await;
                assert!(read.expect("a descriptor stays good") as u64 >= range.bytes);
                all.extend_from_slice(&buffer[..range.bytes as usize]);
            }
        }
    }
    (all, ranges)
}

#[test]
fn a_range_is_whole_batches_from_the_one_that_is_asked_for() {
    let world = World::new(1, SimOptions::default());
    let (_, log) = cold(&world, &world.host());
    let end = log.readable_end();
    let mut batches = Vec::new();
    for offset in 0..BATCHES {
        let read = world.run_until(log.read(Offset(offset), 1, end, true)).expect("it is there");
        assert_eq!((read.first, read.next), (Offset(offset), Offset(offset + 1)));
        batches.push(world.run_until(bytes(read)).0);
    }
    let (mut long, mut all) = (0, 0);
    for bytes_max in [1, 5000, 40 * KIB, 100 * KIB, MIB] {
        for from in 0..BATCHES {
            for limit in [end, Offset(BATCHES.min(from + 30))] {
                let read = log.read_or_range(Offset(from), bytes_max, limit, true);
                let read = world.run_until(read).expect("it is there");
                let (first, next) = (read.first.0, read.next.0);
                assert!(first == from && next > from && next <= limit.0, "{from}: {first}..{next}");
                assert!(read.len() <= bytes_max || next == first + 1, "{from}: {}", read.len());
                let expected = batches[first as usize..next as usize].concat();
                let (found, by_ranges) = world.run_until(bytes(read));
                assert!(found == expected, "{from} up to {bytes_max}: {first}..{next}");
                all += 1;
                long += u32::from(by_ranges && found.len() > 32 * KIB);
            }
        }
    }
    assert!(long > all / 5, "{long} of {all} reads were long ranges of a file");
}

#[test]
fn a_range_does_not_begin_with_a_batch_that_is_not_the_one() {
    for at in [0, 8, 16] {
        let world = World::new(1, SimOptions::default());
        let (runtime, log) = cold(&world, &world.host());
        let path = segment_path(Path::new(DATA), ID, Offset(0));
        world.run_until(async {
            let mut file = runtime.disk().read_whole(&path, MIB).await.expect("it is there");
            file[at] ^= 0x40;
            runtime.disk().write_whole(&path, &file).await.expect("there is room");
        });
        let read = world.run_until(log.read_or_range(Offset(0), MIB, log.readable_end(), true));
        assert!(matches!(read, Err(LogReadError::Corrupt(_))), "damaged at byte {at}");
    }
}
