//! What committed offsets cost: loading them from the log or a snapshot, and one commit.
//!
//! Expected on the reference machine (2 cores, EPYC), and why:
//!
//! - **Loading a commit from the log**: 250 ns. Its batch of 130 bytes is parsed, its checksum taken (20
//!   ns) and its one record cut (14 ns); then two strings of the key and one of the value are checked as
//!   UTF-8, and two maps and a tree of ten are searched, each a cache miss at worst (30 ns).
//!   A million commits take a quarter of a second; nothing is allocated for one that is superseded.
//! - **Loading an offset from a snapshot**: 80 ns, without batch and record around it, but each is
//!   allocated once.
//! - **One commit**: 0.7 µs for the request's own strings, key, value and batch with its checksum, the
//!   mark of what is on its way and its end: some ten allocations and six look-ups.

mod harness;

use std::hint::black_box;
use std::rc::Rc;

use harness::Bench;
use klamm::coordinator::group::GroupSettings;
use klamm::coordinator::message::{Commit, CommitPart, MemberRef, Request, Ticket};
use klamm::coordinator::partition::{
    CoordinatorSettings, GroupPartition, PartitionAction, PartitionEvent,
};
use klamm::model::{LeaderEpoch, Offset, PartitionIndex, TopicId};
use klamm::runtime::Monotonic;

/// Commits that are loaded ten times over: 13 MB, more than the second-level cache.
const LOG_COMMITS: usize = 100_000;
const KEYS: usize = 1_000;
const TIME: i64 = 1_700_000_000_000;

fn main() {
    let bench = Bench::from_arguments();
    let mut partition = fresh();
    partition.finish_loading(Monotonic(0));
    let log: Vec<Vec<u8>> = (0..LOG_COMMITS).map(|n| commit(&mut partition, n)).collect();
    let size = 10 * log.iter().map(Vec::len).sum::<usize>();
    bench.case("replay 1,000,000 commits to 1,000 keys", "0.25 s", size, || {
        let mut partition = fresh();
        for batch in (0..10).flat_map(|_| &log) {
            partition.replay(black_box(batch)).expect("a batch that was written");
        }
        black_box(partition.snapshot(Offset(0)));
    });
    let snapshot = partition.snapshot(Offset(0));
    bench.case("a snapshot of 1,000 keys", "80 µs", snapshot.len(), || {
        black_box(GroupPartition::from_snapshot(&snapshot, settings()).expect("a snapshot"));
    });
    let mut number = 0;
    bench.case("one commit", "0.7 µs", log[0].len(), || {
        number += 1;
        black_box(commit(&mut partition, number));
    });
}

fn settings() -> Rc<CoordinatorSettings> {
    Rc::new(CoordinatorSettings {
        group: GroupSettings::default(),
        offset_metadata_bytes_max: 4096,
        offsets_retention_ms: 7 * 24 * 3_600_000,
        batch_bytes_max: 1_048_588,
    })
}

fn fresh() -> GroupPartition {
    GroupPartition::new(settings())
}

/// Commits one offset to the end; the batch that was written.
fn commit(partition: &mut GroupPartition, number: usize) -> Vec<u8> {
    let key = number.wrapping_mul(7919) % KEYS;
    let part = CommitPart {
        topic: format!("topic-{}", key / 10 % 10),
        topic_id: TopicId([7; 16]),
        partition: PartitionIndex((key % 10) as i32),
        offset: Offset(number as i64),
        leader_epoch: LeaderEpoch(0),
        metadata: String::new(),
    };
    let member = MemberRef {
        group: format!("group-{}", key / 100),
        member_id: String::new(),
        instance_id: None,
        generation: -1,
    };
    let request = Request::Commit(Commit { member, retention_ms: None, offsets: vec![part] });
    let mut out = Vec::new();
    partition.step(Monotonic(0), TIME, PartitionEvent::Request(Ticket(0), request), &mut out);
    let Some(PartitionAction::Write(id, batch)) = out.pop() else {
        unreachable!("a commit to a group without members is written")
    };
    partition.step(Monotonic(0), TIME, PartitionEvent::Written(id, Ok(())), &mut out);
    batch
}
