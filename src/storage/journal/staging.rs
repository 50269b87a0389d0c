//! The staging ring: entries are copied into the open frame, full frames queue behind it.
//!
//! Buffers have the size of the largest frame and go round; their pages are touched only as far as
//! frames fill them.

use std::collections::VecDeque;

use crate::model::{LogId, OwnerEpoch};
use crate::runtime::AlignedBuf;
use crate::runtime::memory::copy;

use super::entry::{self, ENTRY_HEADER_BYTES, EntryKind, Sequence};
use super::frame::{FRAME_HEADER_BYTES, frame_bytes};

/// Buffers kept for later frames: two commits in flight, the open frame and one to spare.
const SPARE_BUFFERS_MAX: usize = 4;

/// A frame that is not yet on its way to the disk.
pub struct StagedFrame {
    /// The frame's bytes; the header is filled at submission.
    pub buffer: AlignedBuf,
    /// Bytes of entries behind the header.
    pub payload_bytes: usize,
    /// Pieces in it.
    pub entry_count: u32,
    /// The first piece's sequence.
    pub first: Sequence,
    /// Somebody waits until an entry in it is durable.
    pub durable: bool,
    /// It has been kept back for long enough.
    pub due: bool,
}

impl StagedFrame {
    /// The last piece's sequence.
    pub fn last(&self) -> Sequence {
        Sequence(self.first.0 + u64::from(self.entry_count) - 1)
    }

    /// Bytes on disk.
    pub fn bytes(&self) -> u64 {
        frame_bytes(self.payload_bytes)
    }
}

/// Frames that wait for submission, oldest first; only the last takes more entries.
pub struct Staging {
    frames: VecDeque<StagedFrame>,
    spare: Vec<AlignedBuf>,
    frame_bytes_max: usize,
    next: Sequence,
    bytes: u64,
}

impl Staging {
    /// An empty ring for frames of at most that many bytes on disk.
    pub fn new(frame_bytes_max: usize) -> Staging {
        Staging {
            frames: VecDeque::new(),
            spare: Vec::new(),
            frame_bytes_max,
            next: Sequence::FIRST,
            bytes: 0,
        }
    }

    /// The sequence of the next piece.
    pub fn next_sequence(&self) -> Sequence {
        self.next
    }

    /// Bytes on disk that the staged frames will take.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Buffers of staged frames and those that wait for later ones.
    pub fn buffers(&self) -> usize {
        self.frames.len() + self.spare.len()
    }

    /// The frame to be submitted next.
    pub fn front(&self) -> Option<&StagedFrame> {
        self.frames.front()
    }

    /// Takes the frame to be submitted next.
    pub fn pop(&mut self) -> Option<StagedFrame> {
        let frame = self.frames.pop_front()?;
        self.bytes -= frame.bytes();
        Some(frame)
    }

    /// Takes a buffer back after its frame is written.
    pub fn give_back(&mut self, buffer: AlignedBuf) {
        if self.spare.len() < SPARE_BUFFERS_MAX {
            self.spare.push(buffer);
        }
    }

    /// Copies an entry in, over as many frames as it needs; gives its last piece's sequence.
    pub fn append(
        &mut self,
        kind: EntryKind,
        log: LogId,
        owner_epoch: OwnerEpoch,
        header: &[u8],
        body: &[u8],
    ) -> Sequence {
        let total = header.len() + body.len();
        let payload_bytes_max = self.frame_bytes_max - FRAME_HEADER_BYTES;
        let room = self.frames.back().map_or(0, |frame| payload_bytes_max - frame.payload_bytes);
        if room < ENTRY_HEADER_BYTES + total {
            self.open_frame();
        }
        let piece_bytes_max = payload_bytes_max - ENTRY_HEADER_BYTES;
        let mut from = 0;
        loop {
            let to = total.min(from + piece_bytes_max);
            let length = u32::try_from(to - from).expect("a frame is at most a mebibyte");
            let entry = entry::encode_header(kind, log, owner_epoch, length, from > 0, to < total);
            let in_header = from.min(header.len())..to.min(header.len());
            let in_body = from.saturating_sub(header.len())..to.saturating_sub(header.len());
            self.push([&entry, &header[in_header], &body[in_body]]);
            if to == total {
                return Sequence(self.next.0 - 1);
            }
            from = to;
            self.open_frame();
        }
    }

    /// Makes the staged frames up to a sequence ones that somebody waits for.
    pub fn demand_durable(&mut self, sequence: Sequence) {
        let frame = self.frames.iter_mut().rev().find(|frame| frame.first <= sequence);
        if let Some(frame) = frame {
            frame.durable = true;
        }
    }

    /// The frame that takes more entries, if no other waits before it.
    pub fn only(&self) -> Option<&StagedFrame> {
        self.frames.front().filter(|_| self.frames.len() == 1)
    }

    /// Makes the frame that begins with a sequence one that is not kept back any longer.
    pub fn make_due(&mut self, first: Sequence) {
        if let Some(frame) = self.frames.iter_mut().find(|frame| frame.first == first) {
            frame.due = true;
        }
    }

    fn open_frame(&mut self) {
        let buffer = self.spare.pop().unwrap_or_else(|| AlignedBuf::zeroed(self.frame_bytes_max));
        self.frames.push_back(StagedFrame {
            buffer,
            payload_bytes: 0,
            entry_count: 0,
            first: self.next,
            durable: false,
            due: false,
        });
    }

    fn push(&mut self, parts: [&[u8]; 3]) {
        let frame = self.frames.back_mut().expect("a frame was opened for this piece");
        let before = if frame.entry_count == 0 { 0 } else { frame.bytes() };
        for part in parts {
            let at = FRAME_HEADER_BYTES + frame.payload_bytes;
            copy(&mut frame.buffer[at..at + part.len()], part);
            frame.payload_bytes += part.len();
        }
        frame.entry_count += 1;
        self.bytes += frame.bytes() - before;
        self.next = self.next.next();
    }
}
