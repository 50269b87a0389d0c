//! Names: opening files, directories and whole small files, on the pool of blocking threads.

use std::ffi::CString;
use std::fs;
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use tracing::warn;

use super::file::UringFile;
use super::handle::UringHandle;
use crate::runtime::disk::{DirEntry, OpenMode, Space, sync_failed};

/// The file systems of the machine.
#[derive(Clone)]
pub struct UringDisk(UringHandle);

impl UringDisk {
    pub(in crate::runtime) fn new(handle: UringHandle) -> UringDisk {
        UringDisk(handle)
    }

    pub(in crate::runtime) async fn open(
        &self,
        path: &Path,
        mode: OpenMode,
    ) -> io::Result<UringFile> {
        let path = path.to_owned();
        let descriptor = self.0.blocking(move || open(&path, mode)).await?;
        Ok(UringFile::new(self.0.clone(), descriptor, mode.direct))
    }

    /// Runs a call on a path on a blocking thread.
    pub(in crate::runtime) async fn with_path<T: Send + 'static>(
        &self,
        path: &Path,
        call: impl FnOnce(&Path) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let path = path.to_owned();
        self.0.blocking(move || call(&path)).await
    }

    pub(in crate::runtime) async fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let to = to.to_owned();
        self.with_path(from, move |from| fs::rename(from, to)).await
    }

    pub(in crate::runtime) async fn symlink(&self, target: &Path, link: &Path) -> io::Result<()> {
        let link = link.to_owned();
        self.with_path(target, move |target| std::os::unix::fs::symlink(target, link)).await
    }

    pub(in crate::runtime) async fn read_whole(
        &self,
        path: &Path,
        len_max: usize,
    ) -> io::Result<Vec<u8>> {
        self.with_path(path, move |path| read_whole(path, len_max)).await
    }

    pub(in crate::runtime) async fn write_whole(
        &self,
        path: &Path,
        bytes: &[u8],
    ) -> io::Result<()> {
        let bytes = bytes.to_vec();
        self.with_path(path, move |path| write_whole(path, &bytes)).await
    }
}

fn open(path: &Path, mode: OpenMode) -> io::Result<OwnedFd> {
    let mut options = fs::OpenOptions::new();
    options.read(true).write(mode.write);
    if mode.exclusive {
        options.create_new(mode.create);
    } else {
        options.create(mode.create);
    }
    if mode.direct {
        options.custom_flags(libc::O_DIRECT);
    }
    options.open(path).map(OwnedFd::from)
}

fn read_whole(path: &Path, len_max: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(len_max as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > len_max {
        let told = format!("{} is longer than {len_max} bytes", path.display());
        return Err(io::Error::new(io::ErrorKind::InvalidData, told));
    }
    Ok(bytes)
}

/// A name beside `path`, made durable first and then renamed over it.
fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let fresh = PathBuf::from(name);
    // Before anything is written: without a descriptor for its sync a rename could not end.
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let parent = fs::File::open(parent.unwrap_or(Path::new(".")))?;
    let written = || {
        let mut file = fs::File::create(&fresh)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    if let Err(error) = written() {
        // On a full disk even half a file takes space; the error is what counts.
        drop(fs::remove_file(&fresh));
        return Err(error);
    }
    fs::rename(&fresh, path)?;
    parent.sync_all().map_err(sync_failed)
}

/// Locks a file, making it if there is none, and writes this process's id into it. The lock ends
/// with the last descriptor, so also with the process.
pub(in crate::runtime) fn lock(path: &Path) -> io::Result<fs::File> {
    let mut file =
        fs::OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(fs::TryLockError::WouldBlock) => return Err(io::ErrorKind::WouldBlock.into()),
        Err(fs::TryLockError::Error(error)) => return Err(error),
    }
    let written =
        file.set_len(0).and_then(|()| file.write_all(std::process::id().to_string().as_bytes()));
    match written {
        // The lock is what counts; the id only tells an operator who holds it.
        Err(error) if error.kind() == io::ErrorKind::StorageFull => Ok(file),
        written => written.map(|()| file),
    }
}

/// Makes the entries of a directory durable.
pub(in crate::runtime) fn sync_dir(path: &Path) -> io::Result<()> {
    fs::File::open(path)?.sync_all().map_err(sync_failed)
}

/// Makes everything in the file system of `path` durable.
pub(in crate::runtime) fn sync_filesystem(path: &Path) -> io::Result<()> {
    let directory = fs::File::open(path)?;
    // SAFETY: plain system call on our own descriptor.
    if unsafe { libc::syncfs(directory.as_raw_fd()) } != 0 {
        return Err(sync_failed(io::Error::last_os_error()));
    }
    Ok(())
}

/// The entries of a directory, sorted by name. Names that are not UTF-8 are nobody's here.
pub(in crate::runtime) fn list_dir(path: &Path) -> io::Result<Vec<DirEntry>> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        let metadata = match entry.metadata() {
            Ok(metadata) => metadata,
            // It was removed while we were looking.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        let name = match entry.file_name().into_string() {
            Ok(name) => name,
            Err(name) => {
                let path = path.display();
                warn!(%path, ?name, "a name that is not UTF-8 is left alone: no broker made it");
                continue;
            }
        };
        entries.push(DirEntry { name, is_dir: metadata.is_dir(), len: metadata.len() });
    }
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(entries)
}

/// How large the file system of `path` is, and what of it an ordinary user may still use.
pub(in crate::runtime) fn space(path: &Path) -> io::Result<Space> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    // SAFETY: all zeros is a valid statvfs.
    let mut stat: libc::statvfs = unsafe { std::mem::zeroed() };
    // SAFETY: the path is a C string and the structure our own.
    if unsafe { libc::statvfs(path.as_ptr(), &raw mut stat) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let bytes = |blocks: u64| blocks * stat.f_frsize;
    Ok(Space { total_bytes: bytes(stat.f_blocks), free_bytes: bytes(stat.f_bavail) })
}
