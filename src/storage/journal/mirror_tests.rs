//! The mirror alone, and under a writer in the simulator.

use std::path::{Path, PathBuf};
use std::time::Duration;

use proptest::prelude::*;

use crate::model::units::BLOCK;
use crate::model::{LogId, OwnerEpoch};
use crate::runtime::Runtime;
use crate::runtime::sim::{Fault, Host, SimOptions, World};
use crate::storage::directory::{DirectoryId, journal_dir};

use super::mirror::{FILE_BYTES, Kept, Mirror, Mirrored, SIDE_PAYLOAD_BYTES_MAX, read};
use super::options::mirror_path;
use super::staging::{StagedFrame, Staging};
use super::*;

const DATA: &str = "/data";

fn identity(epoch: u64) -> JournalIdentity {
    JournalIdentity { directory: DirectoryId([7; 16]), slot: 3, epoch }
}

fn options(epoch: u64) -> JournalOptions {
    JournalOptions::new(Path::new(DATA), identity(epoch), 0).with_files(40 * BLOCK as u64, 3)
}

fn world(seed: u64) -> (World, Host) {
    let world = World::new(seed, SimOptions::default());
    let host = world.host();
    let dir = journal_dir(Path::new(DATA));
    world.run_until(host.runtime().disk().create_dir_all(&dir)).expect("a folder");
    world.run_until(host.runtime().disk().sync_filesystem(Path::new("/"))).expect("a folder");
    (world, host)
}

fn mirror_of(options: &JournalOptions) -> PathBuf {
    mirror_path(&options.dir, options.identity.slot)
}

/// A staging ring whose only frame has entries of these sizes.
fn staged(sizes: &[usize]) -> Staging {
    let mut staging = Staging::new(64 * BLOCK);
    for (number, &bytes) in sizes.iter().enumerate() {
        stage(&mut staging, number, bytes);
    }
    staging
}

fn stage(staging: &mut Staging, number: usize, bytes: usize) {
    let body = vec![number as u8; bytes];
    staging.append(EntryKind::Append, LogId::default(), OwnerEpoch(0), b"", &body);
}

fn only(staging: &Staging) -> &StagedFrame {
    staging.only().expect("one frame")
}

async fn bytes_of(runtime: &Runtime, options: &JournalOptions) -> Vec<u8> {
    runtime.disk().read_whole(&mirror_of(options), FILE_BYTES).await.expect("a mirror")
}

fn holds(mirrored: &Mirrored<'_>, frame: &StagedFrame) -> bool {
    let end = frame::FRAME_HEADER_BYTES + frame.payload_bytes;
    mirrored.first == frame.first
        && mirrored.last() == frame.last()
        && mirrored.payload == &frame.buffer[frame::FRAME_HEADER_BYTES..end]
}

#[test]
fn sides_and_heads_take_turns() {
    let (world, host) = world(1);
    let runtime = host.runtime();
    let mut options = options(1);
    options.mirror_bytes_max = SIDE_PAYLOAD_BYTES_MAX;
    world.run_until(async {
        let mut mirror = Mirror::open(&runtime, &options).await.expect("a mirror");
        let mut first = staged(&[100]);
        assert_eq!(mirror.keep(only(&first)), Some(Kept::Anew));
        assert_eq!(mirror.keep(only(&first)), Some(Kept::Already));
        for number in 1..5 {
            stage(&mut first, number, 50 * number);
            assert!(!mirror.holds(only(&first)));
            assert_eq!(mirror.keep(only(&first)), Some(Kept::Further));
            assert!(mirror.holds(only(&first)));
        }
        let first_frame = first.pop().expect("a frame");
        stage(&mut first, 5, 3_000);
        assert_eq!(mirror.keep(only(&first)), Some(Kept::Anew));
        let second_frame = first.pop().expect("a frame");
        stage(&mut first, 6, 1);
        assert_eq!(mirror.keep(only(&first)), None, "both sides are taken");
        let bytes = bytes_of(&runtime, &options).await;
        let found = read(&bytes, &identity(1));
        assert_eq!(found.len(), 2);
        assert!(holds(&found[0], &first_frame) && holds(&found[1], &second_frame));
        assert!(read(&bytes, &identity(2)).is_empty(), "another epoch");

        mirror.let_go(first_frame.last());
        assert_eq!(mirror.keep(only(&first)), Some(Kept::Anew));
        let bytes = bytes_of(&runtime, &options).await;
        let found = read(&bytes, &identity(1));
        assert_eq!(found.len(), 2);
        assert!(holds(&found[0], &second_frame) && holds(&found[1], only(&first)));

        mirror.let_go(second_frame.last());
        stage(&mut first, 7, SIDE_PAYLOAD_BYTES_MAX);
        assert_eq!(mirror.keep(only(&first)), None, "too large for a side");
        drop(mirror);
        Mirror::open(&runtime, &options).await.expect("a mirror");
        assert!(read(&bytes_of(&runtime, &options).await, &identity(1)).is_empty());
    });
}

#[test]
fn damage_takes_a_frame_or_what_came_last_of_it() {
    let (world, host) = world(2);
    let runtime = host.runtime();
    let options = options(1);
    let bytes = world.run_until(async {
        let mut mirror = Mirror::open(&runtime, &options).await.expect("a mirror");
        let mut staging = staged(&[100]);
        mirror.keep(only(&staging)).expect("kept");
        stage(&mut staging, 1, 60);
        mirror.keep(only(&staging)).expect("kept");
        bytes_of(&runtime, &options).await
    });
    let whole = read(&bytes, &identity(1));
    assert_eq!((whole.len(), whole[0].entry_count), (1, 2));
    let mut counts = [0; 3];
    for at in (0..2 * 64).chain(512..512 + 64).chain(BLOCK..BLOCK + 300) {
        let mut bytes = bytes.clone();
        bytes[at] ^= 0x10;
        let found = read(&bytes, &identity(1));
        let count = found.first().map_or(0, |mirrored| mirrored.entry_count);
        if let Some(mirrored) = found.first() {
            assert_eq!(mirrored.payload, &whole[0].payload[..mirrored.payload.len()], "byte {at}");
        }
        counts[count as usize] += 1;
    }
    assert!(counts.iter().all(|&count| count > 50), "{counts:?}");
    for length in 0..bytes.len() {
        let found = read(&bytes[..length], &identity(1));
        assert!(found.is_empty() || found == whole, "cut at {length}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_a_mirror_of_nothing(bytes in proptest::collection::vec(any::<u8>(), 0..FILE_BYTES)) {
        prop_assert!(read(&bytes, &identity(1)).is_empty());
    }
}

async fn read_back(runtime: &Runtime) -> (Vec<u64>, ScanReport) {
    let dir = journal_dir(Path::new(DATA));
    let mut seen = Vec::new();
    let report = scan(runtime, &dir, identity(1), Sequence::FIRST, |sequence, _| {
        seen.push(sequence.0);
        Ok(())
    })
    .await
    .expect("a whole journal");
    (seen, report)
}

fn append(journal: &Journal, bytes: usize) -> Sequence {
    journal.append(EntryKind::Append, LogId::default(), OwnerEpoch(0), b"", &vec![5; bytes])
}

#[test]
fn what_was_accepted_without_a_write_survives_the_process() {
    for seed in 0..20 {
        let (world, host) = world(seed);
        let runtime = host.runtime();
        let last = world.run_until(async {
            let journal = Journal::open(&runtime, options(1)).await.expect("a fresh journal");
            let durable = append(&journal, 300);
            journal.wait_durable(durable).await.expect("durable");
            let mut last = durable;
            for _ in 0..5 {
                last = append(&journal, 100);
                journal.wait_accepted(last).await.expect("accepted");
            }
            assert_eq!((journal.accepted_through(), journal.durable_through()), (last, durable));
            let stats = journal.stats();
            assert_eq!((stats.commits, stats.writes, stats.frames_mirrored), (1, 0, 1));
            last
        });
        host.kill();
        let (seen, report) = world.run_until(read_back(&host.runtime()));
        assert_eq!(seen, (1..=last.0).collect::<Vec<_>>());
        assert_eq!((report.mirrored_frames, report.last), (1, last));
        host.power_loss();
        let (again, _) = world.run_until(read_back(&host.runtime()));
        assert_eq!(again, seen, "seed {seed}: a scan has made it durable");
    }
}

#[test]
fn a_frame_is_sent_when_its_time_is_over_or_somebody_waits_for_the_disk() {
    let (world, host) = world(4);
    let runtime = host.runtime();
    world.run_until(async {
        let journal = Journal::open(&runtime, options(1)).await.expect("a fresh journal");
        let began = runtime.now();
        let first = append(&journal, 100);
        journal.wait_accepted(first).await.expect("accepted");
        runtime.sleep(Duration::from_millis(9)).await;
        assert_eq!(journal.submitted_through(), Sequence::NONE);
        let second = append(&journal, 100);
        runtime.sleep(Duration::from_millis(2)).await;
        assert_eq!(journal.submitted_through(), second, "one frame has both");
        assert_eq!(journal.stats().writes, 1);

        // With nothing unsynced before it, it is a commit, and takes along what is kept back.
        journal.wait_durable(second).await.expect("durable");
        let third = append(&journal, 100);
        journal.wait_accepted(third).await.expect("accepted");
        let fourth = append(&journal, 100);
        journal.wait_durable(fourth).await.expect("durable");
        let stats = journal.stats();
        assert_eq!((stats.commits, stats.writes, stats.syncs, stats.pieces), (1, 1, 1, 4));
        assert!(runtime.now().saturating_since(began) < Duration::from_millis(20));

        // Nor does what was accepted wait when it has to be durable after all.
        let small = append(&journal, 1);
        journal.wait_accepted(small).await.expect("accepted");
        let began = runtime.now();
        journal.wait_durable(small).await.expect("durable");
        assert!(runtime.now().saturating_since(began) < Duration::from_millis(5));

        // A large entry does not wait for the time of a small one to be over.
        let small = append(&journal, 1);
        journal.wait_accepted(small).await.expect("accepted");
        let began = runtime.now();
        journal.reserve(20 * BLOCK).await.expect("room");
        assert!(runtime.now().saturating_since(began) < Duration::from_millis(5));
        journal.close().await.expect("closed");
    });
}

#[test]
fn nothing_counts_behind_a_frame_that_may_be_missing() {
    let (world, host) = world(5);
    let runtime = host.runtime();
    let journal = world.run_until(Journal::open(&runtime, options(1))).expect("a fresh journal");
    let durable = append(&journal, 100);
    journal.demand_durable(durable);
    world.run_for(Duration::from_nanos(1));
    let relaxed = append(&journal, 100);
    world.run_for(Duration::from_nanos(1));
    assert_eq!(journal.submitted_through(), durable);
    assert_eq!(journal.stats().frames_mirrored, 1);
    assert_eq!(journal.accepted_through(), Sequence::NONE, "the commit is under way");
    world.run_until(journal.wait_accepted(relaxed)).expect("accepted");
    assert_eq!(journal.accepted_through(), relaxed);
    world.run_until(journal.close()).expect("closed");
}

#[test]
fn without_a_mirror_the_writes_themselves_are_waited_for() {
    let (world, host) = world(6);
    let runtime = host.runtime();
    let options = options(1);
    host.faults().set_scope(Some(mirror_of(&options)));
    host.faults().strike_after(Fault::WriteError, 0);
    world.run_until(async {
        let journal = Journal::open(&runtime, options).await.expect("a fresh journal");
        let accepted = append(&journal, 100);
        journal.wait_accepted(accepted).await.expect("accepted");
        assert_eq!(journal.submitted_through(), accepted);
        assert_eq!(journal.stats().frames_mirrored, 0);
    });
    host.kill();
    let (seen, report) = world.run_until(read_back(&host.runtime()));
    assert_eq!((seen, report.mirrored_frames), (vec![1], 0));
}
