//! Tests of the whole room: Kafka's own batches, hostile bytes, and what a broker refuses.

mod hostile;
mod recompression;
mod validation;
mod vectors;

use super::{BatchBuilder, BatchOptions, DecompressionCaps, Header};

/// A time in 2023.
const TIME: i64 = 1_700_000_000_000;

/// Less than the broker's, so that a test of a bomb is quick.
const CAPS: DecompressionCaps = DecompressionCaps { size_bytes_max: 1 << 20, ratio_max: 2048 };

/// A batch of three records, one with headers and one of nulls.
fn sample(options: BatchOptions) -> Vec<u8> {
    let mut builder = BatchBuilder::new(options);
    builder.append(TIME, Some(b"key"), Some(&[b'x'; 300]), &[]);
    builder.append(TIME + 2, None, None, &[]);
    let headers = [Header { key: b"a", value: Some(b"1") }, Header { key: b"", value: None }];
    builder.append(TIME + 1, Some(b""), Some(b"value"), &headers);
    builder.finish()
}
