//! The simulated network: duplex streams in memory, with delays.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use super::disk::SimFile;
use super::executor::Core;
use crate::runtime::memory::{AlignedBuf, Piece};
use crate::runtime::net::RecvBytes;
use crate::runtime::sync::{Event, Queue};

/// Bytes on their way before a sender has to wait.
const WINDOW_BYTES: usize = 256 * 1024;
/// Connections that wait to be accepted.
const BACKLOG: usize = 1024;

type Accepting = Rc<Queue<(SimStream, SocketAddr)>>;

/// Who listens where.
#[derive(Default)]
pub(super) struct Network {
    listeners: RefCell<BTreeMap<SocketAddr, Accepting>>,
    port_next: Cell<u16>,
}

/// One direction of a stream.
#[derive(Default)]
struct Pipe {
    bytes: RefCell<VecDeque<u8>>,
    closed: Cell<bool>,
    changed: Event,
}

impl Pipe {
    fn close(&self) {
        self.closed.set(true);
        self.changed.notify_all();
    }
}

/// A node's view of the network.
#[derive(Clone)]
pub struct SimNet {
    core: Rc<Core>,
}

/// A listening address.
pub struct SimListener {
    core: Rc<Core>,
    address: SocketAddr,
    waiting: Accepting,
}

/// Both ends of one side of a stream; closes its pipes when the last clone is gone.
struct Ends {
    incoming: Rc<Pipe>,
    outgoing: Rc<Pipe>,
    peer: SocketAddr,
}

impl Drop for Ends {
    fn drop(&mut self) {
        self.incoming.close();
        self.outgoing.close();
    }
}

/// One side of a stream.
#[derive(Clone)]
pub struct SimStream {
    core: Rc<Core>,
    ends: Rc<Ends>,
}

/// A stream between two nodes.
pub struct SimDetached(SimStream);

impl SimNet {
    pub(super) fn new(core: &Rc<Core>) -> SimNet {
        SimNet { core: core.clone() }
    }

    pub(in crate::runtime) fn listen(
        &self,
        mut address: SocketAddr,
        reuse_port: bool,
    ) -> io::Result<SimListener> {
        let network = &self.core.network;
        if address.port() == 0 {
            network.port_next.set(network.port_next.get() + 1);
            address.set_port(40_000 + network.port_next.get());
        }
        let mut listeners = network.listeners.borrow_mut();
        let waiting = match listeners.get(&address) {
            Some(_) if !reuse_port => return Err(io::Error::from(io::ErrorKind::AddrInUse)),
            Some(waiting) => waiting.clone(),
            None => {
                let waiting = Rc::new(Queue::new(BACKLOG));
                listeners.insert(address, waiting.clone());
                waiting
            }
        };
        Ok(SimListener { core: self.core.clone(), address, waiting })
    }

    pub(in crate::runtime) async fn connect(&self, address: SocketAddr) -> io::Result<SimStream> {
        self.core.delay(Duration::ZERO, self.core.options.net_latency_max).await;
        let waiting = self.core.network.listeners.borrow().get(&address).cloned();
        let refused = || io::Error::from(io::ErrorKind::ConnectionRefused);
        let waiting = waiting.ok_or_else(refused)?;
        let network = &self.core.network;
        network.port_next.set(network.port_next.get() + 1);
        let own = SocketAddr::from(([127, 0, 0, 1], 40_000 + network.port_next.get()));
        let (there, back) = (Rc::new(Pipe::default()), Rc::new(Pipe::default()));
        let side = |incoming: &Rc<Pipe>, outgoing: &Rc<Pipe>, peer| SimStream {
            core: self.core.clone(),
            ends: Rc::new(Ends { incoming: incoming.clone(), outgoing: outgoing.clone(), peer }),
        };
        waiting.try_push((side(&there, &back, own), own)).map_err(|_| refused())?;
        Ok(side(&back, &there, address))
    }

    pub(in crate::runtime) fn attach(&self, stream: SimDetached) -> SimStream {
        SimStream { core: self.core.clone(), ends: stream.0.ends }
    }
}

impl SimListener {
    pub(in crate::runtime) async fn accept(&self) -> io::Result<(SimStream, SocketAddr)> {
        self.waiting.pop().await.ok_or_else(|| io::Error::from(io::ErrorKind::ConnectionAborted))
    }

    pub(in crate::runtime) fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}

impl Drop for SimListener {
    fn drop(&mut self) {
        // Two handles are left when this is the last listener: the map's and this one.
        if Rc::strong_count(&self.waiting) == 2 {
            self.core.network.listeners.borrow_mut().remove(&self.address);
        }
    }
}

impl SimStream {
    async fn take(&self, count_max: usize) -> Vec<u8> {
        loop {
            let incoming = &self.ends.incoming;
            let changed = incoming.changed.listen();
            {
                let mut bytes = incoming.bytes.borrow_mut();
                if !bytes.is_empty() {
                    let count = count_max.min(bytes.len());
                    let taken = bytes.drain(..count).collect();
                    incoming.changed.notify_all();
                    return taken;
                }
            }
            if incoming.closed.get() {
                return Vec::new();
            }
            changed.await;
        }
    }

    pub(in crate::runtime) async fn recv(&self) -> io::Result<RecvBytes> {
        let count_max = 1 + self.core.random.below(16 * 1024) as usize;
        Ok(RecvBytes::from(self.take(count_max).await))
    }

    pub(in crate::runtime) async fn recv_exact(
        &self,
        mut body: Vec<u8>,
        mut from: usize,
    ) -> (Vec<u8>, io::Result<()>) {
        while from < body.len() {
            let taken = self.take(body.len() - from).await;
            if taken.is_empty() {
                return (body, Err(io::Error::from(io::ErrorKind::UnexpectedEof)));
            }
            body[from..from + taken.len()].copy_from_slice(&taken);
            from += taken.len();
        }
        (body, Ok(()))
    }

    pub(in crate::runtime) async fn send(&self, pieces: Vec<Piece>) -> io::Result<()> {
        self.core.delay(Duration::ZERO, self.core.options.net_latency_max).await;
        let outgoing = &self.ends.outgoing;
        for piece in pieces {
            for part in piece.chunks(WINDOW_BYTES) {
                loop {
                    let changed = outgoing.changed.listen();
                    if outgoing.closed.get() {
                        return Err(io::Error::from(io::ErrorKind::BrokenPipe));
                    }
                    if outgoing.bytes.borrow().len() < WINDOW_BYTES {
                        break;
                    }
                    changed.await;
                }
                outgoing.bytes.borrow_mut().extend(part);
                outgoing.changed.notify_all();
            }
        }
        Ok(())
    }

    pub(in crate::runtime) async fn send_file(
        &self,
        file: &SimFile,
        offset: u64,
        len: usize,
    ) -> io::Result<()> {
        let (buffer, result) = file.read_at(AlignedBuf::zeroed(len), offset).await;
        if result? < len {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
        }
        self.send(vec![Piece::Aligned(buffer, 0..len)]).await
    }

    pub(in crate::runtime) fn shutdown(&self) {
        self.ends.incoming.close();
        self.ends.outgoing.close();
    }

    pub(in crate::runtime) fn peer_addr(&self) -> SocketAddr {
        self.ends.peer
    }

    pub(in crate::runtime) fn detach(self) -> Option<SimDetached> {
        (Rc::strong_count(&self.ends) == 1).then_some(SimDetached(self))
    }
}
