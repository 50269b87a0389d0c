//! The third commit engine: threads that wait in `pwritev2` with RWF_DSYNC.
//!
//! Requests and results cross on bounded queues; what a write reads stays here, in a table of
//! writes in flight, until its result has come back. Where the process may, the threads run in real
//! time: they only wait, and whoever computes on their CPU would else delay a commit by its slice.

use std::cell::RefCell;
use std::io;
use std::ops::Range;
use std::os::fd::AsRawFd;
use std::rc::Rc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use slab::Slab;

use super::driver::Source;
use super::net::Descriptor;
use super::slice;
use super::wake::WakeFlag;
use crate::model::limits::{COMMITS_IN_FLIGHT_DURABLE, COMMITS_IN_FLIGHT_RELAXED};
use crate::runtime::memory::AlignedBuf;
use crate::runtime::sync::oneshot;

/// Writes that wait for a thread; a shard has fewer commits in flight over all its journals.
const QUEUE_DEPTH: usize = 8 * COMMITS_IN_FLIGHT_RELAXED;

/// One write, by address: the table keeps what it points to.
struct Request {
    slot: usize,
    descriptor: i32,
    address: usize,
    bytes: usize,
    offset: u64,
}

struct Pending {
    _file: Descriptor,
    buffer: AlignedBuf,
    done: oneshot::Sender<(AlignedBuf, io::Result<usize>)>,
}

struct Worker {
    requests: SyncSender<Request>,
    results: RefCell<rtrb::Consumer<(usize, isize)>>,
    thread: JoinHandle<()>,
}

/// The threads and the writes that they have.
pub(super) struct CommitThread {
    workers: Vec<Worker>,
    pending: RefCell<Slab<Pending>>,
}

impl CommitThread {
    /// Starts one thread for each durable commit that may be in flight.
    pub(super) fn start(wake: WakeFlag) -> io::Result<CommitThread> {
        let workers = (0..COMMITS_IN_FLIGHT_DURABLE)
            .map(|_| {
                let (requests, queue) = sync_channel(QUEUE_DEPTH);
                let (producer, consumer) = rtrb::RingBuffer::new(QUEUE_DEPTH + 1);
                let wake = wake.clone();
                let thread = std::thread::Builder::new()
                    .name("klamm-commit".to_owned())
                    .spawn(move || work(&queue, producer, &wake))?;
                Ok(Worker { requests, results: RefCell::new(consumer), thread })
            })
            .collect::<io::Result<_>>()?;
        Ok(CommitThread { workers, pending: RefCell::new(Slab::new()) })
    }

    /// Writes a part of `buffer` so that it is durable; returns how much was written.
    pub(super) async fn write(
        self: Rc<Self>,
        file: Descriptor,
        buffer: AlignedBuf,
        part: Range<usize>,
        offset: u64,
    ) -> (AlignedBuf, io::Result<usize>) {
        let (done, result) = oneshot::channel();
        let mut request = Request {
            slot: 0,
            descriptor: file.as_raw_fd(),
            address: buffer[part.clone()].as_ptr() as usize,
            bytes: part.len(),
            offset: offset + part.start as u64,
        };
        let slot = self.pending.borrow_mut().insert(Pending { _file: file, buffer, done });
        request.slot = slot;
        // Slots alternate, so that two commits in flight have a thread each.
        if let Err(error) = self.workers[slot % self.workers.len()].requests.try_send(request) {
            let pending = self.pending.borrow_mut().remove(slot);
            let kind = match error {
                TrySendError::Full(_) => io::ErrorKind::WouldBlock,
                TrySendError::Disconnected(_) => io::ErrorKind::BrokenPipe,
            };
            return (pending.buffer, Err(kind.into()));
        }
        result.await.expect("a write in the table sends its result")
    }
}

impl Source for CommitThread {
    fn flush(&self) {}

    fn poll(&self) -> bool {
        let mut any = false;
        for worker in &self.workers {
            let mut results = worker.results.borrow_mut();
            while let Ok((slot, result)) = results.pop() {
                any = true;
                let pending = self.pending.borrow_mut().remove(slot);
                let result = usize::try_from(result)
                    .map_err(|_| io::Error::from_raw_os_error(-result as i32));
                // Whoever no longer waits has dropped the receiver; the buffer ends here.
                drop(pending.done.send((pending.buffer, result)));
            }
        }
        any
    }
}

impl Drop for CommitThread {
    fn drop(&mut self) {
        // The threads end when their queues are empty and closed; what they write from must stay
        // until then.
        for worker in self.workers.drain(..) {
            drop(worker.requests);
            worker.thread.join().expect("a commit thread does not panic");
        }
    }
}

fn work(queue: &Receiver<Request>, mut results: rtrb::Producer<(usize, isize)>, wake: &WakeFlag) {
    // Without the right to it the thread keeps the short slice of its shard.
    slice::run_at_once();
    while let Ok(request) = queue.recv() {
        let slice =
            libc::iovec { iov_base: request.address as *mut libc::c_void, iov_len: request.bytes };
        // SAFETY: buffer and descriptor stay in the shard's table until the result is there.
        let written = unsafe {
            libc::pwritev2(
                request.descriptor,
                &raw const slice,
                1,
                request.offset as libc::off_t,
                libc::RWF_DSYNC,
            )
        };
        let result = if written < 0 {
            -(io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO) as isize)
        } else {
            written
        };
        let sent = results.push((request.slot, result));
        assert!(sent.is_ok(), "there are no more results than requests");
        wake.ring();
    }
}
