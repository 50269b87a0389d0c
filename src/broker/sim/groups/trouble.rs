//! Which of a coordinator's errors may be met at a moment.

use crate::broker::sim::link::Lost;
use crate::broker::sim::site::Site;
use crate::model::ErrorCode;

/// Takes an error that sends a client to look for its coordinator again.
///
/// # Panics
/// If it may not be met now: while the disk is well and the broker is not stopping, the coordinator is
/// where it was said to be.
pub fn check(site: &Site, code: ErrorCode, told: impl FnOnce() -> String) -> Result<(), Lost> {
    let is_fair = match code {
        ErrorCode::CoordinatorLoadInProgress => true,
        // A shard may hear of the offsets topic later than the one that told of its coordinator.
        ErrorCode::NotCoordinator | ErrorCode::CoordinatorNotAvailable => {
            site.stopping.get() || site.tampered.get() || !site.coordinates.get()
        }
        _ => false,
    };
    assert!(is_fair, "{}: {code}", told());
    site.count(match code {
        ErrorCode::CoordinatorLoadInProgress => "coordinators that were loading",
        _ => "coordinators that were gone",
    });
    if code == ErrorCode::CoordinatorLoadInProgress {
        return Ok(());
    }
    Err(Lost("there is no coordinator"))
}
