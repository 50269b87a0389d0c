//! The journal over a failing disk: the first error ends it, and what was acknowledged stays.

use std::cell::{Cell, RefCell};
use std::path::Path;
use std::rc::Rc;

use crate::model::units::BLOCK;
use crate::model::{LogId, OwnerEpoch};
use crate::runtime::Lane;
use crate::runtime::sim::{Fault, SimOptions, World};
use crate::storage::directory::{DirectoryId, journal_dir};

use super::*;

const DATA: &str = "/data";

fn options() -> JournalOptions {
    let identity = JournalIdentity { directory: DirectoryId([7; 16]), slot: 0, epoch: 1 };
    JournalOptions::new(Path::new(DATA), identity, 0).with_files(40 * BLOCK as u64, 3)
}

/// What a run under a fault came to.
#[derive(Default)]
struct Outcome {
    struck: u64,
    poisoned: bool,
    refused: usize,
    acknowledged: Sequence,
    recovered: Sequence,
    writes_deferred: u64,
}

/// Appends while one fault strikes after `passing` operations, then kills the process and reads
/// back: nothing that was acknowledged is missing.
fn run(seed: u64, fault: Fault, passing: u64, relaxed: bool) -> Outcome {
    let world = World::new(seed, SimOptions::default());
    let host = world.host();
    let runtime = host.runtime();
    world.run_until(runtime.disk().create_dir_all(Path::new(DATA))).expect("a folder");
    let journal = world.run_until(Journal::open(&runtime, options())).expect("a fresh journal");
    let acknowledged = Rc::new(Cell::new(Sequence::NONE));
    let failed = Rc::new(RefCell::new(Vec::new()));
    host.faults().strike_after(fault, passing);
    for number in 0..60u64 {
        let sequence =
            journal.append(EntryKind::Append, LogId::default(), OwnerEpoch(0), b"", &[1; 900]);
        let (journal, told, refused) = (journal.clone(), acknowledged.clone(), failed.clone());
        runtime.spawn(Lane::Hot, async move {
            let result = if relaxed && number % 4 > 0 {
                journal.wait_accepted(sequence).await
            } else {
                journal.wait_durable(sequence).await
            };
            match result {
                Ok(()) => {
                    assert!(refused.borrow().is_empty(), "acknowledged after a refusal");
                    told.set(told.get().max(sequence));
                }
                Err(poisoned) => refused.borrow_mut().push(poisoned),
            }
        });
        if number % 3 == 0 {
            world.run_for(std::time::Duration::from_micros(100));
        }
    }
    world.run_for(std::time::Duration::from_secs(1));
    let mut outcome = Outcome {
        struck: world.fault_count(fault),
        poisoned: journal.poisoned().is_some(),
        refused: failed.borrow().len(),
        acknowledged: acknowledged.get(),
        writes_deferred: journal.stats().writes_deferred,
        ..Outcome::default()
    };
    if outcome.poisoned {
        // Never retried: the disk is well again and the journal stays shut.
        host.faults().clear();
        let later =
            journal.append(EntryKind::Append, LogId::default(), OwnerEpoch(0), b"", &[1; 9]);
        assert!(world.run_until(journal.wait_durable(later)).is_err());
        assert!(world.run_until(journal.wait_accepted(later)).is_err());
        assert!(failed.borrow().iter().all(|error| Some(error) == journal.poisoned().as_ref()));
    }
    host.kill();
    let runtime = host.runtime();
    let dir = journal_dir(Path::new(DATA));
    let identity = options().identity;
    let report = world
        .run_until(scan(&runtime, &dir, identity, Sequence::FIRST, |_, entry| {
            if entry.payload == [1; 900] { Ok(()) } else { Err("wrong bytes".into()) }
        }))
        .expect("a failed write is no corruption");
    outcome.recovered = report.last;
    assert!(outcome.recovered >= outcome.acknowledged, "seed {seed} {fault:?}");
    outcome
}

#[test]
fn the_first_error_ends_the_journal_and_keeps_its_promises() {
    for (fault, relaxed) in [
        (Fault::WriteError, false),
        (Fault::WriteError, true),
        (Fault::SyncError, false),
        (Fault::SyncError, true),
    ] {
        let (mut struck, mut refused) = (0, 0);
        for seed in 0..40 {
            let outcome = run(seed, fault, seed % 9, relaxed);
            assert_eq!(outcome.poisoned, outcome.struck > 0, "seed {seed} {fault:?}");
            struck += outcome.struck;
            refused += outcome.refused;
        }
        assert!(struck >= 20, "{fault:?} struck {struck} times");
        assert!(refused > 0, "{fault:?} refused nothing");
    }
}

#[test]
fn a_slow_or_punting_disk_only_takes_longer() {
    let (mut slow, mut deferred) = (0, 0);
    for seed in 0..20 {
        let outcome = run(seed, Fault::SlowDisk, seed % 5, seed % 2 == 0);
        assert!(!outcome.poisoned);
        assert_eq!((outcome.acknowledged, outcome.refused), (Sequence(60), 0));
        slow += outcome.struck;
        deferred += outcome.writes_deferred;
    }
    assert!(slow > 0 && deferred > 0, "{slow} slow operations, {deferred} deferred writes");
}

#[test]
fn a_full_disk_refuses_to_open() {
    let world = World::new(1, SimOptions::default());
    let host = world.host();
    let runtime = host.runtime();
    world.run_until(runtime.disk().create_dir_all(Path::new(DATA))).expect("a folder");
    host.set_disk_capacity(50 * BLOCK as u64);
    let error = world.run_until(Journal::open(&runtime, options())).err().expect("no space");
    assert_eq!(error.io().kind(), std::io::ErrorKind::StorageFull);
    assert!(error.to_string().contains("preallocating"), "{error}");
}
