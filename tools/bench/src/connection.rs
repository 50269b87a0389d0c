//! Bytes both ways over one TCP connection: blocking while it is set up, never after that.

use std::io::{self, IoSlice, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use klamm::client::Address;

/// What is read at once.
const READ_BYTES: usize = 64 << 10;
/// The most that a buffer grows by at once.
const GROWTH_BYTES_MAX: usize = 4 << 20;

/// A connection with what waits to be sent and what has arrived.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    address: Address,
    unsent: Vec<u8>,
    unsent_at: usize,
    received: Vec<u8>,
    taken: usize,
    filled: usize,
}

impl Connection {
    /// Connects; reads and writes block, at most for `patience`, until [`never_block`](Self::never_block).
    pub fn open(address: &Address, patience: Duration) -> Result<Connection> {
        let stream = open(address, patience)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(patience))?;
        stream.set_write_timeout(Some(patience))?;
        Ok(Connection {
            stream,
            address: address.clone(),
            unsent: Vec::new(),
            unsent_at: 0,
            received: Vec::new(),
            taken: 0,
            filled: 0,
        })
    }

    /// It is set up: from now on nothing waits.
    pub fn never_block(&mut self) -> Result<()> {
        Ok(self.stream.set_nonblocking(true)?)
    }

    /// Whom it is to.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// For [`Poller::add`](crate::poller::Poller::add).
    pub fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }

    /// True while bytes wait for room: nothing more should be sent.
    pub fn is_blocked(&self) -> bool {
        self.unsent_at < self.unsent.len()
    }

    /// Sends these parts after what still waits; what does not fit is kept for [`flush`](Self::flush).
    pub fn send(&mut self, parts: &[&[u8]]) -> Result<()> {
        let total: usize = parts.iter().map(|part| part.len()).sum();
        let mut sent = 0;
        while !self.is_blocked() && sent < total {
            let mut skipped = sent;
            let slices: Vec<IoSlice<'_>> = parts
                .iter()
                .filter_map(|part| {
                    let from = skipped.min(part.len());
                    skipped -= from;
                    (from < part.len()).then(|| IoSlice::new(&part[from..]))
                })
                .take(64)
                .collect();
            match self.stream.write_vectored(&slices) {
                Ok(count) => sent += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.broken(error)),
            }
        }
        if sent < total {
            if !self.is_blocked() {
                self.unsent.clear();
                self.unsent_at = 0;
            }
            for part in parts {
                let from = sent.min(part.len());
                sent -= from;
                self.unsent.extend_from_slice(&part[from..]);
            }
        }
        Ok(())
    }

    /// Sends more of what waits.
    pub fn flush(&mut self) -> Result<()> {
        while self.is_blocked() {
            match self.stream.write(&self.unsent[self.unsent_at..]) {
                Ok(count) => self.unsent_at += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.broken(error)),
            }
        }
        Ok(())
    }

    /// Reads once; true if there may be more.
    pub fn fill(&mut self) -> Result<bool> {
        if self.taken > 0 {
            self.received.copy_within(self.taken..self.filled, 0);
            self.filled -= self.taken;
            self.taken = 0;
        }
        let wanted = self.filled + READ_BYTES;
        if self.received.len() < wanted {
            // Grows with what arrived, never with what was announced.
            let doubled = wanted.max(self.filled * 2);
            self.received.resize(doubled.min(self.filled + GROWTH_BYTES_MAX), 0);
        }
        match self.stream.read(&mut self.received[self.filled..]) {
            Ok(0) => bail!("{} closed the connection", self.address),
            Ok(count) => {
                self.filled += count;
                Ok(self.filled == self.received.len())
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(true),
            Err(error) => Err(self.broken(error)),
        }
    }

    /// Reads while it is set up: an error where nothing comes in time.
    pub fn wait(&mut self) -> Result<()> {
        let before = self.received().len();
        while self.received().len() == before {
            let may_have_more = self.fill()?;
            if self.received().len() == before && !may_have_more {
                bail!("{} does not answer", self.address);
            }
        }
        Ok(())
    }

    /// What has arrived and was not consumed.
    pub fn received(&self) -> &[u8] {
        &self.received[self.taken..self.filled]
    }

    /// Drops the first `count` bytes of [`received`](Self::received).
    pub fn consume(&mut self, count: usize) {
        self.taken += count;
    }

    fn broken(&self, error: io::Error) -> anyhow::Error {
        anyhow!("the connection to {} broke: {error}", self.address)
    }
}

fn open(address: &Address, patience: Duration) -> Result<TcpStream> {
    let candidates = (address.host.as_str(), address.port)
        .to_socket_addrs()
        .with_context(|| format!("{} has no address", address.host))?;
    let mut last = anyhow!("{} has no address", address.host);
    for candidate in candidates {
        match TcpStream::connect_timeout(&candidate, patience) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = anyhow!("cannot connect to {address}: {error}"),
        }
    }
    Err(last)
}
