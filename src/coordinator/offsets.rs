//! The offsets that one group has committed, and those that it is about to commit.
//!
//! An offset is answered once it is durable; one that is being written is only marked, so that
//! nothing decides about a partition by a value that is about to be replaced.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use super::message::{FetchTopic, FetchedOffset, FetchedTopic};
use super::records::OffsetValue;
use crate::model::{ErrorCode, LeaderEpoch, Offset, PartitionIndex, TopicId};

/// What an offset takes besides its metadata: 96 bytes, its place in a tree, the allocator's share.
const OFFSET_BYTES: usize = 144;
/// What a topic takes besides its name: a map's slot, the first node of a tree.
const TOPIC_BYTES: usize = 256;

/// A committed offset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// The offset.
    pub offset: Offset,
    /// The leader epoch of the last record consumed, -1 for none.
    pub leader_epoch: LeaderEpoch,
    /// The topic that it is for; the nil id where that is not known.
    pub topic_id: TopicId,
    /// When it was committed, in milliseconds since 1970.
    pub committed_ms: i64,
    /// When it expires, where the client has said so.
    pub expires_ms: Option<i64>,
    /// What the client wants to remember.
    pub metadata: Box<str>,
}

impl Committed {
    /// Whether the offset is for the topic with this id; what carries no id is for any.
    fn is_for(&self, topic_id: TopicId) -> bool {
        self.topic_id.is_zero() || topic_id.is_zero() || self.topic_id == topic_id
    }

    /// The offset as a record holds it.
    pub fn value(&self) -> OffsetValue<'_> {
        OffsetValue {
            offset: self.offset,
            leader_epoch: self.leader_epoch,
            metadata: (&*self.metadata).into(),
            committed_ms: self.committed_ms,
            expires_ms: self.expires_ms,
            topic_id: self.topic_id,
        }
    }
}

/// From when on an offset's retention counts (Kafka's `OffsetExpirationCondition`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// It does not: the group may still need all of its offsets.
    Never,
    /// From its commit on.
    SinceCommit,
    /// From this time on, at which the group lost its last member.
    SinceEmpty(i64),
}

impl Expiry {
    fn is_over(self, committed: &Committed, now_ms: i64, retention_ms: i64) -> bool {
        let since_ms = match self {
            Expiry::Never => return false,
            Expiry::SinceCommit => committed.committed_ms,
            Expiry::SinceEmpty(since_ms) => since_ms,
        };
        match committed.expires_ms {
            Some(expires_ms) => now_ms >= expires_ms,
            None => now_ms.saturating_sub(since_ms) >= retention_ms,
        }
    }
}

/// What is known of one partition.
#[derive(Debug, Default)]
struct Entry {
    durable: Option<Committed>,
    /// Writes of this partition's offset, or of its deletion, that are not durable yet.
    in_flight: u32,
    /// The topic that the newest of them is for; none for a deletion.
    newest: Option<TopicId>,
}

impl Entry {
    /// The topic of what the log will hold last of this partition.
    fn topic_at_last(&self) -> Option<TopicId> {
        match self.in_flight {
            0 => self.durable.as_ref().map(|committed| committed.topic_id),
            _ => self.newest,
        }
    }
}

/// The offsets of one group.
#[derive(Debug, Default)]
pub struct GroupOffsets {
    topics: FxHashMap<Box<str>, BTreeMap<PartitionIndex, Box<Entry>>>,
    durable_count: usize,
    bytes: usize,
}

impl GroupOffsets {
    /// What they take in memory, about.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many are durable.
    pub fn durable_count(&self) -> usize {
        self.durable_count
    }

    /// Whether there is nothing, durable or on its way.
    pub fn is_empty(&self) -> bool {
        self.topics.is_empty()
    }

    /// Whether the partition has an offset, durable or on its way.
    pub fn contains(&self, topic: &str, partition: PartitionIndex) -> bool {
        self.topics.get(topic).is_some_and(|entries| entries.contains_key(&partition))
    }

    /// Takes in an offset that is durable.
    pub fn put(&mut self, topic: &str, partition: PartitionIndex, value: &OffsetValue<'_>) {
        let metadata_bytes = value.metadata.len();
        let entry = self.entry(topic, partition);
        let (before, metadata) = match entry.durable.take() {
            Some(old) => (Some(old.metadata.len()), Some(old.metadata)),
            None => (None, None),
        };
        entry.durable = Some(Committed {
            offset: value.offset,
            leader_epoch: value.leader_epoch,
            topic_id: value.topic_id,
            committed_ms: value.committed_ms,
            expires_ms: value.expires_ms,
            // Most commits repeat what the client remembered before.
            metadata: metadata
                .filter(|metadata| **metadata == *value.metadata)
                .unwrap_or_else(|| value.metadata.as_ref().into()),
        });
        self.durable_count += usize::from(before.is_none());
        self.bytes = self.bytes + metadata_bytes - before.unwrap_or(0);
    }

    /// Forgets a durable offset.
    pub fn remove(&mut self, topic: &str, partition: PartitionIndex) {
        let Some(entry) = self.topics.get_mut(topic).and_then(|all| all.get_mut(&partition)) else {
            return;
        };
        if let Some(old) = entry.durable.take() {
            self.durable_count -= 1;
            self.bytes -= old.metadata.len();
        }
        self.drop_if_unused(topic, partition);
    }

    /// Marks that an offset for this topic, or its deletion, is being written.
    pub fn begin(&mut self, topic: &str, partition: PartitionIndex, newest: Option<TopicId>) {
        let entry = self.entry(topic, partition);
        entry.in_flight += 1;
        entry.newest = newest;
    }

    /// Takes a mark away: that write is durable, or has failed.
    pub fn end(&mut self, topic: &str, partition: PartitionIndex) {
        let entries = self.topics.get_mut(topic);
        let entry = entries.and_then(|entries| entries.get_mut(&partition));
        entry.expect("a marked entry stays until its last mark is taken").in_flight -= 1;
        self.drop_if_unused(topic, partition);
    }

    /// The partition's durable offset.
    pub fn get(&self, topic: &str, partition: PartitionIndex) -> Option<&Committed> {
        self.topics.get(topic)?.get(&partition)?.durable.as_ref()
    }

    /// All durable offsets.
    pub fn iter(&self) -> impl Iterator<Item = (&str, PartitionIndex, &Committed)> {
        self.topics.iter().flat_map(|(topic, entries)| {
            entries.iter().filter_map(|(partition, entry)| {
                Some((&**topic, *partition, entry.durable.as_ref()?))
            })
        })
    }

    /// The partitions that have an offset, durable or on its way.
    pub fn partitions(&self) -> impl Iterator<Item = (&str, PartitionIndex)> {
        self.topics
            .iter()
            .flat_map(|(topic, entries)| entries.keys().map(|partition| (&**topic, *partition)))
    }

    /// The partitions whose last offset, durable or on its way, is for this topic; one that carries
    /// no id is for the topic of its name.
    pub fn of_topic(&self, topic: &str, topic_id: TopicId) -> impl Iterator<Item = PartitionIndex> {
        let entries = self.topics.get(topic).into_iter().flatten();
        let is_of_it = move |it: TopicId| it.is_zero() || it == topic_id;
        entries
            .filter(move |(_, entry)| entry.topic_at_last().is_some_and(is_of_it))
            .map(|it| *it.0)
    }

    /// The partitions whose offsets have outlived their retention; `is_read` says whether the group
    /// reads a topic now.
    pub fn expired(
        &self,
        expiry: Expiry,
        now_ms: i64,
        retention_ms: i64,
        is_read: impl Fn(&str) -> bool,
    ) -> Vec<(Box<str>, PartitionIndex)> {
        let mut expired = Vec::new();
        if expiry == Expiry::Never {
            return expired;
        }
        for (topic, entries) in &self.topics {
            if is_read(topic) {
                continue;
            }
            for (partition, entry) in entries {
                let committed = entry.durable.as_ref().filter(|_| entry.in_flight == 0);
                if committed.is_some_and(|it| expiry.is_over(it, now_ms, retention_ms)) {
                    expired.push((topic.clone(), *partition));
                }
            }
        }
        expired
    }

    /// What OffsetFetch answers for these partitions, or for all that have an offset.
    pub fn fetch(&self, topics: Option<Vec<FetchTopic>>) -> Vec<FetchedTopic> {
        match topics {
            Some(topics) => topics.into_iter().map(|asked| self.fetch_topic(asked)).collect(),
            None => self.topics.iter().flat_map(|(topic, all)| whole(topic, all)).collect(),
        }
    }

    fn fetch_topic(&self, asked: FetchTopic) -> FetchedTopic {
        let FetchTopic { topic, topic_id, partitions } = asked;
        let entries = self.topics.get(&*topic);
        let fetch = |partition| {
            let entry = entries.and_then(|entries| entries.get(&partition));
            let committed = entry.and_then(|entry| entry.durable.as_ref());
            fetched(partition, committed.filter(|it| it.is_for(topic_id)))
        };
        let offsets = partitions.into_iter().map(fetch).collect();
        FetchedTopic { topic, topic_id, offsets }
    }

    fn entry(&mut self, topic: &str, partition: PartitionIndex) -> &mut Entry {
        if !self.topics.contains_key(topic) {
            self.topics.insert(topic.into(), BTreeMap::new());
            self.bytes += TOPIC_BYTES + topic.len();
        }
        let entries = self.topics.get_mut(topic).expect("the topic was added where it lacked");
        entries.entry(partition).or_insert_with(|| {
            self.bytes += OFFSET_BYTES;
            Box::default()
        })
    }

    fn drop_if_unused(&mut self, topic: &str, partition: PartitionIndex) {
        let Some(entries) = self.topics.get_mut(topic) else { return };
        if entries.get(&partition).is_some_and(|it| it.durable.is_none() && it.in_flight == 0) {
            entries.remove(&partition);
            self.bytes -= OFFSET_BYTES;
            if entries.is_empty() {
                self.topics.remove(topic);
                self.bytes -= TOPIC_BYTES + topic.len();
            }
        }
    }
}

/// All durable offsets of the topics that have had this name, by their ids.
fn whole(topic: &str, entries: &BTreeMap<PartitionIndex, Box<Entry>>) -> Vec<FetchedTopic> {
    let mut topics: Vec<FetchedTopic> = Vec::new();
    for (partition, entry) in entries {
        let Some(committed) = &entry.durable else { continue };
        let offset = fetched(*partition, Some(committed));
        match topics.iter_mut().find(|it| it.topic_id == committed.topic_id) {
            Some(known) => known.offsets.push(offset),
            None => topics.push(FetchedTopic {
                topic: topic.to_owned(),
                topic_id: committed.topic_id,
                offsets: vec![offset],
            }),
        }
    }
    topics
}

fn fetched(partition: PartitionIndex, committed: Option<&Committed>) -> FetchedOffset {
    FetchedOffset {
        partition,
        offset: committed.map_or(Offset(-1), |it| it.offset),
        leader_epoch: committed.map_or(LeaderEpoch(-1), |it| it.leader_epoch),
        metadata: committed.map_or(String::new(), |it| it.metadata.to_string()),
        code: ErrorCode::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_MS: i64 = 3_600_000;

    fn value(offset: i64, metadata: &str, topic: u8) -> OffsetValue<'_> {
        OffsetValue {
            offset: Offset(offset),
            leader_epoch: LeaderEpoch(1),
            metadata: metadata.into(),
            committed_ms: 10 * HOUR_MS,
            expires_ms: None,
            topic_id: TopicId([topic; 16]),
        }
    }

    const P0: PartitionIndex = PartitionIndex(0);

    #[test]
    fn memory_follows_what_is_committed() {
        let mut offsets = GroupOffsets::default();
        offsets.put("t", P0, &value(1, "abc", 1));
        let with_one = offsets.bytes();
        assert_eq!(with_one, TOPIC_BYTES + 1 + OFFSET_BYTES + 3);
        offsets.put("t", P0, &value(2, "abc", 1));
        assert_eq!(offsets.bytes(), with_one);
        offsets.put("t", P0, &value(3, "abcdef", 1));
        assert_eq!((offsets.bytes(), offsets.durable_count()), (with_one + 3, 1));
        offsets.begin("t", P0, None);
        offsets.remove("t", P0);
        assert_eq!((offsets.durable_count(), offsets.is_empty()), (0, false));
        offsets.end("t", P0);
        assert_eq!((offsets.bytes(), offsets.is_empty()), (0, true));
        offsets.remove("t", P0);
        assert_eq!(offsets.durable_count(), 0);
    }

    #[test]
    fn an_offset_of_another_topic_is_not_returned() {
        // The id that the offset was committed for, the one asked for, whether it is found.
        for (committed, asked, found) in
            [(1, 1, true), (1, 2, false), (0, 2, true), (1, 0, true), (0, 0, true)]
        {
            let mut offsets = GroupOffsets::default();
            offsets.put("t", P0, &value(7, "m", committed));
            let topic_id = TopicId([asked; 16]);
            let asked = FetchTopic { topic: "t".into(), topic_id, partitions: vec![P0] };
            let expected = FetchedOffset {
                partition: P0,
                offset: Offset(if found { 7 } else { -1 }),
                leader_epoch: LeaderEpoch(if found { 1 } else { -1 }),
                metadata: if found { "m".into() } else { String::new() },
                code: ErrorCode::None,
            };
            let expected = FetchedTopic { topic: "t".into(), topic_id, offsets: vec![expected] };
            assert_eq!(offsets.fetch(Some(vec![asked])), [expected], "{committed} {topic_id}");
            // Without a list the offset comes with the id that it was committed for.
            let all = offsets.fetch(None);
            assert_eq!((all.len(), all[0].topic_id), (1, TopicId([committed; 16])));
        }
    }

    #[test]
    fn offsets_of_a_name_that_was_two_topics_are_told_apart() {
        let mut offsets = GroupOffsets::default();
        for (partition, topic) in [(0, 1), (1, 2), (2, 1)] {
            offsets.put("t", PartitionIndex(partition), &value(7, "m", topic));
        }
        let told: Vec<(TopicId, usize)> =
            offsets.fetch(None).iter().map(|topic| (topic.topic_id, topic.offsets.len())).collect();
        assert_eq!(told, [(TopicId([1; 16]), 2), (TopicId([2; 16]), 1)]);
    }

    #[test]
    fn retention_counts_as_kafka_counts_it() {
        let day = 24 * HOUR_MS;
        for (expiry, expires_ms, now_ms, is_read, expired) in [
            (Expiry::SinceCommit, None, 10 * HOUR_MS + day - 1, false, false),
            (Expiry::SinceCommit, None, 10 * HOUR_MS + day, false, true),
            (Expiry::SinceCommit, None, 10 * HOUR_MS + day, true, false),
            (Expiry::SinceEmpty(20 * HOUR_MS), None, 10 * HOUR_MS + day, false, false),
            (Expiry::SinceEmpty(20 * HOUR_MS), None, 20 * HOUR_MS + day, false, true),
            (Expiry::SinceEmpty(HOUR_MS), None, HOUR_MS + day, false, true),
            (Expiry::Never, None, i64::MAX, false, false),
            (Expiry::Never, Some(0), i64::MAX, false, false),
            // What the client has said goes before the broker's setting, longer or shorter.
            (Expiry::SinceCommit, Some(11 * HOUR_MS), 11 * HOUR_MS - 1, false, false),
            (Expiry::SinceCommit, Some(11 * HOUR_MS), 11 * HOUR_MS, false, true),
            (Expiry::SinceEmpty(0), Some(90 * HOUR_MS), 80 * HOUR_MS, false, false),
        ] {
            let mut offsets = GroupOffsets::default();
            offsets.put("t", P0, &OffsetValue { expires_ms, ..value(1, "", 1) });
            let found = offsets.expired(expiry, now_ms, day, |_| is_read);
            assert_eq!(found.len(), usize::from(expired), "{expiry:?} {expires_ms:?} {now_ms}");
            // What is being written anew is not thrown away by its old value.
            offsets.begin("t", P0, None);
            assert!(offsets.expired(expiry, now_ms, day, |_| is_read).is_empty());
        }
    }
}
