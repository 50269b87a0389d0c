//! The client's picture of a cluster: its brokers, who leads which partition, and a connection to each.

use std::collections::BTreeMap;
use std::time::Duration;

use rustc_hash::FxHashMap;
use tokio::time::{Instant, sleep};
use tracing::warn;

use super::address::Address;
use super::clock::deadline_after;
use super::connection::{Answer, Connection};
use super::error::{ClientError, is_stale_metadata};
use super::request::Request;
use crate::model::ErrorCode;
use crate::model::ids::{BrokerId, TopicId};
use crate::protocol::api_key::ApiKey;
use crate::protocol::metadata_request::{MetadataRequest, MetadataRequestTopic};
use crate::protocol::metadata_response::{MetadataResponse, MetadataResponseTopic};

/// How a client behaves; the defaults are those of Kafka's clients.
#[derive(Clone, Debug)]
pub struct ClientOptions {
    /// Where to begin: any of them knows all the others.
    pub bootstrap: Vec<Address>,
    /// What the client calls itself.
    pub client_id: String,
    /// For one connection (`socket.connection.setup.timeout.ms`).
    pub connect_timeout: Duration,
    /// For one answer (`request.timeout.ms`).
    pub request_timeout: Duration,
    /// For a call with all its retries (`default.api.timeout.ms`, of a producer `max.block.ms`).
    pub api_timeout: Duration,
    /// Before the first retry (`retry.backoff.ms`); doubles with each.
    pub retry_backoff: Duration,
    /// Before any retry (`retry.backoff.max.ms`).
    pub retry_backoff_max: Duration,
    /// Between refreshes of the metadata that nothing asked for (`metadata.max.age.ms`).
    pub metadata_age_max: Duration,
}

impl ClientOptions {
    /// The defaults, for a client called `client_id`.
    pub fn new(bootstrap: Vec<Address>, client_id: &str) -> ClientOptions {
        ClientOptions {
            bootstrap,
            client_id: client_id.to_owned(),
            connect_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(30),
            api_timeout: Duration::from_secs(60),
            retry_backoff: Duration::from_millis(100),
            retry_backoff_max: Duration::from_secs(1),
            metadata_age_max: Duration::from_secs(300),
        }
    }
}

/// Waits between retries, up to a deadline.
pub struct Retry {
    began: Instant,
    deadline: Instant,
    next: Duration,
    max: Duration,
}

impl Retry {
    /// Begins now and ends after `patience`.
    pub fn new(options: &ClientOptions, patience: Duration) -> Retry {
        let (began, deadline) = (Instant::now(), deadline_after(patience));
        Retry { began, deadline, next: options.retry_backoff, max: options.retry_backoff_max }
    }

    /// Waits before another try after `failure`, or gives it back because time is up or a retry is no use.
    pub async fn after(&mut self, failure: ClientError) -> Result<(), ClientError> {
        if !failure.is_retriable() {
            return Err(failure);
        }
        if Instant::now() + self.next > self.deadline {
            let waited_ms = self.began.elapsed().as_millis();
            return Err(ClientError::GaveUp { waited_ms, last: Box::new(failure) });
        }
        sleep(self.next).await;
        self.next = (self.next * 2).min(self.max);
        Ok(())
    }

    /// Milliseconds since the first try.
    pub fn waited_ms(&self) -> u128 {
        self.began.elapsed().as_millis()
    }
}

/// A topic as the cluster's metadata has it.
#[derive(Clone, Debug)]
pub struct TopicView {
    /// Zero where the broker is older than topic ids.
    pub id: TopicId,
    /// Why there are no partitions, where there are none.
    pub error: ErrorCode,
    /// Kafka's own: consumer offsets, transactions.
    pub is_internal: bool,
    /// In the order of their indexes, which start at 0.
    pub partitions: Vec<PartitionView>,
}

/// A partition as the cluster's metadata has it.
#[derive(Clone, Copy, Debug)]
pub struct PartitionView {
    /// `None` while there is no leader, or the leader's address is unknown.
    pub leader: Option<BrokerId>,
    /// -1 where the broker does not say.
    pub leader_epoch: i32,
}

/// Connections and metadata, owned by one task.
pub struct Cluster {
    options: ClientOptions,
    connections: FxHashMap<Address, Connection>,
    brokers: BTreeMap<BrokerId, Address>,
    topics: FxHashMap<String, TopicView>,
    refreshed: Option<Instant>,
    warned: bool,
}

impl Cluster {
    /// A client that has not connected yet.
    pub fn new(options: ClientOptions) -> Cluster {
        Cluster {
            options,
            connections: FxHashMap::default(),
            brokers: BTreeMap::new(),
            topics: FxHashMap::default(),
            refreshed: None,
            warned: false,
        }
    }

    /// How it behaves.
    pub fn options(&self) -> &ClientOptions {
        &self.options
    }

    /// Takes the connection to `address`, or makes one; give it back with [`give_back`](Self::give_back).
    pub async fn take(&mut self, address: &Address) -> Result<Connection, ClientError> {
        if let Some(connection) = self.connections.remove(address) {
            return Ok(connection);
        }
        let options = &self.options;
        Connection::connect(address, &options.client_id, options.connect_timeout).await
    }

    /// Keeps a connection whose answers have all been taken.
    pub fn give_back(&mut self, connection: Connection) {
        self.connections.insert(connection.address().clone(), connection);
    }

    /// Where `broker` listens.
    pub fn address_of(&self, broker: BrokerId) -> Option<&Address> {
        self.brokers.get(&broker)
    }

    /// Where the leader of a partition listens, as far as the metadata knows.
    pub fn leader_of(&self, topic: &str, partition: i32) -> Option<&Address> {
        let at = usize::try_from(partition).ok()?;
        self.address_of(self.topic(topic)?.partitions.get(at)?.leader?)
    }

    /// The brokers that the metadata named.
    pub fn brokers(&self) -> &BTreeMap<BrokerId, Address> {
        &self.brokers
    }

    /// Takes a connection to any broker: an open one first, then the known ones, then the bootstrap list.
    async fn take_any(&mut self) -> Result<Connection, ClientError> {
        let open = self.connections.keys().next().cloned();
        if let Some(connection) = open.and_then(|address| self.connections.remove(&address)) {
            return Ok(connection);
        }
        let known = self.brokers.values().chain(&self.options.bootstrap).cloned();
        let mut failure = None;
        for address in known.collect::<Vec<_>>() {
            match self.take(&address).await {
                Ok(connection) => {
                    self.warned = false;
                    return Ok(connection);
                }
                Err(error) => {
                    if !self.warned {
                        warn!("{error}");
                    }
                    failure = Some(error);
                }
            }
        }
        // Once an outage: the tries go on several times a second.
        self.warned = true;
        Err(failure.expect("the bootstrap list is not empty"))
    }

    /// True where a broker that can be reached has the API in any version.
    pub async fn has_api(&mut self, api: ApiKey) -> Result<bool, ClientError> {
        let mut retry = Retry::new(&self.options, self.options.api_timeout);
        loop {
            match self.take_any().await {
                Ok(connection) => {
                    let has = connection.has_api(api);
                    self.give_back(connection);
                    return Ok(has);
                }
                Err(failure) => retry.after(failure).await?,
            }
        }
    }

    /// Asks any broker, again and again until it answers or time is up.
    pub async fn call<R: Request>(&mut self, request: &R) -> Result<Answer<R>, ClientError> {
        let mut retry = Retry::new(&self.options, self.options.api_timeout);
        loop {
            match self.call_once(request).await {
                Ok(answer) => return Ok(answer),
                Err(failure) => retry.after(failure).await?,
            }
        }
    }

    async fn call_once<R: Request>(&mut self, request: &R) -> Result<Answer<R>, ClientError> {
        let mut connection = self.take_any().await?;
        let answer = connection.call(request, self.options.request_timeout).await;
        self.settle(connection, answer)
    }

    /// Keeps the connection unless `outcome` says that it is of no use any more.
    pub fn settle<T>(
        &mut self,
        connection: Connection,
        outcome: Result<T, ClientError>,
    ) -> Result<T, ClientError> {
        match outcome {
            Err(failure) if failure.ends_connection() => Err(failure),
            other => {
                self.give_back(connection);
                other
            }
        }
    }

    /// Learns the brokers and `topics` anew; `None` is every topic.
    pub async fn refresh(
        &mut self,
        topics: Option<&[&str]>,
        allow_auto_topic_creation: bool,
    ) -> Result<(), ClientError> {
        let named = topics.map(|topics| {
            let topic = |name: &&str| MetadataRequestTopic {
                name: Some((*name).to_owned().into()),
                ..MetadataRequestTopic::default()
            };
            topics.iter().map(topic).collect()
        });
        let request = MetadataRequest {
            topics: named,
            allow_auto_topic_creation,
            ..MetadataRequest::default()
        };
        let answer = self.call(&request).await?;
        let metadata = answer.decode()?;
        let error = ErrorCode::from_code(metadata.error_code);
        if !error.is_none() {
            return Err(ClientError::refused(error, None));
        }
        if topics.is_none() {
            self.topics.clear();
        }
        self.learn(&metadata);
        Ok(())
    }

    fn learn(&mut self, metadata: &MetadataResponse<'_>) {
        self.refreshed = Some(Instant::now());
        let brokers = metadata.brokers.iter().filter_map(|broker| {
            let port = u16::try_from(broker.port).ok()?;
            Some((BrokerId(broker.node_id), Address { host: broker.host.to_string(), port }))
        });
        self.brokers = brokers.collect();
        for topic in &metadata.topics {
            if let Some(name) = &topic.name {
                let view = self.view(topic);
                self.topics.insert(name.to_string(), view);
            }
        }
    }

    fn view(&self, topic: &MetadataResponseTopic<'_>) -> TopicView {
        let mut partitions: Vec<_> = topic.partitions.iter().collect();
        partitions.sort_by_key(|partition| partition.partition_index);
        // A list with a gap would put leaders to the wrong index: what follows the gap is left out.
        let whole = partitions
            .iter()
            .enumerate()
            .take_while(|(at, found)| found.partition_index == *at as i32);
        let partitions = whole.map(|(_, partition)| {
            let leader = BrokerId(partition.leader_id);
            let leader = self.brokers.contains_key(&leader).then_some(leader);
            PartitionView { leader, leader_epoch: partition.leader_epoch }
        });
        TopicView {
            id: topic.topic_id,
            error: ErrorCode::from_code(topic.error_code),
            is_internal: topic.is_internal,
            partitions: partitions.collect(),
        }
    }

    /// What the metadata says about `topic`, if it was ever asked.
    pub fn topic(&self, name: &str) -> Option<&TopicView> {
        self.topics.get(name)
    }

    /// Every topic that the metadata was asked about.
    pub fn topics(&self) -> &FxHashMap<String, TopicView> {
        &self.topics
    }

    /// True where the metadata is older than `metadata.max.age.ms`.
    pub fn is_stale(&self) -> bool {
        self.refreshed.is_none_or(|refreshed| refreshed.elapsed() >= self.options.metadata_age_max)
    }

    /// Waits until the metadata has `topic` with its partitions, which a broker may first have to create.
    pub async fn wait_for_topic(&mut self, name: &str) -> Result<(), ClientError> {
        let mut retry = Retry::new(&self.options, self.options.api_timeout);
        let mut warned = false;
        loop {
            self.refresh(Some(&[name]), true).await?;
            let view = self.topics.get(name);
            let error = view.map_or(ErrorCode::UnknownTopicOrPartition, |view| view.error);
            if error.is_none() && view.is_some_and(|view| !view.partitions.is_empty()) {
                return Ok(());
            }
            if !error.is_none() && !is_stale_metadata(error) {
                return Err(ClientError::refused(error, None));
            }
            if !warned {
                warn!("the cluster has no topic {name} yet ({error})");
                warned = true;
            }
            let failure = ClientError::refused(ErrorCode::LeaderNotAvailable, None);
            if retry.after(failure).await.is_err() {
                let waited_ms = retry.waited_ms();
                return Err(ClientError::NotInMetadata { topic: name.to_owned(), waited_ms });
            }
        }
    }
}
