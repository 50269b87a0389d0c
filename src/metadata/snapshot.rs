//! A snapshot: the fewest records that build an image again.

use super::image::{Configs, Image};
use super::record::{ConfigResource, Record};
use crate::model::{PartitionIndex, ProducerId};

/// The records whose replay on an empty image gives this one, in an order that replays.
pub fn snapshot(image: &Image) -> Vec<Record> {
    let mut records = Vec::with_capacity(image.partition_count() + 2 * image.topic_count() + 8);
    if let Some(id) = &image.cluster_id {
        records.push(Record::Cluster { id: id.clone() });
    }
    for (name, feature) in &image.features {
        let (name, level, epoch) = (name.clone(), feature.level, feature.epoch);
        records.push(Record::Feature { name, level, epoch });
    }
    records.extend(image.brokers().cloned().map(Record::Broker));
    for (broker, configs) in &image.broker_configs {
        let resource = broker.map_or(ConfigResource::EveryBroker, ConfigResource::Broker);
        add_configs(&mut records, resource, configs);
    }
    if image.next_producer_id() > ProducerId(0) {
        records.push(Record::ProducerIds { next: image.next_producer_id() });
    }
    for (id, topic) in image.topics() {
        records.push(Record::Topic { id, name: topic.name().into() });
        add_configs(&mut records, ConfigResource::Topic(id), &topic.configs);
        for (index, state) in (0..).zip(topic.partitions()) {
            let index = PartitionIndex(index);
            records.push(Record::Partition { topic: id, index, state: state.clone() });
        }
    }
    records
}

fn add_configs(records: &mut Vec<Record>, resource: ConfigResource, configs: &Configs) {
    records.extend(configs.iter().map(|(key, value)| Record::Config {
        resource,
        key: key.clone(),
        value: Some(value.clone()),
    }));
}

#[cfg(test)]
#[path = "snapshot_tests.rs"]
#[expect(clippy::disallowed_types, reason = "proptest's unions share their arms by Arc")]
mod tests;
