//! A shard's memory: the arena of chunks, leases on their bytes, and what can be sent or written.
//!
//! Invariants: the arena never exceeds its cap; bytes that a lease covers never change; memory is
//! given back when the last chunk handle or lease is gone, and never while another core may read
//! it. Deliberately absent: any knowledge of what the bytes mean, and registration with a ring.

#[expect(unsafe_code, reason = "allocates aligned memory")]
mod aligned;
#[expect(unsafe_code, reason = "makes a memory file and punches free regions out of it")]
mod arena;
#[expect(unsafe_code, reason = "writes and reads disjoint ranges of a mapping")]
mod chunk;
mod copy;
mod free_blocks;
#[expect(unsafe_code, reason = "reads leased bytes that another core owns")]
mod lease_table;
#[expect(unsafe_code, reason = "maps files")]
mod mapping;
mod piece;

pub use aligned::AlignedBuf;
pub use arena::Arena;
pub use chunk::{Chunk, Lease};
pub use copy::copy;
pub use lease_table::{BorrowedLease, LeaseReturns, LeaseSlot, LeaseTable, RemoteLease};
pub(super) use mapping::Mapping;
pub use piece::Piece;
