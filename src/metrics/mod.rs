//! What a shard counts about itself, and the text that an operator's Prometheus reads.
//!
//! Each shard owns its `ShardMetrics`: plain cells, no atomics, nothing shared. On request it hands out
//! a `ShardSnapshot`, a plain value that travels to the admin thread; `render` writes the snapshots
//! of all shards as one page. Deliberately absent: clocks (callers measure), and labels by topic or
//! client, whose number nobody bounds.

mod histogram;
mod metric;
mod shard;
mod snapshot;
mod text;

pub use histogram::Histogram;
pub use metric::Metric;
pub use shard::{Counted, ShardMetrics};
pub use snapshot::{ApiCounts, ProcessSnapshot, Reading, ShardSnapshot};
pub use text::render;
