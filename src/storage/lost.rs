//! Partitions that the metadata does not know, although nobody has said that they were deleted.
//!
//! Damage at the very end of the metadata's log looks like a torn tail, and the newest topics go with it. Their
//! records are whole, so a start does not take them for what is left of deleted topics: it moves them to
//! `lost-topics/<topic id>/<partition>` and says so. The id of a log is never given to another one, so nothing
//! here is ever opened again.

use std::io;
use std::path::Path;

use rustc_hash::FxHashSet;
use tracing::error;

use super::directory::{lost_partition_dir, lost_topics_dir, partition_dir, topic_dir};
use super::log::LogState;
use crate::model::{LogId, PartitionIndex, TopicId};
use crate::runtime::Runtime;

/// The partitions that were moved: an earlier try of this start may have been ended after that.
pub async fn moved(runtime: &Runtime, dir: &Path) -> io::Result<FxHashSet<LogId>> {
    let root = lost_topics_dir(dir);
    let topics = match runtime.disk().list_dir(&root).await {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(FxHashSet::default()),
        topics => topics?,
    };
    let mut moved = FxHashSet::default();
    for topic in topics.iter().filter_map(|entry| TopicId::parse(&entry.name)) {
        for entry in runtime.disk().list_dir(&root.join(topic.to_string())).await? {
            if let Ok(partition) = entry.name.parse().map(PartitionIndex) {
                moved.insert(LogId { topic, partition });
            }
        }
    }
    Ok(moved)
}

/// Moves the directories of logs, each of which has all of its records in its segments; on return their new
/// names are durable. A log without records has nothing to keep.
pub async fn set_aside(runtime: &Runtime, dir: &Path, logs: &[LogState]) -> io::Result<()> {
    let disk = runtime.disk();
    for log in logs.iter().filter(|log| log.end > log.start) {
        let (from, to) = (partition_dir(dir, log.id), lost_partition_dir(dir, log.id));
        let parent = to.parent().expect("a partition's directory is in its topic's");
        disk.create_dir_all(parent).await?;
        disk.rename(&from, &to).await?;
        for changed in [parent, &lost_topics_dir(dir), dir, &topic_dir(dir, log.id.topic)] {
            disk.sync_dir(changed).await?;
        }
        error!(
            topic = %log.topic,
            partition = %log.id.partition,
            from = %log.start,
            to = %log.end,
            "the metadata does not know this partition, nor that its topic was deleted: the end of the metadata's \
             log has been damaged. Its records are kept in {}: create the topic anew and bring them back from \
             there, or remove that directory",
            to.display()
        );
    }
    Ok(())
}
