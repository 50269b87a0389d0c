//! The directories of a log: made at its first segment write, removed with it.
//!
//! A partition's directory is inside that of its topic's id; a link with the topic's readable name
//! lies beside it and leads to the newest topic of that name.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use crate::model::LogId;
use crate::runtime::Runtime;
use crate::storage::directory::{by_name_dir, partition_dir, topic_dir, topics_dir};

/// Makes a log's directory and its topic's link; nothing is durable before the directories of
/// [`holders`] are synced.
pub async fn make(runtime: &Runtime, dir: &Path, id: LogId, topic: &str) -> io::Result<()> {
    let disk = runtime.disk();
    disk.create_dir_all(&partition_dir(dir, id)).await?;
    let by_name = by_name_dir(dir);
    disk.create_dir_all(&by_name).await?;
    let link = by_name.join(topic);
    let target = Path::new("..").join(id.topic.to_string());
    let mut result = disk.symlink(&target, &link).await;
    if result.as_ref().is_err_and(|error| error.kind() == ErrorKind::AlreadyExists) {
        // Another partition has made it, or an earlier topic of that name.
        result = disk.remove_file(&link).await;
        if result.is_ok() {
            result = disk.symlink(&target, &link).await;
        }
    }
    match result {
        // Another shard was faster.
        Err(error) if matches!(error.kind(), ErrorKind::AlreadyExists | ErrorKind::NotFound) => {
            Ok(())
        }
        result => result,
    }
}

/// The directories that hold what [`make`] made, and the log's own.
pub fn holders(dir: &Path, id: LogId) -> [PathBuf; 5] {
    let topic = topic_dir(dir, id.topic);
    [dir.to_owned(), topics_dir(dir), by_name_dir(dir), topic, partition_dir(dir, id)]
}

/// Removes a log's directory, its topic's after the last partition, and the link that then leads
/// nowhere. What was not there is no error.
pub async fn remove(runtime: &Runtime, dir: &Path, id: LogId, topic: &str) -> io::Result<()> {
    let disk = runtime.disk();
    let own = topic_dir(dir, id.topic);
    gone(disk.remove_dir_all(&partition_dir(dir, id)).await)?;
    if disk.list_dir(&own).await.is_ok_and(|entries| entries.is_empty()) {
        gone(disk.remove_dir_all(&own).await)?;
    }
    let link = by_name_dir(dir).join(topic);
    if disk.list_dir(&link).await.is_err_and(|error| error.kind() == ErrorKind::NotFound) {
        gone(disk.remove_file(&link).await)?;
    }
    Ok(())
}

/// A removal of what is not there has succeeded.
pub fn gone(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        result => result,
    }
}
