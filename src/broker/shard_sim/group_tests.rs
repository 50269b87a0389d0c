//! The group coordinator over lives of shards: what was committed is there, whoever asks, after any end.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use super::process::{DATA, Process, SharedImage};
use crate::coordinator::OFFSETS_TOPIC;
use crate::coordinator::message::{
    Answer, Commit, CommitPart, FetchOffsets, FetchTopic, Join, MemberRef, Request,
};
use crate::coordinator::partition::partition_of;
use crate::metadata::commands::testing::image_of_brokers;
use crate::metadata::commands::{Command, CreateTopics, NewTopic, Reply, TopicReference};
use crate::model::{ErrorCode, LeaderEpoch, LogId, Offset, PartitionIndex, TopicId};
use crate::runtime::sim::{Host, SimOptions, World};
use crate::runtime::sync::poll_now;
use crate::shard::{Shard, coordinate, list_groups};
use crate::storage::directory::partition_dir;

/// Groups whose offsets lie in every partition of the topic.
const GROUPS: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

/// A load takes no longer.
const LOADS_WITHIN_MS: usize = 1000;

struct Broker {
    world: World,
    host: Host,
    image: SharedImage,
    process: Process,
}

impl Broker {
    /// Two shards that coordinate, and the topic `t`.
    fn start(seed: u64) -> Broker {
        let world = World::new(seed, SimOptions::default());
        let host = world.host();
        let image: SharedImage = Rc::new(RefCell::new(image_of_brokers(1)));
        let process = world.run_until(Process::start(&host, image.clone(), 2));
        let broker = Broker { process: process.expect("an empty disk"), world, host, image };
        broker.create(OFFSETS_TOPIC, 4);
        broker.create("t", 2);
        broker
    }

    fn create(&self, name: &str, partition_count: i32) {
        let topic = NewTopic { partition_count, ..NewTopic::named(name) };
        let command = CreateTopics { topics: vec![topic], validate_only: false };
        let reply = self.world.run_until(self.shard(0).command(Command::CreateTopics(command)));
        assert!(matches!(reply, Ok(Reply::CreateTopics(results)) if results[0].result.is_ok()));
    }

    fn restart(&mut self, shards: u16) {
        let starting = Process::start(&self.host, self.image.clone(), shards);
        self.process = self.world.run_until(starting).expect("a well disk");
    }

    fn stop(&self) {
        assert!(self.world.run_until(self.process.stop()), "the stop is clean");
        self.host.kill();
    }

    fn shard(&self, place: usize) -> &Rc<Shard> {
        &self.process.shards[place % self.process.shards.len()]
    }

    fn topic(&self, name: &str) -> TopicId {
        self.image.borrow().topic_id(name).expect("it was created")
    }

    fn ask(&self, place: usize, group: &str, request: Request) -> Answer {
        self.world.run_until(coordinate(self.shard(place), group, request).wait())
    }

    fn commit(&self, place: usize, group: &str, offset: i64) -> ErrorCode {
        let commit = Commit {
            member: MemberRef {
                group: group.into(),
                member_id: String::new(),
                instance_id: None,
                generation: -1,
            },
            retention_ms: None,
            offsets: vec![CommitPart {
                topic: "t".into(),
                topic_id: self.topic("t"),
                partition: PartitionIndex(1),
                offset: Offset(offset),
                leader_epoch: LeaderEpoch(-1),
                metadata: String::new(),
            }],
        };
        for _ in 0..LOADS_WITHIN_MS {
            match self.ask(place, group, Request::Commit(commit.clone())) {
                Answer::Commit(codes) if codes == [ErrorCode::CoordinatorLoadInProgress] => {
                    self.world.run_for(Duration::from_millis(1));
                }
                Answer::Commit(codes) => return codes[0],
                other => panic!("not an answer to a commit: {other:?}"),
            }
        }
        panic!("the coordinator does not load")
    }

    /// The committed offset, as soon as the coordinator has loaded.
    fn committed(&self, place: usize, group: &str) -> i64 {
        let topic = FetchTopic {
            topic: "t".into(),
            topic_id: self.topic("t"),
            partitions: vec![PartitionIndex(1)],
        };
        let fetch =
            FetchOffsets { group: group.into(), topics: Some(vec![topic]), require_stable: true };
        for _ in 0..LOADS_WITHIN_MS {
            match self.ask(place, group, Request::FetchOffsets(fetch.clone())) {
                Answer::FetchOffsets(Ok(topics)) => return topics[0].offsets[0].offset.0,
                Answer::FetchOffsets(Err(ErrorCode::CoordinatorLoadInProgress)) => {
                    self.world.run_for(Duration::from_millis(1));
                }
                other => panic!("{other:?}"),
            }
        }
        panic!("the coordinator does not load")
    }

    fn is_coordinated_at(&self, place: usize, group: &str) -> bool {
        let log = LogId { topic: self.topic(OFFSETS_TOPIC), partition: partition_of(group, 4) };
        self.shard(place).owner(log) == self.shard(place).id()
    }

    fn check(&self, expected: i64) {
        for group in GROUPS {
            for place in 0..2 {
                assert_eq!(self.committed(place, group), expected, "{group} asked at {place}");
            }
        }
    }

    fn snapshots(&self) -> Vec<PathBuf> {
        let topic = self.topic(OFFSETS_TOPIC);
        let partitions = (0..4).map(|index| LogId { topic, partition: PartitionIndex(index) });
        let dir = Path::new(DATA);
        partitions.map(|log| partition_dir(dir, log).join("coordinator.snapshot")).collect()
    }
}

#[test]
fn committed_offsets_are_there_after_any_end_on_any_number_of_shards() {
    for seed in 0..4 {
        let mut broker = Broker::start(seed);
        for (round, shards) in [2u16, 1, 3, 2, 2].into_iter().enumerate() {
            let offset = round as i64 * 10;
            for (place, group) in GROUPS.into_iter().enumerate() {
                assert_eq!(broker.commit(place, group, offset), ErrorCode::None);
            }
            broker.check(offset);
            match (seed + round as u64) % 3 {
                0 => broker.stop(),
                1 => broker.host.kill(),
                _ => broker.host.power_loss(),
            }
            broker.restart(shards);
            broker.check(offset);
        }
        let listed = broker.world.run_until(list_groups(broker.shard(1), Default::default()));
        let mut listed: Vec<String> =
            listed.expect("all have loaded").into_iter().map(|one| one.group).collect();
        listed.sort();
        assert_eq!(listed, GROUPS);
    }
}

#[test]
fn a_snapshot_that_is_wrong_is_replaced_by_the_log() {
    let mut broker = Broker::start(7);
    for group in GROUPS {
        assert_eq!(broker.commit(0, group, 3), ErrorCode::None);
    }
    broker.stop();
    let disk = broker.host.runtime();
    let mut damaged = 0;
    for (number, path) in broker.snapshots().into_iter().enumerate() {
        let Ok(bytes) = broker.world.run_until(disk.disk().read_whole(&path, 1 << 20)) else {
            continue;
        };
        let wrong = match number % 2 {
            0 => bytes[..bytes.len() / 2].to_vec(),
            _ => vec![0; bytes.len()],
        };
        let written = broker.world.run_until(disk.disk().write_whole(&path, &wrong));
        written.expect("the disk takes it");
        damaged += 1;
    }
    assert!(damaged > 1, "a clean stop writes snapshots");
    broker.restart(2);
    broker.check(3);
    for path in broker.snapshots() {
        let left = broker.world.run_until(disk.disk().read_whole(&path, 1 << 20));
        assert!(left.is_err(), "{} was of no use and is still there", path.display());
    }
}

#[test]
fn a_deleted_topic_takes_its_offsets_with_it() {
    let mut broker = Broker::start(8);
    for group in GROUPS {
        assert_eq!(broker.commit(1, group, 3), ErrorCode::None);
    }
    let gone = vec![TopicReference { name: Some("t".into()), id: TopicId::ZERO }];
    let reply = broker.world.run_until(broker.shard(0).command(Command::DeleteTopics(gone)));
    assert!(matches!(reply, Ok(Reply::DeleteTopics(results)) if results[0].result.is_ok()));
    broker.create("t", 2);
    broker.check(-1);
    broker.world.run_for(Duration::from_secs(1));
    broker.host.power_loss();
    broker.restart(2);
    broker.check(-1);
    let listed = broker.world.run_until(list_groups(broker.shard(0), Default::default()));
    assert_eq!(listed, Ok(Vec::new()), "groups without offsets and members are gone");
}

fn join(group: &str, number: usize) -> Request {
    Request::Join(Join {
        group: group.into(),
        member_id: String::new(),
        instance_id: None,
        client_id: "c".into(),
        client_host: "/h".into(),
        fresh_member_id: format!("c-{group}-{number}"),
        protocol_type: "consumer".into(),
        protocols: vec![("range".into(), vec![1])],
        session_timeout_ms: 10_000,
        rebalance_timeout_ms: 10_000,
        reason: None,
        requires_known_member_id: false,
        supports_skipping_assignment: true,
    })
}

#[test]
fn who_waits_is_sent_away_by_a_stop_and_forgotten_when_gone() {
    let broker = Broker::start(10);
    // The first rebalance waits three seconds; of each group one shard asks the other.
    let mut waiting = Vec::new();
    for group in GROUPS {
        for place in 0..2 {
            let asked = coordinate(broker.shard(place), group, join(group, place));
            waiting.push((group, Box::pin(asked.wait())));
        }
    }
    broker.world.run_for(Duration::from_millis(100));
    assert!(waiting.iter_mut().all(|(_, answer)| poll_now(answer).is_none()));
    // Those of the last three groups do not wait any more.
    waiting.truncate(6);
    broker.world.run_for(Duration::from_millis(100));
    for place in 0..2 {
        let parked = broker.shard(place).groups().parked_count();
        let mine = GROUPS[..3].iter().filter(|group| !broker.is_coordinated_at(place, group));
        assert!(parked <= 3 - mine.count(), "{parked} of shard {place} are still waited for");
    }
    broker.stop();
    for (group, answer) in &mut waiting {
        match poll_now(answer) {
            Some(Answer::Join(joined)) => {
                assert_eq!(joined.code, ErrorCode::NotCoordinator, "{group}");
            }
            other => panic!("{group}: {other:?}"),
        }
    }
}

#[test]
fn the_coordinators_topic_can_go() {
    let broker = Broker::start(9);
    assert_eq!(broker.commit(0, "a", 3), ErrorCode::None);
    let gone = vec![TopicReference { name: Some(OFFSETS_TOPIC.into()), id: TopicId::ZERO }];
    let reply = broker.world.run_until(broker.shard(0).command(Command::DeleteTopics(gone)));
    assert!(matches!(reply, Ok(Reply::DeleteTopics(results)) if results[0].result.is_ok()));
    assert_eq!(broker.commit(0, "a", 4), ErrorCode::NotCoordinator);
    broker.create(OFFSETS_TOPIC, 4);
    assert_eq!(broker.committed(0, "a"), -1);
    assert_eq!(broker.commit(1, "a", 4), ErrorCode::None);
    broker.stop();
}
