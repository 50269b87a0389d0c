//! Metadata as records: a command yields records, records are replayed, replay builds the image.
//!
//! Everything here is pure: no clock, no randomness of its own, no disk, no network. The controller
//! decides commands against its image, makes the records durable, and every shard replays the same
//! records on its own copy; two images that replayed the same records are equal.
//!
//! Deliberately absent: authorization (a door's work), waiting, and any change of an image that is
//! not a record.

pub mod codec;
pub mod commands;
mod image;
mod partition;
pub mod record;
mod replay;
mod snapshot;

pub use image::{Configs, Image, Topic};
pub use partition::{Partition, Replicas};
pub use record::{Broker, ConfigResource, Listener, Record};
pub use replay::{ReplayError, replay};
pub use snapshot::snapshot;
