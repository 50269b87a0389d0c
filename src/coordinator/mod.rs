//! Consumer groups: who is in a group, who reads what, and how far it has come.
//!
//! Pure state machines, `step(now, event) -> actions`, one for each partition of
//! `__consumer_offsets`, whose log is their only memory: what a client is told has been written
//! there first. They never do I/O, never see another core, and move with their partition; the
//! shard that leads it writes for them and keeps their time (`shard/groups`).

/// The topic whose partitions keep the groups.
pub const OFFSETS_TOPIC: &str = "__consumer_offsets";

pub mod group;
pub mod message;
pub mod offsets;
pub mod partition;
pub mod records;
