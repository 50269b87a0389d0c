//! A producer's connection to NATS: each record a message, each message acknowledged by its stream.
//!
//! What is sent is collected and leaves in one write, as NATS's own clients do it; a message's number and its
//! partition travel in the subject that its acknowledgement comes to.

use std::io::Write;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use klamm::client::Address;
use serde::Deserialize;

use super::parser::{Message, Operation};
use super::socket::NatsSocket;
use super::subject;
use crate::batches::Batch;
use crate::clock::{Clock, Nanos};
use crate::connection::Connection;
use crate::producer::ProducerPlan;
use crate::wire::Answer;

/// What is collected before it leaves by itself.
const COLLECTED_BYTES_MAX: usize = 64 << 10;

/// A connection that publishes.
pub struct Publisher {
    socket: NatsSocket,
    reply: String,
    collected: Vec<u8>,
}

/// A stream's acknowledgement.
#[derive(Deserialize)]
struct Acknowledgement {
    seq: Option<i64>,
    #[serde(default)]
    duplicate: bool,
    error: Option<ApiError>,
}

/// What a stream refuses, and why.
#[derive(Deserialize)]
struct ApiError {
    #[serde(default)]
    code: i64,
    #[serde(default)]
    description: String,
}

impl Publisher {
    /// Connects; blocks until the server has greeted.
    pub fn connect(address: &Address, patience: Duration) -> Result<Publisher> {
        let mut socket = NatsSocket::connect(address, patience)?;
        socket.connection.never_block()?;
        let reply = socket.reply_subject("p");
        Ok(Publisher { socket, reply, collected: Vec::new() })
    }

    /// Its bytes.
    pub fn connection(&self) -> &Connection {
        &self.socket.connection
    }

    /// Its bytes.
    pub fn connection_mut(&mut self) -> &mut Connection {
        &mut self.socket.connection
    }

    /// Collects the one message of a request.
    pub fn send(
        &mut self,
        plan: &ProducerPlan,
        correlation_id: i32,
        batches: &[Batch],
        clock: Clock,
    ) -> Result<Nanos> {
        for batch in batches {
            let (size, most) = (batch.bytes.len(), self.socket.payload_bytes_max);
            ensure!(size <= most, "a record of {size} bytes; this server's max_payload is {most}");
            let partition = plan.partitions[batch.place];
            let (subject, reply) = (subject(&plan.topic, partition), &self.reply);
            let collected = &mut self.collected;
            write!(collected, "PUB {subject} {reply}.{correlation_id}.{partition} {size}\r\n")?;
            collected.extend_from_slice(&batch.bytes);
            collected.extend_from_slice(b"\r\n");
        }
        let sent_at = clock.now();
        if self.collected.len() >= COLLECTED_BYTES_MAX {
            self.push()?;
        }
        Ok(sent_at)
    }

    /// What was collected leaves.
    pub fn push(&mut self) -> Result<()> {
        if !self.collected.is_empty() {
            self.socket.connection.send(&[&self.collected])?;
            self.collected.clear();
        }
        Ok(())
    }

    /// The next acknowledgement of what has arrived.
    pub fn next_answer(&mut self) -> Result<Option<Answer>> {
        let acknowledged = |operation: &Operation<'_>| match operation {
            Operation::Message(message) => answer(message).map(Some),
            _ => Ok(None),
        };
        while let Some(answer) = self.socket.next(acknowledged)? {
            if answer.is_some() {
                return Ok(answer);
            }
        }
        Ok(None)
    }
}

/// What an acknowledgement says; its subject ends with the message's number and partition.
fn answer(message: &Message<'_>) -> Result<Answer> {
    let mut tokens = message.subject.rsplit('.');
    let mut number = || tokens.next().and_then(|token| token.parse::<i32>().ok());
    let (partition, correlation_id) = (number(), number());
    let partition = partition.context("an acknowledgement of nothing that was sent")?;
    let correlation_id = correlation_id.context("an acknowledgement of nothing that was sent")?;
    let part = if let Some(status) = message.status() {
        Err(format!("no stream takes what is sent to partition {partition} (status {status})"))
    } else {
        let told: Acknowledgement = serde_json::from_slice(message.payload)
            .context("an acknowledgement that is not JetStream's")?;
        match told {
            Acknowledgement { error: Some(error), .. } => Err(format!(
                "partition {partition} refused a record: {} (error {})",
                error.description, error.code
            )),
            Acknowledgement { duplicate: true, .. } => {
                Err(format!("partition {partition} took a record for a repetition"))
            }
            Acknowledgement { seq: Some(seq), .. } if seq > 0 => Ok(seq),
            Acknowledgement { .. } => {
                Err(format!("partition {partition} acknowledged a record without a sequence"))
            }
        }
    };
    Ok(Answer { correlation_id, parts: vec![(partition, part)] })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(subject: &str, headers: &str, payload: &str, expected: Option<Result<i64, &str>>) {
        let (headers, payload) = (headers.as_bytes(), payload.as_bytes());
        let found = answer(&Message { subject, sid: 1, reply: None, headers, payload });
        match (found, expected) {
            (Err(_), None) => {}
            (Ok(answer), Some(expected)) => {
                assert_eq!(answer.correlation_id, 42);
                match (answer.part(0, 3), expected) {
                    (Ok(found), Ok(expected)) => assert_eq!(found, expected),
                    (Err(found), Err(expected)) => assert!(found.contains(expected), "{found}"),
                    (found, expected) => panic!("{found:?} where {expected:?} was expected"),
                }
            }
            (found, expected) => panic!("{found:?} where {expected:?} was expected"),
        }
    }

    #[test]
    fn acknowledgements_tell_a_sequence_or_a_reason() {
        let to = "_INBOX.x.a.p.42.3";
        check(to, "", r#"{"stream":"t-3","seq":7}"#, Some(Ok(7)));
        check(to, "", r#"{"stream":"t-3","seq":7,"domain":"hub"}"#, Some(Ok(7)));
        let refusal = r#"{"error":{"code":503,"err_code":10077,"description":"maximum messages exceeded"},"stream":"t-3","seq":0}"#;
        check(to, "", refusal, Some(Err("maximum messages exceeded (error 503)")));
        check(to, "", r#"{"stream":"t-3","seq":7,"duplicate":true}"#, Some(Err("repetition")));
        check(to, "", r#"{"stream":"t-3"}"#, Some(Err("without a sequence")));
        check(to, "", r#"{"stream":"t-3","seq":0}"#, Some(Err("without a sequence")));
        check(to, "NATS/1.0 503\r\n\r\n", "", Some(Err("no stream takes")));
        check(to, "", "+ACK", None);
        check(to, "", "", None);
        check("_INBOX.x.a.p", "", r#"{"seq":7}"#, None);
        check("_INBOX.x.a.p.99999999999.3", "", r#"{"seq":7}"#, None);
    }
}
