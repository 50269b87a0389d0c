//! How many connections the process takes, in all and from one address.
//!
//! The counts span all shards, which is why they are the one thing here behind a lock: taken when a
//! connection comes and when it goes, never while it is served.

use std::net::IpAddr;
#[expect(
    clippy::disallowed_types,
    reason = "counted over all shards, on accept and close only"
)]
use std::sync::{Arc, Mutex};

use rustc_hash::FxHashMap;

/// The bounds: `max.connections` and `max.connections.per.ip`.
#[derive(Clone, Debug)]
pub struct QuotaLimits {
    /// In all.
    pub connections_max: usize,
    /// From one address.
    pub connections_per_ip_max: usize,
}

#[derive(Default)]
struct Counts {
    all: usize,
    by_ip: FxHashMap<IpAddr, usize>,
}

/// The counts of one process; clones are the same counts.
#[derive(Clone)]
#[expect(clippy::disallowed_types, reason = "counted over all shards, on accept and close only")]
pub struct ConnectionQuota {
    limits: Arc<QuotaLimits>,
    counts: Arc<Mutex<Counts>>,
}

/// One admitted connection, counted until it is dropped.
pub struct Admission {
    quota: ConnectionQuota,
    ip: IpAddr,
}

impl ConnectionQuota {
    /// No connection yet.
    #[expect(clippy::disallowed_types, reason = "made once, at start-up")]
    pub fn new(limits: QuotaLimits) -> ConnectionQuota {
        ConnectionQuota { limits: Arc::new(limits), counts: Arc::default() }
    }

    /// Admits a connection from `ip`, or says which key refuses it.
    pub fn admit(&self, ip: IpAddr) -> Result<Admission, &'static str> {
        let mut counts = self.counts.lock().expect("nobody panics while counting");
        if counts.all >= self.limits.connections_max {
            return Err("max.connections");
        }
        let from_ip = counts.by_ip.entry(ip).or_default();
        if *from_ip >= self.limits.connections_per_ip_max {
            return Err("max.connections.per.ip");
        }
        *from_ip += 1;
        counts.all += 1;
        Ok(Admission { quota: self.clone(), ip })
    }

    /// Counts a connection that moves between shards: it was admitted once, and is counted by both
    /// for a moment.
    pub fn count_again(&self, ip: IpAddr) -> Admission {
        let mut counts = self.counts.lock().expect("nobody panics while counting");
        *counts.by_ip.entry(ip).or_default() += 1;
        counts.all += 1;
        Admission { quota: self.clone(), ip }
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        let mut counts = self.quota.counts.lock().expect("nobody panics while counting");
        counts.all -= 1;
        if let Some(from_ip) = counts.by_ip.get_mut(&self.ip) {
            *from_ip -= 1;
            if *from_ip == 0 {
                counts.by_ip.remove(&self.ip);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_counted_and_given_back() {
        let here: IpAddr = [127, 0, 0, 1].into();
        let there: IpAddr = [127, 0, 0, 2].into();
        let quota =
            ConnectionQuota::new(QuotaLimits { connections_max: 3, connections_per_ip_max: 2 });
        let first = quota.admit(here).expect("the first");
        let _second = quota.admit(here).expect("the second");
        assert_eq!(quota.admit(here).err(), Some("max.connections.per.ip"));
        let _third = quota.admit(there).expect("the first from there");
        assert_eq!(quota.admit(there).err(), Some("max.connections"));
        let moved = quota.count_again(here);
        drop(first);
        assert_eq!(quota.admit(here).err(), Some("max.connections"), "it is as many as before");
        drop(moved);
        assert!(quota.admit(here).is_ok());
    }
}
