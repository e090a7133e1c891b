//! Queue rows, how many jobs they take, and which row a job goes to.

use anyhow::{Result, bail};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Site, Walltime};
use crate::record::vocabulary::vocabulary;

/// One row of what the scheduler admits: a queue of one name may have several rows.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Queue {
    /// Name of the row, for `--queue` and for `[facts]`.
    pub name: String,
    /// Directives that submit to it: `--partition=batch`, `-q prod`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub submit_as: Vec<String>,
    #[serde(default = "one")]
    pub min_nodes: u32,
    /// Absent for no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_nodes: Option<u32>,
    /// Absent for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_walltime: Option<Walltime>,
    pub max_walltime: Walltime,
    /// Taken only when asked for by name.
    #[serde(default)]
    pub on_request: bool,
    /// What a node and hour cost here, as a multiple of the site's charge.
    #[serde(default = "whole")]
    pub charge_factor: f64,
}

/// How many jobs the centre takes.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Limit {
    /// Queue rows that share it; empty for all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub queues: Vec<String>,
    /// Which jobs count: `queued` (waiting), `running`, `eligible` (waiting and considered), `submitted` (all of these).
    pub counts: Counts,
    pub most: u32,
    /// For whom: `user` or `project`.
    pub scope: Scope,
    /// What becomes of a job beyond it.
    pub beyond: Beyond,
}

vocabulary! {
    /// Which jobs a limit counts.
    Counts, "count" {
        Queued = "queued",
        Running = "running",
        Eligible = "eligible",
        Submitted = "submitted",
    }
}

vocabulary! {
    /// Whose jobs a limit counts.
    Scope, "scope" {
        User = "user",
        Project = "project",
    }
}

vocabulary! {
    /// What becomes of a job beyond a limit.
    Beyond, "consequence" {
        /// The scheduler refuses it.
        Rejected = "rejected",
        /// It waits.
        Waits = "waits",
        /// It never runs, without a word.
        Stuck = "stuck",
        /// The centre asks users not to.
        Frowned = "frowned-upon",
    }
}

fn one() -> u32 {
    1
}

fn whole() -> f64 {
    1.0
}

/// The row for a job: the one asked for by name, else the first that admits it.
///
/// `Ok(None)` where the site has no queues.
///
/// # Errors
/// No row admits the job: the message shows all rows with their limits.
pub fn choose_queue<'a>(
    site: &'a Site,
    asked: Option<&str>,
    nodes: u32,
    walltime: Walltime,
) -> Result<Option<&'a Queue>> {
    if site.queues.is_empty() && asked.is_none() {
        return Ok(None);
    }
    let candidates = || site.queues.iter().filter(|row| asked.map_or(!row.on_request, |name| row.name == name));
    if candidates().next().is_none() {
        let names: Vec<&str> = site.queues.iter().map(|row| row.name.as_str()).collect();
        let asked = asked.unwrap_or_default();
        bail!("site {} has no queue {asked:?}; it has: {}", site.name, names.join(", "));
    }
    if let Some(row) = candidates().find(|row| row.admits(nodes, walltime)) {
        return Ok(Some(row));
    }
    let rows: Vec<String> = candidates().map(Queue::limits).collect();
    bail!("no queue of {} admits {nodes} nodes for {walltime}: {}", site.name, rows.join("; "));
}

impl Queue {
    fn admits(&self, nodes: u32, walltime: Walltime) -> bool {
        nodes >= self.min_nodes
            && self.max_nodes.is_none_or(|max| nodes <= max)
            && self.min_walltime.is_none_or(|min| walltime >= min)
            && walltime <= self.max_walltime
    }

    fn limits(&self) -> String {
        let most = self.max_nodes.map_or("any number of".to_owned(), |max| format!("{} to {max}", self.min_nodes));
        let least = self.min_walltime.map(|min| format!("from {min} ")).unwrap_or_default();
        format!("{}: {most} nodes {least}up to {}", self.name, self.max_walltime)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::load;

    fn walltime(text: &str) -> Walltime {
        text.parse().unwrap()
    }

    #[test]
    fn the_first_row_that_admits_the_job_is_taken() {
        let frontier = load("frontier", None).unwrap();
        let row =
            |nodes, time| choose_queue(&frontier, None, nodes, walltime(time)).map(|row| row.unwrap().name.clone());
        assert_eq!(row(7, "02:00:00").unwrap(), "batch-1-91");
        assert_eq!(row(92, "06:00:00").unwrap(), "batch-92-183");
        let error = row(7, "06:00:00").unwrap_err().to_string();
        assert!(
            error
                .contains("no queue of frontier admits 7 nodes for 06:00:00: batch-1-91: 1 to 91 nodes up to 02:00:00"),
            "{error}"
        );
    }

    #[test]
    fn a_queue_on_request_is_taken_when_asked_for() {
        let frontier = load("frontier", None).unwrap();
        let row = choose_queue(&frontier, Some("extended"), 7, walltime("06:00:00")).unwrap();
        assert_eq!(row.unwrap().name, "extended");
        let error = choose_queue(&frontier, Some("fast"), 7, walltime("06:00:00")).unwrap_err().to_string();
        assert!(error.contains("has no queue \"fast\"; it has: batch-1-91,"), "{error}");
    }
}
