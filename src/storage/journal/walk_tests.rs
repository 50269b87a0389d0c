//! The judgement over journals that were written without a disk: whole, torn, turned and damaged ones.

use crate::model::units::BLOCK;
use crate::model::{LogId, OwnerEpoch};
use crate::storage::directory::DirectoryId;

use super::entry;
use super::frame::{FRAME_HEADER_BYTES, FrameHeader, frame_bytes, seal};
use super::walk::*;
use super::*;

const FILE_BYTES: u64 = 16 * BLOCK as u64;

/// Writes frames as the writer does, without a disk.
struct Pen {
    identity: JournalIdentity,
    files: Vec<Vec<u8>>,
    file: usize,
    offset: u64,
    generation: u64,
    crc: u32,
    next: u64,
    places: Vec<Place>,
}

impl Pen {
    fn new(epoch: u64) -> Pen {
        let identity = JournalIdentity { directory: DirectoryId([5; 16]), slot: 0, epoch };
        Pen {
            identity,
            files: vec![vec![0; FILE_BYTES as usize]; 3],
            file: 0,
            offset: 0,
            generation: 1,
            crc: identity.chain_seed(),
            next: 1,
            places: Vec::new(),
        }
    }

    fn turn(&mut self) {
        self.file = (self.file + 1) % self.files.len();
        self.offset = 0;
        self.generation += 1;
    }

    fn frame(&mut self, durable_through: u64, pieces: &[(usize, bool, bool)]) {
        let mut payload = Vec::new();
        for (index, &(bytes, continues, more)) in pieces.iter().enumerate() {
            let header = entry::encode_header(
                EntryKind::Append,
                LogId::default(),
                OwnerEpoch(0),
                bytes as u32,
                continues,
                more,
            );
            payload.extend_from_slice(&header);
            payload.resize(payload.len() + bytes, (self.next + index as u64) as u8);
        }
        let header = FrameHeader {
            identity: self.identity,
            file: self.file as u16,
            entry_count: pieces.len() as u32,
            generation: self.generation,
            file_offset: self.offset,
            first: Sequence(self.next),
            durable_through: Sequence(durable_through),
            payload_bytes: payload.len() as u32,
            previous_crc: self.crc,
        };
        let length = frame_bytes(payload.len()) as usize;
        let frame = &mut self.files[self.file][self.offset as usize..][..length];
        frame.fill(0);
        frame[FRAME_HEADER_BYTES..][..payload.len()].copy_from_slice(&payload);
        self.crc = seal(frame, &header);
        self.places.push(Place { file: self.file as u16, offset: self.offset });
        self.offset += length as u64;
        self.next += pieces.len() as u64;
    }

    /// Frames of one small entry, each submitted when the one before was durable.
    fn frames(&mut self, count: u64) {
        for _ in 0..count {
            self.frame(self.next - 1, &[(10, false, false)]);
        }
    }

    /// Breaks a frame, counted from 0.
    fn damage(&mut self, frame: usize) {
        let place = self.places[frame];
        self.files[usize::from(place.file)][place.offset as usize + 100] ^= 1;
    }
}

fn walk(pen: &Pen, from: u64, step: usize) -> Result<(Vec<(u64, usize)>, ScanReport), WalkError> {
    let mut walk = Walk::new(pen.identity, Sequence(from));
    let mut order: Vec<u16> = (0..pen.files.len() as u16).collect();
    order.sort_by_key(|&file| {
        walk.turn(&pen.files[usize::from(file)]).map_or(u64::MAX, |turn| turn.generation)
    });
    let mut seen = Vec::new();
    for file in order {
        walk.begin_file(file, FILE_BYTES);
        let bytes = &pen.files[usize::from(file)];
        for at in (0..bytes.len()).step_by(step) {
            let to = bytes.len().min(at + step);
            walk.feed(&bytes[at..to], to == bytes.len(), &mut |sequence, entry| {
                seen.push((sequence.0, entry.payload.len()));
                Ok(())
            })?;
        }
    }
    let report = walk.finish()?;
    Ok((seen, report))
}

fn check(pen: &Pen, from: u64, expected: std::ops::Range<u64>) -> ScanReport {
    let mut reports = Vec::new();
    for step in [BLOCK, 3 * BLOCK, FILE_BYTES as usize] {
        let (seen, report) = walk(pen, from, step).expect("recoverable");
        let sequences: Vec<u64> = seen.iter().map(|&(sequence, _)| sequence).collect();
        assert_eq!(sequences, expected.clone().collect::<Vec<_>>());
        assert_eq!(report.last, Sequence(expected.end - 1));
        reports.push(report);
    }
    assert!(reports.iter().all(|report| *report == reports[0]), "the same for every read size");
    reports[0]
}

#[test]
fn whole_journals_are_read_over_turns_and_from_any_sequence() {
    let mut pen = Pen::new(1);
    check(&pen, 1, 1..1);
    pen.frames(15);
    pen.turn();
    pen.frames(15);
    for from in [1, 2, 15, 16, 17, 30] {
        let report = check(&pen, from, from..31);
        assert!(!report.torn);
    }
    check(&pen, 31, 31..31);
    pen.turn();
    pen.frames(4);
    pen.turn();
    pen.frames(2);
    // The first file holds its second turn, and behind it the stale rest of its first.
    let report = check(&pen, 20, 20..37);
    assert_eq!((report.stale_frames, report.torn), (13, false));
}

#[test]
fn a_tail_that_nobody_was_told_of_is_cut() {
    let mut pen = Pen::new(1);
    pen.frames(5);
    pen.frame(4, &[(10, false, false)]);
    pen.frame(4, &[(9000, false, false), (10, false, false)]);
    pen.damage(4);
    let report = check(&pen, 1, 1..5);
    assert!(report.torn);
    assert_eq!((report.torn_frames, report.cut_frames), (1, 2));
}

#[test]
fn a_hole_below_the_durable_watermark_is_corruption() {
    for (lost, durable) in [(0, 1), (2, 3), (4, 5)] {
        let mut pen = Pen::new(1);
        pen.frames(5);
        pen.frame(durable, &[(10, false, false)]);
        pen.damage(lost);
        match walk(&pen, 1, BLOCK) {
            Err(WalkError::Corrupt { missing, at, .. }) => {
                assert_eq!(missing, Sequence(lost as u64 + 1));
                assert_eq!(at, if lost == 0 { Place::default() } else { pen.places[lost] });
            }
            other => panic!("taken for {other:?}"),
        }
    }
}

#[test]
fn corruption_is_seen_across_the_turn_of_a_file() {
    let mut pen = Pen::new(1);
    pen.frames(15);
    pen.turn();
    pen.frames(3);
    for lost in [14, 15] {
        pen.damage(lost);
        assert!(matches!(walk(&pen, 1, BLOCK), Err(WalkError::Corrupt { .. })), "{lost}");
        pen.damage(lost);
    }
    // The last frame has no witness.
    pen.damage(17);
    check(&pen, 1, 1..18);
}

#[test]
fn a_hole_that_a_checkpoint_covers_harms_nobody() {
    let mut pen = Pen::new(1);
    pen.frames(10);
    pen.damage(3);
    let report = check(&pen, 6, 6..11);
    assert_eq!(report.covered_holes, 1);
    assert!(matches!(walk(&pen, 4, BLOCK), Err(WalkError::Corrupt { .. })));
}

#[test]
fn an_entry_in_pieces_is_seen_whole_or_not_at_all() {
    let mut pen = Pen::new(1);
    pen.frame(0, &[(10, false, false), (5000, false, true)]);
    pen.frame(0, &[(6000, true, true)]);
    pen.frame(0, &[(70, true, false), (20, false, false)]);
    let (seen, _) = walk(&pen, 1, BLOCK).expect("recoverable");
    assert_eq!(seen, [(1, 10), (4, 11_070), (5, 20)]);
    pen.damage(2);
    let (seen, report) = walk(&pen, 1, BLOCK).expect("recoverable");
    assert_eq!(seen, [(1, 10)]);
    assert_eq!((report.partial_entries, report.torn, report.last), (1, true, Sequence(1)));
}

#[test]
fn frames_of_another_place_or_epoch_are_refused() {
    let mut old = Pen::new(1);
    old.frames(12);
    let mut pen = Pen::new(2);
    pen.files.clone_from(&old.files);
    pen.frames(3);
    let report = check(&pen, 1, 1..4);
    assert_eq!((report.stale_frames, report.torn), (9, false));
    // A write that landed in the wrong place is not the next frame there.
    let block = pen.files[0][..BLOCK].to_vec();
    pen.files[0][3 * BLOCK..4 * BLOCK].copy_from_slice(&block);
    pen.files[1][..BLOCK].copy_from_slice(&block);
    assert_eq!(check(&pen, 1, 1..4).misdirected_frames, 2);
    // An old superblock with a newer journal must not start.
    old.files = pen.files;
    assert!(matches!(walk(&old, 1, BLOCK), Err(WalkError::Newer { epoch: 2, .. })));
}

#[test]
fn a_file_of_another_directory_is_an_error() {
    let mut pen = Pen::new(1);
    pen.frames(5);
    let foreign = Pen {
        identity: JournalIdentity { directory: DirectoryId([6; 16]), ..pen.identity },
        ..Pen::new(1)
    };
    let mut foreign = Pen { crc: foreign.identity.chain_seed(), ..foreign };
    foreign.frames(2);
    // Bytes of a record may look like a frame of anybody.
    let lookalike = foreign.files[0][BLOCK..2 * BLOCK].to_vec();
    pen.files[0][8 * BLOCK..9 * BLOCK].copy_from_slice(&lookalike);
    check(&pen, 1, 1..6);
    let directory = foreign.identity.directory;
    pen.files[0] = foreign.files[0].clone();
    assert!(
        matches!(walk(&pen, 1, BLOCK), Err(WalkError::Foreign { directory: of, .. }) if of == directory)
    );
    // A part of one is none.
    pen.files[0][100] ^= 1;
    assert!(walk(&pen, 1, BLOCK).is_ok());
}

#[test]
fn an_unknown_entry_kind_is_an_error() {
    let mut pen = Pen::new(1);
    pen.frames(2);
    let frame = &mut pen.files[0][..BLOCK];
    frame[FRAME_HEADER_BYTES] = 200;
    let header = frame::peek(frame).expect("a header");
    seal(frame, &header);
    let error = walk(&pen, 1, BLOCK).expect_err("not readable");
    assert!(error.to_string().contains("kind 200"), "{error}");
}
