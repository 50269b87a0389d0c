//! A file in memory: what is stored in it belongs to the kernel at once.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{Ordering, compiler_fence};

use crate::runtime::memory::{Mapping, copy};

/// A whole file, mapped for as long as this lives.
pub struct UringMapping(Mapping);

/// Makes a file of `bytes` zeros and maps it; blocks.
pub(in crate::runtime) fn map(path: &Path, bytes: usize) -> io::Result<UringMapping> {
    let file = File::options().read(true).write(true).create(true).truncate(false).open(path)?;
    // It gets its space here, where a full disk is an error: a store for which there is none ends the process.
    file.write_all_at(&vec![0; bytes], 0)?;
    file.set_len(bytes as u64)?;
    Mapping::shared(&OwnedFd::from(file), bytes, libc::MAP_POPULATE).map(UringMapping)
}

impl UringMapping {
    /// Stores bytes: those of an earlier call are there if any of a later one are.
    pub(in crate::runtime) fn store(&mut self, offset: usize, bytes: &[u8]) {
        let end = offset.checked_add(bytes.len());
        assert!(end.is_some_and(|end| end <= self.0.bytes()), "a store reaches beyond its file");
        // SAFETY: the range was checked, and nobody else in this process refers to the mapping.
        let target = unsafe {
            std::slice::from_raw_parts_mut(self.0.base().as_ptr().add(offset), bytes.len())
        };
        copy(target, bytes);
        // A process ends between two instructions, so their order is all that counts; the compiler must not change it.
        compiler_fence(Ordering::SeqCst);
    }
}
