//! What the groups of all partitions that a shard leads take in memory, and how much more they may.

use std::cell::Cell;
use std::rc::Rc;

/// One sum for a shard.
pub struct GroupMemory {
    used_bytes: Cell<usize>,
    bytes_max: usize,
}

impl GroupMemory {
    /// Groups that take nothing yet, and together may take so much.
    pub fn new(bytes_max: usize) -> Rc<GroupMemory> {
        Rc::new(GroupMemory { used_bytes: Cell::new(0), bytes_max })
    }

    /// A share of it for one partition.
    pub fn share(self: &Rc<Self>) -> GroupMemoryShare {
        GroupMemoryShare { whole: self.clone(), used_bytes: Cell::new(0) }
    }
}

/// What one partition's groups take; it is given back when this is dropped.
pub struct GroupMemoryShare {
    whole: Rc<GroupMemory>,
    used_bytes: Cell<usize>,
}

impl GroupMemoryShare {
    /// How many bytes more there are for whoever comes first.
    pub fn room(&self) -> usize {
        self.whole.bytes_max.saturating_sub(self.whole.used_bytes.get())
    }

    /// How many of them there are for groups that nobody knows: a quarter is kept for the others.
    pub fn room_for_newcomers(&self) -> usize {
        self.room().saturating_sub(self.whole.bytes_max / 4)
    }

    /// Notes what the partition takes now.
    pub fn set(&self, used_bytes: usize) {
        let others = self.whole.used_bytes.get() - self.used_bytes.get();
        self.whole.used_bytes.set(others + used_bytes);
        self.used_bytes.set(used_bytes);
    }
}

impl Drop for GroupMemoryShare {
    fn drop(&mut self) {
        self.set(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_partition_takes_the_others_lack() {
        let memory = GroupMemory::new(100);
        let (one, two) = (memory.share(), memory.share());
        one.set(30);
        two.set(60);
        assert_eq!((one.room(), two.room()), (10, 10));
        assert_eq!(one.room_for_newcomers(), 0);
        // What was loaded may be more than what new groups may take.
        two.set(90);
        assert_eq!(one.room(), 0);
        one.set(5);
        assert_eq!(two.room(), 5);
        drop(two);
        assert_eq!((one.room(), one.room_for_newcomers()), (95, 70));
    }
}
