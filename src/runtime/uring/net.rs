//! Sockets on the shard's ring.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;

use io_uring::types::Fd;
use io_uring::{cqueue, opcode, squeue};

use super::file::UringFile;
use super::handle::UringHandle;
use super::operation::Operation;
use super::receive_pool::{BUFFER_BYTES, GROUP, ReceivePool};
use super::ring::{Completion, Held};
use super::socket::{self, RawAddress};
use crate::model::limits::ACCEPTS_IN_FLIGHT_MAX;
use crate::model::units::MIB;
use crate::runtime::memory::Piece;
use crate::runtime::net::RecvBytes;

/// Slices that one system call takes (Linux: UIO_MAXIOV).
const SLICES_MAX: usize = 1024;
/// What is handed to a socket from a file in one turn: about 0.1 ms of copying.
const SEND_FILE_STEP: usize = 256 * 1024;

/// What of a file is read ahead of its readers.
const READ_AHEAD_BYTES: u64 = MIB as u64;

/// A descriptor that is closed when nothing, not even an operation in flight, uses it.
pub(super) type Descriptor = Rc<OwnedFd>;

/// The sockets of one thread.
#[derive(Clone)]
pub struct UringNet(UringHandle);

/// A connected socket that belongs to no thread.
pub struct UringDetached {
    socket: OwnedFd,
    peer: SocketAddr,
}

impl UringNet {
    pub(in crate::runtime) fn new(handle: UringHandle) -> UringNet {
        UringNet(handle)
    }

    pub(in crate::runtime) fn listen(
        &self,
        address: SocketAddr,
        reuse_port: bool,
    ) -> io::Result<UringListener> {
        UringListener::new(self.0.clone(), address, reuse_port)
    }

    pub(in crate::runtime) async fn connect(&self, address: SocketAddr) -> io::Result<UringStream> {
        UringStream::connect(self.0.clone(), address).await
    }

    pub(in crate::runtime) fn attach(&self, stream: UringDetached) -> UringStream {
        let stream = UringStream::new(self.0.clone(), stream.socket, stream.peer);
        // Its other thread may have left bytes behind.
        stream.more.set(true);
        stream
    }
}

/// A listening socket with a few accepts in flight.
pub struct UringListener {
    handle: UringHandle,
    accepts: RefCell<Vec<Operation<Accepting>>>,
    local: SocketAddr,
    socket: Descriptor,
}

/// What an accept holds.
struct Accepting {
    _listener: Descriptor,
}

impl Held for Accepting {
    fn discard(self, completion: Completion) {
        drop(completion.descriptor());
    }
}

impl UringListener {
    pub(super) fn new(
        handle: UringHandle,
        address: SocketAddr,
        reuse_port: bool,
    ) -> io::Result<UringListener> {
        let socket = socket::listening_socket(address, reuse_port)?;
        let local = socket::local_address(&socket)?;
        Ok(UringListener { handle, accepts: RefCell::default(), local, socket: Rc::new(socket) })
    }

    pub(in crate::runtime) fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// The next connection; an error concerns that one only, or says that descriptors are short.
    pub(in crate::runtime) async fn accept(&self) -> io::Result<(UringStream, SocketAddr)> {
        loop {
            let completion = self.next().await;
            let socket = completion.descriptor()?;
            // A peer that is gone already has no address any more.
            let Ok(peer) = socket::peer_address(&socket) else { continue };
            return Ok((UringStream::new(self.handle.clone(), socket, peer), peer));
        }
    }

    /// Keeps the accepts in flight, and waits for one of them.
    async fn next(&self) -> Completion {
        {
            let mut accepts = self.accepts.borrow_mut();
            while accepts.len() < ACCEPTS_IN_FLIGHT_MAX {
                let null = std::ptr::null_mut();
                let entry = opcode::Accept::new(fd(&self.socket), null, null.cast())
                    .flags(libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC)
                    .build();
                let held = Accepting { _listener: self.socket.clone() };
                // SAFETY: the entry holds no address.
                accepts.push(unsafe { self.handle.ring().submit(entry, held) });
            }
        }
        poll_fn(|context| {
            let mut accepts = self.accepts.borrow_mut();
            for place in 0..accepts.len() {
                if let Poll::Ready((completion, _)) = Pin::new(&mut accepts[place]).poll(context) {
                    // The oldest stay in front.
                    drop(accepts.remove(place));
                    return Poll::Ready(completion);
                }
            }
            Poll::Pending
        })
        .await
    }
}

/// One connection; clones are the same one, so that a task may receive while another sends.
#[derive(Clone)]
pub struct UringStream {
    handle: UringHandle,
    socket: Descriptor,
    peer: SocketAddr,
    /// Whether the last receive left bytes behind.
    more: Rc<Cell<bool>>,
}

/// A message that is being sent: what the kernel reads, and the slices that point into it.
struct Message {
    header: libc::msghdr,
    slices: Vec<libc::iovec>,
    pieces: Vec<Piece>,
}

/// What a send holds.
struct Sending {
    _socket: Descriptor,
    message: Box<Message>,
}

/// What a send of one piece holds.
struct SendingOne {
    _socket: Descriptor,
    piece: Piece,
}

/// What a receive into an owned buffer holds.
struct ReceivingExact {
    _socket: Descriptor,
    buffer: Vec<u8>,
}

/// What an operation without memory holds.
pub(super) struct Holding<T>(pub(super) T);

/// What a receive from the pool holds.
struct Receiving {
    _socket: Descriptor,
    pool: ReceivePool,
}

/// What a connect holds.
struct Connecting {
    _socket: Descriptor,
    _address: Box<RawAddress>,
}

impl Held for Sending {
    fn discard(self, _: Completion) {}
}
impl Held for SendingOne {
    fn discard(self, _: Completion) {}
}
impl Held for ReceivingExact {
    fn discard(self, _: Completion) {}
}
impl Held for Connecting {
    fn discard(self, _: Completion) {}
}
impl<T: 'static> Held for Holding<T> {
    fn discard(self, _: Completion) {}
}
impl Held for Receiving {
    fn discard(self, completion: Completion) {
        drop(self.pool.take(completion));
    }
}

impl UringStream {
    pub(super) fn new(handle: UringHandle, socket: OwnedFd, peer: SocketAddr) -> UringStream {
        UringStream { handle, socket: Rc::new(socket), peer, more: Rc::default() }
    }

    pub(super) async fn connect(
        handle: UringHandle,
        address: SocketAddr,
    ) -> io::Result<UringStream> {
        let socket: Descriptor = Rc::new(socket::tcp_socket(address)?);
        let raw = Box::new(RawAddress::new(address));
        let entry =
            opcode::Connect::new(self::fd(&socket), (&raw const raw.storage).cast(), raw.bytes)
                .build();
        let held = Connecting { _socket: socket.clone(), _address: raw };
        // SAFETY: the address is boxed and held.
        let (completion, _) = unsafe { handle.ring().submit(entry, held) }.await;
        completion.value()?;
        Ok(UringStream { handle, socket, peer: address, more: Rc::default() })
    }

    pub(in crate::runtime) fn peer_addr(&self) -> SocketAddr {
        self.peer
    }

    /// Ends both directions; a pending receive sees the end of the stream.
    pub(in crate::runtime) fn shutdown(&self) {
        // The only error is that the peer has ended the connection already.
        drop(socket::shut_down(&self.socket));
    }

    /// Waits for bytes; an empty answer is the end of the stream.
    pub(in crate::runtime) async fn recv(&self) -> io::Result<RecvBytes> {
        loop {
            let pool = self.handle.receive_pool();
            let mut receive =
                opcode::Recv::new(fd(&self.socket), std::ptr::null_mut(), 0).buf_group(GROUP);
            if !self.more.get() {
                receive = receive.ioprio(POLL_FIRST);
            }
            let entry = receive.build().flags(squeue::Flags::BUFFER_SELECT);
            let held = Receiving { _socket: self.socket.clone(), pool: pool.clone() };
            // SAFETY: the entry holds no address; the pool's buffers live as long as the pool.
            let (completion, _) = unsafe { self.handle.ring().submit(entry, held) }.await;
            match pool.take(completion) {
                Ok(bytes) => {
                    self.more.set(cqueue::sock_nonempty(completion.flags));
                    return Ok(RecvBytes::Pool(bytes));
                }
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => {
                    return self.recv_owned().await.map(RecvBytes::Owned);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Receives bytes that are there already, while all of the pool is in use: waiting for it
    /// could be for ever, if those who hold its buffers wait for bytes as well.
    async fn recv_owned(&self) -> io::Result<Vec<u8>> {
        let mut buffer = vec![0; BUFFER_BYTES];
        loop {
            let bytes = buffer.len() as u32;
            let entry = opcode::Recv::new(fd(&self.socket), buffer.as_mut_ptr(), bytes).build();
            let held = ReceivingExact { _socket: self.socket.clone(), buffer };
            // SAFETY: the bytes are the heap memory of the vector, which is held.
            let (completion, held) = unsafe { self.handle.ring().submit(entry, held) }.await;
            buffer = held.buffer;
            match completion.value() {
                Ok(bytes) => {
                    buffer.truncate(bytes as usize);
                    self.more.set(cqueue::sock_nonempty(completion.flags));
                    return Ok(buffer);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Receives exactly `missing` bytes to the end of `buffer`, straight from the socket. Memory that nothing has
    /// arrived for is reserved but not touched.
    pub(in crate::runtime) async fn recv_exact(
        &self,
        mut buffer: Vec<u8>,
        missing: usize,
    ) -> (Vec<u8>, io::Result<()>) {
        let whole = buffer.len() + missing;
        buffer.reserve_exact(missing);
        while buffer.len() < whole {
            let missing = whole - buffer.len();
            let rest = &mut buffer.spare_capacity_mut()[..missing];
            let bytes = u32::try_from(missing).unwrap_or(u32::MAX);
            let entry = opcode::Recv::new(fd(&self.socket), rest.as_mut_ptr().cast(), bytes)
                .flags(libc::MSG_WAITALL)
                .build();
            let held = ReceivingExact { _socket: self.socket.clone(), buffer };
            // SAFETY: the bytes are the heap memory of the vector, which is held.
            let (completion, held) = unsafe { self.handle.ring().submit(entry, held) }.await;
            buffer = held.buffer;
            self.more.set(cqueue::sock_nonempty(completion.flags));
            match completion.value() {
                Ok(0) => return (buffer, Err(io::ErrorKind::UnexpectedEof.into())),
                Ok(bytes) => {
                    let arrived = buffer.len() + bytes as usize;
                    // SAFETY: the kernel has written so many bytes behind the ones that were there, and no more
                    // than it was given.
                    unsafe { buffer.set_len(arrived.min(whole)) }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return (buffer, Err(error)),
            }
        }
        (buffer, Ok(()))
    }

    /// Sends all of `pieces`.
    pub(in crate::runtime) async fn send(&self, mut pieces: Vec<Piece>) -> io::Result<()> {
        if pieces.len() == 1
            && let Some(piece) = pieces.pop()
        {
            return self.send_one(piece).await;
        }
        let mut message = Message::new(pieces);
        loop {
            message.header.msg_iov = message.slices.as_mut_ptr();
            message.header.msg_iovlen = message.slices.len().min(SLICES_MAX);
            if message.slices.is_empty() {
                return Ok(());
            }
            let entry = opcode::SendMsg::new(fd(&self.socket), &raw const message.header)
                .flags((libc::MSG_WAITALL | libc::MSG_NOSIGNAL) as u32)
                .build();
            let held = Sending { _socket: self.socket.clone(), message };
            // SAFETY: header, slices and pieces are heap memory of the message, which is held.
            let (completion, held) = unsafe { self.handle.ring().submit(entry, held) }.await;
            message = held.message;
            match completion.value() {
                Ok(bytes) => message.advance(bytes as usize),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// The usual answer is one piece: no header and no slices are needed.
    async fn send_one(&self, mut piece: Piece) -> io::Result<()> {
        let mut sent = 0;
        while sent < piece.len() {
            let rest = &piece[sent..];
            let bytes = u32::try_from(rest.len()).unwrap_or(u32::MAX);
            let entry = opcode::Send::new(fd(&self.socket), rest.as_ptr(), bytes)
                .flags(libc::MSG_WAITALL | libc::MSG_NOSIGNAL)
                .build();
            let held = SendingOne { _socket: self.socket.clone(), piece };
            // SAFETY: a piece's bytes stay where they are when it is moved, and it is held.
            let (completion, held) = unsafe { self.handle.ring().submit(entry, held) }.await;
            piece = held.piece;
            match completion.value() {
                Ok(bytes) => sent += bytes as usize,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Sends `bytes` of `file` from `offset`: without a copy through this process, in steps, each
    /// of them only when its pages are in memory. What follows is read meanwhile: who reads a file to
    /// its end asks for it next.
    pub(in crate::runtime) async fn send_file(
        &self,
        file: &UringFile,
        mut offset: u64,
        bytes: u64,
    ) -> io::Result<()> {
        let end = offset + bytes;
        let mut resident = offset;
        file.read_ahead(offset, bytes).await?;
        file.read_ahead(end, READ_AHEAD_BYTES).await?;
        while offset < end {
            if offset >= resident {
                resident = end.min(offset + SEND_FILE_STEP as u64);
                file.wait_resident(offset, resident - offset).await?;
            }
            let step = (resident - offset) as usize;
            match socket::send_file(&self.socket, file.descriptor(), offset, step) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(sent) => {
                    offset += sent as u64;
                    self.handle.yield_now().await;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.writable().await?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    async fn writable(&self) -> io::Result<()> {
        let entry = opcode::PollAdd::new(fd(&self.socket), libc::POLLOUT as u32).build();
        // SAFETY: the entry holds no address.
        let poll = unsafe { self.handle.ring().submit(entry, Holding(self.socket.clone())) };
        poll.await.0.value().map(drop)
    }

    /// Takes the socket out of this shard; none, and the stream is closed, while something else
    /// still uses it.
    pub(in crate::runtime) fn detach(self) -> Option<UringDetached> {
        let peer = self.peer;
        Rc::try_unwrap(self.socket).ok().map(|socket| UringDetached { socket, peer })
    }
}

/// Poll before the first try (IORING_RECVSEND_POLL_FIRST): a request that was just answered is
/// seldom followed by the next one at once.
const POLL_FIRST: u16 = 1;

impl Message {
    fn new(pieces: Vec<Piece>) -> Box<Message> {
        let slices = pieces
            .iter()
            .filter(|piece| !piece.is_empty())
            .map(|piece| libc::iovec {
                iov_base: piece.as_ptr().cast_mut().cast(),
                iov_len: piece.len(),
            })
            .collect();
        // SAFETY: all zeros is a valid msghdr: no name, no slices, no control data.
        let header = unsafe { std::mem::zeroed() };
        Box::new(Message { header, slices, pieces })
    }

    /// Leaves out the first `bytes` that were sent.
    fn advance(&mut self, bytes: usize) {
        advance(&mut self.slices, bytes);
        if self.slices.is_empty() {
            self.pieces.clear();
        }
    }
}

/// Leaves out the first `bytes` of `slices`.
pub(super) fn advance(slices: &mut Vec<libc::iovec>, mut bytes: usize) {
    let whole = slices
        .iter()
        .take_while(|slice| {
            let taken = slice.iov_len <= bytes;
            if taken {
                bytes -= slice.iov_len;
            }
            taken
        })
        .count();
    slices.drain(..whole);
    if let Some(first) = slices.first_mut() {
        first.iov_base = first.iov_base.wrapping_byte_add(bytes);
        first.iov_len -= bytes;
    }
}

pub(super) fn fd(descriptor: &OwnedFd) -> Fd {
    Fd(descriptor.as_raw_fd())
}
