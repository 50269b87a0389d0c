//! The clients of one life: producers with and without idempotence, consumers, and an operator.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::time::Duration;

use super::process::Process;
use crate::broker::sim::batches::encode;
use crate::broker::sim::model::{Asked, Batch, Model, Promise, Retention, Sequenced};
use crate::metadata::Image;
use crate::metadata::commands::{Command, CreateTopics, NewTopic, Reply, TopicReference};
use crate::model::units::KIB;
use crate::model::{ErrorCode, LeaderEpoch, LogId, Offset, PartitionIndex, ProducerId, TopicId};
use crate::runtime::sync::Queue;
use crate::runtime::{AlignedBuf, Lane};
use crate::shard::{
    self, Appends, EpochQuery, FetchPart, FetchTerms, OffsetQuery, RecordDeletion, Routed,
    RoutedResult, SentAppends, Shard, TIMESTAMP_EARLIEST, TIMESTAMP_LATEST, Told,
};
use crate::storage::ReadPart;

/// Requests of one producer that are under way.
const IN_FLIGHT_MAX: usize = 5;
/// Who has nothing to do looks again after this time.
const IDLE: Duration = Duration::from_millis(1);
/// A deleted topic's files are gone by then.
const FILES_GO_WITHIN: Duration = Duration::from_secs(60);
/// Within this time what is readable reaches whoever waits for it.
const WAKE_WITHIN: Duration = Duration::from_secs(2);

/// One process and those who use it.
pub struct Life {
    pub process: Process,
    pub model: Rc<RefCell<Model>>,
    /// A fault that may fail the disk has been set.
    pub tampered: Cell<bool>,
    /// Nobody begins anything more.
    pub over: Cell<bool>,
    /// Nobody writes, and who reads waits for more.
    pub calm: Cell<bool>,
    /// Segments that retention has let go.
    pub expired: Cell<u64>,
}

impl Life {
    fn is_over(&self, shard: &Shard) -> bool {
        self.over.get() || shard.is_stopping() || self.process.control.failure().is_some()
    }

    fn choice(&self, of: u64) -> u64 {
        self.process.runtime.random() % of
    }

    fn operated(&self) {
        self.model.borrow_mut().operations += 1;
    }

    /// One of the partitions that can be used.
    fn any_log(&self) -> Option<LogId> {
        let live = live(&self.model.borrow());
        (!live.is_empty()).then(|| live[self.choice(live.len() as u64) as usize])
    }

    /// Whether an error is one that may be met at this moment.
    fn check_error(
        &self,
        log: LogId,
        shard: &Shard,
        code: ErrorCode,
        told: impl FnOnce() -> String,
    ) {
        let model = self.model.borrow();
        let gone = model.partitions.get(&log).is_none_or(|partition| partition.deleted);
        let is_fair = match code {
            ErrorCode::UnknownTopicOrPartition => gone,
            ErrorCode::KafkaStorageError => self.tampered.get(),
            ErrorCode::NotLeaderOrFollower => self.is_over(shard),
            _ => false,
        };
        assert!(is_fair, "{log}: {code} {}", told());
    }
}

/// What a producer knows of one partition.
#[derive(Default)]
struct Line {
    epoch: i16,
    next: i32,
    /// Sent and not answered, in order.
    unresolved: VecDeque<usize>,
    /// The last ones that are in the log.
    resolved: VecDeque<usize>,
    /// This life's disk has refused one: those sent behind it are out of order, and nothing new is
    /// sent before all have been sent again.
    refused: bool,
}

/// A producer, which outlives the processes that it writes to.
pub struct Producer {
    pub index: usize,
    pub idempotent: bool,
    id: Cell<Option<ProducerId>>,
    lines: RefCell<BTreeMap<LogId, Line>>,
}

impl Producer {
    pub fn new(index: usize, idempotent: bool) -> Rc<Producer> {
        let (id, lines) = (Cell::new(None), RefCell::default());
        Rc::new(Producer { index, idempotent, id, lines })
    }

    /// After a start: deleted partitions are forgotten; where acknowledged records were cut, the
    /// sequence begins anew in the next epoch.
    pub fn start_over(&self, model: &Model) {
        let mut lines = self.lines.borrow_mut();
        lines.retain(|log, _| model.partitions.contains_key(log));
        for line in lines.values_mut() {
            line.refused = false;
            if !self.idempotent {
                line.unresolved.clear();
            }
            if line.resolved.iter().any(|&number| model.batches[number].base.is_none()) {
                *line = Line { epoch: line.epoch + 1, ..Line::default() };
            }
        }
    }

    /// A new batch for a partition.
    fn batch(&self, life: &Life, log: LogId) -> usize {
        let mut model = life.model.borrow_mut();
        let number = model.batches.len();
        let records = 1 + life.choice(4) as i32;
        let mut lines = self.lines.borrow_mut();
        let line = lines.entry(log).or_default();
        let sequenced = self.id.get().map(|producer| Sequenced {
            producer,
            epoch: line.epoch,
            first: line.next,
        });
        line.next += records;
        line.unresolved.push_back(number);
        let bytes = encode(&|of| life.choice(of), number, records, sequenced);
        let (client, base, promise) = (self.index, None, Promise::None);
        model.batches.push(Batch { log, client, records, bytes, sequenced, base, promise });
        number
    }

    /// Whether the disk has refused a batch of this partition in this life.
    fn is_refused(&self, log: LogId) -> bool {
        self.lines.borrow().get(&log).is_some_and(|line| line.refused)
    }

    fn refused(&self, log: LogId) {
        if let Some(line) = self.lines.borrow_mut().get_mut(&log) {
            line.refused = self.idempotent;
        }
    }

    fn resolved(&self, log: LogId, number: usize) {
        let mut lines = self.lines.borrow_mut();
        let Some(line) = lines.get_mut(&log) else { return };
        let place = line.unresolved.iter().position(|&other| other == number);
        if let Some(place) = place {
            line.unresolved.remove(place);
            line.resolved.push_back(number);
            line.resolved.make_contiguous().sort_unstable();
            if line.resolved.len() > 5 {
                line.resolved.pop_front();
            }
        }
    }
}

/// Sends batches, in order behind what was sent before.
async fn send(life: &Life, shard: &Rc<Shard>, numbers: &[usize]) -> SentAppends {
    let acks = if life.choice(2) == 0 { 1 } else { -1 };
    let mut appends = Appends::new(shard, acks);
    for &number in numbers {
        let (log, bytes) = {
            let model = life.model.borrow();
            (model.batches[number].log, model.batches[number].bytes.clone())
        };
        appends.add(log, &bytes, || bytes.clone()).await;
    }
    appends.send()
}

/// Takes the answers to what was sent.
async fn answered(
    life: &Life,
    producer: &Producer,
    shard: &Shard,
    numbers: Vec<usize>,
    sent: SentAppends,
) {
    for (number, result) in numbers.into_iter().zip(sent.wait().await) {
        let log = life.model.borrow().batches[number].log;
        match result {
            Ok(appended) => {
                let now = shard.runtime().now();
                life.model.borrow_mut().acknowledge(number, appended.base_offset.0, now);
                producer.resolved(log, number);
            }
            Err(failure)
                if failure.code == ErrorCode::OutOfOrderSequenceNumber
                    && producer.is_refused(log) => {}
            Err(failure) => {
                if failure.code == ErrorCode::KafkaStorageError {
                    producer.refused(log);
                }
                let own = life.model.borrow().batches[number].sequenced;
                let told = || format!("batch {number}, {own:?}: {:?}", failure.message);
                life.check_error(log, shard, failure.code, told);
            }
        }
        life.operated();
    }
}

/// Produces through one shard until the life is over.
pub async fn produce(life: Rc<Life>, producer: Rc<Producer>, shard: Rc<Shard>) {
    let Some(_inside) = shard.gate().enter() else { return };
    if producer.idempotent && producer.id.get().is_none() {
        match shard.producer_ids().next(&shard).await {
            Ok(id) => producer.id.set(Some(id)),
            Err(code) => panic!("no producer id: {code}"),
        }
    }
    repeat(&life, &producer, &shard).await;
    // With the one that is answered and the one that was just sent these are five.
    let under_way = Rc::new(Queue::new(IN_FLIGHT_MAX - 2));
    let Some(guard) = shard.gate().enter() else { return };
    let (here, sender, serving, sent) =
        (life.clone(), producer.clone(), shard.clone(), under_way.clone());
    shard.runtime().spawn(Lane::Hot, async move {
        // A connection gets its answers in the order of its requests.
        while let Some((numbers, sent)) = sent.pop().await {
            answered(&here, &sender, &serving, numbers, sent).await;
        }
        drop(guard);
    });
    while !life.is_over(&shard) {
        let mut logs: Vec<LogId> = (0..1 + life.choice(6)).filter_map(|_| life.any_log()).collect();
        logs.retain(|log| !producer.is_refused(*log));
        logs.sort_unstable();
        logs.dedup();
        if life.calm.get() {
            logs.clear();
        }
        if logs.is_empty() {
            shard.runtime().sleep(IDLE).await;
            continue;
        }
        let numbers: Vec<usize> = logs.into_iter().map(|log| producer.batch(&life, log)).collect();
        let sent = send(&life, &shard, &numbers).await;
        if under_way.push((numbers, sent)).await.is_err() {
            break;
        }
        if life.choice(4) == 0 {
            shard.runtime().sleep(Duration::from_micros(life.choice(400))).await;
        }
    }
    under_way.close();
}

/// Sends again what a process has answered or not: one of the last five batches, then everything
/// whose outcome is unknown, in order.
async fn repeat(life: &Rc<Life>, producer: &Rc<Producer>, shard: &Rc<Shard>) {
    if !producer.idempotent {
        return;
    }
    let mut again = Vec::new();
    for line in producer.lines.borrow().values() {
        // Those without an answer may be in the log, too: together they are at most five.
        let known = line.resolved.len().min(IN_FLIGHT_MAX.saturating_sub(line.unresolved.len()));
        let old = &line.resolved;
        if known > 0 {
            again.push(old[old.len() - 1 - life.choice(known as u64) as usize]);
        }
        again.extend(&line.unresolved);
    }
    for number in again {
        let log = life.model.borrow().batches[number].log;
        if life.is_over(shard) || !life.model.borrow().partitions.contains_key(&log) {
            continue;
        }
        let sent = send(life, shard, &[number]).await;
        answered(life, producer, shard, vec![number], sent).await;
    }
}

/// What is asked of one partition, and what the client knows of it.
fn ask(life: &Life, log: LogId, position: Option<i64>) -> Option<(FetchPart, Asked)> {
    let model = life.model.borrow();
    let mut asked = model.asked(log)?;
    let start = asked.offset;
    asked.offset = match position {
        Some(position) => position.max(start),
        None => start + life.choice((asked.seen - start).max(0) as u64 + 1) as i64,
    };
    let leader_epoch = (life.choice(2) == 0).then(|| LeaderEpoch(model.partitions[&log].epoch()));
    let part = FetchPart {
        log,
        offset: Offset(asked.offset),
        bytes_max: [1, 600, 6000, 200 * KIB][life.choice(4) as usize],
        leader_epoch,
        last_fetched_epoch: None,
        told: Told::NOTHING,
    };
    Some((part, asked))
}

/// Fetches through one shard until the life is over.
pub async fn consume(life: Rc<Life>, shard: Rc<Shard>) {
    let Some(_inside) = shard.gate().enter() else { return };
    let mut positions: BTreeMap<LogId, i64> = BTreeMap::new();
    while !life.is_over(&shard) {
        let mut logs: Vec<LogId> = (0..1 + life.choice(4)).filter_map(|_| life.any_log()).collect();
        logs.sort_unstable();
        logs.dedup();
        let asked: Vec<(FetchPart, Asked)> = logs
            .into_iter()
            .filter_map(|log| {
                let tails = life.choice(4) > 0 || life.calm.get();
                let position = tails.then(|| positions.get(&log).copied().unwrap_or(0));
                ask(&life, log, position)
            })
            .collect();
        if asked.is_empty() {
            shard.runtime().sleep(Duration::from_micros(500)).await;
            continue;
        }
        let waits = if life.calm.get() { [10_000; 4] } else { [0, 5, 200, 10_000] };
        let wait_max = Duration::from_millis(waits[life.choice(4) as usize]);
        let bytes_max = [1, 2000, 300 * KIB][life.choice(3) as usize];
        let terms = FetchTerms { bytes_max, bytes_min: 1, wait_max };
        let parts = asked.iter().map(|(part, _)| part.clone()).collect();
        let began = shard.runtime().now();
        let results = shard::fetch(&shard, parts, terms).await;
        shard.return_leases();
        let now = shard.runtime().now();
        for ((_, asked), result) in asked.iter().zip(results) {
            let log = asked.log;
            life.model.borrow().check_wait(asked, began, now, WAKE_WITHIN);
            if let Some(next) = check_fetched(&life, &shard, asked, result).await {
                positions.insert(log, next);
            }
            life.operated();
        }
    }
}

/// Checks one partition of an answer; gives the offset behind what was read.
async fn check_fetched(
    life: &Life,
    shard: &Shard,
    asked: &Asked,
    result: RoutedResult,
) -> Option<i64> {
    let (log, from) = (asked.log, asked.offset);
    let routed = match result {
        Ok(routed) => routed,
        Err(ErrorCode::OffsetOutOfRange) => {
            let model = life.model.borrow();
            let moved = model
                .partitions
                .get(&log)
                .is_none_or(|p| p.deleted || from < p.start.1 || p.may_lose());
            assert!(moved, "{log}: {from} is out of range");
            return None;
        }
        Err(code) => {
            life.check_error(log, shard, code, || {
                let owner = &life.process.shards[usize::from(shard.owner(log).0)];
                let known = owner.image().partition(&log).is_some();
                let led = owner.leader(log).is_some();
                format!("fetch from {from}: known {known}, led {led}")
            });
            return None;
        }
    };
    let place = routed.place;
    let bytes = joined(routed).await?;
    let (end, start) = (place.high_watermark.0, place.log_start.0);
    life.model.borrow_mut().fetched(asked, end, start, &bytes)
}

/// What was read as one piece; `None` if a file could not be read.
async fn joined(routed: Routed) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(routed.len);
    for part in routed.parts {
        match part {
            ReadPart::Piece(piece) => bytes.extend_from_slice(&piece),
            ReadPart::File(range) => {
                let buffer = AlignedBuf::zeroed(range.bytes as usize);
                let (buffer, read) = range.file.read_at(buffer, range.offset).await;
                let read = read.ok()?;
                assert!(read >= range.bytes as usize, "a sealed segment has what it served");
                bytes.extend_from_slice(&buffer[..range.bytes as usize]);
            }
        }
    }
    assert_eq!(bytes.len(), routed.len);
    Some(bytes)
}

/// Reads a whole log as a start has found it: its start, its end, and everything between.
pub async fn read_whole(life: &Life, shard: &Rc<Shard>, log: LogId) -> (i64, i64) {
    let query = |timestamp| OffsetQuery { log, timestamp, leader_epoch: None };
    let queries = vec![query(TIMESTAMP_EARLIEST), query(TIMESTAMP_LATEST)];
    let bounds = shard::offsets(shard, queries).await;
    let bound = |at: usize| bounds[at].as_ref().expect("a partition that is there").offset.0;
    let (start, end) = (bound(0), bound(1));
    let mut from = start;
    while from < end {
        let part = FetchPart {
            log,
            offset: Offset(from),
            bytes_max: 64 * KIB,
            leader_epoch: None,
            last_fetched_epoch: None,
            told: Told::NOTHING,
        };
        let terms = FetchTerms { bytes_max: 64 * KIB, bytes_min: 1, wait_max: Duration::ZERO };
        let mut results = shard::fetch(shard, vec![part], terms).await;
        shard.return_leases();
        let routed = results.remove(0).expect("a log that was just recovered can be read");
        assert_eq!(routed.place.high_watermark.0, end, "{log} moved although nobody writes");
        let bytes = joined(routed).await.expect("a well disk reads");
        let next = life.model.borrow_mut().read(log, from, end, &bytes);
        assert!(next > from, "{log} gives nothing at {from} of {end}");
        from = next;
    }
    (start, end)
}

/// Creates and deletes topics, moves log starts and asks questions, through one shard.
pub async fn operate(life: Rc<Life>, shard: Rc<Shard>) {
    let Some(_inside) = shard.gate().enter() else { return };
    while !life.is_over(&shard) {
        if life.calm.get() {
            shard.runtime().sleep(IDLE).await;
            continue;
        }
        match life.choice(40) {
            0..3 => change_topics(&life, &shard).await,
            3..6 => delete_records(&life, &shard).await,
            28..31 => expire(&life).await,
            6..16 => ask_epoch(&life, &shard).await,
            16..26 => ask_time(&life, &shard).await,
            26..28 => drop(shard.store().checkpoint().await),
            _ => shard.runtime().sleep(Duration::from_micros(life.choice(3000))).await,
        }
    }
}

/// The partitions that can be used.
pub fn live(model: &Model) -> Vec<LogId> {
    let live = model.partitions.iter().filter(|(_, partition)| !partition.deleted);
    live.map(|(log, _)| *log).collect()
}

/// Takes the partitions that the image has.
pub fn adopt(model: &mut Model, image: &Image) {
    for (topic, found) in image.topics() {
        let mut configs = found.configs();
        let relaxed = configs.any(|(key, value)| key == "flush.messages" && value != "1");
        let number = |wanted| {
            let value = found.configs().find(|(key, _)| *key == wanted);
            value.and_then(|(_, value)| value.parse::<i64>().ok())
        };
        // Where nothing is said the topic keeps everything.
        let age_ms_max = number("retention.ms").filter(|most| *most >= 0);
        let bytes_max = number("retention.bytes").map(|most| most as u64);
        let retention = Retention { bytes_max, age_ms_max };
        for (index, state) in found.partitions().iter().enumerate() {
            let log = LogId { topic, partition: PartitionIndex(index as i32) };
            model.learn(log, !relaxed, state.leader_epoch.0);
            if let Some(partition) = model.partitions.get_mut(&log) {
                partition.retention = retention;
            }
        }
    }
}

/// The configs of a new topic.
fn configs(life: &Life) -> Vec<(String, Option<String>)> {
    let mut configs = vec![(
        "internal.segment.bytes".to_owned(),
        [64 * KIB, 256 * KIB, 1024 * KIB][life.choice(3) as usize].to_string(),
    )];
    match life.choice(5) {
        0 => configs.push(("flush.messages".into(), "20".into())),
        1 => configs.push(("flush.messages".into(), i64::MAX.to_string())),
        _ => {}
    }
    if life.choice(2) == 0 {
        configs.push(("flush.ms".into(), "5".into()));
    }
    if life.choice(3) == 0 {
        configs.push(("segment.ms".into(), "40".into()));
    }
    // A record's time is its number. It is old when so many milliseconds have passed as there are
    // records from now on up to it.
    let number = life.model.borrow().batches.len() as i64;
    let age_ms_max = match life.choice(4) {
        0 => life.process.runtime.wall_clock_ms() - number,
        _ => -1,
    };
    configs.push(("retention.ms".into(), age_ms_max.to_string()));
    configs.push(("file.delete.delay.ms".into(), [0, 3, 50][life.choice(3) as usize].to_string()));
    if life.choice(4) == 0 {
        let bytes = [0, 40 * KIB, 300 * KIB][life.choice(3) as usize];
        configs.push(("retention.bytes".into(), bytes.to_string()));
    }
    configs.into_iter().map(|(key, value)| (key, Some(value))).collect()
}

async fn change_topics(life: &Rc<Life>, shard: &Rc<Shard>) {
    let name = format!("topic-{}", life.choice(5));
    let found = shard.image().topic_id(&name);
    match found {
        None => create_topic(life, shard, name).await,
        Some(id) if life.choice(3) == 0 => delete_topic(life, shard, id).await,
        Some(_) => {}
    }
}

pub async fn create_topic(life: &Rc<Life>, shard: &Rc<Shard>, name: String) {
    let topic = NewTopic {
        partition_count: 1 + life.choice(3) as i32,
        configs: configs(life),
        ..NewTopic::named(name)
    };
    let command = CreateTopics { topics: vec![topic], validate_only: false };
    match shard.command(Command::CreateTopics(command)).await {
        Ok(Reply::CreateTopics(results)) if results[0].result.is_ok() => {
            adopt(&mut life.model.borrow_mut(), &shard.image());
        }
        other => panic!("a topic was not created: {other:?}"),
    }
    life.operated();
}

pub async fn delete_topic(life: &Rc<Life>, shard: &Rc<Shard>, id: TopicId) {
    life.model.borrow_mut().set_deleted(id);
    let reference = TopicReference { name: None, id };
    match shard.command(Command::DeleteTopics(vec![reference])).await {
        Ok(Reply::DeleteTopics(results)) if results[0].result.is_ok() => {}
        other => panic!("a topic was not deleted: {other:?}"),
    }
    life.model.borrow_mut().forget_topic(id);
    // Every shard removes what it had, unless its disk fails.
    let limit = shard.runtime().now() + FILES_GO_WITHIN;
    while !life.is_over(shard)
        && !life.tampered.get()
        && let Ok(left) = life.process.topics_on_disk().await
        && left.iter().any(|name| TopicId::parse(name) == Some(id))
    {
        assert!(shard.runtime().now() < limit, "topic {id} is deleted and has files");
        shard.runtime().sleep(IDLE).await;
    }
    life.operated();
}

/// Deletes records through whatever shard, up to an offset or to the high watermark.
async fn delete_records(life: &Rc<Life>, shard: &Rc<Shard>) {
    let Some(log) = life.any_log() else { return };
    let (before, promised) = {
        let mut model = life.model.borrow_mut();
        let Some(partition) = model.partitions.get_mut(&log) else { return };
        let room = (partition.acknowledged - partition.start.1).max(0) as u64;
        let to = partition.start.1 + life.choice(room / 2 + 1) as i64;
        if life.choice(8) == 0 {
            // Wherever that is: nobody knows what will be readable by then.
            partition.cutting += 1;
            (-1, partition.acknowledged)
        } else {
            partition.start.1 = to;
            (to, to)
        }
    };
    let part = RecordDeletion { log, before: Offset(before) };
    let deleted = shard::delete_records(shard, vec![part]).await.remove(0);
    let mut model = life.model.borrow_mut();
    match deleted {
        Ok(start) => {
            if let Some(partition) = model.partitions.get_mut(&log).filter(|one| !one.deleted) {
                assert!(start.0 >= promised, "{log} starts at {start}, not at {promised}");
                let (told, asked) = partition.start;
                partition.start = (told.max(start.0), asked.max(start.0));
                partition.cutting -= u32::from(before == -1);
            }
            model.seen.starts_moved += 1;
            drop(model);
        }
        Err(code) => {
            drop(model);
            life.check_error(log, shard, code, || format!("deleting before {before}"));
        }
    }
    life.operated();
}

/// Has one of the shards look for old segments.
async fn expire(life: &Rc<Life>) {
    let shards = &life.process.shards;
    let shard = &shards[life.choice(shards.len() as u64) as usize];
    match shard::expire_segments(shard).await {
        Ok(passed) => life.expired.set(life.expired.get() + passed.segments as u64),
        Err(failed) => assert!(life.tampered.get(), "a well disk expires nothing: {failed}"),
    }
    life.operated();
}

async fn ask_epoch(life: &Rc<Life>, shard: &Rc<Shard>) {
    let Some(log) = life.any_log() else { return };
    let question = life.model.borrow().epoch_question(log, &|of| life.choice(of));
    let Some(asked) = question else { return };
    let query = EpochQuery { log, current: None, wanted: LeaderEpoch(asked.epoch) };
    match shard::epoch_ends(shard, vec![query]).await.remove(0) {
        Ok(found) => life.model.borrow().check_epoch_end(&asked, found.end.0),
        Err(code) => life.check_error(log, shard, code, || "a question".into()),
    }
    life.operated();
}

async fn ask_time(life: &Rc<Life>, shard: &Rc<Shard>) {
    let Some(log) = life.any_log() else { return };
    let question = life.model.borrow().time_question(log, &|of| life.choice(of));
    let Some(asked) = question else { return };
    let query = OffsetQuery { log, timestamp: asked.time, leader_epoch: None };
    match shard::offsets(shard, vec![query]).await.remove(0) {
        Ok(found) => {
            life.model.borrow().check_time(&asked, found.offset.0, found.timestamp);
        }
        Err(code) => life.check_error(log, shard, code, || "a question".into()),
    }
    life.operated();
}
