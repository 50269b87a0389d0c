//! Whole histories of a partition against a model, one seed each: writes that succeed, fail and are
//! still on their way, deletions, expiry, restarts from the log and from snapshots.

use std::collections::BTreeMap;

use super::tests::{HOUR_MS, Rig, commit, fetch, part, settings, topic_id};
use super::*;
use crate::coordinator::message::*;
use crate::model::{LeaderEpoch, Offset};
use crate::record::BatchView;

const GROUPS: [&str; 4] = ["a", "b", "c", "d"];

/// Numbers from a seed (splitmix64).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }

    fn pick<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len() as u64) as usize]
    }
}

/// What a request on its way will have changed.
enum Promise {
    Commit(String, Vec<(String, i32, i64)>),
    Delete(String),
    DeleteOffsets(String, Vec<(String, i32)>),
}

type Model = BTreeMap<(String, String, i32), i64>;

struct History {
    random: Random,
    rig: Rig,
    promises: Vec<(Ticket, Promise)>,
    /// The offsets that were answered, and may not be lost.
    model: Model,
    next_offset: i64,
}

impl History {
    fn new(seed: u64) -> History {
        let (random, rig) = (Random(seed), Rig::new());
        History { random, rig, promises: Vec::new(), model: Model::new(), next_offset: 0 }
    }

    fn commit(&mut self) {
        let group = self.random.pick(&GROUPS);
        let mut request = commit(group, 0);
        request.offsets.clear();
        let mut promised = Vec::new();
        for _ in 0..=self.random.below(3) {
            self.next_offset += 1;
            let topic = self.random.pick(&["t", "u"]);
            let partition = self.random.below(3) as i32;
            request.offsets.push(part(topic, partition, self.next_offset));
            promised.push((topic.to_owned(), partition, self.next_offset));
        }
        let ticket = self.rig.send(Request::Commit(request));
        self.promises.push((ticket, Promise::Commit(group.into(), promised)));
    }

    fn delete(&mut self) {
        let group = self.random.pick(&GROUPS);
        let (request, promise) = if self.random.below(2) == 0 {
            (Request::Delete(group.into()), Promise::Delete(group.into()))
        } else {
            let partition = self.random.below(3) as i32;
            let partitions = vec![("t".to_owned(), PartitionIndex(partition))];
            let promised = vec![("t".to_owned(), partition)];
            let request = DeleteOffsets { group: group.into(), partitions };
            (Request::DeleteOffsets(request), Promise::DeleteOffsets(group.into(), promised))
        };
        let ticket = self.rig.send(request);
        self.promises.push((ticket, promise));
    }

    /// Takes answers in the order of their requests, which is the order of their writes.
    fn take_answers(&mut self) {
        let answers = &mut self.rig.answers;
        for (ticket, promise) in std::mem::take(&mut self.promises) {
            let Some(answer) = answers.remove(&ticket) else {
                self.promises.push((ticket, promise));
                continue;
            };
            match (promise, answer) {
                (Promise::Commit(group, offsets), Answer::Commit(codes)) => {
                    for ((topic, partition, offset), code) in offsets.into_iter().zip(codes) {
                        if code.is_none() {
                            self.model.insert((group.clone(), topic, partition), offset);
                        }
                    }
                }
                (Promise::Delete(group), Answer::Delete(ErrorCode::None)) => {
                    self.model.retain(|key, _| key.0 != group);
                }
                (Promise::DeleteOffsets(group, partitions), Answer::DeleteOffsets(Ok(_))) => {
                    for (topic, partition) in partitions {
                        self.model.remove(&(group.clone(), topic, partition));
                    }
                }
                (_, Answer::Commit(_) | Answer::Delete(_) | Answer::DeleteOffsets(Err(_))) => {}
                (_, answer) => panic!("{answer:?}"),
            }
        }
    }

    /// A deletion overtakes no commit that was answered before it was asked for, and a commit that is
    /// on its way when a deletion is asked for may be gone with it: so compare when nothing is.
    fn is_at_rest(&self) -> bool {
        self.promises.is_empty() && self.rig.writes.is_empty()
    }

    fn restart(&mut self) {
        // What was on its way is lost with the process, and so are those who waited.
        let mut rig = Rig::after(self.rig.log.clone());
        rig.now_ms = self.rig.now_ms;
        self.rig = rig;
        self.promises.clear();
    }

    fn run(&mut self, steps: usize) {
        for _ in 0..steps {
            match self.random.below(20) {
                0..8 => self.commit(),
                8 => self.delete(),
                9 => {
                    self.rig.now_ms += HOUR_MS;
                    self.rig.step(PartitionEvent::ExpireOffsets);
                }
                10 => {
                    // Of a topic that nobody has committed for: nothing may go.
                    let topic = self.random.pick(&["t", "u"]).into();
                    self.rig.step(PartitionEvent::TopicDeleted { topic, id: topic_id(9) });
                }
                11 => {
                    let group = self.random.pick(&GROUPS);
                    let ticket = self.rig.send(fetch(group, 1, true));
                    self.rig.step(PartitionEvent::Gone(ticket));
                    self.rig.answers.remove(&ticket);
                }
                12 if !self.rig.writes.is_empty() => {
                    self.rig.end_write(Err(ErrorCode::NotEnoughReplicas));
                }
                13 if self.is_at_rest() => self.restart(),
                14 => {
                    self.rig.settle();
                    self.rig.answers.retain(|ticket, _| {
                        self.promises.iter().any(|(promised, _)| promised == ticket)
                    });
                }
                _ if !self.rig.writes.is_empty() => self.rig.end_write(Ok(())),
                _ => {}
            }
            self.take_answers();
            if self.random.below(8) == 0 {
                self.check();
            }
        }
        self.check();
    }

    /// What the partition holds is what its log gives, and what was promised is in it.
    fn check(&mut self) {
        let held = self.rig.partition.snapshot(Offset(0));
        assert_eq!(held, self.rig.replayed());
        let half = self.rig.log.len() / 2;
        let mut first = GroupPartition::new(settings());
        self.rig.log[..half].iter().for_each(|batch| first.replay(batch).expect("a written batch"));
        let snapshot = first.snapshot(Offset(half as i64));
        let (mut again, through) =
            GroupPartition::from_snapshot(&snapshot, settings()).expect("a snapshot");
        assert_eq!(through, Offset(half as i64));
        self.rig.log[half..].iter().for_each(|batch| again.replay(batch).expect("a written batch"));
        assert_eq!(again.snapshot(Offset(0)), held, "a snapshot and the rest");
        if !self.is_at_rest() {
            return;
        }
        let mut found = Model::new();
        for (group, held) in &self.rig.partition.groups {
            for (topic, partition, committed) in held.offsets.iter() {
                assert_eq!(committed.leader_epoch, LeaderEpoch(3));
                let key = (group.to_string(), topic.to_owned(), partition.0);
                found.insert(key, committed.offset.0);
            }
        }
        assert_eq!(found, self.model);
        let bytes = self.rig.partition.groups.iter().map(|(id, held)| held.bytes(id));
        assert_eq!(self.rig.partition.bytes, bytes.sum::<usize>());
    }
}

#[test]
fn every_history_ends_in_what_was_promised() {
    for seed in 0..40 {
        let mut history = History::new(seed);
        history.run(200);
        assert!(history.rig.log.iter().all(|batch| BatchView::parse(batch).is_ok()));
    }
}
