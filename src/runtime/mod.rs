//! The machine: clock, tasks, memory, disk, network and the way between cores.
//!
//! Invariants: this is the only room that knows glommio, io_uring, libc and `unsafe`; every upper
//! room runs the same code on the real machine and in the simulator, because the backend is a
//! value behind [`Runtime`]; nothing here blocks a shard's thread. Deliberately absent: any
//! knowledge of Kafka.

pub mod clock;
pub mod disk;
mod handle;
pub mod memory;
pub mod net;
mod random;
pub mod sim;
pub mod sync;
mod task;

pub use clock::Monotonic;
pub use handle::Runtime;
pub use memory::AlignedBuf;
pub use task::Lane;
