//! What groups were promised and have seen: generations, assignments, fences and committed offsets.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::plan::{GROUPS, MEMBERS};
use super::register::Register;
use crate::broker::sim::model::Model;
use crate::broker::sim::topics::{self, TopicView};
use crate::model::{LogId, TopicId};

/// What was known of a group when a request was sent to its coordinator.
#[derive(Clone, Copy, Debug)]
pub struct Since {
    now: u64,
    /// The newest generation whose assignment somebody had.
    generation: i32,
    restarts: u64,
}

/// Where a member stands, as it was told itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    pub generation: i32,
    /// The number that the leader gave its assignment.
    pub assignment: u64,
}

/// Which generation an assignment is of, and who owns what in it.
struct Assigned {
    generation: i32,
    /// The client that owns a partition.
    owners: BTreeMap<LogId, usize>,
}

/// One group as its clients know it.
#[derive(Default)]
struct Group {
    offsets: BTreeMap<LogId, Register>,
    /// The newest generation whose assignment somebody has.
    generation: i32,
    /// How often its generations may have begun anew, because the group was deleted or forgotten.
    restarts: u64,
    /// Its deletion was asked for, and may still come.
    deleting: bool,
    /// By the number of the assignment.
    assigned: BTreeMap<u64, Assigned>,
    /// Which assignment a generation has told, and how often the group had restarted when that was asked.
    told: BTreeMap<i32, (u64, u64)>,
    /// The ids of static members that are durable.
    instances: BTreeMap<String, String>,
}

/// Everything that members and operators know.
#[derive(Default)]
pub struct Groups {
    now: u64,
    next_number: u64,
    groups: BTreeMap<&'static str, Group>,
    names: BTreeMap<TopicId, Rc<str>>,
    standings: BTreeMap<usize, Standing>,
    /// The wall clock has jumped beyond the retention.
    jumped: bool,
}

impl Groups {
    fn tick(&mut self) -> u64 {
        self.now += 1;
        self.now
    }

    fn group(&mut self, name: &'static str) -> &mut Group {
        self.groups.entry(name).or_default()
    }

    /// A number that nothing else has.
    pub fn number(&mut self) -> u64 {
        self.next_number += 1;
        self.next_number
    }

    /// Takes the names of topics that a client was told of.
    pub fn learn(&mut self, topics: &[TopicView]) {
        for topic in topics {
            self.names.entry(topic.id).or_insert_with(|| topic.name.clone());
        }
    }

    /// A request is about to be sent.
    pub fn since(&mut self, name: &'static str) -> Since {
        let now = self.tick();
        let group = self.group(name);
        Since { now, generation: group.generation, restarts: group.restarts }
    }

    /// Whether no offset of the group is certainly there: then it may have been forgotten when its last
    /// member left.
    pub fn is_bare(&self, name: &str, model: &Model) -> bool {
        let lives = |log: &LogId| model.partitions.get(log).is_some_and(|found| !found.deleted);
        let Some(group) = self.groups.get(name) else { return true };
        let mut offsets = group.offsets.iter().filter(|(log, _)| lives(log));
        offsets.all(|(_, register)| register.may_be_absent(self.now))
    }

    /// The group's generations may begin anew from now on.
    pub fn restart(&mut self, name: &'static str) {
        let group = self.group(name);
        group.restarts += 1;
        group.generation = 0;
        group.instances.clear();
    }

    /// Checks that an answer to a member of this generation is not of an older one than somebody had
    /// before it was asked.
    fn check_generation(
        &self,
        name: &'static str,
        since: Since,
        generation: i32,
        model: &Model,
    ) -> Result<(), String> {
        let restarted = |group: &Group| group.deleting || group.restarts != since.restarts;
        let may_be_new =
            || self.groups.get(name).is_some_and(restarted) || self.is_bare(name, model);
        if generation >= since.generation || may_be_new() {
            return Ok(());
        }
        Err(format!("generation {generation} is over since {} began", since.generation))
    }

    /// A member has its assignment.
    pub fn synced(
        &mut self,
        (name, index): (&'static str, usize),
        member_id: &str,
        since: Since,
        standing: Standing,
        owned: &BTreeSet<LogId>,
        model: &Model,
    ) -> Result<(), String> {
        let Standing { generation, assignment } = standing;
        self.check_generation(name, since, generation, model)?;
        let bare = self.is_bare(name, model);
        let began_anew = {
            let group = self.group(name);
            let before = group.told.get(&generation);
            let other = before.is_some_and(|(told, _)| *told != assignment);
            since.restarts == group.restarts && (generation < since.generation || other && bare)
        };
        let since = match began_anew {
            true => {
                self.restart(name);
                self.since(name)
            }
            false => since,
        };
        let now = self.tick();
        let group = self.group(name);
        // A late answer may be of the group that was there before, which had its own assignment.
        if restart_free(group, since)
            && let Some((before, restarts)) =
                group.told.insert(generation, (assignment, since.restarts))
            && before != assignment
            && restarts == since.restarts
        {
            return Err(format!("generation {generation} has two assignments"));
        }
        let assigned = group
            .assigned
            .entry(assignment)
            .or_insert_with(|| Assigned { generation, owners: BTreeMap::new() });
        if assigned.generation != generation {
            return Err(format!("{generation} has the assignment of {}", assigned.generation));
        }
        for log in owned {
            let owner = *assigned.owners.entry(*log).or_insert(index);
            if owner != index {
                return Err(format!(
                    "{log} has two owners in generation {generation}: {owner} too"
                ));
            }
        }
        if restart_free(group, since) {
            group.generation = group.generation.max(generation);
        }
        for register in group.offsets.values_mut() {
            register.settle_before(now, generation);
        }
        if let Some(instance) = MEMBERS[index].instance {
            group.instances.insert(instance.to_owned(), member_id.to_owned());
        }
        self.standings.insert(index, standing);
        Ok(())
    }

    /// A member is not in a generation any more, as far as it knows.
    pub fn unsettled(&mut self, index: usize) {
        self.standings.remove(&index);
    }

    /// Offsets are about to be committed; gives each its number.
    pub fn begin_commit(
        &mut self,
        name: &'static str,
        generation: i32,
        offsets: &[(LogId, i64)],
        model: &Model,
    ) -> Vec<u64> {
        // Who is in no group makes a new one where there is none.
        if generation < 0 && self.is_bare(name, model) {
            self.restart(name);
        }
        let may_expire = generation < 0 && self.jumped;
        let now = self.tick();
        let first = self.next_number + 1;
        self.next_number += offsets.len() as u64;
        let group = self.group(name);
        let numbers: Vec<u64> = (first..).take(offsets.len()).collect();
        for ((log, offset), number) in offsets.iter().zip(&numbers) {
            let register = group.offsets.entry(*log).or_default();
            register.begin(now, *number, generation, Some(*offset), may_expire);
        }
        numbers
    }

    /// Topics or offsets are about to go: a group that has no others may be forgotten from now on.
    pub fn note_bare(&mut self, model: &Model) {
        for plan in &GROUPS {
            if self.is_bare(plan.name, model) {
                self.restart(plan.name);
            }
        }
    }

    /// A group is about to be deleted, if nobody is in it.
    pub fn begin_end(&mut self, name: &'static str) {
        self.restart(name);
        self.group(name).deleting = true;
    }

    /// The answer to a group's deletion has come: it is gone, or as it was.
    pub fn end(&mut self, name: &'static str, is_gone: bool) {
        if is_gone {
            self.restart(name);
        }
        self.group(name).deleting = false;
    }

    /// Offsets are about to be deleted.
    pub fn begin_deletion(&mut self, name: &'static str, logs: &[LogId]) -> Vec<u64> {
        let now = self.tick();
        let numbers: Vec<u64> = logs.iter().map(|_| self.number()).collect();
        let group = self.group(name);
        for (log, number) in logs.iter().zip(&numbers) {
            group.offsets.entry(*log).or_default().begin(now, *number, -1, None, false);
        }
        numbers
    }

    /// All partitions for which the group has, or may have, an offset.
    pub fn committed_logs(&self, name: &str) -> Vec<LogId> {
        let group = self.groups.get(name);
        group.map_or_else(Vec::new, |group| group.offsets.keys().copied().collect())
    }

    /// A commit or a deletion was acknowledged, by a member of this generation.
    pub fn acknowledged(
        &mut self,
        name: &'static str,
        since: Since,
        generation: i32,
        (log, number): (LogId, u64),
        model: &Model,
    ) -> Result<(), String> {
        if generation >= 0 {
            self.check_generation(name, since, generation, model)?;
        }
        let now = self.tick();
        if let Some(register) = self.group(name).offsets.get_mut(&log) {
            register.acknowledge(now, number);
        }
        Ok(())
    }

    /// A commit or a deletion was refused.
    pub fn refused(&mut self, name: &'static str, log: LogId, number: u64) {
        if let Some(register) = self.group(name).offsets.get_mut(&log) {
            register.refuse(number);
        }
    }

    /// An offset was read, or none: it is the last that was written, and none of those is lost.
    pub fn read(
        &mut self,
        name: &'static str,
        since: Since,
        log: LogId,
        found: Option<(u64, i64)>,
        model: &Model,
    ) {
        let now = self.tick();
        if model.partitions.get(&log).is_none_or(|partition| partition.deleted) {
            return;
        }
        let register = self.group(name).offsets.entry(log).or_default();
        if let Err(problem) = register.read(since.now, now, found) {
            panic!("group {name}, {log}: {problem}");
        }
    }

    /// Whether this instance certainly has another member id than this one by now.
    pub fn is_fenced(&self, name: &str, instance: &str, member_id: &str) -> bool {
        let group = self.groups.get(name);
        let current = group.and_then(|group| group.instances.get(instance));
        current.is_some_and(|current| current != member_id)
    }

    /// A topic is gone, with its offsets.
    pub fn forget_topic(&mut self, topic: TopicId) {
        for group in self.groups.values_mut() {
            group.offsets.retain(|log, _| log.topic != topic);
        }
    }

    /// The wall clock went ahead by more than the retention.
    pub fn jumped(&mut self) {
        self.jumped = true;
        for plan in &GROUPS {
            self.restart(plan.name);
            for register in self.group(plan.name).offsets.values_mut() {
                register.may_expire();
            }
        }
    }

    /// A process has ended; what it was sent and has not written it never will.
    pub fn ended(&mut self) {
        let now = self.tick();
        for group in self.groups.values_mut() {
            group.deleting = false;
            group.offsets.values_mut().for_each(|register| register.settle(now));
        }
    }

    /// After a start has been read: what was replaced can never be read again.
    pub fn tidy(&mut self) {
        let now = self.tick();
        let standings: BTreeSet<u64> = self.standings.values().map(|it| it.assignment).collect();
        for group in self.groups.values_mut() {
            group.offsets.values_mut().for_each(|register| register.tidy(now));
            // Members that are in their generation still are so in the next process.
            group.assigned.retain(|number, _| standings.contains(number));
        }
    }

    /// The partitions that the group reads.
    fn wanted(&self, topics: &[u64], model: &Model) -> BTreeSet<LogId> {
        let reads = |log: &LogId| {
            let number = self.names.get(&log.topic).and_then(|name| topics::number_of(name));
            number.is_some_and(|number| topics.contains(&number))
        };
        let live = model.partitions.iter().filter(|(_, found)| !found.deleted);
        live.map(|(log, _)| *log).filter(reads).collect()
    }

    /// What keeps a group from having read everything up to `ends`, if anything does: all its members are
    /// in one generation, which has all partitions, and each is read and committed to its end.
    pub fn unfinished(
        &self,
        place: usize,
        ends: &BTreeMap<LogId, i64>,
        model: &Model,
    ) -> Option<String> {
        let plan = &GROUPS[place];
        let members = MEMBERS.iter().enumerate().filter(|(_, member)| member.group == plan);
        let standings: Option<BTreeSet<(i32, u64)>> = members
            .map(|(index, _)| self.standings.get(&index))
            .map(|standing| standing.map(|it| (it.generation, it.assignment)))
            .collect();
        let Some(standings) = standings else {
            return Some("not everybody is in it".into());
        };
        if standings.len() != 1 {
            return Some(format!("it is in several generations: {standings:?}"));
        }
        let group = self.groups.get(plan.name)?;
        let (_, assignment) = standings.first()?;
        let owned = group.assigned.get(assignment).map(|assigned| &assigned.owners);
        for log in self.wanted(plan.topics, model) {
            if owned.is_none_or(|owned| !owned.contains_key(&log)) {
                return Some(format!("nobody reads {log}"));
            }
            let end = ends.get(&log).copied().unwrap_or(0);
            let committed = group.offsets.get(&log).and_then(Register::newest);
            if end > 0 && committed.is_none_or(|committed| committed < end) {
                return Some(format!("{log} is read to {committed:?}, not to {end}"));
            }
        }
        None
    }
}

/// Whether the group's generations have not begun anew since a request was sent.
fn restart_free(group: &Group, since: Since) -> bool {
    group.restarts == since.restarts
}
