//! The leader of one partition: appends in turn, reads up to the high watermark, fences by epoch.
//!
//! Lives on the partition's shard. Appends of one partition take turns: a batch that has to wait
//! for memory or for its log's tail holds back those behind it, so their order never changes.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use thiserror::Error;

use crate::model::topic_config::{TimestampType, TopicConfig};
use crate::model::{LeaderEpoch, LogId, Offset};
#[cfg(test)]
use crate::runtime::sim::{Planted, is_planted};
use crate::runtime::sync::{Event, Semaphore};
use crate::storage::{
    AppendMode, Log, LogAppendError, LogConfig, LogReadError, ReadBytes, StorageFailed, Ticket,
};

/// Why the leader did not append.
#[derive(Debug, Error)]
pub enum AppendError {
    /// Fewer replicas are in sync than `min.insync.replicas` asks for.
    #[error("{in_sync} replicas are in sync, min.insync.replicas is {wanted}")]
    NotEnoughReplicas {
        /// How many are.
        in_sync: u32,
        /// How many should be.
        wanted: u32,
    },
    /// The log refused.
    #[error(transparent)]
    Log(#[from] LogAppendError),
}

/// Why the leader could not read.
#[derive(Debug, Error)]
pub enum ReadError {
    /// The client's leader epoch is older than the leader's.
    #[error("the leader epoch is {current}")]
    FencedEpoch {
        /// The leader's epoch.
        current: LeaderEpoch,
    },
    /// The client's leader epoch is newer than the leader's.
    #[error("the leader epoch is only {current}")]
    UnknownEpoch {
        /// The leader's epoch.
        current: LeaderEpoch,
    },
    /// The log refused.
    #[error(transparent)]
    Log(#[from] LogReadError),
}

/// A batch that is in the log and not yet as durable as its topic promises.
pub struct PendingAppend {
    /// The offset of its first record.
    pub base_offset: Offset,
    /// The broker's time if the topic stamps it.
    pub log_append_time: Option<i64>,
    ticket: Ticket,
}

impl PendingAppend {
    /// Waits until the batch is as durable as its topic promises.
    pub async fn wait(self) -> Result<(), StorageFailed> {
        self.ticket.wait().await
    }
}

/// A partition whose leader this shard is.
pub struct Leader {
    log: Log,
    epoch: Cell<LeaderEpoch>,
    in_sync: Cell<u32>,
    replicas: Cell<u32>,
    config: RefCell<Rc<TopicConfig>>,
    turn: Semaphore,
    retired: Cell<bool>,
}

impl Leader {
    /// Leads `log` in the given term.
    pub fn new(log: Log, epoch: LeaderEpoch, config: Rc<TopicConfig>) -> Leader {
        log.begin_epoch(epoch);
        Leader {
            log,
            epoch: Cell::new(epoch),
            in_sync: Cell::new(1),
            replicas: Cell::new(1),
            config: RefCell::new(config),
            turn: Semaphore::new(1),
            retired: Cell::new(false),
        }
    }

    /// The log's identity.
    pub fn id(&self) -> LogId {
        self.log.id()
    }

    /// The log.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// The topic's configuration.
    pub fn config(&self) -> Rc<TopicConfig> {
        self.config.borrow().clone()
    }

    /// Takes a changed configuration of the topic and what it asks of the log.
    pub fn configure(&self, config: Rc<TopicConfig>, log: LogConfig) {
        self.log.set_config(log);
        *self.config.borrow_mut() = config;
    }

    /// The term of this leader.
    pub fn epoch(&self) -> LeaderEpoch {
        self.epoch.get()
    }

    /// The offset up to which consumers may read.
    pub fn high_watermark(&self) -> Offset {
        #[cfg(test)]
        if is_planted(Planted::ReadBeforeCommit) {
            return self.log.end_offset();
        }
        self.log.readable_end()
    }

    /// Fires when the high watermark moves, and when the partition goes away.
    pub fn readable(&self) -> &Event {
        self.log.readable()
    }

    /// The partition is being deleted: wakes its readers, and [`Leader::is_retired`] is true.
    pub fn retire(&self) {
        self.retired.set(true);
        self.log.readable().notify_all();
    }

    /// True once the partition is being deleted.
    pub fn is_retired(&self) -> bool {
        self.retired.get()
    }

    /// Appends a validated batch; what comes back is to be waited for before it is acknowledged.
    /// `now_ms` is the wall clock, for topics that stamp the time of the append.
    pub async fn append(
        &self,
        batch: &[u8],
        acks: i16,
        now_ms: i64,
    ) -> Result<PendingAppend, AppendError> {
        let config = self.config();
        // A partition that has fewer replicas asks for all of them.
        let wanted = config.min_insync_replicas.min(self.replicas.get());
        let in_sync = self.in_sync.get();
        if acks == -1 && in_sync < wanted {
            return Err(AppendError::NotEnoughReplicas { in_sync, wanted });
        }
        let _turn = self.turn.acquire(1).await;
        let log_append_time =
            (config.message_timestamp_type == TimestampType::LogAppendTime).then_some(now_ms);
        let mode = AppendMode { leader_epoch: self.epoch.get(), log_append_time, now_ms };
        let appended = loop {
            if !self.log.can_append(batch.len()) {
                self.log.prepare_append(batch.len()).await?;
            }
            match self.log.append(batch, mode) {
                Err(LogAppendError::NoMemory) => {}
                result => break result?,
            }
        };
        Ok(PendingAppend {
            base_offset: appended.base_offset,
            // A retry hears what its batch got when it was appended, as from Kafka.
            log_append_time: if appended.duplicate {
                Some(appended.timestamp)
            } else {
                log_append_time
            },
            ticket: appended.ticket,
        })
    }

    /// Checks the leader epoch that a client knows (KIP-320).
    pub fn check_epoch(&self, known: Option<LeaderEpoch>) -> Result<(), ReadError> {
        let current = self.epoch.get();
        match known {
            Some(known) if known < current => Err(ReadError::FencedEpoch { current }),
            Some(known) if known > current => Err(ReadError::UnknownEpoch { current }),
            _ => Ok(()),
        }
    }

    /// Reads whole batches from `offset`, at most `bytes_max` bytes, or the first whatever its
    /// size where `at_least_one` is set. `into_memory` says that ranges of files are of no use.
    pub async fn read(
        &self,
        offset: Offset,
        bytes_max: usize,
        at_least_one: bool,
        into_memory: bool,
    ) -> Result<ReadBytes, ReadError> {
        let limit = self.high_watermark();
        Ok(if into_memory {
            self.log.read(offset, bytes_max, limit, at_least_one).await?
        } else {
            self.log.read_or_range(offset, bytes_max, limit, at_least_one).await?
        })
    }
}
