//! What the page's question box answers from: the laws of each store, as `collect` fitted them. The page only looks them up.

use std::collections::BTreeMap;

use rayon::prelude::*;
use serde::Serialize;

use super::figure::Figure;
use crate::collect::model::Run;
use crate::collect::sizing::curve::{Curve, Sized, student};
use crate::collect::sizing::family::{self, Family, Metric};
use crate::collect::sizing::fit::Member;
use crate::collect::sizing::law::Arrival;
use crate::collect::sizing::layout::{Keys, Layout};
use crate::collect::sizing::question::Quantile;
use crate::record::op::Op;

/// Quantiles that the page answers for; the command has more.
const QUANTILES: [Quantile; 3] = [Quantile::P50, Quantile::P90, Quantile::P99];

/// One store, set up one way.
#[derive(Serialize)]
pub struct FamilyData {
    label: String,
    colocated: bool,
    /// What the names of keys begin with whose slots decide; absent where ranks have equal shares.
    names: Option<&'static str>,
    /// Tensors that a rank moves in an iteration.
    tensors: Figure,
    ops: Vec<Op>,
    per_node: Vec<u32>,
    servers: Vec<u32>,
    /// Most DB nodes that were measured; absent where the store has none of its own.
    db_nodes: Option<u32>,
    /// (ranks, clients per node, DB nodes or 0, servers per node).
    points: Vec<[u32; 4]>,
    curves: Vec<CurveData>,
}

#[derive(Serialize)]
struct CurveData {
    op: Option<Op>,
    /// `iteration`, or a quantile.
    of: &'static str,
    between: Option<Fine>,
    sizes: Vec<SizeData>,
}

#[derive(Serialize)]
struct SizeData {
    bytes: u64,
    laws: Vec<MemberData>,
    growth: Fine,
    /// Student's quantile for the laws' degrees of freedom.
    t: Fine,
    /// Root mean square error for a point left out.
    left_out: Figure,
    ranges: [(Figure, Figure); 5],
    /// (index of the point, ln ns, repeats).
    measured: Vec<(usize, Fine, usize)>,
    /// (variance of a repeat, Student's quantile).
    repeats: Option<(Fine, Fine)>,
}

/// (stations, logarithms of their demands, upper half of their covariance by rows, variance of a point around it, weight, 1 where ranks come in step).
#[derive(Serialize)]
struct MemberData(Vec<u8>, Vec<Fine>, Vec<Fine>, Fine, Fine, u8);

/// A number with seven digits: of a time's logarithm the fourth decimal is the time's fourth digit.
struct Fine(f64);

impl Serialize for Fine {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        super::figure::shortened(self.0, 6, to)
    }
}

/// The stores of these runs.
pub fn families(runs: &[Run]) -> Vec<FamilyData> {
    family::of_runs(runs).0.into_par_iter().map(|family| one(&family)).collect()
}

fn one(family: &Family<'_>) -> FamilyData {
    let ops = family.ops();
    let quantiles = ops.iter().flat_map(|op| QUANTILES.map(|quantile| Metric::Latency(*op, quantile)));
    let metrics: Vec<Metric> = quantiles.chain([Metric::Iteration]).collect();
    let place: BTreeMap<[u32; 4], usize> =
        family.points.iter().enumerate().map(|(index, point)| (of_layout(&point.layout), index)).collect();
    let curve = |metric: &Metric| {
        let curve = Curve::of(family, *metric, None);
        let sizes: Vec<SizeData> = curve.sized().map(|size| sized(&size, &place)).collect();
        let (op, of) = match metric {
            Metric::Latency(op, quantile) => (Some(*op), quantile.as_str()),
            Metric::Iteration => (None, "iteration"),
        };
        (!sizes.is_empty()).then(|| CurveData { op, of, between: curve.between_sizes().map(Fine), sizes })
    };
    FamilyData {
        label: family.label.clone(),
        colocated: family.is_colocated,
        names: match family.keys {
            Keys::Hash(name) => Some(name),
            Keys::Equal => None,
        },
        tensors: Figure(family.tensors()),
        per_node: family.measured(|layout| layout.clients_per_node),
        servers: family.measured(|layout| layout.servers_per_node),
        db_nodes: family.points.iter().filter_map(|point| point.layout.db_nodes).max(),
        points: family.points.iter().map(|point| of_layout(&point.layout)).collect(),
        curves: metrics.par_iter().filter_map(curve).collect(),
        ops,
    }
}

fn of_layout(layout: &Layout) -> [u32; 4] {
    [layout.ranks, layout.clients_per_node, layout.db_nodes.unwrap_or(0), layout.servers_per_node]
}

fn sized(size: &Sized<'_>, place: &BTreeMap<[u32; 4], usize>) -> SizeData {
    let member = |member: &Member| {
        let p = member.law.stations().len();
        let covariance = (0..p).flat_map(|i| (i..p).map(move |j| (i, j))).map(|(i, j)| Fine(member.covariance[i][j]));
        MemberData(
            member.law.stations().iter().map(|station| *station as u8).collect(),
            member.law.log_demands().iter().map(|log| Fine(*log)).collect(),
            covariance.collect(),
            Fine(member.left_out),
            Fine(member.weight),
            u8::from(member.law.arrival == Arrival::InStep),
        )
    };
    SizeData {
        bytes: size.bytes,
        laws: size.laws.map_or_else(Vec::new, |laws| laws.members.iter().map(member).collect()),
        growth: Fine(size.growth),
        t: Fine(size.laws.map_or(0.0, |laws| student(laws.freedom()))),
        left_out: Figure(size.laws.map_or(0.0, |laws| laws.left_out().sqrt())),
        ranges: size.ranges.map(|(least, most)| (Figure(least), Figure(most))),
        measured: size
            .measured
            .iter()
            .map(|(layout, log, runs)| (place[&of_layout(layout)], Fine(*log), *runs))
            .collect(),
        repeats: size.of_repeats.map(|(variance, freedom)| (Fine(variance), Fine(student(freedom)))),
    }
}
