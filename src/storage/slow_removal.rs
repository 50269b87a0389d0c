//! Removing large files without a stall of the disk.
//!
//! Where the file system discards what it frees (the mount option `discard`), the device is busy with that and no
//! commit becomes durable meanwhile: 11 ms for each 64 MiB on the reference machine. So a file that nobody reads any
//! more is made shorter a little at a time, with pauses that leave most of the device's time to others.

use std::future::Future;
use std::io;
use std::path::Path;
use std::time::Duration;

use crate::model::units::MIB;
use crate::runtime::Runtime;
use crate::runtime::disk::OpenMode;

/// What is freed at once.
const STEP_BYTES: u64 = 8 * MIB as u64;
/// A pause is so many times as long as what was done before it took, and never longer than this.
const PAUSES: u32 = 4;
const PAUSE_MAX: Duration = Duration::from_millis(250);

/// Removes a file of at most `bytes`. Before and after each step `hurries` is asked whether the rest is to go at once.
///
/// # Errors
/// Where the file cannot be removed.
pub async fn remove_file(
    runtime: &Runtime,
    path: &Path,
    bytes: u64,
    hurries: &dyn Fn() -> bool,
) -> io::Result<()> {
    if bytes > STEP_BYTES {
        // What fails here fails again below.
        drop(shorten(runtime, path, hurries).await);
    }
    with_pause(runtime, hurries, runtime.disk().remove_file(path)).await
}

/// Removes a directory with all that is in it, one file after the other.
///
/// # Errors
/// Where it cannot be listed, or something in it cannot be removed.
pub async fn remove_directory(
    runtime: &Runtime,
    path: &Path,
    hurries: &dyn Fn() -> bool,
) -> io::Result<()> {
    for entry in runtime.disk().list_dir(path).await? {
        let own = path.join(&entry.name);
        if entry.is_dir {
            Box::pin(remove_directory(runtime, &own, hurries)).await?;
        } else {
            remove_file(runtime, &own, entry.len, hurries).await?;
        }
    }
    runtime.disk().remove_dir_all(path).await
}

async fn shorten(runtime: &Runtime, path: &Path, hurries: &dyn Fn() -> bool) -> io::Result<()> {
    let file = runtime.disk().open(path, OpenMode::WRITE_DIRECT).await?;
    let mut len = file.len().await?;
    // Whoever still reads it keeps all of it.
    while len > STEP_BYTES && !hurries() && !file.is_shared() {
        // Never inside a page: some of it may still be on its way to a reader, and would be zeros there.
        len = (len - 1) / STEP_BYTES * STEP_BYTES;
        with_pause(runtime, hurries, file.set_len(len)).await?;
    }
    Ok(())
}

async fn with_pause(
    runtime: &Runtime,
    hurries: &dyn Fn() -> bool,
    step: impl Future<Output = io::Result<()>>,
) -> io::Result<()> {
    let began = runtime.now();
    let result = step.await;
    if !hurries() {
        let took = runtime.now().saturating_since(began);
        runtime.sleep((took * PAUSES).min(PAUSE_MAX)).await;
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::units::BLOCK;
    use crate::runtime::AlignedBuf;
    use crate::runtime::disk::File;
    use crate::runtime::memory::Piece;
    use crate::runtime::sim::{SimOptions, World};

    const LEN: u64 = 5 * STEP_BYTES / 2;

    async fn filled(runtime: &Runtime, path: &Path) -> File {
        let file = runtime.disk().open(path, OpenMode::CREATE_DIRECT).await.expect("a file");
        let block = Piece::Aligned(AlignedBuf::zeroed(BLOCK), 0..BLOCK);
        file.write_at(vec![block], LEN - BLOCK as u64).await.expect("its end");
        file
    }

    #[test]
    fn a_large_file_goes_step_by_step_unless_somebody_reads_it() {
        let world = World::new(1, SimOptions::default());
        let runtime = world.host().runtime();
        let path = Path::new("/segment");
        for (is_read, hurries, looks) in [(false, false, 5), (true, false, 2), (false, true, 2)] {
            world.run_until(async {
                let file = filled(&runtime, path).await;
                let reader = is_read.then_some(file);
                let asked = std::cell::Cell::new(0);
                let hurry = || {
                    asked.set(asked.get() + 1);
                    hurries
                };
                remove_file(&runtime, path, LEN, &hurry).await.expect("it is there");
                assert_eq!(asked.get(), looks, "{is_read} {hurries}");
                if let Some(file) = reader {
                    assert_eq!(file.len().await.expect("it is open"), LEN);
                }
                let again = remove_file(&runtime, path, LEN, &hurry).await;
                assert_eq!(again.expect_err("it is gone").kind(), io::ErrorKind::NotFound);
            });
        }
    }
}
