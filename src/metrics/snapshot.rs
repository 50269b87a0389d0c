//! One shard's numbers at one moment, as a plain value that may leave the shard's thread.

use std::collections::BTreeMap;

use super::histogram::Histogram;
use super::metric::Metric;
use crate::model::{ErrorCode, LogId, ShardId};

/// The requests of one API.
#[derive(Clone, Debug, Default)]
pub struct ApiCounts {
    /// Answered without an error.
    pub(super) well: u64,
    /// Answered with one, by the first that the answer held.
    pub(super) errors: BTreeMap<ErrorCode, u64>,
    /// How long they took, in microseconds.
    pub(super) micros: Histogram,
}

/// One value of a metric.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// What was read.
    pub metric: Metric,
    /// The value of its label, if it has one.
    pub label: &'static str,
    /// The value, in the unit that the metric's name ends with.
    pub value: f64,
}

impl Reading {
    /// Of a metric without a label.
    pub fn new(metric: Metric, value: f64) -> Reading {
        Reading { metric, label: "", value }
    }
}

/// One shard's numbers.
#[derive(Clone, Debug)]
pub struct ShardSnapshot {
    /// Whose they are.
    pub shard: ShardId,
    /// One for each metric and value of its label.
    pub readings: Vec<Reading>,
    /// Every log and its bytes, where they were asked for.
    pub logs: Vec<(LogId, u64)>,
    pub(super) apis: BTreeMap<i16, ApiCounts>,
    pub(super) commit_micros: Histogram,
    pub(super) commit_bytes: Histogram,
}

impl ShardSnapshot {
    /// The value of a metric, summed over its labels.
    pub fn value(&self, metric: Metric) -> f64 {
        let readings = self.readings.iter().filter(|reading| reading.metric == metric);
        readings.map(|reading| reading.value).sum()
    }
}

/// The process as a whole, by what the kernel says of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ProcessSnapshot {
    /// The broker's version.
    pub version: &'static str,
    /// Shards that should have answered.
    pub shard_count: usize,
    /// CPU time of all threads, in seconds.
    pub cpu_seconds: f64,
    /// Memory that is resident, in bytes.
    pub resident_bytes: u64,
    /// Descriptors that are open.
    pub open_files: u64,
    /// How many may be.
    pub open_files_max: u64,
    /// When the process began, in seconds since 1970.
    pub start_time_seconds: f64,
}
