//! An administrator: creates, deletes and alters topics, and asks until it knows what came of it.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use super::link::{Link, Lost};
use super::site::Site;
use super::topics::{self, Plan, TOPIC_COUNT, TopicView};
use crate::model::{ErrorCode, TopicId};
use crate::protocol::create_partitions_request::{CreatePartitionsRequest, CreatePartitionsTopic};
use crate::protocol::create_topics_request::{
    CreatableTopic, CreatableTopicConfig, CreateTopicsRequest,
};
use crate::protocol::delete_topics_request::{DeleteTopicState, DeleteTopicsRequest};
use crate::protocol::describe_configs_request::{DescribeConfigsRequest, DescribeConfigsResource};
use crate::protocol::incremental_alter_configs_request::{
    AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest,
};
use crate::runtime::Runtime;

/// Kafka's resource type of a topic.
const TOPIC_RESOURCE: i8 = 2;
/// The config that is altered and described.
const ALTERED: &str = "max.message.bytes";
/// The most partitions that a topic comes to have.
const PARTITIONS_MAX: i32 = 4;

/// The only administrator of the cluster.
pub struct Admin {
    site: Rc<Site>,
    runtime: Runtime,
    /// What was altered and acknowledged.
    altered: RefCell<BTreeMap<TopicId, String>>,
    /// Altered, and nobody knows when: the request may still be under way.
    doubtful: RefCell<BTreeSet<TopicId>>,
}

impl Admin {
    /// An administrator who has done nothing.
    pub fn new(site: &Rc<Site>, runtime: Runtime) -> Rc<Admin> {
        let (altered, doubtful) = (RefCell::default(), RefCell::default());
        Rc::new(Admin { site: site.clone(), runtime, altered, doubtful })
    }

    /// After a start: nothing of before is under way.
    pub fn start_over(&self) {
        self.doubtful.borrow_mut().clear();
    }

    /// Changes topics until the site is over.
    pub async fn run(self: Rc<Self>) {
        while !self.site.over.get() {
            if let Err(Lost(reason)) = self.connect_and_change().await {
                self.site.tell(|| format!("admin: {reason}"));
                self.site.count("the admin's connections lost");
            }
            self.runtime.sleep(Duration::from_micros(self.site.choice(5_000))).await;
        }
    }

    async fn connect_and_change(&self) -> Result<(), Lost> {
        let mut link = Link::open(&self.site, &self.runtime, "admin".into()).await?;
        while !self.site.over.get() {
            self.site.rest(&self.runtime).await;
            let topics = topics::look(&self.site, &mut link).await?;
            let number = self.site.choice(TOPIC_COUNT);
            let plan = Plan::of(number);
            let found = topics.iter().find(|topic| *topic.name == *plan.name);
            match (found, self.site.choice(10)) {
                (Some(topic), _) if self.site.calm.get() => self.describe(&mut link, topic).await?,
                (None, _) if self.site.calm.get() => {}
                (None, _) => self.create(&mut link, &plan).await?,
                (Some(topic), 0..2) if topics.len() > 4 && !self.site.names_in_use.get() => {
                    self.delete(&mut link, topic).await?;
                }
                (Some(topic), 2) => self.grow(&mut link, topic).await?,
                (Some(topic), 3..6) => self.alter(&mut link, topic).await?,
                (Some(topic), 6..9) => self.describe(&mut link, topic).await?,
                // It forgot to look.
                (Some(_), 9) => self.create(&mut link, &plan).await?,
                _ => {}
            }
            let rest = if topics.len() < 3 { 100 } else { 8_000 };
            self.runtime.sleep(Duration::from_micros(self.site.choice(rest))).await;
        }
        Ok(())
    }

    /// Whether an answer says that it was done; errors that may be met now lose the connection.
    fn is_done(&self, what: &str, code: i16, also: &[ErrorCode]) -> Result<bool, Lost> {
        let code = ErrorCode::from_code(code);
        self.site.tell(|| format!("admin: {what}: {code}"));
        self.site.operated();
        match code {
            ErrorCode::None => Ok(true),
            code if also.contains(&code) => Ok(false),
            ErrorCode::NotController | ErrorCode::RequestTimedOut if self.site.stopping.get() => {
                Err(Lost("the broker stops"))
            }
            ErrorCode::KafkaStorageError | ErrorCode::NotController if self.site.tampered.get() => {
                Err(Lost("the broker's disk has failed"))
            }
            other => panic!("{what}: {other}"),
        }
    }

    async fn create(&self, link: &mut Link, plan: &Plan) -> Result<(), Lost> {
        let configs = plan.configs.iter().map(|(key, value)| CreatableTopicConfig {
            name: (*key).into(),
            value: Some(value.into()),
            ..CreatableTopicConfig::default()
        });
        let topic = CreatableTopic {
            name: plan.name.as_str().into(),
            num_partitions: 1 + self.site.choice(3) as i32,
            replication_factor: 1,
            configs: configs.collect(),
            ..CreatableTopic::default()
        };
        let request = CreateTopicsRequest {
            topics: vec![topic],
            timeout_ms: 30_000,
            ..CreateTopicsRequest::default()
        };
        let answer = link.call(&request).await?;
        let code = answer.decode().topics[0].error_code;
        // Whatever it is: every shard knows of the topic now.
        let done =
            self.is_done(&format!("create {}", plan.name), code, &[ErrorCode::TopicAlreadyExists])?;
        self.site.count(if done { "topics created" } else { "topics created before" });
        let topics = topics::ask(link).await?;
        let mut model = self.site.model.borrow_mut();
        topics::learn(&mut model, &topics);
        let created = topics.iter().find(|topic| *topic.name == *plan.name);
        assert!(created.is_some() || !done, "a topic whose creation was acknowledged is there");
        if let Some(created) = created {
            model.set_settled(created.id);
        }
        Ok(())
    }

    async fn delete(&self, link: &mut Link, topic: &TopicView) -> Result<(), Lost> {
        self.site.model.borrow_mut().set_deleted(topic.id);
        self.site.groups.borrow_mut().note_bare(&self.site.model.borrow());
        let state =
            DeleteTopicState { name: None, topic_id: topic.id, ..DeleteTopicState::default() };
        let request = DeleteTopicsRequest {
            topics: vec![state],
            timeout_ms: 30_000,
            ..DeleteTopicsRequest::default()
        };
        let answer = link.call(&request).await?;
        let code = answer.decode().responses[0].error_code;
        let unknown = [ErrorCode::UnknownTopicId, ErrorCode::UnknownTopicOrPartition];
        let done = self.is_done(&format!("delete {} {}", topic.name, topic.id), code, &unknown)?;
        self.site.count(if done { "topics deleted" } else { "topics deleted before" });
        self.site.model.borrow_mut().forget_topic(topic.id);
        self.site.groups.borrow_mut().forget_topic(topic.id);
        self.altered.borrow_mut().remove(&topic.id);
        Ok(())
    }

    async fn grow(&self, link: &mut Link, topic: &TopicView) -> Result<(), Lost> {
        let count = topic.epochs.len() as i32 + 1;
        if count > PARTITIONS_MAX {
            return Ok(());
        }
        let wanted = CreatePartitionsTopic {
            name: topic.name.as_ref().into(),
            count,
            assignments: None,
            ..CreatePartitionsTopic::default()
        };
        let request = CreatePartitionsRequest {
            topics: vec![wanted],
            timeout_ms: 30_000,
            ..CreatePartitionsRequest::default()
        };
        let answer = link.call(&request).await?;
        let code = answer.decode().results[0].error_code;
        let gone = [ErrorCode::UnknownTopicOrPartition, ErrorCode::InvalidPartitions];
        if self.is_done(&format!("{count} partitions of {}", topic.name), code, &gone)? {
            self.site.count("topics grown");
        }
        Ok(())
    }

    async fn alter(&self, link: &mut Link, topic: &TopicView) -> Result<(), Lost> {
        let value = (1_000_000 + self.site.choice(1000)).to_string();
        self.altered.borrow_mut().remove(&topic.id);
        let is_certain = self.doubtful.borrow_mut().insert(topic.id);
        let config = AlterableConfig {
            name: ALTERED.into(),
            config_operation: 0,
            value: Some(value.as_str().into()),
            ..AlterableConfig::default()
        };
        let resource = AlterConfigsResource {
            resource_type: TOPIC_RESOURCE,
            resource_name: topic.name.as_ref().into(),
            configs: vec![config],
            ..AlterConfigsResource::default()
        };
        let request = IncrementalAlterConfigsRequest {
            resources: vec![resource],
            ..IncrementalAlterConfigsRequest::default()
        };
        let answer = link.call(&request).await?;
        let code = answer.decode().responses[0].error_code;
        let gone = [ErrorCode::UnknownTopicOrPartition];
        if self.is_done(&format!("alter {} to {value}", topic.name), code, &gone)? && is_certain {
            self.site.count("configs altered");
            self.doubtful.borrow_mut().remove(&topic.id);
            self.altered.borrow_mut().insert(topic.id, value);
        }
        Ok(())
    }

    /// What was altered and acknowledged is what the broker describes, after any restart.
    async fn describe(&self, link: &mut Link, topic: &TopicView) -> Result<(), Lost> {
        let resource = DescribeConfigsResource {
            resource_type: TOPIC_RESOURCE,
            resource_name: topic.name.as_ref().into(),
            configuration_keys: Some(vec![ALTERED.into()]),
            ..DescribeConfigsResource::default()
        };
        let request = DescribeConfigsRequest {
            resources: vec![resource],
            ..DescribeConfigsRequest::default()
        };
        let answer = link.call(&request).await?;
        let answer = answer.decode();
        let result = &answer.results[0];
        let gone = [ErrorCode::UnknownTopicOrPartition];
        let done = self.is_done(&format!("describe {}", topic.name), result.error_code, &gone)?;
        if let Some(expected) = self.altered.borrow().get(&topic.id).filter(|_| done) {
            let found = result.configs.iter().find(|config| config.name == ALTERED);
            let found = found.and_then(|config| config.value.as_deref());
            assert_eq!(found, Some(expected.as_str()), "{} of {}", ALTERED, topic.name);
            self.site.count("altered configs described");
        }
        Ok(())
    }
}
