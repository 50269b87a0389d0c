//! The process as the kernel sees it: its limits, and whether the machine can carry us.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use io_uring::{IoUring, cqueue, opcode, squeue};
use thiserror::Error;

use super::disk::{Space, is_full};
use super::memory::AlignedBuf;
use crate::model::units::BLOCK;

/// What glommio wants of locked memory for each thread.
const MEMLOCK_MIN: u64 = 512 * 1024;

/// Why this machine cannot run the broker, and what to do about it.
#[derive(Debug, Error)]
pub enum Unfit {
    /// No io_uring in the kernel.
    #[error("this kernel has no io_uring; Linux 6.1 or newer is needed")]
    NoRing,
    /// io_uring is switched off or filtered.
    #[error(
        "io_uring is refused: set the sysctl kernel.io_uring_disabled to 0, and in a container allow \
         io_uring_setup, io_uring_enter and io_uring_register in its seccomp profile"
    )]
    RingRefused,
    /// The kernel's io_uring lacks what is needed.
    #[error("this kernel's io_uring is too old; Linux 6.1 or newer is needed")]
    RingTooOld,
    /// The ring could not be made for another reason.
    #[error("cannot set up io_uring: {0}")]
    Ring(io::Error),
    /// Too little lockable memory.
    #[error(
        "the limit of locked memory is {bytes} bytes; at least {MEMLOCK_MIN} are needed (ulimit -l)"
    )]
    Memlock {
        /// The limit.
        bytes: u64,
    },
    /// The directory is in memory.
    #[error("{} is on {file_system}, which forgets everything at a reboot; choose a directory on a disk", path.display())]
    InMemory {
        /// The directory.
        path: PathBuf,
        /// Its file system.
        file_system: &'static str,
    },
    /// No direct I/O there.
    #[error("the file system of {} does not support direct I/O (O_DIRECT); choose one that does, such as ext4 or xfs", path.display())]
    NoDirectIo {
        /// The directory.
        path: PathBuf,
    },
    /// No file can be written there.
    #[error("cannot write to {}: {error}", path.display())]
    Unwritable {
        /// The directory.
        path: PathBuf,
        /// What the kernel said.
        error: io::Error,
    },
}

/// Checks that a thread of this process can have its ring.
pub fn probe_ring() -> Result<(), Unfit> {
    let built = IoUring::<squeue::Entry, cqueue::Entry>::builder()
        .setup_single_issuer()
        .setup_defer_taskrun()
        .setup_taskrun_flag()
        .build(8);
    if let Err(error) = built {
        return Err(match error.raw_os_error() {
            Some(libc::ENOSYS) => Unfit::NoRing,
            Some(libc::EPERM | libc::EACCES) => Unfit::RingRefused,
            Some(libc::EINVAL) => Unfit::RingTooOld,
            _ => Unfit::Ring(error),
        });
    }
    let bytes = limit(libc::RLIMIT_MEMLOCK).map_err(Unfit::Ring)?.rlim_cur;
    if bytes < MEMLOCK_MIN { Err(Unfit::Memlock { bytes }) } else { Ok(()) }
}

/// The limit of locked memory, in bytes; `u64::MAX` is none.
pub fn locked_memory_limit() -> io::Result<u64> {
    Ok(limit(libc::RLIMIT_MEMLOCK)?.rlim_cur)
}

/// The operations of io_uring that this broker uses and the kernel, or a filter, refuses.
///
/// # Errors
/// If a ring cannot even be made, or takes no operation.
pub fn missing_operations() -> io::Result<Vec<&'static str>> {
    let mut ring = IoUring::new(8)?;
    let mut probe = io_uring::Probe::new();
    ring.submitter().register_probe(&mut probe)?;
    let used = [
        ("ACCEPT", opcode::Accept::CODE),
        ("ASYNC_CANCEL", opcode::AsyncCancel::CODE),
        ("FADVISE", opcode::Fadvise::CODE),
        ("FALLOCATE", opcode::Fallocate::CODE),
        ("FSYNC", opcode::Fsync::CODE),
        ("POLL_ADD", opcode::PollAdd::CODE),
        ("READ", opcode::Read::CODE),
        ("RECV", opcode::Recv::CODE),
        ("SEND", opcode::Send::CODE),
        ("SENDMSG", opcode::SendMsg::CODE),
        ("WRITE", opcode::Write::CODE),
        ("WRITEV", opcode::Writev::CODE),
    ];
    // SAFETY: an operation that does nothing points to nothing.
    let pushed = unsafe { ring.submission().push(&opcode::Nop::new().build()) };
    pushed.expect("a new ring has room");
    ring.submit_and_wait(1)?;
    Ok(used.into_iter().filter(|(_, code)| !probe.is_supported(*code)).map(|it| it.0).collect())
}

/// How large the file system of an existing path is, and what of it is free.
pub fn space(path: &Path) -> io::Result<Space> {
    super::uring::space(path)
}

/// Checks that files in an existing directory can be written past the page cache and stay.
pub fn probe_directory(path: &Path) -> Result<(), Unfit> {
    let unwritable = |error| Unfit::Unwritable { path: path.to_owned(), error };
    match file_system_magic(path).map_err(unwritable)? {
        libc::TMPFS_MAGIC => {
            return Err(Unfit::InMemory { path: path.to_owned(), file_system: "tmpfs" });
        }
        RAMFS_MAGIC => {
            return Err(Unfit::InMemory { path: path.to_owned(), file_system: "ramfs" });
        }
        _ => {}
    }
    let probe = path.join(format!(".probe-{}", std::process::id()));
    let result = write_direct(&probe);
    drop(std::fs::remove_file(&probe));
    match result {
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {
            Err(Unfit::NoDirectIo { path: path.to_owned() })
        }
        // It may still be what an earlier broker has filled, with space set aside for this start.
        Err(error) if is_full(&error) => Ok(()),
        result => result.map_err(unwritable),
    }
}

const RAMFS_MAGIC: libc::c_long = 0x8584_58f6;

fn file_system_magic(path: &Path) -> io::Result<libc::c_long> {
    let directory = std::fs::File::open(path)?;
    let mut stat = MaybeUninit::<libc::statfs>::zeroed();
    // SAFETY: the structure is our own.
    if unsafe { libc::fstatfs(directory.as_raw_fd(), stat.as_mut_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: all zeros is a valid statfs, and the call has filled it.
    Ok(unsafe { stat.assume_init() }.f_type)
}

fn write_direct(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::FileExt;
    let file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .custom_flags(libc::O_DIRECT)
        .open(path)?;
    file.write_all_at(&AlignedBuf::zeroed(BLOCK), 0)
}

/// Raises the limit of open files as far as is allowed; returns it.
pub fn raise_open_files_limit() -> io::Result<u64> {
    let mut wanted = limit(libc::RLIMIT_NOFILE)?;
    if wanted.rlim_cur < wanted.rlim_max {
        wanted.rlim_cur = wanted.rlim_max;
        // SAFETY: the structure is our own.
        if unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const wanted) } != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(wanted.rlim_cur)
}

/// How many files may be open.
pub fn open_files_limit() -> io::Result<u64> {
    Ok(limit(libc::RLIMIT_NOFILE)?.rlim_cur)
}

fn limit(resource: libc::__rlimit_resource_t) -> io::Result<libc::rlimit> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the structure is our own.
    if unsafe { libc::getrlimit(resource, &raw mut limit) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(limit)
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::CommandExt;
    use std::process::Command;
    use std::time::Duration;

    use super::*;
    use crate::model::units::MIB;
    use crate::runtime::{ExecutorSpec, Runtime, start};

    const CHILD: &str = "KLAMM_TEST_CHILD";

    /// Runs one test of this program again as a child that `prepare` restricts.
    fn run_as_child(test: &str, prepare: fn() -> io::Result<()>) {
        let mut child = Command::new("/proc/self/exe");
        child.args(["--exact", test, "--nocapture"]).env(CHILD, "1").current_dir("/");
        // SAFETY: `prepare` only makes system calls.
        unsafe { child.pre_exec(prepare) };
        let output = child.output().expect("the test program starts");
        let told = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && told.contains("1 passed"), "{told}\n{output:?}");
    }

    fn restrict() -> io::Result<()> {
        let limit = libc::rlimit { rlim_cur: 8 << 20, rlim_max: 8 << 20 };
        // SAFETY: plain system calls in the child.
        unsafe {
            if libc::setrlimit(libc::RLIMIT_MEMLOCK, &raw const limit) != 0 {
                return Err(io::Error::last_os_error());
            }
            if libc::geteuid() == 0 && (libc::setgid(65534) != 0 || libc::setuid(65534) != 0) {
                return Err(io::Error::last_os_error());
            }
        }
        Ok(())
    }

    #[test]
    fn four_threads_start_as_an_ordinary_user_with_8_mib_of_locked_memory() {
        if std::env::var_os(CHILD).is_none() {
            let name = "runtime::process::tests::four_threads_start_as_an_ordinary_user_with_8_mib_of_locked_memory";
            return run_as_child(name, restrict);
        }
        // SAFETY: plain system call.
        assert_ne!(unsafe { libc::geteuid() }, 0);
        assert_eq!(missing_operations().expect("a ring can be made"), [""; 0]);
        probe_ring().expect("the machine has io_uring");
        let threads: Vec<_> = (0..4)
            .map(|number| {
                let name = format!("thread-{number}");
                let spec = ExecutorSpec {
                    name,
                    cpu: None,
                    memory_bytes: 16 * MIB,
                    spin_max: Duration::ZERO,
                };
                start(spec, |runtime: Runtime| async move {
                    runtime.sleep(Duration::from_millis(20)).await;
                    runtime.blocking(|| 1).await
                })
                .expect("it starts")
            })
            .collect();
        let sum: i32 = threads.into_iter().map(|thread| thread.join().expect("it is set up")).sum();
        assert_eq!(sum, 4);
    }

    #[test]
    fn directories_are_judged() {
        let good = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).expect("a directory");
        probe_directory(good.path()).expect("it is on a disk");
        assert_eq!(std::fs::read_dir(good.path()).expect("listed").count(), 0, "left clean");
        let missing = probe_directory(&good.path().join("none"));
        assert!(matches!(missing, Err(Unfit::Unwritable { .. })), "{missing:?}");
        let memory = probe_directory(Path::new("/dev/shm"));
        assert!(matches!(memory, Err(Unfit::InMemory { .. })), "{memory:?}");
        assert!(raise_open_files_limit().expect("allowed") >= 256);
    }
}
