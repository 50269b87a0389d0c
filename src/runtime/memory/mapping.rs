//! A file in memory, mapped as a whole for as long as its value lives.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::ptr::NonNull;

/// The mapping of a file that all who map it share.
pub struct Mapping {
    base: NonNull<u8>,
    bytes: usize,
}

// SAFETY: the mapping belongs to this value alone, and its address is the same on every thread.
unsafe impl Send for Mapping {}

impl Mapping {
    /// Maps the first `bytes` of a file; `flags` are `MAP_SHARED`'s further ones.
    ///
    /// # Errors
    /// Where the kernel refuses the address space, or the file system cannot map files.
    pub fn shared(file: &OwnedFd, bytes: usize, flags: libc::c_int) -> io::Result<Mapping> {
        // SAFETY: a fresh mapping at an address of the kernel's choice aliases nothing.
        let base = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                bytes,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED | flags,
                file.as_raw_fd(),
                0,
            )
        };
        if base == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let base = NonNull::new(base.cast()).expect("mmap never returns null without MAP_FIXED");
        Ok(Mapping { base, bytes })
    }

    /// Where it begins; valid for as long as this value lives.
    pub fn base(&self) -> NonNull<u8> {
        self.base
    }

    /// How long it is.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: whoever points into the mapping holds its value, so nothing does now.
        unsafe { libc::munmap(self.base.as_ptr().cast(), self.bytes) };
    }
}
