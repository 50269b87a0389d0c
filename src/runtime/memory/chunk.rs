//! A chunk of a partition's memory, filled once from the front, and leases on its bytes.
//!
//! What a lease covers never changes again, which is why a lease may be read, sent and lent to
//! another core while the owner appends behind it.

use std::cell::Cell;
use std::fmt;
use std::ops::{Deref, Range};
use std::ptr::NonNull;
use std::rc::Rc;

use super::arena::ArenaCore;
use super::copy;

/// A piece of an arena that is filled from the front; clones are the same chunk, and the last of
/// them or of its leases gives the memory back.
#[derive(Clone)]
pub struct Chunk(Rc<ChunkCore>);

struct ChunkCore {
    arena: Rc<ArenaCore>,
    address: NonNull<u8>,
    at: usize,
    bytes: usize,
    len: Cell<usize>,
    /// Bytes below this may be read through leases and never change again.
    leased: Cell<usize>,
    /// While a closure of `append_with` holds the spare bytes.
    filling: Cell<bool>,
}

impl Chunk {
    pub(super) fn new(arena: Rc<ArenaCore>, at: usize, bytes: usize) -> Chunk {
        let address = arena.address(at);
        Chunk(Rc::new(ChunkCore {
            arena,
            address,
            at,
            bytes,
            len: Cell::new(0),
            leased: Cell::new(0),
            filling: Cell::new(false),
        }))
    }

    /// Bytes that the chunk can hold.
    pub fn capacity(&self) -> usize {
        self.0.bytes
    }

    /// Bytes that it holds.
    pub fn len(&self) -> usize {
        self.0.len.get()
    }

    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes that can still be appended.
    pub fn spare(&self) -> usize {
        self.capacity() - self.len()
    }

    /// Appends all of `bytes`, which the caller has checked to fit, and returns their place.
    pub fn append(&self, bytes: &[u8]) -> Range<usize> {
        self.append_with(bytes.len(), |spare| copy(spare, bytes)).0
    }

    /// Appends `bytes` bytes that `fill` writes, and returns their place and what `fill` returned.
    ///
    /// The caller has checked that they fit. What `fill` leaves unwritten is arbitrary.
    pub fn append_with<R>(
        &self,
        bytes: usize,
        fill: impl FnOnce(&mut [u8]) -> R,
    ) -> (Range<usize>, R) {
        let start = self.len();
        assert!(bytes <= self.spare(), "{bytes} bytes into a chunk with {}", self.spare());
        assert!(!self.0.filling.replace(true), "a chunk is filled by one closure at a time");
        // SAFETY: the range lies inside the chunk and at or above `len`; leases end at `len` at
        // the latest, and `filling` keeps every other writer out until the slice is gone.
        let spare =
            unsafe { std::slice::from_raw_parts_mut(self.0.address.add(start).as_ptr(), bytes) };
        let result = fill(spare);
        self.0.filling.set(false);
        self.0.len.set(start + bytes);
        (start..start + bytes, result)
    }

    /// Writes over bytes that were appended and that no lease has covered yet.
    pub fn patch(&self, at: usize, bytes: &[u8]) {
        assert!(at >= self.0.leased.get(), "byte {at} has been leased and never changes");
        assert!(at + bytes.len() <= self.len(), "a patch stays inside what was appended");
        // SAFETY: the range is inside the chunk, no lease covers it, and a slice that a closure
        // of `append_with` may hold begins at `len`.
        unsafe {
            std::ptr::copy_nonoverlapping(
                bytes.as_ptr(),
                self.0.address.add(at).as_ptr(),
                bytes.len(),
            );
        }
    }

    /// Makes `range` readable, and everything below it final.
    pub fn lease(&self, range: Range<usize>) -> Lease {
        assert!(range.start <= range.end && range.end <= self.len(), "{range:?} is not there yet");
        self.0.leased.set(self.0.leased.get().max(range.end));
        Lease { chunk: self.clone(), start: range.start as u32, end: range.end as u32 }
    }

    /// Whether `other` is this very chunk.
    pub fn is(&self, other: &Chunk) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

impl Drop for ChunkCore {
    fn drop(&mut self) {
        self.arena.give_back(self.at, self.bytes);
    }
}

impl fmt::Debug for Chunk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Chunk({} of {} at {})", self.len(), self.capacity(), self.0.at)
    }
}

/// Bytes of a chunk that never change, and that keep the chunk alive.
#[derive(Clone)]
pub struct Lease {
    chunk: Chunk,
    start: u32,
    end: u32,
}

impl Lease {
    /// A part of this lease, by places inside it.
    pub fn slice(&self, range: Range<usize>) -> Lease {
        assert!(range.start <= range.end && range.end <= self.len(), "{range:?} of {}", self.len());
        Lease {
            chunk: self.chunk.clone(),
            start: self.start + range.start as u32,
            end: self.start + range.end as u32,
        }
    }
}

impl Deref for Lease {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        let bytes = (self.end - self.start) as usize;
        // SAFETY: the range was checked when the lease was made; writers stay at or above
        // `leased`, which is at least `end`, and the chunk keeps the mapping alive.
        unsafe {
            std::slice::from_raw_parts(
                self.chunk.0.address.add(self.start as usize).as_ptr(),
                bytes,
            )
        }
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Lease({}..{} of {:?})", self.start, self.end, self.chunk)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Arena;
    use super::*;
    use crate::model::units::{KIB, MIB};

    fn chunk() -> Chunk {
        Arena::new(MIB).expect("memory is there").alloc(4 * KIB).expect("the arena is empty")
    }

    #[test]
    fn a_lease_outlives_chunk_and_arena_handle() {
        let chunk = chunk();
        assert_eq!(chunk.append(b"hello, "), 0..7);
        chunk.append(b"world");
        chunk.patch(7, b"W");
        let lease = chunk.lease(0..12);
        chunk.append(b"!");
        drop(chunk);
        assert_eq!(&*lease, b"hello, World");
        assert_eq!(&*lease.slice(7..12), b"World");
    }

    #[test]
    #[should_panic(expected = "never changes")]
    fn leased_bytes_are_final() {
        let chunk = chunk();
        chunk.append(b"abc");
        let _lease = chunk.lease(1..2);
        chunk.patch(1, b"x");
    }

    #[test]
    #[should_panic(expected = "not there yet")]
    fn what_is_being_written_cannot_be_leased() {
        let chunk = chunk();
        let again = chunk.clone();
        chunk.append_with(8, |_| again.lease(0..8).len());
    }

    #[test]
    #[should_panic(expected = "one closure at a time")]
    fn what_is_being_written_cannot_be_appended_to() {
        let chunk = chunk();
        let again = chunk.clone();
        chunk.append_with(8, |_| again.append(b"x"));
    }
}
