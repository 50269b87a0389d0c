//! A simulated disk: what its readers see, what a power loss leaves, and the changes in between.

use std::io;
use std::path::Path;
use std::rc::Rc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::file_system::{Change, FileSystem, Inode, Node};
use super::image::{DiskImage, Fate, Recording, Step};
use super::page::Payload;
use crate::runtime::random::Random;

/// A change that readers see and that no sync has made durable.
#[derive(Clone)]
pub(super) struct Pending {
    pub(super) number: u64,
    pub(super) change: Rc<Change>,
    /// The operation has ended, so that a sync that starts now covers it.
    pub(super) completed: bool,
    /// A sync failed on it: it counts as clean and no later sync will write it.
    pub(super) abandoned: bool,
}

/// What is durable, and what may or may not survive a loss of power.
#[derive(Clone)]
pub(super) struct Platter {
    pub(super) durable: FileSystem,
    pub(super) pending: Vec<Pending>,
}

impl Platter {
    pub(super) fn take(&mut self, number: u64, change: Rc<Change>) {
        self.pending.push(Pending { number, change, completed: false, abandoned: false });
    }

    /// Makes changes durable, given by their numbers in ascending order.
    pub(super) fn settle(&mut self, numbers: &[u64]) {
        let Some(&first) = numbers.first() else { return };
        let from = self.pending.partition_point(|pending| pending.number < first);
        let later = self.pending.split_off(from);
        let mut kept = std::mem::take(&mut self.pending);
        for pending in later {
            if numbers.binary_search(&pending.number).is_ok() {
                self.supersede(&mut kept, &pending.change);
                self.durable.apply(&pending.change);
            } else {
                kept.push(pending);
            }
        }
        self.pending = kept;
    }

    /// Before `change` becomes durable: what is older and not durable must not undo it later.
    fn supersede(&mut self, older: &mut Vec<Pending>, change: &Change) {
        let file = file_of(change);
        if file.is_some() && older.iter().all(|pending| file_of(&pending.change) != file) {
            return;
        }
        let mut kept = Vec::with_capacity(older.len());
        for pending in older.drain(..) {
            match (pending.change.as_ref(), change) {
                (
                    Change::Write { inode, offset, payload },
                    Change::Write { inode: target, offset: from, payload: newer },
                ) if inode == target => {
                    let (start, end) = (*offset, offset + payload.len() as u64);
                    let (from, to) = (*from, from + newer.len() as u64);
                    if end <= from || to <= start {
                        kept.push(pending);
                    } else {
                        kept.extend(clip(&pending, start..from.max(start)));
                        kept.extend(clip(&pending, to.min(end)..end));
                    }
                }
                (
                    Change::Write { inode, offset, payload },
                    Change::SetLen { inode: target, len },
                ) if inode == target => {
                    let end = offset + payload.len() as u64;
                    if end <= *len {
                        kept.push(pending);
                    } else {
                        kept.extend(clip(&pending, *offset..(*len).max(*offset)));
                    }
                }
                (
                    Change::SetLen { inode, .. },
                    Change::Write { inode: target, .. } | Change::SetLen { inode: target, .. },
                ) if inode == target => self.durable.apply(&pending.change),
                (old, new) if names(old).iter().any(|name| names(new).contains(name)) => {
                    self.durable.apply(old);
                }
                _ => kept.push(pending),
            }
        }
        *older = kept;
    }

    /// From now on no sync makes these durable. Names stay as they are: a kernel that cannot write
    /// them stops the whole file system, and forgets them or has them after that.
    pub(super) fn abandon(&mut self, numbers: &[u64]) {
        for pending in &mut self.pending {
            let is_data = file_of(&pending.change).is_some();
            pending.abandoned |= is_data && numbers.binary_search(&pending.number).is_ok();
        }
    }

    fn covered(&self, wanted: impl Fn(&Change) -> bool) -> Vec<u64> {
        let covered = self
            .pending
            .iter()
            .filter(|pending| pending.completed && !pending.abandoned && wanted(&pending.change));
        covered.map(|pending| pending.number).collect()
    }
}

/// The file whose bytes or length a change is about.
fn file_of(change: &Change) -> Option<Inode> {
    match change {
        Change::Write { inode, .. } | Change::SetLen { inode, .. } => Some(*inode),
        Change::Create { .. } | Change::Remove { .. } | Change::Rename { .. } => None,
    }
}

/// The names that a change of a directory touches.
fn names(change: &Change) -> Vec<(Inode, &str)> {
    match change {
        Change::Create { dir, name, .. } | Change::Remove { dir, name } => vec![(*dir, name)],
        Change::Rename { from, to, .. } => vec![(from.0, &from.1), (to.0, &to.1)],
        Change::Write { .. } | Change::SetLen { .. } => Vec::new(),
    }
}

/// The part of an older write that a newer one leaves alone.
fn clip(pending: &Pending, range: std::ops::Range<u64>) -> Option<Pending> {
    let Change::Write { inode, offset, payload } = pending.change.as_ref() else { return None };
    if range.is_empty() {
        return None;
    }
    let bytes = payload.to_vec();
    let part = &bytes[(range.start - offset) as usize..(range.end - offset) as usize];
    let payload = Payload::new(range.start, part.to_vec());
    let change = Rc::new(Change::Write { inode: *inode, offset: range.start, payload });
    Some(Pending { change, ..pending.clone() })
}

/// What a sync covers.
#[derive(Clone, Copy)]
pub(super) enum Sync {
    File(Inode),
    Dir(Inode),
    All,
}

pub(super) struct Device {
    pub(super) live: FileSystem,
    platter: Platter,
    next_number: u64,
    recording: Option<Recording>,
    open: FxHashMap<Inode, u32>,
    /// The most of them so far.
    open_most: usize,
    /// Open files that no name leads to.
    unlinked: FxHashSet<Inode>,
    locked: FxHashSet<Inode>,
}

impl Device {
    pub(super) fn new() -> Self {
        Device::of(FileSystem::new())
    }

    pub(super) fn of(files: FileSystem) -> Self {
        Device {
            live: files.clone(),
            platter: Platter { durable: files, pending: Vec::new() },
            next_number: 0,
            recording: None,
            open: FxHashMap::default(),
            open_most: 0,
            unlinked: FxHashSet::default(),
            locked: FxHashSet::default(),
        }
    }

    /// The kernel takes a change: readers see it and the end of the process does not undo it.
    pub(super) fn take(&mut self, change: Change) -> u64 {
        let change = Rc::new(change);
        let number = self.next_number;
        self.next_number += 1;
        let replaced = self.replaced(&change);
        self.live.apply(&change);
        self.platter.take(number, Rc::clone(&change));
        if let Some(recording) = &mut self.recording {
            recording.steps.push(Step::Take(number, change));
        }
        if let Some(inode) = replaced {
            self.unlink(inode);
        }
        number
    }

    /// As `take`, for a change that is complete at once.
    pub(super) fn take_completed(&mut self, change: Change) -> u64 {
        let number = self.take(change);
        self.complete(number);
        number
    }

    fn replaced(&self, change: &Change) -> Option<Inode> {
        let (dir, name) = match change {
            Change::Remove { dir, name } => (*dir, name),
            Change::Rename { to, .. } => (to.0, &to.1),
            _ => return None,
        };
        match self.live.node(dir) {
            Some(Node::Dir(names)) => names.get(name).copied(),
            _ => None,
        }
    }

    pub(super) fn complete(&mut self, number: u64) {
        // A write of which a newer one has covered the middle is pending as two.
        let first = self.platter.pending.partition_point(|pending| pending.number < number);
        for pending in &mut self.platter.pending[first..] {
            if pending.number != number {
                break;
            }
            pending.completed = true;
        }
    }

    /// What a sync that starts now will have made durable when it ends.
    pub(super) fn covered(&self, sync: Sync) -> Vec<u64> {
        match sync {
            Sync::All => self.platter.covered(|_| true),
            Sync::File(file) => self.platter.covered(|change| file_of(change) == Some(file)),
            Sync::Dir(directory) => self.platter.covered(|change| match change {
                Change::Create { dir, .. } | Change::Remove { dir, .. } => *dir == directory,
                Change::Rename { to, .. } => to.0 == directory,
                _ => false,
            }),
        }
    }

    pub(super) fn settle(&mut self, numbers: Vec<u64>) {
        self.platter.settle(&numbers);
        if let Some(recording) = &mut self.recording {
            recording.steps.push(Step::Settle(numbers));
        }
    }

    pub(super) fn abandon(&mut self, numbers: &[u64]) {
        self.platter.abandon(numbers);
    }

    pub(super) fn opened(&mut self, inode: Inode) {
        *self.open.entry(inode).or_default() += 1;
        self.open_most = self.open_most.max(self.open.len());
    }

    pub(super) fn is_shared(&self, inode: Inode) -> bool {
        self.open.get(&inode).is_some_and(|count| *count > 1)
    }

    pub(super) fn take_open_most(&mut self) -> usize {
        std::mem::replace(&mut self.open_most, self.open.len())
    }

    pub(super) fn closed(&mut self, inode: Inode) {
        let Some(count) = self.open.get_mut(&inode) else { return };
        *count -= 1;
        if *count == 0 {
            self.open.remove(&inode);
            if self.unlinked.remove(&inode) {
                self.live.forget(inode);
            }
        }
    }

    fn unlink(&mut self, inode: Inode) {
        if self.open.contains_key(&inode) {
            self.unlinked.insert(inode);
        } else {
            self.live.forget(inode);
        }
    }

    pub(super) fn lock(&mut self, inode: Inode) -> bool {
        self.locked.insert(inode)
    }

    pub(super) fn unlock(&mut self, inode: Inode) {
        self.locked.remove(&inode);
    }

    pub(super) fn end_process(&mut self) {
        self.open.clear();
        self.locked.clear();
        for inode in self.unlinked.drain() {
            self.live.forget(inode);
        }
    }

    /// Decides for each change that is not durable whether it survives; returns how many writes
    /// survive in part.
    pub(super) fn lose_power(&mut self, random: &Random) -> usize {
        let share = [0.0, 0.1, 0.5, 0.9, 1.0][random.below(5) as usize];
        let mut files = self.platter.durable.clone();
        let mut torn = 0;
        for pending in &self.platter.pending {
            let fate = match random.chance(share) {
                false => Fate::Lost,
                true if random.chance(0.3) => Fate::torn(&pending.change, random),
                true => Fate::Whole,
            };
            torn += usize::from(matches!(fate, Fate::Torn(_)));
            fate.apply(&mut files, &pending.change);
        }
        files.prune();
        let next_number = self.next_number;
        let recording = self.recording.take();
        *self = Device::of(files);
        self.next_number = next_number;
        if recording.is_some() {
            self.start_recording();
        }
        torn
    }

    pub(super) fn bytes_used(&self) -> u64 {
        self.live.bytes_used()
    }

    /// Turns over bits on the disk, whatever is durable.
    pub(super) fn rot(&mut self, path: &Path, offset: u64, len: usize) -> io::Result<()> {
        let inode = self.live.find(path, true)?;
        for files in [&mut self.live, &mut self.platter.durable] {
            let file = files.file_mut(inode);
            let mut bytes = vec![0; len];
            let count = file.read(offset, &mut bytes);
            bytes.truncate(count);
            for byte in &mut bytes {
                *byte ^= 0x55;
            }
            file.write(offset, &bytes);
        }
        Ok(())
    }

    pub(super) fn live_image(&self) -> DiskImage {
        DiskImage::new(self.live.clone())
    }

    pub(super) fn start_recording(&mut self) {
        self.recording = Some(Recording::new(self.platter.clone()));
    }

    pub(super) fn take_recording(&mut self) -> Recording {
        let afresh = Recording::new(self.platter.clone());
        self.recording.replace(afresh).unwrap_or_else(|| Recording::new(self.platter.clone()))
    }

    pub(super) fn note(&mut self, number: u64) {
        if let Some(recording) = &mut self.recording {
            recording.steps.push(Step::Note(number));
        }
    }
}
