//! Loading: the log's batches become groups and offsets again.
//!
//! Transactional batches are skipped and counted, as there is no transaction coordinator that could
//! have written them; so are records of unknown kinds. A value of an unknown version ends the loading,
//! as in Kafka: passing over it would bring an older offset back.

use std::rc::Rc;

use thiserror::Error;

use super::GroupPartition;
use super::held::Held;
use super::writes::restored;
use crate::coordinator::records::{GroupValue, Key, OffsetValue};
use crate::model::Offset;
use crate::protocol::errors::DecodeError;
use crate::record::{
    BatchError, BatchView, DecompressionCaps, DecompressionError, Record, RecordError,
};
use crate::runtime::Monotonic;

/// Why a batch of the log could not be replayed: the log is damaged or not of this topic.
#[derive(Debug, Error)]
pub enum ReplayError {
    /// The bytes are not a record batch.
    #[error("a batch of the offsets topic is unreadable: {0}")]
    Batch(#[from] BatchError),
    /// The batch is not what was written.
    #[error("the batch at {0} of the offsets topic has a wrong checksum")]
    Checksum(Offset),
    /// The batch is compressed and does not open.
    #[error("a batch of the offsets topic does not open: {0}")]
    Compression(#[from] DecompressionError),
    /// The batch does not hold the records that it declares.
    #[error("a batch of the offsets topic has unreadable records: {0}")]
    Records(#[from] RecordError),
    /// A record's key or value is of no known form.
    #[error("the record at {offset} of the offsets topic is unreadable: {reason}")]
    Record {
        /// Where the record is.
        offset: Offset,
        /// What is wrong with it.
        reason: DecodeError,
    },
}

impl GroupPartition {
    /// Takes in one record batch of the log, in the log's order.
    ///
    /// # Panics
    /// After [`finish_loading`](Self::finish_loading).
    pub fn replay(&mut self, batch: &[u8]) -> Result<(), ReplayError> {
        assert!(!self.loaded, "what is loaded learns of changes by its own writes");
        let batch = BatchView::parse(batch)?;
        if !batch.crc_is_valid() {
            return Err(ReplayError::Checksum(batch.base_offset));
        }
        if batch.is_control() || batch.is_transactional() {
            self.skipped_records += u64::try_from(batch.record_count).unwrap_or(0);
            return Ok(());
        }
        let opened = batch.open(DecompressionCaps::default())?;
        for record in batch.records(&opened) {
            let record = record?;
            let offset = record.offset;
            let unreadable = |reason| ReplayError::Record { offset, reason };
            self.replay_record(&record).map_err(unreadable)?;
        }
        Ok(())
    }

    fn replay_record(&mut self, record: &Record<'_>) -> Result<(), DecodeError> {
        let key = record.key.map_or(Ok(Key::Unknown(-1)), Key::decode)?;
        match (key, record.value) {
            (Key::Offset { group, topic, partition }, Some(value)) => {
                let value = OffsetValue::decode(value)?;
                self.load(&group, |held| held.offsets.put(&topic, partition, &value));
            }
            (Key::Group { group }, Some(value)) => {
                GroupValue::decode(value)?;
                self.load(&group, |held| match &mut held.generation {
                    Some(known) if known.len() == value.len() => known.copy_from_slice(value),
                    generation => *generation = Some(value.into()),
                });
            }
            (Key::Offset { group, topic, partition }, None) => {
                self.unload(&group, |held| held.offsets.remove(&topic, partition));
            }
            (Key::Group { group }, None) => self.unload(&group, |held| held.generation = None),
            (Key::Unknown(_), _) => self.skipped_records += 1,
        }
        Ok(())
    }

    /// Takes in something that the log holds of a group.
    pub(super) fn load(&mut self, group: &str, change: impl FnOnce(&mut Held)) {
        if !self.groups.contains_key(group) {
            let held = Held { visible: true, ..Held::default() };
            self.bytes += held.bytes(group);
            self.groups.insert(Rc::from(group), held);
        }
        let held = self.groups.get_mut(group).expect("it was added where it lacked");
        let before = held.bytes(group);
        change(held);
        self.bytes = self.bytes - before + held.bytes(group);
    }

    /// Forgets something that the log held of a group.
    fn unload(&mut self, group: &str, change: impl FnOnce(&mut Held)) {
        if self.groups.contains_key(group) {
            self.load(group, change);
            self.drop_if_hollow(group);
        }
    }

    /// Ends the loading: members' sessions begin now.
    pub fn finish_loading(&mut self, now: Monotonic) {
        let groups: Vec<Rc<str>> = self.groups.keys().cloned().collect();
        for id in groups {
            self.change(&id, |held| {
                held.membership = restored(&id, held.generation.as_deref(), now);
            });
            self.schedule(&id);
        }
        self.loaded = true;
        self.sweep_at = (!self.sweeps.is_empty()).then_some(now);
    }
}
