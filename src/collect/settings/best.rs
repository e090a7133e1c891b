//! The comparisons: every value of a setting with every other one, where all else is the same.
//!
//! Which value is fastest is seen from the very figures that are tested, so that all pairs count as comparisons and not only those
//! with the fastest one.

use std::collections::BTreeMap;

use rayon::prelude::*;

use super::sides::{self, Contest, Side};
use super::{Choice, Place, Setting, Standing, Verdict};
use crate::collect::baseline::{FALSE_RATE, Method, margin};
use crate::collect::model::{OpResult, Run, SizeResult};
use crate::collect::stats::interval::{CONFIDENCE, Contrast, geometric_mean};
use crate::collect::stats::multiple::discovery_limit;
use crate::record::op::Op;

/// The settings by how much they decide: those of repeated runs first.
pub fn of_runs(runs: &[Run]) -> Vec<Setting> {
    let names: Vec<&'static str> = sides::settings().collect();
    let mut all: Vec<Drafts> =
        names.par_iter().map(|name| drafts(runs, name)).filter(|one| !one.places.is_empty()).collect();
    let p: Vec<f64> = all.iter().flat_map(|one| &one.places).flat_map(|place| place.p.iter().copied()).collect();
    // the least level at which one more would have been called, beside the 99 % that each has to pass by itself
    let called =
        discovery_limit(&p, FALSE_RATE).map(|limit| p.iter().filter(|p| **p <= limit).count()).unwrap_or_default();
    let level = (1.0 - CONFIDENCE).min(FALSE_RATE * (called + 1) as f64 / p.len().max(1) as f64);
    let mut settings: Vec<Setting> = all.drain(..).map(|one| one.judged(level)).collect();
    settings.sort_by(|a, b| {
        (b.interval.is_some(), b.spread)
            .partial_cmp(&(a.interval.is_some(), a.spread))
            .unwrap_or(std::cmp::Ordering::Equal)
    });
    settings
}

/// A setting before it is known how many comparisons there are.
struct Drafts {
    name: &'static str,
    places: Vec<Draft>,
}

struct Draft {
    label: String,
    payload_bytes: u64,
    op: Op,
    /// The fastest first.
    options: Vec<Candidate>,
    /// Of every pair that differs in the setting alone.
    p: Vec<f64>,
    runs: Vec<usize>,
}

struct Candidate {
    label: String,
    medians: Vec<f64>,
    middle: f64,
    /// Against the fastest; absent where one of the two is not repeated.
    contrast: Option<Contrast>,
    is_compared: bool,
}

fn drafts(runs: &[Run], name: &'static str) -> Drafts {
    let places = sides::contests(runs, name, &[]).iter().flat_map(|contest| places(contest, name)).collect();
    Drafts { name, places }
}

/// A side with the medians of its runs.
type Measured<'a> = (&'a Side<'a>, Vec<f64>);

fn places(contest: &Contest<'_>, name: &str) -> Vec<Draft> {
    let mut found: BTreeMap<(u64, Op), Vec<Measured<'_>>> = BTreeMap::new();
    for side in &contest.sides {
        for size in side.runs.iter().flat_map(|(_, run)| run.sizes()) {
            for op in of_store(size) {
                let sides = found.entry((size.payload_bytes, op.op)).or_default();
                match sides.last_mut() {
                    Some((known, medians)) if std::ptr::eq(*known, side) => medians.push(op.latency.median),
                    _ => sides.push((side, vec![op.latency.median])),
                }
            }
        }
    }
    found
        .into_iter()
        .filter_map(|((payload_bytes, op), sides)| draft(&contest.label, (payload_bytes, op), name, &sides))
        .collect()
}

/// What ranks compute is the application's own.
fn of_store(size: &SizeResult) -> impl Iterator<Item = &OpResult> {
    size.ops.iter().filter(|op| size.application.iter().all(|of_application| of_application.op != op.op))
}

fn draft(label: &str, (payload_bytes, op): (u64, Op), name: &str, sides: &[Measured<'_>]) -> Option<Draft> {
    let mut sides: Vec<(&Side<'_>, &[f64], f64)> =
        sides.iter().filter_map(|(side, medians)| Some((*side, &medians[..], geometric_mean(medians)?))).collect();
    sides.sort_by(|a, b| a.2.total_cmp(&b.2));
    let (first, fastest, _) = *sides.first()?;
    let pairs = sides.iter().enumerate().flat_map(|(at, one)| sides[at + 1..].iter().map(move |other| (one, other)));
    let fitting = pairs.filter(|((a, ..), (b, ..))| a.fits(b, name));
    let p =
        fitting.filter_map(|((_, a, _), (_, b, _))| Contrast::welch(a, b)?.p(1.0 + margin(Method::Repeats))).collect();
    let option = |(side, medians, middle): &(&Side<'_>, &[f64], f64)| Candidate {
        label: side.label.clone(),
        medians: medians.to_vec(),
        middle: *middle,
        contrast: Contrast::welch(fastest, medians),
        is_compared: first.fits(side, name),
    };
    let mut runs: Vec<usize> = sides.iter().flat_map(|(side, ..)| side.runs.iter().map(|(index, _)| *index)).collect();
    runs.sort_unstable();
    let options: Vec<Candidate> = sides.iter().map(option).collect();
    let is_one = options.iter().any(|one| one.is_compared);
    is_one.then(|| Draft { label: label.to_owned(), payload_bytes, op, options, p, runs })
}

impl Drafts {
    fn judged(self, level: f64) -> Setting {
        let places: Vec<Place> = self.places.into_iter().map(|draft| draft.judged(level)).collect();
        // the slowest of those that were compared, of each place
        let slowest = |place: &Place| place.options.iter().rev().find(|one| one.standing != Standing::Apart).cloned();
        let all: Vec<Choice> = places.iter().filter_map(slowest).collect();
        let intervals: Vec<(f64, f64)> = all.iter().filter_map(|one| one.interval).collect();
        let repeated = |one: &&Choice| intervals.is_empty() || one.interval.is_some();
        let middle = |values: Vec<f64>| geometric_mean(&values).unwrap_or(1.0);
        let (low, high): (Vec<f64>, Vec<f64>) = intervals.iter().copied().unzip();
        Setting {
            name: self.name,
            spread: middle(all.iter().filter(repeated).map(|one| one.ratio).collect()),
            interval: (!intervals.is_empty()).then(|| (middle(low), middle(high))),
            places,
        }
    }
}

impl Draft {
    fn judged(self, level: f64) -> Place {
        let fastest = self.options[0].middle;
        let options: Vec<Choice> =
            self.options.iter().enumerate().map(|(at, one)| one.judged(at == 0, fastest, level)).collect();
        let count = |standing| options.iter().filter(|one| one.standing == standing).count();
        let seen = || options.iter().filter_map(|one| one.detectable).fold(1.0, f64::max);
        let verdict = match (count(Standing::Slower), count(Standing::NotTold), count(Standing::NotRepeated)) {
            (0, 0, _) => Verdict::NotRepeated,
            (0, ..) => Verdict::NoDifference { seen: seen() },
            (_, 0, 0) => Verdict::Best,
            _ => Verdict::Several,
        };
        let Draft { label, payload_bytes, op, runs, .. } = self;
        Place { label, payload_bytes, op, options, verdict, runs }
    }
}

impl Candidate {
    fn judged(&self, is_fastest: bool, fastest: f64, level: f64) -> Choice {
        let margin = 1.0 + margin(Method::Repeats);
        let contrast = self.contrast.filter(|_| self.is_compared);
        let p = contrast.and_then(|contrast| contrast.p(margin));
        let standing = match p {
            _ if is_fastest => Standing::Fastest,
            _ if !self.is_compared => Standing::Apart,
            None => Standing::NotRepeated,
            Some(p) if p <= level => Standing::Slower,
            Some(_) => Standing::NotTold,
        };
        Choice {
            label: self.label.clone(),
            runs: self.medians.len(),
            median_ns: self.middle,
            ratio: self.middle / fastest,
            interval: contrast.and_then(|contrast| contrast.interval()),
            p,
            detectable: contrast.and_then(|contrast| contrast.detectable(margin, level)),
            standing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::groups::tests::run;
    use crate::collect::params::Value;
    use crate::collect::stats::Summary;
    use crate::record::workload::{OPS, PUT, UNPACK};

    /// Two settings of two values each under two loads, three repeats: medians scatter by 3 %, half of it shared by a run's ops.
    /// Four I/O threads take `factor` times as long.
    fn study(random: &mut fastrand::Rng, factor: f64) -> Vec<Run> {
        let mut normal = || {
            (-2.0 * (1.0 - random.f64()).ln()).sqrt()
                * (std::f64::consts::TAU * random.f64()).cos()
                * 0.03
                * 0.5f64.sqrt()
        };
        let mut runs = Vec::new();
        for (client_nodes, io_threads, keys, repeat) in [4, 8]
            .iter()
            .flat_map(|n| [1, 4].map(|io| (n, io)))
            .flat_map(|(n, io)| ["hash", "balanced"].map(|k| (n, io, k)))
            .flat_map(|(n, io, k)| (1..=3).map(move |r| (*n, io, k, r)))
        {
            let mut one = run(client_nodes, Some(4), repeat, "redis");
            one.params.set("io_threads", Some(Value::Count(io_threads)));
            one.params.set("keys", Some(Value::Text(keys.into())));
            let level = normal() + if io_threads == 4 { factor.ln() } else { 0.0 };
            for op in [PUT, UNPACK].map(|op| OPS[op]) {
                let ns = (1e6 * (level + normal()).exp()) as u64;
                one.measured.as_mut().unwrap().sizes[0].ops.push(OpResult {
                    op,
                    ranks: 1,
                    warmup_excluded: 0,
                    latency: Summary::of_sorted(&[ns]).unwrap(),
                    median_gb_per_s: None,
                    overlap_gb_per_s: None,
                    multimodal: None,
                    density: None,
                    trend: None,
                    block_medians_ns: Vec::new(),
                });
            }
            runs.push(one);
        }
        runs
    }

    #[test]
    fn settings_that_do_nothing_are_seldom_told_to_decide() {
        let mut random = fastrand::Rng::with_seed(4);
        let mut told = [0, 0];
        for _ in 0..200 {
            for (told, factor) in told.iter_mut().zip([1.0, 1.5]) {
                let settings = of_runs(&study(&mut random, factor));
                assert_eq!(settings.iter().map(|one| one.places.len()).collect::<Vec<_>>(), [8, 8]);
                *told += usize::from(settings.iter().any(|one| one.decided() > 0));
            }
        }
        println!(
            "of 200 studies with something told to decide: {} where nothing does, {} where one takes 1.5 times",
            told[0], told[1]
        );
        // 5 % of 200 is 10; 21 and more are chance in less than one case of a thousand
        assert!(told[0] <= 20 && told[1] >= 190, "{told:?}");
    }
}
