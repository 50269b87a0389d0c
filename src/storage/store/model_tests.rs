//! Whole lives of a store against a model, in the simulator: appends, reads, rolls, checkpoints,
//! retries, deletions, faults and restarts, from one seed each.

use std::cell::{Cell, RefCell};
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use crate::model::limits::OPEN_SEGMENTS_MAX;
use crate::model::units::{BLOCK, KIB, MIB};
use crate::model::{
    LeaderEpoch, LogId, Offset, PartitionIndex, ProducerEpoch, ProducerId, TopicId,
};
use crate::record::{BatchBuilder, BatchOptions, ProducerFields};
use crate::runtime::sim::{Fault, Host, SimOptions, World};
use crate::runtime::{Lane, Runtime};
use crate::storage::checkpoint::{self, BASE_SLOT, CheckpointName};
use crate::storage::directory::{DirectoryId, checkpoint_dir, journal_dir};
use crate::storage::journal::{JournalIdentity, JournalOptions, Sequence, scan};
use crate::storage::log::replay::Replay;
use crate::storage::{
    AppendMode, Appended, Log, LogAppendError, LogConfig, LogReadError, LogState, ReadPart,
    RetentionTerms, Store, StoreOptions,
};

pub const DATA: &str = "/data";
const LOGS: usize = 5;

fn identity(epoch: u64) -> JournalIdentity {
    JournalIdentity { directory: DirectoryId([7; 16]), slot: 0, epoch }
}

/// The newest epoch whose base is there, its states brought up to date, and whether it was clean.
pub async fn recover(runtime: &Runtime) -> (u64, Vec<LogState>, bool) {
    let dir = Path::new(DATA);
    runtime.disk().create_dir_all(&checkpoint_dir(dir)).await.expect("a directory");
    for parent in [Path::new("/"), dir] {
        runtime.disk().sync_dir(parent).await.expect("a durable name");
    }
    let names = checkpoint::list(runtime, dir).await.expect("a list");
    let Some(base) = names.iter().rfind(|name| name.slot == BASE_SLOT).copied() else {
        return (0, Vec::new(), true);
    };
    let epoch = base.epoch;
    let states = checkpoint::read(runtime, dir, base).await.expect("a base").states;
    let newest = names.iter().rfind(|name| name.epoch == epoch && name.slot == 0).copied();
    let mut from = Sequence::FIRST;
    let mut slots = Vec::new();
    if let Some(name) = newest {
        let slot = checkpoint::read(runtime, dir, name).await.expect("a checkpoint");
        from = slot.sequence.next();
        let clean = slot.clean;
        slots.push(slot);
        if clean {
            return (epoch, checkpoint::merge(states, slots), true);
        }
    }
    let mut replay = Replay::new(checkpoint::merge(states, slots), runtime.wall_clock_ms());
    let feed = |sequence, entry: &crate::storage::journal::Entry<'_>| {
        replay.feed(0, sequence, entry);
        Ok(())
    };
    let report = scan(runtime, &journal_dir(dir), identity(epoch), from, feed).await;
    replay.note_durable(0, report.expect("a journal").durable);
    // Tails of some logs stay in their states.
    let keeps_tail = |log: &LogId| log.partition.0 % 2 == 0;
    let (states, _) = replay.bring_up_to_date(runtime, dir, keeps_tail).await.expect("logs");
    (epoch, states, false)
}

/// Recovers and opens the store in the next epoch.
pub async fn start(runtime: &Runtime) -> (Store, bool) {
    start_with(runtime, OPEN_SEGMENTS_MAX).await
}

/// The same with fewer files open.
pub async fn start_with(runtime: &Runtime, open_segments_max: usize) -> (Store, bool) {
    let dir = Path::new(DATA);
    let (epoch, mut states, clean) = recover(runtime).await;
    for state in &mut states {
        state.covered = Sequence::NONE;
    }
    let name = CheckpointName::base(epoch + 1);
    checkpoint::write(runtime, dir, name, false, &states).await.expect("a base");
    let journal = JournalOptions::new(dir, identity(epoch + 1), 0).with_files(64 * BLOCK as u64, 6);
    let mut options = StoreOptions::new(dir, journal);
    options.idle_after = Duration::from_secs(2);
    options.bypass_bytes_min = BLOCK;
    options.open_segments_max = open_segments_max;
    (Store::open(runtime, options, states).await.expect("a store"), clean)
}

/// A batch of one record.
pub fn batch_of(timestamp: i64, value: &[u8]) -> Vec<u8> {
    let mut builder = BatchBuilder::new(BatchOptions::default());
    builder.append(timestamp, None, Some(value), &[]);
    builder.finish()
}

/// Appends a batch when there is room for it; it is not waited for.
pub async fn append(
    runtime: &Runtime,
    log: &Log,
    batch: &[u8],
) -> Result<Appended, LogAppendError> {
    log.prepare_append(batch.len()).await?;
    let now_ms = runtime.wall_clock_ms();
    log.append(batch, AppendMode { leader_epoch: LeaderEpoch(0), log_append_time: None, now_ms })
}

/// Appends a batch and waits until it is as durable as its log promises.
pub async fn append_acked(
    runtime: &Runtime,
    log: &Log,
    batch: &[u8],
) -> Result<Offset, LogAppendError> {
    let appended = append(runtime, log, batch).await?;
    appended.ticket.wait().await?;
    Ok(appended.base_offset)
}

/// What one log should hold.
struct Model {
    id: LogId,
    config: LogConfig,
    /// Batches as stored, with their base offsets, in order.
    batches: Vec<(Offset, Vec<u8>)>,
    end: Offset,
    /// The start that was told, and the furthest that was asked for.
    start: (Offset, Offset),
    /// Acknowledged, whatever the promise.
    acknowledged: Rc<Cell<Offset>>,
    /// Acknowledged as durable.
    durable: Rc<Cell<Offset>>,
    /// The producer's next sequence, and its last batch with the base offset that it got.
    sequence: i32,
    last: Option<(Vec<u8>, Offset)>,
}

impl Model {
    fn new(number: usize, generation: u64) -> Model {
        let mut topic = [number as u8; 16];
        topic[8..].copy_from_slice(&generation.to_be_bytes());
        let config = LogConfig {
            segment_bytes: if number.is_multiple_of(2) { 64 * KIB as u32 } else { 1 << 20 },
            flush_messages: if number % 3 == 2 { u64::MAX } else { 1 },
            flush_ms: if number % 3 == 2 { 50 } else { u64::MAX },
            file_delete_delay: Duration::from_millis(if number == 1 { 0 } else { 20 }),
            ..LogConfig::default()
        };
        Model {
            id: LogId { topic: TopicId(topic), partition: PartitionIndex(number as i32) },
            config,
            batches: Vec::new(),
            end: Offset(0),
            start: (Offset(0), Offset(0)),
            acknowledged: Rc::default(),
            durable: Rc::default(),
            sequence: 0,
            last: None,
        }
    }

    /// What the log must answer to a read.
    fn expected(&self, from: Offset, bytes_max: usize, limit: Offset) -> Vec<u8> {
        let first = self.batches.partition_point(|batch| batch.0 <= from).saturating_sub(1);
        let mut bytes = Vec::new();
        if from >= limit {
            return bytes;
        }
        for (index, (_, batch)) in self.batches.iter().enumerate().skip(first) {
            let next = self.batches.get(index + 1).map_or(self.end, |next| next.0);
            let fits = bytes.is_empty() || bytes.len() + batch.len() <= bytes_max;
            if next > limit || !fits {
                break;
            }
            bytes.extend_from_slice(batch);
        }
        bytes
    }
}

fn choice(world: &World, of: u64) -> u64 {
    world.random() % of
}

/// A batch of a few records from the log's one idempotent producer.
fn batch(world: &World, model: &Model) -> (Vec<u8>, i32) {
    let records = 1 + choice(world, 4) as i32;
    let size = match choice(world, 40) {
        0 => 20 * KIB,
        1..8 => 3 * KIB,
        _ => 10,
    };
    let producer = ProducerFields {
        id: ProducerId(model.id.partition.0.into()),
        epoch: ProducerEpoch(0),
        base_sequence: model.sequence,
    };
    let mut builder =
        BatchBuilder::new(BatchOptions { producer: Some(producer), ..BatchOptions::default() });
    let value = vec![world.random() as u8; size / records as usize + choice(world, 50) as usize];
    for record in 0..records {
        let time = 1_000 + model.end.0 + i64::from(record);
        builder.append(time, None, Some(&value), &[]);
    }
    (builder.finish(), records)
}

/// Joins what was read.
fn joined(parts: Vec<ReadPart>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for part in parts {
        match part {
            ReadPart::Piece(piece) => bytes.extend_from_slice(&piece),
            ReadPart::File(_) => unreachable!("no ranges were asked for"),
        }
    }
    bytes
}

/// What happened in a run, so that a test can tell that everything did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Tally {
    appended: u64,
    duplicates: u64,
    reads: u64,
    checkpoints: u64,
    cleans: u64,
    kills: u64,
    power_losses: u64,
    failures: u64,
    deletions: u64,
    segments: usize,
    clean_starts: u64,
    cuts: u64,
    expired: usize,
}

impl Tally {
    fn add(&mut self, other: &Tally) {
        self.appended += other.appended;
        self.duplicates += other.duplicates;
        self.reads += other.reads;
        self.checkpoints += other.checkpoints;
        self.cleans += other.cleans;
        self.kills += other.kills;
        self.power_losses += other.power_losses;
        self.failures += other.failures;
        self.deletions += other.deletions;
        self.segments += other.segments;
        self.clean_starts += other.clean_starts;
        self.cuts += other.cuts;
        self.expired += other.expired;
    }
}

struct Life<'a> {
    world: &'a World,
    host: &'a Host,
    runtime: Runtime,
    store: Store,
    models: Vec<Model>,
    tally: RefCell<Tally>,
    generation: u64,
}

impl Life<'_> {
    fn log(&self, number: usize) -> Log {
        let model = &self.models[number];
        match self.store.log(&model.id) {
            Some(log) => log,
            None => self.store.create(model.id, &format!("topic-{number}"), model.config),
        }
    }

    /// Appends; `false` if the store has failed.
    async fn append(&mut self, number: usize) -> bool {
        let log = self.log(number);
        let (mut bytes, records) = batch(self.world, &self.models[number]);
        if log.prepare_append(bytes.len()).await.is_err() {
            return false;
        }
        let now_ms = self.runtime.wall_clock_ms();
        let mode = AppendMode { leader_epoch: LeaderEpoch(3), log_append_time: None, now_ms };
        let appended = match log.append(&bytes, mode) {
            Ok(appended) => appended,
            Err(LogAppendError::Storage(_)) => return false,
            Err(error) => panic!("{error}"),
        };
        let model = &mut self.models[number];
        assert!(!appended.duplicate);
        assert_eq!(appended.base_offset, model.end, "{:?}", model.id);
        model.last = Some((bytes.clone(), model.end));
        bytes[..8].copy_from_slice(&model.end.0.to_be_bytes());
        bytes[12..16].copy_from_slice(&3i32.to_be_bytes());
        model.batches.push((model.end, bytes));
        model.sequence += records;
        model.end = Offset(model.end.0 + i64::from(records));
        let (end, is_durable) = (model.end, log.config().is_durable());
        let (acknowledged, durable) = (model.acknowledged.clone(), model.durable.clone());
        self.runtime.spawn(Lane::Hot, async move {
            if appended.ticket.wait().await.is_ok() {
                assert!(log.readable_end() >= end, "acknowledged is readable");
                acknowledged.set(acknowledged.get().max(end));
                if is_durable {
                    durable.set(durable.get().max(end));
                }
            }
        });
        self.tally.borrow_mut().appended += 1;
        true
    }

    async fn retry(&self, number: usize) {
        let Some((bytes, base)) = &self.models[number].last else { return };
        let log = self.log(number);
        let now_ms = self.runtime.wall_clock_ms();
        let mode = AppendMode { leader_epoch: LeaderEpoch(3), log_append_time: None, now_ms };
        if let Ok(appended) = log.append(bytes, mode) {
            assert!(appended.duplicate, "a retry is recognized");
            assert_eq!(appended.base_offset, *base);
            self.tally.borrow_mut().duplicates += 1;
        }
    }

    async fn read(&self, number: usize, whole: bool) {
        let (log, model) = (self.log(number), &self.models[number]);
        let limit = log.readable_end();
        assert!(limit <= model.end);
        let start = log.start_offset();
        assert!(start >= model.start.0, "{} starts at {start} again", log.id());
        if start > Offset(0) {
            let below = log.read(Offset(start.0 - 1), 1, limit, true).await;
            assert!(matches!(below, Err(LogReadError::OutOfRange { .. })), "{}", log.id());
        }
        let span = (limit.0 - start.0) as u64;
        let from = start.0 + if whole { 0 } else { choice(self.world, span + 1) as i64 };
        let bytes_max = [1, 500, 5000, 300 * KIB][choice(self.world, 4) as usize];
        let mut from = Offset(from);
        loop {
            let read = log.read(from, bytes_max, limit, true).await.expect("a read");
            let next = read.next;
            let bytes = joined(read.into_parts());
            let expected = model.expected(from, bytes_max, limit);
            // A cold read may give less, but whole batches and at least one.
            assert!(expected.starts_with(&bytes), "{} from {from} of {limit}", log.id());
            assert_eq!(bytes.is_empty(), expected.is_empty(), "{} from {from}", log.id());
            if !whole || bytes.is_empty() {
                break;
            }
            from = next;
        }
        self.tally.borrow_mut().reads += 1;
    }

    /// Cuts off the oldest records, by an offset or by size; `false` if the store has failed.
    async fn cut_off(&mut self, number: usize) -> bool {
        let log = self.log(number);
        let (start, end) = (log.start_offset(), log.readable_end());
        let result = if choice(self.world, 2) == 0 {
            let to = Offset(start.0 + choice(self.world, (end.0 - start.0) as u64 + 1) as i64);
            self.models[number].start.1 = to.max(self.models[number].start.1);
            log.advance_start(to).await.map(|now| assert!(now >= to))
        } else {
            self.models[number].start.1 = log.end_offset();
            let kept = [0, 70 * KIB as u64, 200 * KIB as u64][choice(self.world, 3) as usize];
            let terms = RetentionTerms { now_ms: 0, age_ms_max: None, bytes_max: Some(kept) };
            let before = log.bytes();
            log.expire(&terms).await.map(|expired| {
                self.tally.borrow_mut().expired += expired.map_or(0, |expired| expired.segments);
                assert!(log.bytes() >= before.min(kept), "too much went");
            })
        };
        self.models[number].start.0 = log.start_offset();
        self.tally.borrow_mut().cuts += u64::from(result.is_ok());
        result.is_ok()
    }

    async fn delete(&mut self, number: usize) {
        let deleted = self.store.delete(self.models[number].id).await;
        // After a failure it may be there or not; nobody asks for that topic id again.
        self.generation += 1;
        self.models[number] = Model::new(number, self.generation);
        self.tally.borrow_mut().deletions += u64::from(deleted.is_ok());
    }

    /// Checks what came back against what was promised; the model forgets what was lost.
    async fn verify(&mut self, power_loss: bool) {
        for number in 0..LOGS {
            let log = self.log(number);
            let model = &mut self.models[number];
            log.set_config(model.config);
            let (told, asked) = model.start;
            let start = log.start_offset();
            assert!((told..=asked).contains(&start), "{} starts at {start}", log.id());
            model.start = (start, start);
            let promised = if power_loss { &model.durable } else { &model.acknowledged };
            let end = log.end_offset();
            assert!(end >= promised.get(), "{} lost {end} < {}", log.id(), promised.get());
            assert!(end <= model.end, "{} has more than was appended", log.id());
            let kept = model.batches.partition_point(|batch| batch.0 < end);
            model.batches.truncate(kept);
            if model.end > end {
                // The producer goes on from what the log has.
                model.last = None;
                model.sequence = end.0 as i32;
            }
            model.end = end;
            model.acknowledged.set(end);
            model.durable.set(end);
            self.read(number, true).await;
            self.tally.borrow_mut().segments += log.segment_count();
        }
    }
}

/// One life of `ops` operations from a seed; gives the trace's hash and what happened.
fn live(seed: u64, ops: usize, faults: bool) -> (u64, Tally) {
    let world = World::new(seed, SimOptions { arena_bytes: 2 * MIB, ..SimOptions::default() });
    let tally = live_in(&world, ops, faults);
    (world.trace_hash(), tally)
}

fn live_in(world: &World, ops: usize, faults: bool) -> Tally {
    let host = world.host();
    let runtime = host.runtime();
    let (store, _) = world.run_until(start(&runtime));
    let mut life = Life {
        world,
        host: &host,
        runtime,
        store,
        models: (0..LOGS).map(|number| Model::new(number, 0)).collect(),
        tally: RefCell::default(),
        generation: 0,
    };
    if faults {
        host.faults().set_chance(Fault::SlowDisk, 0.002);
    }
    let mut done = 0;
    while done < ops {
        if faults && choice(world, 3) == 0 {
            let (fault, passing) =
                [(Fault::WriteError, 400), (Fault::SyncError, 3), (Fault::ShortWrite, 200)]
                    [choice(world, 3) as usize];
            host.faults().strike_after(fault, choice(world, passing));
        }
        let count = (200 + choice(world, 800) as usize).min(ops - done);
        done += count;
        world.run_until(operate(&mut life, count));
        restart(&mut life);
    }
    let tally = *life.tally.borrow();
    // The last strike may still be to come.
    world.run_until(life.store.close()).ok();
    tally
}

async fn operate(life: &mut Life<'_>, count: usize) {
    for _ in 0..count {
        let number = choice(life.world, LOGS as u64) as usize;
        match choice(life.world, 1000) {
            0..800 => {
                if !life.append(number).await {
                    assert!(life.store.failure().is_some(), "only a failure refuses");
                    return;
                }
            }
            800..900 => life.read(number, false).await,
            900..940 | 946..950 => life.retry(number).await,
            940..946 => {
                if !life.cut_off(number).await {
                    assert!(life.store.failure().is_some(), "only a failure refuses");
                    return;
                }
            }
            950..952 => life.delete(number).await,
            952..956 => {
                if life.store.checkpoint().await.is_ok() {
                    life.tally.borrow_mut().checkpoints += 1;
                }
            }
            956..958 => life.runtime.sleep(Duration::from_secs(5)).await,
            _ => life.runtime.sleep(Duration::from_micros(choice(life.world, 300))).await,
        }
    }
}

fn restart(life: &mut Life<'_>) {
    let (world, host) = (life.world, life.host);
    let failed = life.store.failure().is_some();
    let mut power_loss = false;
    match choice(world, 3) {
        0 if !failed => {
            if world.run_until(life.store.close()).is_ok() {
                life.tally.borrow_mut().cleans += 1;
                for model in &life.models {
                    model.acknowledged.set(model.end);
                    model.durable.set(model.end);
                }
            } else {
                life.tally.borrow_mut().failures += 1;
            }
            host.kill();
        }
        1 => {
            power_loss = true;
            host.power_loss();
            life.tally.borrow_mut().power_losses += 1;
        }
        _ => {
            host.kill();
            life.tally.borrow_mut().kills += 1;
        }
    }
    life.tally.borrow_mut().failures += u64::from(failed);
    // After an error of the disk only what was durable is certain.
    power_loss |= failed;
    let slow = host.faults();
    slow.clear();
    life.runtime = host.runtime();
    let (store, clean) = world.run_until(start(&life.runtime));
    life.store = store;
    life.tally.borrow_mut().clean_starts += u64::from(clean);
    world.run_until(life.verify(power_loss));
}

#[test]
fn the_same_seed_has_the_same_trace() {
    for seed in [3, 4] {
        let (first, second) = (live(seed, 1500, true), live(seed, 1500, true));
        assert_eq!(first, second, "seed {seed}");
    }
    assert_ne!(live(3, 300, true).0, live(4, 300, true).0);
}

#[test]
fn a_store_without_faults_follows_its_model() {
    let (_, tally) = live(1, 4000, false);
    assert_eq!(tally.failures, 0, "{tally:?}");
    assert!(tally.duplicates > 0 && tally.reads > 0 && tally.segments > LOGS, "{tally:?}");
}

/// Seeds of a run: all of them where the build is optimized, as CI's is.
const SEEDS: u64 = if cfg!(debug_assertions) { 6 } else { 200 };

#[test]
fn lives_with_faults_keep_what_was_promised() {
    let mut sum = Tally::default();
    let mut struck = [0; Fault::ALL.len()];
    for seed in 100..100 + SEEDS {
        let world = World::new(seed, SimOptions { arena_bytes: 2 * MIB, ..SimOptions::default() });
        let tally = live_in(&world, 10_000, true);
        sum.add(&tally);
        for (count, fault) in struck.iter_mut().zip(Fault::ALL) {
            *count += world.fault_count(fault);
        }
        let faults: u64 = Fault::ALL.iter().map(|fault| world.fault_count(*fault)).sum();
        assert!(faults >= 10, "seed {seed} met {faults} faults");
    }
    for fault in [
        Fault::WriteError,
        Fault::SyncError,
        Fault::ShortWrite,
        Fault::SlowDisk,
        Fault::Kill,
        Fault::PowerLoss,
    ] {
        assert!(struck[fault as usize] > 0, "{fault:?} never struck");
    }
    let counts = [
        sum.duplicates,
        sum.checkpoints,
        sum.cleans,
        sum.failures,
        sum.deletions,
        sum.clean_starts,
        sum.cuts,
        sum.expired as u64,
    ];
    assert!(counts.iter().all(|&count| count > 0), "{sum:?}");
}
