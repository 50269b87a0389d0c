//! How much memory answers hold until their clients have taken them.
//!
//! A fetch is answered with leases on chunks and with buffers that were read. A client that reads slowly
//! keeps them, so beyond a share of the shard's memory a fetch gets the first batch only, which is what
//! every fetch may get: producers never wait for slow consumers as long as these take one batch each.

use std::cell::Cell;
use std::rc::Rc;

/// A quarter of the memory for records is lent to clients at most.
const SHARE: usize = 4;

/// What all answers of one shard hold.
pub struct AnswerMemory {
    held: Rc<Cell<usize>>,
    bytes_max: usize,
}

/// What one answer holds, until it is dropped.
#[derive(Debug)]
pub struct AnswerHold {
    held: Rc<Cell<usize>>,
    bytes: usize,
}

impl AnswerMemory {
    /// For a shard with so much memory for records.
    pub fn new(arena_bytes: usize) -> AnswerMemory {
        AnswerMemory { held: Rc::default(), bytes_max: arena_bytes / SHARE }
    }

    /// What further answers may hold, of which `lent` bytes are with other shards.
    pub fn allowance(&self, lent: usize) -> usize {
        self.bytes_max.saturating_sub(self.held.get() + lent)
    }

    /// Counts what an answer holds.
    pub fn hold(&self, bytes: usize) -> AnswerHold {
        self.held.set(self.held.get() + bytes);
        AnswerHold { held: self.held.clone(), bytes }
    }
}

impl Drop for AnswerHold {
    fn drop(&mut self) {
        self.held.set(self.held.get() - self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_is_given_back() {
        let memory = AnswerMemory::new(400);
        assert_eq!(memory.allowance(0), 100);
        let (one, other) = (memory.hold(60), memory.hold(30));
        assert_eq!((memory.allowance(0), memory.allowance(5), memory.allowance(50)), (10, 5, 0));
        drop(one);
        assert_eq!(memory.allowance(0), 70);
        // The first batch is given whatever its size.
        let large = memory.hold(1_000);
        assert_eq!(memory.allowance(0), 0);
        drop((other, large));
        assert_eq!(memory.allowance(0), 100);
    }
}
