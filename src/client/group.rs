//! A consumer in a group: it joins, reads what it is assigned, commits how far it came, and leaves.
//!
//! The classic protocol with eager rebalancing and the range assignor, which every other client of a
//! group knows too. Everything happens inside [`GroupConsumer::poll`]: a member that is not polled for
//! longer than its session is removed from the group, and joins again.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::{Instant, timeout};
use tracing::{info, warn};

use super::address::Address;
use super::clock::{FOREVER, deadline_after, millis};
use super::cluster::{Cluster, Retry};
use super::connection::Answer;
use super::consumer::{Consumer, Fetched, StartAt};
use super::consumer_protocol::{
    self, Joined, Partition, assigned_partitions, subscribers, versioned,
};
use super::error::ClientError;
use super::range_assignor::{RANGE, Subscriber, assign};
use super::request::Request;
use crate::model::ErrorCode;
use crate::protocol::consumer_protocol_assignment::{
    ConsumerProtocolAssignment, TopicPartition as AssignedTopic,
};
use crate::protocol::consumer_protocol_subscription::ConsumerProtocolSubscription;
use crate::protocol::find_coordinator_request::FindCoordinatorRequest;
use crate::protocol::heartbeat_request::HeartbeatRequest;
use crate::protocol::join_group_request::{JoinGroupRequest, JoinGroupRequestProtocol};
use crate::protocol::leave_group_request::LeaveGroupRequest;
use crate::protocol::offset_commit_request::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use crate::protocol::offset_fetch_request::{OffsetFetchRequest, OffsetFetchRequestTopic};
use crate::protocol::sync_group_request::{SyncGroupRequest, SyncGroupRequestAssignment};

/// The kind of group that consumers form.
const PROTOCOL_TYPE: &str = "consumer";
/// What an answer to JoinGroup may take beyond the rebalance (Kafka: `JOIN_GROUP_TIMEOUT_LAPSE`).
const JOIN_LAPSE: Duration = Duration::from_secs(5);
/// How long the last commit and the farewell may take.
const CLOSE_PATIENCE: Duration = Duration::from_secs(5);

/// How a member behaves; the defaults are those of Kafka's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupOptions {
    /// `group.id`.
    pub id: String,
    /// `session.timeout.ms`.
    pub session_timeout: Duration,
    /// `max.poll.interval.ms`: how long a rebalance waits for a member.
    pub rebalance_timeout: Duration,
    /// `heartbeat.interval.ms`.
    pub heartbeat_interval: Duration,
    /// `auto.commit.interval.ms`, or `None` where nothing is committed.
    pub commit_interval: Option<Duration>,
}

impl GroupOptions {
    /// A member of the group of that name.
    pub fn new(id: &str) -> GroupOptions {
        GroupOptions {
            id: id.to_owned(),
            session_timeout: Duration::from_secs(45),
            rebalance_timeout: Duration::from_secs(300),
            heartbeat_interval: Duration::from_secs(3),
            commit_interval: Some(Duration::from_secs(5)),
        }
    }
}

/// A consumer in a group, owned by one task.
pub struct GroupConsumer {
    consumer: Consumer,
    options: GroupOptions,
    topics: Vec<String>,
    /// Where to begin without a committed offset.
    reset: StartAt,
    coordinator: Option<Address>,
    member_id: String,
    generation: i32,
    is_member: bool,
    heartbeat_at: Instant,
    commit_at: Instant,
    /// The offset behind the last record that was used, of each partition that is ours.
    used: BTreeMap<Partition, i64>,
    /// What the group has committed, as far as this member knows.
    committed: BTreeMap<Partition, i64>,
}

impl GroupConsumer {
    /// A consumer that has not joined yet.
    pub fn new(consumer: Consumer, options: GroupOptions, reset: StartAt) -> GroupConsumer {
        let now = Instant::now();
        GroupConsumer {
            consumer,
            options,
            topics: Vec::new(),
            reset,
            coordinator: None,
            member_id: String::new(),
            generation: -1,
            is_member: false,
            heartbeat_at: now,
            commit_at: now,
            used: BTreeMap::new(),
            committed: BTreeMap::new(),
        }
    }

    /// The cluster, to look at its topics.
    pub fn cluster(&mut self) -> &mut Cluster {
        self.consumer.cluster()
    }

    /// Reads these topics from now on.
    pub fn subscribe(&mut self, topics: Vec<String>) {
        self.topics = topics;
        self.is_member = false;
    }

    /// The records before `next` are used: what [`poll`](Self::poll) gave is committed up to there.
    pub fn used(&mut self, topic: &str, partition: i32, next: i64) {
        self.used.insert((topic.to_owned(), partition), next);
    }

    /// The next batch, waiting up to `patience` for one; joins the group where that is due.
    pub async fn poll(&mut self, patience: Duration) -> Result<Option<Fetched>, ClientError> {
        let deadline = deadline_after(patience);
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if !self.is_member {
                match timeout(left, self.join()).await {
                    Ok(joined) => joined?,
                    Err(_) => return Ok(None),
                }
            }
            if Instant::now() >= self.heartbeat_at {
                self.heartbeat().await?;
                continue;
            }
            if Instant::now() >= self.commit_at {
                self.commit_in_time().await?;
                continue;
            }
            let next = deadline.min(self.heartbeat_at).min(self.commit_at);
            let wait = next.saturating_duration_since(Instant::now());
            if let Some(fetched) = self.consumer.poll(wait).await? {
                let place = (fetched.topic.clone(), fetched.partition);
                self.used.entry(place).or_insert(fetched.from_offset());
                return Ok(Some(fetched));
            }
            if Instant::now() >= deadline {
                return Ok(None);
            }
        }
    }

    /// Commits what was used and leaves the group. Failing that, the group notices by itself.
    pub async fn close(mut self) {
        let farewell = async {
            self.commit().await?;
            self.leave().await
        };
        match timeout(CLOSE_PATIENCE, farewell).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => warn!("leaving the group: {error}"),
            Err(_) => warn!("leaving the group: no answer within {CLOSE_PATIENCE:?}"),
        }
    }

    /// Asks the coordinator once; a new one is looked for where this one is not it.
    async fn ask<R: Request>(
        &mut self,
        request: &R,
        patience: Duration,
    ) -> Result<Answer<R>, ClientError> {
        let address = match self.coordinator.clone() {
            Some(address) => address,
            None => self.find_coordinator().await?,
        };
        let cluster = self.consumer.cluster();
        let outcome = match cluster.take(&address).await {
            Ok(mut connection) => {
                let answer = connection.call(request, patience).await;
                cluster.settle(connection, answer)
            }
            Err(failure) => Err(failure),
        };
        if outcome.is_err() {
            self.coordinator = None;
        }
        outcome
    }

    async fn find_coordinator(&mut self) -> Result<Address, ClientError> {
        let request = FindCoordinatorRequest {
            key: Cow::Borrowed(&self.options.id),
            ..FindCoordinatorRequest::default()
        };
        let answer = self.consumer.cluster().call(&request).await?;
        let found = answer.decode()?;
        let error = ErrorCode::from_code(found.error_code);
        if !error.is_none() {
            return Err(ClientError::refused(error, None));
        }
        let port = u16::try_from(found.port).unwrap_or(0);
        let address = Address { host: found.host.to_string(), port };
        self.coordinator = Some(address.clone());
        Ok(address)
    }

    fn request_timeout(&mut self) -> Duration {
        self.consumer.cluster().options().request_timeout
    }

    /// What an error of the coordinator's means for the membership; an error that ends it all comes back.
    fn judge(&mut self, code: ErrorCode) -> Result<(), ClientError> {
        match code {
            ErrorCode::None => return Ok(()),
            ErrorCode::CoordinatorNotAvailable | ErrorCode::NotCoordinator => {
                self.coordinator = None;
            }
            ErrorCode::RebalanceInProgress => self.is_member = false,
            ErrorCode::IllegalGeneration => {
                self.is_member = false;
                self.generation = -1;
            }
            ErrorCode::UnknownMemberId => {
                self.is_member = false;
                self.generation = -1;
                self.member_id.clear();
            }
            ErrorCode::CoordinatorLoadInProgress => {}
            _ => return Err(ClientError::refused(code, None)),
        }
        Ok(())
    }

    /// Joins until the group has a generation with this member.
    async fn join(&mut self) -> Result<(), ClientError> {
        if let Err(error) = self.commit().await {
            warn!("committing before a rebalance: {error}");
        }
        self.consumer.replace(&[]);
        self.used.clear();
        self.committed.clear();
        let mut retry = Retry::new(self.consumer.cluster().options(), FOREVER);
        loop {
            match self.try_join().await {
                Ok(true) => return Ok(()),
                // The coordinator has said why, and an immediate try is what it wants.
                Ok(false) => {}
                Err(failure) => retry.after(failure).await?,
            }
        }
    }

    async fn try_join(&mut self) -> Result<bool, ClientError> {
        let Some(joined) = self.join_group().await? else { return Ok(false) };
        let Some(assigned) = self.sync_group(joined).await? else { return Ok(false) };
        self.begin(assigned).await?;
        self.is_member = true;
        let now = Instant::now();
        self.heartbeat_at = now + self.options.heartbeat_interval;
        self.commit_at = now + self.options.commit_interval.unwrap_or(FOREVER);
        Ok(true)
    }

    /// `None` where the coordinator wants to be asked again.
    async fn join_group(&mut self) -> Result<Option<Joined>, ClientError> {
        let subscription = ConsumerProtocolSubscription {
            topics: self.topics.iter().map(|topic| topic.clone().into()).collect(),
            ..ConsumerProtocolSubscription::default()
        };
        let metadata = versioned(|writer| subscription.encode(writer, consumer_protocol::VERSION))?;
        let request = JoinGroupRequest {
            group_id: self.options.id.clone().into(),
            session_timeout_ms: millis(self.options.session_timeout),
            rebalance_timeout_ms: millis(self.options.rebalance_timeout),
            member_id: self.member_id.clone().into(),
            protocol_type: PROTOCOL_TYPE.into(),
            protocols: vec![JoinGroupRequestProtocol {
                name: RANGE.into(),
                metadata: metadata.into(),
                ..JoinGroupRequestProtocol::default()
            }],
            ..JoinGroupRequest::default()
        };
        let patience = self.options.rebalance_timeout + JOIN_LAPSE;
        let answer = self.ask(&request, patience).await?;
        let joined = answer.decode()?;
        let code = ErrorCode::from_code(joined.error_code);
        if code == ErrorCode::MemberIdRequired {
            self.member_id = joined.member_id.to_string();
            return Ok(None);
        }
        self.judge(code)?;
        if !code.is_none() {
            return refused_for_now(code);
        }
        self.member_id = joined.member_id.to_string();
        self.generation = joined.generation_id;
        subscribers(&joined).map(Some)
    }

    /// The partitions that the leader gives to this member, which may be the leader itself.
    async fn sync_group(&mut self, joined: Joined) -> Result<Option<Vec<Partition>>, ClientError> {
        let assignments = match joined.is_leader {
            true => self.assign_all(&joined.subscribers).await?,
            false => Vec::new(),
        };
        let request = SyncGroupRequest {
            group_id: self.options.id.clone().into(),
            generation_id: self.generation,
            member_id: self.member_id.clone().into(),
            protocol_type: Some(PROTOCOL_TYPE.into()),
            protocol_name: Some(joined.protocol.into()),
            assignments,
            ..SyncGroupRequest::default()
        };
        let patience = self.options.rebalance_timeout + JOIN_LAPSE;
        let answer = self.ask(&request, patience).await?;
        let synced = answer.decode()?;
        let code = ErrorCode::from_code(synced.error_code);
        self.judge(code)?;
        match code {
            ErrorCode::None => assigned_partitions(&synced.assignment).map(Some),
            code => refused_for_now(code),
        }
    }

    async fn assign_all(
        &mut self,
        subscribers: &[Subscriber],
    ) -> Result<Vec<SyncGroupRequestAssignment<'static>>, ClientError> {
        let mut topics: Vec<&str> =
            subscribers.iter().flat_map(|one| &one.topics).map(String::as_str).collect();
        topics.sort_unstable();
        topics.dedup();
        let cluster = self.consumer.cluster();
        cluster.refresh(Some(&topics), false).await?;
        let count = |topic: &str| cluster.topic(topic).map_or(0, |view| view.partitions.len());
        let mut assignments = Vec::with_capacity(subscribers.len());
        for (member_id, topics) in assign(subscribers, count) {
            let topics = topics.into_iter().map(|(topic, partitions)| AssignedTopic {
                topic: topic.into(),
                partitions,
                ..AssignedTopic::default()
            });
            let assignment = ConsumerProtocolAssignment {
                assigned_partitions: topics.collect(),
                ..ConsumerProtocolAssignment::default()
            };
            let bytes = versioned(|writer| assignment.encode(writer, consumer_protocol::VERSION))?;
            assignments.push(SyncGroupRequestAssignment {
                member_id: member_id.into(),
                assignment: bytes.into(),
                ..SyncGroupRequestAssignment::default()
            });
        }
        Ok(assignments)
    }

    /// Reads the partitions from where the group has come.
    async fn begin(&mut self, assigned: Vec<Partition>) -> Result<(), ClientError> {
        info!(
            "group {}: generation {}, {} partitions",
            self.options.id,
            self.generation,
            assigned.len()
        );
        let committed = self.fetch_committed(&assigned).await?;
        let mut topics: Vec<&str> = assigned.iter().map(|(topic, _)| topic.as_str()).collect();
        topics.dedup();
        if !topics.is_empty() {
            self.consumer.cluster().refresh(Some(&topics), false).await?;
        }
        let start =
            |place: &Partition| committed.get(place).map_or(self.reset, |at| StartAt::Offset(*at));
        let starts: Vec<(String, i32, StartAt)> =
            assigned.iter().map(|place| (place.0.clone(), place.1, start(place))).collect();
        self.consumer.replace(&starts);
        self.committed = committed;
        Ok(())
    }

    async fn fetch_committed(
        &mut self,
        partitions: &[Partition],
    ) -> Result<BTreeMap<Partition, i64>, ClientError> {
        if partitions.is_empty() {
            return Ok(BTreeMap::new());
        }
        let mut topics: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
        for (topic, partition) in partitions {
            topics.entry(topic).or_default().push(*partition);
        }
        let topics = topics.into_iter().map(|(name, partition_indexes)| OffsetFetchRequestTopic {
            name: name.to_owned().into(),
            partition_indexes,
            ..OffsetFetchRequestTopic::default()
        });
        let request = OffsetFetchRequest {
            group_id: self.options.id.clone().into(),
            topics: Some(topics.collect()),
            ..OffsetFetchRequest::default()
        };
        let patience = self.request_timeout();
        let answer = self.ask(&request, patience).await?;
        let fetched = answer.decode()?;
        let code = ErrorCode::from_code(fetched.error_code);
        self.judge(code)?;
        let mut committed = BTreeMap::new();
        for topic in &fetched.topics {
            for one in &topic.partitions {
                let code = [code, ErrorCode::from_code(one.error_code)];
                if let Some(code) = code.into_iter().find(|code| !code.is_none()) {
                    return Err(ClientError::refused(code, None));
                }
                if one.committed_offset >= 0 {
                    let place = (topic.name.to_string(), one.partition_index);
                    committed.insert(place, one.committed_offset);
                }
            }
        }
        if !code.is_none() {
            return Err(ClientError::refused(code, None));
        }
        Ok(committed)
    }

    async fn heartbeat(&mut self) -> Result<(), ClientError> {
        let request = HeartbeatRequest {
            group_id: self.options.id.clone().into(),
            generation_id: self.generation,
            member_id: self.member_id.clone().into(),
            ..HeartbeatRequest::default()
        };
        let patience = self.request_timeout().min(self.options.session_timeout);
        self.heartbeat_at = Instant::now() + self.options.heartbeat_interval;
        match self.ask(&request, patience).await {
            Ok(answer) => {
                let code = ErrorCode::from_code(answer.decode()?.error_code);
                self.judge(code)
            }
            Err(failure) if failure.is_retriable() => {
                let backoff = self.consumer.cluster().options().retry_backoff_max;
                self.heartbeat_at = Instant::now() + backoff.min(self.options.heartbeat_interval);
                Ok(())
            }
            Err(failure) => Err(failure),
        }
    }

    async fn commit_in_time(&mut self) -> Result<(), ClientError> {
        let interval = self.options.commit_interval.unwrap_or(FOREVER);
        self.commit_at = Instant::now() + interval;
        match self.commit().await {
            Err(failure) if failure.is_retriable() => {
                warn!("an automatic commit failed, the next one follows: {failure}");
                Ok(())
            }
            other => other,
        }
    }

    /// Where the group has come in each partition, as far as it is not committed: behind what was used,
    /// or at the place from which nothing was given yet, so that nobody begins elsewhere.
    fn uncommitted(&self) -> BTreeMap<Partition, i64> {
        let places = self.consumer.positions();
        let mut reached: BTreeMap<Partition, i64> =
            places.map(|(topic, partition, next)| ((topic.to_owned(), partition), next)).collect();
        reached.extend(self.used.iter().map(|(place, next)| (place.clone(), *next)));
        reached.retain(|place, next| self.committed.get(place) != Some(next));
        reached
    }

    /// Commits how far the group has come since the last commit.
    async fn commit(&mut self) -> Result<(), ClientError> {
        if self.options.commit_interval.is_none() || self.generation < 0 {
            return Ok(());
        }
        let uncommitted = self.uncommitted();
        if uncommitted.is_empty() {
            return Ok(());
        }
        let mut topics: BTreeMap<&str, Vec<OffsetCommitRequestPartition<'_>>> = BTreeMap::new();
        for ((topic, partition), offset) in &uncommitted {
            topics.entry(topic).or_default().push(OffsetCommitRequestPartition {
                partition_index: *partition,
                committed_offset: *offset,
                committed_metadata: Some("".into()),
                ..OffsetCommitRequestPartition::default()
            });
        }
        let topics = topics.into_iter().map(|(name, partitions)| OffsetCommitRequestTopic {
            name: name.to_owned().into(),
            partitions,
            ..OffsetCommitRequestTopic::default()
        });
        let request = OffsetCommitRequest {
            group_id: self.options.id.clone().into(),
            generation_id_or_member_epoch: self.generation,
            member_id: self.member_id.clone().into(),
            topics: topics.collect(),
            ..OffsetCommitRequest::default()
        };
        let patience = self.request_timeout();
        let answer = self.ask(&request, patience).await?;
        for topic in &answer.decode()?.topics {
            for one in &topic.partitions {
                let code = ErrorCode::from_code(one.error_code);
                self.judge(code)?;
                if !code.is_none() {
                    return Err(ClientError::refused(code, None));
                }
                let place = (topic.name.to_string(), one.partition_index);
                if let Some(offset) = uncommitted.get(&place) {
                    self.committed.insert(place, *offset);
                }
            }
        }
        Ok(())
    }

    async fn leave(&mut self) -> Result<(), ClientError> {
        if self.member_id.is_empty() {
            return Ok(());
        }
        let request = LeaveGroupRequest {
            group_id: self.options.id.clone().into(),
            member_id: self.member_id.clone().into(),
            ..LeaveGroupRequest::default()
        };
        let answer = self.ask(&request, CLOSE_PATIENCE).await?;
        match ErrorCode::from_code(answer.decode()?.error_code) {
            ErrorCode::None | ErrorCode::UnknownMemberId => Ok(()),
            code => Err(ClientError::refused(code, None)),
        }
    }
}

/// An answer that only says that the group is not ready: again at once, or after a while.
fn refused_for_now<T>(code: ErrorCode) -> Result<Option<T>, ClientError> {
    match code {
        ErrorCode::RebalanceInProgress
        | ErrorCode::UnknownMemberId
        | ErrorCode::IllegalGeneration => Ok(None),
        code => Err(ClientError::refused(code, None)),
    }
}
