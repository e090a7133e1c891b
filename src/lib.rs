//! ShardScale: job scripts for scaling runs of an in-memory tensor store, and reports of their results.
//!
//! `gen` and `collect` share the on-disk [`record`] and nothing else; the client (the package `shardscale-client`) uses
//! that record and nothing else of this crate. Nothing here knows MPI or the store's protocol.

pub mod collect;
pub mod record;
