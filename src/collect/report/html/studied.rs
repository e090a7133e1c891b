//! What was studied, to be taken in at a glance: where, when, what was varied, and on which versions. Everything else stands
//! under "Provenance".

use std::collections::BTreeSet;

use serde::Serialize;

use super::axes::Axis;
use crate::collect::groups::value;
use crate::collect::model::Run;
use crate::collect::params::Value;
use crate::record::units::show_bytes;

/// Values that are listed; of more numbers their range stands, of more words the first.
const LISTED: usize = 8;

/// A line of the block: what, and its values.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    what: String,
    says: String,
    /// The runs differ in what a reader takes for one.
    is_mixed: bool,
}

impl Line {
    fn new(what: &str, says: String) -> Line {
        Line { what: what.to_owned(), says, is_mixed: false }
    }

    /// Marks several values.
    fn mixed(self) -> Line {
        let is_mixed = self.says.contains(SEPARATOR);
        let says = if is_mixed { format!("several: {}", self.says) } else { self.says };
        Line { says, is_mixed, ..self }
    }
}

/// What stands at the top of the page: places and times, what was varied, versions.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Studied {
    about: Vec<Line>,
    varied: Vec<Line>,
    versions: Vec<Line>,
}

/// (fact, what it is called).
const VERSIONS: [(&str, &str); 6] = [
    ("modules", "modules"),
    ("mpi_library", "MPI"),
    ("client_version", "ShardScale client"),
    ("kernel", "kernel"),
    ("tcp_congestion_control", "TCP congestion control"),
    ("model_sha256", "model (SHA-256)"),
];

/// `axes` are those of `runs`.
pub fn studied(runs: &[Run], axes: &[Axis]) -> Studied {
    let told = |what: &str, column: &str| told(what, runs.iter().filter_map(|run| value(run, column)));
    // what differs stands among what was varied
    let constant = CONSTANT.iter().filter(|column| axes.iter().all(|axis| axis.key != **column));
    let constant = constant.map(|column| told(column, column));
    let about = [told("site", "site"), dates(runs)].into_iter().chain(constant);
    let is_varied = |axis: &&Axis| axis.is_varied() && axis.key != "site" && !MEASURED.contains(&axis.key);
    let varied = axes.iter().filter(is_varied).map(varied_in);
    let fact = |name: &'static str| {
        let facts = runs.iter().filter_map(|run| run.measured.as_ref()).flat_map(|measured| &measured.facts);
        facts
            .filter(move |(known, value)| known == name && !value.is_empty())
            .map(|(_, value)| Value::Text(value.clone()))
    };
    let measured = MEASURED.map(|column| told(if column == "server" { "store" } else { column }, column));
    let versions = VERSIONS.iter().map(|(name, what)| self::told(what, fact(name)));
    Studied {
        about: about.flatten().collect(),
        varied: varied.chain(sizes(runs)).collect(),
        versions: measured.into_iter().chain(versions).flatten().map(Line::mixed).collect(),
    }
}

/// Columns that are said also where nobody varied them.
const CONSTANT: [&str; 4] = ["workload", "deployment", "scheduler", "launcher"];
/// Columns that runs found out by themselves.
const MEASURED: [&str; 2] = ["server", "wire"];

/// The values of a parameter; `None` where no run has one.
fn told(what: &str, values: impl Iterator<Item = Value>) -> Option<Line> {
    let values: BTreeSet<Value> = values.collect();
    let says = list(&values.iter().collect::<Vec<_>>());
    (!values.is_empty()).then(|| Line::new(what, says))
}

/// The values of an axis.
fn varied_in(axis: &Axis) -> Line {
    let values: Vec<&Value> = axis.values.iter().collect();
    let none = if axis.absent { " (some runs have none)" } else { "" };
    Line::new(&axis.label, format!("{}{none}", list(&values)))
}

const SEPARATOR: &str = " | ";

/// Numbers as `4, 8, 16`, many as `1 to 64 (12 values)`; words, which may hold commas, with strokes between.
fn list(values: &[&Value]) -> String {
    let is_numbers = values.iter().all(|value| matches!(value, Value::Count(_)));
    match values {
        [first, .., last] if is_numbers && values.len() > LISTED => {
            format!("{first} to {last} ({} values)", values.len())
        }
        _ => {
            let more = values.len().saturating_sub(LISTED);
            let more = (more > 0).then(|| format!("{more} more"));
            let shown = values.iter().take(LISTED).map(ToString::to_string).chain(more).collect::<Vec<_>>();
            shown.join(if is_numbers { ", " } else { SEPARATOR })
        }
    }
}

fn sizes(runs: &[Run]) -> Option<Line> {
    let sizes: BTreeSet<u64> = runs.iter().flat_map(Run::sizes).map(|size| size.payload_bytes).collect();
    let (first, last) = (sizes.first()?, sizes.last()?);
    let says = match sizes.len() {
        1..=LISTED => sizes.iter().map(|bytes| show_bytes(*bytes)).collect::<Vec<_>>().join(", "),
        count => format!("{} to {} ({count} sizes)", show_bytes(*first), show_bytes(*last)),
    };
    Some(Line::new("tensor size", says))
}

/// From the first begin to the last one, and of how many runs none is known.
fn dates(runs: &[Run]) -> Option<Line> {
    let begins: Vec<i64> =
        runs.iter().filter_map(|run| run.timeline.begin_unix_s()).map(|begin| begin as i64).collect();
    let shown = |seconds: i64| Some(jiff::Timestamp::from_second(seconds).ok()?.strftime("%Y-%m-%d %H:%M").to_string());
    let (first, last) = (shown(*begins.iter().min()?)?, shown(*begins.iter().max()?)?);
    let range = if first == last { first } else { format!("{first} to {last}") };
    let without = runs.len() - begins.len();
    let rest = if without > 0 { format!("; of {without} runs no date is known") } else { String::new() };
    Some(Line::new("begin of the runs, UTC", format!("{range}{rest}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_values_are_listed_and_many_told_in_short() {
        let told = |values: &[Value]| list(&values.iter().collect::<Vec<_>>());
        assert_eq!(told(&[4, 8, 16].map(Value::Count)), "4, 8, 16");
        assert_eq!(told(&(1..=12).map(Value::Count).collect::<Vec<_>>()), "1 to 12 (12 values)");
        let words: Vec<_> = (0..10).map(|at| Value::Text(format!("v{at}"))).collect();
        assert_eq!(told(&words[..2]), "v0 | v1");
        assert!(told(&words).ends_with("v7 | 2 more"), "{}", told(&words));
    }

    #[test]
    fn a_study_of_nothing_says_nothing() {
        assert_eq!(studied(&[], &[]), Studied { about: vec![], varied: vec![], versions: vec![] });
    }
}
