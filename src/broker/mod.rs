//! The composition root: names every part, starts the threads and ends them in order.
//!
//! The control thread locks the directory, recovers the metadata and the logs, starts one thread a
//! shard and serves the metadata. Only here do the rooms of the house meet. Deliberately absent:
//! any decision about a request.

mod addresses;
mod assembly;
mod control;
mod descriptors;
mod log_lines;
mod machine;
mod report;
mod settings;
#[cfg(test)]
mod shard_sim;
mod shard_thread;
mod start;
mod start_error;

/// The whole broker in the simulator.
pub mod sim;

pub use log_lines::OneLine;
pub use machine::machine;
pub use start::{StartOptions, run};
pub use start_error::StartError;
