//! Finds the addresses to listen on, and finds out early that another process has them.
//!
//! Shards listen with SO_REUSEPORT, which would let two brokers share a port without a word; so each
//! address is first bound alone.

use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};

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
    match TcpListener::bind(address).and_then(|probe| probe.local_addr()) {
        Ok(bound) => Ok(bound),
        Err(source) if source.kind() == io::ErrorKind::AddrInUse => {
            Err(AddressError::Taken { name, address })
        }
        Err(source) => Err(AddressError::Bind { name, address, source }),
    }
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
