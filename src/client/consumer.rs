//! A consumer of partitions that somebody assigns: offsets by ListOffsets, records by Fetch with long polls.
//!
//! Every fetched batch is checked against its CRC and opened here. Fetch sessions are not used: a full
//! fetch names each partition, which is cheap for the few partitions of a tool.

use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use rustc_hash::FxHashMap;
use tokio::time::{Instant, timeout_at};
use tracing::warn;

use super::address::Address;
use super::clock::{deadline_after, millis};
use super::cluster::{Cluster, Retry};
use super::connection::{Answer, Connection};
use super::error::{ClientError, Damage, is_retriable};
use crate::model::ErrorCode;
use crate::model::ids::TopicId;
use crate::protocol::fetch_request::{FetchPartition, FetchRequest, FetchTopic};
use crate::protocol::fetch_response::PartitionData;
use crate::protocol::list_offsets_request::{
    ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic,
};
use crate::record::{
    BatchError, BatchHeader, BatchView, DecompressionCaps, Record, RecordError, Records, split,
};

/// How a consumer behaves; the defaults are those of Kafka's.
#[derive(Clone, Copy, Debug)]
pub struct ConsumerOptions {
    /// How long a broker may wait for records.
    pub fetch_wait: Duration,
    /// Below this a broker waits.
    pub fetch_bytes_min: i32,
    /// Of one answer; a first batch may be larger.
    pub fetch_bytes_max: i32,
    /// Of one partition in an answer.
    pub partition_bytes_max: i32,
    /// Whether records of open and aborted transactions are left out.
    pub read_committed: bool,
    /// Where to go on when an offset is no longer there, or not yet.
    pub reset: StartAt,
}

impl Default for ConsumerOptions {
    fn default() -> Self {
        ConsumerOptions {
            fetch_wait: Duration::from_millis(500),
            fetch_bytes_min: 1,
            fetch_bytes_max: 50 << 20,
            partition_bytes_max: 1 << 20,
            read_committed: false,
            reset: StartAt::Latest,
        }
    }
}

/// Where reading begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartAt {
    /// The first record that is still there.
    Earliest,
    /// The next record to come.
    Latest,
    /// This offset.
    Offset(i64),
}

/// ListOffsets' timestamps that mean an end of the log.
const LATEST_TIMESTAMP: i64 = -1;
const EARLIEST_TIMESTAMP: i64 = -2;

/// One batch's worth of records, opened.
#[derive(Debug)]
pub struct Fetched {
    /// Where it is from.
    pub topic: String,
    /// Where it is from.
    pub partition: i32,
    header: BatchHeader,
    opened: Vec<u8>,
    /// Records before it were read already, or are before the start.
    from_offset: i64,
}

impl Fetched {
    /// The batch's header.
    pub fn header(&self) -> &BatchHeader {
        &self.header
    }

    /// Where the consumer was in its partition before this.
    pub fn from_offset(&self) -> i64 {
        self.from_offset
    }

    /// The records, from where the consumer is.
    pub fn records(&self) -> impl Iterator<Item = Result<Record<'_>, RecordError>> {
        let from_offset = self.from_offset;
        Records::new(&self.header, &self.opened).filter(move |record| {
            record.as_ref().map_or(true, |record| record.offset.0 >= from_offset)
        })
    }
}

struct Position {
    topic: String,
    topic_id: TopicId,
    partition: i32,
    /// `None` until ListOffsets has said it.
    offset: Option<i64>,
    start: StartAt,
}

/// A fetch that a broker has not answered yet.
struct UnderWay {
    connection: Connection,
    /// Which positions it asks for.
    asked: Vec<usize>,
}

/// A consumer, owned by one task.
pub struct Consumer {
    cluster: Cluster,
    options: ConsumerOptions,
    positions: Vec<Position>,
    under_way: BTreeMap<usize, UnderWay>,
    fetches: usize,
    ready: VecDeque<Fetched>,
}

impl Consumer {
    /// A consumer that reads nothing yet.
    pub fn new(cluster: Cluster, options: ConsumerOptions) -> Consumer {
        Consumer {
            cluster,
            options,
            positions: Vec::new(),
            under_way: BTreeMap::new(),
            fetches: 0,
            ready: VecDeque::new(),
        }
    }

    /// The cluster, to look at its topics.
    pub fn cluster(&mut self) -> &mut Cluster {
        &mut self.cluster
    }

    /// Adds one partition, and waits until its topic has it.
    pub async fn assign_partition(
        &mut self,
        topic: &str,
        partition: i32,
        start: StartAt,
    ) -> Result<(), ClientError> {
        let mut retry = Retry::new(self.cluster.options(), self.cluster.options().api_timeout);
        loop {
            self.cluster.wait_for_topic(topic).await?;
            let count = self.cluster.topic(topic).map_or(0, |view| view.partitions.len());
            if (0..count as i32).contains(&partition) {
                self.assign(topic, partition, start);
                return Ok(());
            }
            let failure = ClientError::refused(ErrorCode::UnknownTopicOrPartition, None);
            retry.after(failure).await.map_err(|_| ClientError::NotInMetadata {
                topic: format!("{topic}-{partition}"),
                waited_ms: retry.waited_ms(),
            })?;
        }
    }

    /// Reads these partitions from now on, and nothing else; their topics have to be known.
    pub fn replace(&mut self, assigned: &[(String, i32, StartAt)]) {
        self.positions.clear();
        self.ready.clear();
        // What is under way answers for partitions that may be somebody else's now.
        self.under_way.clear();
        for (topic, partition, start) in assigned {
            self.assign(topic, *partition, *start);
        }
    }

    /// The offset of the next record of each partition that [`poll`](Self::poll) has not given yet, where
    /// it is known.
    pub fn positions(&self) -> impl Iterator<Item = (&str, i32, i64)> {
        self.positions.iter().filter_map(|known| {
            let waiting = self.ready.iter();
            let mut waiting =
                waiting.filter(|one| one.topic == known.topic && one.partition == known.partition);
            let next = waiting.next().map(Fetched::from_offset).or(known.offset)?;
            Some((known.topic.as_str(), known.partition, next))
        })
    }

    fn assign(&mut self, topic: &str, partition: i32, start: StartAt) {
        if self.positions.iter().any(|known| known.topic == topic && known.partition == partition) {
            return;
        }
        let topic_id = self.cluster.topic(topic).map_or(TopicId::ZERO, |view| view.id);
        let offset = match start {
            StartAt::Offset(offset) => Some(offset),
            StartAt::Earliest | StartAt::Latest => None,
        };
        self.positions.push(Position {
            topic: topic.to_owned(),
            topic_id,
            partition,
            offset,
            start,
        });
    }

    /// The next batch, waiting up to `patience` for one; `None` when there was none.
    ///
    /// What a broker may answer otherwise later is tried again, within the patience; the rest is an error.
    pub async fn poll(&mut self, patience: Duration) -> Result<Option<Fetched>, ClientError> {
        let mut retry = Retry::new(self.cluster.options(), patience);
        let deadline = deadline_after(patience);
        loop {
            if let Some(fetched) = self.ready.pop_front() {
                return Ok(Some(fetched));
            }
            let failure = match self.turn(deadline).await {
                Ok(true) => continue,
                Ok(false) => return Ok(None),
                Err(failure) if failure.is_retriable() => failure,
                Err(failure) => return Err(failure),
            };
            match retry.after(failure).await {
                Ok(()) => self.refresh().await?,
                Err(ClientError::GaveUp { .. }) => return Ok(None),
                Err(failure) => return Err(failure),
            }
        }
    }

    /// Places what has no offset yet, asks every idle leader, and takes one answer; false where the
    /// deadline came first.
    async fn turn(&mut self, deadline: Instant) -> Result<bool, ClientError> {
        if self.cluster.is_stale() {
            self.refresh().await?;
        }
        self.place().await?;
        self.ask().await?;
        if self.under_way.is_empty() {
            return Err(ClientError::refused(ErrorCode::LeaderNotAvailable, None));
        }
        let patience = self.cluster.options().request_timeout + self.options.fetch_wait;
        let first = first_answer(&mut self.under_way, patience);
        let Ok((key, answer)) = timeout_at(deadline, first).await else { return Ok(false) };
        let done = self.under_way.remove(&key).expect("the answer is that of a fetch under way");
        let answer = self.cluster.settle(done.connection, answer)?;
        self.take(&answer, &done.asked)?;
        Ok(true)
    }

    async fn refresh(&mut self) -> Result<(), ClientError> {
        let mut names: Vec<String> =
            self.positions.iter().map(|known| known.topic.clone()).collect();
        names.dedup();
        let asked: Vec<&str> = names.iter().map(String::as_str).collect();
        self.cluster.refresh(Some(&asked), false).await?;
        for position in &mut self.positions {
            if let Some(view) = self.cluster.topic(&position.topic) {
                position.topic_id = view.id;
            }
        }
        Ok(())
    }

    fn leader_of(&self, position: &Position) -> Option<Address> {
        self.cluster.leader_of(&position.topic, position.partition).cloned()
    }

    /// Groups those of `wanted` that have a leader by its address.
    fn by_leader(&self, wanted: impl Iterator<Item = usize>) -> FxHashMap<Address, Vec<usize>> {
        let mut groups: FxHashMap<Address, Vec<usize>> = FxHashMap::default();
        for at in wanted {
            if let Some(address) = self.leader_of(&self.positions[at]) {
                groups.entry(address).or_default().push(at);
            }
        }
        groups
    }

    /// Asks the leaders for the offsets of positions that begin at an end of their log.
    async fn place(&mut self) -> Result<(), ClientError> {
        let unplaced = |at: &usize| self.positions[*at].offset.is_none();
        let groups = self.by_leader((0..self.positions.len()).filter(unplaced));
        for (address, wanted) in groups {
            let mut connection = self.cluster.take(&address).await?;
            connection.send(&self.offsets_request(&wanted)).await?;
            let patience = self.cluster.options().request_timeout;
            let answer = connection.receive::<ListOffsetsRequest<'static>>(patience).await;
            let answer = self.cluster.settle(connection, answer)?;
            for topic in answer.decode()?.topics {
                for found in topic.partitions {
                    let error = ErrorCode::from_code(found.error_code);
                    if !error.is_none() {
                        return Err(ClientError::refused(error, None));
                    }
                    let position = self.positions.iter_mut().find(|known| {
                        known.topic == topic.name && known.partition == found.partition_index
                    });
                    if let Some(position) = position {
                        position.offset = Some(found.offset.max(0));
                    }
                }
            }
        }
        Ok(())
    }

    fn offsets_request(&self, wanted: &[usize]) -> ListOffsetsRequest<'_> {
        let mut topics: BTreeMap<&str, ListOffsetsTopic<'_>> = BTreeMap::new();
        for &at in wanted {
            let position = &self.positions[at];
            let topic = topics.entry(&position.topic).or_insert_with(|| ListOffsetsTopic {
                name: Cow::Borrowed(&position.topic),
                ..ListOffsetsTopic::default()
            });
            let timestamp = match position.start {
                StartAt::Earliest => EARLIEST_TIMESTAMP,
                StartAt::Latest | StartAt::Offset(_) => LATEST_TIMESTAMP,
            };
            topic.partitions.push(ListOffsetsPartition {
                partition_index: position.partition,
                current_leader_epoch: -1,
                timestamp,
                ..ListOffsetsPartition::default()
            });
        }
        ListOffsetsRequest {
            replica_id: -1,
            isolation_level: self.options.read_committed.into(),
            topics: topics.into_values().collect(),
            ..ListOffsetsRequest::default()
        }
    }

    /// Sends a fetch to every leader that has none under way.
    async fn ask(&mut self) -> Result<(), ClientError> {
        let busy: Vec<Address> =
            self.under_way.values().map(|fetch| fetch.connection.address().clone()).collect();
        let placed = |at: &usize| self.positions[*at].offset.is_some();
        let groups = self.by_leader((0..self.positions.len()).filter(placed));
        for (address, asked) in groups {
            if busy.contains(&address) {
                continue;
            }
            let mut connection = self.cluster.take(&address).await?;
            connection.send(&self.fetch_request(&asked)).await?;
            self.fetches += 1;
            self.under_way.insert(self.fetches, UnderWay { connection, asked });
        }
        Ok(())
    }

    fn fetch_request(&self, asked: &[usize]) -> FetchRequest<'_> {
        let mut topics: BTreeMap<&str, FetchTopic<'_>> = BTreeMap::new();
        // A partition that comes late in a full answer comes first in the next request.
        let turn = self.fetches % asked.len().max(1);
        for &at in asked[turn..].iter().chain(&asked[..turn]) {
            let position = &self.positions[at];
            let topic = topics.entry(&position.topic).or_insert_with(|| FetchTopic {
                topic: Cow::Borrowed(&position.topic),
                topic_id: position.topic_id,
                ..FetchTopic::default()
            });
            topic.partitions.push(FetchPartition {
                partition: position.partition,
                current_leader_epoch: -1,
                fetch_offset: position.offset.unwrap_or(0),
                partition_max_bytes: self.options.partition_bytes_max,
                ..FetchPartition::default()
            });
        }
        FetchRequest {
            max_wait_ms: millis(self.options.fetch_wait),
            min_bytes: self.options.fetch_bytes_min,
            max_bytes: self.options.fetch_bytes_max,
            isolation_level: self.options.read_committed.into(),
            session_epoch: -1,
            topics: topics.into_values().collect(),
            ..FetchRequest::default()
        }
    }

    /// Opens what an answer holds and moves the positions behind it.
    fn take(
        &mut self,
        answer: &Answer<FetchRequest<'static>>,
        asked: &[usize],
    ) -> Result<(), ClientError> {
        let response = answer.decode()?;
        let error = ErrorCode::from_code(response.error_code);
        if !error.is_none() {
            return Err(ClientError::refused(error, None));
        }
        let mut failure = None;
        for topic in &response.responses {
            for found in &topic.partitions {
                let at = asked.iter().copied().find(|&at| {
                    let known = &self.positions[at];
                    let same_topic = known.topic == topic.topic
                        || (!known.topic_id.is_zero() && known.topic_id == topic.topic_id);
                    same_topic && known.partition == found.partition_index
                });
                if let Some(at) = at
                    && let Err(problem) = self.take_partition(at, found)
                {
                    failure = Some(problem);
                }
            }
        }
        failure.map_or(Ok(()), Err)
    }

    fn take_partition(&mut self, at: usize, found: &PartitionData<'_>) -> Result<(), ClientError> {
        let position = &mut self.positions[at];
        match ErrorCode::from_code(found.error_code) {
            ErrorCode::None => {}
            ErrorCode::OffsetOutOfRange => {
                warn!(
                    "offset {} of {}-{} is out of range: going on at the {} one",
                    position.offset.unwrap_or(0),
                    position.topic,
                    position.partition,
                    if self.options.reset == StartAt::Earliest { "earliest" } else { "latest" },
                );
                position.offset = None;
                position.start = self.options.reset;
                return Ok(());
            }
            error if is_retriable(error) => return Err(ClientError::refused(error, None)),
            error => {
                let message = format!(
                    "cannot read {}-{}: {}",
                    position.topic,
                    position.partition,
                    error.message()
                );
                return Err(ClientError::refused(error, Some(&message)));
            }
        }
        let mut aborted = Aborted::new(found, self.options.read_committed);
        for batch in split(found.records.bytes()) {
            let batch = match batch {
                Ok(batch) => batch,
                // Kafka cuts an answer at its size: the rest comes with the next fetch.
                Err(BatchError::Truncated { .. }) => break,
                Err(reason) => return Err(position.damaged(reason.into())),
            };
            let from_offset = position.offset.unwrap_or(0);
            let next = batch.base_offset.0.saturating_add(i64::from(batch.last_offset_delta) + 1);
            if next <= from_offset {
                continue;
            }
            let wanted = aborted.wants(&batch).map_err(|reason| position.damaged(reason))?;
            if wanted {
                let opened = open(&batch).map_err(|reason| position.damaged(reason))?;
                self.ready.push_back(Fetched {
                    topic: position.topic.clone(),
                    partition: position.partition,
                    header: *batch.header(),
                    opened,
                    from_offset,
                });
            }
            position.offset = Some(next);
        }
        Ok(())
    }
}

impl Position {
    fn damaged(&self, reason: Damage) -> ClientError {
        ClientError::Damaged {
            topic: self.topic.clone(),
            partition: self.partition,
            offset: self.offset.unwrap_or(0),
            reason,
        }
    }
}

fn open(batch: &BatchView<'_>) -> Result<Vec<u8>, Damage> {
    if !batch.crc_is_valid() {
        return Err(Damage::Checksum);
    }
    Ok(batch.open(DecompressionCaps::default())?.into_owned())
}

/// Which producers' transactions the records of one answer belong to that were aborted (KIP-98).
struct Aborted {
    read_committed: bool,
    /// (first offset, producer), to be taken up in the order of offsets.
    to_come: VecDeque<(i64, i64)>,
    open: Vec<i64>,
}

impl Aborted {
    fn new(found: &PartitionData<'_>, read_committed: bool) -> Aborted {
        let listed = found.aborted_transactions.iter().flatten();
        let mut to_come: Vec<(i64, i64)> =
            listed.map(|one| (one.first_offset, one.producer_id)).collect();
        to_come.sort_unstable();
        Aborted { read_committed, to_come: to_come.into(), open: Vec::new() }
    }

    /// False for control batches and, reading committed, for those of an aborted transaction.
    fn wants(&mut self, batch: &BatchView<'_>) -> Result<bool, Damage> {
        let producer = batch.producer_id.0;
        let last = batch.base_offset.0.saturating_add(i64::from(batch.last_offset_delta));
        while let Some(&(_, producer)) = self.to_come.front().filter(|(first, _)| *first <= last) {
            self.to_come.pop_front();
            self.open.push(producer);
        }
        if batch.is_control() {
            if self.read_committed && is_abort(batch)? {
                self.open.retain(|open| *open != producer);
            }
            return Ok(false);
        }
        let is_aborted = batch.is_transactional() && self.open.contains(&producer);
        Ok(!(self.read_committed && is_aborted))
    }
}

/// A control record's key is its version and its type (2 bytes each): 0 is abort, 1 commit.
fn is_abort(batch: &BatchView<'_>) -> Result<bool, Damage> {
    let opened = open(batch)?;
    let record = batch.records(&opened).next().transpose()?;
    let kind = record.and_then(|record| record.key).and_then(|key| key.get(2..4));
    Ok(kind == Some(&[0, 0]))
}

/// Waits for the first answer of any broker. Dropped half way it loses nothing: see [`Connection`].
async fn first_answer(
    under_way: &mut BTreeMap<usize, UnderWay>,
    patience: Duration,
) -> (usize, Result<Answer<FetchRequest<'static>>, ClientError>) {
    type Receiving<'a> =
        Pin<Box<dyn Future<Output = Result<Answer<FetchRequest<'static>>, ClientError>> + 'a>>;
    let mut waiting: Vec<(usize, Receiving<'_>)> = under_way
        .iter_mut()
        .map(|(key, fetch)| (*key, Box::pin(fetch.connection.receive(patience)) as Receiving<'_>))
        .collect();
    poll_fn(move |context| {
        for (key, receiving) in &mut waiting {
            if let Poll::Ready(answer) = receiving.as_mut().poll(context) {
                return Poll::Ready((*key, answer));
            }
        }
        Poll::Pending
    })
    .await
}
