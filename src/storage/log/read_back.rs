//! Recovery's look at batches that went past the journal and may not have arrived.
//!
//! A frame proves what was durable when it was submitted. A batch whose entry no later frame proves may be
//! in its segment or not: it is read back, and what is not there whole was never acknowledged, nor was
//! anything behind it.

use std::io;
use std::path::Path;

use super::entries::Place;
use crate::model::LogId;
use crate::model::units::{block_ceil, block_floor};
use crate::record::{BATCH_HEADER_BYTES, BatchHeader, BatchView};
use crate::runtime::disk::OpenMode;
use crate::runtime::{AlignedBuf, Runtime};
use crate::storage::directory::segment_path;

/// Looks for the batch that should stand at `place`, its blocks in the segment's file and its end in the journal;
/// gives all of it, `None` if it is not there whole.
///
/// # Errors
/// Where the file is there and cannot be read.
pub async fn read_back(
    runtime: &Runtime,
    dir: &Path,
    id: LogId,
    place: Place,
    header: &[u8; BATCH_HEADER_BYTES],
    rest: &[u8],
) -> io::Result<Option<Vec<u8>>> {
    let Ok(declared) = BatchHeader::parse(header) else { return Ok(None) };
    let Some(in_file) = declared.size_bytes.checked_sub(rest.len()) else { return Ok(None) };
    let path = segment_path(dir, id, place.base);
    let file = match runtime.disk().open(&path, OpenMode::READ_DIRECT).await {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    let from = block_floor(place.position.into());
    let before = (u64::from(place.position) - from) as usize;
    // What is not there need have no memory.
    if file.len().await? < from + (before + in_file) as u64 {
        return Ok(None);
    }
    let buffer = AlignedBuf::zeroed(block_ceil((before + in_file) as u64) as usize);
    let (blocks, read) = file.read_at(buffer, from).await;
    if read? < before + in_file {
        return Ok(None);
    }
    let batch = [&blocks[before..before + in_file], rest].concat();
    let is_whole = batch.starts_with(header)
        && BatchView::parse(&batch).is_ok_and(|batch| batch.crc_is_valid());
    Ok(is_whole.then_some(batch))
}
