//! Runs that differ only in how many ranks and servers they have: one store, set up one way, at several loads.

use std::collections::BTreeMap;

use super::law::Load;
use super::layout::{Keys, Layout, Whose};
use super::question::Quantile;
use crate::collect::groups;
use crate::collect::model::{OpResult, Run, SizeResult};
use crate::collect::params::Value;
use crate::record::op::Op;
use crate::record::slots;

/// Columns in which runs of a family differ: those that a layout has.
const FREE: &[&str] =
    &["client_nodes", "clients_per_node", "db_nodes", "servers_per_node", "expected_nodes", "consumers"];

/// A time that limits are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Metric {
    /// A quantile of an op over all ranks.
    Latency(Op, Quantile),
    /// From one iteration to the next of the ranks that are last: window x ranks / samples of an op. Bandwidths and rates are
    /// this, turned over.
    Iteration,
}

impl Metric {
    pub fn whose(self) -> Whose {
        match self {
            Metric::Latency(_, quantile) => Whose::Quantile(quantile.part()),
            Metric::Iteration => Whose::Last,
        }
    }

    /// In ns; absent where it was not measured, or from too few samples.
    pub fn of(self, size: &SizeResult) -> Option<f64> {
        let ns = match self {
            Metric::Latency(op, quantile) => {
                let of = &size.ops.iter().find(|one| one.op == op)?.latency;
                match quantile {
                    Quantile::P50 => Some(of.median),
                    Quantile::P90 => of.p90,
                    Quantile::P95 => of.p95,
                    Quantile::P99 => of.p99,
                    Quantile::P999 => of.p999,
                }
            }
            Metric::Iteration => {
                let op = size.ops.iter().find(|op| op.overlap_gb_per_s.is_some())?;
                Some(size.window_ns? as f64 * f64::from(op.ranks) / op.latency.n as f64)
            }
        };
        ns.filter(|ns| *ns > 0.0 && ns.is_finite())
    }
}

/// Repeats of one layout.
#[derive(Debug, Clone)]
pub struct Point<'a> {
    pub layout: Layout,
    ranks_per_server: Vec<u32>,
    pub runs: Vec<&'a Run>,
}

impl Point<'_> {
    pub fn load(&self, whose: Whose) -> Load {
        self.layout.load(&self.ranks_per_server, whose)
    }

    /// Logarithms of what each repeat measured, in ln ns.
    pub fn logs(&self, metric: Metric, bytes: u64) -> Vec<f64> {
        let sizes = self.runs.iter().filter_map(|run| run.sizes().iter().find(|size| size.payload_bytes == bytes));
        sizes.filter_map(|size| Some(metric.of(size)?.ln())).collect()
    }
}

/// One store, set up one way.
#[derive(Debug, Clone)]
pub struct Family<'a> {
    /// What tells it from the others.
    pub label: String,
    pub is_colocated: bool,
    pub keys: Keys,
    /// In the order of layouts.
    pub points: Vec<Point<'a>>,
}

/// All families of these runs, and how many runs cannot be sized: those in which not all ranks do the same.
pub fn of_runs(runs: &[Run]) -> (Vec<Family<'_>>, usize) {
    let mut by_key: BTreeMap<groups::Key, Vec<(Layout, &Run)>> = BTreeMap::new();
    let mut left_out = 0;
    for run in runs {
        let Some(key) = groups::key(run, FREE) else { continue };
        match layout(run) {
            Some(layout) => by_key.entry(key).or_default().push((layout, run)),
            None => left_out += 1,
        }
    }
    let keys: Vec<&groups::Key> = by_key.keys().collect();
    let labels = groups::labels(&keys);
    let families = labels.into_iter().zip(by_key.into_values()).map(|(label, runs)| family(label, runs)).collect();
    (families, left_out)
}

/// `runs` are at least one, and of one family.
fn family(label: String, mut runs: Vec<(Layout, &Run)>) -> Family<'_> {
    let Layout { is_colocated, keys, .. } = runs[0].0;
    runs.sort_by_key(|(layout, _)| (layout.ranks, layout.clients_per_node, layout.db_nodes, layout.servers_per_node));
    let mut points: Vec<Point<'_>> = Vec::new();
    for (layout, run) in runs {
        match points.last_mut().filter(|point| point.layout == layout) {
            Some(point) => point.runs.push(run),
            None => points.push(Point { layout, ranks_per_server: counts(&layout, run), runs: vec![run] }),
        }
    }
    // one family is told from nothing: it is its store
    let server = || points[0].runs[0].measured.as_ref().map(|measured| measured.server.clone()).unwrap_or_default();
    let label = if label == groups::ALIKE { server() } else { label };
    Family { label, is_colocated, keys, points }
}

/// `None` for a run whose ranks do different things, or of which not all is known.
fn layout(run: &Run) -> Option<Layout> {
    if run.params.text("workload") == "aggregation" {
        return None;
    }
    let count = |column| match run.params.get(column)? {
        Value::Count(count) => u32::try_from(*count).ok().filter(|count| *count > 0),
        _ => None,
    };
    let is_colocated = run.params.text("deployment") == "colocated" && run.params.text("store") != "files";
    Some(Layout {
        ranks: run.measured.as_ref()?.ranks,
        clients_per_node: count("clients_per_node")?,
        db_nodes: if is_colocated { None } else { count("db_nodes") },
        servers_per_node: count("servers_per_node").unwrap_or(1),
        is_colocated,
        keys: match run.params.text("workload").as_str() {
            _ if run.params.text("keys") == "balanced" || is_colocated => Keys::Equal,
            "inference" => Keys::Hash(slots::INFERENCE),
            _ => Keys::Hash(slots::THROUGHPUT),
        },
    })
}

/// As it was measured, else as names and slots have it.
fn counts(layout: &Layout, run: &Run) -> Vec<u32> {
    let measured = run.measured.as_ref().map(|measured| measured.ranks_per_shard.clone()).unwrap_or_default();
    if measured.iter().any(|count| *count > 0) { measured } else { layout.ranks_per_server() }
}

impl Family<'_> {
    /// Sizes that a run measured, ascending.
    pub fn sizes(&self) -> Vec<u64> {
        let sizes = self.points.iter().flat_map(|point| &point.runs).flat_map(|run| run.sizes());
        let mut all: Vec<u64> = sizes.map(|size| size.payload_bytes).collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// Ops that move tensors and wait for nobody, in the order of an iteration.
    pub fn ops(&self) -> Vec<Op> {
        let mut ops: Vec<&OpResult> = Vec::new();
        for op in
            self.points.iter().flat_map(|point| &point.runs).flat_map(|run| run.sizes()).flat_map(|size| &size.ops)
        {
            if op.overlap_gb_per_s.is_some() && ops.iter().all(|known| known.op != op.op) {
                ops.push(op);
            }
        }
        ops.iter().map(|op| op.op).collect()
    }

    /// Tensors that a rank moves in an iteration, by all ops together.
    pub fn tensors(&self) -> f64 {
        let size = self.points.iter().flat_map(|point| &point.runs).flat_map(|run| run.sizes()).find_map(|size| {
            let iterations = size.ops.iter().find(|op| op.overlap_gb_per_s.is_some())?.latency.n as f64;
            Some(size.overlap_gb_per_s? * size.window_ns? as f64 / (size.payload_bytes as f64 * iterations))
        });
        size.unwrap_or(1.0)
    }

    /// Values of `of` that were measured, ascending.
    pub fn measured(&self, of: impl Fn(&Layout) -> u32) -> Vec<u32> {
        let mut all: Vec<u32> = self.points.iter().map(|point| of(&point.layout)).collect();
        all.sort_unstable();
        all.dedup();
        all
    }
}
