//! What else may explain a figure than its parameters: versions, wire, nodes, date. Comparisons and series say in which of
//! these their runs differ.
//!
//! Which of them make two runs incomparable is [`identity`]: another product or another wire is another measurement.

use std::collections::BTreeSet;

use super::model::Run;
use crate::record::attempt::Attempt;

/// Facts of a run by which it is described here, as they are called in reports.
const FACTS: &[&str] = &["modules", "mpi_library", "client_version", "kernel", "tcp_congestion_control", "started_utc"];

/// The fact that differs between any two runs.
const STARTED: &str = "started_utc";

/// Hosts, in all differences; not the sets themselves, which may be thousands of names.
const HOSTS: &str = "hosts";

/// In what two sides differ.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Difference {
    pub name: &'static str,
    pub old: String,
    pub new: String,
}

impl Difference {
    /// Whether it may explain a change; that time has passed explains nothing.
    pub fn may_explain(&self) -> bool {
        self.name != "date"
    }
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = |text: &str| if text.is_empty() { "unknown".to_owned() } else { text.to_owned() };
        write!(f, "{} {} -> {}", self.name.replace('_', " "), shown(&self.old), shown(&self.new))
    }
}

/// The differences of a pair in one line; empty where there are none.
pub fn line(differences: &[Difference]) -> String {
    differences.iter().map(Difference::to_string).collect::<Vec<_>>().join("; ")
}

/// Facts that the samples themselves do not hold: what the store and the nodes said.
pub fn facts_of_attempt(attempt: &Attempt) -> Vec<(String, String)> {
    let modules = attempt.store.iter().flat_map(|store| &store.shards).filter_map(|shard| shard.modules.as_ref());
    let kinds = attempt.environment.iter().flat_map(|environment| &environment.hosts).map(|group| &group.facts);
    [
        ("modules", joined(modules.flatten().map(String::as_str))),
        ("kernel", joined(kinds.clone().map(|facts| facts.kernel.as_str()))),
        ("tcp_congestion_control", joined(kinds.filter_map(|facts| facts.tcp_congestion_control.as_deref()))),
    ]
    .into_iter()
    .filter(|(_, value)| !value.is_empty())
    .map(|(name, value)| (name.to_owned(), value))
    .collect()
}

/// Product and wire of a run: runs of others are not comparable unless somebody asks for it.
pub fn identity(run: &Run) -> Option<(String, String)> {
    let measured = run.measured.as_ref()?;
    Some((measured.server.split_whitespace().next().unwrap_or_default().to_owned(), measured.wire.clone()))
}

/// In what the runs of two sides differ.
pub fn differences(old: &[&Run], new: &[&Run]) -> Vec<Difference> {
    let mut found = Vec::new();
    let mut compare = |name: &'static str, of: &dyn Fn(&Run) -> Option<String>| {
        let side = |runs: &[&Run]| {
            joined(runs.iter().filter_map(|run| of(run)).collect::<Vec<_>>().iter().map(String::as_str))
        };
        let (old, new) = (side(old), side(new));
        if old != new {
            found.push(Difference { name, old, new });
        }
    };
    compare("server", &|run| Some(run.measured.as_ref()?.server.clone()));
    compare("wire", &|run| Some(run.measured.as_ref()?.wire.clone()));
    for name in FACTS.iter().filter(|name| **name != STARTED) {
        compare(name, &|run| fact(run, name));
    }
    compare("date", &|run| Some(fact(run, STARTED)?.split('T').next()?.to_owned()));
    let (olds, news) = (hosts(old), hosts(new));
    if olds != news && !olds.is_empty() && !news.is_empty() {
        let shared = olds.intersection(&news).count();
        let side = |hosts: &BTreeSet<&str>| format!("{} with {shared} in common", count(hosts.len()));
        found.push(Difference { name: HOSTS, old: count(olds.len()), new: side(&news) });
    }
    found
}

/// In what runs that stand in one series differ, as `kernel: a, b`.
pub fn within(runs: &[&Run]) -> Vec<String> {
    let values = |name: &str| runs.iter().filter_map(|run| fact(run, name)).collect::<BTreeSet<_>>();
    let differing = FACTS.iter().filter(|name| **name != STARTED).map(|name| (*name, values(name)));
    let told = |(name, values): (&str, BTreeSet<String>)| {
        let list = values.into_iter().collect::<Vec<_>>().join(" | ");
        format!("{}: {list}", name.replace('_', " "))
    };
    differing.filter(|(_, values)| values.len() > 1).map(told).collect()
}

fn fact(run: &Run, name: &str) -> Option<String> {
    let facts = &run.measured.as_ref()?.facts;
    facts.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
}

fn hosts<'a>(runs: &[&'a Run]) -> BTreeSet<&'a str> {
    runs.iter().filter_map(|run| run.measured.as_ref()).flat_map(|it| &it.host_names).map(String::as_str).collect()
}

fn count(hosts: usize) -> String {
    format!("{hosts} node{}", if hosts == 1 { "" } else { "s" })
}

/// Different values once each, in order.
fn joined<'a>(values: impl Iterator<Item = &'a str>) -> String {
    let values: BTreeSet<&str> = values.filter(|value| !value.is_empty()).collect();
    values.into_iter().collect::<Vec<_>>().join(" | ")
}
