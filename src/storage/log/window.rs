//! The part of a segment that is in memory: write cache, hot tail and source of sends.
//!
//! Chunks follow each other in the segment, and each begins on a block's border, so that memory
//! and file position are congruent and whole blocks go to the file by direct I/O from the chunk
//! itself. All chunks but the last ones are full; chunks behind the last byte are reserved.

use std::cell::Cell;
use std::collections::VecDeque;

use crate::model::limits::{CHUNK_BYTES_MAX, CHUNK_BYTES_MIN};
use crate::model::units::BLOCK;
use crate::runtime::memory::{Arena, Chunk, Lease, copy};

/// A chunk and the position of its first byte.
struct Held {
    position: u32,
    chunk: Chunk,
    /// Read since it became a cache.
    touched: Cell<bool>,
}

impl Held {
    fn end(&self) -> u32 {
        self.position + self.chunk.len() as u32
    }
}

/// What of one segment is in memory.
#[derive(Default)]
pub struct Window {
    chunks: VecDeque<Held>,
}

impl Window {
    /// The position of the first byte in memory.
    pub fn start(&self) -> Option<u32> {
        self.chunks.front().map(|held| held.position)
    }

    /// Whether it holds no chunk.
    pub fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// The memory of its chunks, in bytes.
    pub fn memory(&self) -> usize {
        self.chunks.iter().map(|held| held.chunk.capacity()).sum()
    }

    /// The memory of chunks whose bytes all lie before a position, and that take no more.
    pub fn memory_before(&self, position: u32) -> usize {
        let done = |held: &&Held| held.end() <= position && held.chunk.spare() == 0;
        self.chunks.iter().take_while(done).map(|held| held.chunk.capacity()).sum()
    }

    /// Bytes that can be appended without more memory.
    pub fn room(&self) -> usize {
        self.chunks.iter().rev().map(|held| held.chunk.spare()).take_while(|&spare| spare > 0).sum()
    }

    /// Takes memory until `bytes` can be appended behind `position`; `false` if there is none.
    ///
    /// An empty window begins at `position`, which is then a block's border.
    pub fn grow(&mut self, arena: &Arena, bytes: usize, position: u32) -> bool {
        loop {
            let room = self.room();
            if room >= bytes {
                return true;
            }
            let last = self.chunks.back().map_or(0, |held| held.chunk.capacity());
            let pressed = arena.bytes_used() > arena.bytes_max() / 2;
            let wanted = if pressed { bytes - room } else { (bytes - room).max(last * 2) };
            let size = wanted.next_power_of_two().clamp(CHUNK_BYTES_MIN, CHUNK_BYTES_MAX);
            let Some(chunk) = arena.alloc(size) else {
                return false;
            };
            let position = self
                .chunks
                .back()
                .map_or(position, |held| held.position + held.chunk.capacity() as u32);
            assert_eq!(position as usize % BLOCK, 0, "a chunk begins on a block's border");
            self.chunks.push_back(Held { position, chunk, touched: Cell::new(false) });
        }
    }

    /// Appends bytes for which there is room.
    pub fn append(&mut self, mut bytes: &[u8]) {
        let mut at = self.chunks.partition_point(|held| held.chunk.spare() == 0);
        while !bytes.is_empty() {
            let chunk = &self.chunks[at].chunk;
            let (now, later) = bytes.split_at(bytes.len().min(chunk.spare()));
            chunk.append(now);
            bytes = later;
            at += 1;
        }
    }

    /// Copies the bytes at `position`, all of which are in memory.
    pub fn copy_out(&self, position: u32, out: &mut [u8]) {
        let mut filled = 0;
        self.visit(position, out.len(), |_, lease| {
            copy(&mut out[filled..filled + lease.len()], &lease);
            filled += lease.len();
        });
    }

    /// Leases on the bytes at `position`, all of which are in memory, for a reader: what is read once may
    /// soon be read again.
    pub fn leases(&self, position: u32, bytes: usize) -> Vec<Lease> {
        let mut leases = Vec::new();
        self.visit(position, bytes, |held, lease| {
            held.touched.set(true);
            leases.push(lease);
        });
        leases
    }

    /// The same for the write-behind, which says nothing of who will read them.
    pub fn leases_to_write(&self, position: u32, bytes: usize) -> Vec<Lease> {
        let mut leases = Vec::new();
        self.visit(position, bytes, |_, lease| leases.push(lease));
        leases
    }

    fn visit(&self, position: u32, bytes: usize, mut each: impl FnMut(&Held, Lease)) {
        let (mut position, end) = (position, position + bytes as u32);
        let mut at = self.chunks.partition_point(|held| held.end() <= position);
        while position < end {
            let held = &self.chunks[at];
            let until = end.min(held.end());
            let inside = |position: u32| (position - held.position) as usize;
            each(held, held.chunk.lease(inside(position)..inside(until)));
            position = until;
            at += 1;
        }
    }

    /// Gives the front chunk back if the file has all of it; a chunk that was read since the
    /// last call is spared once. A chunk that is not full goes only when nothing can follow.
    pub fn evict_front(&mut self, durable: u32, sealed: bool) -> Eviction {
        match self.chunks.front() {
            Some(held) if (sealed || held.chunk.spare() == 0) && held.end() <= durable => {
                if held.touched.replace(false) {
                    return Eviction::Spared;
                }
                let bytes = held.chunk.capacity();
                self.chunks.pop_front();
                Eviction::Done { bytes }
            }
            _ => Eviction::Needed,
        }
    }

    /// Gives everything back: the file has it all.
    pub fn clear(&mut self) {
        self.chunks = VecDeque::new();
    }

    /// Gives back the chunks behind the last byte.
    pub fn drop_reserved(&mut self) {
        while self.chunks.back().is_some_and(|held| held.chunk.is_empty()) {
            self.chunks.pop_back();
        }
    }
}

/// What became of a chunk that was asked back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Eviction {
    /// It is gone.
    Done {
        /// Its memory.
        bytes: usize,
    },
    /// It was in use lately.
    Spared,
    /// It holds bytes that only it holds, or there is none.
    Needed,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::units::{KIB, MIB};

    fn bytes(from: u32, count: usize) -> Vec<u8> {
        (from..from + count as u32).map(|position| (position % 251) as u8).collect()
    }

    /// A window that begins at `start` and got `pieces` bytes each.
    fn window(arena: &Arena, start: u32, pieces: &[usize]) -> Window {
        let mut window = Window::default();
        let mut position = start;
        for &piece in pieces {
            assert!(window.grow(arena, piece, position), "there is memory");
            window.append(&bytes(position, piece));
            position += piece as u32;
        }
        window
    }

    #[test]
    fn bytes_come_back_across_chunks() {
        let arena = Arena::new(4 * MIB).expect("memory is there");
        let check = |start: u32, pieces: &[usize]| {
            let window = window(&arena, start, pieces);
            let total: usize = pieces.iter().sum();
            for (skip, less) in [(0, 0), (1, 1), (total / 2, 0), (total / 3, total / 3)] {
                let (position, count) = (start + skip as u32, total - skip - less);
                let mut out = vec![0; count];
                window.copy_out(position, &mut out);
                assert_eq!(out, bytes(position, count), "{pieces:?}");
                let leased: Vec<u8> = window
                    .leases(position, count)
                    .iter()
                    .flat_map(|lease| lease.to_vec())
                    .collect();
                assert_eq!(leased, out);
            }
        };
        check(0, &[100, 3996, 1, 70_000, 300_000]);
        check(8192, &[MIB]);
        check(4096, &[4096, 8192, 5]);
        assert_eq!(arena.bytes_used(), 0);
    }

    #[test]
    fn chunks_double_and_the_reserve_is_given_back() {
        let arena = Arena::new(4 * MIB).expect("memory is there");
        let mut window = window(&arena, 0, &[10, 4086, 1]);
        assert_eq!(window.memory(), 12 * KIB);
        assert!(window.grow(&arena, 100 * KIB, 0));
        let memory = window.memory();
        window.drop_reserved();
        assert!(window.memory() < memory);
        assert_eq!(window.memory(), 12 * KIB);
        window.append(b"more");
        let mut out = [0; 4];
        window.copy_out(4097, &mut out);
        assert_eq!(&out, b"more");
    }

    #[test]
    fn only_what_the_file_has_is_evicted() {
        let arena = Arena::new(4 * MIB).expect("memory is there");
        let mut window = window(&arena, 0, &[4096, 8192, 1]);
        assert_eq!(window.evict_front(4095, false), Eviction::Needed);
        let cached = [(4095, 0), (4096, 4096), (12_287, 4096), (12_288, 12_288), (12_289, 12_288)];
        for (written, memory) in cached {
            assert_eq!(window.memory_before(written), memory, "{written} bytes are in the file");
        }
        let lease = window.leases(0, 1);
        assert_eq!(window.evict_front(4096, false), Eviction::Spared);
        assert_eq!(window.evict_front(4096, false), Eviction::Done { bytes: 4096 });
        assert_eq!(window.start(), Some(4096));
        assert_eq!(&*lease[0], &[0]);
        assert_eq!(window.evict_front(4096, false), Eviction::Needed);
        assert_eq!(window.evict_front(12_288, false), Eviction::Done { bytes: 8192 });
        assert_eq!(window.evict_front(12_289, false), Eviction::Needed);
        assert_eq!(window.evict_front(12_289, true), Eviction::Done { bytes: 16_384 });
        assert!(window.is_empty());
    }

    #[test]
    fn memory_runs_out_without_harm() {
        let arena = Arena::new(MIB).expect("memory is there");
        let mut first = window(&arena, 0, &[900 * KIB]);
        assert!(!first.grow(&arena, 500 * KIB, 0));
        first.clear();
        assert!(first.grow(&arena, 500 * KIB, 0));
    }
}
