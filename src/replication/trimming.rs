//! What of a partition may go: by its topic's retention, and by a client's request.

use thiserror::Error;

use super::leader::Leader;
use crate::model::Offset;
use crate::storage::{Expired, LogStartError, RetentionTerms};

/// The offset of DeleteRecords that stands for the high watermark.
pub const OFFSET_HIGH_WATERMARK: Offset = Offset(-1);

/// Why records were not deleted.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DeletionError {
    /// The topic keeps the last record of every key, so none may be cut off (Kafka: only a topic
    /// that compacts and does not delete refuses).
    #[error("the topic is compacted and its cleanup.policy has no delete")]
    Policy,
    /// There is no such offset.
    #[error("{0} is no offset")]
    NoOffset(Offset),
    /// The log refused.
    #[error(transparent)]
    Log(#[from] LogStartError),
}

impl Leader {
    /// Deletes the records before an offset, or before the high watermark; gives the first offset
    /// that is left, durably (Kafka's `Partition.deleteRecordsOnLeader`).
    pub async fn delete_records(&self, before: Offset) -> Result<Offset, DeletionError> {
        let policy = self.config().cleanup_policy;
        if policy.compact && !policy.delete {
            return Err(DeletionError::Policy);
        }
        let before = match before {
            OFFSET_HIGH_WATERMARK => self.high_watermark(),
            Offset(..0) => return Err(DeletionError::NoOffset(before)),
            offset => offset,
        };
        Ok(self.log().advance_start(before).await?)
    }

    /// Lets old segments go, where the topic's `cleanup.policy` has `delete`.
    pub async fn expire(&self, now_ms: i64) -> Result<Option<Expired>, LogStartError> {
        let config = self.config();
        if !config.cleanup_policy.delete || self.is_retired() {
            return Ok(None);
        }
        let terms = RetentionTerms {
            now_ms,
            age_ms_max: config.retention_ms,
            bytes_max: config.retention_bytes,
        };
        self.log().expire(&terms).await
    }
}
