//! Listening sockets and streams, real or simulated.

use std::io;
use std::net::SocketAddr;
use std::ops::Deref;

use super::disk::File;
use super::memory::Piece;
use super::on_thread::OnThread;
use super::sim;
use super::uring::{PoolBytes, UringDetached, UringListener, UringNet, UringStream};

/// The network of one thread.
#[derive(Clone)]
pub enum Net {
    /// The machine's own.
    Uring(UringNet),
    /// Simulated.
    Sim(sim::SimNet),
}

/// A listening socket.
pub enum Listener {
    /// On the ring of its thread.
    Uring(UringListener),
    /// Simulated.
    Sim(sim::SimListener),
}

/// A connected stream; clones are the same one, closed with the last of them. Receiving and
/// sending may wait at the same time.
#[derive(Clone)]
pub enum Stream {
    /// On the ring of its thread.
    Uring(UringStream),
    /// Simulated.
    Sim(sim::SimStream),
}

/// A stream on its way to another thread.
pub enum DetachedStream {
    /// A socket.
    Uring(UringDetached),
    /// Simulated.
    Sim(OnThread<sim::SimDetached>),
}

/// What one receive brought; the end of the stream is empty.
#[derive(Debug)]
pub enum RecvBytes {
    /// A buffer of the thread's pool, which goes back when this is dropped.
    Pool(PoolBytes),
    /// An owned vector.
    Owned(Vec<u8>),
}

impl From<Vec<u8>> for RecvBytes {
    fn from(bytes: Vec<u8>) -> RecvBytes {
        RecvBytes::Owned(bytes)
    }
}

impl Deref for RecvBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            RecvBytes::Pool(bytes) => bytes,
            RecvBytes::Owned(bytes) => bytes,
        }
    }
}

impl Net {
    /// Listens on an address; with `reuse_port` other threads may listen on it as well.
    ///
    /// # Errors
    /// Where the address is in use or not this machine's.
    pub fn listen(&self, address: SocketAddr, reuse_port: bool) -> io::Result<Listener> {
        match self {
            Net::Uring(net) => net.listen(address, reuse_port).map(Listener::Uring),
            Net::Sim(net) => net.listen(address, reuse_port).map(Listener::Sim),
        }
    }

    /// Connects to an address.
    ///
    /// # Errors
    /// Where nobody listens there, or the network refuses.
    pub async fn connect(&self, address: SocketAddr) -> io::Result<Stream> {
        match self {
            Net::Uring(net) => net.connect(address).await.map(Stream::Uring),
            Net::Sim(net) => net.connect(address).await.map(Stream::Sim),
        }
    }

    /// Takes over a stream that another thread has detached.
    pub fn attach(&self, stream: DetachedStream) -> io::Result<Stream> {
        match (self, stream) {
            (Net::Uring(net), DetachedStream::Uring(stream)) => {
                Ok(Stream::Uring(net.attach(stream)))
            }
            (Net::Sim(net), DetachedStream::Sim(stream)) => {
                Ok(Stream::Sim(net.attach(stream.into_inner())))
            }
            _ => Err(other_machine()),
        }
    }
}

impl Listener {
    /// The next connection and its peer.
    pub async fn accept(&self) -> io::Result<(Stream, SocketAddr)> {
        match self {
            Listener::Uring(listener) => {
                let (stream, peer) = listener.accept().await?;
                Ok((Stream::Uring(stream), peer))
            }
            Listener::Sim(listener) => {
                let (stream, peer) = listener.accept().await?;
                Ok((Stream::Sim(stream), peer))
            }
        }
    }

    /// The address it listens on.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        match self {
            Listener::Uring(listener) => Ok(listener.local_addr()),
            Listener::Sim(listener) => listener.local_addr(),
        }
    }
}

impl Stream {
    /// Whatever has arrived, at least one byte; empty at the end of the stream.
    ///
    /// # Errors
    /// Where the connection broke.
    pub async fn recv(&self) -> io::Result<RecvBytes> {
        match self {
            Stream::Uring(stream) => stream.recv().await,
            Stream::Sim(stream) => stream.recv().await,
        }
    }

    /// Receives exactly `missing` bytes to the end of `body`, without another copy.
    ///
    /// # Errors
    /// `UnexpectedEof` where the stream ends before; what has come is in the vector.
    pub async fn recv_exact(&self, body: Vec<u8>, missing: usize) -> (Vec<u8>, io::Result<()>) {
        match self {
            Stream::Uring(stream) => stream.recv_exact(body, missing).await,
            Stream::Sim(stream) => stream.recv_exact(body, missing).await,
        }
    }

    /// Sends all pieces.
    ///
    /// # Errors
    /// Where the connection broke: how much the peer has got is not known.
    pub async fn send(&self, pieces: Vec<Piece>) -> io::Result<()> {
        match self {
            Stream::Uring(stream) => stream.send(pieces).await,
            Stream::Sim(stream) => stream.send(pieces).await,
        }
    }

    /// Sends a range of a file without copying it through memory of ours.
    pub async fn send_file(&self, file: &File, offset: u64, len: usize) -> io::Result<()> {
        match (self, file) {
            (Stream::Uring(stream), File::Uring(file)) => {
                stream.send_file(file, offset, len as u64).await
            }
            (Stream::Sim(stream), File::Sim(file)) => stream.send_file(file, offset, len).await,
            _ => Err(other_machine()),
        }
    }

    /// Ends both directions; a waiting receive or send ends.
    pub fn shutdown(&self) {
        match self {
            Stream::Uring(stream) => stream.shutdown(),
            Stream::Sim(stream) => stream.shutdown(),
        }
    }

    /// The peer's address.
    pub fn peer_addr(&self) -> SocketAddr {
        match self {
            Stream::Uring(stream) => stream.peer_addr(),
            Stream::Sim(stream) => stream.peer_addr(),
        }
    }

    /// Frees the stream for another thread; `None` while anything is in flight or cloned.
    pub fn detach(self) -> Option<DetachedStream> {
        match self {
            Stream::Uring(stream) => stream.detach().map(DetachedStream::Uring),
            Stream::Sim(stream) => stream.detach().map(OnThread::new).map(DetachedStream::Sim),
        }
    }
}

fn other_machine() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "the two belong to different machines")
}
