//! Whole lives of a broker's shards in the simulator: real recovery, stores, leaders and routing
//! under clients, faults and restarts, against a model of what clients were promised.
//!
//! One seed is one directory that several processes use one after the other, with another number
//! of shards each. `KLAMM_SEEDS=n` runs more seeds, `KLAMM_SEED=n` one of them with its trace.
//! Deliberately absent: sockets, the wire protocol and the metadata quorum, which a control node
//! plays that never forgets.

mod clients;
mod deletion_tests;
mod group_tests;
mod process;

use std::cell::{Cell, RefCell};
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::time::Duration;

use rustc_hash::FxHashSet;

use clients::{Life, Producer};
use process::{Process, SharedImage};

use crate::broker::sim::model::{Ending, Model, Seen};
use crate::broker::sim::tally::Tally;
use crate::metadata::commands::testing::image_of_brokers;
use crate::model::TopicId;
use crate::model::units::MIB;
use crate::runtime::sim::{Fault, Host, Planted, SimOptions, World, with_planted};
use crate::runtime::sync::timeout;
use crate::runtime::{Lane, Monotonic};
use crate::storage::directory::{is_deleted_name, parse_segment_name};

/// Operations of one seed, at the least.
const OPERATIONS: u64 = 10_000;
/// Faults of one seed, at the least; what a disk does every moment is not counted.
const FAULTS: u64 = 10;
/// Seeds of a run where nothing else is said.
const SEEDS: u64 = 200;
/// Faults that a run injects.
const FAULTS_WANTED: [Fault; 12] = [
    Fault::WriteError,
    Fault::ShortWrite,
    Fault::SyncError,
    Fault::ReadError,
    Fault::DiskFull,
    Fault::SlowDisk,
    Fault::PuntedWrite,
    Fault::Kill,
    Fault::PowerLoss,
    Fault::TornWrite,
    Fault::Pause,
    Fault::ClockJump,
];
/// A planted bug is found within so many seeds.
const PLANTED_SEEDS: u64 = 6;
/// The same where a clock has to jump far ahead while the records of a topic can get old: one seed in thirteen.
const PLANTED_SEEDS_RARE: u64 = 40;
/// A process that has done nothing for so long hangs.
const STUCK_AFTER: Duration = Duration::from_secs(120);
/// How long nobody writes when a life ends calmly; longer than the longest long poll.
const CALM: Duration = Duration::from_secs(12);

/// One seed's run.
struct Run<'a> {
    world: &'a World,
    host: Host,
    image: SharedImage,
    model: Rc<RefCell<Model>>,
    producers: Vec<Rc<Producer>>,
    ending: Ending,
    shard_count: u16,
    /// Starts since the last process that served.
    tries: u32,
    /// The disk was to fail in the last start, which may show only later.
    troubled: bool,
    tally: Tally,
    crash_images: FxHashSet<u64>,
}

impl Run<'_> {
    fn choice(&self, of: u64) -> u64 {
        self.world.random() % of
    }

    /// Ends the process at once; `Cut` if what was only accepted may be gone.
    fn crash(&mut self, power: bool) {
        if power {
            self.host.power_loss();
            self.ending = Ending::Cut;
        } else {
            self.host.kill();
        }
        self.crash_images.insert(self.host.disk_image().hash());
        self.host.faults().clear();
        self.host.set_disk_capacity(u64::MAX);
    }

    /// Starts a process, through starts that fail and starts that are cut short.
    fn start(&mut self) -> Process {
        let before = self.shard_count;
        self.shard_count = [1, 2, 2, 2, 3, 4][self.choice(6) as usize];
        self.tally.count("fewer shards than before", u64::from(self.shard_count < before));
        self.tally.count("more shards than before", u64::from(self.shard_count > before));
        loop {
            self.tries += 1;
            let trouble = self.choice(10);
            self.troubled = trouble < 3;
            match trouble {
                0 => self.host.faults().strike_after(Fault::WriteError, self.choice(60)),
                1 => self.host.faults().strike_after(Fault::SyncError, self.choice(20)),
                2 => self.host.faults().strike_after(Fault::ReadError, self.choice(60)),
                _ => {}
            }
            let limit = if trouble == 3 { self.choice(20_000) } else { 3_600_000_000 };
            let timer = self.host.runtime();
            let (image, count) = (self.image.clone(), self.shard_count);
            let starting = Process::start(&self.host, image, count);
            let started =
                self.world.run_until(timeout(&timer, Duration::from_micros(limit), starting));
            match started {
                Some(Ok(process)) => {
                    self.host.faults().clear();
                    if process.control.failure().is_none() {
                        return process;
                    }
                    self.tally.count("start failed late", 1);
                }
                Some(Err(reason)) => {
                    assert!(trouble < 3, "a well disk does not start: {reason}");
                    self.tally.count("start failed", 1);
                }
                None => {
                    assert_eq!(trouble, 3, "a start hangs");
                    self.tally.count("start cut short", 1);
                }
            }
            let power = self.choice(2) == 0;
            self.crash(power);
        }
    }

    /// Checks what a start has found against what was promised.
    fn verify(&mut self, life: &Life) {
        let process = &life.process;
        let recovered = &process.recovered;
        let (report, scan) = (&recovered.report, &recovered.scan);
        for (what, count) in [
            ("clean start", u64::from(recovered.clean)),
            ("recovered start", u64::from(!recovered.clean)),
            ("entries applied", report.applied),
            ("entries covered", report.covered),
            ("entries of deleted logs", report.ownerless),
            ("segments written by recovery", report.segments),
            ("deletions completed by recovery", report.deleted),
            ("batches past the journal", report.bypassed),
            ("batches read back", report.read_back),
            ("batches that had not arrived", report.not_arrived),
            ("orphans", recovered.leftovers.topics.len() as u64),
            ("torn journals", u64::from(scan.torn)),
            ("frames cut", scan.cut_frames),
            ("stale frames", scan.stale_frames),
        ] {
            self.tally.count(what, count);
        }
        let clean = self.ending == Ending::Clean && self.tries == 1;
        assert!(!clean || recovered.clean, "a clean stop is not clean");
        self.tries = 0;
        {
            let (mut model, image) = (self.model.borrow_mut(), self.image.borrow());
            clients::adopt(&mut model, &image);
            model.settle(|log| image.partition(&log).is_some());
        }
        let logs = clients::live(&self.model.borrow());
        for log in logs {
            let shard = &process.shards[self.choice(process.shards.len() as u64) as usize];
            let (start, end) = self.world.run_until(clients::read_whole(life, shard, log));
            let epoch = shard.image().partition(&log).expect("it is there").leader_epoch.0;
            self.model.borrow_mut().survived(log, start, end, epoch, self.ending);
        }
        for producer in &self.producers {
            producer.start_over(&self.model.borrow());
        }
        let cleaned = || async {
            while process.leftovers_removed.get().is_none() {
                process.runtime.sleep(Duration::from_millis(1)).await;
            }
            process.topics_on_disk().await
        };
        let left = self.world.run_until(cleaned()).expect("a well disk lists");
        let removed = process.leftovers_removed.get().unwrap_or_default();
        self.tally.count("files of old segments left", removed);
        self.check_segments(process);
        let image = self.image.borrow();
        for id in left.iter().filter_map(|name| TopicId::parse(name)) {
            assert!(image.topic(id).is_some(), "topic {id} is deleted and has files");
        }
    }

    /// Nobody has asked for anything yet, so of the segments below a log's start only the one is
    /// there that it begins in.
    fn check_segments(&self, process: &Process) {
        for log in clients::live(&self.model.borrow()) {
            let start = self.model.borrow().partitions[&log].start.1;
            let names = self.world.run_until(process.files_of(log));
            let bases = names.iter().filter_map(|name| parse_segment_name(name));
            let right = bases.filter(|base| base.0 <= start).count() <= 1
                && !names.iter().any(|name| is_deleted_name(name));
            assert!(right, "{log} starts at {start} and has {names:?}");
        }
    }

    /// One process from its start to its end.
    fn live(&mut self, operations: u64) {
        let began = self.world.now();
        let process = self.start();
        // No clock jumps while a process starts.
        let passed = self.world.now().saturating_since(began).as_millis() as i64;
        let began = (began, process.runtime.wall_clock_ms() - passed);
        let life = Rc::new(Life {
            process,
            model: self.model.clone(),
            tampered: Cell::new(self.troubled),
            over: Cell::new(false),
            calm: Cell::new(false),
            expired: Cell::new(0),
        });
        self.model.borrow_mut().latest_ms = {
            // The start may have looked for old segments by this time, too.
            let latest_ms = self.model.borrow().latest_ms;
            latest_ms.max(life.process.runtime.wall_clock_ms())
        };
        self.verify(&life);
        if number_of("KLAMM_SEED").is_some() {
            println!("{:?}: {:?}, then {} shards", self.world.now(), self.ending, self.shard_count);
        }
        self.ending = Ending::Killed;
        let shards = &life.process.shards;
        while self.image.borrow().topic_count() < 3 {
            let name = format!("topic-{}", self.image.borrow().topic_count() + 5);
            let (shard, life) = (&shards[0], &life);
            self.world.run_until(clients::create_topic(life, shard, name));
        }
        for (index, producer) in self.producers.iter().enumerate() {
            let shard = shards[(index + self.choice(2) as usize) % shards.len()].clone();
            let task = clients::produce(life.clone(), producer.clone(), shard.clone());
            shard.runtime().spawn(Lane::Hot, task);
        }
        for index in 0..3 {
            let shard = shards[index % shards.len()].clone();
            shard.runtime().spawn(Lane::Hot, clients::consume(life.clone(), shard.clone()));
        }
        let shard = shards[self.choice(shards.len() as u64) as usize].clone();
        shard.runtime().spawn(Lane::Hot, clients::operate(life.clone(), shard.clone()));
        self.set_fault(&life);
        self.serve(&life, began, operations);
        self.end(&life);
    }

    /// Sets at most one fault that fails the disk, and perhaps slows it.
    fn set_fault(&self, life: &Life) {
        let faults = self.host.faults();
        let room = self.host.disk_bytes_used() + self.choice(MIB as u64 / 2);
        match self.choice(8) {
            0 => faults.strike_after(Fault::WriteError, self.choice(1500)),
            1 => faults.strike_after(Fault::SyncError, self.choice(20)),
            2 => self.host.set_disk_capacity(room),
            _ => {
                faults.set_chance(Fault::SlowDisk, [0.0, 0.01][self.choice(2) as usize]);
                return faults.set_chance(Fault::ShortWrite, 0.001);
            }
        }
        life.tampered.set(true);
    }

    /// Lets clients work while clocks jump and cores stand still.
    fn serve(&mut self, life: &Rc<Life>, began: (Monotonic, i64), operations: u64) {
        let target = self.model.borrow().operations + operations;
        let mut last = (self.world.now(), 0);
        let jump_at = target - self.choice(operations);
        let mut pause_at = target - self.choice(operations);
        let mut jumped = false;
        // Reading everything after the start has taken its time.
        self.note_latest(began);
        loop {
            self.world.run_for(Duration::from_micros(50 + self.choice(1000)));
            let done = self.model.borrow().operations;
            if done >= target || life.process.control.failure().is_some() {
                break;
            }
            if done != last.1 {
                last = (self.world.now(), done);
            }
            self.note_latest(began);
            let idle = self.world.now().saturating_since(last.0);
            assert!(idle < STUCK_AFTER, "nothing happens any more after {done} operations");
            if done >= jump_at && !jumped {
                jumped = true;
                let by = [5, 60_000, 3_600_000, 315_360_000_000][self.choice(4) as usize];
                let sign = if self.choice(2) == 0 { 1 } else { -1 };
                self.world.jump_wall_clock_ms(sign * by);
            }
            if done >= pause_at {
                pause_at = u64::MAX;
                // The control node's executor is the second: the first is the start's timer.
                let shard = 2 + self.choice(u64::from(self.shard_count)) as usize;
                self.host.set_executor_paused(shard, true);
                self.pass(began, Duration::from_millis(self.choice(50)));
                self.host.set_executor_paused(shard, false);
            }
        }
        if self.choice(6) == 0 {
            self.calm(life, began);
        }
    }

    /// Nobody writes for longer than any fetch waits: whoever was not told of the last records ends
    /// its wait now, and is late.
    fn calm(&self, life: &Life, began: (Monotonic, i64)) {
        life.calm.set(true);
        self.pass(began, CALM);
        life.calm.set(false);
    }

    /// Lets time pass in steps that are short enough for what retention may do in them.
    fn pass(&self, began: (Monotonic, i64), span: Duration) {
        let until = self.world.now() + span;
        while self.world.now() < until {
            self.world.run_for(Duration::from_millis(5));
            self.note_latest(began);
        }
    }

    /// Retention follows a clock that has jumped as fast as time passes, and no faster.
    fn note_latest(&self, began: (Monotonic, i64)) {
        let passed = self.world.now().saturating_since(began.0).as_millis() as i64;
        self.model.borrow_mut().latest_ms = began.1 + 2 * passed + 20;
    }

    fn end(&mut self, life: &Rc<Life>) {
        let failed = life.process.control.failure().is_some();
        self.tally.count("disk failed", u64::from(failed));
        self.tally.count("segments expired", life.expired.get());
        if life.tampered.get() {
            self.ending = Ending::Cut;
        }
        match self.choice(4) {
            0 => {
                life.over.set(true);
                let timer = life.process.runtime.clone();
                let stopping = timeout(&timer, Duration::from_secs(25), life.process.stop());
                let clean = self.world.run_until(stopping).expect("a stop hangs");
                let failure = life.process.control.failure();
                assert!(clean || life.tampered.get(), "a well disk does not stop: {failure:?}");
                self.tally.count("clean stop", u64::from(clean));
                if clean {
                    self.ending = Ending::Clean;
                }
                let power = self.choice(2) == 0;
                if power && clean {
                    // Whatever the power does now, everything is on disk.
                    self.crash(true);
                    self.ending = Ending::Clean;
                } else {
                    self.crash(power);
                }
            }
            1 => {
                // Cut short while it stops.
                life.over.set(true);
                let timer = life.process.runtime.clone();
                let limit = Duration::from_micros(self.choice(20_000));
                self.world.run_until(timeout(&timer, limit, life.process.stop()));
                self.tally.count("stop cut short", 1);
                let power = self.choice(2) == 0;
                self.crash(power);
            }
            2 => self.crash(false),
            _ => self.crash(true),
        }
    }
}

/// Runs one seed; gives the trace's hash and what happened.
fn run(seed: u64) -> (u64, Tally) {
    let options = SimOptions { arena_bytes: 2 * MIB, ..SimOptions::default() };
    run_in(&World::new(seed, options))
}

fn run_in(world: &World) -> (u64, Tally) {
    let mut run = Run {
        world,
        host: world.host(),
        image: Rc::new(RefCell::new(image_of_brokers(1))),
        model: Rc::default(),
        producers: (0..4).map(|index| Producer::new(index, index > 0)).collect(),
        ending: Ending::Clean,
        shard_count: 2,
        tries: 0,
        troubled: false,
        tally: Tally::default(),
        crash_images: FxHashSet::default(),
    };
    let mut lives = 0;
    while run.model.borrow().operations < OPERATIONS || lives < 7 {
        let operations = 400 + run.choice(2200);
        run.live(operations);
        lives += 1;
    }
    // The last end is verified, too.
    run.live(1);
    let Run { model, mut tally, crash_images, .. } = run;
    let model = model.borrow();
    let Seen { acknowledged, duplicates, batches_read, .. } = model.seen;
    for (what, count) in [
        ("lives", lives),
        ("operations", model.operations),
        ("acknowledged", acknowledged),
        ("retries recognized", duplicates),
        ("batches read", batches_read),
        ("batches cut", model.seen.cut_batches),
        ("readable ends cut", model.seen.cut_readable),
        ("epochs raised", model.seen.epochs_raised),
        ("starts moved", model.seen.starts_moved),
        ("starts expired", model.seen.starts_expired),
        ("crash images", crash_images.len() as u64),
    ] {
        tally.count(what, count);
    }
    tally.take_faults(world);
    (world.trace_hash(), tally)
}

fn number_of(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// Runs seeds on two threads, each in a world of its own.
fn run_all(seeds: std::ops::Range<u64>) -> Tally {
    let shares = std::thread::scope(|scope| {
        let seeds = &seeds;
        let threads: Vec<_> = (0..2)
            .map(|part| {
                scope.spawn(move || {
                    let mut share = Tally::default();
                    for seed in seeds.clone().skip(part).step_by(2) {
                        let outcome = std::panic::catch_unwind(|| run(seed));
                        let Ok((_, tally)) = outcome else {
                            panic!("seed {seed} fails: KLAMM_SEED={seed} replays it");
                        };
                        check_one(seed, &tally);
                        share.add(&tally);
                    }
                    share
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("no seed fails")).collect::<Vec<_>>()
    });
    let mut sum = Tally::default();
    shares.iter().for_each(|share| sum.add(share));
    sum
}

fn check_one(seed: u64, tally: &Tally) {
    let operations = tally.counts["operations"];
    assert!(operations >= OPERATIONS, "seed {seed}: {operations} operations");
    assert!(tally.grave() >= FAULTS, "seed {seed}: {} faults", tally.grave());
}

/// Runs one seed and shows the end of its trace, and what happened or failed.
fn replay(seed: u64) {
    let options =
        SimOptions { arena_bytes: 2 * MIB, readable_trace: true, ..SimOptions::default() };
    let world = World::new(seed, options);
    let outcome = std::panic::catch_unwind(AssertUnwindSafe(|| run_in(&world)));
    let lines = number_of("KLAMM_TRACE").unwrap_or(200) as usize;
    let trace = world.trace();
    trace.iter().skip(trace.len().saturating_sub(lines)).for_each(|line| println!("{line}"));
    match outcome {
        Ok((_, tally)) => println!("{tally:#?}"),
        Err(_) => panic!("seed {seed} fails"),
    }
}

/// Whether one of so many seeds finds a planted bug.
fn is_found(bug: Planted, seeds: u64) -> bool {
    let fails = |seed| std::panic::catch_unwind(|| run(seed)).is_err();
    with_planted(bug, || (0..seeds).any(fails))
}

#[test]
fn planted_bugs_are_found() {
    for bug in [
        Planted::AcknowledgeBeforeCommit,
        Planted::ReadBeforeCommit,
        Planted::ForgetProducers,
        Planted::OvertakeForwarded,
        Planted::SleepThroughNews,
        Planted::KeepEpoch,
        Planted::AcknowledgeBeforeSync,
        Planted::SkipDirectorySync,
    ] {
        assert!(is_found(bug, PLANTED_SEEDS), "{bug:?} is not found");
    }
    let rare = Planted::TrustTheClock;
    assert!(is_found(rare, PLANTED_SEEDS_RARE), "{rare:?} is not found");
}

#[test]
fn a_same_seed_has_the_same_trace() {
    let (first, tally) = run(1);
    assert_eq!(run(1), (first, tally));
    assert_ne!(run(2).0, first);
}

#[test]
fn acknowledged_records_survive_whatever_happens() {
    if let Some(seed) = number_of("KLAMM_SEED") {
        replay(seed);
        return;
    }
    let seeds = number_of("KLAMM_SEEDS").unwrap_or(SEEDS);
    let tally = run_all(0..seeds);
    println!("{tally:#?}");
    for (what, count) in &tally.counts {
        assert!(*count > 0, "it never happened: {what}");
    }
    for fault in FAULTS_WANTED {
        assert!(tally.faults[fault as usize] > 0, "{fault:?} never happened");
    }
}
