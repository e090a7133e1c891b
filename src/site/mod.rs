//! A site: what is true of one machine, read from a TOML file.
//!
//! This module knows the schema, where site files come from and how to check them. It must not know how a script is
//! written; the names of scheduler and launcher are names of templates, which others look up.

mod load;
mod queue;
mod schema;
mod walltime;

pub use load::{builtin_names, load};
pub use queue::choose_queue;
pub use schema::{Launch, Network, Node, Queue, Scratch, Site, StoreDefaults};
pub use walltime::Walltime;
