//! The directories of a log: made at its first segment write, removed with it.
//!
//! A partition's directory is inside that of its topic's id; a link with the topic's readable name
//! lies beside it and leads to the newest topic of that name.

use std::cell::Cell;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use crate::model::{LogId, TopicId};
use crate::runtime::Runtime;
use crate::storage::directory::{by_name_dir, deleted_path, partition_dir, topic_dir, topics_dir};

/// Makes directories of logs, and remembers the topic whose link it made last: the partitions of a topic mostly come
/// one behind the other, and each link is needed once.
#[derive(Default)]
pub struct Maker {
    linked: Cell<Option<TopicId>>,
}

impl Maker {
    /// Makes a log's directory and what leads to it; nothing is durable before the directories of
    /// [`holders`] are synced.
    pub async fn make(
        &self,
        runtime: &Runtime,
        dir: &Path,
        id: LogId,
        topic: &str,
    ) -> io::Result<()> {
        if self.linked.get() == Some(id.topic) {
            return runtime.disk().create_dir_all(&partition_dir(dir, id)).await;
        }
        make(runtime, dir, id, topic).await?;
        self.linked.set(Some(id.topic));
        Ok(())
    }
}

/// Makes a log's directory and its topic's link.
async fn make(runtime: &Runtime, dir: &Path, id: LogId, topic: &str) -> io::Result<()> {
    let disk = runtime.disk();
    let own = partition_dir(dir, id);
    match disk.create_dir_all(&own).await {
        // Another shard has removed the topic's meanwhile, with its own last partition.
        Err(error) if error.kind() == ErrorKind::NotFound => disk.create_dir_all(&own).await?,
        made => made?,
    }
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

/// The directories that hold what [`Maker::make`] made, and the log's own.
pub fn holders(dir: &Path, id: LogId) -> [PathBuf; 5] {
    let topic = topic_dir(dir, id.topic);
    [dir.to_owned(), topics_dir(dir), by_name_dir(dir), topic, partition_dir(dir, id)]
}

/// Gives the directory of a log that is deleted a name under which nobody looks for it; `None` if it has none.
pub async fn set_aside(runtime: &Runtime, dir: &Path, id: LogId) -> io::Result<Option<PathBuf>> {
    let own = partition_dir(dir, id);
    let aside = deleted_path(&own);
    match runtime.disk().rename(&own, &aside).await {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        renamed => renamed.map(|()| Some(aside)),
    }
}

/// Removes a log's directory, its topic's after the last partition, and the link that then leads
/// nowhere. What was not there is no error.
pub async fn remove(runtime: &Runtime, dir: &Path, id: LogId, topic: &str) -> io::Result<()> {
    gone(runtime.disk().remove_dir_all(&partition_dir(dir, id)).await)?;
    remove_empty(runtime, dir, id, topic).await
}

/// Removes a topic's directory, if no partition is left in it, and the link that then leads nowhere.
pub async fn remove_empty(runtime: &Runtime, dir: &Path, id: LogId, topic: &str) -> io::Result<()> {
    let disk = runtime.disk();
    let own = topic_dir(dir, id.topic);
    match disk.remove_dir(&own).await {
        // Another shard has a partition there, or is about to.
        Err(error) if error.kind() == ErrorKind::DirectoryNotEmpty => {}
        removed => gone(removed)?,
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
