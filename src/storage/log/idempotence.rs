//! What a log asks about the idempotent producers that write to it, and when it forgets them.

use std::rc::Rc;

use super::engine::Engine;
use super::failure::LogAppendError;
use super::partition_log::{Appended, LogCore, LogShared};
use super::producers::{ProducerBatch, Verdict};
use crate::model::Offset;
use crate::record::BatchHeader;

/// The clock by which producers expire: a jump of the wall clock must not forget them, or a retry
/// would be appended twice.
pub(super) fn producer_clock_ms(engine: &Engine) -> i64 {
    i64::try_from(engine.runtime.now().0 / 1_000_000).unwrap_or(i64::MAX)
}

/// What a batch says of its producer.
pub(super) fn producer_of(header: &BatchHeader) -> ProducerBatch {
    ProducerBatch {
        id: header.producer_id,
        epoch: header.producer_epoch,
        first_sequence: header.base_sequence,
        last_offset_delta: header.last_offset_delta,
    }
}

impl LogShared {
    /// What an idempotent producer gets without an append.
    pub(super) fn judge(
        &self,
        core: &LogCore,
        producer: Option<&ProducerBatch>,
    ) -> Result<Option<Appended>, LogAppendError> {
        let (Some(producer), Some(table)) = (producer, &core.producers) else { return Ok(None) };
        let now_ms = producer_clock_ms(&self.engine);
        match table.judge(producer, now_ms, core.config.producer_expiration_ms)? {
            Verdict::Append => Ok(None),
            Verdict::Duplicate(was) => Ok(Some(Appended {
                base_offset: was.base_offset,
                last_offset: was.last_offset(),
                timestamp: was.timestamp,
                duplicate: true,
                ticket: self.ticket(core, core.config.is_durable()),
            })),
        }
    }

    /// Remembers a batch that was appended.
    pub(super) fn note_producer(
        self: &Rc<Self>,
        core: &mut LogCore,
        producer: &ProducerBatch,
        base_offset: Offset,
        timestamp: i64,
    ) {
        if core.producers.is_none() {
            self.engine.remembers(self);
        }
        let table = core.producers.get_or_insert_default();
        table.note(producer, base_offset, timestamp, producer_clock_ms(&self.engine));
    }

    /// Forgets the producers that have been idle for `producer.id.expiration.ms`; whether the log
    /// still remembers others.
    pub fn expire_producers(&self) -> bool {
        let now_ms = producer_clock_ms(&self.engine);
        let mut core = self.core_mut();
        let expiration_ms = core.config.producer_expiration_ms;
        if let Some(table) = &mut core.producers {
            table.expire(now_ms, expiration_ms);
        }
        core.producers.take_if(|table| table.count() == 0);
        core.producers.is_some()
    }
}
