//! What a shard adds to its log: finding the owner, routing here and there, waking who waits.
//!
//! Two shards on two CPUs, with real journals and segments and without sockets. Expected on the reference
//! machine (2 cores, ext4 on virtio without FUA), and why:
//!
//! - **Owner** of a partition: 10 ns, one look-up in the shard's own copy of the metadata and a division.
//! - **Append here** of 1 KiB, until it is in the log and in the journal's frame: 0.6 µs: four look-ups (10 ns
//!   each), two copies (25 ns each), the header parsed and patched, and some five allocations (20 ns each).
//! - **Fetch here** of 1 KiB that is in memory: 1 µs: the same look-ups, a listener and a lease, some ten
//!   allocations; no byte is copied.
//! - **Fetch there**: one round trip of the mesh, 49–53 µs while both cores sleep and 1–4 µs while they spin,
//!   with a task there and the records lent, not copied: 2 µs more.
//! - **Append there, durable**: that and the commit (110–200 µs); the commit hides no wake-up.
//! - **Long poll, woken**: from a record's acknowledgement to the answer of the last of N fetches that wait for
//!   it: 1.5 µs each: a wake-up inside the thread (0.1 µs), a look around as in a fetch here, and a timer taken
//!   back. It is the same for each of 1,000 as for one.

#[path = "machine/cases.rs"]
mod cases;
mod machine;
#[path = "shard/pair.rs"]
mod pair;

use std::cell::Cell;
use std::hint::black_box;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use klamm::model::{LogId, Offset};
use klamm::record::{BatchBuilder, BatchOptions};
use klamm::runtime::sync::Latch;
use klamm::runtime::{Lane, Monotonic, Runtime};
use klamm::shard::{Appends, FetchPart, FetchTerms, SentAppends, Shard, Told, fetch};

use cases::{all_zeroed, print};
use machine::Options;
use pair::{DURABLE, RELAXED, partition};

const VALUE_BYTES: usize = 1024;
const SPIN: Duration = Duration::from_micros(50);
/// Longer than any case: who waits for so long has missed its record.
const WAIT: Duration = Duration::from_secs(60);
const FETCH_BYTES_MAX: usize = 1 << 20;

fn main() -> io::Result<()> {
    for spin in [Duration::ZERO, SPIN] {
        pair::run(spin, move |shard, journal| async move {
            let bench = Bench::new(shard, Options::from_arguments(), spin);
            if spin.is_zero() {
                bench.owner();
                bench.appends_here().await;
                bench.fetches(0, "1 us").await;
                for waiting in [1, 64, 1000] {
                    bench.long_polls(waiting).await;
                }
            }
            let there = if spin.is_zero() { "51-55 us" } else { "3-6 us" };
            bench.fetches(1, there).await;
            all_zeroed(bench.runtime(), &journal).await;
            bench.durable(0, "110-200 us").await;
            bench.durable(1, "the commit and a round trip of the mesh").await;
        })?;
    }
    Ok(())
}

/// Fetches that wait for one record.
#[derive(Default)]
struct Polls {
    begun: Cell<usize>,
    answered: Cell<usize>,
    over: Latch,
}

struct Bench {
    shard: Rc<Shard>,
    options: Options,
    batch: Vec<u8>,
    spin: Duration,
}

impl Bench {
    fn new(shard: Rc<Shard>, options: Options, spin: Duration) -> Bench {
        let mut batch = BatchBuilder::new(BatchOptions::default());
        batch.append(shard.runtime().wall_clock_ms(), None, Some(&[7; VALUE_BYTES]), &[]);
        Bench { shard, options, batch: batch.finish(), spin }
    }

    fn runtime(&self) -> &Runtime {
        self.shard.runtime()
    }

    fn since(&self, before: Monotonic) -> Duration {
        self.runtime().now().saturating_since(before)
    }

    fn owner(&self) {
        const CALLS: u32 = 10_000;
        if !self.options.wants("owner") {
            return;
        }
        let mut times = Vec::new();
        for _ in 0..self.options.rounds(200) {
            let before = self.runtime().now();
            for call in 0..CALLS {
                black_box(self.shard.owner(black_box(partition(RELAXED, call as i32 % 2))));
            }
            times.push(self.since(before) / CALLS);
        }
        print("owner", times, "0.01 us");
    }

    /// A batch on its way into the log of a partition.
    async fn send(&self, log: LogId) -> SentAppends {
        let mut appends = Appends::new(&self.shard, -1);
        appends.add(log, &self.batch, || Bytes::copy_from_slice(&self.batch)).await;
        appends.send()
    }

    /// Appends until it is acknowledged; the batch's offset.
    async fn append(&self, log: LogId) -> Offset {
        let mut results = self.send(log).await.wait().await;
        let appended = results.pop().expect("one batch was sent");
        appended.expect("the log takes it").base_offset
    }

    async fn appends_here(&self) {
        const BURST: usize = 64;
        if !self.options.wants("append here") {
            return;
        }
        let mut times = Vec::new();
        for _ in 0..self.options.rounds(200) {
            let mut sent = Vec::with_capacity(BURST);
            let before = self.runtime().now();
            for _ in 0..BURST {
                sent.push(self.send(partition(RELAXED, 0)).await);
            }
            times.push(self.since(before) / BURST as u32);
            for one in sent {
                one.wait().await[0].as_ref().expect("the log takes it");
            }
        }
        print("append here, 1 KiB, until it is staged", times, "0.6 us");
    }

    /// From the sending of a durable append to its acknowledgement.
    async fn durable(&self, owner: i32, expected: &str) {
        let name = format!("append {}, durable, {}", place(owner), self.how());
        if !self.options.wants(&name) {
            return;
        }
        let mut times = Vec::new();
        for _ in 0..self.options.rounds(2000) {
            let before = self.runtime().now();
            self.append(partition(DURABLE, owner)).await;
            times.push(self.since(before));
        }
        print(&name, times, expected);
    }

    /// Fetches of a record that is there.
    async fn fetches(&self, owner: i32, expected: &str) {
        let name = format!("fetch {}, 1 KiB from memory, {}", place(owner), self.how());
        if !self.options.wants(&name) {
            return;
        }
        let log = partition(RELAXED, owner);
        let offset = self.append(log).await;
        let mut times = Vec::new();
        for _ in 0..self.options.rounds(5000) {
            let before = self.runtime().now();
            fetch_one(&self.shard, log, offset).await;
            times.push(self.since(before));
        }
        print(&name, times, expected);
    }

    /// From an acknowledgement to the last of the answers that it makes possible.
    async fn long_polls(&self, waiting: usize) {
        let name = format!("long poll, {waiting} woken, each");
        if !self.options.wants(&name) {
            return;
        }
        let log = partition(RELAXED, 0);
        let mut next = Offset(self.append(log).await.0 + 1);
        let mut times = Vec::new();
        for _ in 0..self.options.rounds(10_000 / waiting.max(50)) {
            let polls = Rc::new(Polls::default());
            for _ in 0..waiting {
                let (shard, polls) = (self.shard.clone(), polls.clone());
                self.runtime().spawn(Lane::Hot, async move {
                    // It waits from its first turn on: there is nothing to read.
                    polls.begun.set(polls.begun.get() + 1);
                    fetch_one(&shard, log, next).await;
                    polls.answered.set(polls.answered.get() + 1);
                    if polls.answered.get() == waiting {
                        polls.over.set();
                    }
                });
            }
            while polls.begun.get() < waiting {
                self.runtime().yield_now().await;
            }
            next = Offset(self.append(log).await.0 + 1);
            let (acknowledged, early) = (self.runtime().now(), polls.answered.get());
            polls.over.wait().await;
            assert!(early < waiting, "the record is acknowledged before the last is answered");
            times.push(self.since(acknowledged) / (waiting - early) as u32);
        }
        print(&name, times, "1.5 us");
    }

    fn how(&self) -> &'static str {
        if self.spin.is_zero() { "asleep" } else { "spinning" }
    }
}

fn place(owner: i32) -> &'static str {
    if owner == 0 { "here" } else { "there" }
}

/// Fetches from an offset, and waits until there is something.
async fn fetch_one(shard: &Rc<Shard>, log: LogId, offset: Offset) {
    let part = FetchPart {
        log,
        offset,
        bytes_max: VALUE_BYTES,
        leader_epoch: None,
        last_fetched_epoch: None,
        told: Told::NOTHING,
    };
    let terms = FetchTerms { bytes_max: FETCH_BYTES_MAX, bytes_min: 1, wait_max: WAIT };
    let mut results = fetch(shard, vec![part], terms).await;
    let found = results.pop().expect("one partition was asked for").expect("it is there");
    assert!(found.len > 0, "a fetch ends with a record");
}
