//! The line about a request that took too long, with where its time went.

use std::net::SocketAddr;
use std::time::Duration;

use tracing::warn;

use crate::api::timing::{Stage, Timing};
use crate::runtime::Monotonic;

/// Logs it; its response left at `sent`.
pub fn tell(timing: &Timing, sent: Monotonic, peer: SocketAddr) {
    let ms = |time: Duration| time.as_millis() as u64;
    let of = |stage| ms(timing.spent.of(stage));
    warn!(
        api = timing.api.name(),
        version = timing.version,
        correlation_id = timing.correlation_id,
        %peer,
        ms = ms(timing.total(sent)),
        queue_ms = of(Stage::Queue),
        hop_ms = of(Stage::Hop),
        journal_ms = of(Stage::Journal),
        read_ms = of(Stage::Read),
        coordinator_ms = of(Stage::Coordinator),
        network_ms = ms(sent.saturating_since(timing.answered)),
        rest_ms = ms(timing.rest()),
        polled_ms = of(Stage::Poll),
        "a request was slow"
    );
}
