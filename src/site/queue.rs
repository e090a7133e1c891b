//! Queue rows, how many jobs they take, and which row a job goes to.

use anyhow::{Result, bail, ensure};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Site, Walltime};
use crate::record::binding::CpuBind;
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
    /// Absent for no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_walltime: Option<Walltime>,
    /// Kinds of nodes that it has; empty for all of the site's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub node_types: Vec<String>,
    /// Cores that a job may have of a node, where its nodes are shared with other jobs; absent where a job has whole nodes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shared_cores: Option<u32>,
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
    /// Name of the limit, for `[facts]`.
    pub name: String,
    /// Queue rows that share it; empty for all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub queues: Vec<String>,
    /// Which jobs count: `queued` (waiting), `running`, `eligible` (waiting and considered), `submitted` (all of these),
    /// `array-running` (jobs of one array that run at a time).
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
        ArrayRunning = "array-running",
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

/// A job in search of a queue row.
#[derive(Debug, Clone, Copy)]
pub struct Wish<'a> {
    /// Name of the row that the user asked for.
    pub queue: Option<&'a str>,
    pub nodes: u32,
    pub walltime: Walltime,
    /// Kinds of nodes that the job needs.
    pub node_types: &'a [&'a str],
}

/// Refuses what cannot be done on a part of a node: CPUs by their numbers, and more cores than a job may have.
///
/// Which CPUs a job gets of a shared node nobody knows before it runs: masks that are worked out count among these.
///
/// # Errors
/// The row, what was asked for, and what is possible.
pub fn check_shared(row: &Queue, bind: &CpuBind, cores: u32) -> Result<()> {
    let Some(most) = row.shared_cores else { return Ok(()) };
    ensure!(
        !matches!(bind, CpuBind::Masks { .. } | CpuBind::Map { .. }),
        "queue {} shares its nodes with other jobs, and --cpu-bind {bind} names CPUs of a whole node: use --cpu-bind mask, which \
         takes what the job gets, or scheduler, or a queue with whole nodes (--queue)",
        row.name
    );
    ensure!(
        cores <= most,
        "queue {} gives a job at most {most} cores of a node, and {cores} are asked for: fewer --clients-per-node or --db-cpus, or a \
         queue with whole nodes (--queue)",
        row.name
    );
    Ok(())
}

/// The row for a job: the one asked for by name, else the first that admits it.
///
/// `Ok(None)` where the site has no queues.
///
/// # Errors
/// No row admits the job: the message shows all rows with their limits.
pub fn choose_queue<'a>(site: &'a Site, wish: Wish<'_>) -> Result<Option<&'a Queue>> {
    if site.queues.is_empty() && wish.queue.is_none() {
        return Ok(None);
    }
    let candidates = || site.queues.iter().filter(|row| wish.queue.map_or(!row.on_request, |name| row.name == name));
    if candidates().next().is_none() {
        let names: Vec<&str> = site.queues.iter().map(|row| row.name.as_str()).collect();
        match wish.queue {
            Some(asked) => bail!("site {} has no queue {asked:?}; it has: {}", site.name, names.join(", ")),
            None => {
                bail!("all queues of {} are taken on request: give --queue with one of {}", site.name, names.join(", "))
            }
        }
    }
    if let Some(row) = candidates().find(|row| row.admits(wish)) {
        return Ok(Some(row));
    }
    let rows: Vec<String> = candidates().map(Queue::limits).collect();
    let Wish { nodes, walltime, node_types, .. } = wish;
    // the kind of node is worth a word only where rows differ in it
    let kinds = match site.queues.iter().all(|row| row.node_types.is_empty()) {
        true => String::new(),
        false => format!(" of kind {}", node_types.join(" and ")),
    };
    let others: Vec<&str> = site
        .queues
        .iter()
        .filter(|row| row.on_request && wish.queue.is_none() && row.admits(wish))
        .map(|row| row.name.as_str())
        .collect();
    let remedy =
        if others.is_empty() { String::new() } else { format!("; on request (--queue): {}", others.join(", ")) };
    bail!("no queue of {} admits {nodes} nodes{kinds} for {walltime}: {}{remedy}", site.name, rows.join("; "));
}

impl Queue {
    fn admits(&self, wish: Wish<'_>) -> bool {
        wish.nodes >= self.min_nodes
            && self.max_nodes.is_none_or(|max| wish.nodes <= max)
            && self.min_walltime.is_none_or(|min| wish.walltime >= min)
            && self.max_walltime.is_none_or(|max| wish.walltime <= max)
            && wish.node_types.iter().all(|kind| self.has_node_type(kind))
    }

    /// Whether it has nodes of that kind.
    pub fn has_node_type(&self, kind: &str) -> bool {
        self.node_types.is_empty() || self.node_types.iter().any(|own| own == kind)
    }

    /// What it admits, in one line: `small: 1 to 91 nodes up to 02:00:00`.
    pub fn limits(&self) -> String {
        let most = match (self.min_nodes, self.max_nodes) {
            (1, None) => "any number of".to_owned(),
            (min, None) => format!("{min} or more"),
            (min, Some(max)) => format!("{min} to {max}"),
        };
        let kinds = match self.node_types.is_empty() {
            true => String::new(),
            false => format!("{} ", self.node_types.join("/")),
        };
        let least = self.min_walltime.map(|min| format!(" from {min}")).unwrap_or_default();
        let longest = self.max_walltime.map_or(" without a time limit".to_owned(), |max| format!(" up to {max}"));
        format!("{}: {most} {kinds}nodes{least}{longest}", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::load;

    fn wish<'a>(queue: Option<&'a str>, nodes: u32, walltime: &str) -> Wish<'a> {
        Wish { queue, nodes, walltime: walltime.parse().unwrap(), node_types: &["compute"] }
    }

    #[test]
    fn the_first_row_that_admits_the_job_is_taken() {
        let frontier = load("frontier", None).unwrap();
        let row = |nodes, time| choose_queue(&frontier, wish(None, nodes, time)).map(|row| row.unwrap().name.clone());
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
        let row = choose_queue(&frontier, wish(Some("extended"), 7, "06:00:00")).unwrap();
        assert_eq!(row.unwrap().name, "extended");
        let error = choose_queue(&frontier, wish(Some("fast"), 7, "06:00:00")).unwrap_err().to_string();
        assert!(error.contains("has no queue \"fast\"; it has: batch-1-91,"), "{error}");
    }

    #[test]
    fn a_part_of_a_node_takes_no_masks_of_a_whole_one_and_has_few_cores() {
        let mut row = load("frontier", None).unwrap().queues[0].clone();
        let own: CpuBind = "map:0,1".parse().unwrap();
        assert!(check_shared(&row, &own, 56).is_ok());
        row.shared_cores = Some(16);
        assert!(check_shared(&row, &CpuBind::Scheduler, 16).is_ok());
        assert!(check_shared(&row, &CpuBind::Mask, 16).is_ok());
        let masks = check_shared(&row, &own, 2).unwrap_err().to_string();
        assert!(masks.contains("--cpu-bind map:0,1 names CPUs of a whole node: use --cpu-bind mask"), "{masks}");
        let many = check_shared(&row, &CpuBind::None, 17).unwrap_err().to_string();
        assert!(many.contains("at most 16 cores of a node, and 17 are asked for"), "{many}");
    }

    #[test]
    fn a_row_of_other_nodes_is_passed_over() {
        let mut site = load("frontier", None).unwrap();
        site.queues[0].node_types = vec!["gpu".into()];
        site.queues.truncate(1);
        let error = choose_queue(&site, wish(None, 7, "01:00:00")).unwrap_err().to_string();
        assert!(error.contains("admits 7 nodes of kind compute") && error.contains("1 to 91 gpu nodes"), "{error}");
        let gpu = Wish { node_types: &["gpu"], ..wish(None, 7, "01:00:00") };
        assert_eq!(choose_queue(&site, gpu).unwrap().unwrap().name, "batch-1-91");
    }
}
