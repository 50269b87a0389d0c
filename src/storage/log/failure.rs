//! Why a log refuses an append or a read, one error for each operation.

use std::io;
use std::rc::Rc;

use super::producers::SequenceError;
use crate::model::{ErrorCode, Offset};
use crate::record::BatchError;
use crate::runtime::disk::{is_full, is_shortage};
use crate::storage::journal::{Poisoned, ReserveError};

/// The log directory has failed: nothing more is written to it until the broker is restarted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the log directory has failed: {0}; check the disk, then restart the broker")]
pub struct StorageFailed(pub Rc<str>);

impl From<Poisoned> for StorageFailed {
    fn from(poisoned: Poisoned) -> StorageFailed {
        StorageFailed(poisoned.to_string().into())
    }
}

/// A batch that cannot be appended as it is; its sender is to blame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BatchRefused {
    /// The header is not one.
    #[error(transparent)]
    Header(#[from] BatchError),
    /// The bytes are not exactly one batch.
    #[error("{found} bytes were given for a batch of {declared}")]
    Length {
        /// What the header says.
        declared: usize,
        /// What there is.
        found: usize,
    },
    /// It does not fit `segment.bytes`.
    #[error("the batch of {bytes} bytes is larger than segment.bytes, {segment_bytes}")]
    LargerThanSegment {
        /// The batch.
        bytes: usize,
        /// The topic's limit.
        segment_bytes: u32,
    },
    /// It does not fit `journal.bytes`.
    #[error("the batch of {bytes} bytes does not fit a journal of {room_max}: raise journal.bytes")]
    LargerThanJournal {
        /// The batch.
        bytes: usize,
        /// What one journal takes.
        room_max: u64,
    },
}

impl BatchRefused {
    /// Kafka's code for it.
    pub fn code(&self) -> ErrorCode {
        match self {
            BatchRefused::LargerThanSegment { .. } | BatchRefused::LargerThanJournal { .. } => {
                ErrorCode::RecordListTooLarge
            }
            BatchRefused::Header(_) | BatchRefused::Length { .. } => ErrorCode::CorruptMessage,
        }
    }
}

impl SequenceError {
    /// Kafka's code for it.
    pub fn code(&self) -> ErrorCode {
        match self {
            SequenceError::OutOfOrder { .. } => ErrorCode::OutOfOrderSequenceNumber,
            SequenceError::StaleEpoch { .. } => ErrorCode::InvalidProducerEpoch,
        }
    }
}

/// Why nothing was appended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LogAppendError {
    /// The directory has failed.
    #[error(transparent)]
    Storage(#[from] StorageFailed),
    /// The disk is full, or no file can be opened: nothing is taken until that is over.
    #[error(
        "the log directory takes nothing at the moment, its disk is full or the limit of open files is reached: the broker's log says which"
    )]
    DiskFull,
    /// The producer's sequence or epoch is wrong.
    #[error(transparent)]
    Producer(#[from] SequenceError),
    /// The batch is wrong.
    #[error(transparent)]
    Batch(#[from] BatchRefused),
    /// The partition is gone.
    #[error("the partition has been deleted")]
    Deleted,
    /// A new segment was due and there was no memory for it; prepare again.
    #[error("no memory is free for a new segment; try again")]
    NoMemory,
}

impl From<ReserveError> for LogAppendError {
    fn from(error: ReserveError) -> LogAppendError {
        match error {
            ReserveError::Poisoned(poisoned) => StorageFailed::from(poisoned).into(),
            ReserveError::TooLarge { bytes, room_max } => {
                BatchRefused::LargerThanJournal { bytes, room_max }.into()
            }
        }
    }
}

/// Why a log's start did not move.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LogStartError {
    /// The directory has failed.
    #[error(transparent)]
    Storage(#[from] StorageFailed),
    /// The offset is not readable yet.
    #[error("the log cannot start at {start}, it is readable up to {end}")]
    OutOfRange {
        /// The offset asked for.
        start: Offset,
        /// The end of what is readable.
        end: Offset,
    },
    /// The partition is gone.
    #[error("the partition has been deleted")]
    Deleted,
}

/// Why nothing was read.
#[derive(Debug, thiserror::Error)]
pub enum LogReadError {
    /// The log does not have that offset.
    #[error("the offset is outside {start}..={end}")]
    OutOfRange {
        /// The first offset.
        start: Offset,
        /// The offset that the next record gets.
        end: Offset,
    },
    /// The partition is gone.
    #[error("the partition has been deleted")]
    Deleted,
    /// The disk refused.
    #[error("a segment cannot be read: {0}")]
    Io(#[from] io::Error),
    /// The segment does not hold what was written to it.
    #[error(transparent)]
    Corrupt(#[from] SegmentDamaged),
}

/// A segment does not hold what was written to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("segment {base} is damaged at byte {position}: restore it from another copy")]
pub struct SegmentDamaged {
    /// Its base offset.
    pub base: Offset,
    /// Where a batch should begin.
    pub position: u32,
}

/// Whether an error of opening or writing says that there is no space or no descriptor: what a later
/// try may find better. No error of a sync is one.
pub fn may_pass(error: &io::Error) -> bool {
    is_full(error) || is_shortage(error)
}
