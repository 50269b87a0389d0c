//! Appending at the owning shard: batches in, tickets out, failures in Kafka's words.

use crate::model::{ErrorCode, LogId, Offset};
use crate::replication::{AppendError, PendingAppend};
#[cfg(test)]
use crate::runtime::sim::{Planted, is_planted};
use crate::runtime::sync::join_all;
use crate::shard::message::{AppendFailure, AppendPart, Appended};
use crate::shard::state::Shard;
use crate::storage::LogAppendError;

/// A batch that is in its log: wait for it, then it is acknowledged.
pub struct LocalAppend {
    pending: PendingAppend,
    log_start: Offset,
}

impl LocalAppend {
    /// Waits until the batch is as durable as its topic promises.
    pub async fn acknowledged(self) -> Result<Appended, AppendFailure> {
        let base_offset = self.pending.base_offset;
        let log_append_time = self.pending.log_append_time;
        #[cfg(test)]
        if is_planted(Planted::AcknowledgeBeforeCommit) {
            return Ok(Appended { base_offset, log_append_time, log_start: self.log_start });
        }
        match self.pending.wait().await {
            Ok(()) => Ok(Appended { base_offset, log_append_time, log_start: self.log_start }),
            Err(_) => Err(ErrorCode::KafkaStorageError.into()),
        }
    }
}

/// Appends one validated batch to a partition of this shard.
pub async fn append_here(
    shard: &Shard,
    log: LogId,
    batch: &[u8],
    acks: i16,
) -> Result<LocalAppend, AppendFailure> {
    let leader = shard.leader(log).ok_or(ErrorCode::UnknownTopicOrPartition)?;
    let now_ms = shard.runtime().wall_clock_ms();
    let log_start = leader.log().start_offset();
    match leader.append(batch, acks, now_ms).await {
        Ok(pending) => {
            shard.metrics().appended(batch.len());
            Ok(LocalAppend { pending, log_start })
        }
        Err(error) => Err(failure(log_start, error)),
    }
}

/// Serves another shard's append; each batch has its turn in its log before this first waits.
pub async fn append_for(
    shard: &Shard,
    parts: Vec<AppendPart>,
) -> Vec<Result<Appended, AppendFailure>> {
    // All at once: a partition that has to wait must not hold back the others, or a later call
    // would overtake this one there.
    let appends = parts.iter().map(|part| append_here(shard, part.log, &part.batch, part.acks));
    let pending = join_all(appends).await;
    let mut results = Vec::with_capacity(pending.len());
    for appended in pending {
        results.push(match appended {
            Ok(local) => local.acknowledged().await,
            Err(failure) => Err(failure),
        });
    }
    results
}

fn failure(log_start: Offset, error: AppendError) -> AppendFailure {
    let code = match &error {
        AppendError::NotEnoughReplicas { .. } => ErrorCode::NotEnoughReplicas,
        AppendError::Log(LogAppendError::Producer(refused)) => refused.code(),
        AppendError::Log(LogAppendError::Batch(refused)) => refused.code(),
        AppendError::Log(LogAppendError::Deleted) => ErrorCode::UnknownTopicOrPartition,
        // The broker says once what is wrong with the directory, and stops.
        AppendError::Log(
            LogAppendError::Storage(_) | LogAppendError::NoMemory | LogAppendError::DiskFull,
        ) => ErrorCode::KafkaStorageError,
    };
    AppendFailure { code, message: Some(error.to_string()), log_start }
}
