//! Cuts a connection's bytes into request frames without trusting the declared length.
//!
//! A frame is a big-endian `i32` length and as many bytes. A frame that lies whole in one receive
//! buffer is handed on where it lies; one that continues is collected in a vector that grows with
//! the bytes that arrived, never with the length that was announced.

use std::ops::{Deref, Range};
use std::rc::Rc;

use bytes::Bytes;

use crate::model::units::KIB;
use crate::protocol::errors::DecodeError;
use crate::protocol::frame::{self, SIZE_BYTES};
use crate::runtime::net::RecvBytes;

/// The first reservation for a long body, in bytes: what a socket buffer holds at once.
const COLLECT_BYTES_FIRST: usize = 64 * KIB;
/// What is reserved later, as a multiple of what has arrived.
const COLLECT_GROWTH: usize = 4;
/// So much of a long body comes before any memory is reserved for it, so that a peer that only
/// announces one holds nothing.
const COLLECT_BYTES_BEFORE: usize = 4 * KIB;
/// A rest that is shorter than this comes through a receive buffer, together with what follows it; a longer one
/// straight into its vector, in one operation however many segments it takes.
const COLLECT_REST_BYTES_MIN: usize = 8 * KIB;

/// The bytes of one request, without its length.
#[derive(Clone, Debug)]
pub enum Frame {
    /// Lies in a receive buffer, which goes back to its pool when the last frame in it is dropped.
    Shared(Rc<RecvBytes>, Range<usize>),
    /// Was collected over several receives.
    Owned(Bytes),
}

impl Deref for Frame {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Frame::Shared(bytes, range) => &bytes[range.clone()],
            Frame::Owned(bytes) => bytes,
        }
    }
}

/// What the connection does next.
#[derive(Debug)]
pub enum Step {
    /// A request is complete.
    Frame(Frame),
    /// More bytes are needed, of whatever number.
    Receive,
    /// Exactly so many bytes more of a long body are needed.
    Fill {
        /// What has been collected of it.
        body: Vec<u8>,
        /// How many bytes may follow now.
        missing: usize,
    },
}

/// The decoder's state: at most one receive buffer and one unfinished frame.
#[derive(Debug)]
pub struct Decoder {
    input: Option<(Rc<RecvBytes>, usize)>,
    partial: Vec<u8>,
    size_max: usize,
}

impl Decoder {
    /// A decoder that refuses frames longer than `size_max` bytes.
    pub fn new(size_max: usize) -> Decoder {
        Decoder { input: None, partial: Vec::new(), size_max }
    }

    /// True between two frames: nothing is buffered.
    pub fn is_empty(&self) -> bool {
        self.input.is_none() && self.partial.is_empty()
    }

    /// Takes the bytes of one receive; the ones before have been used up by [`Decoder::step`].
    pub fn received(&mut self, bytes: RecvBytes) {
        debug_assert!(self.input.is_none(), "the buffer before must be used up first");
        self.input = Some((Rc::new(bytes), 0));
    }

    /// Takes back the vector of [`Step::Fill`] once it is full.
    pub fn filled(&mut self, body: Vec<u8>) {
        self.partial = body;
    }

    /// The next frame, or what is missing for it.
    pub fn step(&mut self) -> Result<Step, DecodeError> {
        if self.partial.is_empty()
            && let Some((input, start)) = self.input.take()
        {
            if let Some(size) = frame::size(&input[start..], self.size_max)? {
                let body = start + SIZE_BYTES;
                let end = body + size;
                if end <= input.len() {
                    if end < input.len() {
                        self.input = Some((input.clone(), end));
                    }
                    return Ok(Step::Frame(Frame::Shared(input, body..end)));
                }
            }
            self.partial.extend_from_slice(&input[start..]);
        }
        self.collect()
    }

    /// Continues an unfinished frame with what has been received.
    fn collect(&mut self) -> Result<Step, DecodeError> {
        self.take_input(SIZE_BYTES);
        let Some(size) = frame::size(&self.partial, self.size_max)? else {
            return Ok(Step::Receive);
        };
        let whole = SIZE_BYTES + size;
        self.take_input(whole);
        let arrived = self.partial.len();
        if arrived == whole {
            let body = Bytes::from(std::mem::take(&mut self.partial));
            return Ok(Step::Frame(Frame::Owned(body.slice(SIZE_BYTES..))));
        }
        if whole - arrived < COLLECT_REST_BYTES_MIN || arrived < COLLECT_BYTES_BEFORE {
            return Ok(Step::Receive);
        }
        let until = whole.min((arrived * COLLECT_GROWTH).max(COLLECT_BYTES_FIRST));
        Ok(Step::Fill { body: std::mem::take(&mut self.partial), missing: until - arrived })
    }

    /// Moves received bytes to the unfinished frame until it has `want` bytes.
    fn take_input(&mut self, want: usize) {
        let Some((input, start)) = self.input.take() else { return };
        let end = input.len().min(start + want.saturating_sub(self.partial.len()));
        self.partial.extend_from_slice(&input[start..end]);
        if end < input.len() {
            self.input = Some((input, end));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame_of(body: &[u8]) -> Vec<u8> {
        let mut bytes = (body.len() as i32).to_be_bytes().to_vec();
        bytes.extend_from_slice(body);
        bytes
    }

    /// Feeds `stream` in pieces of `piece` bytes and returns the frames that came out.
    fn check(stream: &[u8], piece: usize, size_max: usize) -> Result<Vec<Vec<u8>>, DecodeError> {
        let mut decoder = Decoder::new(size_max);
        let mut at = 0;
        let mut frames = Vec::new();
        loop {
            match decoder.step()? {
                Step::Frame(frame) => frames.push(frame.to_vec()),
                Step::Receive => {
                    if at == stream.len() {
                        return Ok(frames);
                    }
                    let end = stream.len().min(at + piece);
                    decoder.received(RecvBytes::from(stream[at..end].to_vec()));
                    at = end;
                }
                Step::Fill { mut body, missing } => {
                    let Some(rest) = stream.get(at..at + missing) else { return Ok(frames) };
                    body.extend_from_slice(rest);
                    at += missing;
                    decoder.filled(body);
                }
            }
        }
    }

    #[test]
    fn frames_come_out_whole_however_they_are_cut() {
        let long: Vec<u8> = (0..300_000u32).map(|value| value as u8).collect();
        let bodies: [&[u8]; 5] = [b"a", b"", b"hello", &long, b"tail"];
        let stream: Vec<u8> = bodies.iter().flat_map(|body| frame_of(body)).collect();
        for piece in [1, 2, 3, 4, 5, 7, 1000, 16 * 1024, stream.len()] {
            let frames = check(&stream, piece, 1 << 20).expect("all lengths are allowed");
            assert_eq!(frames, bodies.map(<[u8]>::to_vec), "pieces of {piece}");
        }
    }

    #[test]
    fn a_length_out_of_bounds_is_refused_before_its_bytes_arrive() {
        let too_large = 1025i32.to_be_bytes();
        assert_eq!(
            check(&too_large, 4, 1024),
            Err(DecodeError::FrameSize { size: 1025, max: 1024 })
        );
        assert_eq!(check(&[0xff; 4], 1, 1024), Err(DecodeError::FrameSize { size: -1, max: 1024 }));
    }

    #[test]
    fn a_long_announcement_allocates_nothing_and_its_first_bytes_little() {
        let mut decoder = Decoder::new(100 << 20);
        decoder.received(RecvBytes::from((90i32 << 20).to_be_bytes().to_vec()));
        assert!(matches!(decoder.step(), Ok(Step::Receive)));
        assert!(decoder.partial.capacity() < 64, "{}", decoder.partial.capacity());
        decoder.received(RecvBytes::from(vec![0; COLLECT_BYTES_BEFORE - SIZE_BYTES]));
        let Ok(Step::Fill { body, missing }) = decoder.step() else { panic!("a body must follow") };
        assert!(body.capacity() <= 2 * COLLECT_BYTES_BEFORE, "{}", body.capacity());
        assert_eq!((body.len(), body.len() + missing), (COLLECT_BYTES_BEFORE, COLLECT_BYTES_FIRST));
    }
}
