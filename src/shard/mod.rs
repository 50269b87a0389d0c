//! What runs on a data core: routing, the mailbox, and the partitions that the shard leads.
//!
//! A shard owns its partitions alone. A request that needs another shard's partition becomes a call
//! over the mesh; values that cross are owned or leased, and nothing mutable is shared. Invariants:
//! a partition's appends happen in the order in which its shard received them; every task of a
//! shard is inside its gate. Deliberately absent: the wire protocol and Kafka's request types.

mod answer_memory;
mod appends;
mod by_owner;
mod calls;
mod fetch_router;
pub mod fetch_session;
mod fetch_sum;
mod fetches;
mod groups;
mod log_budget;
mod lookups;
mod mailbox;
mod measure;
mod message;
mod placement;
mod producer_ids;
mod retention;
mod router;
mod settings;
mod state;

pub use answer_memory::AnswerHold;
pub use fetch_router::{FetchTime, Fetches, Routed, RoutedResult, fetch};
pub use groups::{GroupAnswer, coordinate, coordinator_of, list_groups};
pub use lookups::{
    TIMESTAMP_EARLIEST, TIMESTAMP_EARLIEST_LOCAL, TIMESTAMP_EARLIEST_PENDING, TIMESTAMP_LATEST,
    TIMESTAMP_LATEST_TIERED, TIMESTAMP_MAX,
};
pub use mailbox::serve;
pub use message::{
    AppendFailure, Appended, EpochEnd, EpochQuery, FetchPart, FetchTerms, FetchedPlace, Message,
    MovedClient, MovedConnection, OffsetFound, OffsetQuery, RecordDeletion, Told,
};
pub use placement::owner;
pub use retention::{Passed, RetentionSettings, expire_segments, retain};
pub use router::{
    Appends, AppendsDone, SentAppends, delete_records, epoch_ends, log_sizes, offsets,
};
pub use settings::{
    AdvertisedListener, CoordinationSettings, OffsetsTopic, Settings, SharedSettings,
};
pub use state::{Place, Shard};
