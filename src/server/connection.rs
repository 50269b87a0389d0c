//! One client's connection: an owned value that any shard of the process can serve.
//!
//! The reader below cuts frames and runs the first stage of each request in order; the writer
//! (`pipeline`) sends the responses in order. Everything that belongs to the connection is in
//! [`Connection`], so that between two requests it can be taken apart, sent to another shard with
//! its descriptor and what is left in its decoder, and go on there.

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use tracing::{debug, warn};

use crate::api::fetch::SharedSessions;
use crate::api::session::Session;
use crate::model::ShardId;
use crate::protocol::errors::DecodeError;
use crate::runtime::Lane;
use crate::runtime::net::Stream;
use crate::runtime::sync::{Latch, select2, timeout};
use crate::server::decoder::{Decoder, Frame, Step};
use crate::server::dispatch::{self, Arrival};
use crate::server::locality::Locality;
use crate::server::pipeline::Pipeline;
use crate::shard::{MovedClient, MovedConnection, Shard};

/// How long the responses to the requests before a refused one may take to leave.
const LAST_RESPONSES_WAIT_MAX: Duration = Duration::from_secs(5);

/// A connection between two requests.
pub struct Connection {
    stream: Stream,
    peer: SocketAddr,
    decoder: Decoder,
    session: Rc<Session>,
    locality: Locality,
}

/// Why the reader stopped.
enum End {
    Closed,
    Refused(String),
    Moves(ShardId),
}

impl Connection {
    /// A connection just accepted on the listener of that index.
    pub fn accepted(
        shard: &Shard,
        stream: Stream,
        peer: SocketAddr,
        listener: usize,
    ) -> Connection {
        Connection {
            stream,
            peer,
            decoder: Decoder::new(shard.settings().request_bytes_max),
            session: Rc::new(Session::new(peer, listener, shard.runtime().now())),
            locality: Locality::new(shard.id(), shard.shard_count()),
        }
    }

    /// A connection that another shard sent here.
    ///
    /// # Errors
    /// When the descriptor cannot be used on this shard's ring.
    pub fn arrived(
        shard: &Shard,
        sessions: &SharedSessions,
        moved: MovedConnection,
    ) -> io::Result<Connection> {
        let MovedConnection { stream, peer, listener, client } = moved;
        let stream = shard.runtime().net().attach(stream)?;
        let fresh = Connection::accepted(shard, stream, peer, listener);
        if let Some((name, version)) = &client.software {
            fresh.session.set_software(name, version);
        }
        if let Some((id, session)) = client.fetch_session {
            fresh.session.fetches_by(id);
            sessions.borrow_mut().adopt(id, session, shard.runtime().now());
        }
        Ok(Connection { locality: Locality::settled(shard.id(), shard.shard_count()), ..fresh })
    }

    /// The peer's address.
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// What the broker remembers of the client.
    pub fn session(&self) -> &Rc<Session> {
        &self.session
    }

    /// Serves the connection until its peer leaves, `end` is set or it moves away.
    ///
    /// Before its first bytes come it is little more than its socket, so that one that sends nothing
    /// costs little.
    pub async fn serve(mut self, shard: &Rc<Shard>, sessions: &SharedSessions, end: Rc<Latch>) {
        match select2(self.stream.recv(), end.wait()).await.left() {
            Some(Ok(bytes)) if !bytes.is_empty() => {
                shard.metrics().received(bytes.len());
                self.decoder.received(bytes);
            }
            _ => return debug!(peer = %self.peer, "connection ended"),
        }
        Box::pin(self.converse(shard, sessions, end)).await;
    }

    async fn converse(mut self, shard: &Rc<Shard>, sessions: &SharedSessions, end: Rc<Latch>) {
        let pipeline = Pipeline::new(shard, &self.session);
        let writer = pipeline.clone().write_responses(self.stream.clone(), end.clone());
        shard.runtime().spawn(Lane::Hot, writer);
        // On its own: a future that is handed on by value has room kept for it in each that it passes through, for
        // as long as the connection lives.
        let reading = Box::pin(self.read_requests(shard, sessions, &pipeline));
        let ended = select2(reading, end.wait()).await.left();
        match ended {
            Some(End::Refused(reason)) => {
                if shard.log_budget().allow() {
                    warn!(peer = %self.peer, reason, "closed a connection");
                }
                pipeline.close();
                let finished =
                    timeout(shard.runtime(), LAST_RESPONSES_WAIT_MAX, pipeline.finished());
                Box::pin(finished).await;
            }
            Some(End::Moves(target)) => {
                return Box::pin(self.move_to(shard, sessions, target, &pipeline)).await;
            }
            Some(End::Closed) | None => debug!(peer = %self.peer, "connection ended"),
        }
        end.set();
        pipeline.finished().await;
    }

    async fn read_requests(
        &mut self,
        shard: &Rc<Shard>,
        sessions: &SharedSessions,
        pipeline: &Rc<Pipeline>,
    ) -> End {
        loop {
            match self.decoder.step() {
                Err(error) => return End::Refused(format!("{error} ({})", hint(&error))),
                Ok(Step::Frame(frame)) => {
                    if let Some(end) = self.request(shard, sessions, pipeline, frame).await {
                        return end;
                    }
                }
                Ok(Step::Fill { body, missing }) => {
                    let (body, result) = self.stream.recv_exact(body, missing).await;
                    if let Err(error) = result {
                        debug!(peer = %self.peer, %error, "the peer left inside a request");
                        return End::Closed;
                    }
                    shard.metrics().received(missing);
                    self.decoder.filled(body);
                }
                Ok(Step::Receive) => match self.stream.recv().await {
                    Ok(bytes) if bytes.is_empty() => return End::Closed,
                    Ok(bytes) => {
                        shard.metrics().received(bytes.len());
                        self.decoder.received(bytes);
                    }
                    Err(error) => {
                        debug!(peer = %self.peer, %error, "receiving failed");
                        return End::Closed;
                    }
                },
            }
        }
    }

    /// Runs the first stage of one request and queues its reply.
    async fn request(
        &mut self,
        shard: &Rc<Shard>,
        sessions: &SharedSessions,
        pipeline: &Rc<Pipeline>,
        frame: Frame,
    ) -> Option<End> {
        let arrived = shard.runtime().now();
        self.session.touch(arrived);
        let turn = shard.runtime().turn_began();
        let permit = pipeline.admit(frame.len()).await;
        let queued = shard.runtime().turn_began().saturating_since(turn);
        let arrival = Arrival { at: arrived, queued };
        let reply = match dispatch::handle(shard, &self.session, sessions, &frame, arrival).await {
            Ok(reply) => reply,
            Err(error) => return Some(End::Refused(error.to_string())),
        };
        drop(frame);
        if !pipeline.push(reply, permit).await {
            return Some(End::Closed);
        }
        let asked = self.session.take_asked();
        if !shard.settings().connections_move_to_owner {
            return None;
        }
        self.locality.asked_for(asked.into_iter());
        let target = self.locality.better_shard()?;
        self.decoder.is_empty().then_some(End::Moves(target))
    }

    /// Lets what is under way leave, then sends the connection to `target`.
    async fn move_to(
        self,
        shard: &Shard,
        sessions: &SharedSessions,
        target: ShardId,
        pipeline: &Pipeline,
    ) {
        let Connection { stream, peer, session, .. } = self;
        pipeline.close();
        pipeline.finished().await;
        let Some(stream) = stream.detach() else {
            debug!(%peer, "the peer left before its connection could move");
            return;
        };
        debug!(%peer, from = %shard.id(), to = %target, "a connection moves to its partitions");
        let listener = session.listener();
        let fetch_session =
            session.fetch_session().and_then(|id| Some((id, sessions.borrow_mut().take(id)?)));
        let client = MovedClient { software: session.software(), fetch_session };
        shard.send_connection(target, MovedConnection { stream, peer, listener, client });
    }
}

/// What a peer speaks whose first four bytes are no length that is allowed.
fn hint(error: &DecodeError) -> &'static str {
    let DecodeError::FrameSize { size, .. } = error else { return "is the peer a Kafka client?" };
    match &(*size as i32).to_be_bytes() {
        b"GET " | b"HEAD" | b"POST" | b"PUT " | b"DELE" | b"OPTI" | b"CONN" | b"PRI " => {
            "the peer speaks HTTP: this listener is for Kafka clients, admin.listener answers HTTP"
        }
        b"SSH-" => "the peer speaks SSH: this listener is for Kafka clients",
        // A TLS record of the handshake: its type and the version 3.x.
        [0x16, 3, ..] => {
            "the peer speaks TLS: set its security.protocol to PLAINTEXT for this listener"
        }
        _ => "socket.request.max.bytes; is the peer a Kafka client?",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_kafka_client_is_named() {
        for (bytes, said) in [
            (b"GET ", "HTTP"),
            (b"SSH-", "SSH"),
            (&[0x16, 3, 1, 2], "TLS"),
            (&[0x7f, 0xff, 0xff, 0xff], "socket.request.max.bytes"),
        ] {
            let error = crate::protocol::frame::size(bytes, 1 << 20).expect_err("far too large");
            assert!(hint(&error).contains(said), "{bytes:?}");
        }
    }
}
