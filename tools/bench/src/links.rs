//! What ties a thread of load to the main one: its messages, its commands, and the run's times.

use std::io::Read;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError};

use anyhow::{Context, Result};

use crate::clock::{Nanos, SECOND};
use crate::measure::{Ended, Message, Meter, Window};

/// The main thread's commands, a byte each.
pub mod command {
    /// Nothing more is due: finish what is under way.
    pub const STOP: u8 = b's';
    /// Nothing more is written: consumers end when they have read it all.
    pub const CATCH_UP: u8 = b'c';
}

/// A thread's ends of the channels to the main one.
pub struct Links {
    /// Intervals and the end.
    pub out: SyncSender<Message>,
    /// Says when all threads are connected.
    pub connected: SyncSender<Result<()>>,
    /// The run's times, once all are connected.
    pub window: Receiver<Window>,
    /// Commands.
    pub control: UnixStream,
}

/// Runs a thread from its start to its last message.
pub fn run(links: Links, work: impl FnOnce(Links) -> Result<Ended>) {
    let out = links.out.clone();
    let ended = work(links)
        .unwrap_or_else(|error| Ended { failures: vec![format!("{error:#}")], ..Ended::default() });
    // Nobody listens any more where the main thread gave up.
    let _ = out.send(Message::Ended(Box::new(ended)));
}

impl Links {
    /// Tells the main thread whether this one is connected, and waits for the run's times; `None` where it is not.
    pub fn begin<T>(&self, connected: Result<T>) -> Result<Option<(T, Window)>> {
        let (told, connected) = match connected {
            Ok(connected) => (Ok(()), Some(connected)),
            Err(error) => (Err(error), None),
        };
        self.connected.send(told).context("the main thread is gone")?;
        let Some(connected) = connected else { return Ok(None) };
        let window = self.window.recv().context("another thread could not connect")?;
        self.control.set_nonblocking(true)?;
        Ok(Some((connected, window)))
    }

    /// True once the main thread wants nothing more to be sent.
    pub fn is_told_to_stop(&mut self) -> bool {
        let mut commands = [0; 16];
        let count = self.control.read(&mut commands).unwrap_or(0);
        commands[..count].contains(&command::STOP)
    }
}

/// Sends what was measured up to `next` where that is over, and sets `next` to the end of the interval that runs.
pub fn cut_if_due(out: &SyncSender<Message>, meter: &mut Meter, next: &mut Nanos, now: Nanos) {
    if now >= *next {
        cut(out, meter, *next);
        *next += SECOND * ((now - *next) / SECOND + 1);
    }
}

/// Sends what was measured up to `end`.
pub fn cut(out: &SyncSender<Message>, meter: &mut Meter, end: Nanos) {
    let counts = Box::new(meter.cut());
    if let Err(TrySendError::Full(Message::Interval { counts, .. })) =
        out.try_send(Message::Interval { end, counts })
    {
        // The main thread is behind: the next interval brings both.
        meter.counts = *counts;
    }
}
