//! Finding an offset by time, as ListOffsets asks for it (Kafka's `fetchOffsetByTimestamp`).
//!
//! Segments are passed over by their largest timestamp, and the sparse index says where in a
//! segment to begin. Records of the batch that is found are opened within caps: what a producer
//! declared about a compressed batch was never checked.

use std::rc::Rc;

use super::failure::{LogReadError, SegmentDamaged};
use super::partition_log::{Log, LogShared};
use crate::model::limits::COLD_READ_BYTES_MAX;
use crate::model::{LeaderEpoch, Offset};
use crate::record::{BATCH_HEADER_BYTES, BatchHeader, BatchView, DecompressionCaps};

/// A record that a timestamp led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimedOffset {
    /// Its offset.
    pub offset: Offset,
    /// Its timestamp.
    pub timestamp: i64,
    /// The term in which it was written.
    pub leader_epoch: LeaderEpoch,
}

/// What of a batch is looked for.
#[derive(Clone, Copy)]
enum Sought {
    /// The first record with at least this timestamp.
    AtLeast(i64),
    /// The first record with exactly this timestamp.
    Exactly(i64),
}

impl Sought {
    fn is_met(self, timestamp: i64) -> bool {
        match self {
            Sought::AtLeast(least) => timestamp >= least,
            Sought::Exactly(exact) => timestamp == exact,
        }
    }
}

impl Log {
    /// The first record below `limit` whose timestamp is at least `timestamp`.
    ///
    /// # Errors
    /// As [`Log::read`].
    pub async fn offset_for_timestamp(
        &self,
        timestamp: i64,
        limit: Offset,
    ) -> Result<Option<TimedOffset>, LogReadError> {
        let found = self.0.look_while_the_start_moves(async || self.0.first_since(timestamp).await);
        Ok(found.await?.filter(|found| found.offset < limit))
    }

    /// The first record with the log's largest timestamp, if it is below `limit` (KIP-734).
    ///
    /// # Errors
    /// As [`Log::read`].
    pub async fn max_timestamp(&self, limit: Offset) -> Result<Option<TimedOffset>, LogReadError> {
        let found = self.0.look_while_the_start_moves(async || self.0.first_of_largest().await);
        Ok(found.await?.filter(|found| found.offset < limit))
    }
}

impl LogShared {
    /// Looks again from the log's new start for as long as it passes what a look was looking at.
    async fn look_while_the_start_moves(
        &self,
        look: impl AsyncFn() -> Result<Option<TimedOffset>, LogReadError>,
    ) -> Result<Option<TimedOffset>, LogReadError> {
        loop {
            let start = self.core().readable_start;
            let found = look().await;
            let core = self.core();
            let stands = match &found {
                Ok(Some(found)) => found.offset >= core.readable_start,
                Ok(None) | Err(_) => core.readable_start == start || core.deleted,
            };
            if stands {
                return found;
            }
        }
    }

    async fn first_since(
        self: &Rc<Self>,
        timestamp: i64,
    ) -> Result<Option<TimedOffset>, LogReadError> {
        let mut after = Offset(-1);
        loop {
            let Some((base, largest)) = self.next_segment(after)? else { return Ok(None) };
            after = base;
            if largest < timestamp {
                continue;
            }
            let position = self.position_of_timestamp(base, timestamp).await?;
            let found = self.seek(base, position, Sought::AtLeast(timestamp)).await?;
            if found.is_some() {
                return Ok(found);
            }
        }
    }

    async fn first_of_largest(self: &Rc<Self>) -> Result<Option<TimedOffset>, LogReadError> {
        let (base, from, largest) = {
            let core = self.core();
            let first = core.segment_of(core.readable_start);
            let newest = core.segments.range(first..).filter(|segment| segment.state.bytes > 0);
            // The first of equals, so that the answer is the earliest record.
            let newest = newest.rev().max_by_key(|segment| segment.state.max_timestamp);
            let Some(segment) = newest else { return Ok(None) };
            let state = segment.state;
            (state.base, state.max_timestamp_base, state.max_timestamp)
        };
        if largest < 0 {
            return Ok(None);
        }
        let position = self.position_of_batch(base, from).await?;
        self.seek(base, position, Sought::Exactly(largest)).await
    }

    /// The first segment with bytes whose base is above `after`, and its largest timestamp.
    fn next_segment(&self, after: Offset) -> Result<Option<(Offset, i64)>, LogReadError> {
        let core = self.core();
        core.check_range(core.readable_start)?;
        let mut segments = core.segments.iter();
        let next = segments.find(|segment| segment.state.base > after && segment.state.bytes > 0);
        Ok(next.map(|segment| (segment.state.base, segment.state.max_timestamp)))
    }

    async fn position_of_timestamp(
        self: &Rc<Self>,
        base: Offset,
        timestamp: i64,
    ) -> Result<u32, LogReadError> {
        self.complete_index(base).await?;
        let core = self.core();
        let index = core.segment_index(base).ok_or_else(|| core.gone())?;
        Ok(core.segments[index].index.position_of_timestamp(timestamp).unwrap_or(0))
    }

    async fn position_of_batch(
        self: &Rc<Self>,
        base: Offset,
        offset: Offset,
    ) -> Result<u32, LogReadError> {
        self.complete_index(base).await?;
        let core = self.core();
        let index = core.segment_index(base).ok_or_else(|| core.gone())?;
        Ok(core.segments[index].index.position_of(base, offset).unwrap_or(0))
    }

    async fn complete_index(self: &Rc<Self>, base: Offset) -> Result<(), LogReadError> {
        let is_complete = {
            let core = self.core();
            let index = core.segment_index(base).ok_or_else(|| core.gone())?;
            core.segments[index].index.is_complete()
        };
        if is_complete { Ok(()) } else { self.load_index(base).await }
    }

    fn may_hold(&self, base: Offset, position: u32, bytes: usize) -> Result<bool, LogReadError> {
        let core = self.core();
        let index = core.segment_index(base).ok_or_else(|| core.gone())?;
        Ok(core.segments[index].may_hold(position, bytes))
    }

    /// The first record from the batch at `position` on that meets what is sought.
    async fn seek(
        self: &Rc<Self>,
        base: Offset,
        mut position: u32,
        sought: Sought,
    ) -> Result<Option<TimedOffset>, LogReadError> {
        let mut bytes = COLD_READ_BYTES_MAX;
        loop {
            let (end, start) = {
                let core = self.core();
                let index = core.segment_index(base).ok_or_else(|| core.gone())?;
                (core.segments[index].state.bytes, core.readable_start)
            };
            if position >= end {
                return Ok(None);
            }
            let damaged = SegmentDamaged { base, position };
            let region = self.region(base, position, bytes).await?;
            let mut head = [0; BATCH_HEADER_BYTES];
            while position + BATCH_HEADER_BYTES as u32 <= region.end() {
                region.copy_out(position, &mut head);
                let header = BatchHeader::parse(&head).map_err(|_| damaged)?;
                if !self.may_hold(base, position, header.size_bytes)? {
                    return Err(damaged.into());
                }
                let batch_end = position + header.size_bytes as u32;
                if sought.may_be_in(&header) && header.last_offset() >= start {
                    if batch_end > region.end() {
                        bytes = header.size_bytes;
                        break;
                    }
                    let mut batch = vec![0; header.size_bytes];
                    region.copy_out(position, &mut batch);
                    if let Some(found) = first_met(&batch, sought, start) {
                        return Ok(Some(found));
                    }
                }
                position = batch_end;
                bytes = COLD_READ_BYTES_MAX;
            }
            if end - position.min(end) < BATCH_HEADER_BYTES as u32 && position < end {
                return Err(damaged.into());
            }
        }
    }
}

impl Sought {
    fn may_be_in(self, header: &BatchHeader) -> bool {
        match self {
            Sought::AtLeast(timestamp) | Sought::Exactly(timestamp) => {
                header.max_timestamp >= timestamp
            }
        }
    }
}

/// The first record of a batch that meets what is sought; `None` also for one that does not open within the broker's
/// caps.
fn first_met(batch: &[u8], sought: Sought, start: Offset) -> Option<TimedOffset> {
    let view = BatchView::parse(batch).ok()?;
    let opened = view.open(DecompressionCaps::default()).ok()?;
    let mut records = view.records(&opened).map_while(Result::ok);
    let found = records.find(|record| record.offset >= start && sought.is_met(record.timestamp))?;
    Some(TimedOffset {
        offset: found.offset,
        timestamp: found.timestamp,
        leader_epoch: view.leader_epoch,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{BatchBuilder, BatchOptions, Compression};

    #[test]
    fn a_record_is_found_however_well_its_batch_compresses() {
        let options = BatchOptions { compression: Compression::Gzip, ..BatchOptions::default() };
        let mut builder = BatchBuilder::new(options);
        let value = vec![0; 1 << 21];
        builder.append(10, None, Some(&value), &[]);
        builder.append(20, None, Some(&value), &[]);
        let batch = builder.finish();
        assert!(batch.len() * 1000 < 2 * value.len(), "{} bytes", batch.len());
        let found = first_met(&batch, Sought::AtLeast(15), Offset(0)).expect("the second one");
        assert_eq!((found.offset, found.timestamp), (Offset(1), 20));
    }
}
