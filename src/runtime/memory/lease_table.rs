//! Leases that travel to another core: lent by their owner, read there, given back by message.
//!
//! The owner keeps each lent [`Lease`] in a table, so that its chunk stays; what travels is an
//! address, a length and the table's slot. The borrower's [`LeaseReturns`] gathers the slots of
//! those that it has dropped, and they go back to their owner in one message a tick. If a borrowed
//! lease is lost (a mesh that is dropped with messages in it), its chunk is never reused.

use std::cell::{Cell, RefCell};
use std::ops::Deref;
use std::ptr::NonNull;
use std::rc::Rc;
#[expect(
    clippy::disallowed_types,
    reason = "numbers the tables of a process, at start-up only"
)]
use std::sync::atomic::{AtomicU32, Ordering};

use slab::Slab;

use super::chunk::Lease;
use crate::model::ShardId;

#[expect(clippy::disallowed_types, reason = "numbers the tables of a process, at start-up only")]
static TABLES: AtomicU32 = AtomicU32::new(0);

/// One shard's leases that other shards hold.
pub struct LeaseTable {
    owner: ShardId,
    number: u32,
    lent: RefCell<Slab<Lease>>,
    lent_bytes: Cell<usize>,
}

/// Where a lent lease belongs; not cloneable, so that it is given back once.
#[derive(Debug)]
pub struct LeaseSlot {
    owner: ShardId,
    table: u32,
    slot: u32,
}

/// A lease on its way to another shard, which adopts it by [`LeaseReturns::adopt`].
#[derive(Debug)]
pub struct RemoteLease {
    address: NonNull<u8>,
    bytes: usize,
    slot: LeaseSlot,
}

// SAFETY: the bytes are immutable while the lease is lent, and the owner's table keeps the chunk,
// and with it the mapping, until the slot comes back (or for ever, if it never does).
unsafe impl Send for RemoteLease {}

impl LeaseTable {
    /// An empty table of the shard `owner`.
    pub fn new(owner: ShardId) -> LeaseTable {
        let number = TABLES.fetch_add(1, Ordering::Relaxed);
        LeaseTable { owner, number, lent: RefCell::new(Slab::new()), lent_bytes: Cell::new(0) }
    }

    /// Lends a lease to another shard.
    pub fn lend(&self, lease: Lease) -> RemoteLease {
        let address = NonNull::from(&*lease).cast();
        let bytes = lease.len();
        self.lent_bytes.set(self.lent_bytes.get() + bytes);
        let slot = self.lent.borrow_mut().insert(lease) as u32;
        RemoteLease {
            address,
            bytes,
            slot: LeaseSlot { owner: self.owner, table: self.number, slot },
        }
    }

    /// Takes a lease back.
    pub fn give_back(&self, slot: LeaseSlot) {
        assert_eq!(slot.table, self.number, "a lease goes back to the table that lent it");
        let lease = self.lent.borrow_mut().remove(slot.slot as usize);
        self.lent_bytes.set(self.lent_bytes.get() - lease.len());
    }

    /// The bytes of all leases that are lent now.
    pub fn lent_bytes(&self) -> usize {
        self.lent_bytes.get()
    }

    /// Leases that are lent now.
    pub fn lent(&self) -> usize {
        self.lent.borrow().len()
    }
}

impl Drop for LeaseTable {
    fn drop(&mut self) {
        // Another core may still read these bytes, so their memory must outlive this shard.
        for lease in self.lent.get_mut().drain() {
            std::mem::forget(lease);
        }
    }
}

impl LeaseSlot {
    /// The shard to send this slot to.
    pub fn owner(&self) -> ShardId {
        self.owner
    }
}

/// The leases that one shard has borrowed and no longer needs; clones are the same list.
#[derive(Clone, Default)]
pub struct LeaseReturns(Rc<RefCell<Vec<LeaseSlot>>>);

impl LeaseReturns {
    /// An empty list.
    pub fn new() -> LeaseReturns {
        LeaseReturns::default()
    }

    /// Makes a lease that came over the mesh readable here.
    pub fn adopt(&self, remote: RemoteLease) -> BorrowedLease {
        let RemoteLease { address, bytes, slot } = remote;
        BorrowedLease { address, bytes, slot: Some(slot), returns: self.clone() }
    }

    /// Takes what is to be sent back; to be called once a tick.
    pub fn take(&self) -> Vec<LeaseSlot> {
        self.0.take()
    }

    /// Whether nothing is to be sent back.
    pub fn is_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }
}

/// Bytes of another shard's chunk, readable here until dropped.
pub struct BorrowedLease {
    address: NonNull<u8>,
    bytes: usize,
    slot: Option<LeaseSlot>,
    returns: LeaseReturns,
}

impl Deref for BorrowedLease {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: the slot has not been given back, so the owner keeps the chunk, and what a
        // lease covers never changes.
        unsafe { std::slice::from_raw_parts(self.address.as_ptr(), self.bytes) }
    }
}

impl Drop for BorrowedLease {
    fn drop(&mut self) {
        self.returns.0.borrow_mut().extend(self.slot.take());
    }
}

#[cfg(test)]
mod tests {
    use super::super::Arena;
    use super::*;
    use crate::model::units::{KIB, MIB};

    #[test]
    fn a_lease_is_read_on_another_thread_and_comes_back() {
        let arena = Arena::new(MIB).expect("memory is there");
        let table = LeaseTable::new(ShardId(3));
        let chunk = arena.alloc(4 * KIB).expect("the arena is empty");
        chunk.append(b"far away");
        let remote = table.lend(chunk.lease(4..8));
        drop(chunk);
        let slots = std::thread::spawn(move || {
            let returns = LeaseReturns::new();
            let borrowed = returns.adopt(remote);
            assert_eq!(&*borrowed, b"away");
            assert!(returns.is_empty());
            drop(borrowed);
            returns.take()
        })
        .join()
        .expect("the borrower does not panic");
        assert_eq!((table.lent(), arena.bytes_used()), (1, 4 * KIB));
        for slot in slots {
            assert_eq!(slot.owner(), ShardId(3));
            table.give_back(slot);
        }
        assert_eq!((table.lent(), arena.bytes_used()), (0, 0));
    }

    #[test]
    fn what_is_lent_outlives_its_shard() {
        let returns = LeaseReturns::new();
        let borrowed = {
            let arena = Arena::new(MIB).expect("memory is there");
            let table = LeaseTable::new(ShardId(0));
            let chunk = arena.alloc(4 * KIB).expect("the arena is empty");
            chunk.append(b"still here");
            returns.adopt(table.lend(chunk.lease(0..10)))
        };
        assert_eq!(&*borrowed, b"still here");
    }

    #[test]
    #[should_panic(expected = "the table that lent it")]
    fn a_lease_goes_back_to_its_own_table() {
        let arena = Arena::new(MIB).expect("memory is there");
        let chunk = arena.alloc(4 * KIB).expect("the arena is empty");
        let (one, other) = (LeaseTable::new(ShardId(0)), LeaseTable::new(ShardId(0)));
        let returns = LeaseReturns::new();
        drop(returns.adopt(one.lend(chunk.lease(0..0))));
        for slot in returns.take() {
            other.give_back(slot);
        }
    }
}
