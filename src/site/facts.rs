//! Where the values of a site file come from, how sure they are, and what follows for those who depend on one.

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
    /// Name in `sources`; `verified` and `secondary` have one.
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
        /// No fact of the machine: what this file chooses there.
        Chosen = "chosen",
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
        self.fact_entry(key).map(|(_, fact)| fact)
    }

    /// The same with the fact's own key.
    fn fact_entry(&self, key: &str) -> Option<(&str, &Fact)> {
        prefixes(key).find_map(|prefix| self.facts.get_key_value(prefix)).map(|(key, fact)| (key.as_str(), fact))
    }

    /// One line for each guess (or gap, filled by the user) among the values at `keys`; those under one fact share a line.
    pub fn warnings<'k>(&self, keys: impl IntoIterator<Item = &'k str>) -> Vec<String> {
        let mut guesses: Vec<(&str, &Fact, Vec<&str>)> = Vec::new();
        for key in keys {
            let Some((fact_key, fact)) = self.fact_entry(key) else { continue };
            if !matches!(fact.status, Status::Unverified | Status::Missing) {
                continue;
            }
            match guesses.iter_mut().find(|(known, ..)| *known == fact_key) {
                Some((.., keys)) if keys.contains(&key) => {}
                Some((.., keys)) => keys.push(key),
                None => guesses.push((fact_key, fact, vec![key])),
            }
        }
        guesses.iter().map(|(fact_key, fact, keys)| self.warning(fact_key, fact, keys)).collect()
    }

    fn warning(&self, fact_key: &str, fact: &Fact, keys: &[&str]) -> String {
        let below = |key: &&str| key.strip_prefix(fact_key).and_then(|rest| rest.strip_prefix('.')).map(str::to_owned);
        let below: Vec<String> = keys.iter().filter_map(below).collect();
        let which = if below.is_empty() { String::new() } else { format!(" ({})", below.join(", ")) };
        let verb = if keys.len() > 1 { "are" } else { "is" };
        let status = match fact.status {
            Status::Missing => "not known to the site file",
            _ => "unverified",
        };
        format!("site {}: {fact_key}{which} {verb} {status}{}", self.name, fact.advice())
    }

    /// Why whoever needs the value at `key` cannot go on: the site file says that nobody knows it, and what to ask.
    pub fn refusal(&self, key: &str) -> Option<String> {
        let (fact_key, fact) = self.fact_entry(key).filter(|(_, fact)| fact.status == Status::Missing)?;
        Some(format!("site {} does not know {fact_key}{}", self.name, fact.advice()))
    }
}

impl Fact {
    /// The note and what to ask, as the end of a sentence.
    fn advice(&self) -> String {
        let note = self.note.as_deref().map(|note| format!(": {note}")).unwrap_or_default();
        let ask = self.ask.as_deref().map(|ask| format!("; to be sure: {ask}")).unwrap_or_default();
        note + &ask
    }
}

/// `a.b.c`, `a.b`, `a`.
fn prefixes(key: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(key), |key| Some(&key[..key.rfind('.')?]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::load;

    fn site() -> Site {
        let mut site = load("frontier", None).unwrap();
        let fact =
            |status, note: &str| Fact { status, source: None, note: Some(note.into()), ask: Some("OLCF".into()) };
        site.facts.insert("node.compute.interface".into(), fact(Status::Unverified, "expected"));
        site.facts.insert("node.compute.memory_gib".into(), fact(Status::Missing, "nobody says"));
        site
    }

    #[test]
    fn the_longest_key_speaks() {
        let site = site();
        assert_eq!(site.fact("node.compute.interface.hsn0").unwrap().status, Status::Unverified);
        assert_eq!(site.fact("node.compute.cores").unwrap().status, Status::Verified);
        assert!(site.fact("nodes").is_none() && site.fact("").is_none());
    }

    #[test]
    fn guesses_under_one_fact_share_a_line() {
        let site = site();
        let keys = ["node.compute.cores", "node.compute.interface.hsn0", "node.compute.interface.hsn1"];
        assert_eq!(
            site.warnings(keys),
            ["site frontier: node.compute.interface (hsn0, hsn1) are unverified: expected; to be sure: OLCF"]
        );
        assert_eq!(site.warnings(["node.compute.cores"]), [""; 0]);
    }

    #[test]
    fn what_nobody_knows_is_refused_with_what_to_ask() {
        let site = site();
        assert_eq!(
            site.refusal("node.compute.memory_gib").unwrap(),
            "site frontier does not know node.compute.memory_gib: nobody says; to be sure: OLCF"
        );
        assert_eq!(site.refusal("node.compute.interface"), None);
    }
}
