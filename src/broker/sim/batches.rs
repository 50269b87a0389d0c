//! The bytes of a simulated producer's batches: each record carries its batch's number.

use bytes::Bytes;

use super::model::Sequenced;
use crate::model::ProducerEpoch;
use crate::model::units::KIB;
use crate::record::{BatchBuilder, BatchOptions, ProducerFields};

/// A batch of `records`, most of them small; `choice` gives a number below its argument.
pub fn encode(
    choice: &dyn Fn(u64) -> u64,
    number: usize,
    records: i32,
    sequenced: Option<Sequenced>,
) -> Bytes {
    let producer = sequenced.map(|own| ProducerFields {
        id: own.producer,
        epoch: ProducerEpoch(own.epoch),
        base_sequence: own.first,
    });
    let mut builder = BatchBuilder::new(BatchOptions { producer, ..BatchOptions::default() });
    let bytes = match choice(100) {
        0 => 16 * KIB,
        1..10 => KIB,
        _ => 8,
    };
    let mut value = vec![number as u8; bytes / records as usize + 8];
    value[..8].copy_from_slice(&(number as u64).to_be_bytes());
    for _ in 0..records {
        builder.append(number as i64, None, Some(&value), &[]);
    }
    builder.finish().into()
}
