//! Where the values of a site file come from, and how sure they are.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Site;
use crate::record::vocabulary::vocabulary;

/// A document that values come from.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// What it is, so that a reader finds it.
    pub title: String,
    /// Day on which it was looked up, or of the copy that was read: YYYY-MM-DD.
    pub checked: String,
}

/// What is known of a value.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Fact {
    pub status: Status,
    /// Name in `sources`; absent only for `inferred`, `unverified` and `missing`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// What a reader of the value should know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// What to ask the centre, or to run there, to be sure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ask: Option<String>,
}

vocabulary! {
    /// How sure a value is.
    Status, "status" {
        /// The operator says so in its own documentation, or it was measured there.
        Verified = "verified",
        /// Somebody else says so: a configuration or a script in public.
        Secondary = "secondary",
        /// It follows from other facts.
        Inferred = "inferred",
        /// A guess: scripts that depend on it come with a warning.
        Unverified = "unverified",
        /// Not known: what depends on it is refused, with what to ask.
        Missing = "missing",
    }
}

impl Site {
    /// What is known of the value at `key`, such as `node.compute.cores`: the fact whose key is `key` or its longest
    /// beginning of whole words.
    pub fn fact(&self, key: &str) -> Option<&Fact> {
        let mut prefix = key;
        loop {
            if let Some(fact) = self.facts.get(prefix) {
                return Some(fact);
            }
            prefix = &prefix[..prefix.rfind('.')?];
        }
    }
}
