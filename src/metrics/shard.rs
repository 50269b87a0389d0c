//! What one shard counts while it works.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::time::Duration;

use super::histogram::Histogram;
use super::snapshot::{Counters, Gauges, RequestKind, ShardSnapshot};
use crate::model::{ErrorCode, ShardId};

/// Counters of one shard, for that shard's thread alone. Nothing here waits or allocates after the first
/// request of each kind.
#[derive(Debug, Default)]
pub struct ShardMetrics {
    counters: Cell<Counters>,
    /// Answers by API key and error.
    requests: RefCell<BTreeMap<RequestKind, u64>>,
    /// From a request's last byte to its answer's first, by API key.
    request_micros: RefCell<BTreeMap<i16, Histogram>>,
    commit_micros: RefCell<Histogram>,
    commit_bytes: RefCell<Histogram>,
}

impl ShardMetrics {
    /// All zero.
    pub fn new() -> ShardMetrics {
        ShardMetrics::default()
    }

    fn count(&self, change: impl FnOnce(&mut Counters)) {
        let mut counters = self.counters.get();
        change(&mut counters);
        self.counters.set(counters);
    }

    /// Bytes came from a client.
    pub fn received(&self, size_bytes: usize) {
        self.count(|counters| counters.received_bytes += size_bytes as u64);
    }

    /// Bytes went to a client.
    pub fn sent(&self, size_bytes: usize) {
        self.count(|counters| counters.sent_bytes += size_bytes as u64);
    }

    /// A batch was appended to a partition of this shard.
    pub fn appended(&self, size_bytes: usize) {
        self.count(|counters| {
            counters.appended_batches += 1;
            counters.appended_bytes += size_bytes as u64;
        });
    }

    /// Record bytes of a partition of this shard were read for a fetch.
    pub fn fetched(&self, size_bytes: usize) {
        self.count(|counters| counters.fetched_bytes += size_bytes as u64);
    }

    /// A client connected to this shard, or its connection moved here.
    pub fn connection_opened(&self) {
        self.count(|counters| counters.connections_opened += 1);
    }

    /// A connection ended or moved away.
    pub fn connection_closed(&self) {
        self.count(|counters| counters.connections_closed += 1);
    }

    /// A request was answered; `took` is the time from its last byte to its answer. `error` is the
    /// first that the answer holds.
    pub fn answered(&self, api_key: i16, error: ErrorCode, took: Duration) {
        *self.requests.borrow_mut().entry((api_key, error)).or_default() += 1;
        self.request_micros.borrow_mut().entry(api_key).or_default().record_duration(took);
    }

    /// The journal finished a commit of `size_bytes`, `took` after it was handed to the disk.
    pub fn committed(&self, size_bytes: usize, took: Duration) {
        self.commit_bytes.borrow_mut().record(size_bytes as u64);
        self.commit_micros.borrow_mut().record_duration(took);
    }

    /// Everything counted so far, with what the shard reads off itself at this moment.
    pub fn snapshot(&self, shard: ShardId, gauges: Gauges) -> ShardSnapshot {
        ShardSnapshot {
            shard,
            counters: self.counters.get(),
            gauges,
            requests: self.requests.borrow().clone(),
            request_micros: self.request_micros.borrow().clone(),
            commit_micros: self.commit_micros.borrow().clone(),
            commit_bytes: self.commit_bytes.borrow().clone(),
        }
    }
}
