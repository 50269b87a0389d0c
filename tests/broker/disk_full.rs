//! A disk that is full: producers are told, readers go on, and nothing is lost by it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use klamm::model::{ErrorCode, TopicId};
use klamm::protocol::api_versions_request::ApiVersionsRequest;
use klamm::protocol::incremental_alter_configs_request::{
    AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest,
};

use crate::healthy::Healthy;
use crate::load::now;
use crate::support::Broker;
use crate::wire::{Wire, batch, fetch_request};

const MIB: u64 = 1 << 20;
/// The journals take 16 MiB of it, the metadata's reserve 8, and the shard's 12.
const DISK_BYTES: u64 = 112 * MIB;
/// Longer than a full disk is left alone.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(60);

/// A small file system of its own, in a file.
struct SmallDisk {
    directory: tempfile::TempDir,
}

impl SmallDisk {
    /// `None` where this process may not mount one.
    fn mount() -> Option<SmallDisk> {
        let root = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let directory = tempfile::tempdir_in(root).expect("the target directory takes another");
        let (image, mount) = (directory.path().join("image"), directory.path().join("mount"));
        File::create(&image).and_then(|file| file.set_len(DISK_BYTES)).expect("a file");
        fs::create_dir(&mount).expect("a directory");
        let done = |command: &mut Command| command.output().is_ok_and(|out| out.status.success());
        let made = done(Command::new("mkfs.ext4").args(["-q", "-F", "-m", "0"]).arg(&image))
            && done(Command::new("mount").args(["-o", "loop"]).args([&image, &mount]));
        made.then_some(SmallDisk { directory })
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("mount")
    }

    /// Takes up space that is given back by [`SmallDisk::free`].
    fn take(&self, name: &str, bytes: u64) {
        let filled = fs::write(self.path().join(name), vec![1; bytes as usize]);
        filled.expect("there is room");
    }

    fn free(&self, name: &str) {
        fs::remove_file(self.path().join(name)).expect("it was taken");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // The broker is gone by now; a file system that stays mounted is seen by the next run.
        let _ = Command::new("umount").arg(self.path()).output();
    }
}

/// Values that were acknowledged, by their offsets.
struct Acknowledged {
    topic: TopicId,
    values: Vec<String>,
}

impl Acknowledged {
    /// Produces until the broker refuses; gives the code that it refuses with.
    fn fill(&mut self, wire: &mut Wire, length: usize) -> ErrorCode {
        for _ in 0..2 * DISK_BYTES / length as u64 {
            let value = format!("{:08}{}", self.values.len(), "x".repeat(length));
            let answer = wire.produce("full", 0, &batch(&[&value]), 9);
            if answer.error_code != 0 {
                return ErrorCode::from_code(answer.error_code);
            }
            assert_eq!(answer.base_offset, self.values.len() as i64);
            self.values.push(value);
        }
        panic!("the disk never fills");
    }

    /// Reads everything back.
    fn check(&self, wire: &mut Wire) {
        let mut next = 0;
        while next < self.values.len() {
            let request = fetch_request("full", self.topic, 0, next as i64);
            let answer = wire.ask(&request, 12);
            let partition = &answer.responses[0].partitions[0];
            assert_eq!(partition.error_code, 0, "at {next} of {}", self.values.len());
            let values = crate::fetch::values_of(partition);
            assert!(!values.is_empty(), "at {next} of {}", self.values.len());
            let expected = &self.values[next..next + values.len()];
            assert!(values == expected, "what was acknowledged at {next} is not there");
            next += values.len();
        }
    }

    /// Produces until it is taken again.
    fn await_space(&mut self, wire: &mut Wire) {
        let began = now();
        loop {
            let value = format!("{:08}", self.values.len());
            let answer = wire.produce("full", 0, &batch(&[&value]), 9);
            if answer.error_code == 0 {
                self.values.push(value);
                return;
            }
            assert_eq!(ErrorCode::from_code(answer.error_code), ErrorCode::KafkaStorageError);
            assert!(began.elapsed() < PATIENCE, "there is space, and nothing is taken");
        }
    }
}

/// Changes a topic's configs until the metadata's journal has gone round more than once.
fn fill_metadata(wire: &mut Wire) {
    for number in 0..1_200 {
        let replicas = format!("{}1:{number}", "1:1,".repeat(3_500));
        let config = AlterableConfig {
            name: "leader.replication.throttled.replicas".into(),
            config_operation: 0,
            value: Some(replicas.into()),
            ..Default::default()
        };
        let resource = AlterConfigsResource {
            resource_type: 2,
            resource_name: "full".into(),
            configs: vec![config],
            ..Default::default()
        };
        let request =
            IncrementalAlterConfigsRequest { resources: vec![resource], ..Default::default() };
        let answer = wire.ask(&request, 1);
        assert_eq!(answer.responses[0].error_code, 0, "change {number}: {answer:?}");
    }
}

#[test]
fn a_full_disk_stops_producers_only_and_loses_nothing() {
    let Some(disk) = SmallDisk::mount() else {
        return println!(
            "skipped: no file system can be mounted here (that takes root and mkfs.ext4)"
        );
    };
    let data = format!("log.dirs={}", disk.path().join("data").display());
    let overrides =
        [data.as_str(), "num.shards=1", "memory.bytes=33554432", "journal.bytes=8388608"];
    let mut broker = Broker::start(&overrides);
    let mut wire = Wire::connect(&broker);
    let topic = wire.create_topic("full", 1, &[("segment.bytes", "4194304")]);
    let mut acknowledged = Acknowledged { topic, values: Vec::new() };
    disk.take("first", 8 * MIB);
    disk.take("second", 8 * MIB);
    disk.take("third", 8 * MIB);
    assert_eq!(acknowledged.fill(&mut wire, 100_000), ErrorCode::KafkaStorageError);
    assert!(broker.log().contains("is full: producers are refused"), "{}", broker.log());
    acknowledged.check(&mut wire);
    fill_metadata(&mut wire);
    acknowledged.check(&mut Wire::connect(&broker));

    // With space again it goes on by itself.
    disk.free("first");
    acknowledged.await_space(&mut wire);
    assert!(broker.log().contains("has space again"), "{}", broker.log());
    assert_eq!(acknowledged.fill(&mut wire, 50_000), ErrorCode::KafkaStorageError);
    acknowledged.check(&mut wire);

    // A start finds room for all that it has to write, although nobody has freed any.
    for kill in [true, true, false, true] {
        if kill {
            broker.kill();
        } else {
            broker.stop();
        }
        broker.restart();
        wire = Wire::connect(&broker);
        acknowledged.check(&mut wire);
        // What the recovery has left over may be enough for a few more.
        assert_eq!(acknowledged.fill(&mut wire, 70_000), ErrorCode::KafkaStorageError);
    }
    // What the space of the start has taken is set aside again before anything else is.
    disk.free("second");
    disk.free("third");
    acknowledged.await_space(&mut wire);
    assert_eq!(acknowledged.fill(&mut wire, 70_000), ErrorCode::KafkaStorageError);
    broker.kill();
    broker.restart();
    wire = Wire::connect(&broker);
    acknowledged.check(&mut wire);
    // Deleting is what an operator does, and it frees space at once.
    wire.delete_topic("full");
    let began = now();
    while broker.log().matches("has space again").count() < 3 {
        wire.ask(&ApiVersionsRequest::default(), 0);
        assert!(began.elapsed() < PATIENCE, "its space is not used: {}", broker.log());
    }
    let healthy = Healthy::start(&broker);
    healthy.stop_and_check();
}
