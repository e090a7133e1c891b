//! `size --format json`: answers for programs. The types are the schema that `shardscale schema size` prints.

use anyhow::{Context, Result};
use schemars::JsonSchema;
use serde::Serialize;

use super::answer::{self, Verdict};
use super::curve::Basis;
use super::family::Metric;
use super::law::Station;
use super::show::reason;

/// Name of the schema, as `shardscale schema` knows it.
const SCHEMA: &str = "size";

/// Version of this output: it grows when a name changes its meaning or goes away.
const VERSION: u32 = 1;

/// What `shardscale size --format json` prints. Names end with their unit: us are microseconds.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(title = "shardscale size --format json")]
pub struct Answers<'a> {
    /// Name of this schema: size.
    schema: &'a str,
    /// Version of this schema. It grows when a name changes its meaning or goes away; new names may come without.
    version: u32,
    /// In words.
    question: String,
    /// Some store is met.
    is_met: bool,
    stores: Vec<Store<'a>>,
    /// Runs of aggregations, whose ranks do different things.
    runs_not_sized: usize,
}

/// A kind of store, and the least of it that does.
#[derive(Debug, Serialize, JsonSchema)]
struct Store<'a> {
    store: &'a str,
    /// met, not met or not known.
    answer: &'a str,
    why_not: Option<String>,
    /// Null for a store beside the ranks, and where nothing is known.
    db_nodes: Option<u32>,
    /// What may do with luck, where more are named to be sure.
    db_nodes_may_do: Option<u32>,
    servers_per_node: Option<u32>,
    client_nodes: Option<u32>,
    figures: Vec<Figure<'a>>,
}

/// What becomes of one limit with that store.
#[derive(Debug, Serialize, JsonSchema)]
struct Figure<'a> {
    limit: String,
    /// A quantile (p50, p99), or iteration.
    figure: &'a str,
    /// Null for a whole iteration.
    op: Option<&'a str>,
    /// The limit as a duration.
    most_us: f64,
    us: Option<f64>,
    /// 90 % interval.
    us_ci90: Option<[f64; 2]>,
    /// Limit / upper end of the interval: from 1 on it is met.
    headroom: Option<f64>,
    /// measured, interpolated, extrapolated or not known.
    basis: &'a str,
    /// How far beyond what was measured, as a factor.
    beyond: Option<f64>,
    /// How far the law misses a point that is left out: 0.1 is 10 %.
    left_out_error: Option<f64>,
    /// Measured points that it rests on.
    points: Option<usize>,
    /// What the ranks wait for.
    bound_by: Option<&'a str>,
    why_not: Option<String>,
}

/// The answers as one line of JSON.
///
/// # Errors
/// None in practice.
pub fn render(answers: &answer::Answers) -> Result<String> {
    let all = Answers {
        schema: SCHEMA,
        version: VERSION,
        question: answers.question.to_string(),
        is_met: answers.is_met(),
        stores: answers.answers.iter().map(store).collect(),
        runs_not_sized: answers.left_out,
    };
    Ok(serde_json::to_string(&all).context("cannot encode the answers")? + "\n")
}

fn store(answer: &answer::Answer) -> Store<'_> {
    let choice = answer.verdict.choice();
    let (may_do, why) = match &answer.verdict {
        Verdict::Met { may_do, .. } => (Some(*may_do), None),
        Verdict::Unknown(why) => (None, Some(reason(why))),
        _ => (None, None),
    };
    Store {
        store: &answer.label,
        answer: answer.verdict.as_str(),
        why_not: why,
        db_nodes: choice.and_then(|choice| choice.layout.db_nodes),
        db_nodes_may_do: may_do,
        servers_per_node: choice.map(|choice| choice.layout.servers_per_node),
        client_nodes: choice.map(|choice| choice.layout.client_nodes()),
        figures: choice.map_or_else(Vec::new, |choice| choice.figures.iter().map(figure).collect()),
    }
}

fn figure(figure: &answer::Figure) -> Figure<'_> {
    let us = |ns: f64| ns.round() / 1e3;
    let (metric, op) = match &figure.metric {
        Metric::Latency(op, quantile) => (quantile.as_str(), Some(op.as_str())),
        Metric::Iteration => ("iteration", None),
    };
    let found = figure.found.as_ref().ok();
    let (basis, beyond) = match found.map(|found| found.basis) {
        Some(Basis::Measured(_)) => ("measured", None),
        Some(Basis::Interpolated) => ("interpolated", None),
        Some(Basis::Extrapolated(factor)) => ("extrapolated", Some(factor)),
        None => ("not known", None),
    };
    Figure {
        limit: figure.limit.to_string(),
        figure: metric,
        op,
        most_us: us(figure.most_ns),
        us: found.map(|found| us(found.ns)),
        us_ci90: found.map(|found| [us(found.low), us(found.high)]),
        headroom: figure.headroom(),
        basis,
        beyond,
        left_out_error: found.map(|found| found.left_out),
        points: found.map(|found| found.points),
        bound_by: found.and_then(|found| found.bound_by).map(Station::as_str),
        why_not: figure.found.as_ref().err().map(reason),
    }
}
