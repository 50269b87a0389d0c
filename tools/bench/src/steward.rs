//! What a run asks of its cluster outside of what it measures, whatever that speaks.

use anyhow::Result;
use klamm::client::{Address, NewTopic};

use crate::cluster::{KafkaSteward, Topic, meaning};
use crate::nats::steward::NatsSteward;
use crate::workload::Protocol;

/// A connection for administration.
pub enum Steward {
    /// To a cluster of the Kafka protocol.
    Kafka(Box<KafkaSteward>),
    /// To a NATS server.
    Nats(NatsSteward),
}

/// What an acknowledgement is worth.
#[derive(Clone, Debug)]
pub struct Durability {
    /// In plain words.
    pub meaning: String,
    /// The configs behind it, as the cluster told them.
    pub configs: Vec<(String, String)>,
}

impl Steward {
    /// Connects to the first broker that answers.
    pub fn connect(protocol: Protocol, bootstrap: &[Address]) -> Result<Steward> {
        Ok(match protocol {
            Protocol::Kafka => Steward::Kafka(Box::new(KafkaSteward::connect(bootstrap)?)),
            Protocol::Nats => Steward::Nats(NatsSteward::connect(bootstrap)?),
        })
    }

    /// Finds the topic, or makes it where `create` says so.
    pub fn topic(&mut self, wanted: &NewTopic, create: bool) -> Result<Topic> {
        match self {
            Steward::Kafka(steward) => steward.topic(wanted, create),
            Steward::Nats(steward) => steward.topic(wanted, create),
        }
    }

    /// The first offset of each partition.
    pub fn starts(&mut self, topic: &Topic) -> Result<Vec<i64>> {
        match self {
            Steward::Kafka(steward) => steward.starts(topic),
            Steward::Nats(steward) => steward.starts(topic),
        }
    }

    /// The offset after the last record of each partition.
    pub fn ends(&mut self, topic: &Topic) -> Result<Vec<i64>> {
        match self {
            Steward::Kafka(steward) => steward.ends(topic),
            Steward::Nats(steward) => steward.ends(topic),
        }
    }

    /// What an acknowledgement of the topic is worth.
    pub fn durability(&mut self, topic: &Topic, acks: i16) -> Durability {
        match self {
            Steward::Kafka(steward) => {
                let configs = steward.durability(topic);
                Durability { meaning: meaning(&configs, acks), configs }
            }
            // A client may not ask for the server's configuration.
            Steward::Nats(_) => Durability {
                meaning: "NATS does not tell its sync_interval (2 minutes where it is not set)"
                    .to_owned(),
                configs: Vec::new(),
            },
        }
    }

    /// Deletes a topic.
    pub fn delete(&mut self, topic: &Topic) -> Result<()> {
        match self {
            Steward::Kafka(steward) => steward.delete(topic),
            Steward::Nats(steward) => steward.delete(topic),
        }
    }
}
