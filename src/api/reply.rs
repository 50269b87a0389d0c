//! What a handler gives back to its connection.
//!
//! A handler runs in two stages. The first runs in the order of the requests on the connection:
//! it decodes, appends or sends on, and returns a [`Reply`]. The second is the future inside
//! [`Reply::Later`]: it waits for disks, timers or other cores, and borrows nothing of the frame.

use std::future::Future;
use std::pin::Pin;

use crate::api::timing::Timing;
use crate::runtime::disk::File;
use crate::runtime::memory::Piece;
use crate::shard::AnswerHold;

/// A future on this core.
pub type LocalFuture<T> = Pin<Box<dyn Future<Output = T>>>;

/// One stretch of a response's bytes.
#[derive(Debug)]
pub enum Part {
    /// Bytes in memory.
    Piece(Piece),
    /// A range of a segment file, for `sendfile`.
    File {
        /// The segment.
        file: File,
        /// Where the range begins, in bytes.
        offset: u64,
        /// How long it is, in bytes.
        len: usize,
    },
}

/// A response as it leaves: length prefix, header and body.
#[derive(Debug)]
pub struct Answer {
    /// The stretches in the order in which they are sent.
    pub parts: Vec<Part>,
    /// Their length together, in bytes.
    pub len: usize,
    /// Counts what they hold, until they have left.
    pub holds: Vec<AnswerHold>,
    /// Where its time went.
    pub timing: Timing,
}

/// How a request ends.
#[derive(Debug)]
pub enum Outcome {
    /// With a response.
    Answer(Answer),
    /// Without one, as Produce with `acks=0` does.
    Silent,
    /// With the end of the connection, for the reason given.
    Close(&'static str),
}

/// What the first stage of a handler returns.
pub enum Reply {
    /// The request is done.
    Done(Outcome),
    /// The rest waits for something; started as soon as it is returned.
    Later(LocalFuture<Outcome>),
    /// The rest may hold much memory, so it starts when every earlier response has left.
    InTurn(LocalFuture<Outcome>),
}

impl Reply {
    /// A reply that waits, started at once.
    pub fn later(rest: impl Future<Output = Outcome> + 'static) -> Reply {
        Reply::Later(Box::pin(rest))
    }

    /// A reply that starts when its turn to be sent has come.
    pub fn in_turn(rest: impl Future<Output = Outcome> + 'static) -> Reply {
        Reply::InTurn(Box::pin(rest))
    }
}
