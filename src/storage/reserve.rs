//! Space that each slot sets aside, so that a start on a full disk finds room for its recovery.
//!
//! What only the journal holds is written to segments at the next start, at a time when nothing can
//! be freed yet. `data/journal/<slot>.reserve` keeps as much space as that may take: recovery removes
//! it when the disk is full, and a store takes no records while it is not whole.

use std::io;
use std::path::{Path, PathBuf};

use crate::model::units::{BLOCK, MIB};
use crate::runtime::Runtime;
use crate::runtime::disk::OpenMode;
use crate::storage::directory::journal_dir;

/// What a recovery writes beside segments: a checkpoint, and what directories grow by.
const BESIDE_SEGMENTS_BYTES: u64 = 4 * MIB as u64;
/// The smallest part of a reserve that is worth keeping.
const PART_BYTES_MIN: u64 = 64 * 1024;

/// What a slot sets aside whose journal takes `journal_bytes` and which has so many logs, each of
/// which may begin a block.
pub fn bytes_wanted(journal_bytes: u64, logs: usize) -> u64 {
    journal_bytes + BESIDE_SEGMENTS_BYTES + (logs * BLOCK) as u64
}

fn path_of(dir: &Path, slot: u16) -> PathBuf {
    journal_dir(dir).join(format!("{slot}.reserve"))
}

/// The slot whose reserve has this name.
pub fn slot_of(name: &str) -> Option<u16> {
    name.strip_suffix(".reserve")?.parse().ok()
}

/// Sets `bytes` aside for a slot, or as much of them as there is.
///
/// # Errors
/// When it is not all; a full disk among others.
pub async fn keep(runtime: &Runtime, dir: &Path, slot: u16, bytes: u64) -> io::Result<()> {
    set_aside(runtime, &path_of(dir, slot), bytes).await
}

/// Makes a file that has `bytes` of the disk, or as much of them as there is.
///
/// # Errors
/// When it is not all; a full disk among others. Where the file system cannot promise space, none
/// is set aside, and that is no error.
pub async fn set_aside(runtime: &Runtime, path: &Path, bytes: u64) -> io::Result<()> {
    let file = runtime.disk().open(path, OpenMode::CREATE).await?;
    match file.allocate(0, bytes).await {
        Err(error) if error.kind() == io::ErrorKind::StorageFull => {
            let (mut kept, mut part) = (0, bytes / 2);
            while part >= PART_BYTES_MIN {
                if file.allocate(0, kept + part).await.is_ok() {
                    kept += part;
                }
                part /= 2;
            }
            Err(error)
        }
        Err(error) if error.kind() == io::ErrorKind::Unsupported => Ok(()),
        done => done,
    }
}

/// Gives back what all slots have set aside; true if there was any.
///
/// # Errors
/// What the disk says.
pub async fn release(runtime: &Runtime, dir: &Path) -> io::Result<bool> {
    let disk = runtime.disk();
    let mut released = false;
    for entry in disk.list_dir(&journal_dir(dir)).await? {
        if slot_of(&entry.name).is_some() {
            disk.remove_file(&journal_dir(dir).join(&entry.name)).await?;
            released = true;
        }
    }
    Ok(released)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::sim::{SimOptions, World};

    #[test]
    fn a_reserve_takes_what_there_is_and_gives_it_back() {
        let world = World::new(1, SimOptions::default());
        let host = world.host();
        let runtime = host.runtime();
        let dir = Path::new("/data");
        world.run_until(runtime.disk().create_dir_all(&journal_dir(dir))).expect("made");
        let empty = host.disk_bytes_used();
        let room = 10 * MIB as u64;
        host.set_disk_capacity(empty + room);
        for (slot, bytes, is_whole) in [(0, room / 2, true), (1, room, false), (0, room / 2, true)]
        {
            let kept = world.run_until(keep(&runtime, dir, slot, bytes));
            assert_eq!(kept.is_ok(), is_whole, "{slot}: {kept:?}");
        }
        let left = empty + room - host.disk_bytes_used();
        assert!(left < 2 * PART_BYTES_MIN, "{left} bytes were not set aside");
        for released in [true, false] {
            let found = world.run_until(release(&runtime, dir)).expect("removed");
            assert_eq!(found, released);
        }
        assert_eq!(host.disk_bytes_used(), empty);
    }
}
