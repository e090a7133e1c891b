//! Conditions on permutations: `exclude`, and the `if` of `when`, in a study file.
//!
//! A condition names axes as manifests do and says which values it means; a permutation meets it if it has one of them on
//! every axis that is named.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::record::manifest::Job;

/// Axis -> what its value must be.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Condition(BTreeMap<String, Wanted>);

/// Values that a condition means.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
enum Wanted {
    One(Scalar),
    AnyOf(Vec<Scalar>),
    Range(Range),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
enum Scalar {
    Count(i64),
    Word(String),
}

/// Both ends belong to it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Range {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    min: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max: Option<i64>,
}

impl Condition {
    /// Refuses axes that no permutation has, and a condition without any.
    pub fn check(&self, what: &str, known: &[&str]) -> Result<()> {
        ensure!(!self.0.is_empty(), "{what} names no axis: it would mean every permutation");
        for (key, wanted) in &self.0 {
            ensure!(
                known.contains(&key.as_str()),
                "{what} names {key:?}, which is no axis; axes are: {}",
                known.join(", ")
            );
            if let Wanted::Range(range) = wanted {
                ensure!(range.min.is_some() || range.max.is_some(), "{what}: {key} = {{}} needs min, max or both");
            }
        }
        Ok(())
    }

    /// Names of the axes that it asks about.
    pub fn axes(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Whether a job, as [`table`] writes it, meets the condition. An axis that the job does not have meets nothing.
    pub fn meets(&self, job: &toml::Table) -> bool {
        self.0.iter().all(|(key, wanted)| job.get(key).is_some_and(|value| wanted.meets(value)))
    }
}

impl Wanted {
    fn meets(&self, value: &toml::Value) -> bool {
        match self {
            Wanted::One(scalar) => scalar.is(value),
            Wanted::AnyOf(scalars) => scalars.iter().any(|scalar| scalar.is(value)),
            Wanted::Range(Range { min, max }) => value
                .as_integer()
                .is_some_and(|count| min.is_none_or(|min| count >= min) && max.is_none_or(|max| count <= max)),
        }
    }
}

impl Scalar {
    fn is(&self, value: &toml::Value) -> bool {
        match self {
            Scalar::Count(count) => value.as_integer() == Some(*count),
            Scalar::Word(word) => value.as_str() == Some(word),
        }
    }
}

/// A job's axes by name, for conditions.
pub fn table(job: &Job) -> toml::Table {
    // a job is a plain struct of numbers and words, which TOML can always hold
    let mut table = toml::Table::try_from(job).unwrap_or_default();
    // the axes of the workload, of its roles and of files are named like all others
    for part in ["workload", "aggregation", "inference", "files"] {
        if let Some(toml::Value::Table(axes)) = table.remove(part) {
            table.extend(axes);
        }
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::manifest::example;

    fn meets(condition: &str) -> bool {
        toml::from_str::<Condition>(condition).unwrap().meets(&table(&example().job))
    }

    #[test]
    fn values_lists_and_ranges_are_compared_on_every_axis_named() {
        assert!(meets("client_nodes = 2\ndeployment = \"standard\""));
        assert!(meets("client_nodes = [1, 2]\ndb_nodes = { min = 3 }"));
        assert!(!meets("client_nodes = 2\ndb_nodes = { max = 2 }"));
        assert!(!meets("transport = [\"uds\"]"));
        assert!(meets("dtype = \"float32\"\ntensors = { max = 1 }\nrate = \"closed\""));
        assert!(!meets("rate = { min = 1 }"));
        assert!(!meets("client_node_type = \"gpu\""), "an axis that a job does not have");
    }

    #[test]
    fn an_unknown_axis_and_an_empty_condition_are_refused() {
        let unknown: Condition = toml::from_str("client_node = 2").unwrap();
        let error = unknown.check("exclude 1", &["client_nodes", "db_nodes"]).unwrap_err().to_string();
        assert_eq!(error, "exclude 1 names \"client_node\", which is no axis; axes are: client_nodes, db_nodes");
        assert!(Condition::default().check("exclude 1", &[]).is_err());
        assert!(toml::from_str::<Condition>("client_nodes = { mox = 2 }").is_err());
    }
}
