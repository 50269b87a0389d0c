//! How other threads wake a sleeping shard: a flag that says whether it sleeps, and an eventfd.
#![expect(clippy::disallowed_types, reason = "the flag is what two cores share to wake each other")]

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering, fence};

/// The shard's bell; clones are the same bell and may go to other threads.
#[derive(Clone)]
pub(in crate::runtime) struct WakeFlag(Arc<Bell>);

struct Bell {
    sleeping: AtomicBool,
    eventfd: OwnedFd,
}

impl WakeFlag {
    /// A bell of a shard that is awake.
    pub(in crate::runtime) fn new() -> io::Result<WakeFlag> {
        // Not EFD_NONBLOCK: io_uring would answer a read with EAGAIN instead of waiting.
        // SAFETY: plain system call.
        let descriptor = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC) };
        if descriptor < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor is fresh and owned by nobody else.
        let eventfd = unsafe { OwnedFd::from_raw_fd(descriptor) };
        Ok(WakeFlag(Arc::new(Bell { sleeping: AtomicBool::new(false), eventfd })))
    }

    pub(super) fn descriptor(&self) -> RawFd {
        self.0.eventfd.as_raw_fd()
    }

    /// Says that the shard is about to sleep; it must look at its inputs once more after this.
    pub(super) fn going_to_sleep(&self) {
        self.0.sleeping.store(true, Ordering::SeqCst);
        fence(Ordering::SeqCst);
    }

    /// Says that the shard is awake.
    pub(super) fn awake(&self) {
        self.0.sleeping.store(false, Ordering::Relaxed);
    }

    /// Wakes the shard if it sleeps; what it is to see has been published before.
    pub(in crate::runtime) fn ring(&self) {
        fence(Ordering::SeqCst);
        if self.0.sleeping.swap(false, Ordering::SeqCst) {
            self.signal();
        }
    }

    fn signal(&self) {
        let one = 1u64.to_ne_bytes();
        // SAFETY: eight bytes of our own, as an eventfd takes them. It fails only if the counter
        // would overflow, and then the shard has been woken anyway.
        unsafe { libc::write(self.descriptor(), one.as_ptr().cast(), one.len()) };
    }
}
