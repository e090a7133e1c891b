//! Which runs duel, and the ratios of their bandwidths.

use std::collections::{BTreeMap, BTreeSet};

use super::curve::{Point, answer};
use super::{Along, Answer, Cell, Curve, Duel, Ratio, Share};
use crate::collect::baseline::{FALSE_RATE, Method, margin};
use crate::collect::groups;
use crate::collect::model::{Run, SizeResult};
use crate::collect::params::Value;
use crate::collect::settings::sides::{Side, contests};
use crate::collect::stats::interval::{CONFIDENCE, Contrast, geometric_mean};
use crate::collect::stats::multiple::discovery_limit;

/// Settings whose values are asked to duel.
const SETTINGS: [&str; 2] = ["deployment", "store"];

/// Every duel with at least two points on a curve.
pub fn of_runs(runs: &[Run]) -> Vec<Duel> {
    let axis = groups::axis(runs);
    let mut duels = Vec::new();
    for setting in SETTINGS {
        for contest in contests(runs, setting, &[axis]) {
            let pairs = contest
                .sides
                .iter()
                .enumerate()
                .flat_map(|(at, one)| contest.sides[at + 1..].iter().map(move |other| (one, other)));
            let fitting = pairs.filter(|(one, other)| one.fits(other, setting));
            duels.extend(fitting.filter_map(|pair| duel(pair, (setting, axis), &contest.label)));
        }
    }
    duels.sort_by(|a, b| (a.setting, &a.sides, &a.label).cmp(&(b.setting, &b.sides, &b.label)));
    correct(&mut duels);
    for duel in &mut duels {
        duel.curves = curves(&duel.cells);
    }
    duels.retain(|duel| !duel.curves.is_empty());
    duels
}

/// A figure of a side at one load and size: the bandwidths of its runs, and their nodes.
#[derive(Default)]
struct Place {
    overlap: Vec<Option<f64>>,
    classic: Vec<Option<f64>>,
    /// Nodes of clients, of the store, and all.
    nodes: [Option<f64>; 3],
}

type Places = BTreeMap<(u64, u64), Place>;

fn places(side: &Side<'_>, axis: &str) -> Places {
    let mut places = Places::new();
    for (_, run) in &side.runs {
        let Some(Value::Count(load)) = run.params.get(axis) else { continue };
        for size in run.sizes() {
            let place = places.entry((load.unsigned_abs(), size.payload_bytes)).or_default();
            add(place, run, size);
        }
    }
    places
}

fn add(place: &mut Place, run: &Run, size: &SizeResult) {
    place.overlap.push(size.overlap_gb_per_s);
    place.classic.push(size.classic_gb_per_s);
    let (of_store, all) = run.nodes();
    let has_servers = run.params.get("servers_per_node").is_some() || run.params.get("db_nodes").is_some();
    place.nodes = [Some(1.0), of_store.filter(|_| has_servers), all];
}

fn duel(pair: (&Side<'_>, &Side<'_>), (setting, axis): (&'static str, &'static str), label: &str) -> Option<Duel> {
    let (first, second) = (places(pair.0, axis), places(pair.1, axis));
    let both: Vec<&(u64, u64)> = first.keys().filter(|at| second.contains_key(*at)).collect();
    // one figure for the whole duel: figures of different definitions are no curve
    let has_overlap = both.iter().all(|at| first[*at].overlap.iter().chain(&second[*at].overlap).all(Option::is_some));
    let of = |place: &Place| {
        let figures = if has_overlap { &place.overlap } else { &place.classic };
        figures.iter().copied().flatten().filter(|figure| *figure > 0.0).collect::<Vec<f64>>()
    };
    let cell = |at: &&(u64, u64)| {
        let (a, b) = (&first[*at], &second[*at]);
        let (olds, news) = (of(a), of(b));
        let value = geometric_mean(&news)? / geometric_mean(&olds)?;
        let contrast = Contrast::welch(&olds, &news);
        let ratio = |share: Share| {
            let factor = a.nodes[share as usize]? / b.nodes[share as usize]?;
            let contrast = contrast.map(|contrast| contrast.times(factor));
            Some(Ratio {
                value: value * factor,
                interval: contrast.and_then(|contrast| contrast.interval()),
                p: contrast.and_then(|contrast| contrast.p(1.0 + margin(Method::Repeats))),
                better: None,
            })
        };
        Some(Cell { load: at.0, payload_bytes: at.1, runs: [olds.len(), news.len()], ratios: Share::ALL.map(ratio) })
    };
    let cells: Vec<Cell> = both.iter().filter_map(cell).collect();
    let mut runs: Vec<usize> = pair.0.runs.iter().chain(&pair.1.runs).map(|(index, _)| *index).collect();
    runs.sort_unstable();
    (cells.len() > 1).then(|| Duel {
        setting,
        sides: [pair.0.label.clone(), pair.1.label.clone()],
        label: label.to_owned(),
        axis,
        figure: if has_overlap { "overlap" } else { "classic" },
        cells,
        curves: Vec::new(),
        runs,
    })
}

/// Says who is better where that is certain by itself and among all cells of a share.
fn correct(duels: &mut [Duel]) {
    for share in Share::ALL {
        let all = duels.iter().flat_map(|duel| &duel.cells);
        let p: Vec<f64> = all.filter_map(|cell| cell.of(share)?.p).collect();
        let Some(limit) = discovery_limit(&p, FALSE_RATE).map(|limit| limit.min(1.0 - CONFIDENCE)) else { continue };
        let cells = duels.iter_mut().flat_map(|duel| &mut duel.cells);
        for ratio in cells.filter_map(|cell| cell.ratios[share as usize].as_mut()) {
            ratio.better = ratio.p.filter(|p| *p <= limit).map(|_| usize::from(ratio.value > 1.0));
        }
    }
}

/// The load or the size of a cell.
type Coordinate = fn(&Cell) -> u64;

fn curves(cells: &[Cell]) -> Vec<Curve> {
    let mut curves = Vec::new();
    for along in [Along::Load, Along::Size] {
        let (x, at): (Coordinate, Coordinate) = match along {
            Along::Load => (|cell| cell.load, |cell| cell.payload_bytes),
            Along::Size => (|cell| cell.payload_bytes, |cell| cell.load),
        };
        for fixed in cells.iter().map(at).collect::<BTreeSet<u64>>() {
            for share in Share::ALL {
                let mine =
                    (0..cells.len()).filter(|index| at(&cells[*index]) == fixed && cells[*index].of(share).is_some());
                let mut mine: Vec<usize> = mine.collect();
                mine.sort_by_key(|index| x(&cells[*index]));
                if mine.len() > 1 {
                    let answer = said(
                        &mine.iter().map(|index| (x(&cells[*index]), cells[*index].of(share))).collect::<Vec<_>>(),
                    );
                    curves.push(Curve { along, at: fixed, share, cells: mine, answer });
                }
            }
        }
    }
    curves
}

fn said(points: &[(u64, Option<&Ratio>)]) -> Answer {
    let point = |(x, ratio): &(u64, Option<&Ratio>)| {
        let Ratio { value, interval: Some((low, high)), better, .. } = (*ratio)? else { return None };
        Some(Point { x: *x, low: low.ln(), middle: value.ln(), high: high.ln(), better: *better })
    };
    answer(&points.iter().filter_map(point).collect::<Vec<_>>(), points.len())
}
