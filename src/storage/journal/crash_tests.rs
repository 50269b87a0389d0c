//! Every crash image of the journal alone: what was promised is there, and nothing else is.
//!
//! A recorded run appends entries of both kinds, releases files and goes through their turns. For
//! each image of each moment the scan must give a gapless run of what was appended, reach at least
//! what was durable by then (accepted, where only the process died), twice the same, and the files
//! must serve the next epoch. Bugs planted on purpose must all be found.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use crate::model::units::BLOCK;
use crate::model::{LogId, OwnerEpoch};
use crate::runtime::sim::{
    CrashImage, DiskImage, Fault, Host, ImagePolicy, Planted, Recording, SimOptions, World,
    is_planted, with_planted,
};
use crate::runtime::{Lane, Runtime};
use crate::storage::directory::{DirectoryId, journal_dir};

use super::*;

const DATA: &str = "/data";
const DISTINCT_MIN: usize = 90_000;

fn identity(epoch: u64) -> JournalIdentity {
    JournalIdentity { directory: DirectoryId([7; 16]), slot: 0, epoch }
}

fn options(epoch: u64) -> JournalOptions {
    JournalOptions::new(Path::new(DATA), identity(epoch), 0).with_files(10 * BLOCK as u64, 3)
}

/// What was promised at a moment.
#[derive(Clone, Copy, Default)]
struct Promise {
    durable: Sequence,
    accepted: Sequence,
    /// What a checkpoint covers.
    from: Sequence,
}

#[derive(Default)]
struct Model {
    /// Each entry's last sequence, number and size.
    entries: Vec<(Sequence, u64, usize)>,
    promises: Vec<Promise>,
}

impl Model {
    fn promise(&mut self, host: &Host, journal: &Journal, from: Sequence) {
        let (durable, accepted) = (journal.durable_through(), journal.accepted_through());
        host.note(self.promises.len() as u64);
        self.promises.push(Promise { durable, accepted, from });
    }
}

fn append(journal: &Journal, number: u64, bytes: usize) -> Sequence {
    let body = vec![number as u8; bytes];
    journal.append(EntryKind::Append, LogId::default(), OwnerEpoch(1), &number.to_le_bytes(), &body)
}

/// Appends `count` entries, a share of them durable, and notes every promise as it is made.
async fn work(host: Host, runtime: Runtime, count: u64, durable_of_ten: u64) -> Model {
    let journal = Journal::open(&runtime, options(1)).await.expect("a fresh journal");
    let model = Rc::new(RefCell::new(Model::default()));
    let from = Rc::new(std::cell::Cell::new(Sequence::FIRST));
    let (watched, watching, told) = (journal.clone(), host.clone(), Rc::clone(&model));
    let covered = Rc::clone(&from);
    runtime.spawn(Lane::Hot, async move {
        loop {
            let moved = watched.progress().listen();
            told.borrow_mut().promise(&watching, &watched, covered.get());
            moved.await;
        }
    });
    for number in 0..count {
        let bytes = match runtime.random() % 12 {
            0 => 9_000 + (runtime.random() % 4_000) as usize,
            1..4 => 3_000 + (runtime.random() % 3_000) as usize,
            _ => (runtime.random() % 600) as usize,
        };
        if !journal.has_room(bytes + 64) {
            // A checkpoint: durable before anything is released.
            let through = Sequence(journal.next_sequence().0 - 1);
            journal.wait_accepted(through).await.expect("accepted");
            from.set(through.next());
            model.borrow_mut().promise(&host, &journal, from.get());
            journal.release_before(through.next());
            // A file comes free when its last write has ended, which nobody has waited for.
            journal.reserve(bytes + 64).await.expect("room");
        }
        let sequence = append(&journal, number, bytes);
        model.borrow_mut().entries.push((sequence, number, bytes));
        if runtime.random() % 10 < durable_of_ten {
            journal.demand_durable(sequence);
        }
        match runtime.random() % 6 {
            0 => journal.wait_accepted(sequence).await.expect("accepted"),
            1 => journal.wait_durable(sequence).await.expect("durable"),
            2 | 3 => runtime.yield_now().await,
            _ => {}
        }
    }
    journal.close().await.expect("closed");
    model.borrow_mut().promise(&host, &journal, from.get());
    model.take()
}

fn record(seed: u64, count: u64, durable_of_ten: u64) -> (Model, Recording, DiskImage) {
    let world = World::new(seed, SimOptions::default());
    let host = world.host();
    let runtime = host.runtime();
    world.run_until(runtime.disk().create_dir_all(Path::new(DATA))).expect("a folder");
    world.run_until(runtime.disk().sync_dir(Path::new("/"))).expect("a folder");
    host.start_recording();
    let model = world.run_until(work(host.clone(), runtime, count, durable_of_ten));
    let recording = host.recording();
    (model, recording, host.disk_image())
}

type Seen = Vec<(Sequence, u64, usize)>;

async fn read(
    runtime: &Runtime,
    epoch: u64,
    from: Sequence,
) -> Result<(Seen, ScanReport), ScanError> {
    let dir: PathBuf = journal_dir(Path::new(DATA));
    let mut seen = Vec::new();
    if runtime.disk().create_dir_all(&dir).await.is_err() {
        return Ok((seen, ScanReport::default()));
    }
    let report = scan(runtime, &dir, identity(epoch), from, |sequence, entry| {
        let (number, body) = entry.payload.split_at_checked(8).ok_or("a short entry")?;
        let number = u64::from_le_bytes(number.try_into()?);
        if body.iter().any(|&byte| byte != number as u8) {
            return Err("another entry's bytes".into());
        }
        seen.push((sequence, number, body.len()));
        Ok(())
    })
    .await?;
    Ok((seen, report))
}

/// Holds what was recovered against what was appended and promised.
fn verify(model: &Model, promise: Promise, killed: bool, seen: &Seen) -> Result<(), String> {
    let start = model.entries.partition_point(|&(sequence, ..)| sequence < promise.from);
    let expected = model.entries[start..].iter();
    if seen.len() > model.entries.len() - start || !seen.iter().eq(expected.take(seen.len())) {
        return Err(format!("not what was appended from {} on: {seen:?}", promise.from));
    }
    let last = seen.last().map_or(Sequence(promise.from.0 - 1), |&(sequence, ..)| sequence);
    let promised = if killed { promise.accepted.max(promise.durable) } else { promise.durable };
    // A promise may end inside an entry in pieces, which nobody was told of.
    let whole = model.entries.iter().rev().find(|&&(sequence, ..)| sequence <= promised);
    match whole {
        Some(&(sequence, ..)) if sequence > last => {
            Err(format!("entry {sequence} was promised, only {last} is there"))
        }
        _ => Ok(()),
    }
}

/// Recovers one image and judges the result.
fn check(
    world: &World,
    model: &Model,
    image: &CrashImage,
    next_epoch: bool,
) -> Result<ScanReport, String> {
    let promise =
        image.notes().last().map_or(Promise::default(), |&note| model.promises[note as usize]);
    let promise = Promise { from: promise.from.max(Sequence::FIRST), ..promise };
    let host = world.host_from(&image.image);
    let runtime = host.runtime();
    let result = world.run_until(async {
        let (seen, report) = read(&runtime, 1, promise.from).await.map_err(|e| e.to_string())?;
        verify(model, promise, image.killed, &seen)?;
        if next_epoch {
            let again = read(&runtime, 1, promise.from).await.map_err(|e| e.to_string())?;
            if again != (seen, report) {
                return Err("the second scan saw something else".to_owned());
            }
            reopen(&runtime).await?;
        }
        Ok(report)
    });
    host.kill();
    result
}

/// The files of any image serve the next epoch.
async fn reopen(runtime: &Runtime) -> Result<(), String> {
    let journal = Journal::open(runtime, options(2)).await.map_err(|e| e.to_string())?;
    for number in 0..3 {
        append(&journal, number, 2_000);
    }
    journal.close().await.map_err(|e| e.to_string())?;
    let (seen, report) = read(runtime, 2, Sequence::FIRST).await.map_err(|e| e.to_string())?;
    if seen.len() == 3 && !report.torn { Ok(()) } else { Err(format!("next epoch: {seen:?}")) }
}

fn policy(seed: u64) -> ImagePolicy {
    ImagePolicy { subsets_max: 64, torn_per_write: 4, seed, ..ImagePolicy::default() }
}

#[test]
fn every_crash_image_keeps_the_promises() {
    let mut distinct = 0;
    let mut total = ScanReport::default();
    let mut seed = 0;
    while distinct < DISTINCT_MIN {
        seed += 1;
        let (model, recording, _) = record(seed, 400, [10, 5, 1][seed as usize % 3]);
        assert!(model.promises.last().is_some_and(|promise| promise.from > Sequence::FIRST));
        let mut images = recording.crash_images(policy(seed));
        let mut world = World::new(seed, SimOptions::instant());
        let mut count = 0;
        for image in images.by_ref() {
            count += 1;
            if count % 256 == 0 {
                world = World::new(seed + count, SimOptions::instant());
            }
            let next_epoch = count % 16 == 0;
            match check(&world, &model, &image, next_epoch) {
                Ok(report) => total.add(&report),
                Err(error) => panic!("seed {seed}, moment {}: {error}", image.moment),
            }
        }
        distinct += images.distinct();
    }
    println!("{distinct} distinct images of {seed} runs: {total:?}");
    assert!(total.torn && total.frames > 0 && total.entries > 0);
    for (name, count) in [
        ("torn frames", total.torn_frames),
        ("cut frames", total.cut_frames),
        ("stale frames", total.stale_frames),
        ("partial entries", total.partial_entries),
        ("covered holes", total.covered_holes),
        ("mirrored frames", total.mirrored_frames),
    ] {
        assert!(count > 0, "no image had {name}: {total:?}");
    }
}

/// True if some crash image of a run with the bug, in which so many entries of ten are durable, breaks a promise.
fn is_found(bug: Planted, durable_of_ten: u64) -> bool {
    let breaks = |seed| {
        let (model, recording, _) = record(seed, 200, durable_of_ten);
        let world = World::new(seed, SimOptions::instant());
        recording
            .crash_images(policy(seed))
            .any(|image| check(&world, &model, &image, false).is_err())
    };
    with_planted(bug, || (1..6).any(breaks))
}

#[test]
fn acknowledging_before_the_sync_is_found() {
    assert!(is_found(Planted::AcknowledgeBeforeSync, 8));
}

#[test]
fn accepting_a_stale_frame_is_found() {
    assert!(is_found(Planted::AcceptStaleFrame, 8));
}

#[test]
fn skipping_the_directory_sync_is_found() {
    assert!(is_found(Planted::SkipDirectorySync, 8));
}

#[test]
fn letting_go_of_the_mirror_early_is_found() {
    assert!(is_found(Planted::LetGoEarly, 1));
}

#[test]
fn trusting_the_mirror_behind_a_gap_is_found() {
    assert!(is_found(Planted::TrustMirror, 5));
}

/// What the last whole frame proves to have been durable: only what came later, in flight together
/// with it, can go unnoticed.
fn witness(image: &DiskImage) -> Sequence {
    let mut witness = Sequence::NONE;
    for file in 0..3 {
        let path = journal_dir(Path::new(DATA)).join(format!("0-{file}.journal"));
        let bytes = image.read(&path).expect("a journal's file");
        for at in (0..bytes.len()).step_by(BLOCK) {
            if let Ok(frame) = frame::decode(&bytes[at..]) {
                witness = witness.max(frame.header.durable_through);
            }
        }
    }
    witness
}

/// Damages one block of a finished run and reads it; tells whether the damage was called
/// corruption, or else whether a promise was broken without a word.
fn damage(seed: u64) -> (usize, usize) {
    let (model, _, image) = record(seed, 150, 10);
    let promise = *model.promises.last().expect("the last promise is of the end");
    let world = World::new(seed, SimOptions::instant());
    let (mut named, mut silent) = (0, 0);
    let witness = witness(&image);
    for file in 0..3 {
        for block in 0..9 {
            let host = world.host_from(&image);
            let path = journal_dir(Path::new(DATA)).join(format!("0-{file}.journal"));
            host.rot(&path, block * BLOCK as u64 + 77, 3).expect("a block of the file");
            let runtime = host.runtime();
            match world.run_until(read(&runtime, 1, promise.from)) {
                Ok((seen, _)) => {
                    silent += usize::from(verify(&model, promise, false, &seen).is_err());
                    let proved = Promise { durable: witness, ..promise };
                    let kept = verify(&model, proved, false, &seen);
                    assert!(kept.is_ok() || is_planted(Planted::CutAtCorruption), "{kept:?}");
                }
                Err(ScanError::Corrupt { path: at, .. }) => {
                    assert!(at.starts_with(DATA));
                    named += 1;
                }
                Err(other) => panic!("{other}"),
            }
            host.kill();
        }
    }
    assert_eq!(world.fault_count(Fault::BitRot), 27);
    (named, silent)
}

#[test]
fn corruption_in_the_middle_is_named_and_cutting_there_is_found() {
    let (mut named, mut silent, mut cut) = (0, 0, 0);
    for seed in 1..9 {
        let (honest, last) = damage(seed);
        named += honest;
        silent += last;
        cut += with_planted(Planted::CutAtCorruption, || damage(seed)).1;
    }
    assert!(named > 8, "{named} damages were named");
    assert_eq!(cut, named + silent, "every damage that is cut breaks a promise");
}
