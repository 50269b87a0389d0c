//! What can go wrong between a client and its brokers, in plain words.

use std::io;

use thiserror::Error;

use crate::model::ErrorCode;
use crate::protocol::errors::{DecodeError, EncodeError};
use crate::record::{BatchError, DecompressionError, RecordError};

/// Why a call did not succeed.
#[derive(Debug, Error)]
pub enum ClientError {
    /// Text that is not a list of addresses; the caller is to blame.
    #[error("Invalid url in bootstrap.servers: {0}")]
    Address(String),
    /// Nothing listens there, or the name has no address.
    #[error("cannot connect to {address}: {source}")]
    Connect {
        /// As configured or advertised.
        address: String,
        /// What the kernel says.
        source: io::Error,
    },
    /// The connection broke.
    #[error("the connection to {address} broke: {source}")]
    Broken {
        /// Whose.
        address: String,
        /// What the kernel says.
        source: io::Error,
    },
    /// The broker closed the connection with answers outstanding.
    #[error("{0} closed the connection")]
    Closed(String),
    /// No answer in time.
    #[error("{address} did not answer {api} within {waited_ms} ms")]
    NoAnswer {
        /// Who.
        address: String,
        /// The API's name.
        api: &'static str,
        /// How long the client waited.
        waited_ms: u128,
    },
    /// Time ran out while the client tried again and again.
    #[error("gave up after {waited_ms} ms: {last}")]
    GaveUp {
        /// How long the client tried.
        waited_ms: u128,
        /// The last failure.
        last: Box<ClientError>,
    },
    /// An answer that is not of the protocol; the broker is to blame.
    #[error("{address} answered {api} with bytes that are not of the protocol: {source}")]
    Answer {
        /// Who.
        address: String,
        /// The API's name.
        api: &'static str,
        /// What is wrong with it.
        source: DecodeError,
    },
    /// An answer to another request; the broker is to blame.
    #[error("{address} answered request {found} where {expected} was next")]
    Correlation {
        /// Who.
        address: String,
        /// The number in the answer.
        found: i32,
        /// The number of the oldest request without an answer.
        expected: i32,
    },
    /// A request that its version cannot carry.
    #[error("the request cannot be written: {0}")]
    Request(#[from] EncodeError),
    /// The broker is too old, or too new, or does not have the API.
    #[error("{address} does not support {api}")]
    Unsupported {
        /// Who.
        address: String,
        /// The API's name.
        api: &'static str,
    },
    /// What the broker says about a request that it understood.
    #[error("{message}")]
    Refused {
        /// Kafka's code.
        code: ErrorCode,
        /// The broker's words, or Kafka's for the code.
        message: String,
    },
    /// A topic, or a partition of it, that the cluster does not have.
    #[error("Topic {topic} not present in metadata after {waited_ms} ms.")]
    NotInMetadata {
        /// Its name.
        topic: String,
        /// How long the client waited.
        waited_ms: u128,
    },
    /// A fetched batch that is damaged.
    #[error("the batch at offset {offset} of {topic}-{partition} is damaged: {reason}")]
    Damaged {
        /// Where it was fetched.
        topic: String,
        /// Where it was fetched.
        partition: i32,
        /// The offset that was asked for.
        offset: i64,
        /// What is wrong with it.
        reason: Damage,
    },
}

/// What is wrong with a fetched batch.
#[derive(Debug, Error)]
pub enum Damage {
    /// Its bytes are not those that were written.
    #[error("its checksum is wrong")]
    Checksum,
    /// Its header.
    #[error(transparent)]
    Batch(#[from] BatchError),
    /// Its compressed block.
    #[error(transparent)]
    Compression(#[from] DecompressionError),
    /// Its records.
    #[error(transparent)]
    Record(#[from] RecordError),
}

impl ClientError {
    /// The broker's refusal, with its own words where it sent any.
    pub fn refused(code: ErrorCode, message: Option<&str>) -> ClientError {
        let message = message.unwrap_or(code.message()).to_owned();
        ClientError::Refused { code, message }
    }

    /// The code of the broker's refusal.
    pub fn code(&self) -> Option<ErrorCode> {
        match self {
            ClientError::Refused { code, .. } => Some(*code),
            ClientError::GaveUp { last, .. } => last.code(),
            _ => None,
        }
    }

    /// True where the connection is of no use any more: its answers are lost or out of order.
    pub fn ends_connection(&self) -> bool {
        matches!(
            self,
            ClientError::Broken { .. }
                | ClientError::Closed(_)
                | ClientError::NoAnswer { .. }
                | ClientError::Answer { .. }
                | ClientError::Correlation { .. }
        )
    }

    /// True where the same request may succeed later: the network, or a code that Kafka calls retriable.
    pub fn is_retriable(&self) -> bool {
        match self {
            ClientError::Connect { .. } => true,
            ClientError::Refused { code, .. } => is_retriable(*code),
            other => matches!(
                other,
                ClientError::Broken { .. } | ClientError::Closed(_) | ClientError::NoAnswer { .. }
            ),
        }
    }
}

/// True for the codes that Kafka's clients answer by trying again (`RetriableException`).
pub fn is_retriable(code: ErrorCode) -> bool {
    use ErrorCode as E;
    matches!(
        code,
        E::CorruptMessage
            | E::UnknownTopicOrPartition
            | E::LeaderNotAvailable
            | E::NotLeaderOrFollower
            | E::RequestTimedOut
            | E::ReplicaNotAvailable
            | E::NetworkException
            | E::CoordinatorLoadInProgress
            | E::CoordinatorNotAvailable
            | E::NotCoordinator
            | E::NotEnoughReplicas
            | E::NotEnoughReplicasAfterAppend
            | E::NotController
            | E::KafkaStorageError
            | E::FetchSessionIdNotFound
            | E::InvalidFetchSessionEpoch
            | E::ListenerNotFound
            | E::FencedLeaderEpoch
            | E::UnknownLeaderEpoch
            | E::OffsetNotAvailable
            | E::PreferredLeaderNotAvailable
            | E::EligibleLeadersNotAvailable
            | E::ElectionNotNeeded
            | E::ConcurrentTransactions
            | E::ThrottlingQuotaExceeded
            | E::UnknownTopicId
            | E::InconsistentTopicId
    )
}

/// True for the codes that say that the client's picture of the cluster is old.
pub fn is_stale_metadata(code: ErrorCode) -> bool {
    use ErrorCode as E;
    matches!(
        code,
        E::UnknownTopicOrPartition
            | E::LeaderNotAvailable
            | E::NotLeaderOrFollower
            | E::ReplicaNotAvailable
            | E::KafkaStorageError
            | E::FencedLeaderEpoch
            | E::UnknownLeaderEpoch
            | E::UnknownTopicId
            | E::InconsistentTopicId
    )
}
