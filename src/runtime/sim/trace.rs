//! The record of everything that happened in a world, as a hash and on request as text.

use crate::runtime::random::mixed;

/// Grows with each event; two runs are the same if their hashes are.
pub(super) struct Trace {
    hash: u64,
    events: u64,
    lines: Option<Vec<String>>,
    is_printed: bool,
}

impl Trace {
    pub(super) fn new(readable: bool, is_printed: bool) -> Self {
        Trace { hash: 0, events: 0, lines: readable.then(Vec::new), is_printed }
    }

    pub(super) fn add(&mut self, now: u64, event: &'static str, subject: u64, detail: u64) {
        let mut hash = self.hash ^ now;
        for byte in event.bytes() {
            hash = hash.rotate_left(8) ^ u64::from(byte);
        }
        hash = mixed(hash) ^ subject;
        self.hash = mixed(mixed(hash) ^ detail);
        self.events += 1;
        if self.lines.is_none() && !self.is_printed {
            return;
        }
        let line = format!("{now:>14} {event:<12} {subject} {detail}");
        if self.is_printed {
            println!("{line}");
        }
        if let Some(lines) = &mut self.lines {
            lines.push(line);
        }
    }

    pub(super) fn hash(&self) -> u64 {
        self.hash
    }

    pub(super) fn events(&self) -> u64 {
        self.events
    }

    pub(super) fn lines(&self) -> Vec<String> {
        self.lines.clone().unwrap_or_default()
    }
}
