//! Heap memory that direct I/O accepts: aligned to the block, a whole number of blocks.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

use crate::model::units::BLOCK;

/// An owned, zeroed buffer of whole blocks.
pub struct AlignedBuf {
    address: NonNull<u8>,
    len: usize,
}

// SAFETY: the buffer owns its memory alone.
unsafe impl Send for AlignedBuf {}

impl AlignedBuf {
    /// A zeroed buffer of at least `len` bytes, rounded up to whole blocks.
    pub fn zeroed(len: usize) -> AlignedBuf {
        let len = len.next_multiple_of(BLOCK).max(BLOCK);
        let layout = AlignedBuf::layout(len);
        // SAFETY: the layout has a size above zero.
        let address = unsafe { alloc_zeroed(layout) };
        let Some(address) = NonNull::new(address) else { handle_alloc_error(layout) };
        AlignedBuf { address, len }
    }

    fn layout(len: usize) -> Layout {
        Layout::from_size_align(len, BLOCK).expect("a block is a power of two and lengths are sane")
    }
}

impl Deref for AlignedBuf {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: the memory is owned, initialised and of this length.
        unsafe { std::slice::from_raw_parts(self.address.as_ptr(), self.len) }
    }
}

impl DerefMut for AlignedBuf {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: the memory is owned, initialised and of this length, and borrowed exclusively.
        unsafe { std::slice::from_raw_parts_mut(self.address.as_ptr(), self.len) }
    }
}

impl Drop for AlignedBuf {
    fn drop(&mut self) {
        // SAFETY: the memory was allocated with this layout and nobody borrows it any more.
        unsafe { dealloc(self.address.as_ptr(), AlignedBuf::layout(self.len)) }
    }
}

impl std::fmt::Debug for AlignedBuf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AlignedBuf({} bytes)", self.len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_are_aligned_and_zeroed() {
        for len in [0, 1, BLOCK, BLOCK + 1, 10 * BLOCK] {
            let mut buffer = AlignedBuf::zeroed(len);
            assert!(buffer.len() >= len && buffer.len().is_multiple_of(BLOCK));
            assert_eq!(buffer.as_ptr() as usize % BLOCK, 0);
            assert!(buffer.iter().all(|&byte| byte == 0));
            buffer[0] = 1;
        }
    }
}
