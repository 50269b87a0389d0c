//! The writer, driven in the simulator: order, backpressure, recycling, failure.

use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use crate::model::units::BLOCK;
use crate::model::{LogId, OwnerEpoch};
use crate::runtime::sim::{SimOptions, World};
use crate::runtime::{Lane, Runtime};
use crate::storage::directory::{DirectoryId, journal_dir};

use super::*;

const DATA: &str = "/data";

fn identity(epoch: u64) -> JournalIdentity {
    JournalIdentity { directory: DirectoryId([7; 16]), slot: 2, epoch }
}

fn options(epoch: u64) -> JournalOptions {
    JournalOptions::new(Path::new(DATA), identity(epoch), 0).with_files(20 * BLOCK as u64, 4)
}

fn sim<T: 'static>(seed: u64, run: impl AsyncFnOnce(Runtime) -> T + 'static) -> T {
    let world = World::new(seed, SimOptions::default());
    let runtime = world.host().runtime();
    world.run_until(run(runtime))
}

fn append(journal: &Journal, number: u64, bytes: usize) -> Sequence {
    let body = vec![number as u8; bytes];
    journal.append(EntryKind::Append, LogId::default(), OwnerEpoch(1), &number.to_le_bytes(), &body)
}

async fn read_all(
    runtime: &Runtime,
    epoch: u64,
    from: Sequence,
) -> (Vec<(u64, usize)>, ScanReport) {
    let mut seen = Vec::new();
    let dir: PathBuf = journal_dir(Path::new(DATA));
    let report = scan(runtime, &dir, identity(epoch), from, |_, entry| {
        let (number, body) = entry.payload.split_at(8);
        let number = u64::from_le_bytes(number.try_into()?);
        assert!(body.iter().all(|&byte| byte == number as u8));
        seen.push((number, body.len()));
        Ok(())
    })
    .await
    .expect("a journal that was closed is whole");
    (seen, report)
}

#[test]
fn what_is_appended_is_read_back() {
    sim(1, async |runtime| {
        let journal = Journal::open(&runtime, options(1)).await.expect("a fresh journal");
        let sizes = [0, 1, 100, 4000, 8192 - 160, 9000, 30_000, 5];
        let mut last = Sequence::NONE;
        for (number, &bytes) in sizes.iter().enumerate() {
            journal.reserve(bytes + 40).await.expect("room");
            last = append(&journal, number as u64, bytes);
            if number % 3 == 0 {
                journal.wait_durable(last).await.expect("durable");
                assert!(journal.durable_through() >= last);
            }
        }
        journal.wait_accepted(last).await.expect("accepted");
        journal.close().await.expect("closed");
        assert_eq!(journal.durable_through(), last);
        let (seen, report) = read_all(&runtime, 1, Sequence::FIRST).await;
        let expected: Vec<_> =
            sizes.iter().enumerate().map(|(number, &bytes)| (number as u64, bytes)).collect();
        assert_eq!(seen, expected);
        assert_eq!((report.last, report.torn), (last, false));
        let (seen, _) = read_all(&runtime, 2, Sequence::FIRST).await;
        assert!(seen.is_empty(), "another epoch sees nothing");
    });
}

#[test]
fn no_power_failure_takes_back_what_a_scan_has_read() {
    for seed in 0..20 {
        let world = World::new(seed, SimOptions::default());
        let host = world.host();
        let runtime = host.runtime();
        world.run_until(async {
            runtime.disk().create_dir_all(Path::new(DATA)).await.expect("a folder");
            runtime.disk().sync_dir(Path::new("/")).await.expect("a folder");
            let journal = Journal::open(&runtime, options(1)).await.expect("a fresh journal");
            for number in 0..10 {
                let accepted = append(&journal, number, 3_000);
                journal.wait_accepted(accepted).await.expect("accepted");
            }
        });
        host.kill();
        let read = world.run_until(read_all(&host.runtime(), 1, Sequence::FIRST));
        assert_eq!(read.0.len(), 10, "a kill takes nothing that was accepted");
        host.power_loss();
        let again = world.run_until(read_all(&host.runtime(), 1, Sequence::FIRST));
        assert_eq!(again.0, read.0, "seed {seed}");
    }
}

#[test]
fn appends_of_one_tick_share_a_commit() {
    sim(2, async |runtime| {
        let journal = Journal::open(&runtime, options(1)).await.expect("a fresh journal");
        for number in 0..50 {
            let sequence = append(&journal, number, 20);
            journal.demand_durable(sequence);
        }
        journal.wait_durable(Sequence(50)).await.expect("durable");
        let stats = journal.stats();
        assert_eq!((stats.commits, stats.writes, stats.pieces), (1, 0, 50));
        journal.close().await.expect("closed");
    });
}

#[test]
fn only_much_goes_out_beside_another_commit() {
    sim(2, async |runtime| {
        let options = options(1).with_files(512 * BLOCK as u64, 4);
        let much = usize::try_from(options.beside_bytes_min()).expect("less than a frame");
        let journal = Journal::open(&runtime, options).await.expect("a fresh journal");
        let mut last = Sequence::NONE;
        for (number, bytes, in_flight) in [(0, 20, 1), (1, 20, 1), (2, much, 2), (3, much, 2)] {
            last = append(&journal, number, bytes);
            journal.demand_durable(last);
            for _ in 0..8 {
                runtime.yield_now().await;
            }
            assert_eq!(journal.gauges().in_flight, in_flight, "entry {number}");
        }
        journal.wait_durable(last).await.expect("durable");
        let stats = journal.stats();
        assert_eq!((stats.commits, stats.pieces), (3, 4), "the second went with the third");
        journal.close().await.expect("closed");
    });
}

#[test]
fn a_full_journal_holds_back_until_a_release() {
    sim(3, async |runtime| {
        let journal = Journal::open(&runtime, options(1)).await.expect("a fresh journal");
        let bytes = 3000;
        let mut number = 0;
        let mut durable = Sequence::NONE;
        while journal.pressure() < 0.9 && journal.has_room(bytes + 40) {
            durable = append(&journal, number, bytes);
            journal.wait_durable(durable).await.expect("durable");
            number += 1;
        }
        assert!(number > 40);
        let waiting = journal.clone();
        let other = runtime.clone();
        runtime.spawn(Lane::Background, async move {
            for _ in 0..100 {
                other.yield_now().await;
            }
            waiting.release_before(durable.next());
        });
        let before = runtime.now();
        while number < 500 {
            journal.reserve(bytes + 40).await.expect("room after a release");
            let sequence = append(&journal, number, bytes);
            journal.wait_durable(sequence).await.expect("durable");
            number += 1;
            if number % 10 == 0 {
                journal.release_before(sequence.next());
                durable = sequence;
            }
        }
        assert!(runtime.now() > before);
        assert!(journal.stats().files_recycled > 5);
        let too_large = journal.reserve(80 * BLOCK).await;
        assert!(matches!(too_large, Err(ReserveError::TooLarge { .. })));
        journal.close().await.expect("closed");
        let (seen, _) = read_all(&runtime, 1, durable.next()).await;
        assert_eq!(seen.len() as u64, 499 - (durable.0 - 1));
        assert_eq!(seen.last().map(|&(number, _)| number), None.or(seen.last().map(|_| 499)));
    });
}

#[test]
fn mixed_demands_keep_order() {
    for seed in 0..50 {
        sim(seed, async move |runtime| {
            let journal = Journal::open(&runtime, options(1)).await.expect("a fresh journal");
            let told = Rc::new(std::cell::RefCell::new(Vec::new()));
            for number in 0..300u64 {
                let bytes = (runtime.random() % 5000) as usize;
                journal.reserve(bytes + 40).await.expect("room");
                let sequence = append(&journal, number, bytes);
                let waiter = journal.clone();
                let told = Rc::clone(&told);
                let durable = runtime.random() % 3 == 0;
                if durable {
                    journal.demand_durable(sequence);
                }
                runtime.spawn(Lane::Hot, async move {
                    if durable {
                        waiter.wait_durable(sequence).await.expect("durable");
                        assert!(waiter.durable_through() >= sequence);
                    } else {
                        waiter.wait_accepted(sequence).await.expect("accepted");
                        assert!(waiter.accepted_through() >= sequence);
                    }
                    told.borrow_mut().push(sequence);
                });
                if number % 40 == 39 {
                    journal.wait_durable(sequence).await.expect("durable");
                    journal.release_before(sequence.next());
                }
            }
            journal.close().await.expect("closed");
            assert_eq!(told.borrow().len(), 300);
            let (_, report) = read_all(&runtime, 1, Sequence(290)).await;
            assert_eq!(report.last, Sequence(journal.next_sequence().0 - 1));
            let stats = journal.stats();
            assert!(stats.commits + stats.writes > 20 && stats.syncs > 0, "{stats:?}");
        });
    }
}

#[test]
fn the_writer_waits_for_zeros_and_a_restart_needs_none() {
    sim(4, async |runtime| {
        let mut few = options(1);
        few.zeroed_at_start_bytes = BLOCK as u64;
        let journal = Journal::open(&runtime, few.clone()).await.expect("a fresh journal");
        let mut last = Sequence::NONE;
        for number in 0..20 {
            last = append(&journal, number, 3000);
        }
        journal.wait_durable(last).await.expect("durable");
        assert!(journal.stats().waits_for_zeros > 0);
        journal.close().await.expect("closed");

        // The zeroing ends with the first process or with the second.
        let journal = Journal::open(&runtime, options(2)).await.expect("an old journal");
        runtime.sleep(Duration::from_secs(1)).await;
        journal.close().await.expect("closed");
        let dir = journal_dir(Path::new(DATA));
        let files = async || {
            let mut entries = runtime.disk().list_dir(&dir).await.expect("a directory");
            entries.retain(|entry| parse_file_name(&entry.name).is_some());
            entries
        };
        for entry in files().await {
            assert_eq!(entry.len, few.file_bytes, "{}", entry.name);
        }
        let (seen, _) = read_all(&runtime, 2, Sequence::FIRST).await;
        assert!(seen.is_empty());
        let larger = options(3).with_files(24 * BLOCK as u64, 3);
        let journal = Journal::open(&runtime, larger).await.expect("another share");
        last = append(&journal, 7, 3000);
        journal.wait_durable(last).await.expect("durable");
        journal.close().await.expect("closed");
        assert_eq!(files().await.len(), 3);
        let (seen, _) = read_all(&runtime, 3, Sequence::FIRST).await;
        assert_eq!(seen, [(7, 3000)]);
    });
}

#[test]
fn a_poisoned_journal_refuses_everything() {
    sim(5, async |runtime| {
        let journal = Journal::open(&runtime, options(1)).await.expect("a fresh journal");
        let first = append(&journal, 1, 10);
        journal.wait_durable(first).await.expect("durable");
        let waiting = append(&journal, 2, 10);
        let other = journal.clone();
        runtime.spawn(Lane::Hot, async move { other.poison("a test") });
        let error = journal.wait_durable(waiting).await.expect_err("poisoned");
        assert!(error.to_string().contains("a test"));
        let later = append(&journal, 3, 10);
        assert_eq!(journal.wait_durable(later).await, Err(error.clone()));
        assert_eq!(journal.wait_accepted(later).await, Err(error.clone()));
        assert_eq!(journal.reserve(10).await, Err(ReserveError::Poisoned(error.clone())));
        assert_eq!(journal.close().await, Err(error));
    });
}
