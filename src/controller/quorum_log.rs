//! The quorum's log as Raft reads it: in memory, from the last checkpoint on.
//!
//! What is here has been handed to the log store; only what the store has made durable is
//! acknowledged. A checkpoint bounds its length.

use raft::eraftpb::{ConfState, Entry, HardState, Snapshot};
use raft::{GetEntriesContext, RaftState, Storage, StorageError};

/// Entries behind a base, and Raft's own state.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct QuorumLog {
    /// The index of the last entry that is no longer here.
    pub base_index: u64,
    /// Its term.
    pub base_term: u64,
    /// The entries after it, without gaps.
    pub entries: Vec<Entry>,
    /// Term, vote and commit index.
    pub hard_state: HardState,
    /// Who votes.
    pub conf_state: ConfState,
}

/// An entry does not follow the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("entry {index} does not follow entries {base_index} to {last_index}")]
pub struct LogGap {
    index: u64,
    base_index: u64,
    last_index: u64,
}

impl QuorumLog {
    /// An empty log of a cluster with these voters.
    pub fn fresh(voters: Vec<u64>) -> QuorumLog {
        let conf_state = ConfState { voters, ..ConfState::default() };
        QuorumLog { conf_state, ..QuorumLog::default() }
    }

    /// The index of the newest entry.
    pub fn last_index(&self) -> u64 {
        self.base_index + self.entries.len() as u64
    }

    /// Where `index` is in `entries`.
    fn position(&self, index: u64) -> Option<usize> {
        let position = index.checked_sub(self.base_index + 1)? as usize;
        (position < self.entries.len()).then_some(position)
    }

    /// The term of the entry at `index`, the base's included.
    pub fn term_at(&self, index: u64) -> Option<u64> {
        if index == self.base_index {
            return Some(self.base_term);
        }
        self.position(index).map(|position| self.entries[position].term)
    }

    /// Puts an entry at its index; those that were there and behind are replaced.
    pub fn put(&mut self, entry: Entry) -> Result<(), LogGap> {
        let position = match entry.index.checked_sub(self.base_index + 1) {
            Some(position) if position <= self.entries.len() as u64 => position as usize,
            _ => {
                return Err(LogGap {
                    index: entry.index,
                    base_index: self.base_index,
                    last_index: self.last_index(),
                });
            }
        };
        self.entries.truncate(position);
        self.entries.push(entry);
        Ok(())
    }

    /// Forgets entries up to and with `index`, which a checkpoint covers.
    ///
    /// # Panics
    /// If there is no such entry.
    pub fn forget_through(&mut self, index: u64) {
        if index <= self.base_index {
            return;
        }
        self.base_term = self.term_at(index).expect("a checkpoint covers entries of the log");
        self.entries.drain(..(index - self.base_index) as usize);
        self.base_index = index;
    }
}

impl Storage for QuorumLog {
    fn initial_state(&self) -> raft::Result<RaftState> {
        Ok(RaftState { hard_state: self.hard_state.clone(), conf_state: self.conf_state.clone() })
    }

    fn entries(
        &self,
        low: u64,
        high: u64,
        max_size: impl Into<Option<u64>>,
        _context: GetEntriesContext,
    ) -> raft::Result<Vec<Entry>> {
        if low <= self.base_index {
            return Err(StorageError::Compacted.into());
        }
        if high > self.last_index() + 1 {
            return Err(StorageError::Unavailable.into());
        }
        let first = (low - self.base_index - 1) as usize;
        let last = (high - self.base_index - 1) as usize;
        let mut entries = self.entries[first..last].to_vec();
        raft::util::limit_size(&mut entries, max_size.into());
        Ok(entries)
    }

    fn term(&self, index: u64) -> raft::Result<u64> {
        match self.term_at(index) {
            Some(term) => Ok(term),
            None if index < self.base_index => Err(StorageError::Compacted.into()),
            None => Err(StorageError::Unavailable.into()),
        }
    }

    fn first_index(&self) -> raft::Result<u64> {
        Ok(self.base_index + 1)
    }

    fn last_index(&self) -> raft::Result<u64> {
        Ok(QuorumLog::last_index(self))
    }

    /// Snapshots go to other voters only: a lone one is never asked.
    fn snapshot(&self, _request_index: u64, _to: u64) -> raft::Result<Snapshot> {
        Err(StorageError::SnapshotTemporarilyUnavailable.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(index: u64, term: u64) -> Entry {
        Entry { index, term, ..Entry::default() }
    }

    fn log(base_index: u64, terms: &[u64]) -> QuorumLog {
        let mut log = QuorumLog { base_index, base_term: 1, ..QuorumLog::fresh(vec![1]) };
        for (index, term) in (base_index + 1..).zip(terms) {
            log.put(entry(index, *term)).expect("follows");
        }
        log
    }

    #[test]
    fn an_entry_replaces_what_was_there_and_behind() {
        let mut changed = log(5, &[1, 1, 1]);
        changed.put(entry(7, 2)).expect("inside");
        assert_eq!(changed, log(5, &[1, 2]));
        for index in [0, 5, 9] {
            let gap = LogGap { index, base_index: 5, last_index: 7 };
            assert_eq!(changed.put(entry(index, 2)), Err(gap));
        }
    }

    #[test]
    fn what_is_forgotten_keeps_its_last_term() {
        let mut short = log(5, &[1, 2, 3]);
        short.forget_through(7);
        assert_eq!((short.base_index, short.base_term, short.entries.len()), (7, 2, 1));
        short.forget_through(3);
        assert_eq!(short.base_index, 7);
        assert_eq!(short.term_at(7), Some(2));
        assert_eq!(short.term_at(6), None);
        assert_eq!(short.term(6), Err(StorageError::Compacted.into()));
        assert_eq!(short.term(9), Err(StorageError::Unavailable.into()));
    }

    #[test]
    fn raft_reads_ranges() {
        let log = log(5, &[1, 2, 3]);
        let read = |low, high, max: Option<u64>| {
            let entries = log.entries(low, high, max, GetEntriesContext::empty(false))?;
            Ok::<_, raft::Error>(entries.iter().map(|entry| entry.index).collect::<Vec<_>>())
        };
        assert_eq!(read(6, 9, None), Ok(vec![6, 7, 8]));
        assert_eq!(read(7, 8, None), Ok(vec![7]));
        assert_eq!(read(6, 9, Some(0)), Ok(vec![6]));
        assert_eq!(read(5, 9, None), Err(StorageError::Compacted.into()));
        assert_eq!(read(6, 10, None), Err(StorageError::Unavailable.into()));
    }
}
