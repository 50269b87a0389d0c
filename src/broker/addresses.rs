//! Finds the addresses to listen on, and finds out early that another process has them.
//!
//! Shards listen with SO_REUSEPORT, which would let two brokers share a port without a word; so each
//! address is first bound alone. The kernel takes the sockets of a killed process's rings back a little
//! after the process is gone, so a port in use is asked for again before it is said to be taken.

use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::time::Duration;

use thiserror::Error;

use crate::config::Listener;

/// Why a listener cannot be opened.
#[derive(Debug, Error)]
pub enum AddressError {
    /// The host name means nothing here.
    #[error(
        "listener {name}: the host '{host}' cannot be resolved ({source}): correct 'listeners'"
    )]
    Resolve {
        /// The listener's name.
        name: String,
        /// Its host.
        host: String,
        /// What the resolver says.
        source: io::Error,
    },
    /// The port is taken.
    #[error(
        "listener {name}: {address} is in use by another process: stop it, or set another port in 'listeners'"
    )]
    Taken {
        /// The listener's name.
        name: String,
        /// Its address.
        address: SocketAddr,
    },
    /// Anything else.
    #[error("listener {name}: cannot listen on {address}: {source}")]
    Bind {
        /// The listener's name.
        name: String,
        /// Its address.
        address: SocketAddr,
        /// What the kernel says.
        source: io::Error,
    },
}

/// The address of a listener, with the port that the kernel chose where it was 0.
pub fn resolve(listener: &Listener) -> Result<SocketAddr, AddressError> {
    let name = listener.name.clone();
    let host = listener.address.host.as_str();
    let host_or_any = if host.is_empty() { "0.0.0.0" } else { host };
    let found = (host_or_any, listener.address.port).to_socket_addrs();
    let missing = || io::Error::from(io::ErrorKind::NotFound);
    let address =
        found.and_then(|mut addresses| addresses.next().ok_or_else(missing)).map_err(|source| {
            AddressError::Resolve { name: name.clone(), host: host.into(), source }
        })?;
    match bind_alone(address) {
        Ok(bound) => Ok(bound),
        Err(source) if source.kind() == io::ErrorKind::AddrInUse => {
            Err(AddressError::Taken { name, address })
        }
        Err(source) => Err(AddressError::Bind { name, address, source }),
    }
}

/// How often a port in use is tried: a killed broker's is free after 16 ms, on a machine that is busy
/// with others after most of a second.
const PROBES: usize = 400;
const PROBE_INTERVAL: Duration = Duration::from_millis(5);

#[expect(
    clippy::disallowed_methods,
    reason = "no thread of the broker runs yet, and no simulation comes here"
)]
fn bind_alone(address: SocketAddr) -> io::Result<SocketAddr> {
    let mut probe = TcpListener::bind(address);
    for _ in 1..PROBES {
        match &probe {
            Err(source) if source.kind() == io::ErrorKind::AddrInUse => {
                std::thread::sleep(PROBE_INTERVAL);
                probe = TcpListener::bind(address);
            }
            _ => break,
        }
    }
    probe?.local_addr()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::HostPort;

    fn listener(host: &str, port: u16) -> Listener {
        let address = HostPort { host: host.into(), port };
        Listener { name: "PLAINTEXT".into(), advertised: address.clone(), address }
    }

    #[test]
    fn a_taken_port_is_named_with_its_remedy() {
        let holder = TcpListener::bind("127.0.0.1:0").expect("some port is free");
        let port = holder.local_addr().expect("a bound socket has an address").port();
        let error = resolve(&listener("127.0.0.1", port)).expect_err("the port is taken");
        let text = error.to_string();
        assert!(text.contains(&format!("127.0.0.1:{port} is in use")), "{text}");
        assert!(text.contains("listeners"), "{text}");
    }

    #[test]
    fn port_zero_becomes_a_port() {
        let address = resolve(&listener("127.0.0.1", 0)).expect("some port is free");
        assert_ne!(address.port(), 0);
    }
}
