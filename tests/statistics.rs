//! The statistics of `collect` against numpy, scipy and diptest: tests/reference/statistics.py made the values.

#![allow(clippy::unwrap_used)] // clippy takes #[test] functions alone for tests, not their helpers

use serde::Deserialize;
use shardscale::collect::scaling::Fit;
use shardscale::collect::sizing::fit::{Ensemble, Observation};
use shardscale::collect::sizing::law::{Arrival, Load};
use shardscale::collect::stats::interval::Contrast;
use shardscale::collect::stats::quantile::{median_ci95, quantile};
use shardscale::collect::stats::trend::Trend;
use shardscale::collect::stats::{Summary, change_point, density::Density, dip, interval, outlier};

#[derive(Deserialize)]
struct Reference {
    samples: Vec<Sample>,
    trends: Vec<TrendOf>,
    welch: Vec<Welch>,
    usl: Vec<Usl>,
    blocks: Vec<Blocks>,
    stragglers: Vec<Stragglers>,
    densities: Vec<Binned>,
    following: Vec<Following>,
    detectable: Vec<Detectable>,
    change_points: Vec<Change>,
    sizing: Vec<Sizing>,
    /// (n, from, to), counted from 1.
    ranks_of_median: Vec<(u32, u32, u32)>,
}

#[derive(Deserialize)]
struct Sizing {
    stations: Vec<usize>,
    in_step: bool,
    points: Vec<Observation>,
    log_demands: Vec<f64>,
    deviations: Vec<f64>,
    left_out: f64,
    far: Load,
    log_at_far: f64,
}

#[derive(Deserialize)]
struct Sample {
    kind: String,
    values: Vec<u64>,
    quantiles: Vec<(f64, f64)>,
    mad: f64,
    median_ci95: Option<(u64, u64)>,
    dip_of_log: f64,
    multimodal_1_percent: bool,
}

#[derive(Deserialize)]
struct TrendOf {
    values: Vec<f64>,
    change: f64,
    p: f64,
}

#[derive(Deserialize)]
struct Welch {
    old: Vec<f64>,
    new: Vec<f64>,
    interval: (f64, f64),
    /// Of the test that the ratio lies within 1 %.
    p: f64,
}

#[derive(Deserialize)]
struct Usl {
    points: Vec<(f64, f64)>,
    lambda: f64,
    sigma: f64,
    kappa: f64,
}

#[derive(Deserialize)]
struct Blocks {
    old: Vec<f64>,
    new: Vec<f64>,
    interval: [f64; 2],
    scatter: [f64; 2],
}

#[derive(Deserialize)]
struct Stragglers {
    ratios: Vec<f64>,
    limit: f64,
}

#[derive(Deserialize)]
struct Binned {
    values: Vec<u64>,
    counts: Vec<u32>,
    above: u64,
}

#[derive(Deserialize)]
struct Following {
    old: Vec<f64>,
    new: f64,
    interval: (f64, f64),
    p: f64,
}

#[derive(Deserialize)]
struct Detectable {
    level: f64,
    old: Vec<f64>,
    new: Vec<f64>,
    ratio: f64,
}

#[derive(Deserialize)]
struct Change {
    points: Vec<Vec<f64>>,
    at: usize,
    p: f64,
}

fn reference() -> Reference {
    serde_json::from_str(include_str!("reference/statistics.json")).unwrap()
}

#[track_caller]
fn near(ours: f64, theirs: f64, relative: f64, what: &str) {
    assert!((ours - theirs).abs() <= relative * theirs.abs().max(1e-9), "{what}: {ours} instead of {theirs}");
}

#[test]
fn quantiles_spread_and_intervals() {
    for sample in reference().samples {
        let mut sorted = sample.values;
        sorted.sort_unstable();
        let what = format!("{} {}", sample.kind, sorted.len());
        for (p, value) in sample.quantiles {
            near(quantile(&sorted, p).unwrap(), value, 1e-9, &what);
        }
        near(Summary::of_sorted(&sorted).unwrap().mad, sample.mad, 1e-9, &what);
        assert_eq!(median_ci95(&sorted), sample.median_ci95, "{what}");
    }
}

#[test]
fn the_dip_and_its_verdict() {
    for sample in reference().samples {
        let mut sorted = sample.values;
        sorted.sort_unstable();
        let what = format!("{} {}", sample.kind, sorted.len());
        let logs: Vec<f64> = sorted.iter().map(|value| (*value as f64).ln()).collect();
        near(dip::dip(&logs), sample.dip_of_log, 1e-9, &what);
        if sorted.len() >= dip::LEAST {
            // ours is the more careful test: it may keep silent where diptest speaks, and never the other way
            let ours = dip::is_multimodal(&sorted).unwrap();
            assert!(!ours || sample.multimodal_1_percent, "{what}");
            if sample.kind == "two modes" {
                assert!(ours, "{what}");
            }
        }
    }
}

#[test]
fn trends() {
    for trend in reference().trends {
        let ours = Trend::of(&trend.values).unwrap();
        near(ours.change, trend.change, 1e-9, "change");
        near(ours.p, trend.p, 1e-6, "p");
    }
}

#[test]
fn intervals_of_ratios() {
    for welch in reference().welch {
        let (low, high) = interval::welch_ratio(&welch.old, &welch.new).unwrap();
        near(low, welch.interval.0, 1e-6, "low");
        near(high, welch.interval.1, 1e-6, "high");
        near(interval::welch_p(&welch.old, &welch.new, 1.01).unwrap(), welch.p, 1e-6, "p");
    }
}

#[test]
fn intervals_from_blocks_are_those_of_another_bootstrap() {
    for blocks in reference().blocks {
        let (low, high) = interval::block_ratio(&blocks.old, &blocks.new).unwrap();
        for (at, ours) in [low, high].into_iter().enumerate() {
            // both draw at random: five standard deviations of an end that 1000 draws make
            let (theirs, room) = (blocks.interval[at], 5.0 * blocks.scatter[at] + 1e-9);
            assert!((ours - theirs).abs() < room, "{ours} instead of {theirs} +- {room}");
        }
    }
}

#[test]
fn limits_of_stragglers() {
    for one in reference().stragglers {
        near(outlier::limit(&one.ratios).unwrap(), one.limit, 1e-12, "limit");
    }
}

#[test]
fn densities_are_histograms_of_the_logarithm() {
    for one in reference().densities {
        let mut sorted = one.values;
        sorted.sort_unstable();
        let ours = Density::of_sorted(&sorted).unwrap();
        // the last places of an edge decide where a sample upon it goes
        let moved: u32 = ours.counts.iter().zip(&one.counts).map(|(ours, theirs)| ours.abs_diff(*theirs)).sum();
        assert!(moved <= 2 && ours.above == one.above, "{:?} instead of {:?}", ours.counts, one.counts);
    }
}

#[test]
fn the_interval_of_the_median_has_the_ranks_of_the_binomial() {
    for (n, from, to) in reference().ranks_of_median {
        let values: Vec<u32> = (1..=n).collect();
        let ours = median_ci95(&values).unwrap();
        // exact up to 1000; beyond, the normal approximation may be one rank wider
        let room = u32::from(n > 1000);
        assert!(from - ours.0 <= room && ours.1 - to <= room, "n = {n}: {ours:?} instead of {from} {to}");
    }
}

#[test]
fn fits_of_the_scalability_law() {
    for usl in reference().usl {
        let fit = Fit::of(&usl.points).unwrap();
        near(fit.lambda, usl.lambda, 1e-6, "lambda");
        near(fit.sigma, usl.sigma, 1e-5, "sigma");
        near(fit.kappa, usl.kappa, 1e-5, "kappa");
    }
}

#[test]
fn one_more_of_its_kind() {
    for one in reference().following {
        let contrast = Contrast::next(&one.old, one.new).unwrap();
        let (low, high) = contrast.interval().unwrap();
        near(low, one.interval.0, 1e-9, "low end");
        near(high, one.interval.1, 1e-9, "high end");
        near(contrast.p(1.01).unwrap(), one.p, 1e-9, "p");
    }
}

#[test]
fn what_a_comparison_would_have_seen() {
    for one in reference().detectable {
        let ours = Contrast::welch(&one.old, &one.new).unwrap().detectable(1.01, one.level).unwrap();
        // an approximation of the non-central t
        near((ours / 1.01).ln(), (one.ratio / 1.01).ln(), 0.05, "detectable");
    }
}

#[test]
fn changes_of_level() {
    for one in reference().change_points {
        let ours = change_point::clearest(&one.points).unwrap();
        assert_eq!(ours.at, one.at);
        // theirs are 4000 permutations; ours end after 10 exceedances, with a third of p as their error
        assert!(ours.p <= 3.0 * one.p + 0.002 && ours.p >= one.p / 3.0 - 0.002, "{} instead of {}", ours.p, one.p);
    }
}

#[test]
fn laws_of_stations() {
    for one in reference().sizing {
        let found = Ensemble::of(&one.points).unwrap();
        let arrival = if one.in_step { Arrival::InStep } else { Arrival::Free };
        let of_it = found.members.iter().find(|member| {
            let stations: Vec<usize> = member.law.stations().iter().map(|station| *station as usize).collect();
            member.law.arrival == arrival && stations == one.stations
        });
        let member = of_it.unwrap_or_else(|| panic!("no law of {:?}: {found:?}", one.stations));
        for (at, log) in member.law.log_demands().iter().enumerate() {
            near(*log, one.log_demands[at], 1e-5, "ln demand");
            near(member.covariance[at][at].sqrt(), one.deviations[at], 1e-3, "its deviation");
        }
        near(member.left_out, one.left_out, 1e-3, "error of points left out");
        near(member.law.at(&one.far).0, one.log_at_far, 1e-5, "ln T far away");
    }
}
