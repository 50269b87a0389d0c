//! The command-line tools, as Kafka's scripts are, and what else the binary can do.
//!
//! Flags, output and exit codes are Kafka's, so that scripts and habits go on working; the tests compare
//! with what Kafka's own tools print. `call` says what the process was called for, `tools` has the tools by
//! name, `options` reads what they take off their help texts in `help/`, which declare the options;
//! `arguments` is what the other commands take.
//!
//! `record_json` shows the records of coordinators by Kafka's own definitions; `java_order` and
//! `java_exception` are what Kafka's tools print because they are written in Java.
//!
//! Deliberately absent: formatters, readers, decoders and deserializers by Java class, other than Kafka's own.

mod arguments;
mod broker_api_versions;
mod call;
mod client_options;
mod completions;
mod configs;
mod console_consumer;
mod console_producer;
mod consumer_groups;
mod delete_records;
mod dump_log;
mod get_offsets;
mod java_exception;
mod java_order;
mod options;
mod record_json;
mod scripts;
mod shards;
mod tool;
mod tools;
mod topic_filter;
mod topics;

pub use arguments::{
    Arguments, Command, CompletionsArguments, DoctorArguments, ScriptsArguments, ShardsArguments,
    StartArguments,
};
pub use call::{Call, call};
pub use completions::write_completions;
pub use scripts::write_scripts;
pub use shards::shards;
pub use tool::complain;
pub use tools::Tool;
