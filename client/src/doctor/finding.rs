//! What a look found: how grave it is, and what to do.

use schemars::JsonSchema;
use serde::Serialize;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    Ok,
    /// Runs work; figures or large runs may suffer.
    Warn,
    /// A run will fail, or its figures will be wrong.
    Bad,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Finding {
    pub level: Level,
    /// What was looked at, such as `open files`.
    pub what: String,
    pub found: String,
    /// What to change; empty where nothing is wrong.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub remedy: String,
}

impl Finding {
    pub fn ok(what: &str, found: impl Into<String>) -> Finding {
        Finding { level: Level::Ok, what: what.to_owned(), found: found.into(), remedy: String::new() }
    }

    pub fn warn(what: &str, found: impl Into<String>, remedy: impl Into<String>) -> Finding {
        Finding { level: Level::Warn, remedy: remedy.into(), ..Finding::ok(what, found) }
    }

    pub fn bad(what: &str, found: impl Into<String>, remedy: impl Into<String>) -> Finding {
        Finding { level: Level::Bad, remedy: remedy.into(), ..Finding::ok(what, found) }
    }
}
