//! Addresses of brokers, as `--bootstrap-server` lists them.

use std::fmt;

use super::error::ClientError;

/// A host and a port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    /// A name or an IP address, without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl Address {
    /// Parses `host:port`, `[v6]:port` and, as Kafka takes it, `PROTOCOL://host:port`.
    pub fn parse(text: &str) -> Result<Address, ClientError> {
        let invalid = || ClientError::Address(text.to_owned());
        let bare = text.split_once("://").map_or(text, |(_, bare)| bare);
        let (host, port) = bare.rsplit_once(':').ok_or_else(invalid)?;
        let port = port.parse().map_err(|_| invalid())?;
        let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let host = bracketed.unwrap_or(host);
        let host_is_plain = bracketed.is_some() || !host.contains(':');
        if host.is_empty() || !host_is_plain || host.contains(char::is_whitespace) {
            return Err(invalid());
        }
        Ok(Address { host: host.to_owned(), port })
    }

    /// Parses a list separated by commas; there has to be one address at least.
    pub fn parse_list(text: &str) -> Result<Vec<Address>, ClientError> {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        let addresses: Vec<Address> = parts.map(Address::parse).collect::<Result<_, _>>()?;
        if addresses.is_empty() {
            return Err(ClientError::Address(text.to_owned()));
        }
        Ok(addresses)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            return write!(f, "[{}]:{}", self.host, self.port);
        }
        write!(f, "{}:{}", self.host, self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<&[(&str, u16)]>) {
        let found = Address::parse_list(text).ok().map(|addresses| {
            addresses.into_iter().map(|address| (address.host, address.port)).collect::<Vec<_>>()
        });
        let expected = expected.map(|expected| {
            expected.iter().map(|(host, port)| ((*host).to_owned(), *port)).collect::<Vec<_>>()
        });
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn lists_are_kafkas() {
        check("localhost:9092", Some(&[("localhost", 9092)]));
        check("a:1, b:2,", Some(&[("a", 1), ("b", 2)]));
        check("[::1]:9092", Some(&[("::1", 9092)]));
        check("PLAINTEXT://a:1", Some(&[("a", 1)]));
        for text in ["", ",", "a", "a:", ":1", "a:x", "a:70000", "::1:9092", "a b:1"] {
            check(text, None);
        }
    }

    #[test]
    fn text_goes_both_ways() {
        for text in ["localhost:9092", "[::1]:1"] {
            assert_eq!(
                Address::parse(text).map(|address| address.to_string()).ok().as_deref(),
                Some(text)
            );
        }
    }
}
