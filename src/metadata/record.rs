//! Metadata records: the only things that change the image, and their stored form.
//!
//! What one command decided is stored and replayed as one *batch*: a format byte (1) and the records
//! one after another to the end of the bytes. A record is a kind byte, a version byte (0) and the
//! fields of that kind, in this order (texts, lists, flags and integers as in `codec.rs`):
//!
//! | kind | record | fields |
//! |---|---|---|
//! | 1 | `Cluster` | cluster id (text) |
//! | 2 | `Topic` | topic id (16), name (text) |
//! | 3 | `Partition` | topic id (16), index (i32), replicas (list of i32), ISR (list of i32), leader (i32), leader epoch (i32), partition epoch (i32), shard (flag, u16) |
//! | 4 | `RemoveTopic` | topic id (16) |
//! | 5 | `Config` | resource type (2 topic, 4 broker, 0 every broker), topic id (16) or broker (i32) or nothing, key (text), value (flag, text) |
//! | 6 | `ProducerIds` | the first producer id not given out yet (i64) |
//! | 7 | `Broker` | broker (i32), incarnation (16), listeners (list of name text, host text, port u16), rack (flag, text) |
//! | 8 | `Feature` | name (text), level (i16), the epoch in which it got that level (i64) |
//!
//! A kind or version that is not in the table is an error, never skipped: a broker that does not
//! understand a change of the cluster must not act as if it had not happened.

use super::codec::{DecodeError, Reader, put_count, put_optional, put_text};
use super::partition::{Partition, Replicas};
use crate::model::{BrokerId, LeaderEpoch, PartitionIndex, ProducerId, ShardId, TopicId};

/// The format byte of a batch.
const BATCH_FORMAT: u8 = 1;
/// The version of every record kind so far.
const VERSION: u8 = 0;

/// What a config record is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ConfigResource {
    /// One incarnation of a topic: its configs go with it.
    Topic(TopicId),
    /// One broker's dynamic configs.
    Broker(BrokerId),
    /// The dynamic configs that every broker takes as its defaults.
    EveryBroker,
}

/// A listener that a broker advertises.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// Its name in `listeners`.
    pub name: Box<str>,
    /// The host that clients are told.
    pub host: Box<str>,
    /// The port that clients are told.
    pub port: u16,
}

/// A registered broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broker {
    /// Its `node.id`.
    pub id: BrokerId,
    /// A random number of each of its starts.
    pub incarnation: u128,
    /// Where clients reach it.
    pub listeners: Box<[Listener]>,
    /// Its `broker.rack`.
    pub rack: Option<Box<str>>,
}

/// One change of the metadata.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// Names the cluster, once.
    Cluster {
        /// Kafka's cluster id: 22 characters.
        id: Box<str>,
    },
    /// Creates a topic without partitions.
    Topic {
        /// Never used before.
        id: TopicId,
        /// Unused at this moment.
        name: Box<str>,
    },
    /// Sets a partition's state; an index one past the last adds a partition.
    Partition {
        /// The topic.
        topic: TopicId,
        /// The partition in it.
        index: PartitionIndex,
        /// The whole new state.
        state: Partition,
    },
    /// Deletes a topic, its partitions and its configs.
    RemoveTopic {
        /// The topic.
        id: TopicId,
    },
    /// Sets one config, or deletes it where the value is `None`.
    Config {
        /// What it is about.
        resource: ConfigResource,
        /// Kafka's name of the config.
        key: Box<str>,
        /// The text, as the client gave it.
        value: Option<Box<str>>,
    },
    /// Gives out every producer id below `next`.
    ProducerIds {
        /// The first id not given out.
        next: ProducerId,
    },
    /// Registers a broker, or replaces its registration.
    Broker(Broker),
    /// Finalizes a feature's level; 0 takes it back.
    Feature {
        /// Kafka's name of the feature.
        name: Box<str>,
        /// The level.
        level: i16,
        /// Grows with every change of any feature.
        epoch: i64,
    },
}

/// The stored form of a batch.
pub fn encode_batch(records: &[Record]) -> Vec<u8> {
    let mut out = Vec::with_capacity(1 + records.len() * 64);
    out.push(BATCH_FORMAT);
    for record in records {
        record.encode(&mut out);
    }
    out
}

/// Parses a whole batch.
pub fn decode_batch(bytes: &[u8]) -> Result<Vec<Record>, DecodeError> {
    let mut reader = Reader::new(bytes);
    let format = reader.u8()?;
    if format != BATCH_FORMAT {
        return Err(DecodeError::UnknownFormat(format));
    }
    let mut records = Vec::new();
    while !reader.is_empty() {
        records.push(Record::decode(&mut reader)?);
    }
    Ok(records)
}

impl Record {
    /// Writes the stored form at the end of `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&[self.kind(), VERSION]);
        match self {
            Record::Cluster { id } => put_text(out, id),
            Record::Topic { id, name } => {
                out.extend_from_slice(&id.0);
                put_text(out, name);
            }
            Record::Partition { topic, index, state } => {
                out.extend_from_slice(&topic.0);
                out.extend_from_slice(&index.0.to_be_bytes());
                put_partition(out, state);
            }
            Record::RemoveTopic { id } => out.extend_from_slice(&id.0),
            Record::Config { resource, key, value } => {
                put_resource(out, *resource);
                put_text(out, key);
                put_optional(out, value.as_deref(), put_text);
            }
            Record::ProducerIds { next } => out.extend_from_slice(&next.0.to_be_bytes()),
            Record::Broker(broker) => put_broker(out, broker),
            Record::Feature { name, level, epoch } => {
                put_text(out, name);
                out.extend_from_slice(&level.to_be_bytes());
                out.extend_from_slice(&epoch.to_be_bytes());
            }
        }
    }

    /// Parses one record off the front.
    pub fn decode(reader: &mut Reader<'_>) -> Result<Record, DecodeError> {
        let (kind, version) = (reader.u8()?, reader.u8()?);
        if version != VERSION {
            return Err(DecodeError::UnknownRecord { kind, version });
        }
        Ok(match kind {
            1 => Record::Cluster { id: reader.text()?.into() },
            2 => Record::Topic { id: reader.topic_id()?, name: reader.text()?.into() },
            3 => Record::Partition {
                topic: reader.topic_id()?,
                index: PartitionIndex(reader.i32()?),
                state: read_partition(reader)?,
            },
            4 => Record::RemoveTopic { id: reader.topic_id()? },
            5 => Record::Config {
                resource: read_resource(reader)?,
                key: reader.text()?.into(),
                value: reader.optional(|reader| Ok(reader.text()?.into()))?,
            },
            6 => Record::ProducerIds { next: ProducerId(reader.i64()?) },
            7 => Record::Broker(read_broker(reader)?),
            8 => Record::Feature {
                name: reader.text()?.into(),
                level: reader.i16()?,
                epoch: reader.i64()?,
            },
            _ => return Err(DecodeError::UnknownRecord { kind, version }),
        })
    }

    fn kind(&self) -> u8 {
        match self {
            Record::Cluster { .. } => 1,
            Record::Topic { .. } => 2,
            Record::Partition { .. } => 3,
            Record::RemoveTopic { .. } => 4,
            Record::Config { .. } => 5,
            Record::ProducerIds { .. } => 6,
            Record::Broker(_) => 7,
            Record::Feature { .. } => 8,
        }
    }
}

fn put_brokers(out: &mut Vec<u8>, brokers: &[BrokerId]) {
    put_count(out, brokers.len());
    for broker in brokers {
        out.extend_from_slice(&broker.0.to_be_bytes());
    }
}

fn read_brokers(reader: &mut Reader<'_>) -> Result<Replicas, DecodeError> {
    Ok(reader.list(4, |reader| Ok(BrokerId(reader.i32()?)))?.into())
}

fn put_partition(out: &mut Vec<u8>, state: &Partition) {
    put_brokers(out, &state.replicas);
    put_brokers(out, &state.isr);
    out.extend_from_slice(&state.leader.0.to_be_bytes());
    out.extend_from_slice(&state.leader_epoch.0.to_be_bytes());
    out.extend_from_slice(&state.partition_epoch.to_be_bytes());
    put_optional(out, state.shard, |out, shard| out.extend_from_slice(&shard.0.to_be_bytes()));
}

fn read_partition(reader: &mut Reader<'_>) -> Result<Partition, DecodeError> {
    Ok(Partition {
        replicas: read_brokers(reader)?,
        isr: read_brokers(reader)?,
        leader: BrokerId(reader.i32()?),
        leader_epoch: LeaderEpoch(reader.i32()?),
        partition_epoch: reader.i32()?,
        shard: reader.optional(|reader| Ok(ShardId(reader.u16()?)))?,
    })
}

fn put_resource(out: &mut Vec<u8>, resource: ConfigResource) {
    match resource {
        ConfigResource::Topic(id) => {
            out.push(2);
            out.extend_from_slice(&id.0);
        }
        ConfigResource::Broker(id) => {
            out.push(4);
            out.extend_from_slice(&id.0.to_be_bytes());
        }
        ConfigResource::EveryBroker => out.push(0),
    }
}

fn read_resource(reader: &mut Reader<'_>) -> Result<ConfigResource, DecodeError> {
    match reader.u8()? {
        2 => Ok(ConfigResource::Topic(reader.topic_id()?)),
        4 => Ok(ConfigResource::Broker(BrokerId(reader.i32()?))),
        0 => Ok(ConfigResource::EveryBroker),
        other => Err(DecodeError::BadFlag(other)),
    }
}

fn put_broker(out: &mut Vec<u8>, broker: &Broker) {
    out.extend_from_slice(&broker.id.0.to_be_bytes());
    out.extend_from_slice(&broker.incarnation.to_be_bytes());
    put_count(out, broker.listeners.len());
    for listener in &broker.listeners {
        put_text(out, &listener.name);
        put_text(out, &listener.host);
        out.extend_from_slice(&listener.port.to_be_bytes());
    }
    put_optional(out, broker.rack.as_deref(), put_text);
}

fn read_broker(reader: &mut Reader<'_>) -> Result<Broker, DecodeError> {
    Ok(Broker {
        id: BrokerId(reader.i32()?),
        incarnation: reader.u128()?,
        listeners: reader
            .list(6, |reader| {
                Ok(Listener {
                    name: reader.text()?.into(),
                    host: reader.text()?.into(),
                    port: reader.u16()?,
                })
            })?
            .into(),
        rack: reader.optional(|reader| Ok(reader.text()?.into()))?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one_of_each() -> Vec<Record> {
        let topic = TopicId([7; 16]);
        let config = |resource, value: Option<&str>| Record::Config {
            resource,
            key: "k".into(),
            value: value.map(Into::into),
        };
        let brokers = |ids: &[i32]| ids.iter().copied().map(BrokerId).collect::<Vec<_>>();
        let moved = Partition {
            isr: brokers(&[]).into(),
            leader: BrokerId(-1),
            leader_epoch: LeaderEpoch(9),
            partition_epoch: 12,
            shard: Some(ShardId(3)),
            ..Partition::fresh(brokers(&[1, 2, 3]))
        };
        vec![
            Record::Cluster { id: "AAAAAAAAAAAAAAAAAAAAAQ".into() },
            Record::Topic { id: topic, name: "orders".into() },
            Record::Partition {
                topic,
                index: PartitionIndex(0),
                state: Partition::fresh(brokers(&[1])),
            },
            Record::Partition { topic, index: PartitionIndex(1), state: moved },
            config(ConfigResource::Topic(topic), Some("väl")),
            config(ConfigResource::Broker(BrokerId(1)), None),
            config(ConfigResource::EveryBroker, Some("")),
            Record::ProducerIds { next: ProducerId(1000) },
            Record::Broker(Broker {
                id: BrokerId(1),
                incarnation: 5 << 100,
                listeners: [Listener { name: "PLAINTEXT".into(), host: "::1".into(), port: 9092 }]
                    .into(),
                rack: Some("a".into()),
            }),
            Record::Feature { name: "metadata.version".into(), level: 27, epoch: 1 },
            Record::RemoveTopic { id: topic },
        ]
    }

    #[test]
    fn every_record_round_trips() {
        let records = one_of_each();
        let kinds: std::collections::BTreeSet<u8> = records.iter().map(Record::kind).collect();
        assert_eq!(kinds, (1..=8).collect());
        assert_eq!(decode_batch(&encode_batch(&records)), Ok(records));
        assert_eq!(decode_batch(&encode_batch(&[])), Ok(vec![]));
    }

    #[test]
    fn a_batch_cut_anywhere_is_an_error_or_a_whole_prefix() {
        let records = one_of_each();
        let bytes = encode_batch(&records);
        let mut ends = vec![1];
        for count in 1..=records.len() {
            ends.push(encode_batch(&records[..count]).len());
        }
        for cut in 0..bytes.len() {
            let decoded = decode_batch(&bytes[..cut]);
            match ends.iter().position(|&end| end == cut) {
                Some(count) => assert_eq!(decoded.as_deref(), Ok(&records[..count])),
                None => assert_eq!(decoded, Err(DecodeError::Truncated), "cut at {cut}"),
            }
        }
    }

    #[test]
    fn a_changed_byte_never_panics_and_what_decodes_is_canonical() {
        let bytes = encode_batch(&one_of_each());
        for position in 0..bytes.len() {
            for change in 1..=255u8 {
                let mut mutant = bytes.clone();
                mutant[position] ^= change;
                if let Ok(records) = decode_batch(&mutant) {
                    assert_eq!(encode_batch(&records), mutant);
                }
            }
        }
    }

    #[test]
    fn what_is_unknown_is_an_error() {
        assert_eq!(decode_batch(&[2]), Err(DecodeError::UnknownFormat(2)));
        assert_eq!(
            decode_batch(&[1, 99, 0]),
            Err(DecodeError::UnknownRecord { kind: 99, version: 0 })
        );
        assert_eq!(
            decode_batch(&[1, 4, 1]),
            Err(DecodeError::UnknownRecord { kind: 4, version: 1 })
        );
    }
}
