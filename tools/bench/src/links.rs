//! What ties a thread of load to the main one: its messages, its commands, and the run's times.

use std::io::Read;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError};

use anyhow::Result;

use crate::clock::Nanos;
use crate::measure::{Message, Meter, Window};

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

impl Links {
    /// True once the main thread wants nothing more to be sent.
    pub fn is_told_to_stop(&mut self) -> bool {
        let mut commands = [0; 16];
        let count = self.control.read(&mut commands).unwrap_or(0);
        commands[..count].contains(&command::STOP)
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
