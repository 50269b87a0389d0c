//! Waits for sockets, to the nanosecond that a timeout names: a thin layer over epoll.

use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};

/// Events taken at once.
const EVENTS_MAX: usize = 256;

/// The sockets of one thread.
pub struct Poller {
    epoll: OwnedFd,
    events: Vec<Event>,
}

/// What a socket can do.
#[derive(Clone, Copy, Debug)]
pub struct Ready {
    /// The number that it was added with.
    pub token: u64,
    /// Bytes, the end or an error are there.
    pub readable: bool,
    /// There is room again.
    pub writable: bool,
}

impl Poller {
    /// Without sockets.
    pub fn new() -> Result<Poller> {
        let epoll = epoll::create(CreateFlags::CLOEXEC).context("making an epoll instance")?;
        Ok(Poller { epoll, events: Vec::with_capacity(EVENTS_MAX) })
    }

    /// Edge-triggered: tells once when bytes come or room is made, so read and write until it blocks.
    pub fn add(&self, socket: impl AsFd, token: u64) -> Result<()> {
        let flags = EventFlags::IN | EventFlags::OUT | EventFlags::RDHUP | EventFlags::ET;
        epoll::add(&self.epoll, socket, EventData::new_u64(token), flags)
            .context("adding a socket to epoll")
    }

    /// Waits until a socket is ready or `timeout` is over; `None` waits as long as it takes.
    pub fn wait(&mut self, timeout: Option<Duration>) -> Result<()> {
        let timeout = timeout.map(|timeout| Timespec {
            tv_sec: i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(timeout.subsec_nanos()),
        });
        self.events.clear();
        let spare = rustix::buffer::spare_capacity(&mut self.events);
        match epoll::wait(&self.epoll, spare, timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error).context("waiting for sockets"),
        }
    }

    /// What the last wait found.
    pub fn ready(&self) -> impl Iterator<Item = Ready> {
        self.events.iter().map(|event| {
            let flags = event.flags;
            let ended = EventFlags::ERR | EventFlags::HUP | EventFlags::RDHUP;
            Ready {
                token: event.data.u64(),
                readable: flags.intersects(EventFlags::IN | ended),
                writable: flags.contains(EventFlags::OUT),
            }
        })
    }
}
