//! What goes wrong on purpose, and how often it did.

use std::cell::RefCell;
use std::path::PathBuf;

/// A kind of fault that a world can inject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A write failed with EIO and nothing of it reached the disk.
    WriteError,
    /// A write reached the disk in two parts.
    ShortWrite,
    /// A write that was reported as done never reached the disk.
    LostWrite,
    /// A write reached another place of the same file.
    MisdirectedWrite,
    /// A sync failed; what it covered counts as clean from then on.
    SyncError,
    /// A read failed with EIO.
    ReadError,
    /// Bits of the disk turned over.
    BitRot,
    /// A write or an allocation found the disk full.
    DiskFull,
    /// A file could not be opened for want of a descriptor.
    NoDescriptor,
    /// An operation took much longer than it should.
    SlowDisk,
    /// An issued write went to a worker thread of the kernel.
    PuntedWrite,
    /// A process was killed.
    Kill,
    /// A host lost its power.
    PowerLoss,
    /// A write in flight at a power loss survived in part.
    TornWrite,
    /// An executor stood still.
    Pause,
    /// A connection was cut.
    Cut,
    /// Bytes took much longer than they should on their way.
    SlowNetwork,
    /// A receive gave fewer bytes than had come.
    SmallRead,
    /// The wall clock jumped.
    ClockJump,
}

impl Fault {
    /// Every kind.
    pub const ALL: [Fault; 19] = [
        Fault::WriteError,
        Fault::ShortWrite,
        Fault::LostWrite,
        Fault::MisdirectedWrite,
        Fault::SyncError,
        Fault::ReadError,
        Fault::BitRot,
        Fault::DiskFull,
        Fault::NoDescriptor,
        Fault::SlowDisk,
        Fault::PuntedWrite,
        Fault::Kill,
        Fault::PowerLoss,
        Fault::TornWrite,
        Fault::Pause,
        Fault::Cut,
        Fault::SlowNetwork,
        Fault::SmallRead,
        Fault::ClockJump,
    ];
}

/// The chances of a disk's faults, each the share of operations that it hits, and faults that are
/// set to strike once.
#[derive(Default)]
pub struct Faults {
    chances: RefCell<[f64; Fault::ALL.len()]>,
    /// How many more operations pass before the fault strikes once.
    countdowns: RefCell<[Option<u64>; Fault::ALL.len()]>,
    scope: RefCell<Option<PathBuf>>,
}

impl Faults {
    /// Lets a share of the operations fail in this way.
    pub fn set_chance(&self, fault: Fault, share: f64) {
        self.chances.borrow_mut()[fault as usize] = share;
    }

    /// Lets one operation fail in this way, after `passing` others of its kind.
    pub fn strike_after(&self, fault: Fault, passing: u64) {
        self.countdowns.borrow_mut()[fault as usize] = Some(passing);
    }

    /// Confines faults to paths that start so.
    pub fn set_scope(&self, prefix: Option<PathBuf>) {
        *self.scope.borrow_mut() = prefix;
    }

    /// No faults from now on.
    pub fn clear(&self) {
        *self.chances.borrow_mut() = Default::default();
        *self.countdowns.borrow_mut() = Default::default();
    }

    pub(super) fn is_in_scope(&self, path: &std::path::Path) -> bool {
        self.scope.borrow().as_ref().is_none_or(|prefix| path.starts_with(prefix))
    }

    /// Counts one operation down; true when this one is to fail.
    pub(super) fn count_down(&self, fault: Fault) -> bool {
        let slot = &mut self.countdowns.borrow_mut()[fault as usize];
        match slot {
            None => false,
            Some(0) => {
                *slot = None;
                true
            }
            Some(passing) => {
                *passing -= 1;
                false
            }
        }
    }

    pub(super) fn chance(&self, fault: Fault) -> f64 {
        self.chances.borrow()[fault as usize]
    }
}
