//! What one shard counts while it works.
//!
//! A count is one addition to a plain cell of this thread; a request adds two counts and one value of a
//! histogram, a commit two values.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use super::histogram::Histogram;
use super::metric::Metric;
use super::snapshot::{ApiCounts, Reading, ShardSnapshot};
use crate::model::{ErrorCode, ShardId};

/// API keys that have a place of their own; Kafka's are below.
const API_KEYS: usize = 128;

/// What is counted here, and not read off something else when somebody asks.
const COUNTED: [Metric; 10] = [
    Metric::ReceivedBytes,
    Metric::SentBytes,
    Metric::AppendedBatches,
    Metric::AppendedBytes,
    Metric::FetchedBytes,
    Metric::ConnectionsOpened,
    Metric::Connections,
    Metric::RequestsInProgress,
    Metric::FetchesWaiting,
    Metric::SlowRequests,
];

/// Counters of one shard, for that shard's thread alone. Nothing here waits, and nothing allocates
/// after the first request of each kind.
#[derive(Debug)]
pub struct ShardMetrics {
    /// By `Metric as usize`; most places stay zero.
    counts: [Cell<u64>; Metric::ALL.len()],
    /// By API key.
    apis: RefCell<Vec<Option<Box<ApiCounts>>>>,
    commit_micros: RefCell<Histogram>,
    commit_bytes: RefCell<Histogram>,
}

/// One of what a gauge counts, until it is dropped.
#[derive(Debug)]
pub struct Counted {
    metrics: Rc<ShardMetrics>,
    metric: Metric,
}

impl Drop for Counted {
    fn drop(&mut self) {
        let count = &self.metrics.counts[self.metric as usize];
        count.set(count.get() - 1);
    }
}

impl Default for ShardMetrics {
    fn default() -> Self {
        ShardMetrics::new()
    }
}

impl ShardMetrics {
    /// All zero.
    pub fn new() -> ShardMetrics {
        ShardMetrics {
            counts: std::array::from_fn(|_| Cell::new(0)),
            apis: RefCell::new((0..API_KEYS).map(|_| None).collect()),
            commit_micros: RefCell::default(),
            commit_bytes: RefCell::default(),
        }
    }

    fn add(&self, metric: Metric, value: u64) {
        let count = &self.counts[metric as usize];
        count.set(count.get() + value);
    }

    /// Counts one more of a gauge until what is returned is dropped.
    pub fn one_more(self: &Rc<Self>, metric: Metric) -> Counted {
        self.add(metric, 1);
        Counted { metrics: self.clone(), metric }
    }

    /// Bytes came from a client.
    pub fn received(&self, size_bytes: usize) {
        self.add(Metric::ReceivedBytes, size_bytes as u64);
    }

    /// Bytes went to a client.
    pub fn sent(&self, size_bytes: usize) {
        self.add(Metric::SentBytes, size_bytes as u64);
    }

    /// A batch was appended to a partition of this shard.
    pub fn appended(&self, size_bytes: usize) {
        self.add(Metric::AppendedBatches, 1);
        self.add(Metric::AppendedBytes, size_bytes as u64);
    }

    /// Record bytes of a partition of this shard were read for a fetch.
    pub fn fetched(&self, size_bytes: usize) {
        self.add(Metric::FetchedBytes, size_bytes as u64);
    }

    /// A client connected to this shard, or its connection moved here; it counts as open until
    /// what is returned is dropped.
    pub fn connection_opened(self: &Rc<Self>) -> Counted {
        self.add(Metric::ConnectionsOpened, 1);
        self.one_more(Metric::Connections)
    }

    /// A request took longer than it should.
    pub fn slow_request(&self) {
        self.add(Metric::SlowRequests, 1);
    }

    /// A request was answered; `took` is the time from its last byte to its answer, without what it
    /// waited for records that were not there. `error` is the first that the answer holds.
    pub fn answered(&self, api_key: i16, error: ErrorCode, took: Duration) {
        let mut apis = self.apis.borrow_mut();
        let Some(place) = usize::try_from(api_key).ok().and_then(|key| apis.get_mut(key)) else {
            return;
        };
        let counts = place.get_or_insert_with(Box::default);
        match error {
            ErrorCode::None => counts.well += 1,
            error => *counts.errors.entry(error).or_default() += 1,
        }
        counts.micros.record_duration(took);
    }

    /// The journal finished a commit of `size_bytes`, `took` after it was handed to the disk.
    pub fn committed(&self, size_bytes: usize, took: Duration) {
        self.commit_bytes.borrow_mut().record(size_bytes as u64);
        self.commit_micros.borrow_mut().record_duration(took);
    }

    /// Everything counted so far, with what the shard reads off itself at this moment.
    pub fn snapshot(&self, shard: ShardId, mut readings: Vec<Reading>) -> ShardSnapshot {
        readings.extend(COUNTED.map(|metric| {
            let count = self.counts[metric as usize].get();
            Reading::new(metric, count as f64)
        }));
        let apis = self.apis.borrow();
        let apis: BTreeMap<i16, ApiCounts> = (0..)
            .zip(apis.iter())
            .filter_map(|(key, counts)| Some((key, counts.as_deref()?.clone())))
            .collect();
        ShardSnapshot {
            shard,
            readings,
            apis,
            commit_micros: self.commit_micros.borrow().clone(),
            commit_bytes: self.commit_bytes.borrow().clone(),
            logs: Vec::new(),
        }
    }
}
