//! Whole blocks of a segment on their way from memory to its file, cut into writes.

use crate::runtime::memory::{Lease, Piece};

/// Gives out the bytes of leases that follow each other, write by write.
pub struct Blocks<'a> {
    leases: &'a [Lease],
    /// What of the first lease has been given out.
    at: usize,
    position: u32,
    to: u32,
}

impl<'a> Blocks<'a> {
    /// The bytes of `leases`, which begin at position `from` of the segment, up to `to`.
    pub fn new(leases: &'a [Lease], from: u32, to: u32) -> Blocks<'a> {
        Blocks { leases, at: 0, position: from, to }
    }

    /// The next write of at most `bytes_max`, and where in the file it goes; `None` at the end.
    pub fn next(&mut self, bytes_max: usize) -> Option<(u32, Vec<Piece>)> {
        let begun = self.position;
        let mut left = bytes_max.min((self.to - begun) as usize);
        let mut pieces = Vec::new();
        while left > 0 {
            let Some((first, others)) = self.leases.split_first() else { break };
            let take = left.min(first.len() - self.at);
            pieces.push(Piece::Lease(first.slice(self.at..self.at + take)));
            self.at += take;
            self.position += take as u32;
            left -= take;
            if self.at == first.len() {
                (self.leases, self.at) = (others, 0);
            }
        }
        (!pieces.is_empty()).then_some((begun, pieces))
    }

    /// Copies what is left of the leases behind the blocks into `rest`, and says how many bytes that is.
    pub fn copy_rest(&self, rest: &mut [u8]) -> usize {
        let mut copied = 0;
        for (index, lease) in self.leases.iter().enumerate() {
            let left = &lease[if index == 0 { self.at } else { 0 }..];
            rest[copied..copied + left.len()].copy_from_slice(left);
            copied += left.len();
        }
        copied
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::units::{BLOCK, KIB, MIB};
    use crate::runtime::memory::Arena;
    use crate::storage::log::window::Window;

    #[test]
    fn writes_are_whole_and_the_rest_follows() {
        let arena = Arena::new(4 * MIB).expect("memory is there");
        let mut window = Window::default();
        let bytes: Vec<u8> = (0..300 * KIB + 5).map(|at| (at % 251) as u8).collect();
        for part in bytes.chunks(7_000) {
            assert!(window.grow(&arena, part.len(), 0));
            window.append(part);
        }
        let from = 2 * BLOCK;
        let leases = window.leases_to_write(from as u32, bytes.len() - from);
        let to = bytes.len() / BLOCK * BLOCK;
        for bytes_max in [BLOCK, 24 * KIB, 256 * KIB, MIB] {
            let mut blocks = Blocks::new(&leases, from as u32, to as u32);
            let mut written = Vec::new();
            while let Some((position, pieces)) = blocks.next(bytes_max) {
                assert_eq!(position as usize, from + written.len());
                let before = written.len();
                written.extend(pieces.iter().flat_map(|piece| piece.iter().copied()));
                assert!(written.len() - before <= bytes_max);
            }
            assert_eq!(written, bytes[from..to], "{bytes_max} bytes at once");
            let mut rest = [0; BLOCK];
            let ragged = blocks.copy_rest(&mut rest);
            assert_eq!(rest[..ragged], bytes[to..]);
        }
    }
}
