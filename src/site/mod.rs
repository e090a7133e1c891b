//! A site: what is true of one machine, read from a TOML file.
//!
//! This module knows the schema, where site files come from and how to check them. It must not know how a script is
//! written; the names of scheduler and launcher are names of templates, which others look up.

mod charge;
mod facts;
mod load;
mod node;
mod queue;
mod schema;

pub use crate::record::walltime::Walltime;
pub use charge::{Charge, Discount};
pub use facts::{Fact, Source, Status};
pub use load::{builtin_names, load};
pub use node::{Interface, Node, Numbering};
pub use queue::{Beyond, Counts, Limit, Queue, Scope, choose_queue};
pub use schema::{Ask, Directives, Launch, Network, Remark, Scheduler, Scratch, Site, StoreDefaults};
