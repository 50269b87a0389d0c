//! What a run asks of a Kafka cluster outside of what it measures: topics, leaders, offsets, durability.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use klamm::client::{
    Address, Admin, ClientOptions, Cluster, NewTopic, PartitionArgument, ResourceKind,
};
use klamm::model::ErrorCode;
use tokio::runtime::Runtime;

use crate::socket::CLIENT_ID;

/// `ListOffsetsRequest.LATEST_TIMESTAMP`.
const LATEST: i64 = -1;
/// `ListOffsetsRequest.EARLIEST_TIMESTAMP`.
const EARLIEST: i64 = -2;
/// The configs that say what an acknowledgement is worth.
const DURABILITY_CONFIGS: &[&str] =
    &["flush.messages", "flush.ms", "min.insync.replicas", "unclean.leader.election.enable"];

/// A connection for administration.
pub struct KafkaSteward {
    runtime: Runtime,
    options: ClientOptions,
    admin: Admin,
}

/// The topic of a run.
#[derive(Clone, Debug)]
pub struct Topic {
    /// Its name.
    pub name: String,
    /// The address of each partition's leader.
    pub leaders: Vec<Address>,
    /// Whether the run made it.
    pub is_new: bool,
}

impl KafkaSteward {
    /// Connects to the first broker that answers.
    pub fn connect(bootstrap: &[Address]) -> Result<KafkaSteward> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let mut options = ClientOptions::new(bootstrap.to_vec(), CLIENT_ID);
        // A broker that is not there is said so at once, not after a minute.
        options.api_timeout = Duration::from_secs(5);
        let mut cluster = Cluster::new(options.clone());
        runtime.block_on(cluster.refresh(Some(&[]), false)).with_context(|| {
            let list: Vec<String> = bootstrap.iter().map(Address::to_string).collect();
            format!("no broker answers at {}", list.join(","))
        })?;
        options.api_timeout = Duration::from_secs(60);
        let admin = Admin::new(Cluster::new(options.clone()));
        Ok(KafkaSteward { runtime, options, admin })
    }

    /// Finds the topic, or makes it where `create` says so.
    pub fn topic(&mut self, wanted: &NewTopic, create: bool) -> Result<Topic> {
        let name = &wanted.name;
        let mut is_new = false;
        if create {
            match self.runtime.block_on(self.admin.create_topic(wanted)) {
                Ok(()) => is_new = true,
                Err(error) if error.code() == Some(ErrorCode::TopicAlreadyExists) => {}
                Err(error) => return Err(error).with_context(|| format!("creating topic {name}")),
            }
        }
        let mut cluster = Cluster::new(self.options.clone());
        let leaders = self.runtime.block_on(leaders(&mut cluster, name, create))?;
        if let Some(count) = wanted.partitions
            && !is_new
            && count as usize != leaders.len()
        {
            bail!("topic {name} is there with {} partitions, not {count}", leaders.len());
        }
        Ok(Topic { name: name.clone(), leaders, is_new })
    }

    /// The first offset of each partition.
    pub fn starts(&mut self, topic: &Topic) -> Result<Vec<i64>> {
        self.offsets(topic, EARLIEST)
    }

    /// The offset after the last record of each partition.
    pub fn ends(&mut self, topic: &Topic) -> Result<Vec<i64>> {
        self.offsets(topic, LATEST)
    }

    fn offsets(&mut self, topic: &Topic, timestamp: i64) -> Result<Vec<i64>> {
        let wanted: Vec<PartitionArgument> = (0..topic.leaders.len())
            .map(|index| PartitionArgument {
                topic: topic.name.clone(),
                partition: index as i32,
                argument: timestamp,
            })
            .collect();
        let found = self.runtime.block_on(self.admin.list_offsets(&wanted))?;
        found.into_iter().map(|offset| Ok(offset?)).collect()
    }

    /// The configs that say what an acknowledgement is worth; empty where the broker does not tell.
    pub fn durability(&mut self, topic: &Topic) -> Vec<(String, String)> {
        let described = self.admin.resource_configs(ResourceKind::Topic, &topic.name);
        let Ok(configs) = self.runtime.block_on(described) else { return Vec::new() };
        let told = configs.into_iter().filter(|config| DURABILITY_CONFIGS.contains(&&*config.name));
        told.map(|config| (config.name, config.value.unwrap_or_default())).collect()
    }

    /// Deletes a topic.
    pub fn delete(&mut self, topic: &Topic) -> Result<()> {
        Ok(self.runtime.block_on(self.admin.delete_topics(std::slice::from_ref(&topic.name)))?)
    }
}

async fn leaders(cluster: &mut Cluster, name: &str, created: bool) -> Result<Vec<Address>> {
    for _ in 0..100 {
        cluster.refresh(Some(&[name]), false).await?;
        let view = cluster.topic(name).context("the broker does not answer about the topic")?;
        match view.error {
            ErrorCode::None => {}
            ErrorCode::UnknownTopicOrPartition if !created => {
                bail!("topic {name} is not there");
            }
            ErrorCode::TopicAuthorizationFailed => bail!("not authorised for topic {name}"),
            _ => {}
        }
        let leaders = view.partitions.iter().map(|partition| {
            partition.leader.and_then(|leader| cluster.address_of(leader)).cloned()
        });
        match leaders.collect::<Option<Vec<Address>>>() {
            Some(leaders) if !leaders.is_empty() => return Ok(leaders),
            _ => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
    bail!("some partitions of {name} have had no leader for 10 s")
}

/// What a durability's configs mean, in plain words.
pub fn meaning(configs: &[(String, String)], acks: i16) -> String {
    let messages = configs.iter().find(|(name, _)| name == "flush.messages").map(|(_, v)| &**v);
    match (acks, messages) {
        (0, _) => "acks=0: nothing is acknowledged".to_owned(),
        (_, Some("1")) => "durable: acknowledged when on disk (flush.messages=1)".to_owned(),
        (_, Some(count)) if count.len() > 9 => {
            "relaxed: acknowledged before it is on disk (flush.messages unlimited)".to_owned()
        }
        (_, Some(count)) => format!("on disk every {count} records (flush.messages)"),
        (_, None) => "the broker does not tell".to_owned(),
    }
}
