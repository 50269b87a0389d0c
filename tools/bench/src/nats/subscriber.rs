//! A consuming connection to NATS: a push consumer for each of its partitions, and an account of every record.

use std::os::fd::BorrowedFd;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use super::parser::{Message, Operation};
use super::socket::{INBOX_SID, NatsSocket};
use super::stream;
use crate::clock::{Clock, Nanos};
use crate::measure::Meter;
use crate::reading::{ConsumerPlan, Reading, Standing};

/// How often the server says that it is still there; flow control wants it.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// The status of what is about flow and not about records.
const FLOW: u16 = 100;

/// A connection with push consumers.
pub struct Subscriber {
    standing: Standing,
    socket: Option<NatsSocket>,
    /// The next sequence of each partition.
    positions: Vec<i64>,
    /// Where each partition ends, as far as that is known.
    ends: Vec<Option<i64>>,
}

impl Subscriber {
    /// Not connected yet.
    pub fn new(plan: ConsumerPlan) -> Subscriber {
        let ends = match &plan.ends {
            Some(ends) => ends.iter().copied().map(Some).collect(),
            None => vec![None; plan.partitions.len()],
        };
        let mut subscriber = Subscriber {
            positions: plan.partitions.iter().map(|(_, start)| *start).collect(),
            ends,
            standing: Standing::new(plan),
            socket: None,
        };
        subscriber.standing.is_done = subscriber.has_reached_ends();
        subscriber
    }

    fn has_reached_ends(&self) -> bool {
        let mut both = self.positions.iter().zip(&self.ends);
        both.all(|(at, end)| end.is_some_and(|end| *at >= end))
    }

    /// Each partition's messages come under a subscription of their own, whose number tells the partition.
    fn subscribe(&self) -> Result<NatsSocket> {
        let mut socket =
            NatsSocket::connect(&self.standing.plan.address, self.standing.plan.timeout)?;
        let mut lines = String::new();
        for place in 0..self.positions.len() {
            lines.push_str(&format!("SUB {}.d.{place} {}\r\n", socket.inbox, sid(place)));
        }
        socket.connection.send(&[lines.as_bytes()])?;
        socket.round_trip()?;
        // Made by another connection: this one's messages come as soon as a consumer is there.
        let mut maker =
            NatsSocket::connect(&self.standing.plan.address, self.standing.plan.timeout)?;
        for (place, (partition, start)) in self.standing.plan.partitions.iter().enumerate() {
            if self.ends[place].is_some_and(|end| *start >= end) {
                continue;
            }
            let name = stream(&self.standing.plan.topic, *partition);
            let config = json!({
                "deliver_subject": format!("{}.d.{place}", socket.inbox),
                "deliver_policy": "by_start_sequence",
                "opt_start_seq": (*start).max(1),
                "ack_policy": "none",
                "flow_control": true,
                "idle_heartbeat": HEARTBEAT.as_nanos() as u64,
                "mem_storage": true,
            });
            let body = json!({ "stream_name": name, "config": config });
            let made = maker.ask(&format!("CONSUMER.CREATE.{name}"), &body)?;
            made.with_context(|| format!("stream {name} is not there"))?;
        }
        socket.connection.never_block()?;
        Ok(socket)
    }

    fn receive_one(&mut self, message: &Message<'_>, now: Nanos, meter: &mut Meter) -> Result<()> {
        if message.sid == INBOX_SID {
            return self.learn_end(message);
        }
        let place = usize::try_from(message.sid - sid(0))?;
        let partition =
            self.standing.plan.partitions.get(place).context("a message of no subscription")?.0;
        let sequence = message.reply.and_then(stream_sequence);
        let sequence = sequence.context("a message without its place in the stream")?;
        ensure!(
            sequence >= self.positions[place],
            "{}-{partition} gave sequence {sequence} after {}",
            self.standing.plan.topic,
            self.positions[place] - 1
        );
        self.positions[place] = sequence + 1;
        // What lies behind the end is another reader's.
        if self.standing.plan.ends.is_some() && self.ends[place].is_some_and(|end| sequence >= end)
        {
            return Ok(());
        }
        let value = message.payload;
        self.standing.observe(partition, Some(value), value.len(), now, meter);
        Ok(())
    }

    /// A stream told how far it goes; its subject ends with the place.
    fn learn_end(&mut self, message: &Message<'_>) -> Result<()> {
        let place = message.subject.rsplit('.').next().and_then(|token| token.parse().ok());
        let place: usize = place.context("an answer to no question")?;
        let told: Value = serde_json::from_slice(message.payload)?;
        let last = told.pointer("/state/last_seq").and_then(Value::as_i64);
        let last = last.context("a stream's state without sequences")?;
        *self.ends.get_mut(place).context("an answer to no question")? = Some(last + 1);
        Ok(())
    }
}

/// The subscription of a place.
fn sid(place: usize) -> u64 {
    INBOX_SID + 1 + place as u64
}

/// What is to be answered to a message about flow: where the server waits for that.
fn flow_reply<'a>(message: &Message<'a>) -> Option<&'a str> {
    message.reply.or_else(|| message.header("Nats-Consumer-Stalled"))
}

/// The stream's sequence in `$JS.ACK.stream.consumer.deliveries.sequence.…`, or with domain and account hash
/// before the stream.
fn stream_sequence(reply: &str) -> Option<i64> {
    let tokens: Vec<&str> = reply.split('.').collect();
    if !reply.starts_with("$JS.ACK.") {
        return None;
    }
    let at = match tokens.len() {
        9 => 5,
        11.. => 7,
        _ => return None,
    };
    tokens[at].parse().ok().filter(|sequence| *sequence > 0)
}

impl Reading for Subscriber {
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
        let socket = self.subscribe()?;
        Ok(self.socket.insert(socket).connection.as_fd())
    }

    fn disconnect(&mut self) {
        self.socket = None;
    }

    /// Asks every stream where it ends, and reads up to there.
    fn stop_when_caught_up(&mut self, _now: Nanos) {
        let Some(socket) = &mut self.socket else { return };
        let mut lines = String::new();
        for (place, (partition, _)) in self.standing.plan.partitions.iter().enumerate() {
            let name = stream(&self.standing.plan.topic, *partition);
            let reply = socket.reply_subject(&format!("end.{place}"));
            lines.push_str(&format!("PUB $JS.API.STREAM.INFO.{name} {reply} 0\r\n\r\n"));
        }
        if let Err(error) = socket.connection.send(&[lines.as_bytes()]) {
            self.broke(&error);
        }
    }

    fn advance(&mut self, _clock: Clock) -> Result<()> {
        self.standing.is_done |= self.has_reached_ends();
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        self.socket.as_mut().map_or(Ok(()), |socket| socket.connection.flush())
    }

    fn receive(&mut self, clock: Clock, meter: &mut Meter) -> Result<()> {
        loop {
            let Some(mut socket) = self.socket.take() else { return Ok(()) };
            let more = socket.connection.fill()?;
            let now = clock.now();
            let mut replies = String::new();
            let mut take = |operation: &Operation<'_>| {
                let Operation::Message(message) = operation else { return Ok(()) };
                match message.status() {
                    Some(FLOW) => {
                        if let Some(reply) = flow_reply(message) {
                            replies.push_str(&format!("PUB {reply} 0\r\n\r\n"));
                        }
                        Ok(())
                    }
                    Some(status) => bail!("JetStream ended a consumer with status {status}"),
                    None => self.receive_one(message, now, meter),
                }
            };
            while socket.next(&mut take)?.is_some() {}
            if !replies.is_empty() {
                socket.connection.send(&[replies.as_bytes()])?;
            }
            self.socket = Some(socket);
            self.standing.is_done |= self.has_reached_ends();
            if !more {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_subject_tells_the_sequence_in_the_stream() {
        for (reply, expected) in [
            ("$JS.ACK.t-0.FdMa55y4.1.17.5.1795951024578261768.0", Some(17)),
            ("$JS.ACK.hub.hash.t-0.FdMa55y4.1.17.5.1795951024578261768.0", Some(17)),
            ("$JS.ACK.hub.hash.t-0.FdMa55y4.1.17.5.1795951024578261768.0.rand", Some(17)),
            ("$JS.ACK.t-0.FdMa55y4.1.0.5.1795951024578261768.0", None),
            ("$JS.ACK.t-0.FdMa55y4.1.17", None),
            ("$JS.FC.t-0.FdMa55y4.1.17.5.1795951024578261768.0", None),
            ("", None),
        ] {
            assert_eq!(stream_sequence(reply), expected, "{reply}");
        }
    }

    #[test]
    fn flow_control_is_answered_where_the_server_waits() {
        let message = |reply, headers: &'static str| Message {
            subject: "d",
            sid: 2,
            reply,
            headers: headers.as_bytes(),
            payload: b"",
        };
        let request = message(Some("$JS.FC.t.c.x"), "NATS/1.0 100 FlowControl Request\r\n\r\n");
        assert_eq!(flow_reply(&request), Some("$JS.FC.t.c.x"));
        let stalled = "NATS/1.0 100 Idle Heartbeat\r\nNats-Consumer-Stalled: $JS.FC.t.c.y\r\n\r\n";
        assert_eq!(flow_reply(&message(None, stalled)), Some("$JS.FC.t.c.y"));
        assert_eq!(flow_reply(&message(None, "NATS/1.0 100 Idle Heartbeat\r\n\r\n")), None);
    }
}
