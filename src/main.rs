//! The command `shardscale`.
fn main() {}
