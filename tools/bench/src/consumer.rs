//! One consuming connection: a fetch session over its partitions, and an account of every record.

use std::os::fd::BorrowedFd;

use anyhow::{Context, Result, bail, ensure};
use klamm::model::ErrorCode;
use klamm::protocol::api_key::ApiKey;
use klamm::protocol::fetch_request::{FetchPartition, FetchRequest, FetchTopic};
use klamm::protocol::fetch_response::FetchResponse;
use klamm::protocol::frame;
use klamm::protocol::reader::Reader;
use klamm::record::{BatchError, DecompressionCaps, split};
use rustc_hash::FxHashMap;

use crate::clock::{Clock, Nanos};
use crate::measure::Meter;
use crate::reading::{ConsumerPlan, Reading, Standing};
use crate::socket::{Socket, request};

/// A consuming connection of the Kafka protocol.
pub struct Consumer {
    standing: Standing,
    socket: Option<Socket>,
    positions: Vec<i64>,
    places: FxHashMap<i32, usize>,
    session_id: i32,
    session_epoch: i32,
    /// Places whose position the session does not know yet.
    changed: Vec<usize>,
    /// When the fetch that is under way was sent.
    asked_at: Option<Nanos>,
    correlation_id: i32,
    frame: Vec<u8>,
    /// Set once nothing more will be written: the next empty answer ends it.
    stop_after: Option<Nanos>,
}

impl Consumer {
    /// Not connected yet.
    pub fn new(plan: ConsumerPlan) -> Consumer {
        let places = plan.partitions.iter().zip(0..).map(|((index, _), place)| (*index, place));
        let positions: Vec<i64> = plan.partitions.iter().map(|(_, start)| *start).collect();
        let mut consumer = Consumer {
            places: places.collect(),
            changed: Vec::new(),
            positions,
            standing: Standing::new(plan),
            socket: None,
            session_id: 0,
            session_epoch: 0,
            asked_at: None,
            correlation_id: 0,
            frame: Vec::new(),
            stop_after: None,
        };
        consumer.standing.is_done = consumer.has_reached_ends();
        consumer
    }

    fn has_reached_ends(&self) -> bool {
        let ends = self.standing.plan.ends.as_ref();
        ends.is_some_and(|ends| self.positions.iter().zip(ends).all(|(at, end)| at >= end))
    }

    fn receive_one(
        &mut self,
        bytes: &[u8],
        version: i16,
        clock: Clock,
        meter: &mut Meter,
    ) -> Result<()> {
        let (correlation_id, body) = frame::response(bytes, ApiKey::Fetch, version)?;
        let answer = FetchResponse::decode(&mut Reader::new(body), version)?;
        ensure!(correlation_id == self.correlation_id, "an answer to another fetch");
        let asked_at = self.asked_at.take().context("an answer that nobody asked for")?;
        match ErrorCode::from_code(answer.error_code) {
            ErrorCode::None => {}
            ErrorCode::FetchSessionIdNotFound | ErrorCode::InvalidFetchSessionEpoch => {
                self.session_id = 0;
                self.session_epoch = 0;
                return Ok(());
            }
            error => {
                bail!("the broker refuses to let {} be read: {error}", self.standing.plan.topic)
            }
        }
        self.session_id = answer.session_id;
        self.session_epoch = if answer.session_id == 0 { 0 } else { self.session_epoch.max(0) + 1 };
        let now = clock.now();
        let mut found = 0;
        for topic in &answer.responses {
            for part in &topic.partitions {
                let place = self.places.get(&part.partition_index).copied();
                let place = place.context("an answer for a partition that nobody asked for")?;
                let error = ErrorCode::from_code(part.error_code);
                ensure!(
                    error.is_none(),
                    "{}-{} cannot be read: {error}: {}",
                    self.standing.plan.topic,
                    part.partition_index,
                    error.message()
                );
                found += self.read(place, part.records.bytes(), now, meter)?;
            }
        }
        if found > 0 && !self.standing.plan.is_cold {
            meter.answered(now, asked_at);
        }
        let told = self.stop_after.is_some_and(|after| asked_at >= after);
        self.standing.is_done = (told && found == 0) || self.has_reached_ends();
        Ok(())
    }

    /// Reads the batches of one partition; gives how many records there were.
    fn read(&mut self, place: usize, bytes: &[u8], now: Nanos, meter: &mut Meter) -> Result<u64> {
        let partition = self.standing.plan.partitions[place].0;
        let end = self.standing.plan.ends.as_ref().map_or(i64::MAX, |ends| ends[place]);
        let mut found = 0;
        for batch in split(bytes) {
            let batch = match batch {
                Ok(batch) => batch,
                // Kafka cuts an answer at its size.
                Err(BatchError::Truncated { .. }) => break,
                Err(error) => {
                    bail!("{}-{partition} has a damaged batch: {error}", self.standing.plan.topic)
                }
            };
            let header = batch.header();
            let next = header.base_offset.0 + i64::from(header.last_offset_delta) + 1;
            if next <= self.positions[place] {
                continue;
            }
            ensure!(
                batch.crc_is_valid(),
                "{}-{partition}: the batch at offset {} has a wrong checksum",
                self.standing.plan.topic,
                header.base_offset.0
            );
            let opened = batch.open(DecompressionCaps::default())?;
            for record in batch.records(&opened) {
                let record = record?;
                // What lies behind the end is another reader's.
                if record.offset.0 < self.positions[place] || record.offset.0 >= end {
                    continue;
                }
                found += 1;
                let size = record.key.map_or(0, <[u8]>::len) + record.value.map_or(0, <[u8]>::len);
                self.standing.observe(partition, record.value, size, now, meter);
            }
            self.positions[place] = next;
            self.changed.push(place);
        }
        Ok(found)
    }
}

impl Reading for Consumer {
    fn standing(&self) -> &Standing {
        &self.standing
    }

    fn standing_mut(&mut self) -> &mut Standing {
        &mut self.standing
    }

    fn into_standing(self: Box<Self>) -> Standing {
        self.standing
    }

    fn connect(&mut self) -> Result<BorrowedFd<'_>> {
        let socket = Socket::connect(&self.standing.plan.address, self.standing.plan.timeout)?;
        Ok(self.socket.insert(socket).connection.as_fd())
    }

    fn disconnect(&mut self) {
        self.socket = None;
    }

    /// Ends with the first answer without records that was asked for after `now`.
    fn stop_when_caught_up(&mut self, now: Nanos) {
        self.stop_after = Some(now);
    }

    fn advance(&mut self, clock: Clock) -> Result<()> {
        if self.standing.is_done || self.asked_at.is_some() {
            return Ok(());
        }
        let Some(socket) = &mut self.socket else { return Ok(()) };
        let version = socket.versions.fetch;
        let is_full = self.session_epoch <= 0 || version < 7;
        let partition = |place: usize| FetchPartition {
            partition: self.standing.plan.partitions[place].0,
            current_leader_epoch: -1,
            fetch_offset: self.positions[place],
            last_fetched_epoch: -1,
            log_start_offset: -1,
            partition_max_bytes: self.standing.plan.partition_bytes_max,
            ..FetchPartition::default()
        };
        let partitions: Vec<FetchPartition<'_>> = if is_full {
            (0..self.positions.len()).map(partition).collect()
        } else {
            self.changed.iter().map(|place| partition(*place)).collect()
        };
        let topics = if partitions.is_empty() {
            Vec::new()
        } else {
            vec![FetchTopic {
                topic: self.standing.plan.topic.as_str().into(),
                partitions,
                ..FetchTopic::default()
            }]
        };
        let body = FetchRequest {
            replica_id: -1,
            max_wait_ms: self.standing.plan.wait_ms_max,
            min_bytes: self.standing.plan.bytes_min,
            max_bytes: self.standing.plan.bytes_max,
            session_id: if version < 7 { 0 } else { self.session_id },
            session_epoch: if version < 7 { -1 } else { self.session_epoch },
            topics,
            ..FetchRequest::default()
        };
        self.correlation_id = self.correlation_id.wrapping_add(1) & i32::MAX;
        let buffer = std::mem::take(&mut self.frame);
        let frame = request(buffer, (ApiKey::Fetch, version), self.correlation_id, |writer| {
            body.encode(writer, version)
        })?;
        self.asked_at = Some(clock.now());
        socket.connection.send(&[&frame.bytes])?;
        self.frame = frame.bytes;
        self.changed.clear();
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        self.socket.as_mut().map_or(Ok(()), |socket| socket.connection.flush())
    }

    fn receive(&mut self, clock: Clock, meter: &mut Meter) -> Result<()> {
        loop {
            let Some(mut socket) = self.socket.take() else { return Ok(()) };
            let more = socket.connection.fill()?;
            while let Some(range) = socket.next_frame()? {
                let (version, end) = (socket.versions.fetch, range.end);
                let bytes = &socket.connection.received()[range];
                self.receive_one(bytes, version, clock, meter)?;
                socket.connection.consume(end);
            }
            self.socket = Some(socket);
            self.advance(clock)?;
            if !more {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use klamm::client::Address;
    use klamm::record::{BatchBuilder, BatchOptions};

    use super::*;
    use crate::measure::Window;
    use crate::payload::{Payload, Stamp};
    use crate::workload::Protocol;

    fn plan(start: i64, end: i64) -> ConsumerPlan {
        ConsumerPlan {
            protocol: Protocol::Kafka,
            id: 0,
            copy: 0,
            run: None,
            address: Address { host: "localhost".to_owned(), port: 9092 },
            topic: "t".to_owned(),
            partitions: vec![(0, start)],
            ends: Some(vec![end]),
            bytes_min: 1,
            bytes_max: 1 << 20,
            partition_bytes_max: 1 << 20,
            wait_ms_max: 500,
            timeout: Duration::from_secs(1),
            is_timed: false,
            is_cold: true,
            ends_with_window: true,
        }
    }

    /// Five records, the last two of them written by another run's producer of the same number.
    #[test]
    fn only_what_lies_between_start_and_end_is_read() {
        for (start, end, expected) in [(0, 3, 3), (1, 3, 2), (2, 3, 1)] {
            let mut payload = Payload::new(1, 0.0);
            let mut batch = BatchBuilder::new(BatchOptions::default());
            for (run, sequence) in [(1, 0), (1, 1), (1, 2), (2, 0), (2, 1)] {
                let stamp = Stamp { run, producer: 0, partition: 0, sequence, intended: 0 };
                batch.append(0, None, Some(payload.value(&stamp, 40)), &[]);
            }
            let mut consumer = Consumer::new(plan(start, end));
            let window = Window { begin: 0, from: 0, until: Nanos::MAX, patience: 0 };
            let found = consumer.read(0, &batch.finish(), 1, &mut Meter::new(window)).unwrap();
            assert_eq!((found, consumer.standing.checker.tally.read), (expected, expected));
            assert_eq!(consumer.standing.checker.tally.duplicates, 0);
            assert!(consumer.has_reached_ends());
        }
    }
}
