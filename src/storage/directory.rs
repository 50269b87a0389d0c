//! The layout of a data directory and its `meta.properties`.
//!
//! ```text
//! data/.lock                 held while a process uses the directory; its bytes are the pid
//! data/meta.properties       Kafka's file: version=1, cluster.id, node.id, directory.id
//! data/superblock            which start epoch is current (superblock.rs)
//! data/journal/<slot>-<file>.journal
//! data/journal/<slot>.reserve   space for a start on a full disk (reserve.rs)
//! data/checkpoint/           one file a checkpoint (checkpoint.rs)
//! data/topics/<topic id>/<partition>/<20 digits>.log and .index
//! data/topics/<topic id>/<partition>/<20 digits>.log.deleted   below the log's start (Kafka's name)
//! data/topics/<topic id>/<partition>.deleted/   of a topic that is being deleted
//! data/topics/<topic id>/<partition>/coordinator.snapshot   of __consumer_offsets (the shard's)
//! data/topics/by-name/<name> -> ../<topic id>
//! data/lost-topics/<topic id>/<partition>/   what the metadata does not know (lost.rs)
//! data/metadata/             the metadata quorum's journal and snapshot
//! ```

use std::path::{Path, PathBuf};
use std::{fmt, io};

use crate::model::{BrokerId, LogId, Offset, TopicId};
use crate::runtime::Runtime;
use crate::runtime::disk::FileLock;

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

/// The parent of what a start has found and the metadata does not know.
pub fn lost_topics_dir(dir: &Path) -> PathBuf {
    dir.join("lost-topics")
}

/// Where the segments of a partition go that the metadata does not know.
pub fn lost_partition_dir(dir: &Path, log: LogId) -> PathBuf {
    lost_topics_dir(dir).join(log.topic.to_string()).join(log.partition.to_string())
}

/// A segment, named as Kafka names it: its base offset in 20 digits.
pub fn segment_path(dir: &Path, log: LogId, base: Offset) -> PathBuf {
    partition_dir(dir, log).join(format!("{:020}.log", base.0))
}

/// The sparse index beside a segment, derived data.
pub fn index_path(dir: &Path, log: LogId, base: Offset) -> PathBuf {
    partition_dir(dir, log).join(format!("{:020}.index", base.0))
}

/// What Kafka puts behind the names of files that are to be removed.
const DELETED_SUFFIX: &str = ".deleted";

/// The name of a file that is to be removed.
pub fn deleted_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(DELETED_SUFFIX);
    PathBuf::from(name)
}

/// Whether a file was to be removed.
pub fn is_deleted_name(name: &str) -> bool {
    name.ends_with(DELETED_SUFFIX)
}

/// The base offset in the name of a segment or of what is derived from it; `None` for every other
/// name.
pub fn parse_file_base(name: &str) -> Option<Offset> {
    let (stem, extension) = name.split_once('.')?;
    let is_ours = matches!(extension, "log" | "index");
    is_ours.then(|| parse_segment_name(&format!("{stem}.log")))?
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

/// A data directory that this process has to itself until the value is dropped.
pub struct DataDirectory {
    /// Where it is.
    pub path: PathBuf,
    /// What it says about itself.
    pub meta: MetaProperties,
    _lock: FileLock,
}

/// Why a data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// Another process has it.
    #[error(
        "data directory {path} is in use by process {pid}: stop that broker, or set log.dirs to \
         another directory"
    )]
    Locked {
        /// The directory.
        path: PathBuf,
        /// The other process, as its lock file says.
        pid: String,
    },
    /// It belongs to another broker.
    #[error(
        "data directory {path} belongs to node.id {found}, this broker is {wanted}: set node.id \
         to {found}, or log.dirs to another directory"
    )]
    Node {
        /// The directory.
        path: PathBuf,
        /// Whose it is.
        found: BrokerId,
        /// Who asks.
        wanted: BrokerId,
    },
    /// It holds data, and its description is gone: with new ids none of that data would be its own.
    #[error(
        "data directory {path} has no meta.properties, and '{found}' says that it is not new: \
         restore the file from a copy, or set log.dirs to an empty directory"
    )]
    MetaMissing {
        /// The directory.
        path: PathBuf,
        /// What is there.
        found: &'static str,
    },
    /// Its description cannot be used.
    #[error("data directory {path}: {source}")]
    Meta {
        /// The directory.
        path: PathBuf,
        /// What is wrong.
        source: MetaPropertiesError,
    },
    /// It cannot be made, read or written.
    #[error("data directory {path}: {source}: is it mounted, and may this user write to it?")]
    Io {
        /// The directory.
        path: PathBuf,
        /// The system's own error.
        source: io::Error,
    },
}

impl DataDirectory {
    /// Makes the directory if it is missing, locks it, and reads its description; writes one where
    /// nothing else is.
    ///
    /// # Errors
    /// Where the directory is another process's, another cluster's or another node's, or cannot be used; the sentence says
    /// what to do.
    pub async fn open(
        runtime: &Runtime,
        path: &Path,
        node_id: BrokerId,
    ) -> Result<DataDirectory, DirectoryError> {
        let failed = |source| DirectoryError::Io { path: path.to_owned(), source };
        let disk = runtime.disk();
        disk.create_dir_all(path).await.map_err(failed)?;
        let lock = match disk.lock(&lock_path(path)).await {
            Ok(lock) => lock,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let pid = disk.read_whole(&lock_path(path), PID_BYTES_MAX).await.map_err(failed)?;
                let pid = String::from_utf8_lossy(&pid).trim().to_owned();
                return Err(DirectoryError::Locked { path: path.to_owned(), pid });
            }
            Err(error) => return Err(failed(error)),
        };
        let meta_path = meta_properties_path(path);
        let meta = match disk.read_whole(&meta_path, MetaProperties::BYTES_MAX).await {
            Ok(bytes) => MetaProperties::decode(&String::from_utf8_lossy(&bytes))
                .map_err(|source| DirectoryError::Meta { path: path.to_owned(), source })?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if let Some(found) = data_in(runtime, path).await.map_err(failed)? {
                    return Err(DirectoryError::MetaMissing { path: path.to_owned(), found });
                }
                sync_ancestors(runtime, path).await.map_err(failed)?;
                let meta = MetaProperties::fresh(runtime, node_id);
                disk.write_whole(&meta_path, meta.encode().as_bytes()).await.map_err(failed)?;
                meta
            }
            Err(error) => return Err(failed(error)),
        };
        if meta.node_id != node_id {
            let (found, wanted) = (meta.node_id, node_id);
            return Err(DirectoryError::Node { path: path.to_owned(), found, wanted });
        }
        for folder in [journal_dir(path), checkpoint_dir(path), by_name_dir(path)] {
            disk.create_dir_all(&folder).await.map_err(failed)?;
        }
        for folder in [topics_dir(path), path.to_owned()] {
            disk.sync_dir(&folder).await.map_err(failed)?;
        }
        Ok(DataDirectory { path: path.to_owned(), meta, _lock: lock })
    }
}

/// What of a directory says that a broker has written to it; its description is older than all else.
async fn data_in(runtime: &Runtime, path: &Path) -> io::Result<Option<&'static str>> {
    let disk = runtime.disk();
    let superblock = superblock_path(path);
    if disk.list_dir(path).await?.iter().any(|entry| superblock.ends_with(&entry.name)) {
        return Ok(Some("superblock"));
    }
    for (found, folder) in [
        ("metadata", metadata_dir(path)),
        ("checkpoint", checkpoint_dir(path)),
        ("journal", journal_dir(path)),
        ("topics", topics_dir(path)),
    ] {
        let entries = match disk.list_dir(&folder).await {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            entries => entries?,
        };
        // The links to topics are made with the directory.
        let is_data =
            found != "topics" || entries.iter().any(|entry| TopicId::parse(&entry.name).is_some());
        if is_data && !entries.is_empty() {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// Makes the names of a directory and of those above it durable; any of them may be new.
async fn sync_ancestors(runtime: &Runtime, path: &Path) -> io::Result<()> {
    for ancestor in path.ancestors().skip(1) {
        let here = ancestor.as_os_str().is_empty();
        match runtime.disk().sync_dir(if here { Path::new(".") } else { ancestor }).await {
            // One that this user may not even read was not made by this process.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
            result => result?,
        }
    }
    Ok(())
}

/// A pid in decimal, with room to spare.
const PID_BYTES_MAX: usize = 32;

impl MetaProperties {
    /// A new directory's description, with random ids.
    fn fresh(runtime: &Runtime, node_id: BrokerId) -> MetaProperties {
        MetaProperties {
            cluster_id: TopicId::from_random(runtime.random(), runtime.random()).to_string(),
            node_id,
            directory_id: DirectoryId::from_random(runtime.random(), runtime.random()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::PartitionIndex;
    use crate::runtime::sim::{SimOptions, World};

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
        let gone = deleted_path(&path);
        assert!(gone.to_str().is_some_and(is_deleted_name), "{}", gone.display());
        for (name, base) in [
            ("00000000000000000042.log", Some(42)),
            ("00000000000000000042.index", Some(42)),
            ("00000000000000000042.log.deleted", None),
            ("00000000000000000042.snapshot", None),
            ("coordinator.snapshot", None),
            ("42.index", None),
        ] {
            assert_eq!(parse_file_base(name), base.map(Offset), "{name}");
        }
    }

    #[test]
    fn a_directory_has_one_process_and_one_broker() {
        let world = World::new(3, SimOptions::default());
        let host = world.host();
        let runtime = host.runtime();
        let path = Path::new("/srv/klamm");
        let open = |node| world.run_until(DataDirectory::open(&runtime, path, BrokerId(node)));
        let first = open(1).expect("a fresh directory");
        assert_eq!(first.meta.node_id, BrokerId(1));
        let error = open(1).err().expect("in use");
        assert!(matches!(&error, DirectoryError::Locked { pid, .. } if pid.parse() == Ok(1000)));
        drop(first);
        let error = open(2).err().expect("another broker's");
        assert!(error.to_string().contains("belongs to node.id 1, this broker is 2"), "{error}");
        let meta = open(1).expect("its own").meta;
        host.power_loss();
        let runtime = host.runtime();
        let again = world.run_until(DataDirectory::open(&runtime, path, BrokerId(1)));
        assert_eq!(again.expect("after a power loss").meta, meta);
        drop(world.run_until(runtime.disk().write_whole(&meta_properties_path(path), b"what")));
        host.kill();
        let runtime = host.runtime();
        let error = world.run_until(DataDirectory::open(&runtime, path, BrokerId(1))).err();
        assert!(matches!(error, Some(DirectoryError::Meta { .. })));
    }

    #[test]
    fn a_directory_with_data_gets_no_new_description() {
        let path = Path::new("/srv/klamm");
        let topic = TopicId::from_random(1, 2).to_string();
        let topic = format!("topics/{topic}/0/00000000000000000000.log");
        for (file, expected) in [
            ("superblock", Some("superblock")),
            ("metadata/checkpoint", Some("metadata")),
            ("checkpoint/1-65535-1", Some("checkpoint")),
            ("journal/0-0.journal", Some("journal")),
            (&topic, Some("topics")),
            ("topics/by-name/orders", None),
            ("lost+found/what", None),
        ] {
            let world = World::new(3, SimOptions::default());
            let runtime = world.host().runtime();
            let disk = runtime.disk();
            let opened = world.run_until(async {
                let file = path.join(file);
                disk.create_dir_all(file.parent().expect("a folder")).await.expect("made");
                disk.write_whole(&file, b"data").await.expect("written");
                DataDirectory::open(&runtime, path, BrokerId(1)).await.map(|_| ())
            });
            match (opened, expected) {
                (Err(DirectoryError::MetaMissing { found, .. }), Some(expected)) => {
                    assert_eq!(found, expected);
                    let left = world.run_until(disk.list_dir(path)).expect("listed");
                    let names: Vec<_> = left.iter().map(|entry| &*entry.name).collect();
                    assert!(!names.contains(&"meta.properties"), "{file}: {names:?}");
                }
                (Ok(()), None) => {}
                (result, _) => panic!("{file}: {result:?}"),
            }
        }
    }
}
