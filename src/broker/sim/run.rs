//! One seed: processes of a broker one after the other, under clients that outlive them.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use rustc_hash::FxHashSet;

use super::admin::Admin;
use super::consumer::Consumer;
use super::greeter;
use super::groups::{GROUPS, MEMBERS, Member, Operator};
use super::lookups::Asker;
use super::model::Ending;
use super::process::{Found, Process, Setup};
use super::producer::Producer;
use super::site::Site;
use super::tally::Tally;
use super::verify;
use crate::broker::control;
use crate::model::LogId;
use crate::model::units::MIB;
use crate::runtime::sim::{Fault, Host, SimOptions, World};
use crate::runtime::sync::timeout;
use crate::runtime::{Lane, Runtime};

/// Operations of one seed, at the least: each partition of an answer is one.
pub const OPERATIONS: u64 = 10_000;
/// Lives of one seed, at the least.
const LIVES: u64 = 7;
/// A cluster in which nothing has been done for so long hangs.
const STUCK_AFTER: Duration = Duration::from_secs(120);
/// A client that has got no answer while others did so many operations hangs, if nothing disturbs
/// them.
const STUCK_OPERATIONS: u64 = 30_000;
/// A group that does not come to its end after so long never will, if nothing disturbs it.
const GROUPS_WITHIN: Duration = Duration::from_secs(3);
/// `offsets.retention.minutes`, which is Kafka's.
const RETENTION_MS: i64 = 7 * 24 * 3_600_000;
/// A start that takes longer hangs.
const START_WITHIN: Duration = Duration::from_secs(120);
/// A stop that takes longer hangs.
const STOP_WITHIN: Duration = Duration::from_secs(40);

/// What of a run is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Telling {
    /// What clients do and see.
    pub clients: bool,
    /// Every event of the machine.
    pub machine: bool,
}

/// The clients, and the hosts that they run on.
struct Clients {
    /// Of those that stand still while a start is verified.
    host: Host,
    /// Of those that do not.
    others: Host,
    /// How many executors the first host has.
    executors: u64,
    producers: Vec<Rc<Producer>>,
    admin: Rc<Admin>,
}

impl Clients {
    /// Starts every client.
    fn start(world: &World, site: &Rc<Site>) -> Clients {
        let (host, others) = (world.host(), world.host());
        let cores: Vec<Runtime> = (0..3).map(|_| host.runtime()).collect();
        let core = |index: usize| cores[index % cores.len()].clone();
        let producers: Vec<Rc<Producer>> =
            (0..4).map(|index| Producer::new(site, core(index), index, index > 0)).collect();
        for (index, producer) in producers.iter().enumerate() {
            core(index).spawn(Lane::Hot, producer.clone().run());
        }
        for index in 0..3 {
            core(index).spawn(Lane::Hot, Consumer::new(site, core(index), index).run());
        }
        let admin = Admin::new(site, core(0));
        core(0).spawn(Lane::Hot, admin.clone().run());
        core(1).spawn(Lane::Hot, Asker::new(site, core(1)).run());
        for index in 0..MEMBERS.len() {
            core(index).spawn(Lane::Hot, Member::new(site, core(index), index).run());
        }
        core(2).spawn(Lane::Hot, Operator::new(site, core(2)).run());
        let greeter = others.runtime();
        greeter.spawn(Lane::Hot, greeter::greet(site.clone(), greeter.clone()));
        Clients { host, others, executors: cores.len() as u64, producers, admin }
    }
}

/// One seed's run.
struct Run<'a> {
    world: &'a World,
    host: Host,
    site: Rc<Site>,
    clients: Clients,
    /// The observer's own time.
    timer: Runtime,
    ending: Ending,
    shard_count: u16,
    /// Starts since the last process that served.
    tries: u32,
    crash_images: FxHashSet<u64>,
}

impl Run<'_> {
    fn choice(&self, of: u64) -> u64 {
        self.world.random() % of
    }

    fn count(&self, what: &'static str, by: u64) {
        self.site.tally.borrow_mut().count(what, by);
    }

    /// Ends the process at once; `Cut` if what was only accepted may be gone.
    fn crash(&mut self, power: bool) {
        self.site.tell(|| format!("broker: {}", if power { "power loss" } else { "kill -9" }));
        if power {
            self.host.power_loss();
            self.ending = Ending::Cut;
        } else {
            self.host.kill();
        }
        self.site.lives_ended.set(self.site.lives_ended.get() + 1);
        self.site.names_in_use.set(false);
        self.site.groups.borrow_mut().ended();
        self.crash_images.insert(self.host.disk_image().hash());
        self.host.faults().clear();
        self.host.set_disk_capacity(u64::MAX);
        self.world.set_slow_network(0.0);
    }

    /// Starts a process, through starts that fail and starts that are cut short.
    fn start(&mut self) -> (Rc<Process>, Found) {
        let before = self.shard_count;
        self.shard_count = [1, 2, 2, 2, 3, 4][self.choice(6) as usize];
        self.count("fewer shards than before", u64::from(self.shard_count < before));
        self.count("more shards than before", u64::from(self.shard_count > before));
        loop {
            self.tries += 1;
            let trouble = self.choice(10);
            let tampered = trouble < 3;
            self.site.tampered.set(tampered);
            self.site.stopping.set(false);
            match trouble {
                0 => self.host.faults().strike_after(Fault::WriteError, self.choice(60)),
                1 => self.host.faults().strike_after(Fault::SyncError, self.choice(20)),
                2 => self.host.faults().strike_after(Fault::ReadError, self.choice(60)),
                _ => {}
            }
            let short = Duration::from_micros(self.choice(20_000));
            let limit = if trouble == 3 { short } else { START_WITHIN };
            let setup =
                Setup { shard_count: self.shard_count, moves_connections: self.choice(2) == 0 };
            self.site.tell(|| format!("broker: start, {setup:?}"));
            let process = Process::start(&self.host, setup);
            let started = timeout(&self.timer, limit, process.ready());
            match self.world.run_until(started) {
                Some(Ok(found)) => {
                    if tampered {
                        // Time for a fault to strike who serves already.
                        self.world.run_for(Duration::from_micros(self.choice(400)));
                    }
                    self.host.faults().clear();
                    self.count("connections may move", u64::from(setup.moves_connections));
                    return (process, found);
                }
                Some(Err(reason)) => {
                    self.site.tell(|| format!("broker: does not start: {reason}"));
                    assert!(tampered, "a well disk does not start: {reason}");
                    self.count("start failed", 1);
                }
                None => {
                    assert_eq!(trouble, 3, "a start hangs");
                    self.count("start cut short", 1);
                }
            }
            let power = self.choice(2) == 0;
            self.crash(power);
        }
    }

    /// Checks what a start has found against what was promised; false if its disk has failed.
    fn verify(&mut self, process: &Process, found: &Found) -> bool {
        let Found { clean, report, scan, orphans } = found;
        for (what, count) in [
            ("clean start", u64::from(*clean)),
            ("recovered start", u64::from(!clean)),
            ("entries applied", report.applied),
            ("entries covered", report.covered),
            ("entries of deleted logs", report.ownerless),
            ("segments written by recovery", report.segments),
            ("deletions completed by recovery", report.deleted),
            ("batches past the journal", report.bypassed),
            ("batches read back", report.read_back),
            ("batches that had not arrived", report.not_arrived),
            ("orphans", *orphans as u64),
            ("torn journals", u64::from(scan.torn)),
            ("frames cut", scan.cut_frames),
            ("stale frames", scan.stale_frames),
        ] {
            self.count(what, count);
        }
        let clean_before = self.ending == Ending::Clean && self.tries == 1;
        assert!(!clean_before || *clean, "a clean stop is not clean");
        let verifier = self.clients.others.runtime();
        let checked = self.world.run_until(verify::verify(&self.site, &verifier, self.ending));
        let Ok(topics) = checked else {
            assert!(self.site.tampered.get(), "the broker does not answer: {checked:?}");
            self.count("start failed late", 1);
            return false;
        };
        self.tries = 0;
        let model = self.site.model.borrow();
        for producer in &self.clients.producers {
            producer.start_over(&model);
        }
        drop(model);
        self.clients.admin.start_over();
        if !self.site.tampered.get() {
            self.world.run_until(verify::check_disk(&verifier, process, &topics));
        }
        true
    }

    /// One process from its start to its end.
    fn live(&mut self, operations: u64) {
        self.clients.host.hold(true);
        let process = loop {
            let (process, found) = self.start();
            if self.verify(&process, &found) {
                break process;
            }
            let power = self.choice(2) == 0;
            self.crash(power);
        };
        self.ending = Ending::Killed;
        self.clients.host.hold(false);
        self.set_fault();
        self.serve(&process, operations);
        if !self.site.tampered.get() && self.choice(2) == 0 {
            self.calm(&process);
        }
        self.end(&process);
    }

    /// Sets at most one fault that fails the disk, and perhaps slows it and the network.
    fn set_fault(&self) {
        let faults = self.host.faults();
        let room = self.host.disk_bytes_used() + self.choice(MIB as u64 / 2);
        self.world.set_slow_network([0.0, 0.0, 0.002, 0.02][self.choice(4) as usize]);
        match self.choice(8) {
            0 => faults.strike_after(Fault::WriteError, self.choice(1500)),
            1 => faults.strike_after(Fault::SyncError, self.choice(20)),
            2 => self.host.set_disk_capacity(room),
            _ => {
                faults.set_chance(Fault::SlowDisk, [0.0, 0.01][self.choice(2) as usize]);
                return faults.set_chance(Fault::ShortWrite, 0.001);
            }
        }
        self.site.tampered.set(true);
    }

    /// Lets clients work while clocks jump, cores stand still and connections are cut.
    fn serve(&mut self, process: &Process, operations: u64) {
        let done = || self.site.model.borrow().operations;
        let target = done() + operations;
        let mut last = (self.world.now(), 0);
        let mut next_fault = done() + self.choice(operations / 4 + 1);
        while done() < target && !process.has_ended() {
            self.world.run_for(Duration::from_micros(50 + self.choice(1000)));
            if done() != last.1 {
                last = (self.world.now(), done());
            }
            let idle = self.world.now().saturating_since(last.0);
            assert!(idle < STUCK_AFTER, "nothing happens any more after {} operations", last.1);
            if done() >= next_fault {
                next_fault = done() + self.choice(operations / 3 + 1);
                self.disturb();
            }
        }
    }

    /// Something that a broker and its clients have to live with.
    fn disturb(&self) {
        match self.choice(8) {
            0 => {
                let by = [5, 60_000, 3_600_000, 315_360_000_000][self.choice(4) as usize];
                let sign = if self.choice(2) == 0 { 1 } else { -1 };
                self.site.tell(|| format!("the wall clock jumps by {} ms", sign * by));
                self.world.jump_wall_clock_ms(sign * by);
                if sign * by > RETENTION_MS {
                    self.site.groups.borrow_mut().jumped();
                }
            }
            1 => {
                self.site.tell(|| "every connection of the broker is cut".into());
                self.host.cut_connections();
            }
            2..5 => {
                self.site.tell(|| "a connection is cut".into());
                self.world.cut_one_connection();
            }
            5 => {
                let client = self.choice(self.clients.executors) as usize;
                self.pause(&self.clients.host, client, [50, 1_000][self.choice(2) as usize]);
            }
            _ => {
                // The first executor is the control thread's.
                let core = self.choice(u64::from(self.shard_count) + 1) as usize;
                self.pause(&self.host, core, [50, 50, 50, 800][self.choice(4) as usize]);
            }
        }
    }

    /// Once nothing disturbs them, all clients get answers.
    fn calm(&self, process: &Process) {
        self.site.tell(|| "nothing disturbs the broker any more".into());
        self.host.faults().clear();
        self.world.set_slow_network(0.0);
        let mut before = self.site.answers.borrow().clone();
        before.remove(verify::NAME);
        // Members may be silent for longer; what they have to come to is looked at below.
        before.retain(|name, _| GROUPS.iter().all(|plan| !name.starts_with(plan.name)));
        self.site.calm.set(true);
        let ends: BTreeMap<LogId, i64> = {
            let model = self.site.model.borrow();
            model.partitions.iter().map(|(log, found)| (*log, found.acknowledged)).collect()
        };
        let (began, operations) = (self.world.now(), self.site.model.borrow().operations);
        loop {
            self.world.run_for(Duration::from_micros(500));
            assert!(!process.has_ended(), "the broker has ended while its disk is well");
            let answers = self.site.answers.borrow();
            let took = self.world.now().saturating_since(began);
            let Some((stuck, _)) = before.iter().find(|(name, had)| answers[*name] == **had) else {
                drop(answers);
                self.site.rests.set(true);
                let Some((group, why)) = self.unfinished(&ends) else { break };
                assert!(took < GROUPS_WITHIN, "group {group} gets nowhere: {why}");
                continue;
            };
            let more = self.site.model.borrow().operations - operations;
            assert!(took < STUCK_AFTER && more < STUCK_OPERATIONS, "{stuck} gets no answer");
        }
        self.site.calm.set(false);
        self.site.rests.set(false);
        self.count("calm times", 1);
    }

    /// A group that has not read everything up to `ends`, and why.
    fn unfinished(&self, ends: &BTreeMap<LogId, i64>) -> Option<(&'static str, String)> {
        let (groups, model) = (self.site.groups.borrow(), self.site.model.borrow());
        let mut all = GROUPS.iter().enumerate();
        all.find_map(|(place, plan)| Some((plan.name, groups.unfinished(place, ends, &model)?)))
    }

    fn pause(&self, host: &Host, executor: usize, ms_max: u64) {
        let time = Duration::from_millis(self.choice(ms_max));
        self.site.tell(|| format!("a core stands still for {time:?}"));
        host.set_executor_paused(executor, true);
        self.world.run_for(time);
        host.set_executor_paused(executor, false);
    }

    fn end(&mut self, process: &Process) {
        self.count("disk failed", u64::from(process.has_ended()));
        if self.site.tampered.get() {
            self.ending = Ending::Cut;
        }
        match self.choice(4) {
            0 => self.end_in_order(process),
            1 => {
                // Cut short while it stops.
                self.site.tell(|| "broker: is told to stop".into());
                self.site.stopping.set(true);
                let limit = Duration::from_micros(self.choice(20_000));
                drop(self.world.run_until(timeout(&self.timer, limit, process.stop())));
                self.count("stop cut short", 1);
                let power = self.choice(2) == 0;
                self.crash(power);
            }
            2 => self.crash(false),
            _ => self.crash(true),
        }
    }

    fn end_in_order(&mut self, process: &Process) {
        self.site.tell(|| "broker: is told to stop".into());
        self.site.stopping.set(true);
        let stopping = timeout(&self.timer, STOP_WITHIN, process.stop());
        let ended = self.world.run_until(stopping).expect("a stop hangs");
        let clean = ended == Ok(control::Ending::Clean);
        assert!(clean || self.site.tampered.get(), "a well disk does not stop: {ended:?}");
        self.count("clean stop", u64::from(clean));
        let power = self.choice(2) == 0;
        // Whatever the power does after a clean stop, everything is on disk.
        self.crash(power);
        if clean {
            self.ending = Ending::Clean;
        }
    }
}

/// Runs one seed; gives the trace's hash and what happened.
///
/// # Panics
/// When a promise is broken.
pub fn run(seed: u64, telling: Telling) -> (u64, Tally) {
    let options =
        SimOptions { arena_bytes: 2 * MIB, print_trace: telling.machine, ..SimOptions::default() };
    let world = World::new(seed, options);
    let host = world.host();
    let observer = world.host();
    let timer = observer.runtime();
    let site = Site::new(timer.clone(), telling.clients);
    let clients = Clients::start(&world, &site);
    let mut run = Run {
        world: &world,
        host,
        site: site.clone(),
        clients,
        timer,
        ending: Ending::Clean,
        shard_count: 2,
        tries: 0,
        crash_images: FxHashSet::default(),
    };
    let lives = Cell::new(0);
    while site.model.borrow().operations < OPERATIONS || lives.get() < LIVES {
        let operations = 400 + run.choice(2200);
        run.live(operations);
        lives.set(lives.get() + 1);
    }
    // The last end is verified, too.
    run.live(1);
    let crash_images = run.crash_images.len() as u64;
    drop(run);
    let mut tally = site.tally.borrow().clone();
    let model = site.model.borrow();
    for (what, count) in [
        ("lives", lives.get()),
        ("operations", model.operations),
        ("acknowledged", model.seen.acknowledged),
        ("retries recognized", model.seen.duplicates),
        ("batches read", model.seen.batches_read),
        ("batches cut", model.seen.cut_batches),
        ("readable ends cut", model.seen.cut_readable),
        ("leader epochs raised", model.seen.epochs_raised),
        ("crash images", crash_images),
    ] {
        tally.count(what, count);
    }
    tally.take_faults(&world);
    (world.trace_hash(), tally)
}
