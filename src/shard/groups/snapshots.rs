//! The file beside a partition's log that spares a load most of the reading.
//!
//! Derived data: written whole or not at all, checked by its reader, and rebuilt from the log where
//! it is missing or wrong.

use std::io;
use std::path::{Path, PathBuf};

use tracing::warn;

use crate::model::limits::COORDINATOR_SNAPSHOT_BYTES_MAX;
use crate::runtime::Runtime;

/// The file's name in the partition's directory.
const NAME: &str = "coordinator.snapshot";

/// Where the snapshot of the partition in `directory` is.
pub fn path(directory: &Path) -> PathBuf {
    directory.join(NAME)
}

/// Replaces the snapshot.
pub async fn write(runtime: &Runtime, path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(directory) = path.parent() {
        // A log that has no segment yet has no directory.
        runtime.disk().create_dir_all(directory).await?;
    }
    runtime.disk().write_whole(path, bytes).await
}

/// The snapshot, if there is one that can be read.
pub async fn read(runtime: &Runtime, path: &Path) -> Option<Vec<u8>> {
    match runtime.disk().read_whole(path, COORDINATOR_SNAPSHOT_BYTES_MAX).await {
        Ok(bytes) => Some(bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => {
            warn!(path = %path.display(), %error, "a snapshot of the group coordinator cannot be read: the log is read instead");
            None
        }
    }
}

/// Removes a snapshot that is of no use.
pub async fn remove(runtime: &Runtime, path: &Path) {
    if let Err(error) = runtime.disk().remove_file(path).await {
        warn!(path = %path.display(), %error, "a useless snapshot of the group coordinator could not be removed");
    }
}
