//! The layout of a data directory and its `meta.properties`.
//!
//! ```text
//! data/.lock                 held while a process uses the directory; its bytes are the pid
//! data/meta.properties       Kafka's file: version=1, cluster.id, node.id, directory.id
//! data/superblock            which start epoch is current (superblock.rs)
//! data/journal/<slot>-<file>.journal
//! data/checkpoint/           one file a checkpoint (checkpoint.rs)
//! data/topics/<topic id>/<partition>/<20 digits>.log and .index
//! data/topics/by-name/<name> -> ../<topic id>
//! data/metadata/             the metadata quorum's journal and snapshot
//! ```

use std::fmt;
use std::path::{Path, PathBuf};

use crate::model::{BrokerId, LogId, Offset, TopicId};

/// The random id of one log directory (Kafka's `directory.id`, KIP-858), part of a journal's id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DirectoryId(pub [u8; 16]);

impl DirectoryId {
    /// Makes an id from 128 random bits.
    pub fn from_random(high: u64, low: u64) -> DirectoryId {
        DirectoryId(TopicId::from_random(high, low).0)
    }
}

impl fmt::Display for DirectoryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&TopicId(self.0), f)
    }
}

/// The file whose lock says that a process uses the directory.
pub fn lock_path(dir: &Path) -> PathBuf {
    dir.join(".lock")
}

/// Kafka's description of the directory.
pub fn meta_properties_path(dir: &Path) -> PathBuf {
    dir.join("meta.properties")
}

/// The file with the superblock's two copies.
pub fn superblock_path(dir: &Path) -> PathBuf {
    dir.join("superblock")
}

/// Where the journals of all slots are.
pub fn journal_dir(dir: &Path) -> PathBuf {
    dir.join("journal")
}

/// Where the checkpoints are.
pub fn checkpoint_dir(dir: &Path) -> PathBuf {
    dir.join("checkpoint")
}

/// Where the metadata quorum keeps its log.
pub fn metadata_dir(dir: &Path) -> PathBuf {
    dir.join("metadata")
}

/// The parent of every topic's directory.
pub fn topics_dir(dir: &Path) -> PathBuf {
    dir.join("topics")
}

/// Where a symbolic link with each topic's readable name is.
pub fn by_name_dir(dir: &Path) -> PathBuf {
    topics_dir(dir).join("by-name")
}

/// One incarnation of a topic. An id's text may hold only letters, digits, `-` and `_`.
pub fn topic_dir(dir: &Path, topic: TopicId) -> PathBuf {
    topics_dir(dir).join(topic.to_string())
}

/// One partition's segments.
pub fn partition_dir(dir: &Path, log: LogId) -> PathBuf {
    topic_dir(dir, log.topic).join(log.partition.to_string())
}

/// A segment, named as Kafka names it: its base offset in 20 digits.
pub fn segment_path(dir: &Path, log: LogId, base: Offset) -> PathBuf {
    partition_dir(dir, log).join(format!("{:020}.log", base.0))
}

/// The sparse index beside a segment, derived data.
pub fn index_path(dir: &Path, log: LogId, base: Offset) -> PathBuf {
    partition_dir(dir, log).join(format!("{:020}.index", base.0))
}

/// The base offset in a segment's file name; `None` for every other name.
pub fn parse_segment_name(name: &str) -> Option<Offset> {
    let digits = name.strip_suffix(".log")?;
    if digits.len() != 20 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok().map(Offset)
}

/// What Kafka's `meta.properties`, version 1, says about a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetaProperties {
    /// The cluster that the directory belongs to.
    pub cluster_id: String,
    /// The node that it belongs to.
    pub node_id: BrokerId,
    /// This directory's own id.
    pub directory_id: DirectoryId,
}

/// Why a `meta.properties` cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MetaPropertiesError {
    /// A key is missing or has no usable value.
    #[error(
        "meta.properties has no usable '{0}'; restore the file or start with an empty directory"
    )]
    Key(&'static str),
    /// Written by something newer or older.
    #[error("meta.properties has version {0}, this build reads version 1")]
    Version(String),
    /// A line is not `key=value`.
    #[error("meta.properties line {0} is not key=value")]
    Line(usize),
}

impl MetaProperties {
    /// The largest file that is read at all.
    pub const BYTES_MAX: usize = 16 * 1024;

    /// The file's text.
    pub fn encode(&self) -> String {
        format!(
            "#\ncluster.id={}\ndirectory.id={}\nnode.id={}\nversion=1\n",
            self.cluster_id, self.directory_id, self.node_id
        )
    }

    /// Reads the file's text.
    pub fn decode(text: &str) -> Result<MetaProperties, MetaPropertiesError> {
        let mut cluster_id = None;
        let mut node_id = None;
        let mut directory_id = None;
        let mut version = None;
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with(['#', '!']) {
                continue;
            }
            let (key, value) = line.split_once('=').ok_or(MetaPropertiesError::Line(index + 1))?;
            match key.trim() {
                "cluster.id" => cluster_id = Some(value.trim()),
                "node.id" => node_id = Some(value.trim()),
                "directory.id" => directory_id = Some(value.trim()),
                "version" => version = Some(value.trim()),
                _ => {}
            }
        }
        match version {
            Some("1") => {}
            Some(other) => return Err(MetaPropertiesError::Version(other.to_owned())),
            None => return Err(MetaPropertiesError::Key("version")),
        }
        let cluster_id = cluster_id
            .filter(|id| !id.is_empty())
            .ok_or(MetaPropertiesError::Key("cluster.id"))?
            .to_owned();
        let node_id = node_id
            .and_then(|id| id.parse().ok())
            .filter(|&id| id >= 0)
            .map(BrokerId)
            .ok_or(MetaPropertiesError::Key("node.id"))?;
        let directory_id = directory_id
            .and_then(TopicId::parse)
            .filter(|id| !id.is_zero())
            .map(|id| DirectoryId(id.0))
            .ok_or(MetaPropertiesError::Key("directory.id"))?;
        Ok(MetaProperties { cluster_id, node_id, directory_id })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::PartitionIndex;

    fn sample() -> MetaProperties {
        MetaProperties {
            cluster_id: "MkU3OEVBNTcwNTJENDM2Qk".to_owned(),
            node_id: BrokerId(1),
            directory_id: DirectoryId::from_random(7, 9),
        }
    }

    #[test]
    fn meta_properties_round_trip() {
        let text = sample().encode();
        assert_eq!(MetaProperties::decode(&text), Ok(sample()));
        let spaced = text.replace('=', " = ").replace("#\n", "#\n#a date\n\n");
        assert_eq!(MetaProperties::decode(&spaced), Ok(sample()));
    }

    #[test]
    fn meta_properties_refuses_what_it_cannot_use() {
        let text = sample().encode();
        for (from, to, expected) in [
            ("version=1", "version=0", MetaPropertiesError::Version("0".to_owned())),
            ("version=1\n", "", MetaPropertiesError::Key("version")),
            ("node.id=1", "node.id=-1", MetaPropertiesError::Key("node.id")),
            ("cluster.id=", "cluster=", MetaPropertiesError::Key("cluster.id")),
            ("directory.id=", "directory.id=x", MetaPropertiesError::Key("directory.id")),
            ("#\n", "what\n", MetaPropertiesError::Line(1)),
        ] {
            assert_eq!(MetaProperties::decode(&text.replacen(from, to, 1)), Err(expected));
        }
    }

    #[test]
    fn segments_are_named_as_kafka_names_them() {
        let log = LogId { topic: TopicId::METADATA, partition: PartitionIndex(3) };
        let path = segment_path(Path::new("/d"), log, Offset(42));
        assert_eq!(
            path.to_str(),
            Some("/d/topics/AAAAAAAAAAAAAAAAAAAAAQ/3/00000000000000000042.log")
        );
        assert_eq!(parse_segment_name("00000000000000000042.log"), Some(Offset(42)));
        for name in ["42.log", "00000000000000000042.index", "0000000000000000004x.log", ".log"] {
            assert_eq!(parse_segment_name(name), None, "{name}");
        }
    }
}
