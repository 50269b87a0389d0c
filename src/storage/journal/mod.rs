//! The journal: the write-ahead log of one slot of a data directory, for all of its partitions.
//!
//! Every change is an *entry* with a sequence number; the entries that arrive while a commit is in
//! flight go into the next *frame* together. Invariants:
//! - entries become durable, accepted and acknowledged in sequence order only, and none before one that is held;
//! - a block that holds acknowledged bytes is never written again within its epoch, except by
//!   recycling its file after a release;
//! - what was accepted is in the files or in the *mirror*, where the end of the process does not take it;
//! - after the first failed write or sync nothing is ever acknowledged again.
//!
//! Deliberately absent: what an entry means (partitions, offsets, Raft), when to make a
//! checkpoint, and timers, but for the one that sends what only the mirror has.

/// One change inside a frame.
pub mod entry;
/// The unit of one commit.
pub mod frame;

mod files;
mod gauges;
mod ledger;
mod mirror;
mod open;
mod options;
mod report;
mod scan;
mod staging;
mod turns;
mod walk;
mod writer;

pub use entry::{Entry, EntryKind, Sequence};
pub use frame::JournalIdentity;
pub use gauges::JournalGauges;
pub use open::OpenError;
pub use options::{JournalOptions, parse_file_name, parse_mirror_name};
pub use report::ScanReport;
pub use scan::{ScanError, scan, slots};
pub use walk::{VisitError, WalkError};
pub use writer::{CommitObserver, Journal, JournalStats, Poisoned, ReserveError};

#[cfg(test)]
mod crash_tests;
#[cfg(test)]
mod fault_tests;
#[cfg(test)]
mod mirror_tests;
#[cfg(test)]
mod walk_tests;
#[cfg(test)]
mod writer_tests;
