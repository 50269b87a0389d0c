//! One producing connection: takes what is due, collects it into batches, keeps requests in flight.

use std::collections::VecDeque;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use klamm::client::{Address, wall_clock_ms};

use crate::batches::{Batch, BatchRules, Batches, NewRecord};
use crate::chance::Chance;
use crate::clock::{Clock, Nanos, SECOND};
use crate::keys::Chooser;
use crate::ledger::{Sent, StreamId};
use crate::measure::Meter;
use crate::payload::{Payload, Stamp};
use crate::schedule::Schedule;
use crate::sizes::Sizes;
use crate::wire::{Answer, Wire};
use crate::workload::Protocol;

/// Between two looks at what is due, where lingering makes exactness needless.
const LINGER_STEP: Nanos = 250_000;
/// Records made between two looks at the clock in a closed loop.
const PULL_MAX: usize = 16_384;

/// What a producer is to do.
#[derive(Clone, Debug)]
pub struct ProducerPlan {
    /// What its broker speaks.
    pub protocol: Protocol,
    /// Its number.
    pub id: u16,
    /// Of this run.
    pub run: u32,
    /// Where its partitions' leader listens.
    pub address: Address,
    /// What to write to.
    pub topic: String,
    /// Of the topic, those that it writes to.
    pub partitions: Vec<i32>,
    /// `acks`: 0, 1 or -1.
    pub acks: i16,
    /// Requests in flight; where each record travels by itself, messages.
    pub in_flight_max: usize,
    /// `request.timeout.ms`.
    pub timeout: Duration,
    /// How batches are made.
    pub rules: BatchRules,
    /// How large records are.
    pub sizes: Sizes,
    /// Whether it connects again when the connection breaks.
    pub reconnects: bool,
}

struct InFlight {
    correlation_id: i32,
    sent_at: Nanos,
    batches: Vec<Batch>,
}

/// A producing connection.
pub struct Producer {
    plan: ProducerPlan,
    wire: Option<Wire>,
    schedule: Schedule,
    chooser: Chooser,
    chance: Chance,
    batches: Batches,
    sent: Vec<Sent>,
    /// The offset that the next acknowledged batch of a partition should have at least.
    offsets: Vec<i64>,
    in_flight: VecDeque<InFlight>,
    /// When the last answer made room.
    room_since: Nanos,
    correlation_id: i32,
    retry_at: Option<Nanos>,
    /// What went wrong.
    pub failures: Vec<String>,
}

impl Producer {
    /// Not connected yet, and with nothing to send before it has a schedule.
    pub fn new(plan: ProducerPlan, chooser: Chooser, chance: Chance) -> Producer {
        let places = plan.partitions.len();
        Producer {
            batches: Batches::new(plan.rules, places),
            sent: vec![Sent::default(); places],
            offsets: vec![0; places],
            plan,
            wire: None,
            schedule: Schedule::closed(0, 0),
            chooser,
            chance,
            in_flight: VecDeque::new(),
            room_since: 0,
            correlation_id: 0,
            retry_at: None,
            failures: Vec::new(),
        }
    }

    /// From now on it sends by this schedule.
    pub fn set_schedule(&mut self, schedule: Schedule) {
        self.schedule = schedule;
    }

    /// Connects; blocks until the broker has greeted.
    pub fn connect(&mut self) -> Result<BorrowedFd<'_>> {
        let wire = Wire::connect(&self.plan)?;
        Ok(self.wire.insert(wire).as_fd())
    }

    /// True where nothing is left to send or to wait for.
    pub fn is_done(&self, now: Nanos) -> bool {
        let is_over = self.wire.is_none() && self.retry_at.is_none();
        let is_last = self.schedule.next_due(now).is_none();
        is_over || (is_last && self.in_flight.is_empty() && self.batches.is_empty())
    }

    /// Nothing more is due from `end` on.
    pub fn end_at(&mut self, end: Nanos) {
        self.schedule.end_at(end);
    }

    /// Sends what can be sent; gives the time at which to look again, `None` where only an answer helps.
    pub fn advance(
        &mut self,
        clock: Clock,
        payload: &mut Payload,
        meter: &mut Meter,
    ) -> Result<Option<Nanos>> {
        let next = self.send_all(clock, payload, meter)?;
        self.wire.as_mut().map_or(Ok(()), Wire::push)?;
        Ok(next)
    }

    fn send_all(
        &mut self,
        clock: Clock,
        payload: &mut Payload,
        meter: &mut Meter,
    ) -> Result<Option<Nanos>> {
        loop {
            let now = clock.now();
            let Some(wire) = &self.wire else { return Ok(self.retry_at) };
            if self.in_flight.len() >= self.plan.in_flight_max || wire.is_blocked() {
                return Ok(None);
            }
            self.pull(now, payload);
            let is_last = self.schedule.next_due(now).is_none();
            if self.batches.close_old(now, is_last) {
                self.chooser.batch_filled();
            }
            if !self.batches.has_ready() {
                return Ok(self.next_look(now));
            }
            self.send(clock, meter)?;
        }
    }

    fn next_look(&self, now: Nanos) -> Option<Nanos> {
        let due = self.schedule.next_due(now)?;
        let Some(expiry) = self.batches.next_expiry() else { return Some(due) };
        Some(expiry.min(due.max(now + self.plan.rules.linger.min(LINGER_STEP))))
    }

    /// Takes the records that are due; in a closed loop as many as fill a batch.
    fn pull(&mut self, now: Nanos, payload: &mut Payload) {
        let closed = self.schedule.is_closed();
        let timestamp = wall_clock_ms();
        for _ in 0..PULL_MAX {
            let Some(due) = self.schedule.next_due(now) else { return };
            let enough = if closed { self.batches.has_ready() } else { self.batches.is_full() };
            if due > now || enough {
                return;
            }
            self.schedule.advance(&mut self.chance);
            let place = self.chooser.choose(&mut self.chance);
            let size = self.plan.sizes.sample(&mut self.chance);
            let sequence = self.sent[place].count;
            self.sent[place].count += 1;
            let partition = self.plan.partitions[place] as u32;
            let (run, producer) = (self.plan.run, self.plan.id);
            let stamp = Stamp { run, producer, partition, sequence, intended: due };
            let value = payload.value(&stamp, size);
            let key = self.chooser.key();
            let record = NewRecord { place, sequence, intended: due, timestamp, key, value };
            if self.batches.add(record, !closed) {
                self.chooser.batch_filled();
            }
        }
    }

    fn send(&mut self, clock: Clock, meter: &mut Meter) -> Result<()> {
        let mut batches = self.batches.take_request();
        self.correlation_id = self.correlation_id.wrapping_add(1) & i32::MAX;
        let wire = self.wire.as_mut().context("a request is sent while connected")?;
        let sent = wire.send(&self.plan, self.correlation_id, &batches, clock);
        let sent_at = match sent {
            Ok(sent_at) => sent_at,
            Err(error) => {
                // Part of it may have left: nobody knows whether it arrived.
                batches.into_iter().for_each(|batch| self.fail(batch, meter));
                return Err(error);
            }
        };
        if self.schedule.is_closed() {
            for batch in &mut batches {
                batch.intended[0] = sent_at;
            }
        } else if let Some(ready_at) = batches.iter().map(|batch| batch.ready_at).min() {
            meter.lagged(sent_at, ready_at.max(self.room_since));
        }
        let in_flight = InFlight { correlation_id: self.correlation_id, sent_at, batches };
        if self.plan.acks == 0 {
            self.answered(in_flight, sent_at, meter);
        } else {
            self.in_flight.push_back(in_flight);
        }
        Ok(())
    }

    /// Takes the answers that have arrived.
    pub fn receive(&mut self, clock: Clock, meter: &mut Meter) -> Result<()> {
        loop {
            let Some(wire) = &mut self.wire else { return Ok(()) };
            let more = wire.fill()?;
            let now = clock.now();
            while let Some(wire) = &mut self.wire
                && let Some(answer) = wire.next_answer(&self.plan)?
            {
                self.receive_one(&answer, now, meter)?;
            }
            if !more {
                return Ok(());
            }
        }
    }

    fn receive_one(&mut self, answer: &Answer, now: Nanos, meter: &mut Meter) -> Result<()> {
        // Kafka answers in order; NATS does so for each stream.
        let is_answered = |request: &InFlight| request.correlation_id == answer.correlation_id;
        let at = self.in_flight.iter().position(is_answered);
        let at = at.context("an answer that nobody asked for")?;
        ensure!(at == 0 || self.plan.protocol == Protocol::Nats, "an answer out of turn");
        let mut request = self.in_flight.remove(at).context("a request has this place")?;
        if self.in_flight.len() + 1 == self.plan.in_flight_max {
            self.room_since = now;
        }
        let mut refused = Vec::new();
        for (at, batch) in request.batches.iter().enumerate() {
            let partition = self.plan.partitions[batch.place];
            match answer.part(at, partition) {
                Err(refusal) => {
                    refused.push(at);
                    note(&mut self.failures, refusal);
                }
                Ok(offset) if offset >= 0 => {
                    let expected = &mut self.offsets[batch.place];
                    if offset < *expected {
                        note(
                            &mut self.failures,
                            format!(
                                "{}-{partition} gave offset {offset} to a batch although {expected} was the least that was free",
                                self.plan.topic
                            ),
                        );
                    }
                    *expected = offset + batch.count as i64;
                }
                Ok(_) => {}
            }
        }
        for at in refused.into_iter().rev() {
            let batch = request.batches.swap_remove(at);
            self.fail(batch, meter);
        }
        self.answered(request, now, meter);
        Ok(())
    }

    fn answered(&mut self, request: InFlight, now: Nanos, meter: &mut Meter) {
        meter.answered(now, request.sent_at);
        for batch in request.batches {
            meter.acknowledged(now, batch.count, batch.payload_bytes, &batch.intended);
            if self.plan.acks == 0 {
                let (first, count) = (batch.first_sequence, batch.count);
                add_range(&mut self.sent[batch.place].unacknowledged, first, count);
            }
            self.batches.recycle(batch);
        }
    }

    fn fail(&mut self, batch: Batch, meter: &mut Meter) {
        meter.counts.failed += batch.count;
        self.forget(batch);
    }

    /// The batch may be there or not.
    fn forget(&mut self, batch: Batch) {
        let unacknowledged = &mut self.sent[batch.place].unacknowledged;
        add_range(unacknowledged, batch.first_sequence, batch.count);
        self.batches.recycle(batch);
    }

    /// More room in the socket.
    pub fn flush(&mut self) -> Result<()> {
        self.wire.as_mut().map_or(Ok(()), Wire::flush)
    }

    /// The connection is of no use any more: what was in flight may have arrived or not.
    pub fn broke(&mut self, error: &anyhow::Error, now: Nanos, meter: &mut Meter) {
        self.wire = None;
        let in_flight: Vec<Batch> =
            self.in_flight.drain(..).flat_map(|request| request.batches).collect();
        for batch in in_flight {
            self.fail(batch, meter);
        }
        if self.plan.reconnects {
            self.retry_at = Some(now + 1_000_000);
        } else {
            note(&mut self.failures, format!("producer {}: {error:#}", self.plan.id));
            self.abandon(meter);
        }
    }

    /// Connects again where that is wanted; `None` while the broker is not there.
    pub fn reconnect(&mut self, now: Nanos) -> Option<BorrowedFd<'_>> {
        if self.retry_at.is_none_or(|at| now < at) {
            return None;
        }
        match Wire::connect(&self.plan) {
            Ok(wire) => {
                self.retry_at = None;
                self.room_since = now;
                Some(self.wire.insert(wire).as_fd())
            }
            Err(_) => {
                self.retry_at = Some(now + 1_000_000);
                None
            }
        }
    }

    /// Time is up: gives how many records were due and are not acknowledged. Each counts with the time that it
    /// has waited by `now`. A request that had `patience` and no answer is a failure.
    pub fn give_up(&mut self, now: Nanos, patience: Nanos, meter: &mut Meter) -> u64 {
        let oldest = self.in_flight.front().map_or(now, |request| request.sent_at);
        if now.saturating_sub(oldest) >= patience {
            note(
                &mut self.failures,
                format!(
                    "{} left {} requests unanswered for {} s",
                    self.plan.address,
                    self.in_flight.len(),
                    patience / SECOND
                ),
            );
        }
        self.wire = None;
        self.retry_at = None;
        let in_flight = self.in_flight.drain(..).flat_map(|request| request.batches);
        let mut count = 0;
        for batch in in_flight.chain(self.batches.abandon()).collect::<Vec<_>>() {
            for due in &batch.intended {
                meter.never_acknowledged(now, *due);
            }
            count += batch.count;
            self.forget(batch);
        }
        count + self.count_unsent(now, meter)
    }

    /// Gives up what was made and not sent, and what is in flight.
    fn abandon(&mut self, meter: &mut Meter) {
        self.retry_at = None;
        let in_flight = self.in_flight.drain(..).flat_map(|request| request.batches);
        for batch in in_flight.chain(self.batches.abandon()).collect::<Vec<_>>() {
            self.fail(batch, meter);
        }
    }

    /// The rest of the schedule, never sent: each counts with the time that it has waited by `now`.
    fn count_unsent(&mut self, now: Nanos, meter: &mut Meter) -> u64 {
        let mut count = 0;
        if !self.schedule.is_closed() {
            while let Some(due) = self.schedule.next_due(now) {
                self.schedule.advance(&mut self.chance);
                meter.never_acknowledged(now, due);
                count += 1;
            }
        }
        count
    }

    /// What the ledger needs.
    pub fn account(&self) -> impl Iterator<Item = (StreamId, Sent)> {
        let streams = self.plan.partitions.iter().zip(&self.sent);
        streams
            .filter(|(_, sent)| sent.count > 0)
            .map(|(partition, sent)| ((self.plan.id, *partition as u32), sent.clone()))
    }
}

/// Adds numbers to ranges of them.
pub fn add_range(ranges: &mut Vec<std::ops::Range<u64>>, first: u64, count: u64) {
    match ranges.last_mut() {
        Some(last) if last.end == first => last.end += count,
        _ => ranges.push(first..first + count),
    }
}

/// Keeps a failure; the same one, or very many, once.
pub fn note(failures: &mut Vec<String>, failure: String) {
    if failures.len() < 8 && !failures.contains(&failure) {
        failures.push(failure);
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;

    use klamm::record::Compression;

    use super::*;
    use crate::keys::{Keys, Spread};
    use crate::measure::Window;

    /// A NATS server that greets, takes messages of ten bytes at most, and never answers one.
    fn greet_one() -> Address {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let info = r#"INFO {"version":"2","jetstream":true,"max_payload":10}"#;
            stream.write_all(format!("{info}\r\n").as_bytes()).unwrap();
            let lines = BufReader::new(stream.try_clone().unwrap()).lines();
            for _ping in lines.map_while(Result::ok).filter(|line| line == "PING") {
                stream.write_all(b"PONG\r\n").unwrap();
            }
        });
        Address { host: "127.0.0.1".to_owned(), port }
    }

    #[test]
    fn what_could_not_be_sent_counts_as_failed_and_not_as_lost() {
        let plan = ProducerPlan {
            protocol: Protocol::Nats,
            id: 3,
            run: 1,
            address: greet_one(),
            topic: "t".to_owned(),
            partitions: vec![0],
            acks: -1,
            in_flight_max: 1,
            timeout: Duration::from_secs(10),
            rules: BatchRules {
                is_plain: true,
                size_bytes: 1,
                linger: 0,
                request_bytes_max: 1000,
                compression: Compression::None,
                compression_level: None,
            },
            sizes: "100".parse().unwrap(),
            reconnects: false,
        };
        let chooser = Chooser::new(Keys::None, Spread::Own, &[0], 1, 0);
        let mut producer = Producer::new(plan, chooser, Chance::new(1));
        producer.connect().unwrap();
        producer.set_schedule(Schedule::closed(Nanos::MAX, 5));
        let (clock, mut payload) = (Clock::start(), Payload::new(1, 0.0));
        let window = Window { begin: 0, from: 0, until: Nanos::MAX, patience: 0 };
        let mut meter = Meter::new(window);
        let error = producer.advance(clock, &mut payload, &mut meter).unwrap_err();
        assert!(error.to_string().contains("max_payload is 10"), "{error:#}");
        producer.broke(&error, clock.now(), &mut meter);
        let sent: Vec<(StreamId, Sent)> = producer.account().collect();
        let all = std::iter::once(0..1).collect();
        assert_eq!(sent, [((3, 0), Sent { count: 1, unacknowledged: all })]);
        assert_eq!((meter.counts.failed, meter.counts.records), (1, 0));
    }
}
