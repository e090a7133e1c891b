//! Which nodes were slow in which runs, as the page draws it: the hosts that a reader looks for, and no others.

use serde::Serialize;

use super::figure::Rough;
use crate::collect::hosts::Host;

/// Hosts that are drawn: those that straggle in most runs.
const MOST: usize = 40;
/// Where fewer do, the slowest beside them, so that a reader sees how even the others are.
const LEAST: usize = 16;

#[derive(Serialize)]
pub struct Nodes<'a> {
    total: usize,
    rows: Vec<Row<'a>>,
}

#[derive(Serialize)]
struct Row<'a> {
    host: &'a str,
    /// For each run of the page; null where the host was not part of it.
    ratios: Vec<Option<Rough>>,
    /// Indices of the runs in which it stands apart.
    apart: Vec<usize>,
}

/// `hosts` in the order of the page; `None` where no host is known.
pub fn nodes<'a>(hosts: &[Host<'a>], runs: usize) -> Option<Nodes<'a>> {
    let row = |host: &Host<'a>| {
        let mut ratios: Vec<Option<Rough>> = std::iter::repeat_with(|| None).take(runs).collect();
        host.in_runs.iter().for_each(|one| ratios[one.run] = Some(Rough(one.ratio)));
        let apart = host.in_runs.iter().filter(|one| one.straggles == Some(true)).map(|one| one.run);
        Row { host: host.name, ratios, apart: apart.collect() }
    };
    let straggling = hosts.iter().take_while(|host| host.straggles() > 0).count();
    let rows = hosts.iter().take(straggling.clamp(LEAST, MOST)).map(row).collect();
    (!hosts.is_empty()).then_some(Nodes { total: hosts.len(), rows })
}
