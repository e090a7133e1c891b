//! `hosts.csv`: a row for each host, over all comparable runs that it was part of; those that straggle in most runs first.

use anyhow::Result;

use super::bytes;
use crate::collect::hosts::Host;
use crate::collect::model::Run;
use crate::collect::number::share;

const HEADER: [&str; 7] = [
    "host",
    "runs",
    "judged_runs",
    "straggles_in_runs",
    "mean_times_median_of_all",
    "most_times_median_of_all",
    "most_in_run",
];

pub fn render(hosts: &[Host<'_>], runs: &[Run]) -> Result<Vec<u8>> {
    let mut table = vec![HEADER.map(str::to_owned).to_vec()];
    for host in hosts {
        let worst = host.worst();
        let [runs_in, judged, straggles] = [host.in_runs.len(), host.judged(), host.straggles()].map(|n| n.to_string());
        let place = worst.map(|one| runs[one.run].name.clone()).unwrap_or_default();
        let (mean, most) = (share(Some(host.ratio())), share(worst.map(|one| one.ratio)));
        table.push(vec![host.name.to_owned(), runs_in, judged, straggles, mean, most, place]);
    }
    bytes(table)
}
