//! Plain socket calls: addresses, listening, descriptors that never block.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

/// Connections that the kernel holds until they are accepted.
const BACKLOG: libc::c_int = 1024;

/// A socket address as the kernel takes it.
pub(super) struct RawAddress {
    pub(super) storage: libc::sockaddr_storage,
    pub(super) bytes: libc::socklen_t,
}

impl RawAddress {
    pub(super) fn new(address: SocketAddr) -> RawAddress {
        // SAFETY: all zeros is a valid sockaddr_storage.
        let mut storage: libc::sockaddr_storage = unsafe { std::mem::zeroed() };
        let at: *mut libc::sockaddr_storage = &mut storage;
        let bytes = match address {
            SocketAddr::V4(v4) => {
                let raw = libc::sockaddr_in {
                    sin_family: libc::AF_INET as libc::sa_family_t,
                    sin_port: v4.port().to_be(),
                    sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(v4.ip().octets()) },
                    sin_zero: [0; 8],
                };
                // SAFETY: the storage is large enough and aligned for every socket address.
                unsafe { at.cast::<libc::sockaddr_in>().write(raw) };
                size_of::<libc::sockaddr_in>()
            }
            SocketAddr::V6(v6) => {
                let raw = libc::sockaddr_in6 {
                    sin6_family: libc::AF_INET6 as libc::sa_family_t,
                    sin6_port: v6.port().to_be(),
                    sin6_flowinfo: v6.flowinfo(),
                    sin6_addr: libc::in6_addr { s6_addr: v6.ip().octets() },
                    sin6_scope_id: v6.scope_id(),
                };
                // SAFETY: the storage is large enough and aligned for every socket address.
                unsafe { at.cast::<libc::sockaddr_in6>().write(raw) };
                size_of::<libc::sockaddr_in6>()
            }
        };
        RawAddress { storage, bytes: bytes as libc::socklen_t }
    }

    fn parse(&self) -> io::Result<SocketAddr> {
        let at: *const libc::sockaddr_storage = &self.storage;
        match i32::from(self.storage.ss_family) {
            libc::AF_INET => {
                // SAFETY: the family says that it is a sockaddr_in.
                let raw = unsafe { at.cast::<libc::sockaddr_in>().read() };
                let ip = Ipv4Addr::from(raw.sin_addr.s_addr.to_ne_bytes());
                Ok(SocketAddrV4::new(ip, u16::from_be(raw.sin_port)).into())
            }
            libc::AF_INET6 => {
                // SAFETY: the family says that it is a sockaddr_in6.
                let raw = unsafe { at.cast::<libc::sockaddr_in6>().read() };
                let ip = Ipv6Addr::from(raw.sin6_addr.s6_addr);
                let port = u16::from_be(raw.sin6_port);
                Ok(SocketAddrV6::new(ip, port, raw.sin6_flowinfo, raw.sin6_scope_id).into())
            }
            family => Err(io::Error::other(format!("a socket of family {family}"))),
        }
    }
}

type NameCall =
    unsafe extern "C" fn(RawFd, *mut libc::sockaddr, *mut libc::socklen_t) -> libc::c_int;

/// The local address of a socket.
pub(super) fn local_address(socket: &OwnedFd) -> io::Result<SocketAddr> {
    address(socket, libc::getsockname)
}

/// The address of a socket's peer.
pub(super) fn peer_address(socket: &OwnedFd) -> io::Result<SocketAddr> {
    address(socket, libc::getpeername)
}

fn address(socket: &OwnedFd, call: NameCall) -> io::Result<SocketAddr> {
    // SAFETY: all zeros is a valid sockaddr_storage.
    let storage: libc::sockaddr_storage = unsafe { std::mem::zeroed() };
    let bytes = size_of::<libc::sockaddr_storage>() as libc::socklen_t;
    let mut raw = RawAddress { storage, bytes };
    // SAFETY: both pointers are to our own memory, of the size that is said.
    let done =
        unsafe { call(socket.as_raw_fd(), (&raw mut raw.storage).cast(), &raw mut raw.bytes) };
    checked(done)?;
    raw.parse()
}

/// A TCP socket that never blocks, with small messages sent at once.
pub(super) fn tcp_socket(address: SocketAddr) -> io::Result<OwnedFd> {
    let family = if address.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
    let kind = libc::SOCK_STREAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    // SAFETY: plain system call.
    let descriptor = checked(unsafe { libc::socket(family, kind, 0) })?;
    // SAFETY: the descriptor is fresh and owned by nobody else.
    let socket = unsafe { OwnedFd::from_raw_fd(descriptor) };
    switch_on(&socket, libc::IPPROTO_TCP, libc::TCP_NODELAY)?;
    Ok(socket)
}

/// A listening socket; what it accepts inherits TCP_NODELAY.
pub(super) fn listening_socket(address: SocketAddr, reuse_port: bool) -> io::Result<OwnedFd> {
    let socket = tcp_socket(address)?;
    switch_on(&socket, libc::SOL_SOCKET, libc::SO_REUSEADDR)?;
    if reuse_port {
        switch_on(&socket, libc::SOL_SOCKET, libc::SO_REUSEPORT)?;
    }
    let raw = RawAddress::new(address);
    // SAFETY: the address is our own memory, of the size that is said.
    checked(unsafe { libc::bind(socket.as_raw_fd(), (&raw const raw.storage).cast(), raw.bytes) })?;
    // SAFETY: plain system call on our own descriptor.
    checked(unsafe { libc::listen(socket.as_raw_fd(), BACKLOG) })?;
    Ok(socket)
}

/// Ends both directions; a pending receive then sees the end of the stream.
pub(super) fn shut_down(socket: &OwnedFd) -> io::Result<()> {
    // SAFETY: plain system call on our own descriptor.
    checked(unsafe { libc::shutdown(socket.as_raw_fd(), libc::SHUT_RDWR) }).map(drop)
}

/// Sends up to `bytes` of `file` from `offset` without blocking on the socket.
pub(super) fn send_file(
    socket: &OwnedFd,
    file: &OwnedFd,
    offset: u64,
    bytes: usize,
) -> io::Result<usize> {
    let mut offset = libc::off_t::try_from(offset)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "an offset beyond 2^63"))?;
    // SAFETY: the offset is our own; the socket has SOCK_NONBLOCK.
    let sent =
        unsafe { libc::sendfile(socket.as_raw_fd(), file.as_raw_fd(), &raw mut offset, bytes) };
    usize::try_from(sent).map_err(|_| io::Error::last_os_error())
}

fn switch_on(socket: &OwnedFd, level: libc::c_int, option: libc::c_int) -> io::Result<()> {
    let on: libc::c_int = 1;
    // SAFETY: the value is our own c_int, of the size that is said.
    checked(unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            option,
            (&raw const on).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    })
    .map(drop)
}

fn checked(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}
