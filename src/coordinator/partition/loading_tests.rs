//! What a partition makes of its log, and of its own snapshots.

use super::tests::*;
use super::*;
use crate::coordinator::message::*;
use crate::coordinator::records::{group_key, offset_key};
use crate::model::Offset;
use crate::record::{BatchBuilder, BatchOptions, Compression};

#[test]
fn nothing_is_decided_before_the_log_is_read() {
    let mut rig = Rig::new();
    rig.partition = GroupPartition::new(settings());
    let loading = ErrorCode::CoordinatorLoadInProgress;
    let member = commit("g", 1).member;
    rig.step(PartitionEvent::TopicDeleted { topic: "t".into(), id: topic_id(1) });
    assert_eq!(rig.ask(Request::Commit(commit("g", 1))), Answer::Commit(vec![loading]));
    assert_eq!(rig.ask(fetch("g", 1, true)), Answer::FetchOffsets(Err(loading)));
    assert_eq!(rig.ask(Request::List(ListFilter::default())), Answer::List(Err(loading)));
    assert_eq!(rig.ask(Request::Heartbeat(member)), Answer::Heartbeat(ErrorCode::None));
    let key = offset_key("g", "t", P0).unwrap();
    let log = record(&key, Some(&value(1, START_MS).encode().unwrap()));
    rig.partition.replay(&log).unwrap();
    rig.log.push(log);
    rig.partition.finish_loading(Monotonic(0));
    rig.settle();
    assert_eq!(rig.offset("g"), -1, "its topic was deleted meanwhile");
    assert_eq!(rig.partition.snapshot(Offset(0)), rig.replayed());
}

#[test]
fn replay_reads_what_kafka_writes_and_passes_over_the_rest() {
    let offset = |partition, number| {
        let value = value(number, START_MS);
        (offset_key("g", "t", PartitionIndex(partition)).unwrap(), value.encode().unwrap())
    };
    for compression in Compression::ALL {
        let mut partition = GroupPartition::new(settings());
        let options = BatchOptions { compression, ..BatchOptions::default() };
        let mut batch = BatchBuilder::new(options);
        for number in 0..100 {
            let (key, value) = offset(number % 10, i64::from(number));
            batch.append(START_MS, Some(&key), Some(&value), &[]);
        }
        batch.append(START_MS, Some(&offset(9, 0).0), None, &[]);
        // A record of a newer kind of group, and one without a key.
        batch.append(START_MS, Some(&[0, 3, 0, 1, b'g']), Some(&[0, 0, 1]), &[]);
        batch.append(START_MS, None, Some(b"?"), &[]);
        partition.replay(&batch.finish()).unwrap();
        assert_eq!(partition.skipped_records(), 2, "{compression:?}");
        let held = &partition.groups[&*Rc::<str>::from("g")];
        assert_eq!(held.offsets.durable_count(), 9);
        assert_eq!(held.offsets.get("t", P0).unwrap().offset, Offset(90));
    }
    let transactional = BatchOptions { transactional: true, ..BatchOptions::default() };
    let mut batch = BatchBuilder::new(transactional);
    batch.append(START_MS, Some(&offset(0, 1).0), Some(&offset(0, 1).1), &[]);
    let mut partition = GroupPartition::new(settings());
    partition.replay(&batch.finish()).unwrap();
    assert_eq!((partition.skipped_records(), partition.groups.len()), (1, 0));
}

#[test]
fn replay_refuses_what_it_would_get_wrong() {
    let key = offset_key("g", "t", P0).unwrap();
    let good = record(&key, Some(&value(1, START_MS).encode().unwrap()));
    let mut partition = GroupPartition::new(settings());
    for end in 0..good.len() {
        assert!(partition.replay(&good[..end]).is_err(), "cut to {end}");
    }
    let mut flipped = good.clone();
    *flipped.last_mut().unwrap() ^= 1;
    assert!(matches!(partition.replay(&flipped), Err(ReplayError::Checksum(_))));
    for (key, value) in [
        (key.clone(), vec![0, 5, 0]),
        (key, vec![0, 4, 0]),
        (vec![0, 1, 0], vec![]),
        (vec![0], vec![]),
        (group_key("g").unwrap(), vec![0, 3, 0, 1]),
    ] {
        let batch = record(&key, Some(&value));
        let result = partition.replay(&batch);
        assert!(matches!(result, Err(ReplayError::Record { .. })), "{key:?} {value:?}");
    }
    assert_eq!(partition.groups.len(), 0);
}

#[test]
fn a_snapshot_is_whole_or_refused() {
    let mut rig = Rig::after(vec![generation("readers", "consumer", 2)]);
    rig.ask(Request::Commit(commit("g", 1)));
    let long = Commit { retention_ms: Some(1), offsets: vec![part("u", 7, 8)], ..commit("h", 1) };
    rig.ask(Request::Commit(long));
    let snapshot = rig.partition.snapshot(Offset(42));
    let (again, through) = GroupPartition::from_snapshot(&snapshot, settings()).unwrap();
    assert_eq!((again.snapshot(through), through), (snapshot.clone(), Offset(42)));
    for end in 0..snapshot.len() {
        assert!(GroupPartition::from_snapshot(&snapshot[..end], settings()).is_err(), "{end}");
        // Whatever is cut off, the decoder behind the checksum notices it too.
        let mut cut = snapshot[..end].to_vec();
        if end >= 9 {
            let checksum = crate::record::checksum::crc32c(&cut[9..]);
            cut[5..9].copy_from_slice(&checksum.to_be_bytes());
            assert!(GroupPartition::from_snapshot(&cut, settings()).is_err(), "{end} with sum");
        }
        let mut flipped = snapshot.clone();
        flipped[end] ^= 0x10;
        assert!(GroupPartition::from_snapshot(&flipped, settings()).is_err(), "flipped at {end}");
    }
}
