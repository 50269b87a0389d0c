//! Kafka's APIs: one file per family, from a decoded request to an answer.
//!
//! A handler checks, asks the shards and the controller, and puts Kafka's error codes on what comes
//! back; it keeps no state but fetch sessions. Invariants: everything that changes something is
//! begun in the order of the requests on its connection (of one that names very many groups, the first
//! few hundred); what waits borrows nothing of the frame.
//! Deliberately absent: sockets, framing, and every API that `versions::SERVED` does not list.

pub mod ask_each;
pub mod cluster;
pub mod configs;
pub mod delete_records;
pub mod encode;
pub mod epochs;
pub mod fetch;
pub mod find_coordinator;
pub mod group_admin;
pub mod groups;
pub mod list_offsets;
pub mod log_dirs;
pub mod metadata;
pub mod offset_fetch;
pub mod offsets;
pub mod produce;
pub mod producer_ids;
pub mod reply;
pub mod request;
pub mod session;
pub mod timing;
pub mod topics;
pub mod versions;
