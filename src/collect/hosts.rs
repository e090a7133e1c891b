//! Which nodes are slow in many runs: a host that straggles once had bad luck, one that straggles in most of its runs has a cause.
//!
//! What straggling is, each run says for itself (`measures::standing`); nothing is judged anew over the runs. Knows no format.

use std::collections::BTreeMap;

use super::model::Run;

/// A host over all runs that it was part of.
#[derive(Debug, Clone, PartialEq)]
pub struct Host<'a> {
    pub name: &'a str,
    pub in_runs: Vec<InRun>,
}

/// A host in a run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct InRun {
    /// Index into the runs.
    pub run: usize,
    /// Median duration of its ranks / that of the middle of all ranks.
    pub ratio: f64,
    /// Whether it stands apart; absent in a run with too few hosts to judge.
    pub straggles: Option<bool>,
}

impl Host<'_> {
    pub fn judged(&self) -> usize {
        self.in_runs.iter().filter(|one| one.straggles.is_some()).count()
    }

    pub fn straggles(&self) -> usize {
        self.in_runs.iter().filter(|one| one.straggles == Some(true)).count()
    }

    /// Geometric mean of its ratios.
    pub fn ratio(&self) -> f64 {
        (self.in_runs.iter().map(|one| one.ratio.ln()).sum::<f64>() / self.in_runs.len() as f64).exp()
    }

    /// Its slowest run.
    pub fn worst(&self) -> Option<&InRun> {
        self.in_runs.iter().max_by(|a, b| a.ratio.total_cmp(&b.ratio))
    }
}

/// The hosts of comparable runs: those that straggle in most runs first, then the slowest.
pub fn of_runs(runs: &[Run]) -> Vec<Host<'_>> {
    let mut by_name: BTreeMap<&str, Vec<InRun>> = BTreeMap::new();
    let measured = runs.iter().enumerate().filter(|(_, run)| run.state.is_comparable());
    for (run, measured) in measured.filter_map(|(at, run)| Some((at, run.measured.as_ref()?))) {
        let limit = measured.hosts_standing.limit;
        for (name, ratio) in measured.host_names.iter().zip(&measured.host_ratios) {
            if let Some(ratio) = *ratio {
                let straggles = limit.map(|limit| ratio > limit);
                by_name.entry(name).or_default().push(InRun { run, ratio, straggles });
            }
        }
    }
    let mut hosts: Vec<Host<'_>> = by_name.into_iter().map(|(name, in_runs)| Host { name, in_runs }).collect();
    // the sort is stable: equal ones stay in order of names
    hosts.sort_by(|a, b| b.straggles().cmp(&a.straggles()).then(b.ratio().total_cmp(&a.ratio())));
    hosts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host<'a>(name: &'a str, ratios: &[(f64, Option<bool>)]) -> Host<'a> {
        let in_runs = ratios.iter().enumerate().map(|(run, (ratio, straggles))| InRun {
            run,
            ratio: *ratio,
            straggles: *straggles,
        });
        Host { name, in_runs: in_runs.collect() }
    }

    #[test]
    fn only_runs_that_judge_count_as_judged() {
        let host = host("cn1", &[(4.0, Some(true)), (1.0, Some(false)), (2.0, None)]);
        assert_eq!((host.judged(), host.straggles()), (2, 1));
        assert!((host.ratio() - 2.0).abs() < 1e-12);
        assert_eq!(host.worst().map(|one| one.run), Some(0));
    }
}
