//! `--format json`: the whole model for programs, with units in the names; an absent value is null.

mod verdicts;

use anyhow::{Context, Result};
use serde_json::{Map, Value, json};

use crate::collect::application::Pooled;
use crate::collect::baseline::Baseline;
use crate::collect::circumstances::Difference;
use crate::collect::collection::Collection;
use crate::collect::model::{Application, Measured, OpResult, Run, SizeResult, Standings};
use crate::collect::params::COLUMNS;
use crate::collect::scaling::Scaling;

/// Version of this output: it grows when a name changes its meaning or goes away.
const VERSION: u32 = 1;

/// Renders the collection as one line of JSON.
pub fn render(collection: &Collection) -> Result<String> {
    let problem = |problem: &crate::collect::model::Problem| json!({ "path": problem.path, "what": problem.what, "is_run": problem.is_run });
    let all = json!({
        "version": VERSION,
        "runs": collection.runs.iter().map(run).collect::<Vec<_>>(),
        "problems": collection.problems.iter().map(problem).collect::<Vec<_>>(),
        "scaling": collection.scaling.iter().map(scaling).collect::<Vec<_>>(),
        "application": collection.application.iter().map(pooled).collect::<Vec<_>>(),
        "settings": collection.settings.iter().map(verdicts::setting).collect::<Vec<_>>(),
        "crossover": collection.crossover.iter().map(verdicts::duel).collect::<Vec<_>>(),
        "history": collection.history.as_ref().map(verdicts::history),
        "baseline": collection.baseline.as_ref().map(baseline),
    });
    Ok(serde_json::to_string(&all).context("cannot encode the report")? + "\n")
}

fn run(run: &Run) -> Value {
    let parameters: Map<String, Value> =
        COLUMNS.iter().filter_map(|(column, _)| Some(((*column).to_owned(), json!(run.params.get(column)?)))).collect();
    json!({
        "run": run.name,
        "path": run.path,
        "source": run.source.as_str(),
        "state": run.state.as_str(),
        "reason": run.reason,
        "notes": run.notes,
        "attempt": run.attempt,
        "pack": run.pack,
        "parameters": parameters,
        "timeline": run.timeline,
        "sizes_total": run.sizes_total,
        "measured": run.measured.as_ref().map(|it| measured(run, it)),
    })
}

fn measured(run: &Run, measured: &Measured) -> Value {
    let facts: Map<String, Value> = measured.facts.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
    let ratios: Map<String, Value> = measured
        .host_names
        .iter()
        .zip(&measured.host_ratios)
        .map(|(host, ratio)| (host.clone(), json!(ratio.map(|ratio| rounded(ratio, 4)))))
        .collect();
    json!({
        "ranks": measured.ranks,
        "hosts": measured.hosts,
        "wire": measured.wire,
        "server": measured.server,
        "ranks_per_shard": measured.ranks_per_shard,
        "window_error_us": us(measured.window_error_ns as f64),
        "facts": facts,
        "host_ratios": ratios,
        "standing_of_ranks": standings(&measured.ranks_standing),
        "standing_of_hosts": standings(&measured.hosts_standing),
        "standing_of_shards": standings(&measured.shards_standing),
        "sizes": measured.sizes.iter().map(|it| size(run, it)).collect::<Vec<_>>(),
        "alone": measured.alone.as_ref().map(op),
    })
}

fn standings(of: &Standings) -> Value {
    let slowest: Vec<_> = of
        .slowest
        .iter()
        .map(|one| json!({ "name": one.name, "ranks": one.ranks, "ratio": rounded(one.ratio, 4) }))
        .collect();
    let limit = of.limit.map(|limit| rounded(limit, 4));
    json!({ "total": of.total, "limit": limit, "stragglers": of.stragglers, "slowest": slowest })
}

fn size(run: &Run, size: &SizeResult) -> Value {
    let (of_store, all) = run.nodes();
    json!({
        "payload_bytes": size.payload_bytes,
        "size_index": size.size_index,
        "window_us": size.window_ns.map(|ns| us(ns as f64)),
        "overlap_both_ops_gb_per_s": gb(size.overlap_gb_per_s),
        "overlap_both_ops_gb_per_s_per_db_node": gb(size.overlap_gb_per_s.zip(of_store).map(|(all, nodes)| all / nodes)),
        "overlap_both_ops_gb_per_node_hour": gb(size.overlap_gb_per_s.zip(all).map(|(gb, nodes)| gb / nodes * 3600.0)),
        "iteration_both_ops_gb_per_s": gb(size.iteration_gb_per_s),
        "iteration_both_ops_gb_per_s_ci95": size.iteration_gb_per_s_ci95.map(|(low, high)| [gb(Some(low)), gb(Some(high))]),
        "classic_gb_per_s": gb(size.classic_gb_per_s),
        "shard_gb_per_s": size.shard_gb_per_s.iter().map(|one| gb(*one)).collect::<Vec<_>>(),
        "ops": size.ops.iter().map(op).collect::<Vec<_>>(),
        "application": size.application.iter().map(application).collect::<Vec<_>>(),
    })
}

fn application(of: &Application) -> Value {
    let interval = |of: Option<(f64, f64)>| of.map(|(low, high)| [rounded(low, 6), rounded(high, 6)]);
    json!({
        "op": of.op,
        "slowdown": of.slowdown.map(|ratio| rounded(ratio, 6)),
        "slowdown_ci99": interval(of.slowdown_ci99),
        "transfer_share": of.share.map(|share| rounded(share, 6)),
        "transfer_share_ci99": interval(of.share_ci99),
    })
}

fn pooled(of: &Pooled) -> Value {
    json!({ "run": of.run, "runs": of.runs.len(), "payload_bytes": of.payload_bytes, "figures": application(&of.of) })
}

fn op(op: &OpResult) -> Value {
    let of = &op.latency;
    let optional = |ns: Option<f64>| ns.map(us);
    let density = op.density.as_ref().map(|density| {
        json!({
            "low_us": us(density.low_ns),
            "high_us": us(density.high_ns),
            "counts": density.counts,
            "above": density.above,
        })
    });
    json!({
        "op": op.op,
        "ranks": op.ranks,
        "n": of.n,
        "warmup_excluded": op.warmup_excluded,
        "min_us": us(of.min as f64),
        "p1_us": optional(of.p1),
        "p5_us": optional(of.p5),
        "p10_us": optional(of.p10),
        "p25_us": optional(of.p25),
        "median_us": us(of.median),
        "median_ci95_us": of.median_ci95.map(|(low, high)| [us(low as f64), us(high as f64)]),
        "p75_us": optional(of.p75),
        "p90_us": optional(of.p90),
        "p95_us": optional(of.p95),
        "p99_us": optional(of.p99),
        "p99.9_us": optional(of.p999),
        "max_us": us(of.max as f64),
        "mad_us": us(of.mad),
        "iqr_us": optional(of.iqr()),
        "several_modes": op.multimodal,
        "drift": op.trend.map(|it| json!({ "p": rounded(it.p, 6), "change": rounded(it.change, 4), "flagged": it.is_drift() })),
        "median_gb_per_s": gb(op.median_gb_per_s),
        "overlap_gb_per_s": gb(op.overlap_gb_per_s),
        "density_log_bins": density,
    })
}

fn scaling(of: &Scaling) -> Value {
    let point = |point: &crate::collect::scaling::Point| {
        json!({
            "x": point.x,
            "runs": point.runs,
            "median_gb_per_s": gb(Some(point.gb_per_s)),
            "least_gb_per_s": gb(Some(point.low)),
            "most_gb_per_s": gb(Some(point.high)),
            "speed_up": rounded(point.speed_up, 4),
            "efficiency": rounded(point.efficiency, 4),
        })
    };
    let fit = of.fit.as_ref().map(|fit| {
        json!({
            "kind": fit.kind.as_str(),
            "lambda_gb_per_s": gb(Some(fit.lambda)),
            "sigma": fit.sigma,
            "kappa": fit.kappa,
            "knee_x": fit.knee.map(|knee| rounded(knee, 1)),
            "knee_is_measured": fit.knee_is_measured,
            "r_squared": rounded(fit.r_squared, 4),
            "worst_relative_error": rounded(fit.worst_error, 4),
        })
    });
    json!({
        "reading": of.reading.as_str(),
        "series": of.label,
        "payload_bytes": of.payload_bytes,
        "figure": of.figure,
        "axis": of.axis,
        "points": of.points.iter().map(point).collect::<Vec<_>>(),
        "differs": of.differs,
        "fit": fit.as_ref().ok(),
        "fit_refused": fit.as_ref().err(),
    })
}

fn baseline(of: &Baseline) -> Value {
    let change = |change: &crate::collect::baseline::Change| {
        json!({
            "run": change.run,
            "baseline_run": change.baseline_run,
            "payload_bytes": change.payload_bytes,
            "op": change.op_name(),
            "figure": change.metric.as_str(),
            "baseline_runs": change.old_runs,
            "runs": change.new_runs,
            "baseline_value": rounded(change.metric.in_unit(change.old), change.metric.digits() as i32),
            "value": rounded(change.metric.in_unit(change.new), change.metric.digits() as i32),
            "ratio_new_to_old": rounded(change.ratio, 6),
            "ratio_ci99": change.interval.map(|(low, high)| [rounded(low, 6), rounded(high, 6)]),
            "interval_from": change.interval.map(|_| change.method.as_str()),
            "verdict": change.verdict.as_str(),
            "differs": change.differs.iter().map(difference).collect::<Vec<_>>(),
        })
    };
    json!({
        "folder": of.folder,
        "changes": of.changes.iter().map(change).collect::<Vec<_>>(),
        "further": of.further.iter().map(change).collect::<Vec<_>>(),
        "only_in_baseline": of.only_old,
        "only_here": of.only_new,
        "not_compared": of.apart,
        "differs": of.differs.iter().map(|(one, pairs)| json!({ "what": difference(one), "pairs": pairs, "of": of.pairs })).collect::<Vec<_>>(),
    })
}

fn difference(of: &Difference) -> Value {
    json!({ "name": of.name, "baseline": of.old, "here": of.new })
}

/// Nanoseconds in microseconds to the nanosecond.
pub(super) fn us(ns: f64) -> f64 {
    rounded(ns / 1e3, 3)
}

pub(super) fn gb(value: Option<f64>) -> Option<f64> {
    value.map(|value| rounded(value, 6))
}

fn rounded(value: f64, digits: i32) -> f64 {
    let scale = 10f64.powi(digits);
    (value * scale).round() / scale
}
