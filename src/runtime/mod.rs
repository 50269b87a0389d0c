//! The machine: clock, tasks, memory, disk, network and the way between cores.
//!
//! Invariants: this is the only room that knows glommio, io_uring, libc and `unsafe`; every upper
//! room runs the same code on the real machine and in the simulator, because the backend is a
//! value behind `Runtime`; nothing here blocks a shard's thread. Deliberately absent: any
//! knowledge of Kafka.

pub mod clock;
mod commit;
mod control_group;
pub mod disk;
mod handle;
pub mod memory;
pub mod mesh;
pub mod net;
#[expect(unsafe_code, reason = "binds a value to its thread by a check")]
mod on_thread;
#[expect(unsafe_code, reason = "limits and probes are system calls")]
pub mod process;
mod random;
pub mod sim;
pub mod sync;
pub mod sync_probe;
mod task;
#[expect(unsafe_code, reason = "asks for the affinity of this thread")]
pub mod topology;
mod uring;
#[expect(unsafe_code, reason = "asks for constants of the system")]
mod usage;

pub use clock::Monotonic;
pub use commit::Engine;
pub use handle::{Runtime, ThreadFigures};
pub use memory::AlignedBuf;
pub use random::{Random, mixed};
pub use task::Lane;
pub use uring::{ExecutorSpec, ExecutorThread, start};
pub use usage::Usage;
