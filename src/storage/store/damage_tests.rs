//! Bytes that change in segments at rest, where no checksum covers them: a reader is told, or misses nothing.

use super::lookup_tests::{filled, id, open_log};
use super::model_tests::{DATA, start};
use crate::model::Offset;
use crate::model::units::KIB;
use crate::record::{BATCH_HEADER_BYTES, BatchView};
use crate::runtime::sim::{SimOptions, World};
use crate::storage::directory::segment_path;
use crate::storage::{Log, LogReadError, ReadPart};

/// One that is neither first nor last in its segment, which the index does not name.
const DAMAGED: u64 = 4;
/// More than one batch, and less than a segment.
const READ_BYTES: usize = 10 * KIB;
/// Size and base offset of a batch stand there, and nothing but them escapes its checksum and its magic.
const PLACE_BYTES: u64 = 12;

/// Reads a log from its start to its end; the offsets that were read, and whether the reader was told of damage.
async fn read_all(log: &Log) -> (Vec<i64>, bool) {
    let (mut next, mut found) = (Offset(0), Vec::new());
    while next < log.end_offset() {
        let read = match log.read(next, READ_BYTES, log.end_offset(), true).await {
            Ok(read) => read,
            Err(LogReadError::Corrupt(_)) => return (found, true),
            Err(other) => panic!("{other}"),
        };
        assert!(read.next > next, "nothing was read at {next}, and nobody was told");
        next = read.next;
        let mut bytes = Vec::new();
        for part in read.into_parts() {
            match part {
                ReadPart::Piece(piece) => bytes.extend_from_slice(&piece),
                ReadPart::File(_) => panic!("a read into memory yields no range"),
            }
        }
        let mut rest = &bytes[..];
        while rest.len() >= BATCH_HEADER_BYTES {
            let batch = BatchView::parse(rest).expect("what is read is batches");
            found.push(batch.base_offset.0);
            rest = &rest[batch.size_bytes..];
        }
    }
    (found, false)
}

#[test]
fn a_reader_is_told_of_a_batch_that_lies_about_its_place_or_size() {
    for byte in 0..PLACE_BYTES {
        for len in 1..=(PLACE_BYTES - byte) as usize {
            let world = World::new(1, SimOptions::default());
            let host = world.host();
            let batch_bytes = world.run_until(filled(&host.runtime(), |_| 1_000));
            let path = segment_path(DATA.as_ref(), id(), Offset(0));
            let position = DAMAGED * batch_bytes as u64;
            host.rot(&path, position + byte, len).expect("the segment's file");
            let (store, _) = world.run_until(start(&host.runtime()));
            let log = open_log(&store);
            let (found, is_told) = world.run_until(read_all(&log));
            let expected: Vec<i64> = (0..found.len() as i64).collect();
            assert_eq!(found, expected, "{len} bytes from {byte} on");
            assert!(is_told, "{len} bytes from {byte} on");
            world.run_until(store.close()).expect("a clean stop");
        }
    }
}
