//! The Kafka wire protocol: messages as plain values, bytes in and out, nothing else.
//!
//! - `generated/` has one module per message, written by `tools/codegen` from the definitions in a
//!   `kafka-clients` jar; each is reachable as `protocol::fetch_request::FetchRequest` and so on.
//! - `reader`, `writer`: what the generated code calls; every bound is enforced there.
//! - `types`: ids, records, unknown tagged fields.
//! - `api_key`: names, versions, header versions. `frame`: sizes and headers.
//! - `rewrite`: any message by number, for tests and fuzzing. `errors`: who is to blame.
//!
//! Invariants:
//! - Decoding borrows from the frame: strings, bytes and records are never copied.
//! - A declared count allocates nothing that the bytes left could not hold, and all vectors of a
//!   message together stay within a budget that its size sets (`Reader::new`).
//! - No input panics, nothing recurses by input, and a message is refused rather than guessed:
//!   invalid UTF-8, repeated or unordered tags, sizes that lie. Bytes behind the last field are the
//!   caller's to judge (`Reader::finish`): the broker ignores them, as Kafka does.
//! - Encoding a decoded message gives the same bytes, unknown tagged fields included. A value that
//!   a version cannot carry is an error unless Kafka's definition calls the field ignorable.
//!
//! Deliberately absent: I/O, the choice of versions to advertise, and any meaning of a message
//! (both in `api/`); record batches (in `record/`); Kafka's own records of type `data`, except the
//! consumers' messages inside the group protocol.

pub mod api_key;
pub mod errors;
pub mod frame;
mod generated;
pub mod reader;
pub mod rewrite;
#[cfg(test)]
pub(crate) mod tests;
pub mod types;
pub mod writer;

pub use generated::*;
