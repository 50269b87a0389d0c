//! The real machine: a glommio executor and an own io_uring for each thread.
//!
//! glommio places threads and queues tasks; sockets and files go through the ring of [`ring`], which
//! one task turns and sleeps in ([`driver`]). Invariants: whatever the kernel may still read or
//! write is owned by an operation or by the ring; nothing blocks the thread; no glommio type
//! leaves this folder. Deliberately absent: any policy of the rooms above.

mod blocking_pool;
#[expect(unsafe_code, reason = "writes from buffers that a table keeps")]
mod commit_thread;
#[expect(unsafe_code, reason = "statvfs and syncfs")]
mod directory;
#[expect(unsafe_code, reason = "sched_yield, and reads an eventfd")]
mod driver;
mod executor;
#[expect(unsafe_code, reason = "gives the kernel addresses of held buffers")]
mod file;
#[expect(unsafe_code, reason = "clocks and random bytes")]
mod handle;
#[expect(unsafe_code, reason = "writes into a mapping")]
mod mapping;
#[expect(unsafe_code, reason = "gives the kernel addresses of held buffers")]
mod net;
mod operation;
mod outside;
#[expect(unsafe_code, reason = "shares buffers with the kernel")]
mod receive_pool;
#[expect(unsafe_code, reason = "enters the kernel")]
mod ring;
mod sentinel;
#[expect(unsafe_code, reason = "asks for a time slice")]
mod slice;
#[expect(unsafe_code, reason = "plain socket calls")]
mod socket;
mod spin;
mod stall;
#[cfg(test)]
#[expect(unsafe_code, reason = "evicts pages to make a file cold")]
mod tests;
mod timers;
#[expect(unsafe_code, reason = "an eventfd")]
mod wake;

pub(in crate::runtime) use directory::{
    UringDisk, list_dir, lock, space, sync_dir, sync_filesystem,
};
pub(in crate::runtime) use driver::Source;
pub use executor::{ExecutorSpec, ExecutorThread, start};
pub(in crate::runtime) use file::UringFile;
pub(in crate::runtime) use handle::UringHandle;
pub(in crate::runtime) use mapping::{UringMapping, map};
pub(in crate::runtime) use net::{UringDetached, UringListener, UringNet, UringStream};
pub use receive_pool::PoolBytes;
pub(in crate::runtime) use wake::WakeFlag;
