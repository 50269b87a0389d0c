//! One connection to a NATS server: a greeting and requests that block, then operations both ways.

use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};
use klamm::client::{Address, chance};
use serde::Deserialize;
use serde_json::{Value, json};

use super::parser::{self, Operation};
use crate::connection::Connection;
use crate::socket::CLIENT_ID;

/// The subscription of what answers the connection's own requests.
pub const INBOX_SID: u64 = 1;
/// What an API of JetStream says of something that is not there.
const NOT_FOUND: u64 = 404;

/// A connection whose other end has greeted.
#[derive(Debug)]
pub struct NatsSocket {
    /// Its bytes.
    pub connection: Connection,
    /// What its own subjects begin with, `_INBOX.` and something that nobody else has.
    pub inbox: String,
    /// The largest message that the server takes.
    pub payload_bytes_max: usize,
}

/// What is of interest in an INFO.
#[derive(Deserialize)]
struct Info {
    version: String,
    #[serde(default)]
    jetstream: bool,
    #[serde(default)]
    auth_required: bool,
    #[serde(default)]
    tls_required: bool,
    max_payload: usize,
}

impl NatsSocket {
    /// Connects, greets, and subscribes to everything below [`inbox`](Self::inbox); it blocks until
    /// [`Connection::never_block`].
    pub fn connect(address: &Address, patience: Duration) -> Result<NatsSocket> {
        let connection = Connection::open(address, patience)?;
        let inbox = format!("_INBOX.{:016x}", chance());
        let mut socket = NatsSocket { connection, inbox, payload_bytes_max: 0 };
        socket.greet().with_context(|| format!("greeting {address}"))?;
        Ok(socket)
    }

    fn greet(&mut self) -> Result<()> {
        let info = self.wait_for(|operation| match operation {
            Operation::Info(json) => Some(serde_json::from_slice::<Info>(json)),
            _ => None,
        })?;
        let info = info.context("an INFO that is none")?;
        ensure!(info.jetstream, "this NATS server ({}) runs without JetStream", info.version);
        ensure!(!info.auth_required && !info.tls_required, "it wants a login or TLS");
        self.payload_bytes_max = info.max_payload;
        let connect = json!({
            "verbose": false, "pedantic": false, "tls_required": false, "name": CLIENT_ID,
            "lang": "rust", "version": env!("CARGO_PKG_VERSION"), "protocol": 1, "headers": true,
            "no_responders": true,
        });
        let text = format!("CONNECT {connect}\r\nSUB {}.a.> {INBOX_SID}\r\n", self.inbox);
        self.connection.send(&[text.as_bytes()])?;
        self.round_trip()
    }

    /// Where the answer to a request of this name comes to.
    pub fn reply_subject(&self, name: &str) -> String {
        format!("{}.a.{name}", self.inbox)
    }

    /// Waits until the server has taken everything that was sent.
    pub fn round_trip(&mut self) -> Result<()> {
        self.connection.send(&[b"PING\r\n"])?;
        self.wait_for(|operation| (*operation == Operation::Pong).then_some(()))
    }

    /// Asks an API of JetStream and waits for its answer; `None` where what it is about is not there.
    pub fn ask(&mut self, api: &str, body: &Value) -> Result<Option<Value>> {
        let answer = self.publish_and_wait(&format!("$JS.API.{api}"), body.to_string().as_bytes());
        let answer = answer.with_context(|| format!("asking JetStream for {api}"))?;
        let Some(error) = answer.get("error") else { return Ok(Some(answer)) };
        if error.get("code").and_then(Value::as_u64) == Some(NOT_FOUND) {
            return Ok(None);
        }
        let words =
            error.get("description").and_then(Value::as_str).unwrap_or("no reason is given");
        Err(anyhow!("JetStream refuses {api}: {words}"))
    }

    /// Publishes and waits for the JSON that answers it.
    pub fn publish_and_wait(&mut self, subject: &str, payload: &[u8]) -> Result<Value> {
        let reply = self.reply_subject("ask");
        let line = format!("PUB {subject} {reply} {}\r\n", payload.len());
        self.connection.send(&[line.as_bytes(), payload, b"\r\n"])?;
        self.wait_for(|operation| match operation {
            Operation::Message(message) if message.subject == reply => {
                Some(if message.status().is_some() {
                    Err(anyhow!("nobody listens to {subject}"))
                } else {
                    serde_json::from_slice(message.payload).context("an answer that is no JSON")
                })
            }
            _ => None,
        })?
    }

    /// Takes the next operation that has arrived whole, if there is one; pings are answered, a refusal is an error.
    pub fn next<T>(&mut self, take: impl FnOnce(&Operation<'_>) -> Result<T>) -> Result<Option<T>> {
        loop {
            let received = self.connection.received();
            let Some((operation, length)) = parser::next(received)? else { return Ok(None) };
            match operation {
                Operation::Refused(words) => bail!("the server says: {words}"),
                Operation::Ping => {
                    self.connection.consume(length);
                    self.connection.send(&[b"PONG\r\n"])?;
                }
                operation => {
                    let taken = take(&operation)?;
                    self.connection.consume(length);
                    return Ok(Some(taken));
                }
            }
        }
    }

    /// Waits for an operation that `take` takes; others are passed over.
    fn wait_for<T>(&mut self, mut take: impl FnMut(&Operation<'_>) -> Option<T>) -> Result<T> {
        loop {
            while let Some(found) = self.next(|operation| Ok(take(operation)))? {
                if let Some(found) = found {
                    return Ok(found);
                }
            }
            self.connection.wait()?;
        }
    }
}
