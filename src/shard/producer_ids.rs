//! The producer ids that one shard gives out, from blocks that the controller allots.
//!
//! A block belongs to one shard and is never given out again, so ids are unique without asking the
//! controller for each. What is left of a block when the broker stops is lost, as in Kafka.

use std::cell::Cell;

use crate::metadata::commands::{Command, Reply};
use crate::model::{ErrorCode, ProducerId};
use crate::runtime::sync::Semaphore;
use crate::shard::state::Shard;

/// What is left of this shard's block.
pub struct ProducerIds {
    left: Cell<(i64, i64)>,
    refill: Semaphore,
}

impl Default for ProducerIds {
    fn default() -> ProducerIds {
        ProducerIds { left: Cell::new((0, 0)), refill: Semaphore::new(1) }
    }
}

impl ProducerIds {
    /// A producer id that nobody has had.
    pub async fn next(&self, shard: &Shard) -> Result<ProducerId, ErrorCode> {
        if let Some(id) = self.take() {
            return Ok(id);
        }
        // One task asks for a block; those behind it find what it got.
        let _turn = self.refill.acquire(1).await;
        if let Some(id) = self.take() {
            return Ok(id);
        }
        match shard.command(Command::AllocateProducerIds).await {
            Ok(Reply::ProducerIds(block)) => {
                self.left.set((block.first.0, block.first.0 + block.length));
                self.take().ok_or(ErrorCode::UnknownServerError)
            }
            Ok(_) => Err(ErrorCode::UnknownServerError),
            Err(error) => Err(error.code),
        }
    }

    fn take(&self) -> Option<ProducerId> {
        let (next, end) = self.left.get();
        (next < end).then(|| {
            self.left.set((next + 1, end));
            ProducerId(next)
        })
    }
}
