//! The wall clock and chance, at the client's edge: no client ever runs on a shard or in the simulator.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

use tokio::time::Instant;

/// As good as for ever, and a time that any clock can count to: thirty years.
pub const FOREVER: Duration = Duration::from_secs(1 << 30);

/// When `patience` that begins now ends.
pub fn deadline_after(patience: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(patience).unwrap_or(now + FOREVER)
}

/// A span as Kafka's requests say it, in whole milliseconds.
pub fn millis(span: Duration) -> i32 {
    i32::try_from(span.as_millis()).unwrap_or(i32::MAX)
}

/// Milliseconds since 1970, for a record's timestamp.
#[expect(
    clippy::disallowed_methods,
    reason = "a client stamps records with the time of its own machine and is no part of a simulation"
)]
pub fn wall_clock_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// A number that nobody can guess well: it spreads records, and protects nothing.
pub fn random() -> u64 {
    // Each `RandomState` has keys of its own.
    RandomState::new().build_hasher().finish()
}
