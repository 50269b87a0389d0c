//! The addresses that the broker will listen on.

use std::io;
use std::net::{TcpListener, ToSocketAddrs};

use super::finding::Finding;
use crate::config::{BrokerConfig, HostPort};

/// Every listener, and the admin listener.
pub fn examine(config: &BrokerConfig) -> Vec<Finding> {
    let listeners = config.listeners.iter();
    let mut findings: Vec<Finding> =
        listeners.map(|listener| judge("listener", "listeners", &listener.address)).collect();
    findings.push(judge("admin listener", "admin.listener", &config.admin_listener));
    findings
}

fn judge(subject: &'static str, key: &str, address: &HostPort) -> Finding {
    let host = if address.host.is_empty() { "0.0.0.0" } else { address.host.as_str() };
    let named = format!("{host}:{}", address.port);
    let bound = (host, address.port)
        .to_socket_addrs()
        .and_then(|mut found| found.next().ok_or(io::ErrorKind::NotFound.into()))
        .and_then(TcpListener::bind);
    match bound {
        Ok(_) => Finding::fine(subject, format!("{named} is free")),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => Finding::not_fine(
            subject,
            format!("{named} is in use"),
            format!(
                "if that is not a broker that runs already (ss -ltnp 'sport = :{}' tells), stop it, or \
                 set another port in '{key}'",
                address.port
            ),
        ),
        Err(error) => Finding::not_fine(
            subject,
            format!("{named} cannot be listened on: {error}"),
            format!("name an address of this machine in '{key}' (ip address)"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;

    #[test]
    fn ports_are_free_or_not() {
        let holder = TcpListener::bind("127.0.0.1:0").expect("some port is free");
        let taken = holder.local_addr().expect("a bound socket has an address").port();
        let check = |host: &str, port, verdict, said: &str| {
            let finding = judge("listener", "listeners", &HostPort { host: host.into(), port });
            assert_eq!(finding.verdict, verdict, "{finding}");
            assert!(finding.to_string().contains(said), "{finding}");
        };
        check("127.0.0.1", 0, Verdict::Fine, "is free");
        check("", 0, Verdict::Fine, "0.0.0.0:0 is free");
        check("127.0.0.1", taken, Verdict::NotFine, "set another port in 'listeners'");
        check("192.0.2.1", 0, Verdict::NotFine, "name an address of this machine");
    }
}
