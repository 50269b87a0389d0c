//! The simulated machine: one thread, seeded randomness, virtual time, disk and network in memory.
//!
//! Invariant: the same seed and the same program give the same trace. Nothing here reads the real
//! clock, the real disk or another thread.

mod disk;
mod executor;
mod net;

pub use disk::{SimDisk, SimFile};
pub use executor::{Node, SimOptions, World};
pub use net::{SimDetached, SimListener, SimNet, SimStream};
