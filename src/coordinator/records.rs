//! The records of `__consumer_offsets`, byte for byte in Kafka's own formats.
//!
//! A key begins with its type (`int16`), a value with its version (`int16`); then follow the fields
//! of Kafka's message definitions, in the wire's encoding:
//!
//! > key 0 and 1: group · topic · partition (`int32`)
//! > key 2: group
//! >
//! > value of keys 0 and 1, versions 0 to 4: offset (`int64`) · leader epoch (`int32`, from 3 on) ·
//! > metadata · commit time (`int64`) · expiry time (`int64`, in 1 only) · tag 0: topic id (from 4 on)
//! >
//! > value of key 2, versions 0 to 4: protocol type · generation (`int32`) · protocol or null ·
//! > leader or null · time of the state (`int64`, from 2 on) · members, each: member id · instance id
//! > or null (from 3 on) · client id · host · rebalance timeout (`int32`, from 1 on) · session timeout
//! > (`int32`) · subscription · assignment
//!
//! Values of version 4 have compact lengths and tagged fields. A record without a value is a
//! tombstone. What is written is what Kafka 4.4 writes: an offset as version 4, with an expiry time as
//! version 1 (which knows neither leader epoch nor topic id), a group as version 3. Bytes after the
//! last known field are passed over, as Kafka does.

use std::borrow::Cow;

use super::group::{GroupMetadata, MemberMetadata};
use crate::model::{LeaderEpoch, Offset, PartitionIndex, TopicId};
use crate::protocol::errors::{DecodeError, EncodeError};
use crate::protocol::reader::Reader;
use crate::protocol::types::{UnknownTags, VersionRange};
use crate::protocol::writer::Writer;

type Decoded<T> = Result<T, DecodeError>;

/// The key of an offset as it was before Kafka 0.9; only read.
const LEGACY_OFFSET_KEY: i16 = 0;
const OFFSET_KEY: i16 = 1;
const GROUP_KEY: i16 = 2;

const OFFSET_VERSIONS: VersionRange = VersionRange { min: 0, max: 4 };
const GROUP_VERSIONS: VersionRange = VersionRange { min: 0, max: 4 };
/// The only version with an expiry time.
const OFFSET_VERSION_EXPIRING: i16 = 1;
const OFFSET_VERSION: i16 = 4;
const GROUP_VERSION: i16 = 3;
/// The least that a member takes, in version 4: six lengths, two timeouts and no tagged fields.
const MEMBER_BYTES_MIN: usize = 15;

/// What a record is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key<'a> {
    /// A committed offset.
    Offset {
        /// The group.
        group: Cow<'a, str>,
        /// The topic's name.
        topic: Cow<'a, str>,
        /// The partition.
        partition: PartitionIndex,
    },
    /// A group's generation.
    Group {
        /// The group.
        group: Cow<'a, str>,
    },
    /// Something of a newer kind of group, by the number of its type.
    Unknown(i16),
}

impl<'a> Key<'a> {
    /// Reads a record's key.
    pub fn decode(bytes: &'a [u8]) -> Decoded<Key<'a>> {
        let mut reader = Reader::new(bytes);
        Ok(match reader.i16()? {
            LEGACY_OFFSET_KEY | OFFSET_KEY => Key::Offset {
                group: reader.string(false)?,
                topic: reader.string(false)?,
                partition: PartitionIndex(reader.i32()?),
            },
            GROUP_KEY => Key::Group { group: reader.string(false)? },
            other => Key::Unknown(other),
        })
    }
}

/// The key of a committed offset.
pub fn offset_key(
    group: &str,
    topic: &str,
    partition: PartitionIndex,
) -> Result<Vec<u8>, EncodeError> {
    let mut writer = Writer::new(Vec::with_capacity(10 + group.len() + topic.len()));
    writer.i16(OFFSET_KEY);
    writer.string(group, false)?;
    writer.string(topic, false)?;
    writer.i32(partition.0);
    Ok(writer.into_parts().0)
}

/// The key of a group's generation.
pub fn group_key(group: &str) -> Result<Vec<u8>, EncodeError> {
    let mut writer = Writer::new(Vec::with_capacity(4 + group.len()));
    writer.i16(GROUP_KEY);
    writer.string(group, false)?;
    Ok(writer.into_parts().0)
}

/// A committed offset as a record holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OffsetValue<'a> {
    /// The offset.
    pub offset: Offset,
    /// The leader epoch of the last record consumed, -1 for none.
    pub leader_epoch: LeaderEpoch,
    /// What the client wants to remember.
    pub metadata: Cow<'a, str>,
    /// When it was committed, in milliseconds since 1970.
    pub committed_ms: i64,
    /// When it expires, where the client has said so.
    pub expires_ms: Option<i64>,
    /// The topic that it is for; the nil id where that is not known.
    pub topic_id: TopicId,
}

impl<'a> OffsetValue<'a> {
    /// Reads a record's value.
    pub fn decode(bytes: &'a [u8]) -> Decoded<OffsetValue<'a>> {
        let mut reader = Reader::new(bytes);
        let version = reader.i16()?;
        reader.check(OFFSET_VERSIONS, version)?;
        let flexible = version >= 4;
        let offset = Offset(reader.i64()?);
        let leader_epoch = LeaderEpoch(if version >= 3 { reader.i32()? } else { -1 });
        let metadata = reader.string(flexible)?;
        let committed_ms = reader.i64()?;
        let expires_ms = if version == OFFSET_VERSION_EXPIRING { reader.i64()? } else { -1 };
        let mut topic_id = TopicId::ZERO;
        let mut section = reader.tag_section(flexible)?;
        while let Some(tag) = reader.tag(&mut section)? {
            match tag {
                0 => topic_id = reader.topic_id()?,
                _ => reader.unknown_tag(&mut section, 1)?,
            }
        }
        let expires_ms = Some(expires_ms).filter(|&expires_ms| expires_ms != -1);
        Ok(OffsetValue { offset, leader_epoch, metadata, committed_ms, expires_ms, topic_id })
    }

    /// The value as it is written. With an expiry time it has neither leader epoch nor topic id.
    pub fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        let mut writer = Writer::new(Vec::with_capacity(48 + self.metadata.len()));
        let version =
            if self.expires_ms.is_some() { OFFSET_VERSION_EXPIRING } else { OFFSET_VERSION };
        let flexible = version >= 4;
        writer.i16(version);
        writer.i64(self.offset.0);
        if version >= 3 {
            writer.i32(self.leader_epoch.0);
        }
        writer.string(&self.metadata, flexible)?;
        writer.i64(self.committed_ms);
        if let Some(expires_ms) = self.expires_ms {
            writer.i64(expires_ms);
        }
        if flexible {
            let known = u32::from(!self.topic_id.is_zero());
            writer.tag_count(known, UnknownTags::default(), flexible, version)?;
            if known == 1 {
                let open = writer.tag_begin(0);
                writer.topic_id(self.topic_id);
                writer.tag_end(open)?;
            }
        }
        Ok(writer.into_parts().0)
    }
}

/// A group's generation as a record holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupValue<'a> {
    protocol_type: Cow<'a, str>,
    generation: i32,
    protocol: Option<Cow<'a, str>>,
    leader: Option<Cow<'a, str>>,
    state_since_ms: i64,
    members: Vec<MemberValue<'a>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct MemberValue<'a> {
    member_id: Cow<'a, str>,
    instance_id: Option<Cow<'a, str>>,
    client_id: Cow<'a, str>,
    client_host: Cow<'a, str>,
    rebalance_timeout_ms: i32,
    session_timeout_ms: i32,
    subscription: Cow<'a, [u8]>,
    assignment: Cow<'a, [u8]>,
}

impl<'a> GroupValue<'a> {
    /// Reads a record's value.
    pub fn decode(bytes: &'a [u8]) -> Decoded<GroupValue<'a>> {
        let mut reader = Reader::new(bytes);
        let version = reader.i16()?;
        reader.check(GROUP_VERSIONS, version)?;
        let flexible = version >= 4;
        let value = GroupValue {
            protocol_type: reader.string(flexible)?,
            generation: reader.i32()?,
            protocol: reader.string_or_null(flexible, true)?,
            leader: reader.string_or_null(flexible, true)?,
            state_since_ms: if version >= 2 { reader.i64()? } else { -1 },
            members: reader.structs(flexible, version, MEMBER_BYTES_MIN, MemberValue::decode)?,
        };
        reader.tags(flexible)?;
        Ok(value)
    }

    /// The generation as the group's state machine knows it.
    pub fn into_metadata(self, group: &str) -> GroupMetadata {
        GroupMetadata {
            group: group.to_owned(),
            protocol_type: self.protocol_type.into_owned(),
            generation: self.generation,
            protocol: self.protocol.map(Cow::into_owned),
            leader: self.leader.map(Cow::into_owned),
            state_since_ms: self.state_since_ms,
            members: self.members.into_iter().map(MemberValue::into_metadata).collect(),
        }
    }
}

impl<'a> MemberValue<'a> {
    fn decode(reader: &mut Reader<'a>, version: i16) -> Decoded<MemberValue<'a>> {
        let flexible = version >= 4;
        let member = MemberValue {
            member_id: reader.string(flexible)?,
            instance_id: match version {
                ..3 => None,
                _ => reader.string_or_null(flexible, true)?,
            },
            client_id: reader.string(flexible)?,
            client_host: reader.string(flexible)?,
            rebalance_timeout_ms: if version >= 1 { reader.i32()? } else { -1 },
            session_timeout_ms: reader.i32()?,
            subscription: reader.bytes(flexible)?,
            assignment: reader.bytes(flexible)?,
        };
        reader.tags(flexible)?;
        Ok(member)
    }

    fn into_metadata(self) -> MemberMetadata {
        MemberMetadata {
            member_id: self.member_id.into_owned(),
            instance_id: self.instance_id.map(Cow::into_owned),
            client_id: self.client_id.into_owned(),
            client_host: self.client_host.into_owned(),
            rebalance_timeout_ms: self.rebalance_timeout_ms,
            session_timeout_ms: self.session_timeout_ms,
            subscription: self.subscription.into_owned(),
            assignment: self.assignment.into_owned(),
        }
    }
}

/// The value of a group's generation as it is written.
pub fn group_value(metadata: &GroupMetadata) -> Result<Vec<u8>, EncodeError> {
    let mut writer = Writer::new(Vec::new());
    writer.i16(GROUP_VERSION);
    writer.string(&metadata.protocol_type, false)?;
    writer.i32(metadata.generation);
    writer.string_or_null(metadata.protocol.as_deref(), false)?;
    writer.string_or_null(metadata.leader.as_deref(), false)?;
    writer.i64(metadata.state_since_ms);
    writer.structs(&metadata.members, false, GROUP_VERSION, |member, writer, _| {
        writer.string(&member.member_id, false)?;
        writer.string_or_null(member.instance_id.as_deref(), false)?;
        writer.string(&member.client_id, false)?;
        writer.string(&member.client_host, false)?;
        writer.i32(member.rebalance_timeout_ms);
        writer.i32(member.session_timeout_ms);
        writer.bytes(&member.subscription, false)?;
        writer.bytes(&member.assignment, false)
    })?;
    Ok(writer.into_parts().0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Written by Kafka 4.4.0's generated classes: a name and the bytes in hexadecimal.
    const VECTORS: &str = include_str!("kafka-4.4.0-records.tsv");

    fn vectors() -> impl Iterator<Item = (&'static str, Vec<u8>)> {
        VECTORS.lines().map(|line| {
            let (name, hex) = line.split_once('\t').unwrap();
            let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
            (name, (0..hex.len()).step_by(2).map(byte).collect())
        })
    }

    fn vector(name: &str) -> Vec<u8> {
        vectors().find(|(other, _)| *other == name).unwrap().1
    }

    fn offset(
        offset: i64,
        leader_epoch: i32,
        metadata: &str,
        expires_ms: Option<i64>,
        topic_id: TopicId,
    ) -> OffsetValue<'_> {
        OffsetValue {
            offset: Offset(offset),
            leader_epoch: LeaderEpoch(leader_epoch),
            metadata: metadata.into(),
            committed_ms: 1_700_000_000_000,
            expires_ms,
            topic_id,
        }
    }

    const TOPIC: TopicId = TopicId([1, 2, 3, 4, 5, 6, 0x47, 8, 0x89, 10, 11, 12, 13, 14, 15, 16]);

    #[test]
    fn keys_are_kafkas() {
        let key = |group: &'static str, topic: &'static str, partition| Key::Offset {
            group: group.into(),
            topic: topic.into(),
            partition: PartitionIndex(partition),
        };
        for (name, expected) in [
            ("key legacy offset", key("g", "t", 7)),
            ("key offset", key("group-1", "grüße", i32::MAX)),
            ("key offset empty", key("", "", 0)),
            ("key group", Key::Group { group: "group-1".into() }),
            ("key other", Key::Unknown(3)),
        ] {
            assert_eq!(Key::decode(&vector(name)).unwrap(), expected, "{name}");
        }
        let partition = PartitionIndex(i32::MAX);
        assert_eq!(offset_key("group-1", "grüße", partition).unwrap(), vector("key offset"));
        assert_eq!(offset_key("", "", PartitionIndex(0)).unwrap(), vector("key offset empty"));
        assert_eq!(group_key("group-1").unwrap(), vector("key group"));
    }

    #[test]
    fn offsets_are_kafkas() {
        const LARGE: i64 = 0x0123_4567_89ab_cdef;
        let zero = TopicId::ZERO;
        // The last column says whether this is a form that is written too.
        for (name, expected, written) in [
            ("offset legacy v0", offset(5, -1, "m", None, zero), false),
            ("offset full v0", offset(LARGE, -1, "über", None, zero), false),
            ("offset full v1", offset(LARGE, -1, "über", Some(1_700_000_600_000), zero), true),
            ("offset full v2", offset(LARGE, -1, "über", None, zero), false),
            ("offset full v3", offset(LARGE, 9, "über", None, zero), false),
            ("offset full v4", offset(LARGE, 9, "über", None, TOPIC), true),
            ("offset plain v4", offset(0, -1, "", None, zero), true),
            ("offset plain v3", offset(0, -1, "", None, zero), false),
            ("offset no expiry v1", offset(3, -1, "", None, zero), false),
        ] {
            assert_eq!(OffsetValue::decode(&vector(name)).unwrap(), expected, "{name}");
            if written {
                assert_eq!(expected.encode().unwrap(), vector(name), "{name}");
            }
        }
    }

    /// The group of the vectors, without the fields that a version does not have yet.
    fn group_metadata(version: i16) -> GroupMetadata {
        let since = |first, value: i32| if version >= first { value } else { -1 };
        let member = |id: &str, client: &str, host: &str, timeouts: (i32, i32)| MemberMetadata {
            member_id: id.into(),
            instance_id: None,
            client_id: client.into(),
            client_host: host.into(),
            rebalance_timeout_ms: since(1, timeouts.0),
            session_timeout_ms: timeouts.1,
            subscription: vec![],
            assignment: vec![],
        };
        let first = MemberMetadata {
            instance_id: (version >= 3).then(|| "i-1".into()),
            subscription: vec![0, 1, 2],
            assignment: vec![3, 0xff],
            ..member("c-1", "c", "/127.0.0.1", (300_000, 45_000))
        };
        GroupMetadata {
            group: "group-1".into(),
            protocol_type: "consumer".into(),
            generation: 42,
            protocol: Some("range".into()),
            leader: Some("c-1".into()),
            state_since_ms: if version >= 2 { 1_700_000_000_000 } else { -1 },
            members: vec![first, member("c-2", "", "/::1", (60_000, 10_000))],
        }
    }

    #[test]
    fn groups_are_kafkas() {
        for version in 0..=4 {
            let empty = GroupMetadata {
                group: "group-1".into(),
                protocol_type: String::new(),
                generation: 0,
                protocol: None,
                leader: None,
                state_since_ms: -1,
                members: vec![],
            };
            for (name, expected) in [("full", group_metadata(version)), ("empty", empty)] {
                let bytes = vector(&format!("group {name} v{version}"));
                let decoded = GroupValue::decode(&bytes).unwrap().into_metadata("group-1");
                assert_eq!(decoded, expected, "{name} v{version}");
                if version == GROUP_VERSION {
                    assert_eq!(group_value(&expected).unwrap(), bytes, "{name}");
                }
            }
        }
    }

    #[test]
    fn every_truncation_is_an_error() {
        for (name, bytes) in vectors() {
            for end in 0..bytes.len() {
                let cut = &bytes[..end];
                let failed = match name.split(' ').next() {
                    // Of a key of unknown type no more is read than its type.
                    Some("key") => Key::decode(cut).is_err() || name == "key other",
                    Some("offset") => OffsetValue::decode(cut).is_err(),
                    _ => GroupValue::decode(cut).is_err(),
                };
                assert!(failed, "{name} cut to {end}");
            }
        }
    }

    #[test]
    fn what_no_version_has_is_refused() {
        for version in [-1i16, 5, i16::MAX] {
            let mut bytes = vector("offset full v3");
            bytes[..2].copy_from_slice(&version.to_be_bytes());
            assert!(OffsetValue::decode(&bytes).is_err(), "offset {version}");
            assert!(GroupValue::decode(&bytes).is_err(), "group {version}");
        }
    }
}
