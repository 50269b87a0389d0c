//! The shard's receive buffers: a ring of them is lent to the kernel, which picks one when data is
//! there, so that an idle connection pins no memory.

use std::alloc::Layout;
use std::cell::Cell;
use std::fmt;
use std::io;
use std::ops::Deref;
use std::ptr::NonNull;
use std::rc::Rc;
#[expect(clippy::disallowed_types, reason = "the kernel reads the tail of the buffer ring")]
use std::sync::atomic::{AtomicU16, Ordering};

use io_uring::types::BufRingEntry;

use super::ring::{Completion, Ring};
use crate::model::units::BLOCK;

/// Buffers in the pool: more than one turn's receives of a busy shard.
const BUFFERS: u16 = 128;
/// A buffer's size: long bodies are received elsewhere.
pub(super) const BUFFER_BYTES: usize = 8 * 1024 - 64;
/// From one buffer to the next: one cache line off a power of two, so that the first lines of all
/// buffers do not fall into the same few sets of the cache.
const STRIDE: usize = BUFFER_BYTES + 128;
/// The memory of one pool.
pub(super) const POOL_BYTES: usize = BUFFERS as usize * (STRIDE + size_of::<BufRingEntry>());
/// The only group of buffers of a ring.
pub(super) const GROUP: u16 = 0;

/// The pool; clones are the same pool.
#[derive(Clone)]
pub(super) struct ReceivePool(Rc<PoolCore>);

struct PoolCore {
    entries: NonNull<BufRingEntry>,
    buffers: NonNull<u8>,
    tail: Cell<u16>,
}

fn entries_layout() -> Layout {
    Layout::from_size_align(usize::from(BUFFERS) * size_of::<BufRingEntry>(), BLOCK)
        .expect("a page-aligned array of a constant size")
}

fn buffers_layout() -> Layout {
    Layout::from_size_align(usize::from(BUFFERS) * STRIDE, BLOCK)
        .expect("a page-aligned array of a constant size")
}

impl ReceivePool {
    /// Makes the pool and registers it with `ring`.
    pub(super) fn new(ring: &Ring) -> io::Result<ReceivePool> {
        // SAFETY: the layouts are not empty.
        let (entries, buffers) = unsafe {
            (std::alloc::alloc_zeroed(entries_layout()), std::alloc::alloc_zeroed(buffers_layout()))
        };
        let (Some(entries), Some(buffers)) = (NonNull::new(entries), NonNull::new(buffers)) else {
            return Err(io::ErrorKind::OutOfMemory.into());
        };
        let pool =
            ReceivePool(Rc::new(PoolCore { entries: entries.cast(), buffers, tail: Cell::new(0) }));
        // SAFETY: the array is page-aligned and has this many entries. The kernel looks at it only
        // for a receive, and each receive holds the pool until its completion.
        unsafe { ring.register_buffers(entries.as_ptr() as u64, BUFFERS, GROUP)? };
        for buffer in 0..BUFFERS {
            pool.give(buffer);
        }
        Ok(pool)
    }

    /// What a completion of a receive brought: a buffer, or nothing at the end of the stream.
    pub(super) fn take(&self, completion: Completion) -> io::Result<PoolBytes> {
        let bytes = completion.value()? as usize;
        let buffer = io_uring::cqueue::buffer_select(completion.flags)
            .map(|number| PoolBuffer { pool: self.clone(), number });
        Ok(PoolBytes { buffer, bytes })
    }

    fn address(&self, buffer: u16) -> NonNull<u8> {
        // SAFETY: the number is below BUFFERS: it came from `new` or from the kernel, which knows
        // only those.
        unsafe { self.0.buffers.add(usize::from(buffer) * STRIDE) }
    }

    fn give(&self, buffer: u16) {
        let tail = self.0.tail.get();
        let place = usize::from(tail & (BUFFERS - 1));
        // SAFETY: the entry lies inside the array; the kernel reads entries below the tail only,
        // and at most BUFFERS are ever given, so it is not one that the kernel may read now.
        let entry = unsafe { self.0.entries.add(place).as_mut() };
        entry.set_addr(self.address(buffer).as_ptr() as u64);
        entry.set_len(BUFFER_BYTES as u32);
        entry.set_bid(buffer);
        self.0.tail.set(tail.wrapping_add(1));
        // SAFETY: the ring's tail is a naturally aligned u16 inside the first entry, which `set_*`
        // do not touch.
        #[expect(clippy::disallowed_types, reason = "the kernel reads the tail of the ring")]
        let shared =
            unsafe { AtomicU16::from_ptr(BufRingEntry::tail(self.0.entries.as_ptr()).cast_mut()) };
        shared.store(self.0.tail.get(), Ordering::Release);
    }
}

impl Drop for PoolCore {
    fn drop(&mut self) {
        // SAFETY: allocated in `new` with these layouts; no buffer is out and no receive in
        // flight, since each of them holds the pool.
        unsafe {
            std::alloc::dealloc(self.entries.cast().as_ptr(), entries_layout());
            std::alloc::dealloc(self.buffers.as_ptr(), buffers_layout());
        }
    }
}

struct PoolBuffer {
    pool: ReceivePool,
    number: u16,
}

impl Drop for PoolBuffer {
    fn drop(&mut self) {
        self.pool.give(self.number);
    }
}

/// Received bytes in a buffer of the pool, which goes back when they are dropped; empty at the end
/// of the stream.
pub struct PoolBytes {
    buffer: Option<PoolBuffer>,
    bytes: usize,
}

impl Deref for PoolBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        let Some(buffer) = &self.buffer else { return &[] };
        // SAFETY: the kernel has written this many bytes, at most the buffer's size, and will not
        // touch the buffer before it is given back.
        unsafe {
            std::slice::from_raw_parts(buffer.pool.address(buffer.number).as_ptr(), self.bytes)
        }
    }
}

impl fmt::Debug for PoolBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PoolBytes({} bytes)", self.len())
    }
}
