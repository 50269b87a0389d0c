//! A deterministic machine: seeded time, tasks, disk and network of any number of hosts, in one thread.
//!
//! The same seed and the same code give the same trace. A [`Host`] is one process with its disk; a
//! [`Runtime`](super::Runtime) of it is one executor. Invariants: nothing here reads a real clock,
//! a real file or a random source; each injected fault is counted. Deliberately absent: threads.

mod device;
mod disk;
mod executor;
#[cfg(test)]
mod fault_tests;
mod faults;
mod file_system;
mod host;
mod image;
mod net;
#[cfg(test)]
mod net_tests;
mod options;
mod page;
#[cfg(test)]
mod planted;
mod ready;
#[cfg(test)]
mod tests;
mod trace;
mod world;

pub use disk::{SimDisk, SimFile, SimLock};
pub use executor::Node;
pub use faults::{Fault, Faults};
pub use host::Host;
pub use image::{CrashImage, CrashImages, DiskImage, ImagePolicy, Recording};
pub use net::{SimDetached, SimListener, SimNet, SimStream};
pub use options::{DiskOptions, NetOptions, SimOptions};
#[cfg(test)]
pub use planted::{Planted, is_planted, with_planted};
pub use world::World;
