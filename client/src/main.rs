//! The command `shardscale-client`.
fn main() {}
