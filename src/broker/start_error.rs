//! Why a broker does not start: one sentence for each reason, with what the operator can do.

use thiserror::Error;

use crate::broker::addresses::AddressError;
use crate::model::limits::SHARD_COUNT_MAX;
use crate::runtime::process::Unfit;
use crate::storage::directory::DirectoryError;
use crate::storage::superblock::SuperblockError;

/// Why the broker did not start, or could not go on.
#[derive(Debug, Error)]
pub enum StartError {
    /// A listener.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// The admin listener.
    #[error(
        "admin.listener {address}: cannot listen ({source}): set another address in 'admin.listener'"
    )]
    Admin {
        /// As configured.
        address: String,
        /// What the kernel says.
        source: std::io::Error,
    },
    /// The data directory.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// The machine, or the file system of the data directory.
    #[error(transparent)]
    Unfit(#[from] Unfit),
    /// A file system that does not keep data, or not without the page cache.
    #[error("{0}, or give --unsafe to use it all the same")]
    UnsafeDirectory(Unfit),
    /// Its superblock, at the end.
    #[error(transparent)]
    Superblock(#[from] SuperblockError),
    /// Its contents, by what their recovery says.
    #[error("{0}")]
    Recover(String),
    /// The metadata, by what the controller says.
    #[error("{0}")]
    Controller(String),
    /// A thread.
    #[error(
        "cannot start a thread: {0}: is io_uring allowed (sysctl kernel.io_uring_disabled, the container's seccomp profile)?"
    )]
    Thread(std::io::Error),
    /// The limit of open files.
    #[error("the limit of open files cannot be learnt or raised: {0}")]
    OpenFiles(std::io::Error),
    /// A shard.
    #[error("shard {shard} did not start: {reason}")]
    Shard {
        /// Which.
        shard: usize,
        /// Why not.
        reason: String,
    },
    /// A log directory failed while the broker ran.
    #[error(
        "the log directory failed; check the disk, then start the broker again: what was acknowledged is recovered"
    )]
    Failed,
    /// Too many shards.
    #[error("num.shards is {0}, the most is {SHARD_COUNT_MAX}: set it lower")]
    TooManyShards(usize),
}
