//! Producers that are librdkafka's: the same schedule, records and account, with the library that applications use.
//!
//! A record's latency ends when the library's polling thread tells of its delivery. What a request is, when it
//! leaves and how many there are is the library's business, so there is no service time here.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use rdkafka::client::ClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseRecord, Producer as _, ProducerContext, ThreadedProducer};

use crate::chance::Chance;
use crate::clock::{Clock, Nanos};
use crate::keys::Chooser;
use crate::ledger::Sent;
use crate::links::{self, Links, cut, cut_if_due};
use crate::measure::{Ended, Message, Meter, Window};
use crate::payload::{Payload, Stamp};
use crate::producer::{ProducerPlan, add_range, note};
use crate::schedule::Schedule;
use crate::socket::CLIENT_ID;
use crate::worker::{Pace, schedule};

/// Records that a producer may hold (`queue.buffering.max.messages`, the library's default).
const QUEUE_RECORDS_MAX: usize = 100_000;
/// Deliveries that wait for the thread; the library's polling thread waits when there are more.
const DELIVERIES_MAX: usize = 65_536;
/// How often an idle thread looks for commands.
const LOOK_EVERY: Nanos = 50_000_000;

/// What a thread is to do.
pub struct LibraryPlan {
    /// The run's clock.
    pub clock: Clock,
    /// `max.in.flight.requests.per.connection`.
    pub requests_in_flight_max: usize,
    /// Its producers.
    pub producers: Vec<(ProducerPlan, Pace, Chooser)>,
    /// Of everything random.
    pub seed: u64,
    /// Of the values.
    pub compressibility: f64,
}

/// What the polling thread tells.
struct Delivery {
    producer: usize,
    slot: usize,
    at: Nanos,
    result: Result<(), String>,
}

/// What the library calls back into, on a producer's polling thread.
struct Deliverer {
    clock: Clock,
    producer: usize,
    out: SyncSender<Delivery>,
}

impl ClientContext for Deliverer {}

impl ProducerContext for Deliverer {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, slot: usize) {
        let at = self.clock.now();
        let result = result.as_ref().map(drop).map_err(|(error, _)| error.to_string());
        // Nobody listens any more where the run is over.
        let _ = self.out.send(Delivery { producer: self.producer, slot, at, result });
    }
}

/// A record that was given to the library and not delivered yet.
#[derive(Clone, Copy)]
struct Pending {
    place: usize,
    sequence: u64,
    intended: Nanos,
    bytes: u64,
}

struct Author {
    plan: ProducerPlan,
    library: ThreadedProducer<Deliverer>,
    chooser: Chooser,
    chance: Chance,
    schedule: Schedule,
    sent: Vec<Sent>,
    /// By the number that travels with a record.
    pending: Vec<Option<Pending>>,
    free: Vec<usize>,
    in_flight: usize,
    /// Since the connection moved to the next of its own partitions.
    batch_bytes: u64,
    failures: Vec<String>,
}

/// Runs a thread from the first connection to its last message.
pub fn run(plan: LibraryPlan, links: Links) {
    links::run(links, |links| work(plan, links));
}

fn work(plan: LibraryPlan, mut links: Links) -> Result<Ended> {
    let (out, deliveries) = sync_channel(DELIVERIES_MAX);
    let paces: Vec<Pace> = plan.producers.iter().map(|(_, pace, _)| *pace).collect();
    let connected: Result<Vec<Author>> = plan
        .producers
        .into_iter()
        .enumerate()
        .map(|(index, (producer, pace, chooser))| {
            let seed = plan.seed.wrapping_add(pace.place.0 as u64);
            let deliverer = Deliverer { clock: plan.clock, producer: index, out: out.clone() };
            let config = config(&producer, plan.requests_in_flight_max);
            Author::connect(producer, &config, (chooser, Chance::new(seed)), deliverer)
        })
        .collect();
    let Some((mut authors, window)) = links.begin(connected)? else { return Ok(Ended::default()) };
    for (author, pace) in authors.iter_mut().zip(&paces) {
        let mut chance = Chance::new(!plan.seed.wrapping_add(pace.place.0 as u64));
        author.schedule = schedule(pace, window, &mut chance);
    }
    let payload = Payload::new(plan.seed, plan.compressibility);
    let meter = Meter::new(window);
    let mut thread = Thread { clock: plan.clock, window, authors, payload, meter, waited: 0 };
    let mut ended = thread.run(&mut links, &deliveries)?;
    let _ = links.out.send(Message::ProducersDone);
    // First nobody listens, then the producers go: their polling threads never wait for this one.
    drop(deliveries);
    for author in thread.authors {
        ended.failures.extend(author.failures);
        let streams = author.plan.partitions.iter().zip(author.sent);
        let streams = streams.filter(|(_, sent)| sent.count > 0);
        ended
            .sent
            .extend(streams.map(|(partition, sent)| ((author.plan.id, *partition as u32), sent)));
    }
    Ok(ended)
}

struct Thread {
    clock: Clock,
    window: Window,
    authors: Vec<Author>,
    payload: Payload,
    meter: Meter,
    waited: Nanos,
}

impl Thread {
    fn run(&mut self, links: &mut Links, deliveries: &Receiver<Delivery>) -> Result<Ended> {
        let Window { begin, until, patience, .. } = self.window;
        let mut next_cut = self.window.first_cut();
        let deadline = until.saturating_add(patience);
        let mut ended = Ended::default();
        // Nothing is sent before the threads begin together.
        self.clock.sleep_until(begin);
        loop {
            while let Ok(delivery) = deliveries.try_recv() {
                self.take(delivery);
            }
            let now = self.clock.now();
            cut_if_due(&links.out, &mut self.meter, &mut next_cut, now);
            if links.is_told_to_stop() {
                self.authors.iter_mut().for_each(|author| author.schedule.end_at(now));
            }
            let mut next = next_cut.min(deadline).min(now + LOOK_EVERY);
            let mut is_over = true;
            for author in &mut self.authors {
                next = next.min(author.send(self.clock, &mut self.payload, &mut self.meter));
                is_over &= author.in_flight == 0 && author.schedule.next_due(now).is_none();
            }
            if is_over {
                break;
            }
            if now >= deadline {
                ended.never_acknowledged = self.give_up(now);
                break;
            }
            let before = self.clock.now();
            match deliveries.recv_timeout(Duration::from_nanos(next.saturating_sub(before))) {
                Ok(delivery) => self.take(delivery),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Err(anyhow!("no producer is left")),
            }
            self.waited += self.window.part_of(before, self.clock.now());
        }
        let now = self.clock.now();
        cut(&links.out, &mut self.meter, now);
        ended.busy = self.window.busy(self.waited, now);
        Ok(ended)
    }

    fn take(&mut self, delivery: Delivery) {
        if let Some(author) = self.authors.get_mut(delivery.producer) {
            author.take(delivery, &mut self.meter);
        }
    }

    /// What is not delivered, and what was due and never sent: each counts with the time that it has waited.
    fn give_up(&mut self, now: Nanos) -> u64 {
        let mut count = 0;
        for author in &mut self.authors {
            let pending: Vec<Pending> =
                author.pending.iter_mut().filter_map(Option::take).collect();
            for record in pending {
                self.meter.never_acknowledged(now, record.intended);
                author.forget(record);
                count += 1;
            }
            while !author.schedule.is_closed()
                && let Some(due) = author.schedule.next_due(now)
            {
                author.schedule.advance(&mut author.chance);
                self.meter.never_acknowledged(now, due);
                count += 1;
            }
        }
        count
    }
}

impl Author {
    fn connect(
        plan: ProducerPlan,
        config: &ClientConfig,
        (chooser, chance): (Chooser, Chance),
        deliverer: Deliverer,
    ) -> Result<Author> {
        let library: ThreadedProducer<Deliverer> =
            config.create_with_context(deliverer).context("making librdkafka's producer")?;
        library
            .client()
            .fetch_metadata(Some(&plan.topic), plan.timeout)
            .with_context(|| format!("librdkafka finds no broker at {}", plan.address))?;
        Ok(Author {
            sent: vec![Sent::default(); plan.partitions.len()],
            plan,
            library,
            chooser,
            chance,
            schedule: Schedule::closed(0, 0),
            pending: Vec::new(),
            free: Vec::new(),
            in_flight: 0,
            batch_bytes: 0,
            failures: Vec::new(),
        })
    }

    /// Sends what is due; gives the time at which to look again.
    fn send(&mut self, clock: Clock, payload: &mut Payload, meter: &mut Meter) -> Nanos {
        let is_closed = self.schedule.is_closed();
        let room = if is_closed { self.plan.in_flight_max } else { QUEUE_RECORDS_MAX };
        while self.in_flight < room.min(QUEUE_RECORDS_MAX) {
            let now = clock.now();
            let Some(due) = self.schedule.next_due(now) else { return Nanos::MAX };
            if due > now {
                return due;
            }
            self.schedule.advance(&mut self.chance);
            self.send_one(if is_closed { now } else { due }, payload, meter);
            if !is_closed {
                meter.lagged(now, due);
            }
        }
        Nanos::MAX
    }

    fn send_one(&mut self, intended: Nanos, payload: &mut Payload, meter: &mut Meter) {
        let place = self.chooser.choose(&mut self.chance);
        let size = self.plan.sizes.sample(&mut self.chance);
        let sequence = self.sent[place].count;
        self.sent[place].count += 1;
        let partition = self.plan.partitions[place];
        let stamp = Stamp {
            run: self.plan.run,
            producer: self.plan.id,
            partition: partition as u32,
            sequence,
            intended,
        };
        let value = payload.value(&stamp, size);
        let key = self.chooser.key();
        let bytes = (value.len() + key.map_or(0, <[u8]>::len)) as u64;
        let pending = Pending { place, sequence, intended, bytes };
        let slot = self.free.pop().unwrap_or_else(|| {
            self.pending.push(None);
            self.pending.len() - 1
        });
        let mut record: BaseRecord<'_, [u8], [u8], usize> =
            BaseRecord::with_opaque_to(&self.plan.topic, slot).partition(partition).payload(value);
        record.key = key;
        match self.library.send(record) {
            Ok(()) => {
                self.pending[slot] = Some(pending);
                self.in_flight += 1;
            }
            Err((error, _)) => {
                self.free.push(slot);
                meter.counts.failed += 1;
                note(&mut self.failures, format!("librdkafka takes no record: {error}"));
                self.forget(pending);
            }
        }
        // The library makes the batches; about one is full after so many bytes.
        self.batch_bytes += bytes;
        if self.batch_bytes >= self.plan.rules.size_bytes as u64 {
            self.batch_bytes = 0;
            self.chooser.batch_filled();
        }
    }

    fn take(&mut self, delivery: Delivery, meter: &mut Meter) {
        let Some(record) = self.pending.get_mut(delivery.slot).and_then(Option::take) else {
            return;
        };
        self.free.push(delivery.slot);
        self.in_flight -= 1;
        match delivery.result {
            Ok(()) => {
                meter.acknowledged(delivery.at, 1, record.bytes, &[record.intended]);
                if self.plan.acks == 0 {
                    self.forget(record);
                }
            }
            Err(error) => {
                meter.counts.failed += 1;
                note(&mut self.failures, format!("librdkafka did not deliver: {error}"));
                self.forget(record);
            }
        }
    }

    /// The record may be there or not.
    fn forget(&mut self, record: Pending) {
        add_range(&mut self.sent[record.place].unacknowledged, record.sequence, 1);
    }
}

/// The plan in the library's words; no retries, as with the tool's own client.
fn config(plan: &ProducerPlan, requests_in_flight_max: usize) -> ClientConfig {
    let mut config = ClientConfig::new();
    let rules = &plan.rules;
    for (name, value) in [
        ("bootstrap.servers", plan.address.to_string()),
        ("client.id", CLIENT_ID.to_owned()),
        ("acks", plan.acks.to_string()),
        ("batch.size", rules.size_bytes.max(1).to_string()),
        ("linger.ms", (rules.linger as f64 / 1e6).to_string()),
        ("message.max.bytes", rules.request_bytes_max.to_string()),
        ("compression.type", rules.compression.name().to_owned()),
        ("max.in.flight.requests.per.connection", requests_in_flight_max.to_string()),
        ("request.timeout.ms", plan.timeout.as_millis().to_string()),
        ("queue.buffering.max.messages", QUEUE_RECORDS_MAX.to_string()),
        ("message.send.max.retries", "0".to_owned()),
        ("socket.nagle.disable", "true".to_owned()),
    ] {
        config.set(name, value);
    }
    if let Some(level) = rules.compression_level {
        config.set("compression.level", level.to_string());
    }
    config
}
