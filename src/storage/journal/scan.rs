//! Recovery's reading of one slot's journal: large direct reads, several in flight, in order.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};

use crate::model::units::{BLOCK, MIB};
use crate::runtime::disk::{File, OpenMode};
use crate::runtime::sync::oneshot;
use crate::runtime::{AlignedBuf, Lane, Runtime};

use super::entry::{Entry, Sequence};
use super::frame::JournalIdentity;
use super::mirror;
use super::options::{file_path, mirror_path, parse_file_name};
use super::report::ScanReport;
use super::turns::{self, Turn};
use super::walk::{Place, VisitError, Walk, WalkError};

/// One read.
const READ_BYTES: usize = MIB;
/// Reads in flight.
const READS_IN_FLIGHT: usize = 8;

/// Why a journal cannot be recovered.
#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    /// The disk failed.
    #[error("reading or syncing {path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The disk's own error.
        source: io::Error,
    },
    /// Bytes that were acknowledged are gone: not a torn tail, so nothing is cut.
    #[error(
        "the journal is damaged: entry {missing} should be at offset {offset} of {path}, and \
         {evidence_path} proves at offset {evidence_offset} that it was acknowledged. Check the \
         disk and restore the data directory from a copy; nothing was changed"
    )]
    Corrupt {
        /// The first entry that is gone.
        missing: Sequence,
        /// The file where it should be.
        path: PathBuf,
        /// Bytes from its start.
        offset: u64,
        /// The file with a later frame.
        evidence_path: PathBuf,
        /// Bytes from its start.
        evidence_offset: u64,
    },
    /// The bytes are whole and cannot be read, or the visitor refused them.
    #[error("{path}: {source}")]
    Refused {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: WalkError,
    },
}

/// Reads the journal of `identity` in `dir` and hands every whole entry from `from` on to `visit`,
/// in order. When it returns, the files with them are synced: a killed process may have left frames that no power
/// failure may take back once somebody has acted on them. Files with nothing to say are only looked at.
///
/// # Errors
/// Where a file cannot be read or synced, or what is in it is damaged or not this journal's: what was handed out must
/// be thrown away then.
pub async fn scan(
    runtime: &Runtime,
    dir: &Path,
    identity: JournalIdentity,
    from: Sequence,
    mut visit: impl FnMut(Sequence, &Entry<'_>) -> Result<(), VisitError>,
) -> Result<ScanReport, ScanError> {
    let mut walk = Walk::new(identity, from);
    // Fresh memory costs as much as the read, so what was walked through is read into again.
    let mut buffers: Vec<AlignedBuf> = Vec::new();
    let mut files = files_in_order(runtime, dir, &walk, identity.slot).await?;
    choose(&mut files, from.max(Sequence::FIRST));
    for &JournalFile { index, ref file, length, ref first_frame, is_wanted, .. } in &files {
        walk.begin_file(index, length);
        if !is_wanted {
            // It may be another journal's, and that is to be told.
            walk.feed(first_frame, true, &mut visit)
                .map_err(|error| placed(dir, identity.slot, error))?;
            continue;
        }
        let mut reads = VecDeque::new();
        let mut offset = 0;
        loop {
            while offset < length && reads.len() < READS_IN_FLIGHT {
                let buffer = buffers.pop().unwrap_or_else(|| AlignedBuf::zeroed(READ_BYTES));
                reads.push_back(read(runtime, file, buffer, offset));
                offset += READ_BYTES as u64;
            }
            let Some(next) = reads.pop_front() else { break };
            let (buffer, read) =
                next.await.expect("a read answers before its task ends").map_err(|source| {
                    ScanError::Io { path: file_path(dir, identity.slot, index), source }
                })?;
            let end = offset >= length && reads.is_empty();
            walk.feed(&buffer[..read], end, &mut visit)
                .map_err(|error| placed(dir, identity.slot, error))?;
            buffers.push(buffer);
        }
    }
    let kept = read_mirror(runtime, &mirror_path(dir, identity.slot)).await?;
    if let Some((bytes, _)) = &kept {
        for mirrored in mirror::read(bytes, &identity) {
            walk.mirrored(&mirrored, &mut visit)
                .map_err(|error| placed(dir, identity.slot, error))?;
        }
    }
    let report = walk.finish().map_err(|error| placed(dir, identity.slot, error))?;
    let read = files
        .into_iter()
        .filter(|file| file.is_wanted)
        .map(|file| (file_path(dir, identity.slot, file.index), file.file));
    let mirror = kept.map(|(_, file)| (mirror_path(dir, identity.slot), file));
    for (path, file) in read.chain(mirror) {
        file.sync_data().await.map_err(|source| ScanError::Io { path, source })?;
    }
    if report.mirrored_frames > 0 {
        // The files' names are durable; the mirror's need not be.
        let failed = |source| ScanError::Io { path: dir.to_owned(), source };
        runtime.disk().sync_dir(dir).await.map_err(failed)?;
    }
    Ok(report)
}

/// The mirror's bytes, and the file to be synced; none if there is none.
async fn read_mirror(
    runtime: &Runtime,
    path: &Path,
) -> Result<Option<(AlignedBuf, File)>, ScanError> {
    let failed = |source| ScanError::Io { path: path.to_owned(), source };
    let file = match runtime.disk().open(path, OpenMode::READ).await {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(failed)?,
    };
    let (buffer, read) = file.read_at(AlignedBuf::zeroed(mirror::FILE_BYTES), 0).await;
    // What is behind the end of a file that was cut is zeros here, and no head.
    read.map_err(failed)?;
    Ok(Some((buffer, file)))
}

type Reading = oneshot::Receiver<io::Result<(AlignedBuf, usize)>>;

fn read(runtime: &Runtime, file: &File, buffer: AlignedBuf, offset: u64) -> Reading {
    let (sender, receiver) = oneshot::channel();
    let file = file.clone();
    runtime.spawn(Lane::Hot, async move {
        let (buffer, result) = file.read_at(buffer, offset).await;
        drop(sender.send(result.map(|read| (buffer, read))));
    });
    receiver
}

/// One of a journal's files.
struct JournalFile {
    index: u16,
    file: File,
    length: u64,
    /// What the whole frame at its start says.
    turn: Option<Turn>,
    /// The bytes of that, or of what looks like it.
    first_frame: Vec<u8>,
    is_wanted: bool,
}

/// Notes which files are read as a whole.
fn choose(files: &mut [JournalFile], from: Sequence) {
    let mut numbered: Vec<&mut JournalFile> = files.iter_mut().collect();
    numbered.sort_unstable_by_key(|file| file.index);
    let turns: Vec<_> = numbered.iter().map(|file| (file.index, file.turn)).collect();
    for (file, is_wanted) in numbered.into_iter().zip(turns::wanted(&turns, from)) {
        file.is_wanted = is_wanted;
    }
}

/// The slot's files by the generation of the whole frame at their start, those without one last.
async fn files_in_order(
    runtime: &Runtime,
    dir: &Path,
    walk: &Walk,
    slot: u16,
) -> Result<Vec<JournalFile>, ScanError> {
    let disk = runtime.disk();
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| ScanError::Io { path, source }
    };
    let mut files = Vec::new();
    for entry in disk.list_dir(dir).await.map_err(failed(dir))? {
        let Some((_, index)) = parse_file_name(&entry.name).filter(|&(of, _)| of == slot) else {
            continue;
        };
        let path = dir.join(&entry.name);
        let file = disk.open(&path, OpenMode::READ_DIRECT).await.map_err(failed(&path))?;
        let length = file.len().await.map_err(failed(&path))?;
        let (block, result) = file.read_at(AlignedBuf::zeroed(BLOCK), 0).await;
        let read = result.map_err(failed(&path))?;
        let bytes = Walk::first_frame_bytes(&block[..read]);
        let (frame, result) = file.read_at(AlignedBuf::zeroed(bytes), 0).await;
        let read = result.map_err(failed(&path))?;
        let turn = walk.turn(&frame[..read]);
        // A covered turn is known to be this journal's.
        let first_frame = if turn.is_none() { frame[..read].to_vec() } else { Vec::new() };
        files.push(JournalFile { index, file, length, turn, first_frame, is_wanted: true });
    }
    let generation = |file: &JournalFile| file.turn.map(|turn| turn.generation);
    files.sort_by_key(|file| (file.turn.is_none(), generation(file), file.index));
    Ok(files)
}

/// Gives a judgement the paths of the files that it is about.
fn placed(dir: &Path, slot: u16, error: WalkError) -> ScanError {
    let path = |place: &Place| match place.file {
        Place::MIRROR => mirror_path(dir, slot),
        file => file_path(dir, slot, file),
    };
    match error {
        WalkError::Corrupt { missing, at, evidence } => ScanError::Corrupt {
            missing,
            path: path(&at),
            offset: at.offset,
            evidence_path: path(&evidence),
            evidence_offset: evidence.offset,
        },
        WalkError::Frame { at, .. }
        | WalkError::Entry { at, .. }
        | WalkError::Foreign { at, .. }
        | WalkError::Newer { at, .. }
        | WalkError::Visit { at, .. } => ScanError::Refused { path: path(&at), source: error },
    }
}

/// The slots that have journal files in `dir`, ascending.
pub async fn slots(runtime: &Runtime, dir: &Path) -> io::Result<Vec<u16>> {
    let mut slots: Vec<u16> = runtime
        .disk()
        .list_dir(dir)
        .await?
        .iter()
        .filter_map(|entry| parse_file_name(&entry.name).map(|(slot, _)| slot))
        .collect();
    slots.sort_unstable();
    slots.dedup();
    Ok(slots)
}
