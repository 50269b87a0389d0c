//! What travels between the cores: calls, their answers, connections and metadata.
//!
//! Every message is an owned value. A call names its caller's slot, and the answer comes back with
//! it; links are first in, first out, so the appends of one connection reach a partition in order.

use std::net::SocketAddr;
use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;

use crate::coordinator::message as coordinator;
use crate::metadata::Record;
use crate::metadata::commands::{Command, CommandError, Reply};
use crate::metrics::ShardSnapshot;
use crate::model::{ErrorCode, LeaderEpoch, LogId, Offset};
use crate::runtime::memory::{AlignedBuf, LeaseSlot, RemoteLease};
use crate::runtime::net::DetachedStream;
use crate::shard::fetch_session::FetchSession;

/// The caller's slot for the answer.
pub type CallId = u32;

/// One message between two nodes of the mesh: shards, and the control thread behind them.
pub enum Message {
    /// A request for the receiver's partitions.
    Call(CallId, Call),
    /// The answer to a call of the receiver.
    Answer(CallId, Answer),
    /// A waiting fetch of the receiver has this many bytes by now.
    Progress(CallId, usize),
    /// The sender no longer waits for its fetch: answer with what is there.
    Hurry(CallId),
    /// The sender no longer waits for its group's coordinator: forget the request.
    Abandon(CallId),
    /// Leases that the sender has done with.
    Release(Vec<LeaseSlot>),
    /// A connection that the receiver is to serve.
    Connection(MovedConnection),
    /// Committed metadata, in order; `index` is the last one's place in the metadata log.
    Metadata {
        /// The metadata log's index of the last record.
        index: u64,
        /// The records.
        records: Vec<Record>,
    },
    /// The sender has applied the metadata up to this index.
    Applied(u64),
    /// A change of metadata, for the control thread.
    Command(CallId, Command),
    /// The control thread's answer, after every shard has applied the change.
    CommandAnswer(CallId, Result<Reply, CommandError>),
    /// Asks for the receiver's numbers.
    Measure {
        /// What the answer repeats.
        round: u32,
        /// With the size of every log.
        with_logs: bool,
    },
    /// The sender's numbers.
    Measured(u32, Box<ShardSnapshot>),
    /// The sender serves, or says why it does not.
    Started(Result<(), String>),
    /// The sender's log directory has failed.
    Failed(String),
    /// Serve nothing new, finish, flush and say `Stopped`; the second one ends the receiver, when
    /// nobody can call it any more.
    Stop,
    /// The sender has ended; what its partitions held is on disk if the flag is true.
    Stopped(bool),
}

/// A request for partitions of the receiver.
pub enum Call {
    /// Append batches.
    Append(Vec<AppendPart>),
    /// Read.
    Fetch(FetchCall),
    /// Look up offsets by timestamp.
    Offsets(Vec<OffsetQuery>),
    /// Look up the end of leader epochs.
    EpochEnds(Vec<EpochQuery>),
    /// Delete the oldest records.
    DeleteRecords(Vec<RecordDeletion>),
    /// Tell how large the logs are.
    LogSizes,
    /// Ask a partition of the group coordinator.
    Coordinate(LogId, Box<coordinator::Request>),
}

/// The answer to the call of the same name; if not said otherwise, part by part in the call's order.
pub enum Answer {
    /// Of [`Call::Append`].
    Append(Vec<Result<Appended, AppendFailure>>, Served),
    /// Of [`Call::Fetch`]: the parts of which there is something to say, by their index in the call.
    Fetch(Vec<(usize, Result<RemoteFetched, ErrorCode>)>, Served),
    /// Of [`Call::Offsets`].
    Offsets(Vec<Result<OffsetFound, ErrorCode>>),
    /// Of [`Call::EpochEnds`].
    EpochEnds(Vec<Result<EpochEnd, ErrorCode>>),
    /// Of [`Call::DeleteRecords`]: the first offset that is left.
    DeleteRecords(Vec<Result<Offset, ErrorCode>>),
    /// Of [`Call::LogSizes`]: every log of the shard and its bytes.
    LogSizes(Vec<(LogId, u64)>),
    /// Of [`Call::Coordinate`].
    Coordinated(Box<coordinator::Answer>),
}

/// Where the time of a call went on the shard that served it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Served {
    /// From the call's arrival to its answer.
    pub took: Duration,
    /// What of that was a wait for records that were not there.
    pub polled: Duration,
}

/// One validated batch for one partition.
pub struct AppendPart {
    /// The partition.
    pub log: LogId,
    /// The batch as the client sent it.
    pub batch: Bytes,
    /// 0, 1 or -1 (all).
    pub acks: i16,
}

/// A batch that is as durable as its topic promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// The offset of its first record.
    pub base_offset: Offset,
    /// The broker's time if the topic stamps it, in Unix milliseconds.
    pub log_append_time: Option<i64>,
    /// The first offset of the log.
    pub log_start: Offset,
}

/// Why a batch was not appended, in Kafka's terms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppendFailure {
    /// The code.
    pub code: ErrorCode,
    /// What it says, where Kafka's default text is not enough.
    pub message: Option<String>,
    /// The first offset of the log, -1 if it is not known.
    pub log_start: Offset,
}

impl From<ErrorCode> for AppendFailure {
    fn from(code: ErrorCode) -> AppendFailure {
        AppendFailure { code, message: None, log_start: Offset(-1) }
    }
}

/// A fetch of some of the receiver's partitions.
pub struct FetchCall {
    /// What is wanted, in order.
    pub parts: Vec<FetchPart>,
    /// Bounds of the whole.
    pub terms: FetchTerms,
}

/// One partition of a fetch.
#[derive(Clone, Debug)]
pub struct FetchPart {
    /// The partition.
    pub log: LogId,
    /// Where to read from.
    pub offset: Offset,
    /// The most bytes of it.
    pub bytes_max: usize,
    /// The leader epoch that the client knows.
    pub leader_epoch: Option<LeaderEpoch>,
    /// The epoch of the last record that it has.
    pub last_fetched_epoch: Option<LeaderEpoch>,
    /// What it knows of the partition: as long as that holds and there are no records, it is not answered.
    pub told: Told,
}

/// What a client was last told of a partition's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    /// The offset up to which consumers may read.
    pub high_watermark: Offset,
    /// The first offset of the log.
    pub log_start: Offset,
}

impl Told {
    /// It was told nothing, so that anything is news.
    pub const NOTHING: Told = Told { high_watermark: Offset(-1), log_start: Offset(-1) };
}

/// The bounds of a fetch.
#[derive(Clone, Copy, Debug)]
pub struct FetchTerms {
    /// The most bytes together; the first batch is returned even if it is larger (KIP-74).
    pub bytes_max: usize,
    /// Wait until there are so many.
    pub bytes_min: usize,
    /// But no longer than this.
    pub wait_max: Duration,
}

/// What a fetch knows of a partition besides its records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FetchedPlace {
    /// The offset up to which consumers may read.
    pub high_watermark: Offset,
    /// The first offset of the log.
    pub log_start: Offset,
    /// Set when the client's log has another history: cut to this epoch and end offset.
    pub diverging: Option<EpochEnd>,
}

impl FetchedPlace {
    /// What a client knows that is told of it.
    pub fn told(&self) -> Told {
        Told { high_watermark: self.high_watermark, log_start: self.log_start }
    }

    /// Whether there is something to say to a client that knows `told`.
    pub fn is_news(&self, told: Told) -> bool {
        self.diverging.is_some() || self.told() != told
    }
}

/// Records on their way to another core.
pub struct RemoteFetched {
    /// The partition's place.
    pub place: FetchedPlace,
    /// The records.
    pub records: Vec<RemotePiece>,
}

/// Bytes of records that cross the mesh.
pub enum RemotePiece {
    /// A lease on the owner's chunk, to be given back.
    Lease(RemoteLease),
    /// Bytes read from a segment.
    Read(AlignedBuf, Range<usize>),
    /// Bytes that were copied.
    Bytes(Vec<u8>),
}

/// A question of ListOffsets.
#[derive(Clone, Copy, Debug)]
pub struct OffsetQuery {
    /// The partition.
    pub log: LogId,
    /// Unix milliseconds, or one of Kafka's special negative values.
    pub timestamp: i64,
    /// The leader epoch that the client knows.
    pub leader_epoch: Option<LeaderEpoch>,
}

/// An answer of ListOffsets; -1 stands for none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OffsetFound {
    /// The offset.
    pub offset: Offset,
    /// The timestamp of the record there, where one was asked for by time.
    pub timestamp: i64,
    /// The leader epoch of the record there.
    pub leader_epoch: LeaderEpoch,
}

/// A question of OffsetForLeaderEpoch.
#[derive(Clone, Copy, Debug)]
pub struct EpochQuery {
    /// The partition.
    pub log: LogId,
    /// The leader epoch that the client knows.
    pub current: Option<LeaderEpoch>,
    /// The epoch whose end is asked for.
    pub wanted: LeaderEpoch,
}

/// The largest epoch that is not above the one asked for, and where it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochEnd {
    /// The epoch, -1 if there is none.
    pub epoch: LeaderEpoch,
    /// The offset after its last record, -1 if there is none.
    pub end: Offset,
}

/// A part of DeleteRecords.
#[derive(Clone, Copy, Debug)]
pub struct RecordDeletion {
    /// The partition.
    pub log: LogId,
    /// Records before this offset go; -1 stands for the high watermark.
    pub before: Offset,
}

/// A connection between two shards: its descriptor and who is on the other side.
pub struct MovedConnection {
    /// The socket, with nothing in flight.
    pub stream: DetachedStream,
    /// The peer's address.
    pub peer: SocketAddr,
    /// The index of the listener it came in by.
    pub listener: usize,
    /// What the broker remembers of the client.
    pub client: MovedClient,
}

/// What is remembered of a client that moves.
#[derive(Debug, Default)]
pub struct MovedClient {
    /// Its software's name and version, if it has said them.
    pub software: Option<(String, String)>,
    /// Its fetch session, by its id.
    pub fetch_session: Option<(i32, FetchSession)>,
}
