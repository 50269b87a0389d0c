//! One simulated process and its disk: started, paused, killed, started again.

use std::cell::{Cell, RefCell};
use std::path::Path;
use std::rc::Rc;

use super::device::Device;
use super::executor::{Executor, Node};
use super::faults::{Fault, Faults};
use super::image::{DiskImage, Recording};
use super::world::WorldCore;
use crate::runtime::Runtime;
use crate::runtime::memory::Arena;
use crate::runtime::random::Random;

pub(super) struct HostCore {
    pub(super) world: Rc<WorldCore>,
    pub(super) number: u64,
    pub(super) device: RefCell<Device>,
    pub(super) faults: Faults,
    pub(super) capacity: Cell<u64>,
    /// What a write beyond the capacity is told.
    pub(super) full: Cell<std::io::ErrorKind>,
    /// Rises when the process ends.
    pub(super) process: Cell<u64>,
    /// Rises when the power is lost.
    pub(super) power: Cell<u64>,
    executors: RefCell<Vec<Rc<Executor>>>,
}

impl HostCore {
    pub(super) fn new(world: Rc<WorldCore>, number: u64, device: Device) -> Self {
        let capacity = Cell::new(world.options.disk.capacity);
        HostCore {
            world,
            number,
            device: RefCell::new(device),
            faults: Faults::default(),
            capacity,
            full: Cell::new(std::io::ErrorKind::StorageFull),
            process: Cell::new(0),
            power: Cell::new(0),
            executors: RefCell::default(),
        }
    }
}

/// A machine with one disk that runs one process at a time.
#[derive(Clone)]
pub struct Host {
    core: Rc<HostCore>,
}

impl Host {
    pub(super) fn new(core: Rc<HostCore>) -> Self {
        Host { core }
    }

    /// A new executor of the host's process.
    pub fn runtime(&self) -> Runtime {
        let executor = Rc::new(Executor::default());
        self.core.executors.borrow_mut().push(Rc::clone(&executor));
        self.core.world.add_executor(Rc::clone(&executor));
        let arena = Arena::new(self.core.world.options.arena_bytes)
            .expect("a memory file can be made on any machine that runs tests");
        Runtime::simulated(Node::new(&self.core, executor), arena)
    }

    /// What goes wrong with the disk.
    pub fn faults(&self) -> &Faults {
        &self.core.faults
    }

    /// Changes how many bytes the disk holds.
    pub fn set_disk_capacity(&self, bytes: u64) {
        self.core.capacity.set(bytes);
        self.core.full.set(std::io::ErrorKind::StorageFull);
    }

    /// Changes how many bytes the process's user may have of the disk.
    pub fn set_disk_quota(&self, bytes: u64) {
        self.core.capacity.set(bytes);
        self.core.full.set(std::io::ErrorKind::QuotaExceeded);
    }

    /// How many files were open at most at the same time since the last such question.
    pub fn take_open_files_most(&self) -> usize {
        self.core.device.borrow_mut().take_open_most()
    }

    /// Bytes of the disk that files occupy.
    pub fn disk_bytes_used(&self) -> u64 {
        self.core.device.borrow().bytes_used()
    }

    /// Turns over bits of a file, on the disk and for its readers.
    pub fn rot(&self, path: &Path, offset: u64, len: usize) -> std::io::Result<()> {
        self.core.device.borrow_mut().rot(path, offset, len)?;
        self.core.world.count_fault(Fault::BitRot);
        self.core.world.record("bit rot", offset, len as u64);
        Ok(())
    }

    /// Stops or continues every executor of the process; disk, network and clocks go on.
    pub fn set_paused(&self, paused: bool) {
        for executor in self.core.executors.borrow().iter() {
            executor.set_paused(paused);
        }
        if paused {
            self.core.world.count_fault(Fault::Pause);
        }
        self.core.world.record("pause", self.core.number, u64::from(paused));
    }

    /// Stops or continues every executor for a test to look at what stands still: no fault.
    pub fn hold(&self, held: bool) {
        for executor in self.core.executors.borrow().iter() {
            executor.set_paused(held);
        }
    }

    /// Stops or continues one executor of the process, counted in the order of their making.
    pub fn set_executor_paused(&self, index: usize, paused: bool) {
        self.core.executors.borrow()[index].set_paused(paused);
        if paused {
            self.core.world.count_fault(Fault::Pause);
        }
        self.core.world.record("pause one", index as u64, u64::from(paused));
    }

    /// Cuts every connection of the process; both ends see an error and what was under way is lost.
    pub fn cut_connections(&self) {
        let number = self.core.number;
        self.core.world.network.cut(&self.core.world, |end| end.host() == number, true);
    }

    /// Ends the process at once, as `kill -9` does: what the kernel has taken survives.
    pub fn kill(&self) {
        self.core.world.count_fault(Fault::Kill);
        self.core.world.record("kill", self.core.number, 0);
        self.end_process();
    }

    /// Ends the process and loses what the disk has not been told to keep: of the unsynced changes
    /// any subset survives, a write perhaps in part.
    pub fn power_loss(&self) {
        let world = &self.core.world;
        world.count_fault(Fault::PowerLoss);
        world.record("power loss", self.core.number, 0);
        self.end_process();
        self.core.power.set(self.core.power.get() + 1);
        let random = Random::seeded(world.random());
        let torn = self.core.device.borrow_mut().lose_power(&random);
        for _ in 0..torn {
            world.count_fault(Fault::TornWrite);
        }
    }

    fn end_process(&self) {
        self.core.process.set(self.core.process.get() + 1);
        let executors = std::mem::take(&mut *self.core.executors.borrow_mut());
        for executor in &executors {
            executor.kill();
        }
        self.core.world.network.end_process(&self.core.world, self.core.number);
        self.core.device.borrow_mut().end_process();
    }

    /// What the disk holds for its readers now: the image after `kill -9`.
    pub fn disk_image(&self) -> DiskImage {
        self.core.device.borrow().live_image()
    }

    /// Records every change of the disk from now on, so that [`CrashImages`](super::CrashImages)
    /// can be made of it.
    pub fn start_recording(&self) {
        self.core.device.borrow_mut().start_recording();
    }

    /// What was recorded so far, and starts afresh.
    pub fn recording(&self) -> Recording {
        self.core.device.borrow_mut().take_recording()
    }

    /// Puts a number of the test's into the recording: each crash image comes with the numbers
    /// noted before its moment, such as what was acknowledged by then.
    pub fn note(&self, number: u64) {
        self.core.device.borrow_mut().note(number);
    }
}
