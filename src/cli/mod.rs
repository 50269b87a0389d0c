//! The command-line tools: `topics`, `console-producer` and `console-consumer`, as Kafka's scripts are.
//!
//! Flags, output and exit codes are Kafka's, so that scripts and habits go on working; the tests compare
//! with what Kafka's own tools print. `arguments` is what the binary itself takes.
//!
//! Deliberately absent: consumer groups (`--group`), formatters, readers and deserializers by Java class.

mod arguments;
mod options;

pub use arguments::{Arguments, Command, StartArguments, ToolArguments};
pub use options::{OptionError, Options};
