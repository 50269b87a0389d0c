//! Deletions that the broker does by itself: offsets that nobody needs any more, and those of topics
//! that are deleted. They go on a piece at a time, so that a million groups hold up nobody.

use std::rc::Rc;
use std::vec;

use super::writes::{Draft, Then};
use super::{GroupPartition, Moment, PartitionAction};
use crate::model::limits::COORDINATOR_WRITES_BYTES_MAX;
use crate::model::{PartitionIndex, TopicId};

/// Offsets, and groups, that one step looks at.
const LOOKS_PER_STEP: usize = 10_000;
/// What a sweep leaves to others of the bytes that may be on their way to the log.
const SWEEP_WRITES_BYTES_MAX: usize = COORDINATOR_WRITES_BYTES_MAX / 2;

/// What is looked for in all groups, and where it has come.
pub(super) struct Sweep {
    aim: Aim,
    /// The groups that are still to be looked at; none before the sweep has begun.
    groups: Option<vec::IntoIter<Rc<str>>>,
}

enum Aim {
    /// Offsets past their retention, and groups that keep nothing.
    Expired,
    /// Offsets of deleted topics.
    Topics(Vec<(String, TopicId)>),
}

impl GroupPartition {
    /// Begins to look for what has expired, unless that is going on.
    pub(super) fn sweep_expired(&mut self) {
        if !self.sweeps.iter().any(|sweep| matches!(sweep.aim, Aim::Expired)) {
            self.sweeps.push_back(Sweep { aim: Aim::Expired, groups: None });
        }
    }

    /// Begins to look for a deleted topic's offsets.
    pub(super) fn sweep_topic(&mut self, topic: String, id: TopicId) {
        let waiting = self.sweeps.iter_mut().find_map(|sweep| match &mut sweep.aim {
            Aim::Topics(topics) if sweep.groups.is_none() => Some(topics),
            _ => None,
        });
        match waiting {
            Some(topics) => topics.push((topic, id)),
            None => {
                let aim = Aim::Topics(vec![(topic, id)]);
                self.sweeps.push_back(Sweep { aim, groups: None });
            }
        }
    }

    /// Goes on with what is looked for.
    pub(super) fn sweep(&mut self, at: Moment, out: &mut Vec<PartitionAction>) {
        self.sweep_at = None;
        if !self.loaded {
            return;
        }
        let mut draft = Draft::new(at.now_ms);
        let mut looks = 0;
        while let Some(mut sweep) = self.sweeps.pop_front() {
            let mut groups = sweep.groups.take().unwrap_or_else(|| self.group_ids());
            while looks < LOOKS_PER_STEP && self.writes_bytes < SWEEP_WRITES_BYTES_MAX {
                let Some(id) = groups.next() else { break };
                looks += match &sweep.aim {
                    Aim::Expired => self.expire(at, &mut draft, &id, out),
                    Aim::Topics(topics) => self.forget_topics(&mut draft, &id, topics, out),
                };
            }
            if groups.len() > 0 {
                sweep.groups = Some(groups);
                self.sweeps.push_front(sweep);
                // With too much on its way to the log the next report of a write goes on.
                if looks >= LOOKS_PER_STEP {
                    self.sweep_at = Some(at.now);
                }
                break;
            }
        }
        if !draft.is_empty() {
            self.submit(draft, Then::Nothing, out);
        }
    }

    fn group_ids(&self) -> vec::IntoIter<Rc<str>> {
        self.groups.keys().cloned().collect::<Vec<_>>().into_iter()
    }

    /// Deletes what has expired of one group, and the group if nothing is left; how much it looked at.
    fn expire(
        &mut self,
        at: Moment,
        draft: &mut Draft,
        id: &Rc<str>,
        out: &mut Vec<PartitionAction>,
    ) -> usize {
        let Some(held) = self.groups.get(id) else { return 1 };
        let durable_count = held.offsets.durable_count();
        let retention_ms = self.settings.offsets_retention_ms;
        let is_read = |topic: &str| held.reads(topic);
        let expired = held.offsets.expired(held.expiry(), at.now_ms, retention_ms, is_read);
        let is_over = expired.len() == durable_count
            && held.changes_in_flight == 0
            && held.is_unattended()
            && held.can_be_deleted().is_ok();
        let is_durable = durable_count > 0 || held.generation.is_some();
        self.bury_offsets(draft, id, expired, Then::Nothing, out);
        if is_over && is_durable {
            self.bury_group(at, draft, id, Then::Nothing, out);
        } else if is_over {
            self.drop_if_hollow(id);
        }
        1 + durable_count
    }

    /// Deletes one group's offsets of deleted topics; how much it looked at.
    fn forget_topics(
        &mut self,
        draft: &mut Draft,
        id: &Rc<str>,
        topics: &[(String, TopicId)],
        out: &mut Vec<PartitionAction>,
    ) -> usize {
        let Some(held) = self.groups.get(id) else { return 1 };
        let mut gone: Vec<(Box<str>, PartitionIndex)> = Vec::new();
        for (topic, topic_id) in topics {
            let partitions = held.offsets.of_topic(topic, *topic_id);
            gone.extend(partitions.map(|partition| (topic.as_str().into(), partition)));
        }
        let looks = topics.len() + gone.len();
        self.bury_offsets(draft, id, gone, Then::Nothing, out);
        looks
    }
}
