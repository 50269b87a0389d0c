//! The journal's writer: entries are staged, frames go out, waiters are released in order.
//!
//! A fixed crew of tasks takes frames from the staging ring while fewer than the allowed commits
//! are in flight; a commit goes out beside another one only with much in it. An append wakes
//! one of them, which runs at the end of the tick: every append of the tick, and everything that
//! arrives while commits are in flight, shares the next frame. No commit waits for a timer; a frame that nobody
//! waits for on disk is kept in the mirror for a while.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use crate::model::limits::{COMMITS_IN_FLIGHT_DURABLE, COMMITS_IN_FLIGHT_RELAXED};
use crate::model::units::BLOCK;
use crate::model::{LogId, OwnerEpoch};
use crate::runtime::disk::File;
#[cfg(test)]
use crate::runtime::sim::{Planted, is_planted};
use crate::runtime::sync::{Event, Gate, GateGuard, oneshot};
use crate::runtime::{AlignedBuf, Lane, Runtime};

use super::entry::{ENTRY_HEADER_BYTES, EntryKind, Sequence};
use super::files::{Files, NoSlot};
use super::frame::{self, FRAME_HEADER_BYTES, FrameHeader};
use super::gauges::JournalGauges;
use super::ledger::{FlightId, Ledger, SyncPass, Way};
use super::mirror::{Kept, Mirror};
use super::options::JournalOptions;
use super::staging::Staging;

/// How long a frame is kept in the mirror before it is sent: about as much of such records is lost with the power.
const KEPT_BACK_MAX: Duration = Duration::from_millis(10);

/// The journal has failed: nothing is acknowledged any more, and nothing is retried.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the journal has failed: {reason}; check the disk, then restart the broker")]
pub struct Poisoned {
    reason: Rc<str>,
}

/// Why no room can be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReserveError {
    /// The journal has failed.
    #[error(transparent)]
    Poisoned(#[from] Poisoned),
    /// More than the whole journal may hold.
    #[error("{bytes} bytes do not fit a journal of {room_max}: raise journal.bytes")]
    TooLarge {
        /// What was asked for.
        bytes: usize,
        /// What is the most.
        room_max: u64,
    },
}

/// Figures since the journal was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JournalStats {
    /// Frames made durable by their own commit.
    pub commits: u64,
    /// Frames written without a flush.
    pub writes: u64,
    /// Syncs that made such frames durable.
    pub syncs: u64,
    /// Bytes of all frames.
    pub frame_bytes: u64,
    /// Bytes of entries in them.
    pub payload_bytes: u64,
    /// Pieces of entries in them.
    pub pieces: u64,
    /// Writes that the kernel did not consume inline.
    pub writes_deferred: u64,
    /// Frames that were kept in the mirror first.
    pub frames_mirrored: u64,
    /// Times a frame found every file full.
    pub waits_for_release: u64,
    /// Times a frame found its file not yet zeroed.
    pub waits_for_zeros: u64,
    /// Files recycled.
    pub files_recycled: u64,
}

/// Hears of each durable commit: its bytes, and the time that it took.
pub type CommitObserver = Rc<dyn Fn(usize, Duration)>;

type Waiter = (Sequence, oneshot::Sender<Result<(), Poisoned>>);

struct State {
    staging: Staging,
    files: Files,
    ledger: Ledger,
    /// None where the file system cannot have one.
    mirror: Option<Mirror>,
    previous_crc: u32,
    /// Everything before is covered by a checkpoint.
    released: Sequence,
    poisoned: Option<Poisoned>,
    durable_waiters: VecDeque<Waiter>,
    accepted_waiters: VecDeque<Waiter>,
    stats: JournalStats,
    observer: Option<CommitObserver>,
}

struct Shared {
    runtime: Runtime,
    options: JournalOptions,
    files: Rc<[File]>,
    state: RefCell<State>,
    work: Event,
    woken: Cell<bool>,
    progress: Event,
    room: Event,
    closing: Cell<bool>,
    gate: Gate,
}

/// The journal of one slot; clones are the same journal. It lives on one executor.
#[derive(Clone)]
pub struct Journal(Rc<Shared>);

/// What a task of the crew does next.
enum Job {
    Frame(Outgoing),
    Sync(SyncPass),
}

/// A frame that is submitted.
struct Outgoing {
    id: FlightId,
    way: Way,
    buffer: AlignedBuf,
    bytes: usize,
    file: u16,
    offset: u64,
}

impl Journal {
    /// Starts the crew over files that are open.
    pub(super) fn start(
        runtime: &Runtime,
        options: JournalOptions,
        files: Rc<[File]>,
        zeroed: Vec<u64>,
        mirror: Option<Mirror>,
    ) -> Journal {
        let frame_bytes_max = options.frame_bytes_max;
        let state = State {
            staging: Staging::new(frame_bytes_max),
            files: Files::new(options.file_bytes, frame_bytes_max as u64, zeroed),
            ledger: Ledger::default(),
            mirror,
            previous_crc: options.identity.chain_seed(),
            released: Sequence::FIRST,
            poisoned: None,
            durable_waiters: VecDeque::new(),
            accepted_waiters: VecDeque::new(),
            stats: JournalStats::default(),
            observer: None,
        };
        let journal = Journal(Rc::new(Shared {
            runtime: runtime.clone(),
            options,
            files,
            state: RefCell::new(state),
            work: Event::new(),
            woken: Cell::new(false),
            progress: Event::new(),
            room: Event::new(),
            closing: Cell::new(false),
            gate: Gate::new(),
        }));
        for _ in 0..COMMITS_IN_FLIGHT_DURABLE + COMMITS_IN_FLIGHT_RELAXED {
            let crew = journal.clone();
            runtime.spawn(Lane::Hot, async move { crew.work().await });
        }
        journal
    }

    /// Stages an entry, whose payload is `header` and `body` one after the other, and gives its
    /// sequence. Never waits: ask [`Journal::has_room`] before. After a failure the sequence is
    /// one that never becomes durable.
    pub fn append(
        &self,
        kind: EntryKind,
        log: LogId,
        owner_epoch: OwnerEpoch,
        header: &[u8],
        body: &[u8],
    ) -> Sequence {
        let mut state = self.0.state.borrow_mut();
        if state.poisoned.is_some() {
            return Sequence(u64::MAX);
        }
        let sequence = state.staging.append(kind, log, owner_epoch, header, body);
        drop(state);
        self.wake();
        sequence
    }

    /// Holds the entry that was appended last: neither it nor anything behind it is accepted or durable
    /// before [`Journal::release`] says that what it speaks of is durable where it was written.
    pub fn hold(&self, sequence: Sequence) {
        let state = &mut *self.0.state.borrow_mut();
        if state.poisoned.is_none() {
            state.ledger.hold(sequence);
        }
    }

    /// Lets go of entries that were held.
    pub fn release(&self, sequences: &[Sequence]) {
        let state = &mut *self.0.state.borrow_mut();
        for &sequence in sequences {
            state.ledger.release(sequence);
        }
        self.advance(state);
    }

    /// Says that a sequence has to become durable, not only accepted. In the tick of its append
    /// this makes its frame a commit; later it brings a sync.
    pub fn demand_durable(&self, sequence: Sequence) {
        let state = &mut *self.0.state.borrow_mut();
        if sequence > state.ledger.submitted_through() {
            state.staging.demand_durable(sequence);
        } else {
            state.ledger.demand_durable(sequence);
        }
        self.wake();
    }

    /// The sequence that the next append of a small entry gets.
    pub fn next_sequence(&self) -> Sequence {
        self.0.state.borrow().staging.next_sequence()
    }

    /// Everything up to here survives a power failure.
    pub fn durable_through(&self) -> Sequence {
        self.0.state.borrow().ledger.durable_through()
    }

    /// Everything up to here survives the death of the process.
    pub fn accepted_through(&self) -> Sequence {
        self.0.state.borrow().ledger.accepted_through()
    }

    /// Fires when a watermark has moved, and when the journal has failed.
    pub fn progress(&self) -> &Event {
        &self.0.progress
    }

    /// Waits until a sequence survives a power failure, and demands that it will.
    ///
    /// # Errors
    /// Once the journal has failed: the entry may be on disk or not.
    pub async fn wait_durable(&self, sequence: Sequence) -> Result<(), Poisoned> {
        self.demand_durable(sequence);
        let receiver = {
            let state = &mut *self.0.state.borrow_mut();
            if state.ledger.durable_through() >= sequence {
                return Ok(());
            }
            enqueue(&mut state.durable_waiters, state.poisoned.as_ref(), sequence)?
        };
        receiver.await.expect("the journal answers every waiter before it goes")
    }

    /// Waits until a sequence survives the death of the process.
    ///
    /// # Errors
    /// Once the journal has failed: the entry may be on disk or not.
    pub async fn wait_accepted(&self, sequence: Sequence) -> Result<(), Poisoned> {
        let receiver = {
            let state = &mut *self.0.state.borrow_mut();
            if state.ledger.accepted_through() >= sequence {
                return Ok(());
            }
            enqueue(&mut state.accepted_waiters, state.poisoned.as_ref(), sequence)?
        };
        receiver.await.expect("the journal answers every waiter before it goes")
    }

    /// True if entries of so many bytes, 32 for each entry included, may be appended now.
    pub fn has_room(&self, bytes: usize) -> bool {
        let state = self.0.state.borrow();
        let staged = state.staging.bytes();
        let staged_bytes_max = (COMMITS_IN_FLIGHT_DURABLE * self.0.options.frame_bytes_max) as u64;
        let needed = self.bytes_on_disk(bytes);
        state.poisoned.is_some()
            || (staged + needed <= state.files.room()
                && (staged == 0 || staged + needed <= staged_bytes_max))
    }

    /// Waits until [`Journal::has_room`]; books nothing, so append in the same tick.
    ///
    /// # Errors
    /// Once the journal has failed, and for more than it can ever hold.
    pub async fn reserve(&self, bytes: usize) -> Result<(), ReserveError> {
        let room_max = self.0.state.borrow().files.room_max();
        if self.bytes_on_disk(bytes) > room_max {
            return Err(ReserveError::TooLarge { bytes, room_max });
        }
        loop {
            let changed = self.0.room.listen();
            if let Some(poisoned) = self.poisoned() {
                return Err(poisoned.into());
            }
            if self.has_room(bytes) {
                return Ok(());
            }
            self.send_kept();
            changed.await;
        }
    }

    /// The part of the journal that is taken, 0 to 1: a checkpoint is due at a half.
    pub fn pressure(&self) -> f64 {
        self.0.state.borrow().files.pressure()
    }

    /// Everything before `sequence` is covered by a durable checkpoint: files that hold nothing
    /// else are recycled.
    pub fn release_before(&self, sequence: Sequence) {
        let state = &mut *self.0.state.borrow_mut();
        state.released = state.released.max(sequence);
        self.recycle(state);
    }

    /// Frees the files that are released; one with a frame still in flight waits for it.
    fn recycle(&self, state: &mut State) {
        let settled = state.ledger.written_through().next();
        for file in state.files.release_before(state.released.min(settled)) {
            state.ledger.released(file);
            state.stats.files_recycled += 1;
            self.0.room.notify_all();
            self.wake();
        }
    }

    /// Fails the journal: every waiter and every later append is refused.
    pub fn poison(&self, reason: &str) {
        let state = &mut *self.0.state.borrow_mut();
        if state.poisoned.is_some() {
            return;
        }
        let poisoned = Poisoned { reason: reason.into() };
        state.poisoned = Some(poisoned.clone());
        for waiters in [&mut state.durable_waiters, &mut state.accepted_waiters] {
            for (_, waiter) in waiters.drain(..) {
                // Whoever stopped waiting needs no answer.
                drop(waiter.send(Err(poisoned.clone())));
            }
        }
        self.0.progress.notify_all();
        self.0.room.notify_all();
    }

    /// Why the journal has failed, if it has.
    pub fn poisoned(&self) -> Option<Poisoned> {
        self.0.state.borrow().poisoned.clone()
    }

    /// Tells `observer` of every durable commit from now on.
    pub fn observe_commits(&self, observer: CommitObserver) {
        self.0.state.borrow_mut().observer = Some(observer);
    }

    /// Figures since the journal was opened.
    pub fn stats(&self) -> JournalStats {
        self.0.state.borrow().stats
    }

    /// What waits and what is under way at this moment.
    pub fn gauges(&self) -> JournalGauges {
        let state = self.0.state.borrow();
        let file = state.files.current().and_then(|file| self.0.files.get(usize::from(file)));
        JournalGauges {
            staged_bytes: state.staging.bytes(),
            in_flight: state.ledger.in_flight(),
            used: state.files.pressure(),
            buffer_bytes: (state.staging.buffers() + state.ledger.in_flight())
                * self.0.options.frame_bytes_max,
            engine: file.and_then(File::engine),
        }
    }

    /// Makes everything durable and ends the crew.
    ///
    /// # Errors
    /// Once the journal has failed: what was not durable by then may be on disk or not.
    pub async fn close(&self) -> Result<(), Poisoned> {
        let last = Sequence(self.next_sequence().0 - 1);
        let result = self.wait_durable(last).await;
        self.0.closing.set(true);
        self.0.work.notify_all();
        self.0.gate.close().await;
        result
    }

    pub(super) fn options(&self) -> &JournalOptions {
        &self.0.options
    }

    pub(super) fn enter(&self) -> Option<GateGuard> {
        self.0.gate.enter()
    }

    pub(super) fn is_closing(&self) -> bool {
        self.0.closing.get()
    }

    /// A file is zeroed that far.
    pub(super) fn zeroed(&self, file: u16, bytes: u64) {
        self.0.state.borrow_mut().files.set_zeroed(file, bytes);
        self.wake();
    }

    /// How many bytes of zeros the writer has before it.
    pub(super) fn zeroed_ahead(&self) -> u64 {
        self.0.state.borrow().files.zeroed_ahead()
    }

    /// The last entry that is on its way to the disk.
    pub(super) fn submitted_through(&self) -> Sequence {
        self.0.state.borrow().ledger.submitted_through()
    }

    /// Bytes on disk that entries of so many bytes take at the worst: two frames that follow each
    /// other hold more than one full frame, and each pads its last block.
    fn bytes_on_disk(&self, bytes: usize) -> u64 {
        let frames = 2 * bytes / self.0.options.frame_bytes_max + 2;
        (bytes + frames * (BLOCK + FRAME_HEADER_BYTES + ENTRY_HEADER_BYTES)) as u64
    }

    fn wake(&self) {
        if !self.0.woken.replace(true) {
            self.0.work.notify_one();
        }
    }

    async fn work(&self) {
        let Some(_guard) = self.0.gate.enter() else { return };
        loop {
            let listener = self.0.work.listen();
            self.0.woken.set(false);
            match self.take_job() {
                Some(job) => {
                    drop(listener);
                    // Perhaps one more may go out beside this one.
                    self.wake();
                    self.perform(job).await;
                }
                None if self.is_closing() => return,
                None => listener.await,
            }
        }
    }

    /// Takes the next frame if it may go out now, or the sync that is due.
    fn take_job(&self) -> Option<Job> {
        let state = &mut *self.0.state.borrow_mut();
        if state.poisoned.is_some() {
            return None;
        }
        if let Some(pass) = state.ledger.next_sync() {
            return Some(Job::Sync(pass));
        }
        if self.keep_back(state) {
            return None;
        }
        let front = state.staging.front()?;
        let may_go = if front.durable {
            match state.ledger.durable_in_flight() {
                0 => true,
                COMMITS_IN_FLIGHT_DURABLE.. => false,
                _ => state.staging.bytes() >= self.0.options.beside_bytes_min(),
            }
        } else {
            state.ledger.in_flight() < COMMITS_IN_FLIGHT_RELAXED
        };
        if !may_go {
            return None;
        }
        let bytes = front.bytes();
        let slot = match state.files.place(bytes, state.ledger.submitted_through()) {
            Ok(slot) => slot,
            Err(NoSlot::Full) => {
                state.stats.waits_for_release += 1;
                return None;
            }
            Err(NoSlot::Unzeroed) => {
                state.stats.waits_for_zeros += 1;
                return None;
            }
        };
        let mut staged = state.staging.pop().expect("the front was seen");
        let header = FrameHeader {
            identity: self.0.options.identity,
            file: slot.file,
            entry_count: staged.entry_count,
            generation: slot.generation,
            file_offset: slot.offset,
            first: staged.first,
            durable_through: state.ledger.durable_through(),
            payload_bytes: u32::try_from(staged.payload_bytes).expect("at most a mebibyte"),
            previous_crc: state.previous_crc,
        };
        let bytes = usize::try_from(bytes).expect("at most a mebibyte");
        let frame = &mut staged.buffer[..bytes];
        frame[FRAME_HEADER_BYTES + staged.payload_bytes..].fill(0);
        state.previous_crc = frame::seal(frame, &header);
        let (id, way) = state.ledger.submit(staged.last(), staged.durable, slot.file);
        if state.mirror.as_ref().is_some_and(|mirror| mirror.holds(&staged)) {
            state.ledger.is_mirrored(id);
        }
        #[cfg(test)]
        if is_planted(Planted::LetGoEarly)
            && let Some(mirror) = &mut state.mirror
        {
            mirror.let_go(staged.last());
        }
        state.stats.frame_bytes += bytes as u64;
        state.stats.payload_bytes += staged.payload_bytes as u64;
        state.stats.pieces += u64::from(staged.entry_count);
        self.0.room.notify_all();
        let (file, offset) = (slot.file, slot.offset);
        Some(Job::Frame(Outgoing { id, way, buffer: staged.buffer, bytes, file, offset }))
    }

    /// Keeps the open frame in the mirror, if nobody waits for it on disk and it has not been there for long: true if
    /// it is not to be sent now.
    fn keep_back(&self, state: &mut State) -> bool {
        let Some(frame) = state.staging.only().filter(|frame| !frame.durable && !frame.due) else {
            return false;
        };
        let Some(kept) = state.mirror.as_mut().and_then(|mirror| mirror.keep(frame)) else {
            return false;
        };
        let (first, last) = (frame.first, frame.last());
        if kept == Kept::Anew {
            state.stats.frames_mirrored += 1;
            self.send_later(first);
        }
        if kept != Kept::Already {
            state.ledger.mirrored(last);
            self.advance(state);
        }
        true
    }

    /// Sends the frame that begins with this sequence when its time in the mirror is over.
    fn send_later(&self, first: Sequence) {
        let (runtime, shared) = (self.0.runtime.clone(), Rc::downgrade(&self.0));
        self.0.runtime.spawn(Lane::Hot, async move {
            runtime.sleep(KEPT_BACK_MAX).await;
            if let Some(shared) = shared.upgrade() {
                Journal(shared).send_now(first);
            }
        });
    }

    fn send_now(&self, first: Sequence) {
        self.0.state.borrow_mut().staging.make_due(first);
        self.wake();
    }

    /// Sends what is kept back, because somebody waits for the room that it takes.
    fn send_kept(&self) {
        let kept = self.0.state.borrow().staging.only().map(|frame| frame.first);
        if let Some(first) = kept {
            self.send_now(first);
        }
    }

    async fn perform(&self, job: Job) {
        let started = self.0.runtime.now();
        match job {
            Job::Sync(pass) => {
                for &file in &pass.files {
                    if let Err(error) = self.0.files[usize::from(file)].sync_data().await {
                        return self.poison(&format!("syncing file {file}: {error}"));
                    }
                }
                let state = &mut *self.0.state.borrow_mut();
                state.ledger.synced(&pass);
                state.stats.syncs += 1;
                self.advance(state);
            }
            Job::Frame(Outgoing { id, way, buffer, bytes, file, offset }) => {
                let target = &self.0.files[usize::from(file)];
                let commits = way == Way::Commit;
                #[cfg(test)]
                let commits = commits && !is_planted(Planted::AcknowledgeBeforeSync);
                let (buffer, result) = if commits {
                    target.commit(buffer, bytes, offset).await
                } else {
                    let issued = target.write_issued(buffer, bytes, offset);
                    if issued.accepted.await {
                        let state = &mut *self.0.state.borrow_mut();
                        state.ledger.accepted(id);
                        self.advance(state);
                    } else {
                        self.0.state.borrow_mut().stats.writes_deferred += 1;
                    }
                    issued.done.await
                };
                if let Err(error) = result {
                    return self.poison(&format!(
                        "writing {bytes} bytes at {offset} of file {file}: {error}"
                    ));
                }
                let took = self.0.runtime.now().saturating_since(started);
                let state = &mut *self.0.state.borrow_mut();
                state.staging.give_back(buffer);
                state.ledger.completed(id);
                if let Some(mirror) = &mut state.mirror {
                    mirror.let_go(state.ledger.written_through());
                }
                if way == Way::Commit {
                    state.stats.commits += 1;
                    if let Some(observer) = &state.observer {
                        observer(bytes, took);
                    }
                } else {
                    state.stats.writes += 1;
                }
                self.advance(state);
            }
        }
    }

    /// Releases the waiters that the watermarks have passed.
    fn advance(&self, state: &mut State) {
        if state.poisoned.is_some() {
            return;
        }
        self.recycle(state);
        release(&mut state.durable_waiters, state.ledger.durable_through());
        release(&mut state.accepted_waiters, state.ledger.accepted_through());
        self.0.progress.notify_all();
    }
}

/// Queues a waiter by its sequence.
fn enqueue(
    waiters: &mut VecDeque<Waiter>,
    poisoned: Option<&Poisoned>,
    sequence: Sequence,
) -> Result<oneshot::Receiver<Result<(), Poisoned>>, Poisoned> {
    if let Some(poisoned) = poisoned {
        return Err(poisoned.clone());
    }
    let (sender, receiver) = oneshot::channel();
    let at = waiters.partition_point(|(other, _)| *other <= sequence);
    waiters.insert(at, (sequence, sender));
    Ok(receiver)
}

fn release(waiters: &mut VecDeque<Waiter>, through: Sequence) {
    while waiters.front().is_some_and(|(sequence, _)| *sequence <= through) {
        let Some((_, waiter)) = waiters.pop_front() else { break };
        drop(waiter.send(Ok(())));
    }
}
