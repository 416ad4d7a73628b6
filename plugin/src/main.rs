//! The one binary: daemon, runner and tools.

fn main() {}
