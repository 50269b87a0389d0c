//! What is on its way to the disk and what has arrived: pure bookkeeping of sequences.
//!
//! A frame goes out in one of two ways. *Commit*: durable when it completes; only while everything
//! before it is durable or itself such a commit. *Write*: handed to the kernel without a flush;
//! everything written so becomes durable by a *sync* of its files that starts after the writes
//! have completed. A device flushes with a later commit what had completed before, but one that
//! writes through to the medium (FUA) does not, so no commit is trusted for an earlier write.
//! Watermarks only move over a gapless run of frames, whatever completes first; and not past an
//! entry that is *held*, because what it speaks of is still being written elsewhere.

use std::collections::VecDeque;

#[cfg(test)]
use crate::runtime::sim::{Planted, is_planted};

use super::entry::Sequence;

/// How a frame goes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Durable when it completes.
    Commit,
    /// Written without a flush.
    Write,
}

/// Names a frame in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlightId(u64);

struct Flight {
    last: Sequence,
    way: Way,
    durable: bool,
    accepted: bool,
    mirrored: bool,
    written: bool,
}

/// A sync that has to run now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncPass {
    /// Every sequence up to here is durable when it succeeds.
    pub through: Sequence,
    /// The files to sync.
    pub files: Vec<u16>,
}

/// Frames in flight and the three watermarks.
#[derive(Default)]
pub struct Ledger {
    flights: VecDeque<Flight>,
    /// The id of the oldest flight.
    first_id: u64,
    durable_in_flight: usize,
    submitted: Sequence,
    accepted: Sequence,
    /// Entries that were not submitted and that the mirror has.
    mirrored: Sequence,
    written: Sequence,
    durable: Sequence,
    /// Demanded sequences that wait for a sync, ascending.
    sync_wanted: VecDeque<Sequence>,
    syncing: bool,
    /// Files with writes that no sync has covered, with the last sequence of each.
    dirty: Vec<(u16, Sequence)>,
    /// Entries that wait for a write elsewhere, ascending, and whether it is durable.
    held: VecDeque<(Sequence, bool)>,
}

impl Ledger {
    /// Everything up to here has been submitted.
    pub fn submitted_through(&self) -> Sequence {
        self.submitted
    }

    /// Everything up to here survives the process.
    pub fn accepted_through(&self) -> Sequence {
        self.before_held(self.accepted)
    }

    /// Everything up to here has completed its write.
    pub fn written_through(&self) -> Sequence {
        self.written
    }

    /// Everything up to here survives the machine.
    pub fn durable_through(&self) -> Sequence {
        self.before_held(self.durable)
    }

    /// An entry, the newest of all, waits for a write elsewhere.
    pub fn hold(&mut self, sequence: Sequence) {
        assert!(self.held.back().is_none_or(|&(held, _)| held < sequence), "sequences only rise");
        self.held.push_back((sequence, false));
    }

    /// What an entry has waited for is durable.
    pub fn release(&mut self, sequence: Sequence) {
        if let Ok(index) = self.held.binary_search_by_key(&sequence, |&(held, _)| held) {
            self.held[index].1 = true;
        }
        while self.held.front().is_some_and(|&(_, is_released)| is_released) {
            self.held.pop_front();
        }
    }

    fn before_held(&self, through: Sequence) -> Sequence {
        self.held.front().map_or(through, |&(held, _)| through.min(Sequence(held.0 - 1)))
    }

    /// Frames in flight.
    pub fn in_flight(&self) -> usize {
        self.flights.len()
    }

    /// Frames in flight that somebody waits to be durable.
    pub fn durable_in_flight(&self) -> usize {
        self.durable_in_flight
    }

    /// A frame goes out to a file.
    pub fn submit(&mut self, last: Sequence, durable: bool, file: u16) -> (FlightId, Way) {
        assert!(last > self.submitted, "sequences only rise");
        let way = if durable && self.dirty.is_empty() { Way::Commit } else { Way::Write };
        self.submitted = last;
        self.durable_in_flight += usize::from(durable);
        let (accepted, mirrored, written) = (false, false, false);
        self.flights.push_back(Flight { last, way, durable, accepted, mirrored, written });
        if way == Way::Write {
            match self.dirty.iter_mut().find(|(dirty, _)| *dirty == file) {
                Some((_, through)) => *through = last,
                None => self.dirty.push((file, last)),
            }
            if durable {
                self.sync_wanted.push_back(last);
            }
        }
        (FlightId(self.first_id + self.flights.len() as u64 - 1), way)
    }

    /// Somebody waits until a sequence that was submitted is durable.
    pub fn demand_durable(&mut self, sequence: Sequence) {
        let commits = self.dirty.is_empty();
        let covered = self.sync_wanted.back().is_some_and(|&wanted| wanted >= sequence);
        if !commits && !covered && sequence > self.durable {
            self.sync_wanted.push_back(sequence);
        }
    }

    /// The kernel has consumed a write: the process may die.
    pub fn accepted(&mut self, id: FlightId) {
        if let Some(flight) = self.flight(id) {
            flight.accepted = true;
        }
        self.advance_accepted();
    }

    /// The mirror has all of a frame that was submitted, until it is written.
    pub fn is_mirrored(&mut self, id: FlightId) {
        if let Some(flight) = self.flight(id) {
            flight.mirrored = true;
        }
        self.advance_accepted();
    }

    /// The mirror has everything up to here that was not submitted yet.
    pub fn mirrored(&mut self, through: Sequence) {
        self.mirrored = through;
        self.advance_accepted();
    }

    /// Recovery reads the files as far as they go without a gap, and goes on in the mirror from there: a frame in the
    /// files behind one that only the mirror has is not reached.
    fn advance_accepted(&mut self) {
        let in_files = self.flights.iter().take_while(|flight| flight.accepted).count();
        let in_mirror = self.flights.iter().skip(in_files).take_while(|flight| flight.mirrored);
        let count = in_files + in_mirror.count();
        #[cfg(test)]
        let count = if is_planted(Planted::TrustMirror) { self.flights.len() } else { count };
        let through = match count.checked_sub(1).and_then(|last| self.flights.get(last)) {
            _ if count == self.flights.len() => self.submitted.max(self.mirrored),
            Some(flight) => flight.last,
            None => Sequence::NONE,
        };
        self.accepted = self.accepted.max(through);
    }

    /// A frame has completed without an error.
    pub fn completed(&mut self, id: FlightId) {
        if let Some(flight) = self.flight(id) {
            flight.written = true;
        }
        self.accepted(id);
        while self.flights.front().is_some_and(|flight| flight.written) {
            let Some(flight) = self.flights.pop_front() else { break };
            self.first_id += 1;
            self.durable_in_flight -= usize::from(flight.durable);
            self.written = flight.last;
            if flight.way == Way::Commit {
                self.durable = self.durable.max(flight.last);
            }
        }
    }

    /// The sync that has to start now, if any.
    pub fn next_sync(&mut self) -> Option<SyncPass> {
        if self.syncing || self.sync_wanted.front().is_none_or(|&wanted| wanted > self.written) {
            return None;
        }
        self.syncing = true;
        let files = self.dirty.iter().map(|&(file, _)| file).collect();
        Some(SyncPass { through: self.written, files })
    }

    /// A sync has succeeded.
    pub fn synced(&mut self, pass: &SyncPass) {
        self.syncing = false;
        self.durable = self.durable.max(pass.through);
        self.dirty.retain(|&(_, last)| last > pass.through);
        while self.sync_wanted.front().is_some_and(|&wanted| wanted <= pass.through) {
            self.sync_wanted.pop_front();
        }
    }

    /// A file's sequences are all covered by a checkpoint: nobody needs them durable here.
    pub fn released(&mut self, file: u16) {
        self.dirty.retain(|&(dirty, _)| dirty != file);
    }

    fn flight(&mut self, id: FlightId) -> Option<&mut Flight> {
        let index = id.0.checked_sub(self.first_id)?;
        self.flights.get_mut(usize::try_from(index).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watermarks(ledger: &Ledger) -> [u64; 3] {
        [ledger.accepted_through().0, ledger.written_through().0, ledger.durable_through().0]
    }

    #[test]
    fn what_is_held_holds_up_everything_after_it() {
        let mut ledger = Ledger::default();
        ledger.hold(Sequence(2));
        ledger.hold(Sequence(4));
        let (one, _) = ledger.submit(Sequence(5), true, 0);
        assert_eq!(watermarks(&ledger), [0, 0, 0]);
        ledger.completed(one);
        assert_eq!(watermarks(&ledger), [1, 5, 1]);
        ledger.release(Sequence(4));
        ledger.release(Sequence(3));
        assert_eq!(watermarks(&ledger), [1, 5, 1]);
        ledger.release(Sequence(2));
        assert_eq!(watermarks(&ledger), [5, 5, 5]);
        ledger.hold(Sequence(6));
        ledger.release(Sequence(6));
        let (two, _) = ledger.submit(Sequence(6), true, 0);
        assert_eq!(watermarks(&ledger), [5, 5, 5], "its own frame is not there yet");
        ledger.completed(two);
        assert_eq!(watermarks(&ledger), [6, 6, 6]);
    }

    #[test]
    fn commits_are_released_in_order() {
        let mut ledger = Ledger::default();
        let (one, way) = ledger.submit(Sequence(3), true, 0);
        assert_eq!(way, Way::Commit);
        let (two, _) = ledger.submit(Sequence(5), true, 0);
        ledger.completed(two);
        assert_eq!(watermarks(&ledger), [0, 0, 0]);
        assert_eq!(ledger.durable_in_flight(), 2);
        ledger.completed(one);
        assert_eq!(watermarks(&ledger), [5, 5, 5]);
        assert_eq!(ledger.next_sync(), None);
    }

    #[test]
    fn a_durable_frame_behind_writes_waits_for_a_sync_of_them() {
        let mut ledger = Ledger::default();
        let (one, way) = ledger.submit(Sequence(1), false, 0);
        assert_eq!(way, Way::Write);
        let (two, way) = ledger.submit(Sequence(2), true, 1);
        assert_eq!(way, Way::Write);
        ledger.completed(two);
        assert_eq!(ledger.next_sync(), None, "the first write is still in flight");
        ledger.accepted(one);
        assert_eq!(watermarks(&ledger), [2, 0, 0]);
        ledger.completed(one);
        assert_eq!(watermarks(&ledger), [2, 2, 0]);
        let pass = ledger.next_sync().expect("a sync is due");
        assert_eq!(pass, SyncPass { through: Sequence(2), files: vec![0, 1] });
        assert_eq!(ledger.next_sync(), None, "one at a time");
        // What is written during the sync is not covered by it.
        let (three, way) = ledger.submit(Sequence(3), true, 1);
        assert_eq!(way, Way::Write);
        ledger.completed(three);
        ledger.synced(&pass);
        assert_eq!(watermarks(&ledger), [3, 3, 2]);
        let pass = ledger.next_sync().expect("the later frame needs one too");
        assert_eq!(pass, SyncPass { through: Sequence(3), files: vec![1] });
        ledger.synced(&pass);
        let (_, way) = ledger.submit(Sequence(4), true, 1);
        assert_eq!(way, Way::Commit, "nothing unsynced is left");
    }

    #[test]
    fn a_demand_after_submission_brings_a_sync() {
        let mut ledger = Ledger::default();
        let (one, _) = ledger.submit(Sequence(4), false, 0);
        ledger.demand_durable(Sequence(2));
        ledger.demand_durable(Sequence(1));
        assert_eq!(ledger.next_sync(), None);
        ledger.completed(one);
        let pass = ledger.next_sync().expect("a sync is due");
        ledger.synced(&pass);
        assert_eq!(ledger.durable_through(), Sequence(4));
        ledger.demand_durable(Sequence(4));
        assert_eq!(ledger.next_sync(), None);
    }

    #[test]
    fn the_mirror_counts_behind_what_the_files_have() {
        let mut ledger = Ledger::default();
        ledger.mirrored(Sequence(2));
        assert_eq!(watermarks(&ledger), [2, 0, 0]);
        let (one, _) = ledger.submit(Sequence(3), false, 0);
        assert_eq!(watermarks(&ledger), [2, 0, 0], "the third came too late for the mirror");
        ledger.accepted(one);
        assert_eq!(watermarks(&ledger), [3, 0, 0]);
        let (two, _) = ledger.submit(Sequence(4), false, 0);
        ledger.is_mirrored(two);
        assert_eq!(watermarks(&ledger), [4, 0, 0]);
        let (three, _) = ledger.submit(Sequence(5), false, 0);
        ledger.accepted(three);
        assert_eq!(watermarks(&ledger), [4, 0, 0], "the files may lack the fourth");
        ledger.mirrored(Sequence(6));
        assert_eq!(watermarks(&ledger), [4, 0, 0]);
        ledger.accepted(two);
        assert_eq!(watermarks(&ledger), [6, 0, 0]);
        for id in [one, two, three] {
            ledger.completed(id);
        }
        assert_eq!(watermarks(&ledger), [6, 5, 0]);
    }

    #[test]
    fn a_released_file_needs_no_sync() {
        let mut ledger = Ledger::default();
        let (one, _) = ledger.submit(Sequence(1), false, 0);
        ledger.completed(one);
        ledger.released(0);
        let (_, way) = ledger.submit(Sequence(2), true, 1);
        assert_eq!(way, Way::Commit);
    }
}
