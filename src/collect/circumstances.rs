//! What else may explain a figure than its parameters: versions, wire, nodes, date. Comparisons and series say in which of
//! these their runs differ.
//!
//! Which of them make two runs incomparable is [`identity`]: another product or another wire is another measurement.

use std::collections::{BTreeMap, BTreeSet};

use super::groups;
use super::model::Run;
use crate::record::attempt::Attempt;
use crate::record::units::count;

/// Facts of a run by which it is described here, as they are called in reports.
const FACTS: &[&str] = &["modules", "mpi_library", "client_version", "kernel", "tcp_congestion_control", "started_utc"];

/// The fact that differs between any two runs.
const STARTED: &str = "started_utc";

/// The day of it, which is what a reader wants.
const DATE: &str = "date";

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
        self.name != DATE
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

/// By name what the runs of one side were measured under; several values of a fact stand beside each other.
pub type Side = BTreeMap<String, String>;

/// All but the nodes.
pub fn of(runs: &[&Run]) -> Side {
    let value = |run: &Run, name: &str| match name {
        "server" | "wire" => groups::value(run, name).map(|value| value.to_string()),
        DATE => Some(started(run)?.split('T').next()?.to_owned()),
        _ => fact(run, name),
    };
    let told = |name: &str| {
        joined(runs.iter().filter_map(|run| value(run, name)).collect::<Vec<_>>().iter().map(String::as_str))
    };
    names().map(|name| (name.to_owned(), told(name))).filter(|(_, told)| !told.is_empty()).collect()
}

fn names() -> impl Iterator<Item = &'static str> {
    ["server", "wire"].into_iter().chain(FACTS.iter().copied().filter(|name| *name != STARTED)).chain([DATE])
}

/// In what two sides differ; of nodes only where a side says something of them.
pub fn between(old: &Side, new: &Side) -> Vec<Difference> {
    let told = |side: &Side, name: &str| side.get(name).cloned().unwrap_or_default();
    let differing = names().chain([HOSTS]).filter(|name| told(old, name) != told(new, name));
    differing.map(|name| Difference { name, old: told(old, name), new: told(new, name) }).collect()
}

/// In what the runs of two sides differ.
pub fn differences(old: &[&Run], new: &[&Run]) -> Vec<Difference> {
    let mut found = between(&of(old), &of(new));
    let (olds, news) = (hosts(old), hosts(new));
    if olds != news && !olds.is_empty() && !news.is_empty() {
        let shared = olds.intersection(&news).count();
        let side = |hosts: &BTreeSet<&str>| format!("{} with {shared} in common", count(hosts.len(), "node"));
        found.push(Difference { name: HOSTS, old: count(olds.len(), "node"), new: side(&news) });
    }
    found
}

/// When a run began, in UTC.
pub fn started(run: &Run) -> Option<String> {
    fact(run, STARTED)
}

/// [`of`] with the nodes, as their number and a checksum of their names: enough to see that they are others.
pub fn with_hosts(runs: &[&Run]) -> Side {
    let names = hosts(runs);
    let text = names.iter().copied().collect::<Vec<_>>().join(" ");
    let told = format!("{} ({:08x})", count(names.len(), "node"), crc32fast::hash(text.as_bytes()));
    of(runs).into_iter().chain((!names.is_empty()).then(|| (HOSTS.to_owned(), told))).collect()
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

/// Different values once each, in order.
fn joined<'a>(values: impl Iterator<Item = &'a str>) -> String {
    let values: BTreeSet<&str> = values.filter(|value| !value.is_empty()).collect();
    values.into_iter().collect::<Vec<_>>().join(" | ")
}
