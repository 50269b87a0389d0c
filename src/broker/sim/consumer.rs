//! Consumers: positions, fetch sessions and long polls, each answer against what was promised.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use super::fetching::{self, EPOCH_FINAL, Stale, check_found};
use super::link::{Link, Lost};
use super::model::Asked;
use super::site::Site;
use super::topics::{self, Place};
use crate::model::units::KIB;
use crate::model::{ErrorCode, LogId, TopicId};
use crate::protocol::fetch_request::{FetchRequest, ForgottenTopic};
use crate::protocol::fetch_response::{FetchResponse, PartitionData};
use crate::runtime::{Monotonic, Runtime};

/// Within this time what is readable reaches whoever waits for it, through slow networks and cores
/// that stand still for a while.
const WAKE_WITHIN: Duration = Duration::from_secs(4);

/// A consumer that assigns its partitions itself.
pub struct Consumer {
    site: Rc<Site>,
    runtime: Runtime,
    index: usize,
}

/// What a session's partition was last asked with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Wanted {
    offset: i64,
    bytes_max: i32,
    epoch: i32,
}

/// One connection's state.
struct Session {
    link: Link,
    places: BTreeMap<LogId, Place>,
    positions: BTreeMap<LogId, i64>,
    /// What the consumer reads at the moment.
    reads: Vec<LogId>,
    id: i32,
    epoch: i32,
    /// What the broker remembers of it.
    told: BTreeMap<LogId, Wanted>,
    stale: bool,
}

/// Where an answer's partition is.
fn log_of(places: &BTreeMap<LogId, Place>, name: &str, id: TopicId, partition: i32) -> LogId {
    let found = places.values().find(|place| {
        let named = if id.is_zero() { *place.name == *name } else { place.log.topic == id };
        named && place.log.partition.0 == partition
    });
    found.expect("only what was asked for is answered").log
}

impl Consumer {
    /// A consumer that has read nothing.
    pub fn new(site: &Rc<Site>, runtime: Runtime, index: usize) -> Rc<Consumer> {
        Rc::new(Consumer { site: site.clone(), runtime, index })
    }

    /// Reads until the site is over, connecting again whenever a connection is lost.
    pub async fn run(self: Rc<Self>) {
        let mut positions = BTreeMap::new();
        while !self.site.over.get() {
            if let Err(Lost(reason)) = self.connect_and_read(&mut positions).await {
                self.site.tell(|| format!("consumer {}: {reason}", self.index));
                self.site.count("consumers' connections lost");
            }
            self.runtime.sleep(Duration::from_micros(self.site.choice(5_000))).await;
        }
    }

    async fn connect_and_read(&self, positions: &mut BTreeMap<LogId, i64>) -> Result<(), Lost> {
        let name = format!("consumer-{}", self.index);
        let link = Link::open(&self.site, &self.runtime, name).await?;
        let mut session = Session {
            link,
            places: BTreeMap::new(),
            positions: std::mem::take(positions),
            reads: Vec::new(),
            id: 0,
            epoch: 0,
            told: BTreeMap::new(),
            stale: true,
        };
        let ended = self.read_on(&mut session).await;
        *positions = session.positions;
        ended
    }

    async fn read_on(&self, session: &mut Session) -> Result<(), Lost> {
        while !self.site.over.get() {
            if session.stale || session.places.is_empty() || self.site.one_in(60) {
                let views = topics::look(&self.site, &mut session.link).await?;
                let places = topics::places(&views).into_iter();
                session.places = places.map(|place| (place.log, place)).collect();
                session.stale = false;
                session.reads.clear();
                // A session's forgotten topics may have no name any more.
                (session.id, session.epoch) = (0, 0);
                session.told.clear();
            }
            if session.places.is_empty() {
                self.runtime.sleep(Duration::from_millis(1)).await;
                continue;
            }
            self.choose(session);
            self.fetch(session).await?;
            self.site.rest(&self.runtime).await;
            if self.site.one_in(400) {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Changes now and then what is read, and from where.
    fn choose(&self, session: &mut Session) {
        if session.reads.is_empty() || self.site.one_in(8) {
            let all: Vec<LogId> = session.places.keys().copied().collect();
            let chosen = (0..1 + self.site.choice(6)).map(|_| self.site.choice(all.len() as u64));
            session.reads = chosen.map(|at| all[at as usize]).collect();
            session.reads.sort_unstable();
            session.reads.dedup();
        }
        let again = self.site.choice(session.reads.len() as u64 * 4) as usize;
        if let Some(log) = session.reads.get(again)
            && let Some(position) = session.positions.get_mut(log)
        {
            *position = self.site.choice(*position as u64 + 1) as i64;
        }
    }

    async fn fetch(&self, session: &mut Session) -> Result<(), Lost> {
        let wanted = self.wanted(session);
        if wanted.is_empty() {
            session.stale = true;
            return Ok(());
        }
        let wait = [0, 5, 200, 10_000][self.site.choice(4) as usize];
        let request = self.request(session, &wanted, wait);
        let in_session = session.epoch != EPOCH_FINAL;
        let asked: Vec<Asked> = {
            let model = self.site.model.borrow();
            let asked = wanted.iter().map(|(log, wanted)| {
                model.asked(*log).map(|asked| Asked { offset: wanted.offset, ..asked })
            });
            asked.collect::<Option<_>>().unwrap_or_default()
        };
        if asked.is_empty() {
            session.stale = true;
            return Ok(());
        }
        let began = self.runtime.now();
        let wait = Duration::from_millis(wait as u64);
        session.link.send_waiting(&request, wait).await?;
        if self.site.one_in(150) {
            self.runtime.sleep(Duration::from_micros(self.site.choice(500))).await;
            return Err(Lost("nobody waits for the answer"));
        }
        let answer = session.link.receive::<FetchRequest<'_>>().await?;
        let answer = answer.decode();
        match ErrorCode::from_code(answer.error_code) {
            ErrorCode::None => {}
            ErrorCode::FetchSessionIdNotFound | ErrorCode::InvalidFetchSessionEpoch => {
                self.site.count("fetch sessions not found");
                (session.id, session.epoch) = (0, 0);
                session.told.clear();
                return Ok(());
            }
            other => panic!("consumer {}: a fetch is answered with {other}", self.index),
        }
        session.told = if in_session { wanted } else { BTreeMap::new() };
        self.go_on(session, answer.session_id);
        self.check(session, &asked, began, &answer);
        Ok(())
    }

    /// What the next request is to ask for.
    fn wanted(&self, session: &mut Session) -> BTreeMap<LogId, Wanted> {
        let model = self.site.model.borrow();
        let mut wanted = BTreeMap::new();
        for log in &session.reads {
            let Some(partition) = model.partitions.get(log) else { continue };
            let place = &session.places[log];
            let position = session.positions.entry(*log).or_insert(0);
            *position = (*position).max(partition.start.1);
            let bytes_max = match session.told.get(log) {
                Some(told) if !self.site.one_in(10) => told.bytes_max,
                _ => [1, 600, 6000, 200 * KIB][self.site.choice(4) as usize] as i32,
            };
            wanted.insert(*log, Wanted { offset: *position, bytes_max, epoch: place.epoch });
        }
        wanted
    }

    /// The request that makes the broker know what is wanted: all of it, or what has changed.
    fn request(
        &self,
        session: &mut Session,
        wanted: &BTreeMap<LogId, Wanted>,
        wait_ms: i32,
    ) -> FetchRequest<'static> {
        let by_id = fetching::is_by_id(&session.link);
        if session.id == 0 {
            // One in four wants no session.
            session.epoch = if self.site.one_in(4) { EPOCH_FINAL } else { 0 };
        }
        let named = |log: &LogId| {
            let name = session.places[log].name.to_string();
            if by_id { ("".into(), log.topic) } else { (name.into(), TopicId::ZERO) }
        };
        let changed = wanted.iter().filter(|(log, wanted)| session.told.get(log) != Some(wanted));
        let topics = changed.map(|(log, wanted)| {
            let name = &session.places[log].name;
            let epoch = if self.site.one_in(2) { wanted.epoch } else { -1 };
            let part = fetching::Wanted { log: *log, name, epoch, offset: wanted.offset };
            fetching::topic_of(&part, wanted.bytes_max, by_id)
        });
        let topics = topics.collect();
        let forgotten = session.told.keys().filter(|log| !wanted.contains_key(log));
        let forgotten = forgotten.map(|log| {
            let (topic, topic_id) = named(log);
            let partitions = vec![log.partition.0];
            ForgottenTopic { topic, topic_id, partitions, ..ForgottenTopic::default() }
        });
        FetchRequest {
            replica_id: -1,
            max_wait_ms: wait_ms,
            min_bytes: 1,
            max_bytes: [1, 2000, 300 * KIB][self.site.choice(3) as usize] as i32,
            session_id: session.id,
            session_epoch: session.epoch,
            topics,
            forgotten_topics_data: forgotten.collect(),
            ..FetchRequest::default()
        }
    }

    /// The place of the next request in its session.
    fn go_on(&self, session: &mut Session, id: i32) {
        if session.epoch == EPOCH_FINAL {
            assert_eq!(id, 0, "nobody wanted a session");
            (session.id, session.epoch) = (0, 0);
            return;
        }
        if session.epoch > 0 {
            assert_eq!(id, session.id, "a session keeps its id");
            self.site.count("fetches in a session");
        }
        session.id = id;
        session.epoch = if id == 0 { 0 } else { session.epoch + 1 };
        if id == 0 {
            session.told.clear();
        }
    }

    fn check(
        &self,
        session: &mut Session,
        asked: &[Asked],
        began: Monotonic,
        answer: &FetchResponse<'_>,
    ) {
        let now = self.runtime.now();
        for asked in asked {
            self.site.model.borrow().check_wait(asked, began, now, WAKE_WITHIN);
        }
        for topic in &answer.responses {
            for data in &topic.partitions {
                let index = data.partition_index;
                let log = log_of(&session.places, &topic.topic, topic.topic_id, index);
                let asked = asked.iter().find(|asked| asked.log == log);
                let asked = asked.expect("only what was asked for is answered");
                if let Some(next) = self.check_partition(session, asked, data) {
                    session.positions.insert(log, next);
                }
                self.site.operated();
            }
        }
    }

    /// Checks one partition of an answer; gives the offset behind what was read.
    fn check_partition(
        &self,
        session: &mut Session,
        asked: &Asked,
        data: &PartitionData<'_>,
    ) -> Option<i64> {
        let (log, from) = (asked.log, asked.offset);
        self.site.tell(|| {
            let code = ErrorCode::from_code(data.error_code);
            let (end, len) = (data.high_watermark, data.records.bytes().len());
            format!("consumer {}: {log} from {from} of {end}: {code}, {len} bytes", self.index)
        });
        check_found(&self.site, asked, data, "positions beyond a cut").unwrap_or_else(|Stale| {
            session.stale = true;
            None
        })
    }
}
