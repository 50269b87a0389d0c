//! The shard's own io_uring: submitting operations, reaping their completions, sleeping.
//!
//! `SINGLE_ISSUER | DEFER_TASKRUN`: completions appear only when this thread enters the kernel
//! with GETEVENTS, which the driver does once a turn and whenever it sleeps. What an operation points to is owned by its
//! [`Operation`] while that is alive and by its slot here afterwards, until its completion, so
//! that the kernel never writes to memory that was freed.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Duration;

use io_uring::types::{CancelBuilder, SubmitArgs, Timespec};
use io_uring::{IoUring, opcode, squeue};
use slab::Slab;

use super::operation::{CommitGuard, Operation};
use super::wake::WakeFlag;

/// Submissions between two turns before one has to be flushed early.
const SUBMISSIONS: u32 = 512;
/// Completions that one turn can reap at once; the kernel keeps what exceeds it.
const COMPLETIONS: u32 = 4096;
/// So often in a row the kernel may have no memory, with a rest each time: about five seconds.
const SHORT_TURNS_MAX: u32 = 5_000;
const SHORT_REST: Duration = Duration::from_millis(1);
/// The user data of what nobody waits for.
const NOBODY: u64 = u64::MAX;

/// A shard's ring; clones are the same ring.
#[derive(Clone)]
pub(in crate::runtime) struct Ring(Rc<RingCore>);

struct RingCore {
    uring: RefCell<IoUring>,
    slots: RefCell<Slab<Slot>>,
    generation: Cell<u32>,
    /// Entries that found the submission queue full, in order; a chain is one item.
    backlog: RefCell<VecDeque<(squeue::Entry, Option<squeue::Entry>)>>,
    /// Entries given to the submission queue, and consumed by the kernel, since the start.
    pushed: Cell<u64>,
    consumed: Cell<u64>,
    reaped: RefCell<Vec<(u64, Completion)>>,
    /// Those who wait until the kernel has consumed an entry, by its number.
    consumption: RefCell<VecDeque<(u64, Waker)>>,
    wake: WakeFlag,
    commits_in_flight: Cell<usize>,
    /// Turns in a row in which the kernel had no memory.
    short_of_memory: Cell<u32>,
}

struct Slot {
    generation: u32,
    state: SlotState,
}

enum SlotState {
    Pending(Option<Waker>),
    Done(Completion),
    /// The future is gone; what the kernel may still write to lives here until the completion.
    Abandoned(Box<dyn FnOnce(Completion)>),
}

/// What an operation owns while the kernel works on it.
pub(super) trait Held: 'static {
    /// Takes what an operation brought that nobody waits for any more.
    fn discard(self, completion: Completion);
}

impl Held for () {
    fn discard(self, _: Completion) {}
}

/// What the kernel said: a result or a negative errno, and the flags of the entry.
#[derive(Clone, Copy, Debug)]
pub(in crate::runtime) struct Completion {
    result: i32,
    pub(super) flags: u32,
}

impl Completion {
    /// The result as a length or a descriptor, or the error.
    pub(super) fn value(self) -> io::Result<u32> {
        u32::try_from(self.result).map_err(|_| io::Error::from_raw_os_error(-self.result))
    }

    /// Takes the descriptor that an accept or open has brought.
    pub(super) fn descriptor(self) -> io::Result<OwnedFd> {
        let descriptor = self.value()? as RawFd;
        // SAFETY: the kernel has just made it for this operation, so nobody else owns it.
        Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
    }
}

#[derive(Clone, Copy)]
pub(super) struct Key {
    index: u32,
    generation: u32,
}

impl Key {
    fn user_data(self) -> u64 {
        u64::from(self.generation) << 32 | u64::from(self.index)
    }

    fn of(user_data: u64) -> Key {
        Key { index: user_data as u32, generation: (user_data >> 32) as u32 }
    }
}

impl Ring {
    /// Sets up the ring of the calling thread.
    pub(super) fn new(wake: WakeFlag) -> io::Result<Ring> {
        let uring = IoUring::builder()
            .setup_single_issuer()
            .setup_defer_taskrun()
            .setup_taskrun_flag()
            .setup_submit_all()
            .setup_cqsize(COMPLETIONS)
            .setup_clamp()
            .dontfork()
            .build(SUBMISSIONS)?;
        Ok(Ring(Rc::new(RingCore {
            uring: RefCell::new(uring),
            slots: RefCell::new(Slab::new()),
            generation: Cell::new(0),
            backlog: RefCell::new(VecDeque::new()),
            pushed: Cell::new(0),
            consumed: Cell::new(0),
            reaped: RefCell::new(Vec::with_capacity(COMPLETIONS as usize)),
            consumption: RefCell::new(VecDeque::new()),
            wake,
            commits_in_flight: Cell::new(0),
            short_of_memory: Cell::new(0),
        })))
    }

    /// What other threads wake this shard with.
    pub(in crate::runtime) fn wake_flag(&self) -> &WakeFlag {
        &self.0.wake
    }

    /// Registers a ring of provided buffers.
    ///
    /// # Safety
    /// `address` must be a ring of `entries` page-aligned entries that lives until
    /// [`Ring::unregister_buffers`] or the end of the ring.
    pub(super) unsafe fn register_buffers(
        &self,
        address: u64,
        entries: u16,
        group: u16,
    ) -> io::Result<()> {
        let uring = self.0.uring.borrow();
        // SAFETY: the caller's promise.
        unsafe { uring.submitter().register_buf_ring_with_flags(address, entries, group, 0) }
    }

    /// Submits `entry`, at the latest when the driver's next turn begins.
    ///
    /// # Safety
    /// Every address in `entry` must stay valid, and written by nobody, until the completion:
    /// it belongs to `held`, which must keep its heap memory in place when moved.
    pub(super) unsafe fn submit<P: Held>(&self, entry: squeue::Entry, held: P) -> Operation<P> {
        let key = self.slot(SlotState::Pending(None));
        self.push(entry.user_data(key.user_data()), None);
        Operation::new(self.clone(), key, held)
    }

    /// Submits `first` and, if it succeeds in full, `second` after it.
    ///
    /// # Safety
    /// As for [`Ring::submit`]; `held` serves both.
    pub(super) unsafe fn submit_linked<P: Held>(
        &self,
        first: squeue::Entry,
        second: squeue::Entry,
        held: P,
    ) -> (Operation<()>, Operation<P>) {
        let (one, two) = (self.slot(SlotState::Pending(None)), self.slot(SlotState::Pending(None)));
        self.push(
            first.flags(squeue::Flags::IO_LINK).user_data(one.user_data()),
            Some(second.user_data(two.user_data())),
        );
        (Operation::new(self.clone(), one, ()), Operation::new(self.clone(), two, held))
    }

    /// Whether the kernel has consumed everything that was submitted before this call; waits.
    pub(super) async fn consumed(&self) {
        let number = self.0.pushed.get() + self.0.backlog.borrow().len() as u64;
        poll_fn(|context| {
            if self.0.consumed.get() >= number {
                return Poll::Ready(());
            }
            self.0.consumption.borrow_mut().push_back((number, context.waker().clone()));
            Poll::Pending
        })
        .await;
    }

    /// Whether a task waits for [`Ring::consumed`].
    pub(super) fn is_consumption_awaited(&self) -> bool {
        !self.0.consumption.borrow().is_empty()
    }

    /// Counts a commit as in flight until the guard is dropped: the driver then yields the CPU.
    pub(in crate::runtime) fn commit_guard(&self) -> CommitGuard {
        self.0.commits_in_flight.set(self.0.commits_in_flight.get() + 1);
        CommitGuard::new(self.clone())
    }

    pub(super) fn commit_ended(&self) {
        self.0.commits_in_flight.set(self.0.commits_in_flight.get() - 1);
    }

    pub(super) fn commits_in_flight(&self) -> usize {
        self.0.commits_in_flight.get()
    }

    /// Enters the kernel if there is a reason to, and wakes the tasks whose operations are done;
    /// returns whether anything happened.
    pub(super) fn turn(&self) -> bool {
        let entered = self.enter();
        let mut reaped = self.0.reaped.take();
        {
            let mut uring = self.0.uring.borrow_mut();
            let completions = uring.completion();
            reaped.extend(completions.map(|entry| {
                let completion = Completion { result: entry.result(), flags: entry.flags() };
                (entry.user_data(), completion)
            }));
        }
        let progress = !reaped.is_empty();
        for (user_data, completion) in reaped.drain(..) {
            self.complete(user_data, completion);
        }
        self.0.reaped.replace(reaped);
        self.wake_consumed();
        entered || progress
    }

    /// Submits what there is and sleeps until a completion, at most for `limit`.
    pub(super) fn wait(&self, limit: Option<Duration>) {
        self.drain_backlog();
        let limit = limit.map(Timespec::from);
        let uring = self.0.uring.borrow();
        let entered = match &limit {
            Some(limit) => {
                uring.submitter().submit_with_args(1, &SubmitArgs::new().timespec(limit))
            }
            None => uring.submit_and_wait(1),
        };
        self.entered(entered);
    }

    fn enter(&self) -> bool {
        self.drain_backlog();
        let (pending, wanted) = {
            let mut uring = self.0.uring.borrow_mut();
            let submission = uring.submission();
            let pending = submission.len() as u32;
            (pending, pending > 0 || submission.taskrun() || submission.cq_overflow())
        };
        if wanted {
            self.enter_now(pending);
        }
        pending > 0
    }

    fn enter_now(&self, pending: u32) {
        let uring = self.0.uring.borrow();
        let flags = io_uring::EnterFlags::GETEVENTS.bits();
        // SAFETY: no argument is passed, and every queued entry kept the promise of its submitter.
        self.entered(unsafe { uring.submitter().enter::<()>(pending, 0, flags, None) });
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "without the kernel's memory nothing else goes on"
    )]
    fn entered(&self, result: io::Result<usize>) {
        let error = match result {
            Ok(count) => {
                self.0.short_of_memory.set(0);
                return self.0.consumed.set(self.0.consumed.get() + count as u64);
            }
            Err(error) => error,
        };
        match error.raw_os_error() {
            // The next turn tries again; completions in between make room. Or nothing came in
            // the time that was given.
            Some(libc::EINTR | libc::EAGAIN | libc::EBUSY | libc::ETIME) => {}
            Some(libc::ENOMEM) if self.0.short_of_memory.get() < SHORT_TURNS_MAX => {
                self.0.short_of_memory.set(self.0.short_of_memory.get() + 1);
                std::thread::sleep(SHORT_REST);
            }
            Some(libc::EBADR) => panic!(
                "the kernel had no memory for what this shard's ring has done and has forgotten some of it: give the machine more memory and start the broker again, which recovers what was acknowledged"
            ),
            Some(libc::ENOMEM) => panic!(
                "the kernel has had no memory for this shard's ring for a long time: give the machine more memory and start the broker again, which recovers what was acknowledged"
            ),
            _ => panic!("the ring of this shard is broken: {error}"),
        }
    }

    fn push(&self, first: squeue::Entry, second: Option<squeue::Entry>) {
        if !self.0.backlog.borrow().is_empty() || !self.try_push(&first, second.as_ref()) {
            self.0.backlog.borrow_mut().push_back((first, second));
        }
    }

    /// Pushes a whole chain or nothing: the kernel breaks a chain at the end of a submission.
    fn try_push(&self, first: &squeue::Entry, second: Option<&squeue::Entry>) -> bool {
        let mut uring = self.0.uring.borrow_mut();
        let mut submission = uring.submission();
        let needed = 1 + usize::from(second.is_some());
        if submission.capacity() - submission.len() < needed {
            return false;
        }
        for entry in [Some(first), second].into_iter().flatten() {
            // SAFETY: the promise of `submit` and its siblings covers the entry.
            let pushed = unsafe { submission.push(entry) };
            pushed.expect("there is room: it was counted above");
            self.0.pushed.set(self.0.pushed.get() + 1);
        }
        true
    }

    fn drain_backlog(&self) {
        loop {
            // Not in the loop's condition, where the borrow would last to the end of its body.
            let front = self.0.backlog.borrow().front().cloned();
            let Some((first, second)) = front else { return };
            if !self.try_push(&first, second.as_ref()) {
                let pending = self.0.uring.borrow_mut().submission().len() as u32;
                self.enter_now(pending);
                if !self.try_push(&first, second.as_ref()) {
                    return;
                }
            }
            self.0.backlog.borrow_mut().pop_front();
        }
    }

    fn wake_consumed(&self) {
        let consumed = self.0.consumed.get();
        let mut waiting = self.0.consumption.borrow_mut();
        while waiting.front().is_some_and(|(number, _)| *number <= consumed) {
            if let Some((_, waker)) = waiting.pop_front() {
                waker.wake();
            }
        }
    }

    fn slot(&self, state: SlotState) -> Key {
        let generation = self.0.generation.get().wrapping_add(1) & 0x7fff_ffff;
        self.0.generation.set(generation);
        let index = self.0.slots.borrow_mut().insert(Slot { generation, state }) as u32;
        Key { index, generation }
    }

    fn complete(&self, user_data: u64, completion: Completion) {
        if user_data == NOBODY {
            return;
        }
        let key = Key::of(user_data);
        let mut slots = self.0.slots.borrow_mut();
        let Some(slot) = slots.get_mut(key.index as usize) else { return };
        if slot.generation != key.generation {
            return;
        }
        match &mut slot.state {
            SlotState::Pending(waker) => {
                let waker = waker.take();
                slot.state = SlotState::Done(completion);
                drop(slots);
                if let Some(waker) = waker {
                    waker.wake();
                }
            }
            SlotState::Abandoned(_) => {
                let slot = slots.remove(key.index as usize);
                drop(slots);
                if let SlotState::Abandoned(discard) = slot.state {
                    discard(completion);
                }
            }
            SlotState::Done(_) => unreachable!("one completion for an operation of one shot"),
        }
    }

    /// Whether the completion of `key` is there; otherwise `waker` is woken when it is.
    pub(super) fn poll_completion(&self, key: Key, waker: &Waker) -> Option<Completion> {
        let mut slots = self.0.slots.borrow_mut();
        match &mut slots[key.index as usize].state {
            SlotState::Done(completion) => {
                let completion = *completion;
                slots.remove(key.index as usize);
                Some(completion)
            }
            SlotState::Pending(waiting) => {
                remember(waiting, waker);
                None
            }
            _ => unreachable!("an operation is polled by its own future"),
        }
    }

    /// A completion that its future has not taken yet.
    pub(super) fn peek(&self, key: Key) -> Option<Completion> {
        match self.0.slots.borrow().get(key.index as usize) {
            Some(Slot { generation, state: SlotState::Done(completion) })
                if *generation == key.generation =>
            {
                Some(*completion)
            }
            _ => None,
        }
    }

    /// Leaves what `held` owns to the kernel until the completion.
    pub(super) fn abandon<P: Held>(&self, key: Key, held: P, cancel: bool) {
        let mut slots = self.0.slots.borrow_mut();
        let slot = &mut slots[key.index as usize];
        if let SlotState::Done(completion) = slot.state {
            slots.remove(key.index as usize);
            drop(slots);
            return held.discard(completion);
        }
        let old = std::mem::replace(
            &mut slot.state,
            SlotState::Abandoned(Box::new(move |completion| held.discard(completion))),
        );
        drop(slots);
        drop(old);
        if cancel {
            self.cancel(key);
        }
    }

    /// Forgets who waits, so that tasks that nothing else keeps are dropped with what they own.
    pub(super) fn release_waiters(&self) {
        let mut released = Vec::new();
        for (_, slot) in self.0.slots.borrow_mut().iter_mut() {
            if let SlotState::Pending(waker) = &mut slot.state {
                released.extend(waker.take());
            }
        }
        released.extend(self.0.consumption.borrow_mut().drain(..).map(|(_, waker)| waker));
    }

    fn cancel(&self, key: Key) {
        let entry = opcode::AsyncCancel::new(key.user_data()).build().user_data(NOBODY);
        self.push(entry, None);
    }
}

fn remember(waiting: &mut Option<Waker>, waker: &Waker) {
    match waiting {
        Some(waiting) if waiting.will_wake(waker) => {}
        _ => *waiting = Some(waker.clone()),
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        // The last handle: every future is gone, so only abandoned operations are left. Their
        // memory must not be freed under the kernel's hands.
        if Rc::strong_count(&self.0) == 1 {
            while !self.0.slots.borrow().is_empty() {
                let entry =
                    opcode::AsyncCancel2::new(CancelBuilder::any()).build().user_data(NOBODY);
                self.push(entry, None);
                self.turn();
                let uring = self.0.uring.borrow();
                if !self.0.slots.borrow().is_empty()
                    && let Err(error) = uring.submit_and_wait(1)
                    && error.raw_os_error() != Some(libc::EINTR)
                {
                    panic!("the ring of this shard cannot be drained: {error}");
                }
            }
        }
    }
}
