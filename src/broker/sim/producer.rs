//! Producers: sequence numbers kept through cut connections, time-outs and restarts of the broker.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::time::Duration;

use super::batches::encode;
use super::link::{Link, Lost};
use super::model::{Batch, Model, Promise, Sequenced};
use super::site::Site;
use super::topics::{self, Place};
use crate::model::{ErrorCode, LogId, ProducerId};
use crate::protocol::init_producer_id_request::InitProducerIdRequest;
use crate::protocol::produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};
use crate::protocol::produce_response::ProduceResponse;
use crate::protocol::types::Records;
use crate::runtime::Runtime;

/// Requests of one producer that are under way, as Kafka's producers have at most.
const IN_FLIGHT_MAX: usize = 5;

/// What a producer knows of one partition.
#[derive(Default)]
struct Line {
    epoch: i16,
    next: i32,
    /// Sent and not answered, in order.
    unresolved: VecDeque<usize>,
    /// The last ones that are in the log.
    resolved: VecDeque<usize>,
    /// How many of both this connection has sent and has no answer to.
    in_flight: usize,
    /// This connection has seen one refused: what comes behind it is out of sequence.
    shaken: bool,
}

impl Line {
    /// Whether the next batch may follow: all before it are under way or in the log, and a
    /// partition's first is in the log before the second is sent.
    fn is_open(&self) -> bool {
        !self.shaken
            && self.in_flight == self.unresolved.len()
            && (self.unresolved.is_empty() || !self.resolved.is_empty())
    }
}

/// A producer, which outlives the processes that it writes to.
pub struct Producer {
    site: Rc<Site>,
    runtime: Runtime,
    index: usize,
    idempotent: bool,
    id: Cell<Option<ProducerId>>,
    lines: RefCell<BTreeMap<LogId, Line>>,
    connections: Cell<usize>,
}

/// One request: each partition with its batch, in the order of the wire.
type Wave = Vec<(Place, usize)>;

/// One connection's state.
struct Session {
    link: Link,
    places: Vec<Place>,
    under_way: VecDeque<Wave>,
    /// The topics have changed.
    stale: bool,
}

impl Producer {
    /// A producer that has sent nothing.
    pub fn new(site: &Rc<Site>, runtime: Runtime, index: usize, idempotent: bool) -> Rc<Producer> {
        Rc::new(Producer {
            site: site.clone(),
            runtime,
            index,
            idempotent,
            id: Cell::new(None),
            lines: RefCell::default(),
            connections: Cell::new(0),
        })
    }

    /// After a start: deleted partitions are forgotten; where acknowledged records were cut, the
    /// sequence begins anew in the next epoch.
    pub fn start_over(&self, model: &Model) {
        let mut lines = self.lines.borrow_mut();
        lines.retain(|log, _| model.partitions.contains_key(log));
        for line in lines.values_mut() {
            if line.resolved.iter().any(|&number| model.batches[number].base.is_none()) {
                *line = Line { epoch: line.epoch + 1, ..Line::default() };
                self.site.count("producer epochs raised");
            }
        }
    }

    /// Produces until the site is over, connecting again whenever a connection is lost.
    pub async fn run(self: Rc<Self>) {
        while !self.site.over.get() {
            if let Err(Lost(reason)) = self.clone().connect_and_send().await {
                self.site.tell(|| format!("producer {}: {reason}", self.index));
                self.site.count("producers' connections lost");
            }
            let pause = Duration::from_micros(self.site.choice(5_000));
            self.runtime.sleep(pause).await;
        }
    }

    async fn connect_and_send(self: Rc<Self>) -> Result<(), Lost> {
        self.connections.set(self.connections.get() + 1);
        let mut link =
            Link::open(&self.site, &self.runtime, format!("producer-{}", self.index)).await?;
        let places = topics::places(&topics::look(&self.site, &mut link).await?);
        self.ensure_id(&mut link).await?;
        for line in self.lines.borrow_mut().values_mut() {
            (line.in_flight, line.shaken) = (0, false);
        }
        let mut session = Session { link, places, under_way: VecDeque::new(), stale: false };
        self.repeat(&mut session).await?;
        while !self.site.over.get() {
            if session.stale || session.places.is_empty() || self.site.one_in(100) {
                self.drain(&mut session).await?;
                session.places =
                    topics::places(&topics::look(&self.site, &mut session.link).await?);
                session.stale = false;
                self.runtime.sleep(Duration::from_micros(self.site.choice(1_000))).await;
            }
            while session.under_way.len() < IN_FLIGHT_MAX && !self.site.one_in(4) {
                let wave = self.new_wave(&session.places);
                if wave.is_empty() {
                    break;
                }
                self.send(&mut session, wave).await?;
            }
            self.take_answer(&mut session).await?;
            self.site.rest(&self.runtime).await;
            match self.site.choice(400) {
                0 => return Ok(()),
                1..100 => {
                    self.runtime.sleep(Duration::from_micros(self.site.choice(400))).await;
                }
                _ => {}
            }
        }
        self.drain(&mut session).await
    }

    async fn ensure_id(&self, link: &mut Link) -> Result<(), Lost> {
        while self.idempotent && self.id.get().is_none() {
            let request = InitProducerIdRequest {
                transactional_id: None,
                transaction_timeout_ms: i32::MAX,
                producer_id: -1,
                producer_epoch: -1,
                ..InitProducerIdRequest::default()
            };
            let answer = link.call(&request).await?;
            let answer = answer.decode();
            match ErrorCode::from_code(answer.error_code) {
                ErrorCode::None => self.id.set(Some(ProducerId(answer.producer_id))),
                ErrorCode::CoordinatorLoadInProgress if self.site.stopping.get() => {
                    return Err(Lost("the broker stops"));
                }
                ErrorCode::KafkaStorageError if self.site.tampered.get() => {
                    return Err(Lost("the broker's disk has failed"));
                }
                other => panic!("no producer id: {other}"),
            }
        }
        Ok(())
    }

    /// New batches for some partitions.
    fn new_wave(&self, places: &[Place]) -> Wave {
        let mut chosen: Vec<usize> = (0..1 + self.site.choice(6))
            .filter(|_| !places.is_empty())
            .map(|_| self.site.choice(places.len() as u64) as usize)
            .collect();
        chosen.sort_unstable();
        chosen.dedup();
        let chosen = chosen.into_iter().map(|at| places[at].clone());
        let open =
            chosen.filter(|place| self.lines.borrow().get(&place.log).is_none_or(Line::is_open));
        open.map(|place| (place.clone(), self.batch(place.log))).collect()
    }

    fn batch(&self, log: LogId) -> usize {
        let mut model = self.site.model.borrow_mut();
        let number = model.batches.len();
        let records = 1 + self.site.choice(4) as i32;
        let mut lines = self.lines.borrow_mut();
        let line = lines.entry(log).or_default();
        let sequenced = self.id.get().map(|producer| Sequenced {
            producer,
            epoch: line.epoch,
            first: line.next,
        });
        line.next += records;
        if self.idempotent {
            line.unresolved.push_back(number);
        }
        let bytes = encode(&|of| self.site.choice(of), number, records, sequenced);
        // Without sequence numbers, nothing orders what two connections have sent.
        let session = if self.idempotent { 0 } else { self.connections.get() };
        let client = self.index + 1000 * session;
        let (base, promise) = (None, Promise::None);
        model.batches.push(Batch { log, client, records, bytes, sequenced, base, promise });
        number
    }

    /// Sends again what another connection has left: one of the last five batches of each
    /// partition, then everything whose outcome is unknown, in order.
    async fn repeat(&self, session: &mut Session) -> Result<(), Lost> {
        let mut again: Wave = Vec::new();
        for (log, line) in self.lines.borrow().iter() {
            let Some(place) = session.places.iter().find(|place| place.log == *log) else {
                continue;
            };
            // Those without an answer may be in the log, too: together they are at most five.
            let known =
                line.resolved.len().min(IN_FLIGHT_MAX.saturating_sub(line.unresolved.len()));
            let old = &line.resolved;
            let one =
                (known > 0).then(|| old[old.len() - 1 - self.site.choice(known as u64) as usize]);
            again.extend(
                one.into_iter()
                    .chain(line.unresolved.iter().copied())
                    .map(|number| (place.clone(), number)),
            );
        }
        for one in again {
            self.site.count("batches sent again");
            while session.under_way.len() >= IN_FLIGHT_MAX {
                self.take_answer(session).await?;
            }
            self.send(session, vec![one]).await?;
        }
        self.drain(session).await
    }

    async fn send(&self, session: &mut Session, wave: Wave) -> Result<(), Lost> {
        let acks = if self.site.one_in(2) { 1 } else { -1 };
        // Nobody hears of what became of it.
        let unanswered = !self.idempotent && session.under_way.is_empty() && self.site.one_in(8);
        let batches: Vec<_> = {
            let model = self.site.model.borrow();
            wave.iter().map(|(_, number)| model.batches[*number].bytes.clone()).collect()
        };
        let mut topics: Vec<TopicProduceData<'_>> = Vec::new();
        for ((place, _), bytes) in wave.iter().zip(&batches) {
            let data = PartitionProduceData {
                index: place.log.partition.0,
                records: Records::Bytes(bytes),
                ..PartitionProduceData::default()
            };
            match topics.last_mut() {
                Some(topic) if topic.topic_id == place.log.topic => topic.partition_data.push(data),
                _ => topics.push(TopicProduceData {
                    topic_id: place.log.topic,
                    partition_data: vec![data],
                    ..TopicProduceData::default()
                }),
            }
        }
        let request = ProduceRequest {
            transactional_id: None,
            acks: if unanswered { 0 } else { acks },
            timeout_ms: 30_000,
            topic_data: topics,
            ..ProduceRequest::default()
        };
        self.site.tell(|| {
            let sent = wave.iter().map(|(place, number)| format!("{number} to {}", place.log));
            format!("producer {} sends {}", self.index, sent.collect::<Vec<_>>().join(", "))
        });
        if unanswered {
            self.site.count("requests without an answer");
            self.site.model.borrow_mut().operations += wave.len() as u64;
            return session.link.send_unanswered(&request).await;
        }
        session.link.send(&request).await?;
        let mut lines = self.lines.borrow_mut();
        for (place, _) in wave.iter().filter(|_| self.idempotent) {
            lines.entry(place.log).or_default().in_flight += 1;
        }
        session.under_way.push_back(wave);
        Ok(())
    }

    async fn drain(&self, session: &mut Session) -> Result<(), Lost> {
        while !session.under_way.is_empty() {
            self.take_answer(session).await?;
        }
        Ok(())
    }

    async fn take_answer(&self, session: &mut Session) -> Result<(), Lost> {
        if session.under_way.is_empty() {
            return Ok(());
        }
        let answer = session.link.receive::<ProduceRequest<'_>>().await?;
        let wave = session.under_way.pop_front().expect("its request is under way");
        let parts = parts(&answer.decode());
        assert_eq!(parts.len(), wave.len(), "each partition of the request is answered");
        for ((place, number), (index, code, base)) in wave.into_iter().zip(parts) {
            assert_eq!(index, place.log.partition.0, "answers are in the order of the request");
            self.site.tell(|| {
                format!("producer {}: {number}: {code} at {base} of {}", self.index, place.log)
            });
            if code.is_none() {
                let now = self.runtime.now();
                self.site.model.borrow_mut().acknowledge(number, base, now);
                self.resolved(place.log, number);
            } else {
                session.stale = true;
                self.refused(place.log, number, code);
            }
            self.site.operated();
        }
        let shaken = self.lines.borrow().values().any(|line| line.shaken);
        if shaken { Err(Lost("batches have to be sent again")) } else { Ok(()) }
    }

    /// A batch that is not in the log for now.
    fn refused(&self, log: LogId, number: usize, code: ErrorCode) {
        let mut lines = self.lines.borrow_mut();
        let Some(line) = lines.get_mut(&log) else { return };
        if !(line.shaken && code == ErrorCode::OutOfOrderSequenceNumber) {
            self.site.check_error(log, code, || format!("batch {number}"));
        }
        if !self.site.model.borrow().partitions.contains_key(&log) {
            lines.remove(&log);
        } else if self.idempotent {
            line.in_flight -= 1;
            line.shaken = true;
        }
    }

    fn resolved(&self, log: LogId, number: usize) {
        let mut lines = self.lines.borrow_mut();
        let Some(line) = lines.get_mut(&log).filter(|_| self.idempotent) else { return };
        line.in_flight -= 1;
        let place = line.unresolved.iter().position(|&other| other == number);
        if let Some(place) = place {
            line.unresolved.remove(place);
            line.resolved.push_back(number);
            line.resolved.make_contiguous().sort_unstable();
            if line.resolved.len() > IN_FLIGHT_MAX {
                line.resolved.pop_front();
            }
        }
    }
}

/// Each partition's index, error and base offset, in order.
fn parts(response: &ProduceResponse<'_>) -> Vec<(i32, ErrorCode, i64)> {
    let topics = response.responses.iter();
    let parts = topics.flat_map(|topic| &topic.partition_responses);
    let parts =
        parts.map(|part| (part.index, ErrorCode::from_code(part.error_code), part.base_offset));
    parts.collect()
}
