//! Files and directories on a simulated disk: what each operation costs, and how it may fail.

use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::device::{Device, Sync};
use super::executor::sleep_until;
use super::faults::Fault;
use super::file_system::{Change, Inode, Node};
use super::host::HostCore;
use super::page::{FileData, PAGE, Payload};
use crate::model::units::BLOCK;
use crate::runtime::disk::{DirEntry, Issued, OpenMode, Space};
use crate::runtime::memory::{AlignedBuf, Piece};
use crate::runtime::sync::oneshot;

/// Linux's number of EIO, so that callers see what they would see there.
const EIO: i32 = 5;
/// The same of EMFILE.
const EMFILE: i32 = 24;
/// How many times its usual time a slow operation takes.
const SLOW_FACTOR: u64 = 100;
/// How likely it is that the kernel writes a mapped file after a store.
const WRITTEN_BACK: f64 = 0.3;

/// The simulated arm of [`Disk`](crate::runtime::disk::Disk).
#[derive(Clone)]
pub struct SimDisk {
    host: Rc<HostCore>,
    /// The process that this handle belongs to; a later one has handles of its own.
    process: u64,
}

fn failed() -> io::Error {
    io::Error::from_raw_os_error(EIO)
}

impl SimDisk {
    pub(super) fn new(host: Rc<HostCore>) -> Self {
        let process = host.process.get();
        SimDisk { host, process }
    }

    fn check_alive(&self) -> io::Result<()> {
        if self.host.process.get() == self.process {
            return Ok(());
        }
        Err(io::Error::other("the process of this handle has ended"))
    }

    fn strikes(&self, fault: Fault, path: &Path) -> bool {
        let (faults, world) = (&self.host.faults, &self.host.world);
        if !faults.is_in_scope(path) {
            return false;
        }
        let strikes = faults.count_down(fault) || world.chance(faults.chance(fault));
        if strikes {
            world.count_fault(fault);
            world.record("fault", fault as u64, self.host.number);
        }
        strikes
    }

    fn latency(&self, path: &Path, sync: bool) -> u64 {
        let options = &self.host.world.options.disk;
        let mut latency = self.host.world.pick(&options.operation_ns);
        if sync {
            latency += self.host.world.pick(&options.sync_ns);
        }
        if self.strikes(Fault::SlowDisk, path) {
            latency = latency.max(1000) * SLOW_FACTOR;
        }
        latency
    }

    async fn pass(&self, latency: u64) {
        sleep_until(&self.host.world, self.host.world.now() + latency).await;
    }

    /// Does something when the operation's time is over, unless the power was lost by then.
    fn after(&self, latency: u64, action: impl FnOnce() + 'static) {
        if latency == 0 {
            return action();
        }
        let power = self.host.power.get();
        let host = Rc::clone(&self.host);
        let action = move || {
            if host.power.get() == power {
                action();
            }
        };
        self.host.world.at(self.host.world.now() + latency, Box::new(action));
    }

    /// A change of names: the kernel takes it at once, the caller hears of it later.
    async fn change_names<T>(
        &self,
        event: &'static str,
        path: &Path,
        change: impl FnOnce(&mut Device) -> io::Result<T>,
    ) -> io::Result<T> {
        self.check_alive()?;
        let result = change(&mut self.host.device.borrow_mut());
        self.host.world.record(event, self.host.number, u64::from(result.is_ok()));
        self.pass(self.latency(path, false)).await;
        result
    }

    pub(in crate::runtime) async fn open(
        &self,
        path: &Path,
        mode: OpenMode,
    ) -> io::Result<SimFile> {
        if self.strikes(Fault::NoDescriptor, path) {
            return Err(io::Error::from_raw_os_error(EMFILE));
        }
        let inode = self
            .change_names("open", path, |device| {
                let inode = open_inode(device, path, mode)?;
                device.opened(inode);
                Ok(inode)
            })
            .await?;
        let disk = self.clone();
        Ok(SimFile { core: Rc::new(FileCore { disk, inode, path: path.to_owned(), mode }) })
    }

    pub(in crate::runtime) async fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        self.change_names("mkdir", path, |device| {
            let mut prefix = PathBuf::new();
            for part in path.components() {
                prefix.push(part);
                match device.live.find(&prefix, true) {
                    Ok(inode) => match device.live.node(inode) {
                        Some(Node::Dir(_)) => {}
                        _ => return Err(io::ErrorKind::NotADirectory.into()),
                    },
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {
                        create(device, &prefix, Node::Dir(Default::default()))?;
                    }
                    Err(error) => return Err(error),
                }
            }
            Ok(())
        })
        .await
    }

    pub(in crate::runtime) async fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.change_names("unlink", path, |device| {
            let inode = device.live.find(path, false)?;
            if matches!(device.live.node(inode), Some(Node::Dir(_))) {
                return Err(io::ErrorKind::IsADirectory.into());
            }
            remove(device, path)
        })
        .await
    }

    pub(in crate::runtime) async fn remove_dir(&self, path: &Path) -> io::Result<()> {
        self.change_names("rmdir", path, |device| {
            let inode = device.live.find(path, false)?;
            match device.live.node(inode) {
                Some(Node::Dir(names)) if names.is_empty() => remove(device, path),
                Some(Node::Dir(_)) => Err(io::ErrorKind::DirectoryNotEmpty.into()),
                _ => Err(io::ErrorKind::NotADirectory.into()),
            }
        })
        .await
    }

    pub(in crate::runtime) async fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        self.change_names("rmdir", path, |device| {
            let inode = device.live.find(path, false)?;
            if !matches!(device.live.node(inode), Some(Node::Dir(_))) {
                return Err(io::ErrorKind::NotADirectory.into());
            }
            remove_tree(device, path, inode)
        })
        .await
    }

    pub(in crate::runtime) async fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.change_names("rename", from, |device| {
            let inode = device.live.find(from, false)?;
            let from = device.live.find_parent(from)?;
            let target = device.live.find(to, false);
            let to = device.live.find_parent(to)?;
            if let Ok(target) = target
                && let Some(Node::Dir(names)) = device.live.node(target)
                && !names.is_empty()
            {
                return Err(io::ErrorKind::DirectoryNotEmpty.into());
            }
            if from != to {
                device.take_completed(Change::Rename { from, to, inode });
            }
            Ok(())
        })
        .await
    }

    pub(in crate::runtime) async fn symlink(&self, target: &Path, link: &Path) -> io::Result<()> {
        self.change_names("symlink", link, |device| {
            if device.live.find(link, false).is_ok() {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            create(device, link, Node::Link(target.to_owned())).map(|_| ())
        })
        .await
    }

    pub(in crate::runtime) async fn list_dir(&self, path: &Path) -> io::Result<Vec<DirEntry>> {
        self.check_alive()?;
        self.pass(self.latency(path, false)).await;
        let device = self.host.device.borrow();
        let Some(Node::Dir(names)) = device.live.node(device.live.find(path, true)?) else {
            return Err(io::ErrorKind::NotADirectory.into());
        };
        let entry = |(name, inode): (&Rc<str>, &Inode)| {
            let node = device.live.node(*inode);
            DirEntry {
                name: name.to_string(),
                is_dir: matches!(node, Some(Node::Dir(_))),
                len: device.live.file(*inode).map_or(0, FileData::len),
            }
        };
        Ok(names.iter().map(entry).collect())
    }

    pub(in crate::runtime) async fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.check_alive()?;
        let inode = self.host.device.borrow().live.find(path, true)?;
        if !matches!(self.host.device.borrow().live.node(inode), Some(Node::Dir(_))) {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        self.sync(path, Sync::Dir(inode)).await
    }

    pub(in crate::runtime) async fn sync_filesystem(&self, path: &Path) -> io::Result<()> {
        self.check_alive()?;
        self.host.device.borrow().live.find(path, true)?;
        self.sync(path, Sync::All).await
    }

    async fn sync(&self, path: &Path, sync: Sync) -> io::Result<()> {
        let latency = self.latency(path, true);
        let covered = self.host.device.borrow().covered(sync);
        let result = if self.strikes(Fault::SyncError, path) {
            self.host.device.borrow_mut().abandon(&covered);
            Err(failed())
        } else {
            Ok(covered)
        };
        let (sender, receiver) = oneshot::channel();
        let host = Rc::clone(&self.host);
        self.after(latency, move || {
            host.world.record("sync", host.number, u64::from(result.is_ok()));
            let result = result.map(|covered| host.device.borrow_mut().settle(covered));
            // Nobody may wait any more; the sync has happened all the same.
            drop(sender.send(result));
        });
        receiver.await.unwrap_or_else(|| Err(failed()))
    }

    pub(in crate::runtime) async fn read_whole(
        &self,
        path: &Path,
        len_max: usize,
    ) -> io::Result<Vec<u8>> {
        let file = self.open(path, OpenMode::READ).await?;
        let len = file.len().await?;
        if len > len_max as u64 {
            let message = format!("{} has {len} bytes, at most {len_max} fit", path.display());
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
        }
        let (buffer, read) = file.read_at(AlignedBuf::zeroed(len as usize), 0).await;
        Ok(buffer[..read?].to_vec())
    }

    pub(in crate::runtime) async fn write_whole(
        &self,
        path: &Path,
        bytes: &[u8],
    ) -> io::Result<()> {
        let mut temporary = path.as_os_str().to_owned();
        temporary.push(".tmp");
        let temporary = PathBuf::from(temporary);
        let file = self.open(&temporary, OpenMode::CREATE).await?;
        file.set_len(0).await?;
        file.write_at(vec![Piece::Vec(bytes.to_vec())], 0).await?;
        file.sync_data().await?;
        drop(file);
        self.rename(&temporary, path).await?;
        self.sync_dir(path.parent().unwrap_or(Path::new(""))).await
    }

    pub(in crate::runtime) async fn map(&self, path: &Path, bytes: usize) -> io::Result<SimFile> {
        let file = self.open(path, OpenMode::CREATE).await?;
        file.write_at(vec![Piece::Vec(vec![0; bytes])], 0).await?;
        file.set_len(bytes as u64).await?;
        Ok(file)
    }

    pub(in crate::runtime) async fn space(&self, path: &Path) -> io::Result<Space> {
        self.check_alive()?;
        let device = self.host.device.borrow();
        device.live.find(path, true)?;
        let total_bytes = self.host.capacity.get();
        Ok(Space { total_bytes, free_bytes: total_bytes.saturating_sub(device.bytes_used()) })
    }

    /// The file's creation and its process id are durable at once: they are no part of what a
    /// crash test is about, and would only multiply its images.
    pub(in crate::runtime) async fn lock(&self, path: &Path) -> io::Result<SimLock> {
        let number = self.host.number;
        let process_id = 1000 * (number + 1) + self.process;
        let inode = self
            .change_names("lock", path, |device| {
                let inode = match device.live.find(path, true) {
                    Ok(inode) => inode,
                    Err(_) => {
                        let (inode, change) =
                            create(device, path, Node::File(FileData::default()))?;
                        device.settle(vec![change]);
                        inode
                    }
                };
                if !device.lock(inode) {
                    return Err(io::ErrorKind::WouldBlock.into());
                }
                let payload = Payload::new(0, process_id.to_string().into_bytes());
                let len = payload.len() as u64;
                let cut = device.take_completed(Change::SetLen { inode, len });
                let written = device.take_completed(Change::Write { inode, offset: 0, payload });
                device.settle(vec![cut, written]);
                Ok(inode)
            })
            .await?;
        Ok(SimLock { disk: self.clone(), inode })
    }
}

/// Gives a new node a name; returns its number and that of the change.
fn create(device: &mut Device, path: &Path, node: Node) -> io::Result<(Inode, u64)> {
    let (dir, name) = device.live.find_parent(path)?;
    let inode = device.live.next_inode();
    let change = device.take_completed(Change::Create { dir, name, inode, node });
    Ok((inode, change))
}

fn remove(device: &mut Device, path: &Path) -> io::Result<()> {
    let (dir, name) = device.live.find_parent(path)?;
    device.take_completed(Change::Remove { dir, name });
    Ok(())
}

fn remove_tree(device: &mut Device, path: &Path, inode: Inode) -> io::Result<()> {
    if let Some(Node::Dir(names)) = device.live.node(inode) {
        let children: Vec<_> = names.iter().map(|(name, inode)| (name.clone(), *inode)).collect();
        for (name, child) in children {
            remove_tree(device, &path.join(name.as_ref()), child)?;
        }
    }
    remove(device, path)
}

fn open_inode(device: &mut Device, path: &Path, mode: OpenMode) -> io::Result<Inode> {
    match device.live.find(path, true) {
        Ok(_) if mode.create && mode.exclusive => Err(io::ErrorKind::AlreadyExists.into()),
        Ok(inode) if device.live.file(inode).is_some() => Ok(inode),
        Ok(_) => Err(io::ErrorKind::IsADirectory.into()),
        Err(error) if error.kind() == io::ErrorKind::NotFound && mode.create => {
            create(device, path, Node::File(FileData::default())).map(|(inode, _)| inode)
        }
        Err(error) => Err(error),
    }
}

/// The simulated arm of [`FileLock`](crate::runtime::disk::FileLock).
pub struct SimLock {
    disk: SimDisk,
    inode: Inode,
}

impl Drop for SimLock {
    fn drop(&mut self) {
        if self.disk.check_alive().is_ok() {
            self.disk.host.device.borrow_mut().unlock(self.inode);
        }
    }
}

struct FileCore {
    disk: SimDisk,
    inode: Inode,
    path: PathBuf,
    mode: OpenMode,
}

impl Drop for FileCore {
    fn drop(&mut self) {
        if self.disk.check_alive().is_ok() {
            self.disk.host.device.borrow_mut().closed(self.inode);
        }
    }
}

/// The simulated arm of [`File`](crate::runtime::disk::File).
#[derive(Clone)]
pub struct SimFile {
    core: Rc<FileCore>,
}

impl std::fmt::Debug for SimFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SimFile({})", self.core.path.display())
    }
}

impl SimFile {
    fn host(&self) -> &Rc<HostCore> {
        &self.core.disk.host
    }

    fn check_direct(&self, address: usize, offset: u64, len: usize) -> io::Result<()> {
        let aligned = address.is_multiple_of(512)
            && offset.is_multiple_of(BLOCK as u64)
            && len.is_multiple_of(BLOCK);
        if self.core.mode.direct && !aligned {
            let message = format!("a direct operation is not aligned: {len} bytes at {offset}");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        Ok(())
    }

    fn check_writable(&self) -> io::Result<()> {
        self.core.disk.check_alive()?;
        if self.core.mode.write {
            return Ok(());
        }
        Err(io::Error::new(io::ErrorKind::PermissionDenied, "the file was opened for reading"))
    }

    pub(in crate::runtime) async fn read_at(
        &self,
        mut buffer: AlignedBuf,
        offset: u64,
    ) -> (AlignedBuf, io::Result<usize>) {
        let disk = &self.core.disk;
        let checked = disk
            .check_alive()
            .and_then(|()| self.check_direct(buffer.as_ptr() as usize, offset, buffer.len()));
        if let Err(error) = checked {
            return (buffer, Err(error));
        }
        let fails = disk.strikes(Fault::ReadError, &self.core.path);
        disk.pass(disk.latency(&self.core.path, false)).await;
        let result = match self.host().device.borrow().live.file(self.core.inode) {
            _ if fails => Err(failed()),
            Some(file) => Ok(file.read(offset, &mut buffer)),
            None => Err(io::ErrorKind::NotFound.into()),
        };
        self.host().world.record("read", offset, buffer.len() as u64);
        (buffer, result)
    }

    /// The kernel takes a write, or refuses it; returns the numbers of what it took.
    fn take(&self, offset: u64, mut bytes: Vec<u8>) -> (Vec<u64>, io::Result<()>) {
        let (disk, path, inode) = (&self.core.disk, &self.core.path, self.core.inode);
        self.host().world.record("write", offset, bytes.len() as u64);
        if disk.strikes(Fault::WriteError, path) {
            return (Vec::new(), Err(failed()));
        }
        if disk.strikes(Fault::LostWrite, path) {
            return (Vec::new(), Ok(()));
        }
        let mut result = Ok(());
        let room = self.room(offset, bytes.len());
        if room < bytes.len() {
            self.host().world.count_fault(Fault::DiskFull);
            bytes.truncate(room);
            result = Err(self.host().full.get().into());
        }
        let mut offset = offset;
        if disk.strikes(Fault::MisdirectedWrite, path) {
            offset += BLOCK as u64 * (1 + self.host().world.below(8));
        }
        let mut device = self.host().device.borrow_mut();
        let mut taken = Vec::new();
        if bytes.len() > BLOCK && disk.strikes(Fault::ShortWrite, path) {
            let rest = bytes.split_off(bytes.len() / 2 / BLOCK * BLOCK);
            let payload = Payload::new(offset, std::mem::replace(&mut bytes, rest));
            let len = payload.len() as u64;
            taken.push(device.take(Change::Write { inode, offset, payload }));
            offset += len;
        }
        if !bytes.is_empty() {
            let payload = Payload::new(offset, bytes);
            taken.push(device.take(Change::Write { inode, offset, payload }));
        }
        (taken, result)
    }

    /// How many of `len` bytes at `offset` the disk has room for.
    fn room(&self, offset: u64, len: usize) -> usize {
        let device = self.host().device.borrow();
        let free = self.host().capacity.get().saturating_sub(device.bytes_used()) / PAGE as u64;
        match device.live.file(self.core.inode) {
            Some(file) => file.room(offset, len, free),
            None => FileData::default().room(offset, len, free),
        }
    }

    /// Takes a write and answers when it is done; `durable` makes its own range so by then.
    fn start_write(
        &self,
        offset: u64,
        bytes: Vec<u8>,
        durable: bool,
    ) -> oneshot::Receiver<io::Result<()>> {
        let (sender, receiver) = oneshot::channel();
        let disk = &self.core.disk;
        let latency = disk.latency(&self.core.path, durable);
        let (taken, mut result) = self.take(offset, bytes);
        let fails = durable && result.is_ok() && disk.strikes(Fault::SyncError, &self.core.path);
        if fails {
            result = Err(failed());
        }
        let core = Rc::clone(&self.core);
        disk.after(latency, move || {
            let host = &core.disk.host;
            let mut device = host.device.borrow_mut();
            taken.iter().for_each(|number| device.complete(*number));
            if fails {
                device.abandon(&taken);
            } else if durable && result.is_ok() && !taken.is_empty() {
                device.settle(taken);
            }
            drop(device);
            host.world.record("written", offset, u64::from(result.is_ok()));
            // Nobody may wait any more; the write has happened all the same.
            drop(sender.send(result));
        });
        receiver
    }

    pub(in crate::runtime) async fn write_at(
        &self,
        pieces: Vec<Piece>,
        offset: u64,
    ) -> io::Result<()> {
        self.check_writable()?;
        let mut bytes = Vec::with_capacity(pieces.iter().map(|piece| piece.len()).sum());
        for piece in &pieces {
            self.check_direct(piece.as_ptr() as usize, offset, piece.len())?;
            bytes.extend_from_slice(piece);
        }
        self.start_write(offset, bytes, false).await.unwrap_or_else(|| Err(failed()))
    }

    pub(in crate::runtime) async fn commit(
        &self,
        buffer: AlignedBuf,
        len: usize,
        offset: u64,
    ) -> (AlignedBuf, io::Result<()>) {
        let checked = self
            .check_writable()
            .and_then(|()| self.check_direct(buffer.as_ptr() as usize, offset, len));
        if let Err(error) = checked {
            return (buffer, Err(error));
        }
        let written = self.start_write(offset, buffer[..len].to_vec(), true);
        let result = written.await.unwrap_or_else(|| Err(failed()));
        (buffer, result)
    }

    pub(in crate::runtime) fn write_issued(
        &self,
        buffer: AlignedBuf,
        len: usize,
        offset: u64,
    ) -> Issued {
        let (accept, accepted) = oneshot::channel();
        let (finish, done) = oneshot::channel();
        let gone = || (AlignedBuf::zeroed(0), Err(failed()));
        let issued = Issued {
            accepted: Box::pin(async { accepted.await.unwrap_or(false) }),
            done: Box::pin(async move { done.await.unwrap_or_else(gone) }),
        };
        let checked = self
            .check_writable()
            .and_then(|()| self.check_direct(buffer.as_ptr() as usize, offset, len));
        if let Err(error) = checked {
            // Nobody can have dropped what this call has not returned yet.
            _ = accept.send(false);
            drop(finish.send((buffer, Err(error))));
            return issued;
        }
        let (disk, world) = (&self.core.disk, &self.host().world);
        let latency = disk.latency(&self.core.path, false);
        if latency > 0 && world.chance(world.options.disk.punted) {
            world.count_fault(Fault::PuntedWrite);
            _ = accept.send(false);
            let file = self.clone();
            disk.after(latency, move || {
                // The end of the process takes the worker thread with it.
                if file.core.disk.check_alive().is_ok() {
                    let (taken, result) = file.take(offset, buffer[..len].to_vec());
                    file.finish_issued(taken, (buffer, result), finish);
                }
            });
            return issued;
        }
        let (taken, result) = self.take(offset, buffer[..len].to_vec());
        _ = accept.send(result.is_ok());
        let file = self.clone();
        disk.after(latency, move || file.finish_issued(taken, (buffer, result), finish));
        issued
    }

    fn finish_issued(
        &self,
        taken: Vec<u64>,
        answer: (AlignedBuf, io::Result<()>),
        finish: oneshot::Sender<(AlignedBuf, io::Result<()>)>,
    ) {
        for number in taken {
            self.host().device.borrow_mut().complete(number);
        }
        self.host().world.record("issued done", self.host().number, 0);
        drop(finish.send(answer));
    }

    pub(in crate::runtime) async fn sync_data(&self) -> io::Result<()> {
        self.core.disk.check_alive()?;
        self.core.disk.sync(&self.core.path, Sync::File(self.core.inode)).await
    }

    pub(in crate::runtime) async fn allocate(&self, offset: u64, len: u64) -> io::Result<()> {
        self.check_writable()?;
        let room = self.room(offset, usize::try_from(len).unwrap_or(usize::MAX));
        self.core.disk.pass(self.core.disk.latency(&self.core.path, false)).await;
        if (room as u64) < len {
            self.host().world.count_fault(Fault::DiskFull);
            return Err(self.host().full.get().into());
        }
        let mut device = self.host().device.borrow_mut();
        device.live.file_mut(self.core.inode).allocate(offset, len);
        Ok(())
    }

    pub(in crate::runtime) async fn set_len(&self, len: u64) -> io::Result<()> {
        self.check_writable()?;
        let inode = self.core.inode;
        self.core
            .disk
            .change_names("set len", &self.core.path, |device| {
                if device.live.file(inode).is_some_and(|file| file.len() != len) {
                    device.take_completed(Change::SetLen { inode, len });
                }
                Ok(())
            })
            .await
    }

    /// A store into memory, which no fault of the disk reaches; now and then the kernel writes what there is.
    pub(in crate::runtime) fn store(&self, offset: usize, bytes: &[u8]) {
        if self.core.disk.check_alive().is_err() {
            return;
        }
        let (inode, offset) = (self.core.inode, offset as u64);
        let world = &self.host().world;
        world.record("store", offset, bytes.len() as u64);
        let mut device = self.host().device.borrow_mut();
        let length = device.live.file(inode).map_or(0, FileData::len);
        assert!(offset + bytes.len() as u64 <= length, "a store reaches beyond its file");
        let payload = Payload::new(offset, bytes.to_vec());
        device.take_completed(Change::Write { inode, offset, payload });
        if world.chance(WRITTEN_BACK) {
            let written = device.covered(Sync::File(inode));
            device.settle(written);
        }
    }

    pub(in crate::runtime) fn is_shared(&self) -> bool {
        self.host().device.borrow().is_shared(self.core.inode)
    }

    pub(in crate::runtime) async fn len(&self) -> io::Result<u64> {
        self.core.disk.check_alive()?;
        let device = self.host().device.borrow();
        let file = device.live.file(self.core.inode);
        file.map(FileData::len).ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}
