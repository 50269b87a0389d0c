//! The command-line tools: `topics`, `console-producer` and `console-consumer`, as Kafka's scripts are.
//!
//! Flags, output and exit codes are Kafka's, so that scripts and habits go on working; the tests compare
//! with what Kafka's own tools print. `arguments` is what the binary itself takes, `options` what the tools
//! take, `help/` their help texts, which declare the options.
//!
//! Deliberately absent: consumer groups (`--group`), and formatters, readers and deserializers by Java class.

mod arguments;
mod client_options;
mod console_consumer;
mod console_producer;
mod java_order;
mod options;
mod tool;
mod topics;

pub use arguments::{Arguments, Command, StartArguments, ToolArguments};
pub use console_consumer::console_consumer;
pub use console_producer::console_producer;
pub use topics::topics;
