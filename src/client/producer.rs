//! A producer: records into batches, batches to the leaders, each acknowledged or said to have failed.
//!
//! One batch of a partition is under way at a time and carries everything that waits for it, so order is
//! kept through retries without further ado. An idempotent batch (KIP-98) gets its sequence number when it
//! is first sent; a batch that a broker refused gives its number to the next one, and one whose fate is
//! unknown ends the producer id, as its number may have been used.

use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use rustc_hash::FxHashMap;
use tokio::time::Instant;

use super::address::Address;
use super::clock::{millis, wall_clock_ms};
use super::cluster::{Cluster, Retry};
use super::connection::Connection;
use super::error::ClientError;
use super::partitioner::{StickyPartition, partition_of_key};
use crate::model::ErrorCode;
use crate::model::ids::{ProducerEpoch, ProducerId, TopicId};
use crate::protocol::init_producer_id_request::InitProducerIdRequest;
use crate::protocol::produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};
use crate::protocol::produce_response::PartitionProduceResponse;
use crate::protocol::types::Records;
use crate::record::{BatchBuilder, BatchOptions, Compression, Header, ProducerFields};

/// How a producer behaves; the defaults are those of Kafka's.
#[derive(Clone, Debug)]
pub struct ProducerOptions {
    /// 0 none, 1 the leader, -1 all in-sync replicas.
    pub acks: i16,
    /// How long a batch waits for more records.
    pub linger: Duration,
    /// A batch that has so many bytes waits no longer.
    pub batch_bytes: usize,
    /// When so many bytes wait, [`Producer::is_full`] says so.
    pub buffer_bytes: usize,
    /// The largest request (`max.request.size`), before compression.
    pub request_bytes_max: usize,
    /// Of the batches.
    pub compression: Compression,
    /// On the codec's scale.
    pub compression_level: Option<i32>,
    /// Whether a retry can never store a record twice; needs acks=-1.
    pub idempotent: bool,
    /// Further tries of one batch.
    pub retries: u32,
    /// From a record's append to the end of all tries.
    pub delivery_timeout: Duration,
}

impl Default for ProducerOptions {
    fn default() -> Self {
        ProducerOptions {
            acks: -1,
            linger: Duration::from_millis(5),
            batch_bytes: 16 << 10,
            buffer_bytes: 32 << 20,
            request_bytes_max: 1 << 20,
            compression: Compression::None,
            compression_level: None,
            idempotent: true,
            retries: u32::MAX,
            delivery_timeout: Duration::from_secs(120),
        }
    }
}

/// A record to send.
#[derive(Clone, Copy, Debug, Default)]
pub struct NewRecord<'a> {
    /// Where to; `None` lets the key decide.
    pub partition: Option<i32>,
    /// `None` is now.
    pub timestamp: Option<i64>,
    /// `None` is null.
    pub key: Option<&'a [u8]>,
    /// `None` is null.
    pub value: Option<&'a [u8]>,
    /// In this order.
    pub headers: &'a [Header<'a>],
}

/// What became of a batch.
#[derive(Debug)]
pub struct Delivery {
    /// Where it went.
    pub topic: String,
    /// Where it went.
    pub partition: i32,
    /// How many records it had.
    pub record_count: usize,
    /// The first record's offset; -1 where no broker says it (acks=0, a duplicate).
    pub outcome: Result<i64, ClientError>,
}

/// Which batches to deliver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ToDeliver {
    /// Those that are full or have waited long enough.
    Due,
    /// All of them.
    All,
}

struct Batch {
    builder: BatchBuilder,
    record_count: usize,
    size_bytes: usize,
    began: Instant,
    /// From the first try on.
    sealed: Option<Sealed>,
    tries: u32,
}

/// A batch as it is sent, the same bytes at each try.
struct Sealed {
    bytes: Vec<u8>,
    /// Whose sequence numbers it has.
    identity: Option<Identity>,
}

type Identity = (ProducerId, ProducerEpoch);

#[derive(Default)]
struct Queue {
    batches: VecDeque<Batch>,
    /// The sequence number of the next record that has none.
    next_sequence: i32,
}

#[derive(Default)]
struct TopicQueues {
    id: TopicId,
    partitions: Vec<Queue>,
    /// Those with a leader, for records without a key.
    available: Vec<usize>,
    sticky: StickyPartition,
}

/// A producer, owned by one task.
pub struct Producer {
    cluster: Cluster,
    options: ProducerOptions,
    identity: Option<Identity>,
    topics: FxHashMap<String, TopicQueues>,
    waiting_bytes: usize,
}

/// One partition's part of a round.
struct Part {
    topic: String,
    topic_id: TopicId,
    partition: i32,
}

impl Producer {
    /// A producer that has connected to nothing yet.
    pub fn new(cluster: Cluster, options: ProducerOptions) -> Producer {
        Producer {
            cluster,
            options,
            identity: None,
            topics: FxHashMap::default(),
            waiting_bytes: 0,
        }
    }

    /// Appends a record to a batch; the first one of a topic waits for the topic's metadata.
    pub async fn append(&mut self, topic: &str, record: &NewRecord<'_>) -> Result<(), ClientError> {
        if !self.topics.contains_key(topic) || self.cluster.is_stale() {
            self.cluster.wait_for_topic(topic).await?;
            self.learn(topic);
        }
        let size = record_bytes(record);
        if size > self.options.request_bytes_max {
            let message = format!(
                "The message is {size} bytes when serialized which is larger than {}, which is the value of the max.request.size configuration.",
                self.options.request_bytes_max
            );
            return Err(ClientError::refused(ErrorCode::MessageTooLarge, Some(&message)));
        }
        let options = &self.options;
        let queues = self.topics.get_mut(topic).expect("the topic was learnt above");
        let partition = queues.partition_of(record, size, options.batch_bytes);
        let queue = usize::try_from(partition).ok().and_then(|at| queues.partitions.get_mut(at));
        let queue = queue.ok_or_else(|| ClientError::NotInMetadata {
            topic: format!("{topic}-{partition}"),
            waited_ms: 0,
        })?;
        queue.append(record, size, options);
        self.waiting_bytes += size;
        Ok(())
    }

    /// True where more bytes wait than the producer should hold: deliver before appending more.
    pub fn is_full(&self) -> bool {
        self.waiting_bytes >= self.options.buffer_bytes
    }

    /// When the next batch is due; `None` where nothing waits.
    pub fn due_at(&self) -> Option<Instant> {
        let queues = self.topics.values().flat_map(|topic| &topic.partitions);
        queues.filter_map(|queue| queue.due_at(&self.options)).min()
    }

    /// Takes over what the metadata says about the topic.
    fn learn(&mut self, name: &str) {
        let Some(view) = self.cluster.topic(name) else { return };
        let queues = self.topics.entry(name.to_owned()).or_default();
        queues.id = view.id;
        let count = view.partitions.len().max(queues.partitions.len());
        queues.partitions.resize_with(count, Queue::default);
        let led =
            view.partitions.iter().enumerate().filter(|(_, partition)| partition.leader.is_some());
        queues.available = led.map(|(at, _)| at).collect();
    }

    /// Sends batches until none of `which` is left, and says what became of each. Failures are in the
    /// deliveries; this itself never fails.
    pub async fn deliver(&mut self, which: ToDeliver) -> Vec<Delivery> {
        let mut deliveries = Vec::new();
        let mut retry = Retry::new(self.cluster.options(), Duration::MAX);
        loop {
            let ready = self.ready(which);
            if ready.is_empty() {
                return deliveries;
            }
            let failure = match self.ensure_identity().await {
                Ok(()) => self.round(ready, &mut deliveries).await,
                Err(failure) => {
                    for part in ready {
                        self.fail(&part, &mut deliveries, &failure);
                    }
                    None
                }
            };
            if let Some(failure) = failure {
                // Retriable, and patient for ever: each batch has its own deadline.
                let _ = retry.after(failure).await;
                self.refresh().await;
            }
        }
    }

    fn ready(&self, which: ToDeliver) -> Vec<Part> {
        let now = Instant::now();
        let mut parts = Vec::new();
        for (name, topic) in &self.topics {
            for (index, queue) in topic.partitions.iter().enumerate() {
                let due = queue.due_at(&self.options);
                if due.is_some_and(|due| which == ToDeliver::All || due <= now) {
                    let (topic, topic_id, partition) = (name.clone(), topic.id, index as i32);
                    parts.push(Part { topic, topic_id, partition });
                }
            }
        }
        parts
    }

    async fn ensure_identity(&mut self) -> Result<(), ClientError> {
        if !self.options.idempotent || self.identity.is_some() {
            return Ok(());
        }
        let request = InitProducerIdRequest {
            transactional_id: None,
            transaction_timeout_ms: i32::MAX,
            ..InitProducerIdRequest::default()
        };
        let mut retry = Retry::new(self.cluster.options(), self.cluster.options().api_timeout);
        loop {
            let answer = self.cluster.call(&request).await?;
            let granted = answer.decode()?;
            let error = ErrorCode::from_code(granted.error_code);
            if error.is_none() {
                let epoch = ProducerEpoch(granted.producer_epoch);
                self.identity = Some((ProducerId(granted.producer_id), epoch));
                return Ok(());
            }
            retry.after(ClientError::refused(error, None)).await?;
        }
    }

    /// Sends each part to its leader and takes the answers; gives a failure after which to wait a little.
    async fn round(
        &mut self,
        ready: Vec<Part>,
        deliveries: &mut Vec<Delivery>,
    ) -> Option<ClientError> {
        let mut failure = None;
        let mut by_leader: BTreeMap<Option<Address>, Vec<Part>> = BTreeMap::new();
        for part in ready {
            by_leader.entry(self.leader_of(&part)).or_default().push(part);
        }
        let mut sent = Vec::new();
        for (address, parts) in by_leader {
            let Some(address) = address else {
                let problem = ClientError::refused(ErrorCode::LeaderNotAvailable, None);
                failure = self.settle_all(parts, problem, deliveries).or(failure);
                continue;
            };
            match self.send(&address, &parts).await {
                Ok(connection) => sent.push((connection, parts)),
                Err(problem) => failure = self.settle_all(parts, problem, deliveries).or(failure),
            }
        }
        for (connection, parts) in sent {
            failure = self.take_answer(connection, parts, deliveries).await.or(failure);
        }
        failure
    }

    fn leader_of(&self, part: &Part) -> Option<Address> {
        self.cluster.leader_of(&part.topic, part.partition).cloned()
    }

    async fn send(&mut self, address: &Address, parts: &[Part]) -> Result<Connection, ClientError> {
        for part in parts {
            self.seal(part);
        }
        let mut connection = self.cluster.take(address).await?;
        let mut topics: BTreeMap<&str, TopicProduceData<'_>> = BTreeMap::new();
        for part in parts {
            let topic = topics.entry(&part.topic).or_insert_with(|| TopicProduceData {
                name: Cow::Borrowed(&part.topic),
                topic_id: part.topic_id,
                ..TopicProduceData::default()
            });
            let batch =
                self.topics[&part.topic].partitions[part.partition as usize].batches.front();
            let bytes = batch.and_then(|batch| batch.sealed.as_ref());
            topic.partition_data.push(PartitionProduceData {
                index: part.partition,
                records: Records::Bytes(&bytes.expect("each part was sealed above").bytes),
                ..PartitionProduceData::default()
            });
        }
        let request = ProduceRequest {
            transactional_id: None,
            acks: self.options.acks,
            timeout_ms: millis(self.cluster.options().request_timeout),
            topic_data: topics.into_values().collect(),
            ..ProduceRequest::default()
        };
        let outcome = match self.options.acks {
            0 => connection.send_unanswered(&request).await,
            _ => connection.send(&request).await,
        };
        outcome.map(|()| connection)
    }

    /// Gives the part's first batch its sequence number and its bytes, before the first try.
    fn seal(&mut self, part: &Part) {
        let queue = self.queue(part);
        let sequence = queue.next_sequence;
        let identity = self.identity;
        let Some(batch) = self.queue(part).batches.front_mut() else { return };
        batch.tries += 1;
        if batch.sealed.is_some() {
            return;
        }
        let mut builder = batch.builder.clone();
        builder.set_producer(identity.map(|(id, epoch)| ProducerFields {
            id,
            epoch,
            base_sequence: sequence,
        }));
        batch.sealed = Some(Sealed { bytes: builder.finish(), identity });
    }

    fn queue(&mut self, part: &Part) -> &mut Queue {
        let topic = self.topics.get_mut(&part.topic).expect("parts are of known topics");
        &mut topic.partitions[part.partition as usize]
    }

    async fn take_answer(
        &mut self,
        mut connection: Connection,
        parts: Vec<Part>,
        deliveries: &mut Vec<Delivery>,
    ) -> Option<ClientError> {
        if self.options.acks == 0 {
            self.cluster.give_back(connection);
            for part in parts {
                self.succeed(&part, -1, deliveries);
            }
            return None;
        }
        let patience = self.cluster.options().request_timeout;
        let answer = connection.receive::<ProduceRequest<'_>>(patience).await;
        let answer = match self.cluster.settle(connection, answer) {
            Ok(answer) => answer,
            Err(problem) => return self.settle_all(parts, problem, deliveries),
        };
        let response = match answer.decode() {
            Ok(response) => response,
            Err(problem) => return self.settle_all(parts, problem, deliveries),
        };
        let mut failure = None;
        for part in parts {
            let topic = response.responses.iter().find(|topic| {
                topic.name == part.topic
                    || (!part.topic_id.is_zero() && topic.topic_id == part.topic_id)
            });
            let found = topic.and_then(|topic| {
                topic.partition_responses.iter().find(|found| found.index == part.partition)
            });
            failure = self.take_part(part, found, deliveries).or(failure);
        }
        failure
    }

    fn take_part(
        &mut self,
        part: Part,
        found: Option<&PartitionProduceResponse<'_>>,
        deliveries: &mut Vec<Delivery>,
    ) -> Option<ClientError> {
        let Some(found) = found else {
            let problem = ClientError::refused(ErrorCode::UnknownServerError, None);
            return self.settle_all(vec![part], problem, deliveries);
        };
        match ErrorCode::from_code(found.error_code) {
            ErrorCode::None => self.succeed(&part, found.base_offset, deliveries),
            // An earlier try was stored, and its answer was lost.
            ErrorCode::DuplicateSequenceNumber => self.succeed(&part, -1, deliveries),
            error => {
                let inner = found
                    .record_errors
                    .first()
                    .and_then(|e| e.batch_index_error_message.as_deref());
                let message = found.error_message.as_deref().or(inner);
                return self.settle_all(
                    vec![part],
                    ClientError::refused(error, message),
                    deliveries,
                );
            }
        }
        None
    }

    /// Keeps the parts that may be tried again, and fails the others.
    fn settle_all(
        &mut self,
        parts: Vec<Part>,
        problem: ClientError,
        deliveries: &mut Vec<Delivery>,
    ) -> Option<ClientError> {
        let mut again = false;
        for part in parts {
            let (retries, timeout) = (self.options.retries, self.options.delivery_timeout);
            let batch = self.queue(&part).batches.front();
            let in_time = batch
                .is_some_and(|batch| batch.tries <= retries && batch.began.elapsed() < timeout);
            if in_time && problem.is_retriable() {
                again = true;
            } else {
                self.fail(&part, deliveries, &problem);
            }
        }
        again.then_some(problem)
    }

    fn succeed(&mut self, part: &Part, base_offset: i64, deliveries: &mut Vec<Delivery>) {
        let identity = self.identity;
        let queue = self.queue(part);
        let Some(batch) = queue.batches.pop_front() else { return };
        if batch.sealed.as_ref().is_some_and(|sealed| sealed.identity == identity) {
            queue.next_sequence =
                queue.next_sequence.wrapping_add(batch.record_count as i32) & i32::MAX;
        }
        self.waiting_bytes -= batch.size_bytes;
        deliveries.push(delivery(part, &batch, Ok(base_offset)));
    }

    fn fail(&mut self, part: &Part, deliveries: &mut Vec<Delivery>, problem: &ClientError) {
        let Some(batch) = self.queue(part).batches.pop_front() else { return };
        self.waiting_bytes -= batch.size_bytes;
        // Only an answer tells that nothing was stored; the codes of a broken sequence tell that it is lost.
        let fate_is_known =
            batch.sealed.is_none() || (problem.code().is_some() && !problem.is_retriable());
        let sequence_is_lost = matches!(
            problem.code(),
            Some(
                ErrorCode::OutOfOrderSequenceNumber
                    | ErrorCode::UnknownProducerId
                    | ErrorCode::InvalidProducerEpoch
            )
        );
        if !fate_is_known || sequence_is_lost {
            self.forget_identity();
        }
        let said = match problem.code() {
            Some(code) => ClientError::refused(code, Some(&problem.to_string())),
            None => ClientError::refused(ErrorCode::NetworkException, Some(&problem.to_string())),
        };
        deliveries.push(delivery(part, &batch, Err(said)));
    }

    /// The next batches begin anew with another producer id; those under way keep the one that they have.
    fn forget_identity(&mut self) {
        self.identity = None;
        for queue in self.topics.values_mut().flat_map(|topic| &mut topic.partitions) {
            queue.next_sequence = 0;
        }
    }

    async fn refresh(&mut self) {
        let names: Vec<String> = self.topics.keys().cloned().collect();
        let asked: Vec<&str> = names.iter().map(String::as_str).collect();
        // Without fresh metadata the next round tries the leaders that are known.
        if self.cluster.refresh(Some(&asked), true).await.is_ok() {
            for name in &names {
                self.learn(name);
            }
        }
    }
}

impl TopicQueues {
    fn partition_of(&mut self, record: &NewRecord<'_>, size: usize, batch_bytes: usize) -> i32 {
        if let Some(partition) = record.partition {
            return partition;
        }
        let chosen = match record.key {
            Some(key) => partition_of_key(key, self.partitions.len()),
            None if self.available.is_empty() => 0,
            None => self.sticky.choose(&self.available, size, batch_bytes),
        };
        chosen as i32
    }
}

impl Queue {
    fn append(&mut self, record: &NewRecord<'_>, size: usize, options: &ProducerOptions) {
        let fits = self.batches.back().is_some_and(|batch| {
            batch.sealed.is_none() && batch.size_bytes + size <= options.batch_bytes
        });
        if !fits {
            self.batches.push_back(Batch::new(options));
        }
        let batch = self.batches.back_mut().expect("a batch was pushed where none was open");
        let timestamp = record.timestamp.unwrap_or_else(wall_clock_ms);
        batch.builder.append(timestamp, record.key, record.value, record.headers);
        batch.record_count += 1;
        batch.size_bytes += size;
    }

    fn due_at(&self, options: &ProducerOptions) -> Option<Instant> {
        let first = self.batches.front()?;
        let is_full = self.batches.len() > 1 || first.size_bytes >= options.batch_bytes;
        let waits = if is_full || first.tries > 0 { Duration::ZERO } else { options.linger };
        Some(first.began + waits)
    }
}

impl Batch {
    fn new(options: &ProducerOptions) -> Batch {
        let builder = BatchBuilder::new(BatchOptions {
            compression: options.compression,
            compression_level: options.compression_level,
            ..BatchOptions::default()
        });
        Batch {
            builder,
            record_count: 0,
            size_bytes: 0,
            began: Instant::now(),
            sealed: None,
            tries: 0,
        }
    }
}

fn delivery(part: &Part, batch: &Batch, outcome: Result<i64, ClientError>) -> Delivery {
    let (topic, partition) = (part.topic.clone(), part.partition);
    Delivery { topic, partition, record_count: batch.record_count, outcome }
}

/// What a record takes at most, as `AbstractRecords.estimateSizeInBytesUpperBound` counts it without the batch.
fn record_bytes(record: &NewRecord<'_>) -> usize {
    const OVERHEAD: usize = 21;
    let field = |field: Option<&[u8]>| field.map_or(0, <[u8]>::len) + 5;
    let headers = record.headers.iter().map(|header| header.key.len() + 5 + field(header.value));
    OVERHEAD + field(record.key) + field(record.value) + headers.sum::<usize>()
}
