//! A thread of load: many connections, one epoll, every record sent when it is due.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use anyhow::Result;

use crate::chance::Chance;
use crate::clock::{Clock, Nanos};
use crate::keys::Chooser;
use crate::links::{self, Links, command, cut, cut_if_due};
use crate::measure::{Ended, Message, Meter, Window};
use crate::payload::Payload;
use crate::poller::{Poller, Ready};
use crate::producer::{Producer, ProducerPlan};
use crate::reading::{ConsumerPlan, Reading, reading};
use crate::schedule::{Arrival, Schedule};

/// The control pipe among the sockets.
const CONTROL: u64 = u64::MAX;

/// When a producer sends.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// How arrivals follow each other.
    pub arrival: Arrival,
    /// Records a second of all producers together; `None` is closed loop.
    pub rate: Option<f64>,
    /// Its place among all producers, and how many they are.
    pub place: (usize, usize),
    /// The most that it sends.
    pub count_max: u64,
}

/// What a thread is to do.
pub struct WorkerPlan {
    /// The run's clock.
    pub clock: Clock,
    /// Pinned to this CPU.
    pub cpu: Option<usize>,
    /// Never sleeps.
    pub spins: bool,
    /// Its producers.
    pub producers: Vec<(ProducerPlan, Pace, Chooser)>,
    /// Its consumers.
    pub consumers: Vec<ConsumerPlan>,
    /// Of everything random.
    pub seed: u64,
    /// Of the values.
    pub compressibility: f64,
}

enum Actor {
    Producer(Box<Producer>),
    Consumer(Box<dyn Reading>),
}

struct Worker {
    clock: Clock,
    spins: bool,
    window: Window,
    poller: Poller,
    actors: Vec<Actor>,
    is_done: Vec<bool>,
    left: usize,
    producers_left: usize,
    told_producers_done: bool,
    timers: BinaryHeap<Reverse<(Nanos, usize)>>,
    armed: Vec<Option<Nanos>>,
    payload: Payload,
    meter: Meter,
    waited: Nanos,
    never_acknowledged: u64,
    out: SyncSender<Message>,
    control: UnixStream,
}

/// Runs a thread from the first connection to its last message.
pub fn run(plan: WorkerPlan, links: Links) {
    if let Some(cpu) = plan.cpu {
        pin(cpu);
    }
    links::run(links, |links| work(plan, links));
}

fn pin(cpu: usize) {
    let mut cpus = rustix::thread::CpuSet::new();
    cpus.set(cpu);
    // The arguments were checked against the CPUs of the process.
    let _ = rustix::thread::sched_setaffinity(None, &cpus);
}

fn work(plan: WorkerPlan, links: Links) -> Result<Ended> {
    let poller = Poller::new()?;
    let connected = connect(&plan, &poller);
    let Some(((mut producers, consumers), window)) = links.begin(connected)? else {
        return Ok(Ended::default());
    };
    for ((producer, chance), (_, pace, _)) in producers.iter_mut().zip(&plan.producers) {
        producer.set_schedule(schedule(pace, window, chance));
    }
    poller.add(links.control.as_fd(), CONTROL)?;
    let producers_left = producers.len();
    let actors: Vec<Actor> = producers
        .into_iter()
        .map(|(producer, _)| Actor::Producer(Box::new(producer)))
        .chain(consumers.into_iter().map(Actor::Consumer))
        .collect();
    let worker = Worker {
        clock: plan.clock,
        spins: plan.spins,
        window,
        poller,
        is_done: vec![false; actors.len()],
        left: actors.len(),
        producers_left,
        told_producers_done: false,
        timers: BinaryHeap::new(),
        armed: vec![None; actors.len()],
        actors,
        payload: Payload::new(plan.seed, plan.compressibility),
        meter: Meter::new(window),
        waited: 0,
        never_acknowledged: 0,
        out: links.out,
        control: links.control,
    };
    worker.run()
}

/// The intended send times of a pace.
pub fn schedule(pace: &Pace, window: Window, chance: &mut Chance) -> Schedule {
    match pace.rate {
        Some(rate) => {
            let span = (window.begin, window.until);
            Schedule::open(pace.arrival, rate, pace.place, span, pace.count_max, chance)
        }
        None => Schedule::closed(window.until, pace.count_max),
    }
}

type Connected = (Vec<(Producer, Chance)>, Vec<Box<dyn Reading>>);

fn connect(plan: &WorkerPlan, poller: &Poller) -> Result<Connected> {
    let mut producers = Vec::new();
    let mut consumers = Vec::new();
    let mut token = 0;
    for (producer, pace, chooser) in &plan.producers {
        let seed = plan.seed.wrapping_add(pace.place.0 as u64);
        let mut one = Producer::new(producer.clone(), chooser.clone(), Chance::new(seed));
        poller.add(one.connect()?, token)?;
        producers.push((one, Chance::new(!seed)));
        token += 1;
    }
    for consumer in &plan.consumers {
        let mut one = reading(consumer.clone());
        poller.add(one.connect()?, token)?;
        consumers.push(one);
        token += 1;
    }
    Ok((producers, consumers))
}

impl Worker {
    fn run(mut self) -> Result<Ended> {
        let Window { begin, until, patience, .. } = self.window;
        let mut next_cut = self.window.first_cut();
        let deadline = until.saturating_add(patience);
        let mut window_is_over = false;
        for token in 0..self.actors.len() {
            if matches!(self.actors[token], Actor::Consumer(_)) {
                self.advance(token);
            } else {
                self.arm(token, Some(begin));
            }
        }
        while self.left > 0 {
            let now = self.clock.now();
            self.fire_timers(now);
            cut_if_due(&self.out, &mut self.meter, &mut next_cut, now);
            if now >= until && !window_is_over {
                window_is_over = true;
                self.end_consumers();
            }
            if now >= deadline {
                self.give_up(now);
            }
            self.tell_producers_done();
            if self.left == 0 {
                break;
            }
            let timer = self.timers.peek().map_or(u64::MAX, |Reverse((time, _))| *time);
            let wake = timer.min(next_cut).min(if window_is_over { deadline } else { until });
            self.wait(wake)?;
        }
        self.tell_producers_done();
        cut(&self.out, &mut self.meter, self.clock.now());
        Ok(self.ended())
    }

    fn fire_timers(&mut self, now: Nanos) {
        while let Some(Reverse((time, token))) = self.timers.peek().copied()
            && time <= now
        {
            self.timers.pop();
            if self.armed[token] == Some(time) {
                self.armed[token] = None;
                self.advance(token);
            }
        }
    }

    fn wait(&mut self, wake: Nanos) -> Result<()> {
        let before = self.clock.now();
        let timeout = if self.spins { 0 } else { wake.saturating_sub(before) };
        self.poller.wait(Some(Duration::from_nanos(timeout)))?;
        let after = self.clock.now();
        self.waited += self.window.part_of(before, after);
        let ready: Vec<Ready> = self.poller.ready().collect();
        for one in ready {
            if one.token == CONTROL {
                self.obey();
            } else {
                self.handle(one);
            }
        }
        Ok(())
    }

    fn obey(&mut self) {
        let mut commands = [0; 16];
        let count = self.control.read(&mut commands).unwrap_or(0);
        let now = self.clock.now();
        for command in &commands[..count] {
            for token in 0..self.actors.len() {
                match (&mut self.actors[token], *command) {
                    (Actor::Producer(producer), command::STOP) => producer.end_at(now),
                    (Actor::Consumer(consumer), command::STOP) => consumer.end(),
                    // Who waits for the window's sake is never done before.
                    (Actor::Consumer(consumer), command::CATCH_UP)
                        if !consumer.standing().plan.ends_with_window =>
                    {
                        consumer.stop_when_caught_up(now);
                    }
                    _ => continue,
                }
                self.advance(token);
            }
        }
    }

    fn arm(&mut self, token: usize, time: Option<Nanos>) {
        if self.armed[token] != time {
            self.armed[token] = time;
            if let Some(time) = time {
                self.timers.push(Reverse((time, token)));
            }
        }
    }

    fn handle(&mut self, ready: Ready) {
        let token = ready.token as usize;
        let (clock, meter) = (self.clock, &mut self.meter);
        let result = match &mut self.actors[token] {
            Actor::Producer(producer) => {
                let flushed = if ready.writable { producer.flush() } else { Ok(()) };
                flushed.and_then(|()| {
                    if ready.readable { producer.receive(clock, meter) } else { Ok(()) }
                })
            }
            Actor::Consumer(consumer) => {
                let flushed = if ready.writable { consumer.flush() } else { Ok(()) };
                flushed.and_then(|()| {
                    if ready.readable { consumer.receive(clock, meter) } else { Ok(()) }
                })
            }
        };
        if let Err(error) = result {
            self.broke(token, &error);
        }
        self.advance(token);
    }

    fn broke(&mut self, token: usize, error: &anyhow::Error) {
        match &mut self.actors[token] {
            Actor::Producer(producer) => producer.broke(error, self.clock.now(), &mut self.meter),
            Actor::Consumer(consumer) => consumer.broke(error),
        }
    }

    fn advance(&mut self, token: usize) {
        let now = self.clock.now();
        if let Actor::Producer(producer) = &mut self.actors[token]
            && let Some(socket) = producer.reconnect(now)
        {
            self.meter.counts.connects += 1;
            if let Err(error) = self.poller.add(socket, token as u64) {
                self.broke(token, &error);
            }
        }
        let result = match &mut self.actors[token] {
            Actor::Producer(producer) => {
                producer.advance(self.clock, &mut self.payload, &mut self.meter)
            }
            Actor::Consumer(consumer) => consumer.advance(self.clock).map(|()| None),
        };
        match result {
            Ok(next) => self.arm(token, next),
            Err(error) => {
                self.broke(token, &error);
                self.arm(token, Some(self.clock.now() + 1_000_000));
            }
        }
        self.notice_end(token);
    }

    fn notice_end(&mut self, token: usize) {
        let is_producer = matches!(self.actors[token], Actor::Producer(_));
        let is_done = match &self.actors[token] {
            Actor::Producer(producer) => producer.is_done(self.clock.now()),
            Actor::Consumer(consumer) => consumer.is_done(),
        };
        if is_done && !self.is_done[token] {
            self.is_done[token] = true;
            self.left -= 1;
            self.producers_left -= usize::from(is_producer);
        }
    }

    fn tell_producers_done(&mut self) {
        if self.producers_left == 0 && !self.told_producers_done {
            self.told_producers_done = true;
            // The main thread always takes messages while a thread runs.
            let _ = self.out.send(Message::ProducersDone);
        }
    }

    /// Those that read for the window's sake alone.
    fn end_consumers(&mut self) {
        for token in 0..self.actors.len() {
            if let Actor::Consumer(consumer) = &mut self.actors[token] {
                consumer.end();
                self.notice_end(token);
            }
        }
    }

    /// The rest of what was due counts as waiting until now, and what is open as failed.
    fn give_up(&mut self, now: Nanos) {
        for token in 0..self.actors.len() {
            if self.is_done[token] {
                continue;
            }
            match &mut self.actors[token] {
                Actor::Producer(producer) => {
                    let patience = self.window.patience;
                    let count = producer.give_up(now, patience, &mut self.meter);
                    self.never_acknowledged += count;
                }
                Actor::Consumer(consumer) => consumer.give_up(),
            }
            self.notice_end(token);
        }
    }

    fn ended(self) -> Ended {
        let mut ended = Ended {
            never_acknowledged: self.never_acknowledged,
            busy: self.window.busy(self.waited, self.clock.now()),
            ..Ended::default()
        };
        for actor in self.actors {
            match actor {
                Actor::Producer(mut producer) => {
                    ended.sent.extend(producer.account());
                    ended.failures.append(&mut producer.failures);
                }
                Actor::Consumer(consumer) => {
                    let (copy, checker, failure) = consumer.into_standing().account();
                    ended.failures.extend(failure);
                    ended.checkers.push((copy, checker));
                }
            }
        }
        ended
    }
}
