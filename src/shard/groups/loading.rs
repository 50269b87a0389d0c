//! From a snapshot and the log behind it to a partition of the coordinator that can serve.

use thiserror::Error;
use tracing::{debug, warn};

use crate::coordinator::partition::{GroupPartition, ReplayError};
use crate::model::limits::COLD_READ_BYTES_MAX;
use crate::model::{LogId, Offset};
use crate::record::{BatchError, BatchHeader};
use crate::replication::ReadError;
use crate::runtime::memory::Piece;
#[cfg(test)]
use crate::runtime::sim::{Planted, is_planted};
use crate::shard::groups::driver::Ground;
use crate::shard::groups::snapshots;
use crate::storage::{ReadBytes, ReadPart};

/// A state that is loaded.
pub struct Loaded {
    /// The machine.
    pub partition: GroupPartition,
    /// The offset behind the last batch that it has.
    pub end: Offset,
    /// Bytes of the log that were read.
    pub bytes_read: usize,
}

/// Why a state does not load.
#[derive(Debug, Error)]
pub enum LoadError {
    /// The log cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The log has bytes that are no batch.
    #[error("the batch at or behind offset {offset}: {error}")]
    Batch {
        /// Where the read began.
        offset: Offset,
        /// What is wrong.
        error: BatchError,
    },
    /// The log has nothing where it says that there is something.
    #[error("the log has no batch at offset {offset}, below its end")]
    Gap {
        /// Where the read began.
        offset: Offset,
    },
    /// A batch has records that nobody understands.
    #[error(transparent)]
    Replay(#[from] ReplayError),
}

/// Loads a partition; `None` where `is_over` says so meanwhile.
pub async fn load(
    ground: &Ground,
    is_over: impl Fn() -> bool,
) -> Result<Option<Loaded>, LoadError> {
    let (runtime, log) = (&ground.runtime, ground.leader.log());
    let began = runtime.now();
    let (mut partition, mut next) = begin(ground).await;
    let from = next;
    let mut bytes_read = 0;
    while next < ground.leader.high_watermark() {
        let read = ground.leader.read(next, COLD_READ_BYTES_MAX, true, true).await?;
        if read.first > next {
            return Err(LoadError::Gap { offset: next });
        }
        let (before, bytes) = (next, contiguous(read, &mut next));
        #[cfg(test)]
        let bytes = match is_planted(Planted::LoadShort) && next >= ground.leader.high_watermark() {
            true => without_newest(bytes),
            false => bytes,
        };
        bytes_read += bytes.len();
        replay_all(&mut partition, before, &bytes)?;
        if is_over() {
            return Ok(None);
        }
        if next == before {
            return Err(LoadError::Gap { offset: before });
        }
        runtime.yield_now().await;
    }
    partition.finish_loading(runtime.now());
    if bytes_read > 0 || from > log.start_offset() {
        let took = runtime.now().saturating_since(began);
        let (took_ms, skipped) = (took.as_millis() as u64, partition.skipped_records());
        debug!(log = %log.id(), %from, end = %next, bytes_read, took_ms, skipped, "groups loaded");
    }
    Ok(Some(Loaded { partition, end: next, bytes_read }))
}

/// What the snapshot has, if there is one that fits the log.
async fn begin(ground: &Ground) -> (GroupPartition, Offset) {
    let log = ground.leader.log();
    let (start, end) = (log.start_offset(), ground.leader.high_watermark());
    let empty = || (GroupPartition::new(ground.settings.clone()), start);
    let Some(bytes) = snapshots::read(&ground.runtime, &ground.snapshot_path).await else {
        return empty();
    };
    let id: LogId = log.id();
    let problem = match GroupPartition::from_snapshot(&bytes, ground.settings.clone()) {
        Ok((partition, through)) if (start..=end).contains(&through) => {
            return (partition, through);
        }
        Ok((_, through)) => format!("it is of offset {through}, the log is {start} to {end}"),
        Err(error) => error.to_string(),
    };
    warn!(log = %id, problem, "a snapshot of the group coordinator is not used: the log is read instead");
    // It must not fit by chance when the log has grown.
    snapshots::remove(&ground.runtime, &ground.snapshot_path).await;
    empty()
}

/// The bytes of a read in one piece; `next` moves behind them.
fn contiguous(read: ReadBytes, next: &mut Offset) -> Vec<u8> {
    *next = read.next;
    let mut bytes = Vec::with_capacity(read.len());
    for part in read.into_parts() {
        match part {
            ReadPart::Piece(Piece::Aligned(buffer, range)) => bytes.extend(&buffer[range]),
            ReadPart::Piece(piece) => bytes.extend_from_slice(&piece),
            // A read into memory yields no ranges of files.
            ReadPart::File(_) => {}
        }
    }
    bytes
}

/// Whole batches without the last of them.
#[cfg(test)]
fn without_newest(mut bytes: Vec<u8>) -> Vec<u8> {
    let (mut last, mut next) = (0, 0);
    while let Ok(header) = BatchHeader::parse(&bytes[next..]) {
        last = next;
        next = bytes.len().min(next + header.size_bytes);
    }
    bytes.truncate(last);
    bytes
}

fn replay_all(
    partition: &mut GroupPartition,
    offset: Offset,
    mut bytes: &[u8],
) -> Result<(), LoadError> {
    while !bytes.is_empty() {
        let header =
            BatchHeader::parse(bytes).map_err(|error| LoadError::Batch { offset, error })?;
        let size = header.size_bytes.min(bytes.len());
        let (batch, rest) = bytes.split_at(size);
        partition.replay(batch)?;
        bytes = rest;
    }
    Ok(())
}
