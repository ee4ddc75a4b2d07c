//! The `esker` command line.
fn main() {}
