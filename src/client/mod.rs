//! A small Kafka client over `protocol/` and `record/`, for the command-line tools and the bench tool.
//!
//! It runs on a current-thread tokio runtime, never on a shard. A `Cluster` owns connections and metadata;
//! a `Producer`, a `Consumer` and an `Admin` each own a cluster; nothing is shared and no task is
//! spawned, so dropping a value ends everything that it does.
//!
//! Invariants: answers are taken in the order of their requests; memory grows with the bytes that arrived,
//! never with a size that a broker announced; every wait has a bound.
//!
//! Deliberately absent: transactions (a later version has them), cooperative rebalancing, TLS and SASL.

mod address;
mod admin;
mod admin_http;
mod broker_versions;
mod clock;
mod cluster;
mod config_admin;
mod connection;
mod consumer;
mod consumer_protocol;
mod error;
mod group;
mod group_admin;
mod partition_calls;
mod partitioner;
mod producer;
mod range_assignor;
mod request;

pub use address::Address;
pub use admin::{
    Admin, NewTopic, PartitionDescription, Reassignment, TopicConfigEntry, TopicDescription,
};
pub use admin_http::{AdminHttpError, shard_report};
pub use broker_versions::{ApiVersions, BrokerNode};
pub use clock::{random as chance, wall_clock_ms};
pub use cluster::{ClientOptions, Cluster, PartitionView, TopicView};
pub use config_admin::{ConfigChange, ConfigSynonym, ResourceConfig, ResourceKind};
pub use connection::{Answer, Connection, RESPONSE_BYTES_MAX};
pub use consumer::{Consumer, ConsumerOptions, Fetched, StartAt};
pub use consumer_protocol::Partition;
pub use error::{ClientError, Damage};
pub use group::{GroupConsumer, GroupOptions};
pub use group_admin::{
    CommittedOffset, GroupDescription, GroupListing, Leaders, MemberDescription,
};
pub use partition_calls::PartitionArgument;
pub use partitioner::{murmur2, partition_of_key};
pub use producer::{Delivery, NewRecord, Producer, ProducerOptions, ToDeliver};
pub use request::Request;
