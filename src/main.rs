//! The arguments.
fn main() {}
