//! The same messages through the `kafka-protocol` crate, a codec that somebody else wrote.

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::{self as theirs, BrokerId, GroupId, TopicName, TransactionalId};
use kafka_protocol::protocol::{Decodable, Encodable, Message, StrBytes};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::mutation::{Random, damage};
use super::vectors;
use crate::protocol::reader::Reader;
use crate::protocol::types::Records;
use crate::protocol::writer::Writer;
use crate::protocol::{
    api_versions_response as api_versions, create_topics_request as create_topics,
    fetch_response as fetch, join_group_request as join_group,
    list_offsets_request as list_offsets, metadata_response as metadata,
    produce_request as produce,
};

/// Decodes with their codec, encodes with it again, and returns the bytes.
type Through = fn(Bytes, i16) -> anyhow::Result<Bytes>;

struct Row {
    name: &'static str,
    min: i16,
    max: i16,
    through: Through,
}

fn row<T: Message + Decodable + Encodable>(name: &'static str) -> Row {
    let versions = T::VERSIONS;
    Row { name, min: versions.min, max: versions.max, through: through::<T> }
}

fn through<T: Decodable + Encodable>(mut bytes: Bytes, version: i16) -> anyhow::Result<Bytes> {
    let message = T::decode(&mut bytes, version)?;
    anyhow::ensure!(bytes.is_empty(), "they leave {} bytes", bytes.len());
    let mut encoded = BytesMut::new();
    message.encode(&mut encoded, version)?;
    Ok(encoded.freeze())
}

macro_rules! rows {
    ($($name:ident),* $(,)?) => { [$(row::<theirs::$name>(stringify!($name))),*] };
}

#[test]
fn what_one_codec_writes_the_other_reads_and_writes_again() {
    let rows = rows![
        ProduceRequest,
        ProduceResponse,
        FetchRequest,
        FetchResponse,
        ListOffsetsRequest,
        ListOffsetsResponse,
        MetadataRequest,
        MetadataResponse,
        ApiVersionsRequest,
        ApiVersionsResponse,
        CreateTopicsRequest,
        CreateTopicsResponse,
        DeleteTopicsRequest,
        DeleteTopicsResponse,
        InitProducerIdRequest,
        InitProducerIdResponse,
        FindCoordinatorRequest,
        FindCoordinatorResponse,
        OffsetCommitRequest,
        OffsetCommitResponse,
        OffsetFetchRequest,
        OffsetFetchResponse,
        JoinGroupRequest,
        JoinGroupResponse,
        HeartbeatRequest,
        LeaveGroupRequest,
        SyncGroupRequest,
        SyncGroupResponse,
        DescribeConfigsRequest,
        DescribeConfigsResponse,
        OffsetForLeaderEpochRequest,
        OffsetForLeaderEpochResponse,
        IncrementalAlterConfigsRequest,
        AlterConfigsRequest,
        CreatePartitionsRequest,
        CreatePartitionsResponse,
        DescribeClusterRequest,
        DescribeClusterResponse,
        DescribeTopicPartitionsRequest,
        DescribeTopicPartitionsResponse,
        ListPartitionReassignmentsRequest,
        ListPartitionReassignmentsResponse,
    ];
    let mut random = Random(11);
    let mut compared = 0;
    for row in &rows {
        let vectors: Vec<_> = vectors::all()
            .iter()
            .filter(|vector| vector.message.name == row.name && !vector.is_translation())
            .filter(|vector| (row.min..=row.max).contains(&vector.version))
            .collect();
        assert!(!vectors.is_empty(), "{} has no version in common", row.name);
        for round in 0..40 {
            for vector in &vectors {
                let mut bytes = vector.bytes.clone();
                if round > 0 {
                    damage(&mut bytes, &mut random);
                }
                // Damaged bytes that are still a message are an arbitrary message.
                let version = vector.version;
                let Ok(ours) = (vector.message.rewrite)(&bytes, version, version) else { continue };
                let ours = Bytes::from(ours.bytes.expect("decoded values can be encoded"));
                let back = (row.through)(ours.clone(), version)
                    .unwrap_or_else(|error| panic!("{}: {error}", vector.title()));
                // Only unknown tags may differ in bytes: we keep a varint that is longer than it
                // has to be, and they do not.
                let text = |bytes: &[u8]| (vector.message.text)(bytes, version);
                assert!(round > 0 || back == ours, "{}:\n{ours:?}\n{back:?}", vector.title());
                assert_eq!(text(&back), text(&ours), "{}", vector.title());
                compared += 1;
            }
        }
    }
    assert!(compared > 5_000, "{compared} messages");
}

/// Both codecs write the same bytes for the same values, and each reads the other's values.
macro_rules! agree {
    ($module:ident::$name:ident, $ours:expr, $theirs:expr, $versions:expr) => {{
        let (ours, theirs) = ($ours, $theirs);
        for version in $versions {
            let mut writer = Writer::default();
            prop_assert_eq!(ours.encode(&mut writer, version), Ok(()));
            let (bytes, _) = writer.into_parts();
            let mut their_bytes = BytesMut::new();
            theirs.encode(&mut their_bytes, version).expect("expressible for us");
            prop_assert_eq!(&bytes, &their_bytes, "v{}", version);
            let mut input = Bytes::from(bytes);
            let decoded = theirs::$name::decode(&mut input, version).expect("what we wrote");
            prop_assert_eq!(&decoded, &theirs, "v{}", version);
            let mut reader = Reader::new(&their_bytes);
            let decoded = $module::$name::decode(&mut reader, version);
            prop_assert_eq!(decoded.as_ref(), Ok(&ours), "v{}", version);
            prop_assert_eq!(reader.finish(), Ok(()));
        }
    }};
}

fn text() -> impl Strategy<Value = String> {
    "[a-zäöü🦀._-]{0,12}"
}

fn their_text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

fn brokers(ids: &[i32]) -> Vec<BrokerId> {
    ids.iter().copied().map(BrokerId).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..Default::default() })]

    #[test]
    fn produce_requests_agree(
        transaction in option::of(text()), acks in -1i16..=1, timeout: i32,
        topics in vec((text(), vec((any::<i32>(), option::of(vec(any::<u8>(), 0..40))), 0..4)), 0..4),
    ) {
        let ours = produce::ProduceRequest {
            transactional_id: transaction.as_deref().map(Into::into),
            acks,
            timeout_ms: timeout,
            topic_data: topics.iter().map(|(name, partitions)| produce::TopicProduceData {
                name: name.as_str().into(),
                partition_data: partitions.iter().map(|(index, records)| {
                    produce::PartitionProduceData {
                        index: *index,
                        records: records.as_deref().map_or(Records::Null, Records::Bytes),
                        ..Default::default()
                    }
                }).collect(),
                ..Default::default()
            }).collect(),
            ..Default::default()
        };
        let theirs = theirs::ProduceRequest::default()
            .with_transactional_id(transaction.as_deref().map(|id| TransactionalId(their_text(id))))
            .with_acks(acks)
            .with_timeout_ms(timeout)
            .with_topic_data(topics.iter().map(|(name, partitions)| {
                theirs::produce_request::TopicProduceData::default()
                    .with_name(TopicName(their_text(name)))
                    .with_partition_data(partitions.iter().map(|(index, records)| {
                        theirs::produce_request::PartitionProduceData::default()
                            .with_index(*index)
                            .with_records(records.clone().map(Bytes::from))
                    }).collect())
            }).collect());
        agree!(produce::ProduceRequest, ours, theirs, 3..=12);
    }

    #[test]
    fn fetch_responses_agree(
        throttle: i32, error: i16, session: i32, leader: i32, epoch: i32,
        partitions in vec((any::<[i32; 2]>(), any::<[i64; 3]>(), any::<i16>(),
            option::of(vec(any::<[i64; 2]>(), 0..3)), option::of(vec(any::<u8>(), 0..60))), 0..5),
    ) {
        let ours = fetch::FetchResponse {
            throttle_time_ms: throttle,
            error_code: error,
            session_id: session,
            responses: vec![fetch::FetchableTopicResponse {
                topic: "events".into(),
                partitions: partitions.iter().map(|(ints, offsets, code, aborted, records)| {
                    fetch::PartitionData {
                        partition_index: ints[0],
                        error_code: *code,
                        high_watermark: offsets[0],
                        last_stable_offset: offsets[1],
                        log_start_offset: offsets[2],
                        current_leader: fetch::LeaderIdAndEpoch {
                            leader_id: leader,
                            leader_epoch: epoch,
                            ..Default::default()
                        },
                        aborted_transactions: aborted.as_ref().map(|all| {
                            all.iter().map(|ids| fetch::AbortedTransaction {
                                producer_id: ids[0],
                                first_offset: ids[1],
                                ..Default::default()
                            }).collect()
                        }),
                        preferred_read_replica: ints[1],
                        records: records.as_deref().map_or(Records::Null, Records::Bytes),
                        ..Default::default()
                    }
                }).collect(),
                ..Default::default()
            }],
            ..Default::default()
        };
        let theirs = theirs::FetchResponse::default()
            .with_throttle_time_ms(throttle)
            .with_error_code(error)
            .with_session_id(session)
            .with_responses(vec![theirs::fetch_response::FetchableTopicResponse::default()
                .with_topic(TopicName(their_text("events")))
                .with_partitions(partitions.iter().map(|(ints, offsets, code, aborted, records)| {
                    theirs::fetch_response::PartitionData::default()
                        .with_partition_index(ints[0])
                        .with_error_code(*code)
                        .with_high_watermark(offsets[0])
                        .with_last_stable_offset(offsets[1])
                        .with_log_start_offset(offsets[2])
                        .with_current_leader(theirs::fetch_response::LeaderIdAndEpoch::default()
                            .with_leader_id(BrokerId(leader))
                            .with_leader_epoch(epoch))
                        .with_aborted_transactions(aborted.as_ref().map(|all| {
                            all.iter().map(|ids| {
                                theirs::fetch_response::AbortedTransaction::default()
                                    .with_producer_id(theirs::ProducerId(ids[0]))
                                    .with_first_offset(ids[1])
                            }).collect()
                        }))
                        .with_preferred_read_replica(BrokerId(ints[1]))
                        .with_records(records.clone().map(Bytes::from))
                }).collect())]);
        agree!(fetch::FetchResponse, ours, theirs, 12..=12);
    }

    #[test]
    fn metadata_responses_agree(
        controller: i32, cluster in option::of(text()), operations: i32,
        nodes in vec((any::<i32>(), text(), any::<i32>(), option::of(text())), 0..3),
        topics in vec((text(), any::<i16>(), any::<bool>(),
            vec((any::<[i32; 3]>(), vec(any::<i32>(), 0..4)), 0..4)), 0..4),
    ) {
        let ours = metadata::MetadataResponse {
            brokers: nodes.iter().map(|(id, host, port, rack)| metadata::MetadataResponseBroker {
                node_id: *id,
                host: host.as_str().into(),
                port: *port,
                rack: rack.as_deref().map(Into::into),
                ..Default::default()
            }).collect(),
            cluster_id: cluster.as_deref().map(Into::into),
            controller_id: controller,
            cluster_authorized_operations: operations,
            topics: topics.iter().map(|(name, code, internal, partitions)| {
                metadata::MetadataResponseTopic {
                    error_code: *code,
                    name: Some(name.as_str().into()),
                    is_internal: *internal,
                    partitions: partitions.iter().map(|(ints, replicas)| {
                        metadata::MetadataResponsePartition {
                            partition_index: ints[0],
                            leader_id: ints[1],
                            leader_epoch: ints[2],
                            replica_nodes: replicas.clone(),
                            isr_nodes: replicas.clone(),
                            ..Default::default()
                        }
                    }).collect(),
                    ..Default::default()
                }
            }).collect(),
            ..Default::default()
        };
        let theirs = theirs::MetadataResponse::default()
            .with_brokers(nodes.iter().map(|(id, host, port, rack)| {
                theirs::metadata_response::MetadataResponseBroker::default()
                    .with_node_id(BrokerId(*id))
                    .with_host(their_text(host))
                    .with_port(*port)
                    .with_rack(rack.as_deref().map(their_text))
            }).collect())
            .with_cluster_id(cluster.as_deref().map(their_text))
            .with_controller_id(BrokerId(controller))
            .with_cluster_authorized_operations(operations)
            .with_topics(topics.iter().map(|(name, code, internal, partitions)| {
                theirs::metadata_response::MetadataResponseTopic::default()
                    .with_error_code(*code)
                    .with_name(Some(TopicName(their_text(name))))
                    .with_is_internal(*internal)
                    .with_partitions(partitions.iter().map(|(ints, replicas)| {
                        theirs::metadata_response::MetadataResponsePartition::default()
                            .with_partition_index(ints[0])
                            .with_leader_id(BrokerId(ints[1]))
                            .with_leader_epoch(ints[2])
                            .with_replica_nodes(brokers(replicas))
                            .with_isr_nodes(brokers(replicas))
                    }).collect())
            }).collect());
        agree!(metadata::MetadataResponse, ours, theirs, 8..=10);
    }

    #[test]
    fn list_offsets_requests_agree(
        replica: i32, isolation: i8,
        topics in vec((text(), vec((any::<[i32; 2]>(), any::<i64>()), 0..4)), 0..4),
    ) {
        let ours = list_offsets::ListOffsetsRequest {
            replica_id: replica,
            isolation_level: isolation,
            topics: topics.iter().map(|(name, partitions)| list_offsets::ListOffsetsTopic {
                name: name.as_str().into(),
                partitions: partitions.iter().map(|(ints, timestamp)| {
                    list_offsets::ListOffsetsPartition {
                        partition_index: ints[0],
                        current_leader_epoch: ints[1],
                        timestamp: *timestamp,
                        ..Default::default()
                    }
                }).collect(),
                ..Default::default()
            }).collect(),
            ..Default::default()
        };
        let theirs = theirs::ListOffsetsRequest::default()
            .with_replica_id(BrokerId(replica))
            .with_isolation_level(isolation)
            .with_topics(topics.iter().map(|(name, partitions)| {
                theirs::list_offsets_request::ListOffsetsTopic::default()
                    .with_name(TopicName(their_text(name)))
                    .with_partitions(partitions.iter().map(|(ints, timestamp)| {
                        theirs::list_offsets_request::ListOffsetsPartition::default()
                            .with_partition_index(ints[0])
                            .with_current_leader_epoch(ints[1])
                            .with_timestamp(*timestamp)
                    }).collect())
            }).collect());
        agree!(list_offsets::ListOffsetsRequest, ours, theirs, 4..=9);
    }

    #[test]
    fn create_topics_requests_agree(
        timeout: i32, validate: bool,
        topics in vec((text(), any::<i32>(), any::<i16>(), vec(any::<i32>(), 0..4),
            vec((text(), option::of(text())), 0..3)), 0..4),
    ) {
        let ours = create_topics::CreateTopicsRequest {
            timeout_ms: timeout,
            validate_only: validate,
            topics: topics.iter().map(|(name, partitions, factor, replicas, configs)| {
                create_topics::CreatableTopic {
                    name: name.as_str().into(),
                    num_partitions: *partitions,
                    replication_factor: *factor,
                    assignments: vec![create_topics::CreatableReplicaAssignment {
                        partition_index: *partitions,
                        broker_ids: replicas.clone(),
                        ..Default::default()
                    }],
                    configs: configs.iter().map(|(key, value)| {
                        create_topics::CreatableTopicConfig {
                            name: key.as_str().into(),
                            value: value.as_deref().map(Into::into),
                            ..Default::default()
                        }
                    }).collect(),
                    ..Default::default()
                }
            }).collect(),
            ..Default::default()
        };
        let theirs = theirs::CreateTopicsRequest::default()
            .with_timeout_ms(timeout)
            .with_validate_only(validate)
            .with_topics(topics.iter().map(|(name, partitions, factor, replicas, configs)| {
                theirs::create_topics_request::CreatableTopic::default()
                    .with_name(TopicName(their_text(name)))
                    .with_num_partitions(*partitions)
                    .with_replication_factor(*factor)
                    .with_assignments(vec![
                        theirs::create_topics_request::CreatableReplicaAssignment::default()
                            .with_partition_index(*partitions)
                            .with_broker_ids(brokers(replicas)),
                    ])
                    .with_configs(configs.iter().map(|(key, value)| {
                        theirs::create_topics_request::CreatableTopicConfig::default()
                            .with_name(their_text(key))
                            .with_value(value.as_deref().map(their_text))
                    }).collect())
            }).collect());
        agree!(create_topics::CreateTopicsRequest, ours, theirs, 2..=7);
    }

    #[test]
    fn api_versions_responses_agree(
        error: i16, throttle: i32, keys in vec(any::<[i16; 3]>(), 0..20),
        features in vec((text(), any::<i16>(), any::<i16>()), 0..4), epoch: i64, migrated: bool,
    ) {
        let ours = api_versions::ApiVersionsResponse {
            error_code: error,
            throttle_time_ms: throttle,
            api_keys: keys.iter().map(|key| api_versions::ApiVersion {
                api_key: key[0],
                min_version: key[1],
                max_version: key[2],
                ..Default::default()
            }).collect(),
            finalized_features_epoch: epoch,
            finalized_features: features.iter().map(|(name, min, max)| {
                api_versions::FinalizedFeatureKey {
                    name: name.as_str().into(),
                    max_version_level: *max,
                    min_version_level: *min,
                    ..Default::default()
                }
            }).collect(),
            zk_migration_ready: migrated,
            ..Default::default()
        };
        let theirs = theirs::ApiVersionsResponse::default()
            .with_error_code(error)
            .with_throttle_time_ms(throttle)
            .with_api_keys(keys.iter().map(|key| {
                theirs::api_versions_response::ApiVersion::default()
                    .with_api_key(key[0])
                    .with_min_version(key[1])
                    .with_max_version(key[2])
            }).collect())
            .with_finalized_features_epoch(epoch)
            .with_finalized_features(features.iter().map(|(name, min, max)| {
                theirs::api_versions_response::FinalizedFeatureKey::default()
                    .with_name(their_text(name))
                    .with_max_version_level(*max)
                    .with_min_version_level(*min)
            }).collect())
            .with_zk_migration_ready(migrated);
        agree!(api_versions::ApiVersionsResponse, ours, theirs, 3..=4);
    }

    #[test]
    fn join_group_requests_agree(
        group in text(), member in text(), instance in option::of(text()), timeouts: [i32; 2],
        protocols in vec((text(), vec(any::<u8>(), 0..30)), 0..4), reason in option::of(text()),
    ) {
        let ours = join_group::JoinGroupRequest {
            group_id: group.as_str().into(),
            session_timeout_ms: timeouts[0],
            rebalance_timeout_ms: timeouts[1],
            member_id: member.as_str().into(),
            group_instance_id: instance.as_deref().map(Into::into),
            protocol_type: "consumer".into(),
            protocols: protocols.iter().map(|(name, metadata)| {
                join_group::JoinGroupRequestProtocol {
                    name: name.as_str().into(),
                    metadata: metadata.as_slice().into(),
                    ..Default::default()
                }
            }).collect(),
            reason: reason.as_deref().map(Into::into),
            ..Default::default()
        };
        let theirs = theirs::JoinGroupRequest::default()
            .with_group_id(GroupId(their_text(&group)))
            .with_session_timeout_ms(timeouts[0])
            .with_rebalance_timeout_ms(timeouts[1])
            .with_member_id(their_text(&member))
            .with_group_instance_id(instance.as_deref().map(their_text))
            .with_protocol_type(their_text("consumer"))
            .with_protocols(protocols.iter().map(|(name, metadata)| {
                theirs::join_group_request::JoinGroupRequestProtocol::default()
                    .with_name(their_text(name))
                    .with_metadata(Bytes::from(metadata.clone()))
            }).collect())
            .with_reason(reason.as_deref().map(their_text));
        agree!(join_group::JoinGroupRequest, ours, theirs, 8..=9);
    }
}
