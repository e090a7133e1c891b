//! ShardScale: job scripts for scaling runs of an in-memory tensor store, and reports of their results.
//!
//! `gen` and `collect` share the on-disk [`record`] and nothing else; the client (the package `shardscale-client`) uses
//! that record and nothing else of this crate. Nothing here knows MPI or the store's protocol.
//!
//! In reading order; each module uses only those above it:
//!
//! - [`record`]: the on-disk contract
//! - [`built`]: what the program itself was built from
//! - [`terminal`]: how text stands on one
//! - [`study`]: axes, permutations and their names
//! - [`site`]: what is true of a machine
//! - [`placement`]: who sits on which CPU
//! - [`script`]: a permutation's job script
//! - [`scheduler`]: what is known of each scheduler, a folder for each
//! - [`lint`]: `shardscale check`
//! - [`generate`]: `shardscale gen`
//! - [`campaign`]: `shardscale submit`, `rehearse` and `status`
//! - [`catalogue`] and [`survey`]: `shardscale sites`
//! - [`collect`]: `shardscale collect`, and in it `sizing`: `shardscale size`
//! - [`progress`]: how far any of them is
//! - [`next`]: `shardscale next`, which knows both sides
//!
//! The program is beside the library: `main.rs` is its table of contents, `cli/` what can be typed, `command/` what each subcommand does
//! with it. In each folder, too, modules know each other in one direction.

pub mod built;
pub mod campaign;
pub mod catalogue;
pub mod collect;
pub mod generate;
pub mod lint;
pub mod next;
pub mod placement;
pub mod progress;
pub mod record;
pub mod scheduler;
pub mod script;
pub mod site;
pub mod study;
pub mod survey;
pub mod terminal;
