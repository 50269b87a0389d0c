//! Opening a journal: its files are made, preallocated and zeroed ahead of the writer.
//!
//! Nothing of an earlier epoch is read here; recovery has made those bytes dead before.

use std::io;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use tracing::info;

use crate::model::units::{BLOCK, KIB, MIB};
use crate::runtime::disk::{File, OpenMode};
#[cfg(test)]
use crate::runtime::sim::{Planted, is_planted};
use crate::runtime::{AlignedBuf, Lane, Runtime};

use super::mirror::Mirror;
use super::options::{JournalOptions, file_path, parse_file_name};
use super::writer::Journal;

/// Zeros before the writer from which on zeroing makes way for commits: a few of the largest.
const ZEROED_AHEAD_BYTES: u64 = MIB as u64;
/// How long it makes way after each step.
const ZEROING_REST: Duration = Duration::from_millis(8);
/// One write of zeros; small, because commits go on meanwhile.
const ZEROS_BYTES: usize = 256 * KIB;

/// Why a journal cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error("{what} {path}: {source}")]
pub struct OpenError {
    what: &'static str,
    path: PathBuf,
    source: io::Error,
}

impl OpenError {
    /// The disk's own error.
    pub fn io(&self) -> &io::Error {
        &self.source
    }
}

/// Gives an I/O error the path that it was about.
fn at(what: &'static str, path: &std::path::Path) -> impl FnOnce(io::Error) -> OpenError {
    let path = path.to_owned();
    move |source| OpenError { what, path, source }
}

impl Journal {
    /// Makes the journal's files ready to be written from the first sequence of its epoch on.
    ///
    /// # Errors
    /// What the disk says, with the step and the file.
    pub async fn open(runtime: &Runtime, options: JournalOptions) -> Result<Journal, OpenError> {
        let disk = runtime.disk();
        let dir = &options.dir;
        disk.create_dir_all(dir).await.map_err(at("making", dir))?;
        let mut files = Vec::new();
        let mut zeroed = Vec::new();
        for index in 0..options.file_count {
            let (file, done) = open_file(runtime, &options, index).await?;
            files.push(file);
            zeroed.push(done);
        }
        remove_surplus(runtime, &options).await?;
        let fresh = zeroed.contains(&0);
        if zeroed[0] == 0 {
            let path = file_path(dir, options.identity.slot, 0);
            let target = options.zeroed_at_start_bytes.min(options.file_bytes);
            zeroed[0] = zero(&files[0], 0, target).await.map_err(at("zeroing", &path))?;
            files[0].sync_data().await.map_err(at("syncing", &path))?;
        }
        let syncs_names = fresh;
        #[cfg(test)]
        let syncs_names = syncs_names && !is_planted(Planted::SkipDirectorySync);
        if syncs_names {
            disk.sync_dir(dir).await.map_err(at("syncing", dir))?;
            if let Some(parent) = dir.parent() {
                disk.sync_dir(parent).await.map_err(at("syncing", parent))?;
            }
        }
        let mirror = match Mirror::open(runtime, &options).await {
            Ok(mirror) => Some(mirror),
            Err(error) => {
                info!(dir = %options.dir.display(), %error, "records that need not be on disk are written at once: no mirror can be had");
                None
            }
        };
        let files: Rc<[File]> = files.into();
        let journal = Journal::start(runtime, options, Rc::clone(&files), zeroed.clone(), mirror);
        if fresh {
            let ahead = journal.clone();
            let machine = runtime.clone();
            runtime.spawn(Lane::Background, async move {
                ahead.zero_ahead(&machine, files, zeroed).await;
            });
        }
        Ok(journal)
    }

    /// Zeroes what is left of every file, in the order in which the writer will come to them.
    ///
    /// A commit's flush takes along what zeros the device has not yet written, so zeroing rests
    /// while there are commits and the writer has enough before it.
    async fn zero_ahead(&self, runtime: &Runtime, files: Rc<[File]>, zeroed: Vec<u64>) {
        let Some(_guard) = self.enter() else { return };
        for (index, (file, mut done)) in files.iter().zip(zeroed).enumerate() {
            let index = u16::try_from(index).expect("a journal has few files");
            let file_bytes = self.options().file_bytes;
            let whole = done >= file_bytes;
            while done < file_bytes {
                if self.is_closing() {
                    return;
                }
                let target = file_bytes.min(done + ZEROS_BYTES as u64);
                let commits = self.submitted_through();
                match zero(file, done, target).await {
                    Ok(through) => done = through,
                    Err(error) => return self.poison(&format!("zeroing file {index}: {error}")),
                }
                self.zeroed(index, done);
                if self.submitted_through() != commits && self.zeroed_ahead() >= ZEROED_AHEAD_BYTES
                {
                    // Else the next commits would have to take these zeros along.
                    if let Err(error) = file.sync_data().await {
                        return self.poison(&format!("syncing zeros of file {index}: {error}"));
                    }
                    runtime.sleep(ZEROING_REST).await;
                }
            }
            if whole {
                continue;
            }
            // Only now has the file its full length, by which a later start knows it is zeroed.
            let result = match file.sync_data().await {
                Ok(()) => file.set_len(file_bytes).await,
                failed => failed,
            };
            if let Err(error) = result {
                return self.poison(&format!("syncing zeros of file {index}: {error}"));
            }
        }
    }
}

/// Opens a file; gives how much of it is zeroed (or was written over since).
async fn open_file(
    runtime: &Runtime,
    options: &JournalOptions,
    index: u16,
) -> Result<(File, u64), OpenError> {
    let path = file_path(&options.dir, options.identity.slot, index);
    let file =
        runtime.disk().open(&path, OpenMode::CREATE_DIRECT).await.map_err(at("opening", &path))?;
    let length = file.len().await.map_err(at("opening", &path))?;
    if length == options.file_bytes {
        return Ok((file, length));
    }
    let unfinished = options.file_bytes - BLOCK as u64;
    if length != unfinished {
        file.set_len(unfinished).await.map_err(at("sizing", &path))?;
    }
    file.allocate(0, options.file_bytes).await.map_err(at("preallocating", &path))?;
    Ok((file, 0))
}

/// Removes files that an earlier, larger share of this slot had.
async fn remove_surplus(runtime: &Runtime, options: &JournalOptions) -> Result<(), OpenError> {
    let disk = runtime.disk();
    let dir = &options.dir;
    for entry in disk.list_dir(dir).await.map_err(at("listing", dir))? {
        let surplus = parse_file_name(&entry.name).is_some_and(|(slot, file)| {
            slot == options.identity.slot && file >= options.file_count
        });
        if surplus {
            let path = dir.join(&entry.name);
            disk.remove_file(&path).await.map_err(at("removing", &path))?;
        }
    }
    Ok(())
}

/// Writes zeros from `from` to `to`, the unused last block left out; gives `to`.
async fn zero(file: &File, from: u64, to: u64) -> io::Result<u64> {
    let mut at = from;
    let length = file.len().await?;
    let end = to.min(length);
    let mut buffer = AlignedBuf::zeroed(ZEROS_BYTES.min((to - from) as usize));
    while at < end {
        let bytes = buffer.len().min((end - at) as usize);
        let (back, result) = file.write_issued(buffer, bytes, at).done.await;
        result?;
        buffer = back;
        at += bytes as u64;
    }
    Ok(to)
}
