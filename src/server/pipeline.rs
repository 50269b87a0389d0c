//! The responses of one connection, leaving in the order of its requests.
//!
//! The reader pushes a [`Reply`] per request and waits when the pipeline is full, which stops the
//! socket from being read and, in the end, the client from sending. The writer takes them in order
//! and sends with one call what became ready together.

use std::cell::Cell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;

use tracing::debug;

use crate::api::reply::{Answer, LocalFuture, Outcome, Part, Reply};
use crate::api::session::Session;
use crate::api::timing::Timing;
use crate::metrics::{Counted, Metric};
use crate::model::limits::{
    CONNECTION_INFLIGHT_BYTES_MAX, CONNECTION_OUTPUT_BYTES_MAX, PIPELINE_DEPTH_MAX,
};
use crate::model::units::KIB;
use crate::runtime::memory::Piece;
use crate::runtime::net::Stream;
use crate::runtime::sync::{Event, Latch, Permit, Queue, Semaphore, select2};
use crate::server::slow;
use crate::shard::{AnswerHold, Shard};

/// Small responses that became ready together are sent together up to this size.
const COALESCE_BYTES_MAX: usize = 64 * KIB;

/// A reply, with the request bytes that it keeps in flight and those that it will send.
struct Entry {
    reply: Reply,
    held: Held,
}

/// A request in flight: its bytes, and its place among those in progress.
pub struct Inflight {
    _bytes: Permit,
    _counted: Counted,
}

/// What a reply holds of its connection's bounds until it has left.
struct Held {
    _inflight: Inflight,
    /// Of an answer that is whole already; others take their memory when their turn has come.
    _output: Option<Permit>,
}

/// The queue between a connection's reader and its writer.
pub struct Pipeline {
    shard: Rc<Shard>,
    session: Rc<Session>,
    entries: Queue<Entry>,
    inflight: Semaphore,
    output: Semaphore,
    ended: Cell<bool>,
    end: Event,
}

impl Pipeline {
    /// An empty pipeline of a connection of `shard`.
    pub fn new(shard: &Rc<Shard>, session: &Rc<Session>) -> Rc<Pipeline> {
        Rc::new(Pipeline {
            shard: shard.clone(),
            session: session.clone(),
            entries: Queue::new(PIPELINE_DEPTH_MAX),
            inflight: Semaphore::new(CONNECTION_INFLIGHT_BYTES_MAX),
            output: Semaphore::new(CONNECTION_OUTPUT_BYTES_MAX),
            ended: Cell::new(false),
            end: Event::new(),
        })
    }

    /// Waits until a request of `bytes` may be in flight.
    pub async fn admit(&self, bytes: usize) -> Inflight {
        let counted = self.shard.metrics().one_more(Metric::RequestsInProgress);
        let permit = self.inflight.acquire(bytes.clamp(1, CONNECTION_INFLIGHT_BYTES_MAX)).await;
        Inflight { _bytes: permit, _counted: counted }
    }

    /// Adds the reply of the next request, and waits while the answers before it that are whole
    /// hold as much memory as they may; false when the writer has ended.
    pub async fn push(&self, reply: Reply, inflight: Inflight) -> bool {
        let output = match &reply {
            Reply::Done(Outcome::Answer(answer)) => {
                let bytes = answer.len.clamp(1, CONNECTION_OUTPUT_BYTES_MAX);
                Some(self.output.acquire(bytes).await)
            }
            _ => None,
        };
        let held = Held { _inflight: inflight, _output: output };
        self.entries.push(Entry { reply, held }).await.is_ok()
    }

    /// No more requests will come; the writer ends after what is queued.
    pub fn close(&self) {
        self.entries.close();
    }

    /// Waits until the writer has ended.
    pub async fn finished(&self) {
        while !self.ended.get() {
            let end = self.end.listen();
            end.await;
        }
    }

    /// Sends the responses until the pipeline is closed and empty, the peer is gone, or `stop`
    /// is set; the stream is shut down in the last two cases.
    pub async fn write_responses(self: Rc<Self>, stream: Stream, stop: Rc<Latch>) {
        // On its own, for the sake of the connection's memory, as its reader.
        let writing = Box::pin(self.write_all(&stream));
        let complete = select2(writing, stop.wait()).await.left().unwrap_or(false);
        if !complete {
            stream.shutdown();
            self.entries.close();
            while self.entries.try_pop().is_some() {}
            stop.set();
        }
        drop(stream);
        self.shard.return_leases();
        self.ended.set(true);
        self.end.notify_all();
    }

    /// True when every response has left.
    async fn write_all(&self, stream: &Stream) -> bool {
        let mut waiting: Option<(LocalFuture<Outcome>, Held)> = None;
        loop {
            let first = match waiting.take() {
                Some(first) => first,
                None => match self.entries.pop().await {
                    Some(entry) => into_future(entry),
                    None => return true,
                },
            };
            let mut batch = Batch::default();
            let (mut rest, held) = first;
            batch.add(rest.as_mut().await, held);
            waiting = self.gather(&mut batch).await;
            let Batch { parts, held, holds, close, .. } = batch;
            self.session.sends_since(Some(self.shard.runtime().now()));
            let sent = send(stream, parts).await;
            self.session.sends_since(None);
            self.tell_slow(stream, &held);
            if let Err(error) = sent {
                debug!(%error, peer = %stream.peer_addr(), "the peer stopped reading");
                return false;
            }
            drop((held, holds));
            self.shard.return_leases();
            if let Some(reason) = close {
                debug!(reason, peer = %stream.peer_addr(), "connection closed");
                return false;
            }
        }
    }

    /// Logs which of the requests, whose responses have just left, took too long.
    fn tell_slow(&self, stream: &Stream, requests: &[(Held, Option<Timing>)]) {
        let (sent, slow_from) =
            (self.shard.runtime().turn_began(), self.shard.settings().slow_request);
        for timing in requests.iter().filter_map(|(_, timing)| timing.as_ref()) {
            if timing.total(sent) >= slow_from {
                self.shard.metrics().slow_request();
                if self.shard.log_budget().allow() {
                    slow::tell(timing, sent, stream.peer_addr());
                }
            }
        }
    }

    /// Adds what is ready behind the first response; returns the one that is not.
    async fn gather(&self, batch: &mut Batch) -> Option<(LocalFuture<Outcome>, Held)> {
        while !batch.is_full() {
            let entry = self.entries.try_pop()?;
            let in_turn = matches!(entry.reply, Reply::InTurn(_));
            let (mut rest, held) = into_future(entry);
            if in_turn {
                return Some((rest, held));
            }
            match poll_fn(|context| Poll::Ready(rest.as_mut().poll(context))).await {
                Poll::Ready(outcome) => batch.add(outcome, held),
                Poll::Pending => return Some((rest, held)),
            }
        }
        None
    }
}

/// What one round of the writer has gathered.
#[derive(Default)]
struct Batch {
    parts: Vec<Part>,
    len: usize,
    held: Vec<(Held, Option<Timing>)>,
    holds: Vec<AnswerHold>,
    close: Option<&'static str>,
}

impl Batch {
    fn add(&mut self, outcome: Outcome, held: Held) {
        let mut timed = None;
        match outcome {
            Outcome::Answer(Answer { parts, len, holds, timing }) => {
                self.parts.extend(parts);
                self.holds.extend(holds);
                self.len += len;
                timed = Some(timing);
            }
            Outcome::Silent => {}
            Outcome::Close(reason) => self.close = Some(reason),
        }
        self.held.push((held, timed));
    }

    fn is_full(&self) -> bool {
        self.close.is_some() || self.len >= COALESCE_BYTES_MAX
    }
}

fn into_future(entry: Entry) -> (LocalFuture<Outcome>, Held) {
    let rest: LocalFuture<Outcome> = match entry.reply {
        Reply::Done(outcome) => Box::pin(std::future::ready(outcome)),
        Reply::Later(rest) | Reply::InTurn(rest) => rest,
    };
    (rest, entry.held)
}

/// Sends memory with as few calls as possible and file ranges by `sendfile`.
async fn send(stream: &Stream, parts: Vec<Part>) -> std::io::Result<()> {
    let mut pieces: Vec<Piece> = Vec::with_capacity(parts.len());
    for part in parts {
        match part {
            Part::Piece(piece) => pieces.push(piece),
            Part::File { file, offset, len } => {
                if !pieces.is_empty() {
                    stream.send(std::mem::take(&mut pieces)).await?;
                }
                // On its own, for the sake of the connections that read from memory only.
                Box::pin(stream.send_file(&file, offset, len)).await?;
            }
        }
    }
    if pieces.is_empty() { Ok(()) } else { stream.send(pieces).await }
}
