//! What a store holds at one moment, for the operator: gathered beside other work, log by log.

use super::{LOGS_PER_TURN, Store};
use crate::model::LogId;
use crate::storage::journal::JournalGauges;
use crate::storage::log::Log;

/// What a store holds.
#[derive(Clone, Debug)]
pub struct StoreGauges {
    /// Every log and the bytes of its segments.
    pub logs: Vec<(LogId, u64)>,
    /// Memory of chunks whose bytes are in their files too.
    pub cached_bytes: usize,
    /// Memory of the sparse indexes.
    pub index_bytes: usize,
    /// The journal's.
    pub journal: JournalGauges,
}

impl Store {
    /// Looks at every log; others run meanwhile, so that the sums are of nearly one moment.
    pub async fn gauges(&self) -> StoreGauges {
        let engine = &self.0.engine;
        let logs: Vec<Log> = self.0.logs.borrow().values().cloned().collect();
        let mut sizes = Vec::with_capacity(logs.len());
        let mut cached_bytes = 0;
        for (looked_at, Log(log)) in logs.iter().enumerate() {
            if looked_at % LOGS_PER_TURN == LOGS_PER_TURN - 1 {
                engine.runtime.yield_now().await;
            }
            let core = log.core();
            sizes.push((log.id, core.bytes()));
            cached_bytes +=
                core.segments.iter().map(|segment| segment.cached_bytes()).sum::<usize>();
        }
        StoreGauges {
            logs: sizes,
            cached_bytes,
            index_bytes: engine.index_bytes(),
            journal: engine.journal.gauges(),
        }
    }
}
