//! The journal's files: which one takes the next frame, which are full, which are free again.
//!
//! All are preallocated and go round: free, current, full, and free again once everything in them
//! is released. A file's last block stays unused: its length is one block short until the file is
//! zeroed to the end, which is how a later start knows.

use std::collections::VecDeque;

use crate::model::units::BLOCK;

use super::entry::Sequence;

/// Where a frame goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Index of the file.
    pub file: u16,
    /// The file's turn in this epoch.
    pub generation: u64,
    /// Bytes from the file's start.
    pub offset: u64,
}

/// Why a frame cannot be placed now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoSlot {
    /// Every file is full: a release has to come first.
    Full,
    /// The file is not zeroed that far.
    Unzeroed,
}

/// The turn of the files.
pub struct Files {
    /// Bytes of each file that frames may take.
    capacity: u64,
    frame_bytes_max: u64,
    zeroed: Vec<u64>,
    free: VecDeque<u16>,
    /// Oldest first, with the last sequence inside.
    full: VecDeque<(u16, Sequence)>,
    current: Option<(u16, u64)>,
    generation: u64,
}

impl Files {
    /// All files free; `zeroed` says how many bytes of each are zeroed.
    pub fn new(file_bytes: u64, frame_bytes_max: u64, zeroed: Vec<u64>) -> Files {
        let count = u16::try_from(zeroed.len()).expect("a journal has few files");
        Files {
            capacity: file_bytes - BLOCK as u64,
            frame_bytes_max,
            zeroed,
            free: (0..count).collect(),
            full: VecDeque::new(),
            current: None,
            generation: 0,
        }
    }

    /// Notes that a file is zeroed up to `bytes`.
    pub fn set_zeroed(&mut self, file: u16, bytes: u64) {
        self.zeroed[usize::from(file)] = bytes;
    }

    /// Bytes that can be placed before a frame has to wait for zeros, had frames no length.
    pub fn zeroed_ahead(&self) -> u64 {
        let current = self.current.map_or(0, |(file, at)| self.zeroed[usize::from(file)] - at);
        let free = self.free.iter().map(|&file| self.zeroed[usize::from(file)]);
        current + free.sum::<u64>()
    }

    /// The file that takes frames, if one was begun.
    pub fn current(&self) -> Option<u16> {
        self.current.map(|(file, _)| file)
    }

    /// Takes the place of the next frame; `last_before` is the last sequence placed so far.
    pub fn place(&mut self, bytes: u64, last_before: Sequence) -> Result<Slot, NoSlot> {
        assert!(bytes <= self.frame_bytes_max, "a frame keeps to its bound");
        let current = self.current.filter(|&(_, at)| at + bytes <= self.capacity);
        let (file, offset) = match current {
            Some(current) => current,
            None => (*self.free.front().ok_or(NoSlot::Full)?, 0),
        };
        if self.zeroed[usize::from(file)] < offset + bytes {
            return Err(NoSlot::Unzeroed);
        }
        if current.is_none() {
            self.free.pop_front();
            self.generation += 1;
            self.full.extend(self.current.map(|(full, _)| (full, last_before)));
        }
        self.current = Some((file, offset + bytes));
        Ok(Slot { file, generation: self.generation, offset })
    }

    /// Frees the files whose sequences all lie before `sequence`; gives them.
    pub fn release_before(&mut self, sequence: Sequence) -> Vec<u16> {
        let mut released = Vec::new();
        while let Some(&(file, last)) = self.full.front()
            && last < sequence
        {
            self.full.pop_front();
            self.free.push_back(file);
            released.push(file);
        }
        released
    }

    /// Bytes that can surely be placed without a release: a file's end may be too short for a
    /// frame, so each file counts for that much less.
    pub fn room(&self) -> u64 {
        let unusable = self.frame_bytes_max - BLOCK as u64;
        let current = self.current.map_or(0, |(_, at)| self.capacity - at);
        current.saturating_sub(unusable) + self.free.len() as u64 * (self.capacity - unusable)
    }

    /// The largest `room` there can be.
    pub fn room_max(&self) -> u64 {
        (self.capacity - (self.frame_bytes_max - BLOCK as u64)) * self.zeroed.len() as u64
    }

    /// The part of all files that is taken, 0 to 1.
    pub fn pressure(&self) -> f64 {
        let current = self.current.map_or(0, |(_, at)| at);
        let taken = current + self.full.len() as u64 * self.capacity;
        taken as f64 / (self.capacity * self.zeroed.len() as u64) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const B: u64 = BLOCK as u64;

    fn files() -> Files {
        Files::new(9 * B, 4 * B, vec![9 * B; 3])
    }

    #[test]
    fn frames_fill_files_in_turn_and_a_release_brings_them_back() {
        let mut files = files();
        assert_eq!(files.room(), files.room_max());
        let mut placed = Vec::new();
        for sequence in 1..=6 {
            let slot = files.place(4 * B, Sequence(sequence - 1)).expect("room");
            placed.push((slot.file, slot.generation, slot.offset / B));
        }
        assert_eq!(placed, [(0, 1, 0), (0, 1, 4), (1, 2, 0), (1, 2, 4), (2, 3, 0), (2, 3, 4)]);
        assert_eq!(files.place(4 * B, Sequence(6)), Err(NoSlot::Full));
        assert_eq!(files.room(), 0);
        assert!(files.pressure() > 0.99);
        assert!(files.release_before(Sequence(2)).is_empty());
        assert_eq!(files.release_before(Sequence(3)), [0]);
        let slot = files.place(B, Sequence(6)).expect("a free file");
        assert_eq!(slot, Slot { file: 0, generation: 4, offset: 0 });
        assert_eq!(files.release_before(Sequence(100)), [1, 2]);
    }

    #[test]
    fn what_room_promises_can_be_placed() {
        for frame in 1..=4 {
            let mut files = files();
            let mut placed = 0;
            while files.place(frame * B, Sequence(1)).is_ok() {
                placed += frame * B;
            }
            assert!(placed >= files.room_max() / (frame * B) * (frame * B), "frames of {frame}");
        }
    }

    #[test]
    fn a_frame_waits_for_zeros() {
        let mut files = Files::new(9 * B, 4 * B, vec![B, 0]);
        assert!(files.place(B, Sequence::NONE).is_ok());
        assert_eq!(files.place(B, Sequence(1)), Err(NoSlot::Unzeroed));
        files.set_zeroed(0, 3 * B);
        assert!(files.place(2 * B, Sequence(1)).is_ok());
    }
}
