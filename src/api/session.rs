//! What the broker remembers of a client for as long as its connection lasts.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;

use crate::model::ShardId;
use crate::runtime::Monotonic;
use crate::shard::fetch_session::SESSION_NONE;

/// One connection's client.
pub struct Session {
    peer: SocketAddr,
    listener: usize,
    last_request: Cell<Monotonic>,
    sending_since: Cell<Option<Monotonic>>,
    software: RefCell<Option<(String, String)>>,
    owners: RefCell<Vec<ShardId>>,
    fetch_session: Cell<i32>,
}

impl Session {
    /// A client that connected by the listener of that index.
    pub fn new(peer: SocketAddr, listener: usize, now: Monotonic) -> Session {
        Session {
            peer,
            listener,
            last_request: Cell::new(now),
            sending_since: Cell::new(None),
            software: RefCell::default(),
            owners: RefCell::default(),
            fetch_session: Cell::new(SESSION_NONE),
        }
    }

    /// Where it connects from.
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// The index of its listener in the settings.
    pub fn listener(&self) -> usize {
        self.listener
    }

    /// When its last request came.
    pub fn last_request(&self) -> Monotonic {
        self.last_request.get()
    }

    /// A request has come.
    pub fn touch(&self, now: Monotonic) {
        self.last_request.set(now);
    }

    /// Answers are on their way to the client since then, or none is.
    pub fn sends_since(&self, since: Option<Monotonic>) {
        self.sending_since.set(since);
    }

    /// Since when the client has not taken the answers that are on their way to it, if any are.
    pub fn sending_since(&self) -> Option<Monotonic> {
        self.sending_since.get()
    }

    /// What the client calls itself (KIP-511).
    pub fn set_software(&self, name: &str, version: &str) {
        *self.software.borrow_mut() = Some((name.into(), version.into()));
    }

    /// The client's software name and version, once it has said them.
    pub fn software(&self) -> Option<(String, String)> {
        self.software.borrow().clone()
    }

    /// The client's fetches belong to that session, or to none.
    pub fn fetches_by(&self, session: i32) {
        self.fetch_session.set(session);
    }

    /// The client's fetch session, if it has one.
    pub fn fetch_session(&self) -> Option<i32> {
        Some(self.fetch_session.get()).filter(|&session| session != SESSION_NONE)
    }

    /// The current request asks for a partition of that shard.
    pub fn asks(&self, owner: ShardId) {
        self.owners.borrow_mut().push(owner);
    }

    /// The shards that were asked for since the last call.
    pub fn take_asked(&self) -> Vec<ShardId> {
        self.owners.take()
    }
}
