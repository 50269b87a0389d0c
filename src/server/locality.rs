//! Decides when a connection would be served better by another shard.
//!
//! Each request counts towards the shards that own the partitions it asks for. After a window of
//! requests, a shard that owned more than three quarters of them gets the connection. A connection
//! that has moved stays for many windows, so that two shards never play ball with it.

use crate::model::ShardId;

/// Requests between two decisions; few, because a member of a group says little more than a heartbeat
/// every few seconds.
const WINDOW_REQUESTS: u32 = 16;
/// Requests that a connection stays where it has moved to.
const SETTLED_REQUESTS: u32 = 64 * 1024;

/// What one connection has asked for lately.
#[derive(Debug)]
pub struct Locality {
    here: ShardId,
    counts: Vec<u32>,
    asked: u32,
    left: u32,
}

impl Locality {
    /// A fresh connection on `here`, one of `shard_count` shards.
    pub fn new(here: ShardId, shard_count: u16) -> Locality {
        Locality {
            here,
            counts: vec![0; usize::from(shard_count)],
            asked: 0,
            left: WINDOW_REQUESTS,
        }
    }

    /// A connection that has just moved to `here`.
    pub fn settled(here: ShardId, shard_count: u16) -> Locality {
        Locality { left: SETTLED_REQUESTS, ..Locality::new(here, shard_count) }
    }

    /// Counts a request for partitions of the given shards (one entry a partition).
    pub fn asked_for(&mut self, owners: impl Iterator<Item = ShardId>) {
        let mut any = false;
        for owner in owners {
            if let Some(count) = self.counts.get_mut(usize::from(owner.0)) {
                *count += 1;
                self.asked += 1;
                any = true;
            }
        }
        if any {
            self.left = self.left.saturating_sub(1);
        }
    }

    /// The shard that the connection should move to now, at the end of a window.
    pub fn better_shard(&mut self) -> Option<ShardId> {
        if self.left > 0 {
            return None;
        }
        let most = self.counts.iter().enumerate().max_by_key(|(_, count)| **count);
        let target = most
            .filter(|&(_, &count)| u64::from(count) * 4 > u64::from(self.asked) * 3)
            .map(|(shard, _)| ShardId(shard as u16))
            .filter(|&shard| shard != self.here);
        self.counts.fill(0);
        self.asked = 0;
        self.left = WINDOW_REQUESTS;
        target
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(start: Locality, owners: &[u16], requests: u32, expected: Option<u16>) {
        let mut locality = start;
        for _ in 0..requests {
            locality.asked_for(owners.iter().map(|&shard| ShardId(shard)));
        }
        assert_eq!(locality.better_shard(), expected.map(ShardId), "{owners:?} × {requests}");
    }

    #[test]
    fn a_connection_moves_to_who_owns_most_of_what_it_asks_for() {
        let fresh = || Locality::new(ShardId(0), 2);
        check(fresh(), &[1], WINDOW_REQUESTS, Some(1));
        check(fresh(), &[1], WINDOW_REQUESTS - 1, None);
        check(fresh(), &[0], WINDOW_REQUESTS, None);
        check(fresh(), &[0, 1], WINDOW_REQUESTS, None);
        check(fresh(), &[1, 1, 1, 0], WINDOW_REQUESTS, None);
        check(fresh(), &[1, 1, 1, 1, 0], WINDOW_REQUESTS, Some(1));
        check(Locality::settled(ShardId(0), 2), &[1], WINDOW_REQUESTS * 10, None);
    }
}
