//! `kill -9` under committing members, over and over: no committed offset is lost or goes back.

use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::message::Message;

use crate::groups::is_passing;
use crate::kafka;
use crate::kill_loop::{kills, moment};
use crate::load::{Kind, Load, Plan, now};
use crate::offsets::{BROKER, committed, settings};
use crate::support::Broker;

const ROUNDS: usize = 20;
const TOPIC: &str = "t";
const GROUP: &str = "g";
const PARTITIONS: i32 = 4;
/// No single wait may take longer, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// Commits that wait for the test to take them.
const COMMITS_WAITING_MAX: usize = 1 << 14;

/// A partition and the offset that the broker has taken for it.
type Committed = (i32, i64);

/// A member that commits behind each record, in a thread of its own.
struct Committing {
    stop: SyncSender<()>,
    thread: JoinHandle<()>,
}

impl Committing {
    fn start(bootstrap: &str, strategy: &str, told: SyncSender<Committed>) -> Committing {
        let mut config = settings(bootstrap, GROUP);
        config.set("partition.assignment.strategy", strategy);
        let consumer: BaseConsumer = config.create().expect("the settings are valid");
        consumer.subscribe(&[TOPIC]).expect("a topic can be subscribed to");
        let (stop, stopped) = sync_channel(1);
        let thread = thread::spawn(move || commit_each(&consumer, &told, &stopped));
        Committing { stop, thread }
    }

    fn end(self) {
        drop(self.stop);
        self.thread.join().expect("a member does not panic");
    }
}

fn commit_each(consumer: &BaseConsumer, told: &SyncSender<Committed>, stopped: &Receiver<()>) {
    while stopped.try_recv() == Err(TryRecvError::Empty) {
        match consumer.poll(Duration::from_millis(20)) {
            None => {}
            Some(Ok(message)) => match consumer.commit_message(&message, CommitMode::Sync) {
                // The test may be over.
                Ok(()) => drop(told.send((message.partition(), message.offset() + 1))),
                // It is no promise: the record comes again, to this member or another.
                Err(error) => assert!(error.rdkafka_error_code().is_some(), "{error}"),
            },
            Some(Err(error)) => assert!(is_passing(&error), "{error}"),
        }
    }
}

/// The largest offsets that any member was told to be committed, -1 for none.
struct Promised([i64; PARTITIONS as usize]);

impl Promised {
    fn take(&mut self, (partition, offset): Committed) {
        let known = &mut self.0[partition as usize];
        *known = offset.max(*known);
    }

    /// Takes what was told so far.
    fn take_all(&mut self, commits: &Receiver<Committed>) {
        while let Ok(commit) = commits.try_recv() {
            self.take(commit);
        }
    }

    /// Waits for so many more.
    fn take_some(&mut self, commits: &Receiver<Committed>, count: usize) {
        for _ in 0..count {
            self.take(commits.recv_timeout(PATIENCE).expect("the members go on committing"));
        }
    }

    fn check(&self, found: &[i64]) {
        let kept = self.0.iter().zip(found).all(|(promised, found)| found >= promised);
        assert!(kept, "promised {:?}, found {found:?}", self.0);
    }
}

fn check(strategy: &str, rounds: usize) {
    let mut broker = Broker::start(BROKER);
    let bootstrap = broker.bootstrap();
    kafka::create_topic(&bootstrap, TOPIC, PARTITIONS, &[]);
    let plan = Plan {
        topic: TOPIC,
        partitions: PARTITIONS,
        kinds: &[Kind::Idempotent],
        first_producer: 0,
        window: 50,
        large_every: 1000,
    };
    let mut load = Load::start(&bootstrap, plan);
    let (tell, commits) = sync_channel(COMMITS_WAITING_MAX);
    let members: Vec<Committing> =
        (0..3).map(|_| Committing::start(&bootstrap, strategy, tell.clone())).collect();
    let mut promised = Promised([-1; PARTITIONS as usize]);
    let mut last = vec![-1; PARTITIONS as usize];
    for round in 0..rounds {
        promised.take_some(&commits, moment(round, 60));
        load.await_acknowledged(1);
        broker.kill();
        promised.take_all(&commits);
        broker.restart();
        let found = committed(&bootstrap, GROUP, TOPIC, PARTITIONS);
        promised.check(&found);
        assert!(last.iter().zip(&found).all(|(last, found)| found >= last), "{last:?} {found:?}");
        last = found;
    }
    load.await_acknowledged(1);
    drop(load.finish());
    // The members come to the end of every partition.
    let deadline = now() + PATIENCE;
    let ends: Vec<i64> = kafka::read_keys(&bootstrap, TOPIC, PARTITIONS)
        .iter()
        .map(|records| records.len() as i64)
        .collect();
    while committed(&bootstrap, GROUP, TOPIC, PARTITIONS) != ends {
        assert!(now() < deadline, "the members do not reach {ends:?}");
        promised.take_all(&commits);
    }
    drop(commits);
    for member in members {
        member.end();
    }
}

#[test]
fn no_committed_offset_is_lost_or_goes_back() {
    check("range", kills(ROUNDS));
}

#[test]
fn nor_while_members_rebalance_cooperatively() {
    check("cooperative-sticky", kills(ROUNDS));
}
