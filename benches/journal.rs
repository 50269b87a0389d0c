//! What the journal costs: an entry's way into the open frame, and the frame's way to the disk.
//!
//! Expected on the reference machine (2 cores, ext4 on virtio without FUA), and why:
//!
//! - **Append**, an entry into the frame: 50 ns for 100 bytes: a header of 32 bytes and the body are copied,
//!   the crew is woken once a turn. 64 KiB: 4 µs, a copy into a frame that the last round left in L3
//!   (15–25 GB/s; 50 in L2).
//! - **Accepted**, `kill -9` cannot take it back. 100 bytes go to the mirror: 0.5 µs, a copy and two checksums of
//!   less than 200 bytes (0.1 µs) and a turn of the thread's tasks, the crew's and the waiting one's. 20 KiB are too
//!   much for it: 25 µs, a copy (2 µs), sealing the frame (1 µs) and one entering of the kernel that goes through
//!   ext4 and the block layer to the virtio ring.
//! - **Commit** of one entry: one block with DSYNC, 110–200 µs by the CPU that the disk's interrupt comes on,
//!   and a turn of the thread on either side (a wake-up, 25 µs, is in it: the thread sleeps).
//! - **Commit of 64 entries** of 1 KiB, a frame of 68 KiB: 153 µs and up, 30–40 µs more than one block: what is
//!   moved, not what is asked for. So 2.5 µs an entry: commits are shared, never hurried.
//! - **Commit of 14 entries** of 64 KiB, nearly the largest frame of 1 MiB: 0.6–0.8 ms, the disk's 2 GB/s, the
//!   copies and the same flush.

#[path = "machine/cases.rs"]
mod cases;
mod machine;

use std::io;
use std::path::Path;
use std::time::Duration;

use klamm::model::units::{KIB, MIB};
use klamm::model::{LogId, OwnerEpoch};
use klamm::runtime::Runtime;
use klamm::storage::journal::{EntryKind, Journal, Sequence};

use cases::{all_zeroed, journal_options, print};
use machine::{Options, thread};

/// What an entry of the log has before its batch.
const ENTRY_HEADER: [u8; 16] = [0x5a; 16];

fn main() -> io::Result<()> {
    let options = Options::from_arguments();
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let path = directory.path().to_owned();
    thread(0, Duration::ZERO, MIB, move |runtime| async move {
        run(&runtime, &options, &path).await;
    })?
    .join()
}

async fn run(runtime: &Runtime, options: &Options, dir: &Path) {
    let file_bytes = if options.smoke { 8 * MIB } else { 32 * MIB };
    let layout = journal_options(dir, 0, file_bytes);
    let journal = Journal::open(runtime, layout.clone()).await.expect("the disk has room");
    all_zeroed(runtime, &layout).await;
    let bench = Bench { runtime, options, journal };
    for (bytes, count, expected) in
        [(100, 2000, "0.05 us"), (KIB, 1000, "0.1 us"), (64 * KIB, 14, "4 us")]
    {
        bench.appends(bytes, count, expected).await;
    }
    for (bytes, expected) in [(100, "0.5 us"), (20 * KIB, "25 us")] {
        bench.accepted(bytes, expected).await;
    }
    for (bytes, count, expected) in [
        (100, 1, "110-200 us asleep"),
        (KIB, 64, "30-40 us above one block"),
        (64 * KIB, 14, "600-800 us"),
    ] {
        bench.commits(bytes, count, expected).await;
    }
    bench.journal.close().await.expect("the disk is well");
}

struct Bench<'a> {
    runtime: &'a Runtime,
    options: &'a Options,
    journal: Journal,
}

impl Bench<'_> {
    fn append(&self, body: &[u8]) -> Sequence {
        let (log, owner) = (LogId::default(), OwnerEpoch(1));
        self.journal.append(EntryKind::Append, log, owner, &ENTRY_HEADER, body)
    }

    /// Lets the journal have all of its files again.
    fn release(&self, through: Sequence) {
        self.journal.release_before(Sequence(through.0 + 1));
    }

    /// Entries that go into one frame, without its way to the disk.
    async fn appends(&self, bytes: usize, count: usize, expected: &str) {
        let name = format!("append, {bytes} B");
        if !self.options.wants(&name) {
            return;
        }
        let body = vec![7; bytes];
        let mut times = Vec::new();
        for _ in 0..self.options.rounds(200) {
            assert!(self.journal.has_room(count * (bytes + 64)), "the journal is empty");
            let before = self.runtime.now();
            let mut last = Sequence::NONE;
            for _ in 0..count {
                last = self.append(&body);
            }
            times.push(self.runtime.now().saturating_since(before) / count as u32);
            self.journal.wait_durable(last).await.expect("the disk is well");
            self.release(last);
        }
        print(&name, times, expected);
    }

    /// Until `kill -9` cannot take an entry back any more.
    async fn accepted(&self, bytes: usize, expected: &str) {
        let name = format!("accept, 1 entry of {bytes} B");
        if !self.options.wants(&name) {
            return;
        }
        let body = vec![7; bytes];
        let mut times = Vec::new();
        for _ in 0..self.options.rounds(2000) {
            let before = self.runtime.now();
            let entry = self.append(&body);
            self.journal.wait_accepted(entry).await.expect("the disk is well");
            times.push(self.runtime.now().saturating_since(before));
            // Else the next commit would have to bring a sync of this file.
            self.journal.wait_durable(entry).await.expect("the disk is well");
            self.release(entry);
        }
        print(&name, times, expected);
    }

    /// Entries of one turn until all are on disk.
    async fn commits(&self, bytes: usize, count: usize, expected: &str) {
        let name = format!("commit, {count} x {bytes} B");
        if !self.options.wants(&name) {
            return;
        }
        let body = vec![7; bytes];
        let (mut times, frames) = (Vec::new(), self.journal.stats().commits);
        let rounds = self.options.rounds(1000);
        for _ in 0..rounds {
            let before = self.runtime.now();
            let mut last = Sequence::NONE;
            for _ in 0..count {
                last = self.append(&body);
            }
            self.journal.wait_durable(last).await.expect("the disk is well");
            times.push(self.runtime.now().saturating_since(before));
            self.release(last);
        }
        assert_eq!(self.journal.stats().commits - frames, rounds as u64, "each turn is one frame");
        print(&name, times, expected);
    }
}
