//! `--format json`: the whole model for programs. The types are the schema that `shardscale schema collect` prints: units stand in the
//! names, an absent value is null.

mod runs;
mod verdicts;

use anyhow::{Context, Result};
use schemars::JsonSchema;
use serde::Serialize;

use crate::collect::baseline;
use crate::collect::circumstances;
use crate::collect::collection::Collection;
use crate::collect::model;
use crate::collect::scaling;
pub(super) use runs::parameters;

/// Name of the schema, as `shardscale schema` knows it.
const SCHEMA: &str = "collect";

/// Version of this output: it grows when a name changes its meaning or goes away.
const VERSION: u32 = 1;

/// What `shardscale collect --format json` prints. Names end with their unit: us are microseconds, GB are 10^9 bytes. Intervals
/// are [low, high]; ci95 and ci99 are confidence intervals of 95 and 99 %.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(title = "shardscale collect --format json")]
pub struct Report<'a> {
    /// Name of this schema: collect.
    schema: &'a str,
    /// Version of this schema. It grows when a name changes its meaning or goes away; new names may come without.
    version: u32,
    runs: Vec<runs::Run<'a>>,
    problems: Vec<Problem<'a>>,
    scaling: Vec<Scaling<'a>>,
    /// What the store costs the application, over all repeats; empty where ranks do not compute.
    application: Vec<runs::Pooled<'a>>,
    /// What decides: the settings in which runs differ, the one that decides most first.
    settings: Vec<verdicts::Setting<'a>>,
    /// Where the better of two ways changes.
    crossover: Vec<verdicts::Duel<'a>>,
    /// Null without --history.
    history: Option<verdicts::History<'a>>,
    /// Null without --baseline, and without collections of a history to compare with.
    baseline: Option<Baseline<'a>>,
}

/// Something found that could not be taken for a run, or that needs a look.
#[derive(Debug, Serialize, JsonSchema)]
struct Problem<'a> {
    /// Relative to the collected folder.
    path: &'a str,
    what: &'a str,
    /// The folder is a run that could not be read: it is not among the runs.
    is_run: bool,
}

/// How bandwidth grows along one axis, all else the same.
#[derive(Debug, Serialize, JsonSchema)]
struct Scaling<'a> {
    /// load, strong, dense or weak.
    reading: &'a str,
    series: &'a str,
    payload_bytes: u64,
    /// Which bandwidth.
    figure: &'a str,
    /// The parameter that x counts.
    axis: &'a str,
    points: Vec<Point>,
    /// In what its runs differ beside the axis and the repeat.
    differs: &'a [String],
    fit: Option<Fit<'a>>,
    /// Why there is no fit; null where there is one.
    fit_refused: Option<&'a str>,
}

/// The runs at one x.
#[derive(Debug, Serialize, JsonSchema)]
struct Point {
    x: u64,
    runs: usize,
    /// Over the runs.
    median_gb_per_s: Option<f64>,
    least_gb_per_s: Option<f64>,
    most_gb_per_s: Option<f64>,
    /// Bandwidth / that of the smallest x.
    speed_up: f64,
    /// Speed-up / (x / the smallest x).
    efficiency: f64,
}

/// A law of scaling that meets every point within 25 %.
#[derive(Debug, Serialize, JsonSchema)]
struct Fit<'a> {
    /// USL, Amdahl or linear.
    kind: &'a str,
    lambda_gb_per_s: Option<f64>,
    sigma: f64,
    kappa: f64,
    /// Where more stops helping.
    knee_x: Option<f64>,
    knee_is_measured: bool,
    r_squared: f64,
    worst_relative_error: f64,
}

/// What changed against an earlier folder, or the last collections of the history.
#[derive(Debug, Serialize, JsonSchema)]
struct Baseline<'a> {
    folder: &'a str,
    /// Of median durations: these decide.
    changes: Vec<Change<'a>>,
    /// Of p99 and bandwidth, where both sides have repeats.
    further: Vec<Change<'a>>,
    only_in_baseline: &'a [String],
    only_here: &'a [String],
    /// Runs of another product or wire.
    not_compared: &'a [String],
    differs: Vec<InPairs<'a>>,
}

/// A figure of a run on both sides.
#[derive(Debug, Serialize, JsonSchema)]
struct Change<'a> {
    run: &'a str,
    baseline_run: &'a str,
    payload_bytes: u64,
    op: &'a str,
    /// The figure with its unit, as `baseline_value` and `value` have it: median_us, p99_us or overlap_gb_per_s.
    figure: &'a str,
    /// Repeats on each side.
    baseline_runs: usize,
    runs: usize,
    baseline_value: f64,
    value: f64,
    ratio_new_to_old: f64,
    ratio_ci99: Option<[f64; 2]>,
    /// repeats, collections or blocks of iterations.
    interval_from: Option<&'a str>,
    /// slower, faster, unconfirmed, noise or too few.
    verdict: &'a str,
    differs: Vec<Difference<'a>>,
}

/// In what two sides differ that may explain a figure.
#[derive(Debug, Serialize, JsonSchema)]
struct Difference<'a> {
    name: &'a str,
    baseline: &'a str,
    here: &'a str,
}

/// A difference, and in how many of all pairs of runs it is.
#[derive(Debug, Serialize, JsonSchema)]
struct InPairs<'a> {
    what: Difference<'a>,
    pairs: usize,
    of: usize,
}

/// Renders the collection as one line of JSON.
pub fn render(collection: &Collection) -> Result<String> {
    let report = Report {
        schema: SCHEMA,
        version: VERSION,
        runs: collection.runs.iter().map(runs::run).collect(),
        problems: collection.problems.iter().map(problem).collect(),
        scaling: collection.scaling.iter().map(scaling).collect(),
        application: collection.application.iter().map(runs::pooled).collect(),
        settings: collection.settings.iter().map(verdicts::setting).collect(),
        crossover: collection.crossover.iter().map(verdicts::duel).collect(),
        history: collection.history.as_ref().map(verdicts::history),
        baseline: collection.baseline.as_ref().map(baseline),
    };
    Ok(serde_json::to_string(&report).context("cannot encode the report")? + "\n")
}

fn problem(model::Problem { path, what, is_run }: &model::Problem) -> Problem<'_> {
    Problem { path, what, is_run: *is_run }
}

fn scaling(of: &scaling::Scaling) -> Scaling<'_> {
    let point = |point: &scaling::Point| Point {
        x: point.x,
        runs: point.runs,
        median_gb_per_s: gb(Some(point.gb_per_s)),
        least_gb_per_s: gb(Some(point.low)),
        most_gb_per_s: gb(Some(point.high)),
        speed_up: rounded(point.speed_up, 4),
        efficiency: rounded(point.efficiency, 4),
    };
    let fit = of.fit.as_ref().ok().map(|fit| Fit {
        kind: fit.kind.as_str(),
        lambda_gb_per_s: gb(Some(fit.lambda)),
        sigma: fit.sigma,
        kappa: fit.kappa,
        knee_x: fit.knee.map(|knee| rounded(knee, 1)),
        knee_is_measured: fit.knee_is_measured,
        r_squared: rounded(fit.r_squared, 4),
        worst_relative_error: rounded(fit.worst_error, 4),
    });
    Scaling {
        reading: of.reading.as_str(),
        series: &of.label,
        payload_bytes: of.payload_bytes,
        figure: of.figure,
        axis: of.axis,
        points: of.points.iter().map(point).collect(),
        differs: &of.differs,
        fit,
        fit_refused: of.fit.as_ref().err().map(String::as_str),
    }
}

fn baseline(of: &baseline::Baseline) -> Baseline<'_> {
    Baseline {
        folder: &of.folder,
        changes: of.changes.iter().map(change).collect(),
        further: of.further.iter().map(change).collect(),
        only_in_baseline: &of.only_old,
        only_here: &of.only_new,
        not_compared: &of.apart,
        differs: of
            .differs
            .iter()
            .map(|(one, pairs)| InPairs { what: difference(one), pairs: *pairs, of: of.pairs })
            .collect(),
    }
}

fn change(of: &baseline::Change) -> Change<'_> {
    let value = |value| rounded(of.metric.in_unit(value), of.metric.digits() as i32);
    Change {
        run: &of.run,
        baseline_run: &of.baseline_run,
        payload_bytes: of.payload_bytes,
        op: of.op_name(),
        figure: of.metric.as_str(),
        baseline_runs: of.old_runs,
        runs: of.new_runs,
        baseline_value: value(of.old),
        value: value(of.new),
        ratio_new_to_old: ratio(of.ratio),
        ratio_ci99: ends(of.interval),
        interval_from: of.interval.map(|_| of.method.as_str()),
        verdict: of.verdict.as_str(),
        differs: of.differs.iter().map(difference).collect(),
    }
}

fn difference(of: &circumstances::Difference) -> Difference<'_> {
    Difference { name: of.name, baseline: &of.old, here: &of.new }
}

/// Nanoseconds in microseconds to the nanosecond.
pub(super) fn us(ns: f64) -> f64 {
    rounded(ns / 1e3, 3)
}

pub(super) fn gb(value: Option<f64>) -> Option<f64> {
    value.map(|value| rounded(value, 6))
}

fn ratio(value: f64) -> f64 {
    rounded(value, 6)
}

fn ends(interval: Option<(f64, f64)>) -> Option<[f64; 2]> {
    interval.map(|(low, high)| [ratio(low), ratio(high)])
}

fn rounded(value: f64, digits: i32) -> f64 {
    let scale = 10f64.powi(digits);
    (value * scale).round() / scale
}
