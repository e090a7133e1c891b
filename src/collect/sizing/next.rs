//! Which further points would narrow an answer the most for their cost.
//!
//! One at a time: each candidate is tried out as if it had been measured, with three outcomes of its predictive distribution
//! (Gauss and Hermite's points: the mean, and the square root of 3 deviations to each side, weighted 2/3, 1/6, 1/6), the laws are
//! fitted again with each, and the expected width of the interval that decides is what counts. The best for each cost is taken as
//! if it had brought its mean, and the rest are looked at again: a greedy sequential design (Chaloner & Verdinelli, Statistical
//! Science 10, 1995).

use rayon::prelude::*;

use super::answer::{Choice, Search, Verdict};
use super::curve::Unknown;
use super::layout::Layout;

/// The half width, in logarithms, of an answer of which nothing is known.
const NOTHING_KNOWN: f64 = 4.0;
/// Points of a law of which nothing is known yet.
const FIRST_POINTS: usize = 4;
/// A range of DB nodes that is narrower, as a part, is decided.
const NARROW: f64 = 0.1;
/// Less narrowing is none.
const LEAST_GAIN: f64 = 0.01;

/// A run that could be made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candidate {
    pub layout: Layout,
    /// Above 0, in any unit.
    pub cost: f64,
}

/// Runs that are worth their cost.
#[derive(Debug, Clone, PartialEq)]
pub struct Proposal {
    /// In the order in which they narrow the most for their cost.
    pub points: Vec<Candidate>,
    /// How far the deciding interval reaches to each side, as a factor, now and as is expected then; absent where nothing is known.
    pub now: Option<f64>,
    pub then: Option<f64>,
    /// What would be said then if the points came out as is expected.
    pub expected: Verdict,
}

/// Whether nothing is left to be found out.
pub fn is_decided(verdict: &Verdict) -> bool {
    match verdict {
        Verdict::Met { choice, may_do } => {
            f64::from(choice.db_nodes() - may_do) <= NARROW * f64::from(choice.db_nodes())
        }
        Verdict::NotMet(_) | Verdict::Unknown(Unknown::NoSuch) => true,
        Verdict::Undecided(_) | Verdict::Unknown(_) => false,
    }
}

/// The points of `candidates` that would decide what `search` leaves open, for at most `budget`; `None` where nothing is open.
pub fn propose(
    search: &Search<'_>,
    candidates: &[Candidate],
    budget: f64,
    most_db_nodes: Option<u32>,
) -> Option<Proposal> {
    let mut search = search.clone();
    let mut verdict = search.verdict(most_db_nodes);
    if is_decided(&verdict) {
        return None;
    }
    let now = width(&search, &target(&search, &verdict));
    let (mut points, mut left, mut open) = (Vec::new(), budget, candidates.to_vec());
    open.retain(|candidate| !search.has(&candidate.layout));
    while !is_decided(&verdict) {
        open.retain(|candidate| candidate.cost <= left);
        let target = target(&search, &verdict);
        let width_now = width(&search, &target);
        let gain = |candidate: &Candidate| (width_now - expected(&search, &target, candidate)) / candidate.cost;
        let gains: Vec<f64> = open.par_iter().map(gain).collect();
        let best = (0..open.len()).max_by(|a, b| gains[*a].total_cmp(&gains[*b]));
        let best = match best {
            Some(best) if gains[best] * open[best].cost > LEAST_GAIN => Some(best),
            // one alone brings nothing where laws want several
            _ if search.points() < FIRST_POINTS || width_now >= NOTHING_KNOWN => {
                (0..open.len()).min_by(|a, b| far(&open[*a], &target).total_cmp(&far(&open[*b], &target)))
            }
            _ => None,
        };
        let Some(best) = best else { break };
        let taken = open.swap_remove(best);
        left -= taken.cost;
        search.measure(&taken.layout, 0.0);
        points.push(taken);
        verdict = search.verdict(most_db_nodes);
    }
    let shown = |width: f64| (width < NOTHING_KNOWN).then(|| width.exp());
    let then = shown(width(&search, &target(&search, &verdict)));
    Some(Proposal { points, now: shown(now), then, expected: verdict })
}

/// The store of which more has to be known: in the middle of those that may do, or the nearest.
fn target(search: &Search<'_>, verdict: &Verdict) -> Layout {
    match verdict {
        Verdict::Met { choice, may_do } => {
            let middle = (f64::from(choice.db_nodes()) * f64::from((*may_do).max(1))).sqrt().round() as u32;
            Layout { db_nodes: choice.layout.db_nodes.map(|_| middle), ..choice.layout }
        }
        Verdict::NotMet(choice) | Verdict::Undecided(choice) => choice.layout,
        Verdict::Unknown(_) => search.likely(),
    }
}

/// Half width of the deciding figure, in logarithms.
fn width(search: &Search<'_>, target: &Layout) -> f64 {
    let widest = |choice: Choice| {
        let widths =
            choice.figures.iter().map(|figure| figure.found.as_ref().map_or(NOTHING_KNOWN, |found| found.width().ln()));
        widths.fold(0.0, f64::max).min(NOTHING_KNOWN)
    };
    widest(search.try_out(*target))
}

/// The width that is expected when `candidate` has been measured.
fn expected(search: &Search<'_>, target: &Layout, candidate: &Candidate) -> f64 {
    let outcome = |deviations: f64| {
        let mut then = search.clone();
        then.measure(&candidate.layout, deviations);
        width(&then, target)
    };
    let side = 3f64.sqrt();
    outcome(0.0) * 2.0 / 3.0 + (outcome(side) + outcome(-side)) / 6.0
}

/// Cost, more for what is unlike the target.
fn far(candidate: &Candidate, target: &Layout) -> f64 {
    let ratio = |a: u32, b: u32| (f64::from(a.max(1)) / f64::from(b.max(1))).ln().abs();
    let of = candidate.layout;
    let distance = ratio(of.ranks, target.ranks)
        + ratio(of.clients_per_node, target.clients_per_node) * 4.0
        + ratio(of.db_nodes.unwrap_or(1), target.db_nodes.unwrap_or(1));
    candidate.cost * (1.0 + distance)
}
