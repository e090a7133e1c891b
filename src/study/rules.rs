//! What a study file says beyond lists: which axes are paired, which points are cut, added, or have other values.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::condition::{Condition, table};
use super::{Axes, Study};
use crate::record::manifest::Job;
use crate::record::vocabulary::Deployment;

/// The rules of a study; empty ones leave the product of the lists as it is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Rules {
    /// Groups of axes whose lists are walked together, first with first: `[["client_nodes", "db_nodes"]]`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub zip: Vec<Vec<String>>,
    /// Permutations that meet one of these are cut.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<Condition>,
    /// Further permutations: the product of these axes, the others as in the study. What is cut does not cut them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub include: Vec<Axes>,
    /// Other values for an axis where a condition holds; the last one that holds decides.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub when: Vec<When>,
}

/// Other values for axes where a condition holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct When {
    #[serde(rename = "if")]
    pub condition: Condition,
    pub then: Axes,
}

impl Rules {
    /// Refuses rules that name what is no axis, or that contradict each other.
    pub fn check(&self) -> Result<()> {
        let keys = condition_keys();
        for (index, group) in self.zip.iter().enumerate() {
            ensure!(group.len() > 1, "zip group {} has {} axis: name at least two", index + 1, group.len());
            for key in group {
                ensure!(
                    Axes::LISTS.contains(&key.as_str()) && key != "deployment",
                    "zip names {key:?}, which is no list of axes; lists are: {}",
                    Axes::LISTS[1..].join(", ")
                );
                let groups = self.zip.iter().filter(|other| other.contains(key)).count();
                ensure!(groups == 1, "zip names {key} in {groups} groups: an axis can be paired once");
            }
        }
        for (index, condition) in self.exclude.iter().enumerate() {
            condition.check(&format!("exclude {}", index + 1), &keys)?;
        }
        for (index, when) in self.when.iter().enumerate() {
            let what = format!("when {}", index + 1);
            when.condition.check(&what, &keys)?;
            let axes = when.axes()?;
            ensure!(!axes.is_empty(), "{what} has an empty `then`: name an axis and its values");
            for axis in &axes {
                ensure!(
                    Axes::LISTS.contains(&axis.as_str()) && axis != "deployment",
                    "{what} changes {axis}, which is the same for all permutations"
                );
                ensure!(!when.condition.axes().any(|key| key == axis), "{what} asks about {axis} and changes it too");
                ensure!(
                    !self.zip.iter().any(|group| group.contains(axis)),
                    "{what} changes {axis}, which zip pairs with another axis: use exclude and include instead"
                );
            }
        }
        Ok(())
    }

    /// What of `study` these rules leave.
    pub fn filter(&self, study: &Study) -> Result<Filter<'_>> {
        let base = study.to_axes();
        let wide = match self.when.is_empty() {
            true => study.clone(),
            false => {
                let axes = self.when.iter().fold(base.clone(), |axes, when| axes.with(when.then.clone()));
                axes.resolve().context("`then` of the study")?
            }
        };
        let mut changed = BTreeSet::new();
        for when in &self.when {
            changed.extend(when.axes()?);
        }
        let changes = changed.into_iter().map(|axis| Change {
            usual: list(&base, &axis).unwrap_or_default(),
            others: self
                .when
                .iter()
                .rev()
                .filter_map(|when| Some((&when.condition, list(&when.then, &axis)?)))
                .collect(),
            axis,
        });
        Ok(Filter { study: wide, exclude: &self.exclude, changes: changes.collect() })
    }
}

/// Rules made ready for many jobs.
pub struct Filter<'a> {
    /// The study with the values of every `then` in its lists.
    pub study: Study,
    exclude: &'a [Condition],
    changes: Vec<Change<'a>>,
}

/// An axis whose values depend on conditions.
struct Change<'a> {
    axis: String,
    usual: Vec<toml::Value>,
    /// The last of the file first: the first that holds decides.
    others: Vec<(&'a Condition, Vec<toml::Value>)>,
}

impl Filter<'_> {
    /// Whether a job of [`Filter::study`] is one of the study's; `own` is the same without the axes that have no effect for it.
    pub fn keeps(&self, job: &Job, own: &Job) -> bool {
        if self.exclude.is_empty() && self.changes.is_empty() {
            return true;
        }
        let (job, own) = (table(job), table(own));
        !self.exclude.iter().any(|condition| condition.meets(&own))
            && self.changes.iter().all(|change| change.allows(&job))
    }
}

impl Change<'_> {
    fn allows(&self, job: &toml::Table) -> bool {
        let (key, only) = key_of_job(&self.axis);
        let Some(value) = job.get(key) else { return true };
        if only.is_some_and(|only| job["deployment"].as_str() != Some(only.as_str())) {
            return true;
        }
        let other = self.others.iter().find(|(condition, _)| condition.meets(job));
        other.map_or(&self.usual, |(_, values)| values).contains(value)
    }
}

impl When {
    /// The axes that it changes.
    fn axes(&self) -> Result<BTreeSet<String>> {
        let table = toml::Table::try_from(&self.then).context("cannot list the axes of `then`")?;
        Ok(table.keys().cloned().collect())
    }
}

/// The values that `axes` give to `axis`, as a manifest writes them.
fn list(axes: &Axes, axis: &str) -> Option<Vec<toml::Value>> {
    toml::Table::try_from(axes).ok()?.remove(axis)?.as_array().cloned()
}

/// The key of a job that an axis sets, and the only deployment in which it does. A node's servers are `servers_per_node` of a job
/// wherever they run, as its interface is `net_ifname`.
fn key_of_job(axis: &str) -> (&str, Option<Deployment>) {
    match axis {
        "shards_per_node" => ("servers_per_node", Some(Deployment::Standard)),
        "colocated_ifname" => ("net_ifname", Some(Deployment::Colocated)),
        "db_nodes" | "net_ifname" => (axis, Some(Deployment::Standard)),
        "servers_per_node" => (axis, Some(Deployment::Colocated)),
        _ => (axis, None),
    }
}

/// The keys that conditions may name: those of a job.
fn condition_keys() -> Vec<&'static str> {
    let of_lists = Axes::LISTS.iter().copied().filter(|key| key_of_job(key).0 == *key);
    of_lists.chain(["repeat"]).collect()
}
