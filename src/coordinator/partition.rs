//! One partition of the coordinator: its groups and offsets, and what is written to keep them.
//!
//! The log of a partition of `__consumer_offsets` is the only memory: the driver replays it (or a
//! snapshot and the batches after it), says that loading is over, and from then on turns every
//! [`PartitionAction::Write`] into an append. Writes are appended in the order of their ids and
//! reported in that order, each once; what a write carried is answered and visible only then.

use std::rc::Rc;

use thiserror::Error;

use super::message::{Answer, Request, Ticket};
use crate::model::{ErrorCode, Offset, PartitionIndex, TopicId};
use crate::runtime::Monotonic;

/// A write that the driver is asked for; ids rise by one from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WriteId(pub u64);

/// What the broker's configuration says about groups and offsets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CoordinatorSettings {
    /// `offset.metadata.max.bytes`.
    pub offset_metadata_bytes_max: usize,
    /// `offsets.retention.minutes`, in milliseconds.
    pub offsets_retention_ms: i64,
    /// The largest batch that the log takes: `max.message.bytes` of `__consumer_offsets`.
    pub batch_bytes_max: usize,
}

/// What happens to a partition of the coordinator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PartitionEvent {
    /// A client asks; the answer comes under the ticket, at once or after a write.
    Request(Ticket, Request),
    /// A write is durable, or it failed with the log's error and has left nothing behind.
    Written(WriteId, Result<(), ErrorCode>),
    /// The time that [`GroupPartition::deadline`] named has come.
    Timeout,
    /// Nobody waits for this answer any more.
    Gone(Ticket),
    /// A topic is deleted; another may have its name by now.
    TopicDeleted {
        /// Its name.
        topic: String,
        /// Its id.
        id: TopicId,
    },
    /// Offsets are to be looked through for such that nobody needs any more: due every
    /// `offsets.retention.check.interval.ms`.
    ExpireOffsets,
}

/// What the driver has to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PartitionAction {
    /// Send an answer.
    Reply(Ticket, Answer),
    /// Append one whole record batch and report when it is durable.
    Write(WriteId, Vec<u8>),
}

/// Why a batch of the log could not be replayed; the log is damaged or not of this topic.
#[derive(Debug, Error)]
pub enum ReplayError {
    /// The bytes are not a record batch.
    #[error("a batch of the offsets topic is unreadable: {0}")]
    Batch(#[from] crate::record::BatchError),
}

/// Why a snapshot was not taken; the log has everything that it had.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SnapshotError {
    /// A snapshot of another version.
    #[error("the snapshot's format is unknown")]
    UnknownFormat,
}

/// The groups and offsets of one partition of `__consumer_offsets`.
#[derive(Debug)]
pub struct GroupPartition {
    settings: Rc<CoordinatorSettings>,
    loaded: bool,
}

impl GroupPartition {
    /// The partition before anything was replayed.
    pub fn new(settings: Rc<CoordinatorSettings>) -> GroupPartition {
        GroupPartition { settings, loaded: false }
    }

    /// The partition as a snapshot has it, and the offset of the first batch that it lacks.
    pub fn from_snapshot(
        snapshot: &[u8],
        settings: Rc<CoordinatorSettings>,
    ) -> Result<(GroupPartition, Offset), SnapshotError> {
        let _ = (snapshot, settings);
        Err(SnapshotError::UnknownFormat)
    }

    /// Takes in one record batch of the log.
    pub fn replay(&mut self, batch: &[u8]) -> Result<(), ReplayError> {
        crate::record::BatchView::parse(batch)?;
        Ok(())
    }

    /// Ends the loading: members' sessions begin now.
    pub fn finish_loading(&mut self, now: Monotonic) {
        let _ = now;
        self.loaded = self.settings.batch_bytes_max > 0;
    }

    /// Takes an event at a time in the monotonic clock and in milliseconds since 1970.
    pub fn step(
        &mut self,
        now: Monotonic,
        now_ms: i64,
        event: PartitionEvent,
        out: &mut Vec<PartitionAction>,
    ) {
        let _ = (now, now_ms);
        if let PartitionEvent::Request(ticket, request) = event {
            let answer = request.refused(ErrorCode::CoordinatorLoadInProgress);
            out.push(PartitionAction::Reply(ticket, answer));
        }
    }

    /// When a `Timeout` is due, if ever.
    pub fn deadline(&self) -> Option<Monotonic> {
        None
    }

    /// Everything that is durable up to and without the batch at `through`.
    pub fn snapshot(&self, through: Offset) -> Vec<u8> {
        through.0.to_be_bytes().to_vec()
    }
}

/// The partition of `__consumer_offsets` that keeps a group: Kafka's
/// `Utils.abs(groupId.hashCode()) % partitions`, on the UTF-16 code units of the id.
pub fn partition_of(group: &str, partition_count: i32) -> PartitionIndex {
    let hash = group
        .encode_utf16()
        .fold(0i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)));
    PartitionIndex(hash.checked_abs().unwrap_or(0) % partition_count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_where_kafka_looks_for_them() {
        // From `String.hashCode` in Java; "polygenelubricants" hashes to `Integer.MIN_VALUE`.
        for (group, partition) in [
            ("", 0),
            ("a", 47),
            ("test-group", 12),
            ("polygenelubricants", 0),
            ("grüße-\u{1F980}", 30),
        ] {
            assert_eq!(partition_of(group, 50), PartitionIndex(partition), "{group}");
        }
    }
}
