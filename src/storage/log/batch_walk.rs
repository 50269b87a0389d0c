//! Walking a segment from batch to batch, by headers and with the help of its index; no I/O.

use super::failure::SegmentDamaged;
use super::index::SparseIndex;
use super::segment::Segment;
use crate::model::Offset;
use crate::record::{BATCH_HEADER_BYTES, BatchHeader};

/// What a reader asks for.
#[derive(Clone, Copy)]
pub(super) struct Want {
    pub(super) from: Offset,
    pub(super) bytes_max: usize,
    pub(super) limit: Offset,
    pub(super) at_least_one: bool,
}

/// Whole batches that stand one after the other in a segment.
#[derive(Clone, Copy)]
pub(super) struct Span {
    pub(super) start: u32,
    pub(super) end: u32,
    pub(super) first: Offset,
    pub(super) next: Offset,
}

/// Where a walk through a segment begins, and what bounds it.
#[derive(Clone, Copy)]
pub(super) struct Path {
    /// Of the first batch.
    pub(super) position: u32,
    /// The offset that the first batch begins with, if that is known.
    pub(super) expected: Option<Offset>,
    /// Bytes from here on are not at hand.
    pub(super) available: u32,
    /// The offset behind the segment's last batch.
    pub(super) end_offset: Offset,
}

/// How a walk from batch to batch ended.
pub(super) enum Walk {
    /// These are what the reader gets.
    Found(Span),
    /// Nothing in this segment is for the reader.
    Nothing,
    /// The segment ended without a batch for the reader.
    Passed,
    /// The bytes from `position` on are not at hand; `needed` of them at least, if that is known.
    Missing { position: u32, needed: usize },
}

/// Walks the batches of a segment; each has to begin at the offset where the one before ends, because
/// no checksum covers that. `header_at` copies the header of a batch out, and is asked for what is at
/// hand only.
pub(super) fn walk(
    segment: &Segment,
    mut path: Path,
    want: &Want,
    mut header_at: impl FnMut(u32, &mut [u8; BATCH_HEADER_BYTES]),
) -> Result<Walk, SegmentDamaged> {
    let end = segment.state.bytes;
    let base = segment.state.base;
    let mut span: Option<Span> = None;
    let mut head = [0; BATCH_HEADER_BYTES];
    loop {
        let Path { position, available, .. } = path;
        let taken = span.map_or(0, |span| (span.end - span.start) as usize);
        if position == end {
            if path.expected.is_some_and(|expected| expected != path.end_offset) {
                return Err(SegmentDamaged { base, position });
            }
            return Ok(span.map_or(Walk::Passed, Walk::Found));
        }
        if position + BATCH_HEADER_BYTES as u32 > end {
            return Err(SegmentDamaged { base, position });
        }
        if position + BATCH_HEADER_BYTES as u32 > available {
            let missing = Walk::Missing { position, needed: BATCH_HEADER_BYTES };
            return Ok(span.map_or(missing, Walk::Found));
        }
        header_at(position, &mut head);
        let header = check_header(segment, &path, &head)?;
        if header.base_offset > want.from && span.is_none() {
            return Err(SegmentDamaged { base, position });
        }
        let batch_end = position + header.size_bytes as u32;
        if header.next_offset() <= want.from {
            (path.position, path.expected) = (batch_end, Some(header.next_offset()));
            continue;
        }
        let fits = taken + header.size_bytes <= want.bytes_max || (taken == 0 && want.at_least_one);
        if header.next_offset() > want.limit || !fits {
            return Ok(span.map_or(Walk::Nothing, Walk::Found));
        }
        if batch_end > available {
            let missing = Walk::Missing { position, needed: header.size_bytes };
            return Ok(span.map_or(missing, Walk::Found));
        }
        let started = span.map_or((position, header.base_offset), |span| (span.start, span.first));
        let mut next =
            Span { start: started.0, end: batch_end, first: started.1, next: header.next_offset() };
        if span.is_none() {
            leap(segment, available, want, &mut next);
        }
        (path.position, path.expected) = (next.end, Some(next.next));
        span = Some(next);
    }
}

/// The header of the batch that a path leads to, if it can be the one that stands there.
fn check_header(
    segment: &Segment,
    path: &Path,
    head: &[u8; BATCH_HEADER_BYTES],
) -> Result<BatchHeader, SegmentDamaged> {
    let (base, position) = (segment.state.base, path.position);
    let damaged = SegmentDamaged { base, position };
    let header = BatchHeader::parse(head).map_err(|_| damaged)?;
    let is_in_order = path.expected.is_none_or(|expected| header.base_offset == expected)
        && header.base_offset >= base
        && header.next_offset() <= path.end_offset;
    if !is_in_order || !segment.may_hold(position, header.size_bytes) {
        return Err(damaged);
    }
    Ok(header)
}

/// What a reader gets of a sealed segment by the header of its first batch and the index alone; `None` where the
/// index does not tell.
pub(super) fn leap_from(
    segment: &Segment,
    path: &Path,
    want: &Want,
    head: &[u8; BATCH_HEADER_BYTES],
) -> Result<Option<Span>, SegmentDamaged> {
    let header = check_header(segment, path, head)?;
    let (first, next) = (header.base_offset, header.next_offset());
    let fits = header.size_bytes <= want.bytes_max || want.at_least_one;
    if first > want.from || next <= want.from || next > want.limit || !fits {
        return Ok(None);
    }
    let end = path.position + header.size_bytes as u32;
    let mut span = Span { start: path.position, end, first, next };
    leap(segment, path.available, want, &mut span);
    Ok((span.end > end).then_some(span))
}

/// Extends a span by the index, where that names a batch that still fits: what lies before it
/// needs no walking.
fn leap(segment: &Segment, available: u32, want: &Want, span: &mut Span) {
    if let Some((end, next)) = border(segment, span.start, available, want)
        && end > span.end
    {
        (span.end, span.next) = (end, next);
    }
}

/// The last border between batches, by the index, that a reader who begins at `start` may get to, and the offset that
/// follows it.
fn border(segment: &Segment, start: u32, available: u32, want: &Want) -> Option<(u32, Offset)> {
    let reach = start.saturating_add(u32::try_from(want.bytes_max).unwrap_or(u32::MAX));
    let entry = segment.index.border_below(reach.min(available))?;
    let offset = SparseIndex::base_offset(segment.state.base, &entry);
    (offset <= want.limit).then_some((entry.position, offset))
}

/// Whether [`leap_from`] can get beyond the batch at `position` at all, which needs no header to tell.
pub(super) fn may_leap(segment: &Segment, position: u32, want: &Want) -> bool {
    border(segment, position, segment.state.bytes, want).is_some_and(|(end, _)| end > position)
}

/// Extends what is sent from a file to all that the reader takes of it.
pub(super) fn lengthen(segment: &Segment, want: &Want, mut span: Span) -> Span {
    leap(segment, segment.state.bytes, want, &mut span);
    span
}
