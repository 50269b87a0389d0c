//! How a producer's batches travel, and what comes back: by Kafka's protocol or by that of NATS.

use std::os::fd::BorrowedFd;
use std::time::Duration;

use anyhow::Result;
use klamm::client::Address;
use klamm::model::ErrorCode;
use klamm::protocol::api_key::ApiKey;
use klamm::protocol::frame;
use klamm::protocol::produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};
use klamm::protocol::produce_response::ProduceResponse;
use klamm::protocol::reader::Reader;
use klamm::protocol::types::Records;

use crate::batches::Batch;
use crate::clock::{Clock, Nanos};
use crate::connection::Connection;
use crate::nats::publisher::Publisher;
use crate::nats::socket::NatsSocket;
use crate::producer::ProducerPlan;
use crate::socket::{Socket, request};
use crate::workload::Protocol;

/// What a broker says of a request.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    /// Which request.
    pub correlation_id: i32,
    /// For each of its partitions the offset of the first record (−1 where it is not told), or a refusal.
    pub parts: Vec<(i32, Result<i64, String>)>,
}

impl Answer {
    /// What is said of a partition, most likely in the place `at`.
    pub fn part(&self, at: usize, partition: i32) -> Result<i64, String> {
        let likely = self.parts.get(at).into_iter();
        let mut parts = likely.chain(&self.parts).filter(|(index, _)| *index == partition);
        parts.next().map_or_else(
            || Err(format!("partition {partition} is missing in an answer")),
            |(_, part)| part.clone(),
        )
    }
}

/// A producer's connection.
pub enum Wire {
    /// To a broker of the Kafka protocol.
    Kafka(KafkaWire),
    /// To a NATS server.
    Nats(Publisher),
}

/// A connection that carries Produce requests.
pub struct KafkaWire {
    socket: Socket,
    frame: Vec<u8>,
}

/// Connects and greets, and does nothing with it.
pub fn greet(protocol: Protocol, address: &Address, patience: Duration) -> Result<Connection> {
    Ok(match protocol {
        Protocol::Kafka => Socket::connect(address, patience)?.connection,
        Protocol::Nats => NatsSocket::connect(address, patience)?.connection,
    })
}

impl Wire {
    /// Connects; blocks until the broker has greeted.
    pub fn connect(plan: &ProducerPlan) -> Result<Wire> {
        Ok(match plan.protocol {
            Protocol::Kafka => {
                let socket = Socket::connect(&plan.address, plan.timeout)?;
                Wire::Kafka(KafkaWire { socket, frame: Vec::new() })
            }
            Protocol::Nats => Wire::Nats(Publisher::connect(&plan.address, plan.timeout)?),
        })
    }

    fn connection(&self) -> &Connection {
        match self {
            Wire::Kafka(wire) => &wire.socket.connection,
            Wire::Nats(wire) => wire.connection(),
        }
    }

    fn connection_mut(&mut self) -> &mut Connection {
        match self {
            Wire::Kafka(wire) => &mut wire.socket.connection,
            Wire::Nats(wire) => wire.connection_mut(),
        }
    }

    /// For [`Poller::add`](crate::poller::Poller::add).
    pub fn as_fd(&self) -> BorrowedFd<'_> {
        self.connection().as_fd()
    }

    /// True while bytes wait for room: nothing more should be sent.
    pub fn is_blocked(&self) -> bool {
        self.connection().is_blocked()
    }

    /// Sends more of what waits for room.
    pub fn flush(&mut self) -> Result<()> {
        self.connection_mut().flush()
    }

    /// Reads once; true if there may be more.
    pub fn fill(&mut self) -> Result<bool> {
        self.connection_mut().fill()
    }

    /// Sends one request and gives the time of that; [`push`](Self::push) makes sure that it leaves.
    pub fn send(
        &mut self,
        plan: &ProducerPlan,
        correlation_id: i32,
        batches: &[Batch],
        clock: Clock,
    ) -> Result<Nanos> {
        match self {
            Wire::Kafka(wire) => wire.send(plan, correlation_id, batches, clock),
            Wire::Nats(wire) => wire.send(plan, correlation_id, batches, clock),
        }
    }

    /// Nothing more is sent for now: what was collected leaves.
    pub fn push(&mut self) -> Result<()> {
        match self {
            Wire::Kafka(_) => Ok(()),
            Wire::Nats(wire) => wire.push(),
        }
    }

    /// The next answer of what has arrived.
    pub fn next_answer(&mut self, plan: &ProducerPlan) -> Result<Option<Answer>> {
        match self {
            Wire::Kafka(wire) => wire.next_answer(plan),
            Wire::Nats(wire) => wire.next_answer(),
        }
    }
}

impl KafkaWire {
    fn send(
        &mut self,
        plan: &ProducerPlan,
        correlation_id: i32,
        batches: &[Batch],
        clock: Clock,
    ) -> Result<Nanos> {
        let version = self.socket.versions.produce;
        let parts = batches.iter().zip(0..).map(|(batch, id)| PartitionProduceData {
            index: plan.partitions[batch.place],
            records: Records::External { id, len: batch.bytes.len() as u32 },
            ..PartitionProduceData::default()
        });
        let body = ProduceRequest {
            transactional_id: None,
            acks: plan.acks,
            timeout_ms: i32::try_from(plan.timeout.as_millis()).unwrap_or(i32::MAX),
            topic_data: vec![TopicProduceData {
                name: plan.topic.as_str().into(),
                partition_data: parts.collect(),
                ..TopicProduceData::default()
            }],
            ..ProduceRequest::default()
        };
        let buffer = std::mem::take(&mut self.frame);
        let frame = request(buffer, (ApiKey::Produce, version), correlation_id, |writer| {
            body.encode(writer, version)
        })?;
        let stretches: Vec<&[u8]> = frame
            .stretches()
            .map(|stretch| match stretch {
                frame::Stretch::Bytes(bytes) => bytes,
                frame::Stretch::External(external) => &batches[external.id as usize].bytes[..],
            })
            .collect();
        let sent_at = clock.now();
        self.socket.connection.send(&stretches)?;
        self.frame = frame.bytes;
        Ok(sent_at)
    }

    fn next_answer(&mut self, plan: &ProducerPlan) -> Result<Option<Answer>> {
        let version = self.socket.versions.produce;
        let Some(range) = self.socket.next_frame()? else { return Ok(None) };
        let end = range.end;
        let bytes = &self.socket.connection.received()[range];
        let (correlation_id, body) = frame::response(bytes, ApiKey::Produce, version)?;
        let answer = ProduceResponse::decode(&mut Reader::new(body), version)?;
        let of_topic = answer.responses.iter().flat_map(|topic| &topic.partition_responses);
        let parts = of_topic.map(|part| {
            let offset = match ErrorCode::from_code(part.error_code) {
                ErrorCode::None => Ok(part.base_offset),
                error => Err(format!(
                    "{}-{} refused records: {error}: {}",
                    plan.topic,
                    part.index,
                    error.message()
                )),
            };
            (part.index, offset)
        });
        let answer = Answer { correlation_id, parts: parts.collect() };
        self.socket.connection.consume(end);
        Ok(Some(answer))
    }
}
