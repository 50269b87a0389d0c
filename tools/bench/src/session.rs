//! Runs the threads of one run, and watches them: intervals, the window's accounts, interrupts.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::accounting::{Accountant, Accounts, Uses};
use crate::churn::{self, ChurnPlan};
use crate::clock::{Clock, Nanos, SECOND, nanos};
use crate::links::{Links, command};
use crate::measure::{Counts, Ended, Message, Window};
use crate::worker::{self, WorkerPlan};

/// Messages of a thread that may wait.
const MESSAGES_MAX: usize = 64;
/// How often the main thread looks for an interrupt.
const LOOK_EVERY: Nanos = 50_000_000;

/// Told of Ctrl-C.
pub struct Interrupts(UnixStream);

impl Interrupts {
    /// From now on an interrupt no longer ends the process by itself.
    pub fn listen() -> Result<Interrupts> {
        let (ours, theirs) = UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
            let theirs = theirs.try_clone()?;
            signal_hook::low_level::pipe::register(signal, theirs)
                .context("listening for Ctrl-C")?;
        }
        Ok(Interrupts(ours))
    }

    /// How many came since the last look.
    pub fn count(&mut self) -> usize {
        self.0.read(&mut [0; 16]).unwrap_or(0)
    }
}

/// What a thread does.
pub enum Load {
    /// Producers and consumers.
    Traffic(WorkerPlan),
    /// Connections that come and go.
    Churn(ChurnPlan),
    /// Producers that are librdkafka's.
    #[cfg(feature = "librdkafka")]
    Library(crate::library::LibraryPlan),
}

/// How long a session lasts.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// Not measured.
    pub warm_up: Duration,
    /// Measured.
    pub duration: Duration,
    /// For what is due or under way at the end.
    pub drain: Duration,
}

/// What a session's watcher sees of a second.
pub struct Interval<'a> {
    /// When it ended.
    pub end: Nanos,
    /// The run's times.
    pub window: Window,
    /// What happened in it, over all threads.
    pub counts: &'a Counts,
}

/// What a session gives.
pub struct Session {
    /// Its times; `until` is when it really ended.
    pub window: Window,
    /// Over all threads and the whole window.
    pub counts: Counts,
    /// What each thread knows at its end.
    pub ended: Vec<Ended>,
    /// What was used in the window.
    pub uses: Uses,
    /// Ctrl-C ended it.
    pub interrupted: bool,
}

impl Session {
    /// Seconds that were measured.
    pub fn seconds(&self) -> f64 {
        self.window.until.saturating_sub(self.window.from) as f64 / SECOND as f64
    }
}

struct Thread {
    handle: JoinHandle<()>,
    control: UnixStream,
    window: SyncSender<Window>,
}

/// Runs `plans`, a thread each; `watch` is called for each second.
pub fn session(
    clock: Clock,
    plans: Vec<Load>,
    times: Times,
    accounts: Accounts,
    interrupts: &mut Interrupts,
    watch: &mut dyn FnMut(Interval<'_>),
) -> Result<Session> {
    let count = plans.len();
    let (out, messages) = sync_channel(MESSAGES_MAX * count);
    let (connected, connections) = sync_channel(count);
    let mut threads = Vec::new();
    for (plan, number) in plans.into_iter().zip(0..) {
        let (control, theirs) = UnixStream::pair()?;
        let (window, window_end) = sync_channel(1);
        let links = Links {
            out: out.clone(),
            connected: connected.clone(),
            window: window_end,
            control: theirs,
        };
        let handle = std::thread::Builder::new()
            .name(format!("load-{number}"))
            .spawn(move || match plan {
                Load::Traffic(plan) => worker::run(plan, links),
                Load::Churn(plan) => churn::run(plan, links),
                #[cfg(feature = "librdkafka")]
                Load::Library(plan) => crate::library::run(plan, links),
            })
            .context("starting a thread")?;
        threads.push(Thread { handle, control, window });
    }
    for _ in 0..count {
        connections.recv().context("a thread ended before it was connected")??;
    }
    let begin = clock.now() + 1_000_000;
    let from = begin + nanos(times.warm_up);
    let until = from.saturating_add(nanos(times.duration));
    let window = Window { begin, from, until, patience: nanos(times.drain) };
    for thread in &threads {
        thread.window.send(window).context("a thread has ended early")?;
    }
    let mut watcher = Watcher {
        clock,
        window,
        threads: count,
        producing: count,
        ended: Vec::new(),
        seconds: BTreeMap::new(),
        counts: Counts::new(),
        accountant: Accountant::new(accounts),
        uses: None,
        interrupted: false,
        watch,
    };
    watcher.watch(&messages, &mut threads, interrupts)?;
    for thread in threads {
        thread.handle.join().map_err(|_| anyhow::anyhow!("a thread of the tool panicked"))?;
    }
    Ok(Session {
        window: watcher.window,
        counts: watcher.counts,
        ended: watcher.ended,
        uses: watcher.uses.unwrap_or_default(),
        interrupted: watcher.interrupted,
    })
}

struct Watcher<'a> {
    clock: Clock,
    window: Window,
    threads: usize,
    producing: usize,
    ended: Vec<Ended>,
    /// Seconds that some threads have told of.
    seconds: BTreeMap<Nanos, (usize, Counts)>,
    counts: Counts,
    accountant: Accountant,
    uses: Option<Uses>,
    interrupted: bool,
    watch: &'a mut dyn FnMut(Interval<'_>),
}

impl Watcher<'_> {
    fn watch(
        &mut self,
        messages: &Receiver<Message>,
        threads: &mut [Thread],
        interrupts: &mut Interrupts,
    ) -> Result<()> {
        while self.ended.len() < self.threads {
            let now = self.clock.now();
            if self.accountant.is_waiting() && self.uses.is_none() && now >= self.window.from {
                self.accountant.begin(self.clock);
            }
            if now >= self.window.until {
                self.close_window(self.window.until);
            }
            match interrupts.count() {
                0 => {}
                _ if self.interrupted => anyhow::bail!("interrupted again: ended without a result"),
                _ => {
                    self.interrupted = true;
                    self.close_window(now);
                    tell(threads, command::STOP);
                }
            }
            let next = [self.window.from, self.window.until]
                .into_iter()
                .filter(|time| *time > now)
                .fold(now + LOOK_EVERY, Nanos::min);
            match messages.recv_timeout(Duration::from_nanos(next - now)) {
                Ok(message) => self.take(message, threads),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => anyhow::bail!("the threads have ended"),
            }
        }
        self.close_window(self.clock.now());
        self.show_seconds(true);
        Ok(())
    }

    /// What is used from here on is not the workload's.
    fn close_window(&mut self, end: Nanos) {
        if self.uses.is_none() {
            self.uses = Some(self.accountant.end(self.clock));
            self.window.until = self.window.until.min(end).max(self.window.from);
        }
    }

    fn take(&mut self, message: Message, threads: &mut [Thread]) {
        match message {
            Message::Interval { end, counts } => {
                let second = self.seconds.entry(end).or_insert_with(|| (0, Counts::new()));
                second.0 += 1;
                second.1.add(&counts);
                self.accountant.look();
                self.show_seconds(false);
            }
            Message::ProducersDone => {
                self.producing -= 1;
                if self.producing == 0 {
                    tell(threads, command::CATCH_UP);
                }
            }
            Message::Ended(ended) => self.ended.push(*ended),
        }
    }

    /// Passes on the seconds that all threads have told of, or that are old.
    fn show_seconds(&mut self, all: bool) {
        let newest = self.seconds.keys().next_back().copied().unwrap_or(0);
        while let Some(first) = self.seconds.first_entry() {
            let is_old = *first.key() + 2 * SECOND < newest;
            if !all && !is_old && first.get().0 < self.threads {
                break;
            }
            let (end, (_, counts)) = first.remove_entry();
            self.counts.add(&counts);
            (self.watch)(Interval { end, window: self.window, counts: &counts });
        }
    }
}

fn tell(threads: &mut [Thread], command: u8) {
    for thread in threads {
        // A thread that has ended does not listen.
        let _ = thread.control.write_all(&[command]);
    }
}
