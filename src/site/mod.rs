//! A site: what is true of one machine, read from a TOML file.
//!
//! This module knows the schema, where site files come from, how to check them and how sure their values are. It must
//! not know how a script is written; the names of scheduler and launcher are names of templates, which others look up.

mod ask;
mod charge;
mod check;
mod check_node;
mod depend;
mod facts;
mod keys;
mod load;
mod node;
mod problems;
mod queue;
mod schema;
mod structure;

pub use crate::record::walltime::Walltime;
pub use ask::{Ask, placeholder, placeholders};
pub use charge::{Charge, Discount};
pub use check::json_schema_text;
pub use facts::{Fact, Source, Status};
pub use keys::{Leaf, leaves};
pub use load::{Checked, builtin_names, builtin_text, check_text, find_text, load, names};
pub use node::{Interface, Node, Numbering};
pub use queue::{Beyond, Counts, Limit, Queue, Scope, Wish, check_shared, choose_queue};
pub use schema::{Directives, Launch, Network, Remark, Scheduler, Scratch, Site, StoreDefaults};
