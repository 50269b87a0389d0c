//! One question to a broker's admin listener, over the plainest HTTP.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::address::Address;
use crate::model::report::BrokerReport;

/// A report of 200,000 partitions with the longest names fits.
const ANSWER_BYTES_MAX: u64 = 128 << 20;
/// The broker answers within two seconds, or says that it cannot.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why the admin listener did not answer.
#[derive(Debug, thiserror::Error)]
pub enum AdminHttpError {
    /// Nobody is there.
    #[error(
        "{address} does not answer ({source}): is the broker running, and is this its admin.listener?"
    )]
    Unreachable {
        /// The address.
        address: Address,
        /// What went wrong.
        source: io::Error,
    },
    /// Somebody is there who is no broker of this version, or not ready.
    #[error("{address} answered {status}: {said}")]
    Refused {
        /// The address.
        address: Address,
        /// The status line.
        status: String,
        /// The first line of what it says.
        said: String,
    },
    /// The answer is no report.
    #[error("{address} is no admin listener of this version: {reason}")]
    Unreadable {
        /// The address.
        address: Address,
        /// What is wrong with the answer.
        reason: String,
    },
}

/// Asks for the shards of a broker.
///
/// # Errors
/// If the listener is not there, refuses, or answers something else.
pub async fn shard_report(address: &Address) -> Result<BrokerReport, AdminHttpError> {
    let bytes = match timeout(PATIENCE, ask(address, "/shards")).await {
        Ok(asked) => asked,
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    };
    let bytes =
        bytes.map_err(|source| AdminHttpError::Unreachable { address: address.clone(), source })?;
    parse(address, &bytes)
}

/// HTTP 1.0: the answer ends with the connection.
async fn ask(address: &Address, path: &str) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect((address.host.as_str(), address.port)).await?;
    let request = format!("GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut bytes = Vec::new();
    stream.take(ANSWER_BYTES_MAX).read_to_end(&mut bytes).await?;
    Ok(bytes)
}

fn parse(address: &Address, bytes: &[u8]) -> Result<BrokerReport, AdminHttpError> {
    let unreadable =
        |reason: String| AdminHttpError::Unreadable { address: address.clone(), reason };
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n");
    let end = end.ok_or_else(|| unreadable("it does not speak HTTP".into()))?;
    let (head, body) = (&bytes[..end], &bytes[end + 4..]);
    let status = String::from_utf8_lossy(head);
    let status = status.lines().next().unwrap_or_default();
    if status.split(' ').nth(1) != Some("200") {
        let said = String::from_utf8_lossy(body);
        let said = said.lines().next().unwrap_or_default().chars().take(200).collect();
        return Err(AdminHttpError::Refused {
            address: address.clone(),
            status: status.chars().take(80).collect(),
            said,
        });
    }
    serde_json::from_slice(body).map_err(|error| unreadable(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_answers_are_told_from_reports() {
        let address = Address { host: "h".into(), port: 1 };
        let check = |answer: &str, said: &str| {
            let error = parse(&address, answer.as_bytes()).expect_err("it is no report");
            assert_eq!(error.to_string(), said);
        };
        check("", "h:1 is no admin listener of this version: it does not speak HTTP");
        check(
            "HTTP/1.0 503 Service Unavailable\r\nA: b\r\n\r\nlater\nmore",
            "h:1 answered HTTP/1.0 503 Service Unavailable: later",
        );
        check("HTTP/1.0 404 Not Found\r\n\r\n", "h:1 answered HTTP/1.0 404 Not Found: ");
        let error = parse(&address, b"HTTP/1.0 200 OK\r\n\r\n{}").expect_err("it lacks all");
        assert!(error.to_string().contains("missing field"), "{error}");
    }
}
