//! The head of the page: what ran, what failed and why, the figures worth a first look.

use serde::Serialize;

use crate::collect::collection::Collection;
use crate::collect::hosts;
use crate::collect::model::{Run, State};
use crate::collect::number::short;
use crate::collect::report::{UNREADABLE, complaint};
use crate::record::units::show_bytes;

/// How many runs are in a state.
#[derive(Serialize)]
pub struct StateCount {
    state: &'static str,
    count: usize,
}

/// The states that occur.
pub fn states(collection: &Collection) -> Vec<StateCount> {
    let of = |state: State| collection.runs.iter().filter(|run| run.state == state).count();
    let unreadable = collection.problems.iter().filter(|problem| problem.is_run).count();
    State::ALL
        .iter()
        .map(|state| StateCount { state: state.as_str(), count: of(*state) })
        .chain([StateCount { state: UNREADABLE, count: unreadable }])
        .filter(|part| part.count > 0)
        .collect()
}

/// A line of the table of runs.
#[derive(Serialize)]
pub struct Row<'a> {
    name: &'a str,
    state: &'static str,
    ranks: String,
    sizes: String,
    best: String,
    at: String,
    has_figures: bool,
}

impl<'a> Row<'a> {
    pub fn of(run: &'a Run) -> Row<'a> {
        let (best, at) = run.best().map(|best| best.shown(short)).unwrap_or_default();
        Row {
            name: &run.name,
            state: run.state.as_str(),
            ranks: run.measured.as_ref().map(|measured| measured.ranks.to_string()).unwrap_or_default(),
            sizes: format!("{} of {}", run.sizes().len(), run.sizes_total),
            best,
            at,
            has_figures: !run.sizes().is_empty(),
        }
    }
}

/// A figure worth a first look: (what, value, where).
pub fn highlights(runs: &[Run]) -> Vec<(String, String, String)> {
    let comparable = || runs.iter().filter(|run| run.state.is_comparable());
    let mut all = Vec::new();
    // figures of different definitions have no common largest
    for (is_classic, what) in
        [(false, "Highest bandwidth, all operations together"), (true, "Highest bandwidth, classic figure")]
    {
        let of = |run| Run::best(run).filter(|best| best.is_classic == is_classic);
        let bests = comparable().filter_map(|run| Some((run, of(run)?)));
        if let Some((run, best)) = bests.max_by(|a, b| a.1.gb_per_s.total_cmp(&b.1.gb_per_s)) {
            let place = format!("{} in {}", show_bytes(best.payload_bytes), run.name);
            all.push((what.to_owned(), format!("{} GB/s", short(best.gb_per_s)), place));
        }
    }
    let latencies = comparable().flat_map(|run| run.sizes().iter().map(move |size| (run, size)));
    let lowest = latencies
        .filter_map(|(run, size)| Some((run, size.payload_bytes, size.ops.first()?)))
        .min_by(|a, b| a.2.latency.median.total_cmp(&b.2.latency.median));
    if let Some((run, bytes, op)) = lowest {
        let place = format!("{} in {}", show_bytes(bytes), run.name);
        all.push((format!("Lowest median {}", op.op), format!("{} us", short(op.latency.median / 1e3)), place));
    }
    let slowest = hosts::of_runs(runs).into_iter().next().filter(|host| host.straggles() > 1);
    if let Some(host) = slowest {
        let place = format!("in {} of the {} runs that judge it", host.straggles(), host.judged());
        all.push(("Node that straggles most often".to_owned(), host.name.to_owned(), place));
    }
    let samples: usize = runs.iter().flat_map(Run::sizes).flat_map(|size| &size.ops).map(|op| op.latency.n).sum();
    if samples > 0 {
        let ranks = comparable().filter_map(|run| run.measured.as_ref()).map(|measured| measured.ranks).max();
        let place = ranks.map(|ranks| format!("up to {ranks} ranks in a run")).unwrap_or_default();
        all.push(("Samples, without warm-up".to_owned(), thousands(samples), place));
    }
    all
}

fn thousands(count: usize) -> String {
    let digits = count.to_string();
    let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy).collect();
    groups.join(",")
}

/// Something that needs a look, said once for all places that it concerns.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Complaint {
    what: String,
    /// Names of runs, or paths.
    places: Vec<String>,
}

/// (place, what) of everything that needs a look, then of all notes.
pub fn complaints(collection: &Collection) -> Vec<(String, String)> {
    let of_runs = collection.runs.iter().filter_map(|run| Some((run.name.clone(), complaint(run)?)));
    let others = collection.problems.iter().map(|problem| (problem.path.clone(), problem.what.clone()));
    let notes =
        collection.runs.iter().flat_map(|run| run.notes.iter().map(|note| (run.name.clone(), format!("note: {note}"))));
    of_runs.chain(others).chain(notes).collect()
}

/// The same, what several places share once.
pub fn problems(collection: &Collection) -> Vec<Complaint> {
    let mut told: Vec<Complaint> = Vec::new();
    for (place, what) in complaints(collection) {
        match told.iter_mut().find(|complaint| complaint.what == what) {
            Some(complaint) => complaint.places.push(place),
            None => told.push(Complaint { what, places: vec![place] }),
        }
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::model::Problem;

    #[test]
    fn what_many_runs_share_is_said_once() {
        let problem = |path: &str, what: &str| Problem { path: path.into(), what: what.into(), is_run: false };
        let problems_ = vec![problem("a", "torn"), problem("b", "empty"), problem("c", "torn")];
        let collection = Collection { problems: problems_, ..Collection::default() };
        let said: Vec<_> = problems(&collection).into_iter().map(|one| (one.what, one.places.join(" "))).collect();
        assert_eq!(said, [("torn".to_owned(), "a c".to_owned()), ("empty".to_owned(), "b".to_owned())]);
    }

    #[test]
    fn large_counts_can_be_read() {
        assert_eq!([7, 1000, 1_234_567].map(thousands), ["7", "1,000", "1,234,567"]);
    }
}
