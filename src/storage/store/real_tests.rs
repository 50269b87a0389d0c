//! A store on the real machine: its segments are Kafka's record batches and nothing else.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::model::units::{BLOCK, KIB, MIB};
use crate::model::{LeaderEpoch, LogId, Offset, PartitionIndex, TopicId};
use crate::record::{BatchBuilder, BatchOptions, split};
use crate::runtime::{ExecutorSpec, Runtime, start};
use crate::storage::directory::{
    DirectoryId, by_name_dir, checkpoint_dir, journal_dir, partition_dir,
};
use crate::storage::journal::{JournalIdentity, JournalOptions};
use crate::storage::{AppendMode, LogConfig, Store, StoreOptions};

const BATCHES: i64 = 3000;

fn log_id() -> LogId {
    LogId { topic: TopicId::from_random(7, 9), partition: PartitionIndex(0) }
}

/// Appends, with a checkpoint in the middle, and closes; gives the batches as they should stand.
async fn fill(runtime: Runtime, dir: PathBuf) -> Vec<u8> {
    let disk = runtime.disk();
    for path in [checkpoint_dir(&dir), journal_dir(&dir)] {
        disk.create_dir_all(&path).await.expect("a directory");
    }
    let identity = JournalIdentity { directory: DirectoryId([7; 16]), slot: 0, epoch: 1 };
    let journal = JournalOptions::new(&dir, identity, 0).with_files(512 * BLOCK as u64, 3);
    let options = StoreOptions::new(&dir, journal);
    let store = Store::open(&runtime, options, Vec::new()).await.expect("a store");
    let config = LogConfig { segment_bytes: MIB as u32, ..LogConfig::default() };
    let log = store.create(log_id(), "orders", config);
    let mut expected = Vec::new();
    for number in 0..BATCHES {
        let mut builder = BatchBuilder::new(BatchOptions::default());
        let value = vec![number as u8; 100 + (number as usize % 29) * 37];
        builder.append(1_700_000_000_000 + number, Some(b"key"), Some(&value), &[]);
        let mut batch = builder.finish();
        log.prepare_append(batch.len()).await.expect("room");
        let mode = AppendMode {
            leader_epoch: LeaderEpoch(2),
            log_append_time: None,
            now_ms: runtime.wall_clock_ms(),
        };
        let appended = log.append(&batch, mode).expect("an append");
        assert_eq!(appended.base_offset, Offset(number));
        batch[..8].copy_from_slice(&number.to_be_bytes());
        batch[12..16].copy_from_slice(&2i32.to_be_bytes());
        expected.extend_from_slice(&batch);
        if number % 50 == 0 {
            appended.ticket.wait().await.expect("durable");
            assert_eq!(log.readable_end(), Offset(number + 1));
        }
        if number == BATCHES / 2 {
            store.checkpoint().await.expect("a checkpoint");
        }
    }
    let found = log.offset_for_timestamp(1_700_000_000_123, log.end_offset()).await;
    assert_eq!(found.expect("a look").map(|found| found.offset), Some(Offset(123)));
    store.close().await.expect("a clean stop");
    expected
}

fn segments(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(partition_dir(dir, log_id())).expect("a directory");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let mut paths: Vec<PathBuf> =
        paths.filter(|path| path.extension().is_some_and(|extension| extension == "log")).collect();
    paths.sort_unstable();
    paths
}

#[test]
fn segments_are_kafkas_batches_and_nothing_else() {
    let root = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).expect("a directory on a disk");
    // To look at the files with Kafka's own kafka-dump-log, say where they are to stay.
    let kept = std::env::var_os("KLAMM_KEEP_SEGMENTS").map(PathBuf::from);
    let dir = kept.unwrap_or_else(|| root.path().to_owned());
    let spec = ExecutorSpec {
        name: "store-test".to_owned(),
        cpu: None,
        memory_bytes: 32 * MIB,
        spin_max: Duration::ZERO,
    };
    let data = dir.clone();
    let thread = start(spec, move |runtime| fill(runtime, data)).expect("a thread");
    let expected = thread.join().expect("a run");
    let segments = segments(&dir);
    assert!(segments.len() > 1, "it rolled");
    let mut stored = Vec::new();
    for path in &segments {
        let bytes = std::fs::read(path).expect("a segment");
        assert!(bytes.len() > KIB && bytes.len() <= MIB, "{} bytes", bytes.len());
        let first = split(&bytes).next().expect("a batch").expect("a whole batch");
        let name = format!("{:020}.log", first.base_offset.0);
        assert_eq!(path.file_name().and_then(|name| name.to_str()), Some(name.as_str()));
        stored.extend_from_slice(&bytes);
    }
    assert!(stored == expected, "{} bytes of {}", stored.len(), expected.len());
    let link = by_name_dir(&dir).join("orders");
    assert!(std::fs::read_dir(link).expect("a link").count() == 1);
}
