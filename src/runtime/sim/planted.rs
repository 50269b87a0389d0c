//! Bugs that a test plants, to show that the simulator would find them; each thread has its own.

use std::cell::Cell;

/// A bug of the rooms above.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Planted {
    /// An append is acknowledged before its commit.
    AcknowledgeBeforeCommit,
    /// A batch that goes past the journal is acknowledged when the journal has its entry.
    AcknowledgeBypassed,
    /// A start takes for granted that every batch has arrived that went past the journal.
    TrustBypass,
    /// The high watermark is the log's end.
    ReadBeforeCommit,
    /// A checkpoint leaves the producers out.
    ForgetProducers,
    /// Readers are told of a log start before it is durable.
    TellStartEarly,
    /// Retention believes every jump of the wall clock.
    TrustTheClock,
    /// Appends of another shard overtake each other.
    OvertakeForwarded,
    /// A waiting fetch does not hear that something became readable.
    SleepThroughNews,
    /// A start after a crash goes on in the old leader epoch.
    KeepEpoch,
    /// A group coordinator answers before what it has written is durable.
    AnswerBeforeDurable,
    /// A commit of a generation that is over is accepted.
    AcceptStaleGeneration,
    /// A snapshot of a group coordinator says that it has what is still being written.
    SnapshotAhead,
    /// A group coordinator loads without the newest batch of its log.
    LoadShort,
    /// A static member that another has replaced is still one.
    KeepReplaced,
    /// A commit of the journal is acknowledged when its write completes, without a flush.
    AcknowledgeBeforeSync,
    /// A scan takes any whole frame for the next one, whatever turn or epoch of the journal it is of.
    AcceptStaleFrame,
    /// A scan takes corruption for a torn tail.
    CutAtCorruption,
    /// A journal never syncs the directory in which its files were made.
    SkipDirectorySync,
    /// The mirror lets go of a frame when it is sent, not when it is written.
    LetGoEarly,
    /// What the mirror has counts as accepted, whatever is missing before it.
    TrustMirror,
}

thread_local! {
    static PLANTED: Cell<Option<Planted>> = const { Cell::new(None) };
}

/// Runs something with a bug planted in this thread.
pub fn with_planted<T>(bug: Planted, run: impl FnOnce() -> T) -> T {
    PLANTED.set(Some(bug));
    let result = run();
    PLANTED.set(None);
    result
}

/// Whether this bug is planted here.
pub fn is_planted(bug: Planted) -> bool {
    PLANTED.get() == Some(bug)
}
