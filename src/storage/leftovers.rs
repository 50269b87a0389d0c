//! What earlier processes were still removing when they ended, found by its name.
//!
//! To be run beside everything else after a start: it touches nothing that a log of this process
//! has. A segment below its log's first one can never be made again.

use std::io;
use std::path::Path;

use tracing::{info, warn};

use super::directory::{is_deleted_name, parse_file_base, partition_dir, topic_dir};
use super::log::LogState;
use super::slow_removal;
use crate::model::units::GIB;
use crate::model::{LogId, Offset, TopicId};
use crate::runtime::Runtime;

/// With less free than this what is left goes without pauses.
const FREE_BYTES_SHORT: u64 = GIB as u64;

/// What a start has to look for.
#[derive(Clone, Debug, Default)]
pub struct Leftovers {
    /// Topics that the metadata no longer knows, and that have a directory.
    pub topics: Vec<TopicId>,
    /// Logs that may have a directory, and the first segment of each.
    pub logs: Vec<(LogId, Offset)>,
}

impl Leftovers {
    /// The logs of a start; those that never wrote a segment have no directory.
    pub fn first_segments(logs: &[LogState]) -> Vec<(LogId, Offset)> {
        let may_have = |log: &&LogState| log.start > Offset(0) || log.end > Offset(0);
        let first = |log: &LogState| Some((log.id, log.segments.first()?.base));
        logs.iter().filter(may_have).filter_map(first).collect()
    }

    /// Removes everything that is left, one file after the other; gives how many segments and
    /// indexes went.
    pub async fn remove(&self, runtime: &Runtime, dir: &Path) -> u64 {
        let space = runtime.disk().space(dir).await;
        let is_short = space.is_ok_and(|space| space.free_bytes < FREE_BYTES_SHORT);
        let hurries = || is_short;
        for &topic in &self.topics {
            let path = topic_dir(dir, topic);
            match slow_removal::remove_directory(runtime, &path, &hurries).await {
                Ok(()) => info!(%topic, "removed what was left of a deleted topic"),
                Err(error) => {
                    warn!(path = %path.display(), %error, "what is left of a deleted topic could not be removed: the next start tries again");
                }
            }
        }
        let mut removed = 0;
        for &(log, first) in &self.logs {
            match remove_old_segments(runtime, dir, log, first, &hurries).await {
                Ok(count) => removed += count,
                // The topic was deleted meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => {
                    warn!(%log, %error, "what is left of old segments could not be removed: the next start tries again");
                }
            }
        }
        if removed > 0 {
            info!(files = removed, "removed what was left of old segments");
        }
        removed
    }
}

async fn remove_old_segments(
    runtime: &Runtime,
    dir: &Path,
    log: LogId,
    first: Offset,
    hurries: &dyn Fn() -> bool,
) -> io::Result<u64> {
    let own = partition_dir(dir, log);
    let mut removed = 0;
    for entry in runtime.disk().list_dir(&own).await? {
        let is_old = parse_file_base(&entry.name).is_some_and(|base| base < first);
        if is_old || is_deleted_name(&entry.name) {
            let path = own.join(&entry.name);
            match slow_removal::remove_file(runtime, &path, entry.len, hurries).await {
                // This process was about to remove it, too.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                result => result?,
            }
            removed += 1;
        }
    }
    Ok(removed)
}
