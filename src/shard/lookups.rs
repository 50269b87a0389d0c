//! Looking up offsets by time and by epoch at the owning shard.

use tracing::error;

use crate::model::{ErrorCode, LeaderEpoch, LogId, Offset};
use crate::replication::{Leader, ReadError};
use crate::shard::message::{EpochEnd, EpochQuery, OffsetFound, OffsetQuery};
use crate::shard::state::Shard;
use crate::storage::LogReadError;

/// ListOffsets: the end of what consumers may read.
pub const TIMESTAMP_LATEST: i64 = -1;
/// ListOffsets: the first offset.
pub const TIMESTAMP_EARLIEST: i64 = -2;
/// ListOffsets: the record with the largest timestamp (KIP-734).
pub const TIMESTAMP_MAX: i64 = -3;
/// ListOffsets: the first offset on this broker's own disk (KIP-405).
pub const TIMESTAMP_EARLIEST_LOCAL: i64 = -4;
/// ListOffsets: the last offset in remote storage (KIP-1005).
pub const TIMESTAMP_LATEST_TIERED: i64 = -5;
/// ListOffsets: the first offset not yet in remote storage (KIP-1023).
pub const TIMESTAMP_EARLIEST_PENDING: i64 = -6;

/// Answers questions of ListOffsets for partitions of this shard.
pub async fn offsets_here(
    shard: &Shard,
    queries: &[OffsetQuery],
) -> Vec<Result<OffsetFound, ErrorCode>> {
    let mut results = Vec::with_capacity(queries.len());
    for query in queries {
        results.push(offset(shard, query).await);
    }
    results
}

async fn offset(shard: &Shard, query: &OffsetQuery) -> Result<OffsetFound, ErrorCode> {
    let leader = shard.leader(query.log).ok_or(ErrorCode::UnknownTopicOrPartition)?;
    check_epoch(&leader, query.leader_epoch)?;
    let log = leader.log();
    let found = |offset: Offset, timestamp: i64| OffsetFound {
        offset,
        timestamp,
        leader_epoch: log.epoch_at(offset).unwrap_or(LeaderEpoch(-1)),
    };
    let none = OffsetFound { offset: Offset(-1), timestamp: -1, leader_epoch: LeaderEpoch(-1) };
    let searched = match query.timestamp {
        TIMESTAMP_LATEST => {
            let leader_epoch = leader.epoch();
            return Ok(OffsetFound { leader_epoch, ..found(leader.high_watermark(), -1) });
        }
        // Without remote storage everything is local, and nothing is tiered or waits for it.
        TIMESTAMP_EARLIEST | TIMESTAMP_EARLIEST_LOCAL => {
            return Ok(found(log.start_offset(), -1));
        }
        TIMESTAMP_LATEST_TIERED | TIMESTAMP_EARLIEST_PENDING => return Ok(none),
        TIMESTAMP_MAX => log.max_timestamp(leader.high_watermark()).await,
        time if time >= 0 => log.offset_for_timestamp(time, leader.high_watermark()).await,
        _ => return Err(ErrorCode::InvalidRequest),
    };
    match searched {
        Ok(Some(record)) => Ok(found(record.offset, record.timestamp)),
        Ok(None) => Ok(none),
        Err(LogReadError::Deleted) => Err(ErrorCode::UnknownTopicOrPartition),
        Err(problem) => {
            if shard.log_budget().allow() {
                error!(log = %query.log, %problem, "looking up an offset by time failed: check the disk, or what the problem names");
            }
            Err(ErrorCode::KafkaStorageError)
        }
    }
}

/// Answers questions of OffsetForLeaderEpoch for partitions of this shard.
pub fn epoch_ends_here(shard: &Shard, queries: &[EpochQuery]) -> Vec<Result<EpochEnd, ErrorCode>> {
    queries
        .iter()
        .map(|query| {
            let leader = shard.leader(query.log).ok_or(ErrorCode::UnknownTopicOrPartition)?;
            check_epoch(&leader, query.current)?;
            let (epoch, end) = leader.log().epoch_end(query.wanted);
            Ok(EpochEnd { epoch, end })
        })
        .collect()
}

/// Every log of this shard and its bytes.
pub fn log_sizes_here(shard: &Shard) -> Vec<(LogId, u64)> {
    shard.leaders().iter().map(|(id, leader)| (*id, leader.log().bytes())).collect()
}

fn check_epoch(leader: &Leader, known: Option<LeaderEpoch>) -> Result<(), ErrorCode> {
    leader.check_epoch(known).map_err(|error| match error {
        ReadError::UnknownEpoch { .. } => ErrorCode::UnknownLeaderEpoch,
        _ => ErrorCode::FencedLeaderEpoch,
    })
}
