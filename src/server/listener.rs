//! Accepting connections on one shard, and ending those that are idle for too long.

use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;
use std::rc::{Rc, Weak};
use std::time::Duration;

use slab::Slab;
use tracing::warn;

use crate::api::fetch::SharedSessions;
use crate::api::session::Session;
use crate::runtime::Lane;
use crate::runtime::net::Listener;
use crate::runtime::sync::{Event, Latch, select2};
use crate::server::connection::Connection;
use crate::server::quota::{Admission, ConnectionQuota};
use crate::shard::Shard;
use crate::shard::fetch_session::FetchSessions;

/// How often idle connections are looked for, at most.
const SWEEP_INTERVAL_MAX: Duration = Duration::from_secs(30);

/// Who does not take an answer for so long is ended when producers wait for the memory that it holds.
const DEAF_AFTER: Duration = Duration::from_secs(10);
/// So many of them at once, and how often.
const DEAF_ENDED_TOGETHER: usize = 64;
const DEAF_ENDED_EVERY: Duration = Duration::from_millis(500);

/// Everything that the connections of one shard share.
pub struct Acceptor {
    shard: Rc<Shard>,
    quota: ConnectionQuota,
    sessions: SharedSessions,
    open: RefCell<Slab<(Weak<Session>, Rc<Latch>)>>,
    stop: Event,
}

impl Acceptor {
    /// The connections of `shard`, none yet.
    pub fn new(shard: &Rc<Shard>, quota: ConnectionQuota) -> Rc<Acceptor> {
        let slots = shard.settings().fetch_session_slots / usize::from(shard.shard_count());
        Rc::new(Acceptor {
            shard: shard.clone(),
            quota,
            sessions: Rc::new(RefCell::new(FetchSessions::new(slots.max(1)))),
            open: RefCell::default(),
            stop: Event::new(),
        })
    }

    /// The fetch sessions of this shard.
    pub fn sessions(&self) -> &SharedSessions {
        &self.sessions
    }

    /// Ends every connection and every listener of this shard.
    pub fn stop(&self) {
        self.stop.notify_all();
        for (_, end) in self.open.borrow().iter().map(|(_, open)| open) {
            end.set();
        }
    }

    /// Serves a connection in a task of its own.
    fn start(self: &Rc<Self>, connection: Connection, admission: Admission) {
        let Some(guard) = self.shard.gate().enter() else { return };
        let end = Rc::new(Latch::new());
        let session = Rc::downgrade(connection.session());
        let place = self.open.borrow_mut().insert((session, end.clone()));
        let acceptor = self.clone();
        let counted = self.shard.metrics().connection_opened();
        self.shard.runtime().spawn(Lane::Hot, async move {
            connection.serve(&acceptor.shard, &acceptor.sessions, end).await;
            acceptor.shard.return_leases();
            acceptor.open.borrow_mut().remove(place);
            drop((admission, counted, guard));
        });
    }

    /// Accepts on one listener until the shard stops.
    async fn accept(self: Rc<Self>, listener: Listener, index: usize) {
        loop {
            let stopped = self.stop.listen();
            if self.shard.is_stopping() {
                return;
            }
            let Some(accepted) = select2(listener.accept(), stopped).await.left() else { return };
            match accepted {
                Ok((stream, peer)) => match self.quota.admit(peer.ip()) {
                    Ok(admission) => {
                        let connection = Connection::accepted(&self.shard, stream, peer, index);
                        self.start(connection, admission);
                    }
                    Err(key) if self.shard.log_budget().allow() => {
                        warn!(%peer, "connection refused: {key} is reached; raise it if these are all wanted");
                    }
                    Err(_) => {}
                },
                Err(error) => {
                    if self.shard.log_budget().allow() {
                        warn!(%error, "accepting failed: is the limit of open files reached (ulimit -n)?");
                    }
                    // The kernel keeps the connection in its queue until there is a descriptor.
                    self.shard.runtime().sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }

    /// Takes over the connections that other shards send.
    async fn take_over(self: Rc<Self>) {
        while let Some(moved) = self.shard.arrivals().pop().await {
            match Connection::arrived(&self.shard, &self.sessions, moved) {
                Ok(connection) => {
                    let admission = self.quota.count_again(connection.peer().ip());
                    self.start(connection, admission);
                }
                Err(error) if self.shard.log_budget().allow() => {
                    warn!(%error, "a connection could not move to this shard and was closed: its client connects again");
                }
                Err(_) => {}
            }
        }
    }

    /// Ends connections that have asked for nothing in `connections.max.idle.ms`.
    async fn sweep(self: Rc<Self>, idle_max: Duration) {
        let interval = idle_max.min(SWEEP_INTERVAL_MAX);
        loop {
            let stopped = self.stop.listen();
            if self.shard.is_stopping() {
                return;
            }
            select2(self.shard.runtime().sleep(interval), stopped).await;
            let now = self.shard.runtime().now();
            for (session, end) in self.open.borrow().iter().map(|(_, open)| open) {
                let idle = session.upgrade().map(|s| now.saturating_since(s.last_request()));
                if idle.is_some_and(|idle| idle >= idle_max) {
                    end.set();
                }
            }
        }
    }

    /// While producers starve for memory, ends those who have long not taken the answers that hold
    /// it, the longest first, a few at a time.
    async fn relieve(self: Rc<Self>) {
        loop {
            let stopped = self.stop.listen();
            if self.shard.is_stopping()
                || select2(self.shard.store().starved(), stopped).await.left().is_none()
            {
                return;
            }
            let ended = self.end_deaf();
            if ended > 0 && self.shard.log_budget().allow() {
                warn!(
                    ended,
                    "producers wait for memory: clients that have not taken their answers for {DEAF_AFTER:?} were closed; raise memory.bytes if they are only slow"
                );
            }
            let stopped = self.stop.listen();
            if self.shard.is_stopping() {
                return;
            }
            select2(self.shard.runtime().sleep(DEAF_ENDED_EVERY), stopped).await;
        }
    }

    fn end_deaf(&self) -> usize {
        let now = self.shard.runtime().now();
        let open = self.open.borrow();
        let mut deaf: Vec<_> = open
            .iter()
            .filter_map(|(_, (session, end))| {
                let since = session.upgrade()?.sending_since()?;
                (now.saturating_since(since) >= DEAF_AFTER).then_some((since, end))
            })
            .collect();
        deaf.sort_unstable_by_key(|(since, _)| *since);
        deaf.truncate(DEAF_ENDED_TOGETHER);
        deaf.iter().for_each(|(_, end)| end.set());
        deaf.len()
    }
}

/// Listens for this shard on every address and starts serving.
///
/// # Errors
/// When an address is in use or not this machine's.
pub fn serve(acceptor: &Rc<Acceptor>, addresses: &[SocketAddr]) -> io::Result<()> {
    let runtime = acceptor.shard.runtime();
    let mut listeners = Vec::with_capacity(addresses.len());
    for &address in addresses {
        listeners.push(runtime.net().listen(address, true)?);
    }
    let mut tasks: Vec<crate::api::reply::LocalFuture<()>> = Vec::new();
    for (index, listener) in listeners.into_iter().enumerate() {
        tasks.push(Box::pin(acceptor.clone().accept(listener, index)));
    }
    tasks.push(Box::pin(acceptor.clone().take_over()));
    tasks.push(Box::pin(acceptor.clone().relieve()));
    if let Some(idle_max) = acceptor.shard.settings().connection_idle_max {
        tasks.push(Box::pin(acceptor.clone().sweep(idle_max)));
    }
    for task in tasks {
        if let Some(guard) = acceptor.shard.gate().enter() {
            runtime.spawn(Lane::Hot, async move {
                task.await;
                drop(guard);
            });
        }
    }
    Ok(())
}
