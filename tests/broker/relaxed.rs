//! The relaxed mode: an acknowledgement before the disk has the record, which `kill -9` cannot take back.
//!
//! What a power failure can take, the tail of the journal, is taken here by hand.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use klamm::client::{Address, ClientOptions, Cluster};

use crate::kafka;
use crate::kill_loop::{kills, moment};
use crate::load::{self, Kind, Load, Plan};
use crate::support::Broker;

const RELAXED: (&str, &str) = ("flush.messages", "1000000000");
const KILLS: usize = 20;
/// An acknowledgement so close to the kill is of a write that no flush has followed.
const JUST_BEFORE: Duration = Duration::from_millis(20);
/// Of these there are at least so many in a run.
const JUST_BEFORE_COUNT_MIN: usize = 3000;

#[test]
fn what_was_acknowledged_unflushed_survives_kills() {
    let mut broker = Broker::start(&["num.shards=2", "journal.bytes=16777216"]);
    let topic = "relaxed";
    let partitions = 6;
    kafka::create_topic(&broker.bootstrap(), topic, partitions, &[RELAXED]);
    let kinds = [Kind::Single, Kind::Idempotent, Kind::Single, Kind::Plain];
    let plan =
        Plan { topic, partitions, kinds: &kinds, first_producer: 0, window: 400, large_every: 999 };
    let mut load = Load::start(&broker.bootstrap(), plan);
    let (mut round, mut just_before) = (0, 0);
    while round < kills(KILLS) || just_before < JUST_BEFORE_COUNT_MIN {
        load.await_acknowledged(400 + moment(round, 800));
        let killed = load::now();
        broker.kill();
        just_before += load.acknowledged_since(killed - JUST_BEFORE);
        broker.restart();
        round += 1;
    }
    load.await_acknowledged(1);
    let ledger = load.finish();
    println!("{just_before} acknowledged within {JUST_BEFORE:?} of {round} kills");
    ledger.check(&kafka::read_all(&broker.bootstrap(), topic, partitions));
    broker.kill();
    broker.restart();
    ledger.check(&kafka::read_all(&broker.bootstrap(), topic, partitions));
}

/// What becomes of the journal's last frames.
#[derive(Clone, Copy, Debug)]
enum Loss {
    /// They were never written.
    Zeroed,
    /// The file ends before them.
    Missing,
    /// The first of them is torn, the others are there.
    Torn,
}

#[test]
fn a_lost_journal_tail_is_cut_and_readers_are_told() {
    let mut broker = Broker::start(&["num.shards=1"]);
    let topic = "tail";
    kafka::create_topic(&broker.bootstrap(), topic, 2, &[RELAXED]);
    let mut epoch = leader_epoch(&broker, topic);
    for (round, loss) in [Loss::Zeroed, Loss::Missing, Loss::Torn].into_iter().enumerate() {
        let kinds = [Kind::Single];
        let plan = Plan {
            topic,
            partitions: 2,
            kinds: &kinds,
            first_producer: round,
            window: 4,
            large_every: usize::MAX,
        };
        let mut load = Load::start(&broker.bootstrap(), plan);
        load.await_acknowledged(200);
        let ledger = load.finish();
        let before = kafka::read_all(&broker.bootstrap(), topic, 2);
        ledger.check(&before);
        broker.kill();
        lose(&broker.data_dir(), loss, 6);
        broker.restart();
        let after = kafka::read_all(&broker.bootstrap(), topic, 2);
        let counts = |read: &[Vec<_>]| read.iter().map(Vec::len).sum::<usize>();
        assert!(counts(&after) < counts(&before), "{loss:?}: nothing was cut");
        for (after, before) in after.iter().zip(&before) {
            assert_eq!(after[..], before[..after.len()], "{loss:?}: no prefix");
        }
        let raised = leader_epoch(&broker, topic);
        assert!(raised > epoch, "{loss:?}: readers of what was cut would not know");
        epoch = raised;
    }
}

#[test]
fn a_damaged_journal_is_refused_and_left_alone() {
    let mut broker = Broker::start(&["num.shards=1"]);
    let topic = "damage";
    kafka::create_topic(&broker.bootstrap(), topic, 2, &[]);
    let kinds = [Kind::Single];
    let plan = Plan {
        topic,
        partitions: 2,
        kinds: &kinds,
        first_producer: 0,
        window: 4,
        large_every: 100,
    };
    let mut load = Load::start(&broker.bootstrap(), plan);
    load.await_acknowledged(300);
    let ledger = load.finish();
    broker.kill();
    let frames = frames(&broker.data_dir());
    let frame = &frames[frames.len() / 2];
    frame.flip_a_bit();
    let said = broker.refusal_to_restart(&["num.shards=1"]);
    assert!(said.contains("the journal is damaged"), "{said}");
    assert!(said.contains(&frame.path.display().to_string()), "{said}");
    frame.flip_a_bit();
    broker.restart();
    ledger.check(&kafka::read_all(&broker.bootstrap(), topic, 2));
}

/// A frame of the journal of the last start.
struct Frame {
    path: PathBuf,
    offset: u64,
    bytes: u64,
    epoch: u64,
    first_sequence: u64,
}

impl Frame {
    fn file(&self) -> File {
        let opened = OpenOptions::new().read(true).write(true).open(&self.path);
        opened.expect("the broker that had it is gone")
    }

    fn flip_a_bit(&self) {
        let (file, at) = (self.file(), self.offset + 100);
        let mut byte = [0];
        file.read_exact_at(&mut byte, at).expect("it is inside the file");
        file.write_all_at(&[byte[0] ^ 1], at).expect("the test may write there");
    }
}

const BLOCK: usize = 4096;

/// The frames of the journals' last start, in the order of their sequences. See the top of
/// `storage/journal/frame.rs` for their format.
fn frames(data: &Path) -> Vec<Frame> {
    let mut frames = Vec::new();
    for entry in fs::read_dir(data.join("journal")).expect("a broker has made it") {
        let path = entry.expect("it is listed").path();
        let bytes = fs::read(&path).expect("a journal can be read");
        for (index, block) in bytes.chunks_exact(BLOCK).enumerate() {
            let u64_at =
                |at: usize| u64::from_le_bytes(block[at..at + 8].try_into().expect("eight bytes"));
            if &block[..8] != b"KLAMMJNL" {
                continue;
            }
            let payload = u64_at(80) & u64::from(u32::MAX);
            frames.push(Frame {
                path: path.clone(),
                offset: (index * BLOCK) as u64,
                bytes: (96 + payload).next_multiple_of(BLOCK as u64),
                epoch: u64_at(48),
                first_sequence: u64_at(64),
            });
        }
    }
    let last = frames.iter().map(|frame| frame.epoch).max();
    frames.retain(|frame| Some(frame.epoch) == last);
    frames.sort_by_key(|frame| frame.first_sequence);
    frames
}

/// Takes the last `count` frames away, as a power failure may.
fn lose(data: &Path, loss: Loss, count: usize) {
    let mut frames = frames(data);
    let lost = frames.split_off(frames.len() - count);
    match loss {
        Loss::Zeroed => {
            for frame in &lost {
                let zeros = vec![0; frame.bytes as usize];
                frame.file().write_all_at(&zeros, frame.offset).expect("the test may write there");
            }
        }
        Loss::Missing => lost[0].file().set_len(lost[0].offset).expect("the test may cut it"),
        Loss::Torn => lost[0].flip_a_bit(),
    }
}

/// The least leader epoch of a topic's partitions, as clients are told it.
fn leader_epoch(broker: &Broker, topic: &str) -> i32 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("this thread has none").block_on(async {
        let address = Address::parse(&broker.bootstrap()).expect("host and port");
        let mut cluster = Cluster::new(ClientOptions::new(vec![address], "test"));
        cluster.refresh(Some(&[topic]), false).await.expect("the broker answers");
        let partitions = &cluster.topic(topic).expect("it exists").partitions;
        let epochs = partitions.iter().map(|partition| partition.leader_epoch);
        epochs.min().expect("a topic has partitions")
    })
}
