//! The controller on a simulated disk: what was answered survives every end of the process.

use std::cell::Cell;
use std::path::Path;
use std::time::Duration;

use super::*;
use crate::metadata::commands::testing::{broker, settings};
use crate::metadata::commands::*;
use crate::metadata::snapshot;
use crate::model::{ProducerId, TopicId};
use crate::runtime::ExecutorSpec;
use crate::runtime::sim::{DiskImage, Fault, Host, ImagePolicy, SimOptions, World};
use crate::runtime::sync::join_all;
use crate::storage::directory::journal_dir;
use crate::storage::journal::parse_file_name;

const DIR: &str = "/data/metadata";

fn options() -> ControllerOptions {
    ControllerOptions {
        dir: DIR.into(),
        directory: DirectoryId([5; 16]),
        served_before: false,
        broker: BrokerStart {
            cluster_id: "cluster".into(),
            broker: broker(1, None),
            metadata_version: 29,
        },
        settings: settings(),
    }
}

/// A machine with one disk, on which the process starts again and again.
struct Machine {
    world: World,
    host: Host,
}

impl Machine {
    fn new(seed: u64) -> Machine {
        let world = World::new(seed, SimOptions::default());
        let host = world.host();
        let machine = Machine { world, host };
        // The data directory is there, for good, before its metadata is.
        let runtime = machine.node();
        machine.run(async move {
            runtime.disk().create_dir_all(Path::new("/data")).await.expect("made");
            runtime.disk().sync_dir(Path::new("/")).await.expect("synced");
        });
        machine
    }

    /// A fast machine with what a crash has left.
    fn from_image(image: &DiskImage) -> Machine {
        let world = World::new(1, SimOptions::instant());
        let host = world.host_from(image);
        Machine { world, host }
    }

    fn node(&self) -> Runtime {
        self.host.runtime()
    }

    /// Starts a controller whose committed records go to a shadow image.
    fn start(&self) -> (Controller, Rc<RefCell<Image>>) {
        let runtime = self.node();
        self.run(async move {
            let shadow = Rc::new(RefCell::new(Image::default()));
            let sink = shadow.clone();
            let mut last = 0;
            let on_committed = move |index: u64, records: &[Record]| {
                assert!(index > last, "batches come in the order of the log");
                last = index;
                for record in records {
                    replay(&mut sink.borrow_mut(), record).expect("committed records fit");
                }
            };
            let controller =
                Controller::start(&runtime, options(), on_committed).await.expect("it starts");
            for record in snapshot(&controller.image()) {
                replay(&mut shadow.borrow_mut(), &record).expect("a snapshot fits");
            }
            (controller, shadow)
        })
    }

    fn try_start(&self) -> Result<Controller, ControllerError> {
        let runtime = self.node();
        self.run(async move { Controller::start(&runtime, options(), |_, _| {}).await })
    }

    fn run<T: 'static>(&self, future: impl Future<Output = T> + 'static) -> T {
        self.world.run_until(future)
    }

    fn submit(&self, controller: &Controller, command: Command) -> Result<Reply, CommandError> {
        let controller = controller.clone();
        self.run(async move { controller.submit(command).await })
    }

    fn close(&self, controller: Controller) {
        self.run(async move { controller.close().await });
    }
}

fn create(name: &str, partition_count: i32) -> Command {
    let topic = NewTopic { partition_count, ..NewTopic::named(name) };
    Command::CreateTopics(CreateTopics { topics: vec![topic], validate_only: false })
}

fn created(reply: Result<Reply, CommandError>) -> TopicId {
    match reply {
        Ok(Reply::CreateTopics(topics)) => topics[0].result.clone().expect("created").id,
        other => panic!("not created: {other:?}"),
    }
}

fn block(reply: Result<Reply, CommandError>) -> ProducerId {
    match reply {
        Ok(Reply::ProducerIds(block)) => block.first,
        other => panic!("no block: {other:?}"),
    }
}

fn set_config(topic: &str, key: &str, value: &str) -> Command {
    let changes =
        vec![IncrementalChange { key: key.into(), operation: 0, value: Some(value.into()) }];
    let resources =
        vec![ResourceChange { resource_type: RESOURCE_TOPIC, name: topic.into(), changes }];
    Command::IncrementalAlterConfigs(IncrementalAlterConfigs { resources, validate_only: false })
}

const THROTTLED: &str = "follower.replication.throttled.replicas";

/// A value of nearly the longest length, and another one for each number.
fn long_value(number: usize) -> String {
    let pairs: Vec<_> = (0..4_000).map(|broker| format!("{broker}:{}", number % 1000)).collect();
    pairs[..3_500].join(",")
}

fn delete(name: &str) -> Command {
    Command::DeleteTopics(vec![TopicReference { name: Some(name.into()), id: TopicId::ZERO }])
}

#[test]
fn a_restart_restores_everything() {
    let machine = Machine::new(1);
    let (controller, shadow) = machine.start();
    assert_eq!(controller.image().cluster_id(), Some("cluster"));
    assert_eq!(controller.image().features_epoch(), 1);
    let id = created(machine.submit(&controller, create("a", 3)));
    created(machine.submit(&controller, create("b", 1)));
    machine.submit(&controller, set_config("a", "retention.ms", "5")).expect("set");
    machine.submit(&controller, delete("b")).expect("deleted");
    assert_eq!(block(machine.submit(&controller, Command::AllocateProducerIds)), ProducerId(0));
    assert_eq!(*shadow.borrow(), *controller.image());
    let before = controller.image().clone();
    for (ending, next) in [("kill", 1000), ("close", 2000), ("kill", 3000)] {
        match ending {
            "close" => machine.close(controller.clone()),
            _ => machine.host.kill(),
        }
        let (again, _) = machine.start();
        assert_eq!(again.image().topic_id("a"), Some(id));
        assert_eq!(again.image().topics().count(), 1);
        let told = machine.submit(&again, create("a", 1));
        let Ok(Reply::CreateTopics(topics)) = told else { panic!("{told:?}") };
        let error = topics[0].result.as_ref().expect_err("it exists");
        assert_eq!(error.code, ErrorCode::TopicAlreadyExists);
        assert_eq!(block(machine.submit(&again, Command::AllocateProducerIds)), ProducerId(next));
        assert_eq!(again.image().topics().collect::<Vec<_>>(), before.topics().collect::<Vec<_>>());
        machine.host.kill();
    }
}

#[test]
fn commands_that_arrive_together_share_a_commit() {
    let machine = Machine::new(2);
    let (controller, shadow) = machine.start();
    let timed = |count: usize, offset: usize| {
        let before = machine.world.now();
        let controller = controller.clone();
        let ids = machine.run(async move {
            let names: Vec<_> = (offset..offset + count).map(|n| format!("t{n}")).collect();
            let submissions = names.iter().map(|name| controller.submit(create(name, 1)));
            join_all(submissions).await.into_iter().map(created).collect::<Vec<_>>()
        });
        let distinct: std::collections::BTreeSet<_> = ids.iter().collect();
        assert_eq!(distinct.len(), count);
        machine.world.now().saturating_since(before)
    };
    let alone = (0..8).map(|n| timed(1, n)).max().expect("eight");
    let together = timed(500, 100);
    assert!(together < 4 * alone, "500 commands took {together:?}, one took {alone:?}");
    assert_eq!(*shadow.borrow(), *controller.image());
}

#[test]
fn a_command_sees_what_was_decided_before_it() {
    let machine = Machine::new(3);
    let (controller, _) = machine.start();
    let asked = controller.clone();
    let replies = machine.run(async move {
        let commands = [create("a", 1), create("a", 1), delete("a"), delete("a"), create("a", 2)];
        join_all(commands.map(|command| asked.submit(command))).await
    });
    let codes: Vec<_> = replies
        .into_iter()
        .map(|reply| match reply.expect("no command fails as a whole") {
            Reply::CreateTopics(topics) => topics[0].result.clone().map(drop),
            Reply::DeleteTopics(topics) => topics[0].result.clone(),
            other => panic!("{other:?}"),
        })
        .map(|result| result.map_err(|error| error.code))
        .collect();
    let expected = [
        Ok(()),
        Err(ErrorCode::TopicAlreadyExists),
        Ok(()),
        Err(ErrorCode::UnknownTopicOrPartition),
        Ok(()),
    ];
    assert_eq!(codes, expected);
    assert_eq!(controller.image().partition_count(), 2);
}

#[test]
fn an_idle_controller_does_nothing() {
    let machine = Machine::new(4);
    let (controller, _) = machine.start();
    created(machine.submit(&controller, create("a", 1)));
    // The journal's zeros are written behind the start.
    machine.world.run_for(Duration::from_secs(10));
    let before = machine.world.trace_events();
    machine.world.run_for(Duration::from_secs(3600));
    assert_eq!(machine.world.trace_events(), before);
    created(machine.submit(&controller, create("b", 1)));
    assert_ne!(machine.world.trace_events(), before);
}

#[test]
fn checkpoints_bound_the_log() {
    let machine = Machine::new(5);
    let (controller, shadow) = machine.start();
    for round in 0..60 {
        let name = format!("t{round}");
        created(machine.submit(&controller, create(&name, 9_000)));
        machine.submit(&controller, delete(&name)).expect("deleted");
    }
    created(machine.submit(&controller, create("last", 3)));
    assert_eq!(*shadow.borrow(), *controller.image());
    let before = controller.image().clone();
    machine.host.kill();
    let runtime = machine.node();
    let bytes = machine.run(async move {
        let files = runtime.disk().list_dir(&journal_dir(Path::new(DIR))).await.expect("there");
        let journals = files.iter().filter(|file| parse_file_name(&file.name).is_some());
        journals.map(|file| file.len).sum::<u64>()
    });
    assert!(bytes <= crate::model::limits::METADATA_JOURNAL_BYTES as u64, "{bytes} bytes");
    let (again, _) = machine.start();
    assert_eq!(*again.image(), before);
}

#[test]
fn a_command_that_writes_too_much_is_refused_whole() {
    let machine = Machine::new(6);
    let (controller, _) = machine.start();
    created(machine.submit(&controller, create("t", 1)));
    let topic = |index: usize| NewTopic {
        configs: vec![(THROTTLED.into(), Some(long_value(index)))],
        ..NewTopic::named(format!("big{index}"))
    };
    let command = |count: usize| {
        let topics = (0..count).map(topic).collect();
        Command::CreateTopics(CreateTopics { topics, validate_only: false })
    };
    let error = machine.submit(&controller, command(100)).expect_err("2.7 MB are too much");
    assert_eq!(error.code, ErrorCode::PolicyViolation);
    assert_eq!(controller.image().topic_count(), 1);
    created(machine.submit(&controller, command(1)));
}

/// Changes bytes of a file as a failing disk would.
fn damage(machine: &Machine, path: &Path, change: impl Fn(&mut Vec<u8>) + 'static) {
    let runtime = machine.node();
    let path = path.to_owned();
    machine.run(async move {
        let mut bytes = runtime.disk().read_whole(&path, 1 << 30).await.expect("there");
        change(&mut bytes);
        runtime.disk().write_whole(&path, &bytes).await.expect("written");
    });
}

#[test]
fn damage_is_told_and_never_cut_away() {
    let checkpoint = Path::new(DIR).join("checkpoint");
    let journal = journal_dir(Path::new(DIR)).join("0-0.journal");
    let started = |seed| {
        let machine = Machine::new(seed);
        let (controller, _) = machine.start();
        for name in ["a", "b", "c"] {
            created(machine.submit(&controller, create(name, 1)));
        }
        machine.host.kill();
        machine
    };

    let machine = started(7);
    damage(&machine, &checkpoint, |bytes| bytes[40] ^= 1);
    assert!(matches!(
        machine.try_start(),
        Err(ControllerError::Store(LogStoreError::Checkpoint { .. }))
    ));

    let machine = started(8);
    let runtime = machine.node();
    let path = checkpoint.clone();
    machine.run(async move { runtime.disk().remove_file(&path).await.expect("removed") });
    assert!(matches!(
        machine.try_start(),
        Err(ControllerError::Store(LogStoreError::CheckpointMissing(_)))
    ));

    // The first frame holds the registration; frames behind it prove that it was there.
    let machine = started(9);
    damage(&machine, &journal, |bytes| bytes[200] ^= 1);
    assert!(matches!(machine.try_start(), Err(ControllerError::Store(LogStoreError::Scan(_)))));

    // Garbage behind the last frame is a write that the crash cut: nothing was lost by it.
    let machine = started(10);
    let end = Rc::new(Cell::new(0));
    let seen = end.clone();
    damage(&machine, &journal, move |bytes| {
        let used = bytes.iter().rposition(|&byte| byte != 0).expect("frames") + 1;
        let next = used.next_multiple_of(crate::model::units::BLOCK);
        bytes[next..next + 600].fill(0xa5);
        seen.set(next);
    });
    assert!(end.get() > 0);
    let (controller, _) = machine.start();
    assert_eq!(controller.image().topic_count(), 3);
}

#[test]
fn whatever_was_answered_survives_a_kill_at_any_moment() {
    let mut cut_lives = 0;
    for seed in 0..40 {
        let machine = Machine::new(1000 + seed);
        let mut answered: Vec<(String, TopicId)> = Vec::new();
        let mut blocks: Vec<ProducerId> = Vec::new();
        for life in 0..6 {
            let heard: Rc<RefCell<Vec<(String, TopicId)>>> = Rc::default();
            let heard_blocks: Rc<RefCell<Vec<ProducerId>>> = Rc::default();
            let runtime = machine.node();
            let (names, given) = (heard.clone(), heard_blocks.clone());
            let (expected, known) = (answered.clone(), blocks.clone());
            runtime.clone().spawn(Lane::Hot, async move {
                let controller =
                    Controller::start(&runtime, options(), |_, _| {}).await.expect("it starts");
                for (name, id) in &expected {
                    assert_eq!(controller.image().topic_id(name), Some(*id), "{name} is lost");
                }
                let taken = known.iter().map(|first| first.0 + 1000).max().unwrap_or(0);
                assert!(controller.image().next_producer_id().0 >= taken);
                for number in 0..20 {
                    let name = format!("t{life}x{number}");
                    let (topic, ids) = (
                        controller.submit(create(&name, 1)),
                        controller.submit(Command::AllocateProducerIds),
                    );
                    let id = created(topic.await);
                    names.borrow_mut().push((name.clone(), id));
                    let first = block(ids.await);
                    given.borrow_mut().push(first);
                }
            });
            machine.world.run_for(Duration::from_micros(300 + (seed * 7 + life) * 97 % 9000));
            machine.host.kill();
            cut_lives += usize::from((1..20).contains(&heard.borrow().len()));
            answered.append(&mut heard.borrow_mut());
            blocks.append(&mut heard_blocks.borrow_mut());
        }
        let distinct: std::collections::BTreeSet<_> = blocks.iter().collect();
        assert_eq!(distinct.len(), blocks.len(), "a block was given out twice: {blocks:?}");
        let (controller, _) = machine.start();
        for (name, id) in &answered {
            assert_eq!(controller.image().topic_id(name), Some(*id), "{name} is lost");
        }
    }
    assert!(cut_lives > 60, "only {cut_lives} lives ended in their middle");
}

/// What a run of commands left: every image that was ever committed, in order.
type History = Rc<RefCell<Vec<Image>>>;

/// Starts a controller that adds to a history; the first image is the one of the start.
async fn start_recorded(runtime: &Runtime, history: &History) -> Controller {
    let sink = history.clone();
    let on_committed = move |_: u64, records: &[Record]| {
        let mut next = sink.borrow().last().expect("the start's image").clone();
        for record in records {
            replay(&mut next, record).expect("committed records fit");
        }
        sink.borrow_mut().push(next);
    };
    let controller = Controller::start(runtime, options(), on_committed).await.expect("it starts");
    history.borrow_mut().push(controller.image().clone());
    controller
}

/// Runs groups of commands, each of which changes something, under a recording; the notes count
/// the answers. Gives the history and the recording.
fn record(seed: u64, groups: Vec<Vec<Command>>) -> (Vec<Image>, crate::runtime::sim::Recording) {
    let machine = Machine::new(seed);
    machine.host.start_recording();
    let history = History::default();
    let (runtime, sink, host) = (machine.node(), history.clone(), machine.host.clone());
    machine.run(async move {
        let controller = start_recorded(&runtime, &sink).await;
        let mut answered = 0;
        for group in groups {
            let count = group.len() as u64;
            for reply in join_all(group.into_iter().map(|one| controller.submit(one))).await {
                reply.expect("nothing fails as a whole");
            }
            answered += count;
            host.note(answered);
        }
        controller.close().await;
    });
    let history = history.take();
    (history, machine.host.recording())
}

/// Starts from every crash image, twice, and crashes in some of those starts: what comes up is
/// one image of the history, not older than what was answered.
fn check_images(
    seed: u64,
    groups: Vec<Vec<Command>>,
    policy: &ImagePolicy,
    nested_every: usize,
) -> usize {
    let commands: usize = groups.iter().map(Vec::len).sum();
    let (history, recording) = record(seed, groups);
    assert_eq!(history.len(), commands + 1, "every command changes something");
    let check = |image: &DiskImage, answered: usize, recording_too: bool| {
        let machine = Machine::from_image(image);
        if recording_too {
            machine.host.start_recording();
        }
        let (controller, _) = machine.start();
        let found = controller.image().clone();
        let position = history.iter().position(|image| *image == found);
        let position = position.expect("what comes up was committed or on its way, in order");
        assert!(position >= answered, "{answered} were answered, {position} are left");
        machine.host.kill();
        let recording = recording_too.then(|| machine.host.recording());
        let (again, _) = machine.start();
        assert_eq!(*again.image(), found, "a second start finds the same");
        (position, recording)
    };
    let mut images = recording.crash_images(policy.clone());
    let (mut count, mut nested) = (0, 0);
    for crash in images.by_ref() {
        let answered = crash.notes().last().map_or(0, |&answered| answered as usize);
        count += 1;
        let (position, inner) = check(&crash.image, answered, count % nested_every == 0);
        let Some(inner) = inner else { continue };
        let sparse = ImagePolicy { subsets_max: 8, torn_per_write: 1, stride: 5, ..policy.clone() };
        for crash in inner.crash_images(sparse) {
            nested += 1;
            check(&crash.image, position.min(answered), false);
        }
    }
    assert!(nested > 0);
    images.distinct()
}

#[test]
fn whatever_was_answered_survives_a_power_loss_at_any_moment() {
    let groups = vec![
        vec![create("a", 2)],
        vec![Command::AllocateProducerIds, create("b", 1), set_config("a", "retention.ms", "5")],
        vec![delete("a"), create("a", 3)],
        vec![Command::AllocateProducerIds],
        vec![set_config("b", "flush.ms", "9"), delete("b")],
    ];
    let policy = ImagePolicy { subsets_max: 128, torn_per_write: 4, ..ImagePolicy::default() };
    let distinct: usize = (0..3).map(|seed| check_images(seed, groups.clone(), &policy, 100)).sum();
    assert!(distinct > 600, "only {distinct} different images");
}

#[test]
fn a_power_loss_around_a_checkpoint_loses_nothing() {
    // 4.6 MB of values for one key: the journal is half full before the end.
    let mut groups = vec![vec![create("t", 1)]];
    groups.extend((0..9).map(|group| {
        let first = group * 16;
        (first..first + 16).map(|n| set_config("t", THROTTLED, &long_value(n))).collect()
    }));
    let policy = ImagePolicy { subsets_max: 4, torn_per_write: 1, stride: 3, ..Default::default() };
    let distinct = check_images(4, groups, &policy, 20);
    assert!(distinct > 50, "only {distinct} different images");
}

#[test]
fn a_failed_disk_is_never_answered_with_success() {
    for (fault, passing) in [Fault::WriteError, Fault::SyncError, Fault::DiskFull]
        .into_iter()
        .flat_map(|fault| (0..12).map(move |passing| (fault, passing)))
    {
        let machine = Machine::new(500 + passing);
        let (controller, _) = machine.start();
        machine.world.run_for(Duration::from_secs(1));
        machine.host.faults().strike_after(fault, passing);
        let mut answered = Vec::new();
        let mut failure = None;
        for number in 0..20 {
            let name = format!("t{number}");
            match machine.submit(&controller, create(&name, 1)) {
                Ok(_) if failure.is_none() => answered.push(name),
                Ok(_) => panic!("answered behind a failure"),
                Err(error) => {
                    assert_eq!(error.code, ErrorCode::KafkaStorageError);
                    failure = Some(error);
                }
            }
        }
        if failure.is_some() {
            assert!(controller.failed().is_some());
            let failing = controller.clone();
            machine.run(async move { failing.wait_failed().await });
        }
        machine.host.faults().clear();
        machine.host.power_loss();
        let (again, _) = machine.start();
        for name in &answered {
            assert!(again.image().topic_id(name).is_some(), "{fault:?} {passing}: {name} is lost");
        }
        let taken = u64::from(failure.is_some());
        assert_eq!(machine.world.fault_count(fault), taken, "{fault:?} {passing}");
    }
}

#[test]
fn a_checkpoint_on_a_full_disk_or_quota_takes_the_reserve() {
    for is_quota in [false, true] {
        let machine = Machine::new(6);
        let (controller, _) = machine.start();
        created(machine.submit(&controller, create("t", 1)));
        machine.world.run_for(Duration::from_secs(1));
        let used = machine.host.disk_bytes_used();
        match is_quota {
            true => machine.host.set_disk_quota(used),
            false => machine.host.set_disk_capacity(used),
        }
        // Half of the journal is full before the end, so that a checkpoint is written.
        for number in 0..200 {
            let changed =
                machine.submit(&controller, set_config("t", THROTTLED, &long_value(number)));
            changed.unwrap_or_else(|error| panic!("quota {is_quota}, {number}: {error:?}"));
        }
        let full = machine.world.fault_count(Fault::DiskFull);
        assert!(full > 0, "quota {is_quota}: the disk was never full");
        machine.host.kill();
        let (controller, _) = machine.start();
        assert!(controller.image().topic_id("t").is_some());
    }
}

#[test]
fn metadata_that_is_lost_is_not_taken_for_new() {
    let machine = Machine::new(5);
    let runtime = machine.node();
    let start = |served_before| {
        let options = ControllerOptions { served_before, ..options() };
        machine.world.run_until(Controller::start(&runtime, options, |_, _| {})).map(drop)
    };
    let error = start(true).expect_err("there is none").to_string();
    assert!(error.contains("/data/metadata/checkpoint is missing"), "{error}");
    let listed =
        machine.world.run_until(runtime.disk().list_dir(Path::new("/data"))).expect("a list");
    assert_eq!(listed.len(), 0, "nothing was begun");
    start(false).expect("a fresh directory");
    start(true).expect("the metadata is there");
}

#[test]
fn the_real_machine_keeps_what_was_answered() {
    let data = tempfile::tempdir().expect("a place for files");
    let dir = data.path().join("metadata");
    for life in 0..3usize {
        let options = ControllerOptions { dir: dir.clone(), ..options() };
        let spec = ExecutorSpec {
            name: "control".into(),
            cpu: None,
            memory_bytes: crate::model::units::MIB,
            spin_max: Duration::ZERO,
        };
        let thread = crate::runtime::start(spec, move |runtime| async move {
            let controller = Controller::start(&runtime, options, |_, _| {}).await.expect("starts");
            assert_eq!(controller.image().topic_count(), 10 * life);
            let taken = ProducerId(1000 * life as i64);
            assert_eq!(block(controller.submit(Command::AllocateProducerIds).await), taken);
            let names: Vec<_> = (0..10).map(|number| format!("t{life}x{number}")).collect();
            let replies = join_all(names.iter().map(|name| controller.submit(create(name, 2))));
            for reply in replies.await {
                created(reply);
            }
            if life == 1 {
                controller.close().await;
            }
        });
        thread.expect("the machine has io_uring").join().expect("it ran to its end");
    }
}
