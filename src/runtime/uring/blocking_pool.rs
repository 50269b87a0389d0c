//! Threads for calls that block: a shard hands work over and hears of its end as of a message.
//!
//! A thread has one call at a time; what waits for a thread waits at home, first in, first out.

use std::any::Any;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use super::driver::Source;
use super::wake::WakeFlag;

/// Threads of one shard.
const THREADS: usize = 2;

type Result = Box<dyn Any + Send>;
type Work = Box<dyn FnOnce() -> Result + Send>;
type Done = Box<dyn FnOnce(Result)>;

/// A call: what a thread does, and what is done here with its result.
struct Call {
    work: Work,
    done: Done,
}

struct Worker {
    work: SyncSender<Work>,
    result: Receiver<Result>,
    thread: JoinHandle<()>,
}

#[derive(Default)]
struct Calls {
    /// By worker, what is done with the result of the call that it has.
    under_way: [Option<Done>; THREADS],
    waiting: VecDeque<Call>,
}

/// The threads and the calls that they have.
pub(super) struct BlockingPool {
    workers: Vec<Worker>,
    calls: RefCell<Calls>,
}

impl BlockingPool {
    /// Starts the threads.
    pub(super) fn start(wake: &WakeFlag) -> io::Result<BlockingPool> {
        let workers = (0..THREADS)
            .map(|_| {
                let (work, queue) = sync_channel(1);
                let (results, result) = sync_channel(1);
                let wake = wake.clone();
                let thread = std::thread::Builder::new()
                    .name("klamm-blocking".to_owned())
                    .spawn(move || run(&queue, &results, &wake))?;
                Ok(Worker { work, result, thread })
            })
            .collect::<io::Result<_>>()?;
        Ok(BlockingPool { workers, calls: RefCell::default() })
    }

    /// Runs `work` on a thread, then `done` here with what it returned.
    pub(super) fn submit<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
        done: impl FnOnce(T) + 'static,
    ) {
        let call = Call {
            work: Box::new(move || Box::new(work())),
            done: Box::new(move |result| {
                done(*result.downcast().expect("it is what this call's work returned"));
            }),
        };
        self.calls.borrow_mut().waiting.push_back(call);
        self.hand_out();
    }

    /// Whether no call is under way.
    pub(super) fn is_idle(&self) -> bool {
        self.calls.borrow().under_way.iter().all(Option::is_none)
    }

    fn hand_out(&self) {
        let mut calls = self.calls.borrow_mut();
        let Calls { under_way, waiting } = &mut *calls;
        for (worker, slot) in self.workers.iter().zip(under_way) {
            if slot.is_none()
                && let Some(Call { work, done }) = waiting.pop_front()
            {
                *slot = Some(done);
                let sent = worker.work.try_send(work);
                assert!(sent.is_ok(), "a thread without a call takes one");
            }
        }
    }
}

impl Source for BlockingPool {
    fn flush(&self) {}

    fn poll(&self) -> bool {
        let mut any = false;
        for (index, worker) in self.workers.iter().enumerate() {
            if let Ok(result) = worker.result.try_recv() {
                any = true;
                let done = self.calls.borrow_mut().under_way[index].take();
                let done = done.expect("a result is that of the call under way");
                done(result);
            }
        }
        if any {
            self.hand_out();
        }
        any
    }
}

impl Drop for BlockingPool {
    fn drop(&mut self) {
        for worker in self.workers.drain(..) {
            drop(worker.work);
            worker.thread.join().expect("blocking work does not panic");
        }
    }
}

fn run(queue: &Receiver<Work>, results: &SyncSender<Result>, wake: &WakeFlag) {
    while let Ok(work) = queue.recv() {
        // The shard has ended: nobody waits.
        if results.send(work()).is_err() {
            return;
        }
        wake.ring();
    }
}
