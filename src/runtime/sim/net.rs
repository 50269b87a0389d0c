//! Connections between simulated executors: ordered bytes with delays, cuts and small reads.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::rc::{Rc, Weak};

use bytes::{Bytes, BytesMut};

use super::disk::SimFile;
use super::executor::sleep_until;
use super::faults::Fault;
use super::host::HostCore;
use super::world::WorldCore;
use crate::runtime::memory::{AlignedBuf, Piece};
use crate::runtime::net::RecvBytes;
use crate::runtime::sync::Event;

/// The first port that is given to who asks for any.
const FIRST_PORT: u16 = 32_768;
/// How many times their usual time slow bytes are on their way.
const SLOW_FACTOR: u64 = 200;
/// Bytes of a file that one step of a send reads.
const SEND_FILE_BYTES: usize = 64 * 1024;

#[derive(Default)]
pub(super) struct Network {
    listeners: RefCell<BTreeMap<SocketAddr, Vec<Rc<ListenerCore>>>>,
    ends: RefCell<Vec<Weak<End>>>,
    ports: Cell<u16>,
    slow: Cell<f64>,
}

impl Network {
    fn free_port(&self) -> u16 {
        let port = self.ports.get().max(FIRST_PORT);
        self.ports.set(port.wrapping_add(1));
        port
    }

    pub(super) fn clear(&self) {
        let listeners = std::mem::take(&mut *self.listeners.borrow_mut());
        drop(listeners);
    }

    /// Closes what a process has left open, as its kernel does.
    pub(super) fn end_process(&self, world: &WorldCore, host: u64) {
        self.listeners.borrow_mut().retain(|_, cores| {
            cores.retain(|core| core.host != host);
            !cores.is_empty()
        });
        self.cut(world, |end| end.host == host, false);
    }

    /// Lets a share of everything that is sent be slow.
    pub(super) fn set_slow(&self, share: f64) {
        self.slow.set(share);
    }

    /// The time of one way.
    fn delay(&self, world: &WorldCore) -> u64 {
        let delay = world.pick(&world.options.net.delay_ns);
        if !world.chance(self.slow.get()) {
            return delay;
        }
        world.count_fault(Fault::SlowNetwork);
        delay * SLOW_FACTOR
    }

    /// Cuts one connection, whichever it is.
    pub(super) fn cut_one(&self, world: &WorldCore) {
        let mut ends: Vec<Rc<End>> = self.ends.borrow().iter().filter_map(Weak::upgrade).collect();
        ends.retain(|end| !end.incoming.is_broken.get() && !end.outgoing.is_broken.get());
        if ends.is_empty() {
            return;
        }
        let chosen = Rc::as_ptr(&ends[world.below(ends.len() as u64) as usize]);
        self.cut(world, |end| std::ptr::eq(end, chosen), true);
    }

    /// Cuts the connections of which `wanted` an end.
    pub(super) fn cut(&self, world: &WorldCore, wanted: impl Fn(&End) -> bool, count: bool) {
        let ends: Vec<Rc<End>> = self.ends.borrow().iter().filter_map(Weak::upgrade).collect();
        for end in ends.iter().filter(|end| wanted(end)) {
            if end.incoming.is_broken.get() && end.outgoing.is_broken.get() {
                continue;
            }
            end.incoming.break_off();
            end.outgoing.break_off();
            world.record("cut", end.host, 0);
            if count {
                world.count_fault(Fault::Cut);
            }
        }
        self.ends.borrow_mut().retain(|end| end.strong_count() > 0);
    }
}

struct ListenerCore {
    host: u64,
    waiting: RefCell<VecDeque<(Rc<End>, SocketAddr)>>,
    arrived: Event,
}

/// One direction of a connection.
#[derive(Default)]
struct Pipe {
    segments: RefCell<VecDeque<(u64, Bytes)>>,
    bytes: Cell<usize>,
    last_arrival: Cell<u64>,
    /// The sender sends nothing more.
    is_finished: Cell<bool>,
    /// The connection is gone, with what was under way.
    is_broken: Cell<bool>,
    changed: Event,
}

impl Pipe {
    fn break_off(&self) {
        self.is_broken.set(true);
        self.segments.borrow_mut().clear();
        self.changed.notify_all();
    }

    fn finish(&self) {
        self.is_finished.set(true);
        self.changed.notify_all();
    }
}

/// One end of a connection.
pub(super) struct End {
    world: Rc<WorldCore>,
    host: u64,
    peer: SocketAddr,
    incoming: Rc<Pipe>,
    outgoing: Rc<Pipe>,
    operations: Cell<usize>,
}

impl End {
    pub(super) fn host(&self) -> u64 {
        self.host
    }
}

impl Drop for End {
    fn drop(&mut self) {
        self.outgoing.finish();
        if !self.incoming.is_finished.get() || self.incoming.bytes.get() > 0 {
            // What nobody will read breaks the connection, as TCP's reset does.
            self.incoming.break_off();
        }
    }
}

struct Operation<'a>(&'a End);

impl<'a> Operation<'a> {
    fn new(end: &'a End) -> Self {
        end.operations.set(end.operations.get() + 1);
        Operation(end)
    }
}

impl Drop for Operation<'_> {
    fn drop(&mut self) {
        self.0.operations.set(self.0.operations.get() - 1);
    }
}

/// The simulated arm of [`Net`](crate::runtime::net::Net).
#[derive(Clone)]
pub struct SimNet {
    host: Rc<HostCore>,
}

impl SimNet {
    pub(super) fn new(host: Rc<HostCore>) -> Self {
        SimNet { host }
    }

    fn network(&self) -> &Network {
        &self.host.world.network
    }

    pub(in crate::runtime) fn listen(
        &self,
        mut address: SocketAddr,
        reuse_port: bool,
    ) -> io::Result<SimListener> {
        if address.port() == 0 {
            address.set_port(self.network().free_port());
        }
        let mut listeners = self.network().listeners.borrow_mut();
        let cores = listeners.entry(address).or_default();
        if cores.iter().any(|core| !reuse_port || core.host != self.host.number) {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        let core = Rc::new(ListenerCore {
            host: self.host.number,
            waiting: RefCell::default(),
            arrived: Event::new(),
        });
        cores.push(Rc::clone(&core));
        drop(listeners);
        Ok(SimListener { world: Rc::clone(&self.host.world), core, address })
    }

    pub(in crate::runtime) async fn connect(&self, address: SocketAddr) -> io::Result<SimStream> {
        let world = &self.host.world;
        sleep_until(world, world.now() + 2 * world.pick(&world.options.net.delay_ns)).await;
        let core = {
            let listeners = self.network().listeners.borrow();
            let cores = listeners.get(&address).filter(|cores| !cores.is_empty());
            let cores = cores.ok_or(io::ErrorKind::ConnectionRefused)?;
            Rc::clone(&cores[world.below(cores.len() as u64) as usize])
        };
        let local = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), self.network().free_port());
        let (there, back) = (Rc::new(Pipe::default()), Rc::new(Pipe::default()));
        let end = |host, peer, incoming: &Rc<Pipe>, outgoing: &Rc<Pipe>| {
            let end = Rc::new(End {
                world: Rc::clone(world),
                host,
                peer,
                incoming: Rc::clone(incoming),
                outgoing: Rc::clone(outgoing),
                operations: Cell::new(0),
            });
            self.network().ends.borrow_mut().push(Rc::downgrade(&end));
            end
        };
        let accepted = end(core.host, local, &there, &back);
        core.waiting.borrow_mut().push_back((accepted, local));
        core.arrived.notify_one();
        world.record("connect", self.host.number, u64::from(local.port()));
        Ok(SimStream { end: end(self.host.number, address, &back, &there) })
    }

    pub(in crate::runtime) fn attach(&self, detached: SimDetached) -> SimStream {
        detached.0
    }
}

/// The simulated arm of [`Listener`](crate::runtime::net::Listener).
pub struct SimListener {
    world: Rc<WorldCore>,
    core: Rc<ListenerCore>,
    address: SocketAddr,
}

impl SimListener {
    pub(in crate::runtime) async fn accept(&self) -> io::Result<(SimStream, SocketAddr)> {
        loop {
            let arrived = self.core.arrived.listen();
            let waiting = self.core.waiting.borrow_mut().pop_front();
            if let Some((end, peer)) = waiting {
                return Ok((SimStream { end }, peer));
            }
            arrived.await;
        }
    }

    pub(in crate::runtime) fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}

impl Drop for SimListener {
    fn drop(&mut self) {
        let mut listeners = self.world.network.listeners.borrow_mut();
        if let Some(cores) = listeners.get_mut(&self.address) {
            cores.retain(|core| !Rc::ptr_eq(core, &self.core));
        }
        drop(listeners);
        let waiting = std::mem::take(&mut *self.core.waiting.borrow_mut());
        drop(waiting);
    }
}

/// The simulated arm of [`Stream`](crate::runtime::net::Stream).
#[derive(Clone)]
pub struct SimStream {
    end: Rc<End>,
}

impl SimStream {
    /// The next bytes, at most `bytes_max` of them; none at the end.
    async fn take(&self, bytes_max: usize) -> io::Result<Bytes> {
        let _operation = Operation::new(&self.end);
        let (world, pipe) = (&self.end.world, &self.end.incoming);
        loop {
            let changed = pipe.changed.listen();
            if pipe.is_broken.get() {
                return Err(io::ErrorKind::ConnectionReset.into());
            }
            let arrival = pipe.segments.borrow().front().map(|segment| segment.0);
            match arrival {
                Some(arrival) if arrival <= world.now() => return Ok(self.take_arrived(bytes_max)),
                None if pipe.is_finished.get() => return Ok(Bytes::new()),
                _ => changed.await,
            }
        }
    }

    fn take_arrived(&self, mut bytes_max: usize) -> Bytes {
        let (world, pipe) = (&self.end.world, &self.end.incoming);
        if bytes_max > 1 && world.chance(world.options.net.small_reads) {
            world.count_fault(Fault::SmallRead);
            bytes_max = 1 + world.below(bytes_max as u64) as usize;
        }
        let mut segments = pipe.segments.borrow_mut();
        let mut taken = BytesMut::new();
        while taken.len() < bytes_max {
            let Some((arrival, bytes)) = segments.front_mut() else { break };
            if *arrival > world.now() {
                break;
            }
            taken.extend_from_slice(&bytes.split_to(bytes.len().min(bytes_max - taken.len())));
            if bytes.is_empty() {
                segments.pop_front();
            }
        }
        drop(segments);
        pipe.bytes.set(pipe.bytes.get() - taken.len());
        pipe.changed.notify_all();
        world.record("receive", u64::from(self.end.peer.port()), taken.len() as u64);
        taken.freeze()
    }

    pub(in crate::runtime) async fn recv(&self) -> io::Result<RecvBytes> {
        let bytes = self.take(self.end.world.options.net.receive_bytes_max).await?;
        Ok(RecvBytes::Owned(bytes.to_vec()))
    }

    pub(in crate::runtime) async fn recv_exact(
        &self,
        mut buffer: Vec<u8>,
        missing: usize,
    ) -> (Vec<u8>, io::Result<()>) {
        let whole = buffer.len() + missing;
        while buffer.len() < whole {
            match self.take(whole - buffer.len()).await {
                Ok(bytes) if bytes.is_empty() => {
                    return (buffer, Err(io::ErrorKind::UnexpectedEof.into()));
                }
                Ok(bytes) => buffer.extend_from_slice(&bytes),
                Err(error) => return (buffer, Err(error)),
            }
        }
        (buffer, Ok(()))
    }

    pub(in crate::runtime) async fn send(&self, pieces: Vec<Piece>) -> io::Result<()> {
        let _operation = Operation::new(&self.end);
        for piece in &pieces {
            self.put(Bytes::copy_from_slice(piece)).await?;
        }
        Ok(())
    }

    /// Puts bytes on their way, waiting for room.
    async fn put(&self, mut bytes: Bytes) -> io::Result<()> {
        let (world, pipe) = (&self.end.world, &self.end.outgoing);
        while !bytes.is_empty() {
            let changed = pipe.changed.listen();
            if pipe.is_broken.get() || pipe.is_finished.get() {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            let room = world.options.net.window.saturating_sub(pipe.bytes.get());
            if room == 0 {
                changed.await;
                continue;
            }
            let part = bytes.split_to(room.min(bytes.len()));
            let arrival = world.now() + world.network.delay(world);
            let arrival = arrival.max(pipe.last_arrival.get());
            pipe.last_arrival.set(arrival);
            pipe.bytes.set(pipe.bytes.get() + part.len());
            world.record("send", u64::from(self.end.peer.port()), part.len() as u64);
            pipe.segments.borrow_mut().push_back((arrival, part));
            let arriving = Rc::clone(pipe);
            world.at(arrival, Box::new(move || arriving.changed.notify_all()));
        }
        Ok(())
    }

    pub(in crate::runtime) async fn send_file(
        &self,
        file: &SimFile,
        offset: u64,
        len: usize,
    ) -> io::Result<()> {
        let _operation = Operation::new(&self.end);
        let mut done = 0;
        while done < len {
            let part = SEND_FILE_BYTES.min(len - done);
            let (buffer, read) = file.read_at(AlignedBuf::zeroed(part), offset + done as u64).await;
            let read = read?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.put(Bytes::copy_from_slice(&buffer[..read.min(part)])).await?;
            done += read.min(part);
        }
        Ok(())
    }

    pub(in crate::runtime) fn shutdown(&self) {
        self.end.outgoing.finish();
        self.end.incoming.finish();
    }

    pub(in crate::runtime) fn peer_addr(&self) -> SocketAddr {
        self.end.peer
    }

    pub(in crate::runtime) fn detach(self) -> Option<SimDetached> {
        let idle = Rc::strong_count(&self.end) == 1 && self.end.operations.get() == 0;
        idle.then_some(SimDetached(self))
    }
}

/// The simulated arm of [`DetachedStream`](crate::runtime::net::DetachedStream).
pub struct SimDetached(SimStream);
