//! Which runs make a series, and its points.

use std::collections::BTreeMap;

use super::{Fit, Point, Reading, Scaling};
use crate::collect::model::{Run, SizeResult};
use crate::collect::params::Value;
use crate::collect::stats::quantile;
use crate::collect::{circumstances, groups};

/// By what runs share and the tensor size: (x, index of the run, bandwidths).
type Places<'a> = BTreeMap<(groups::Key, u64), Vec<Place<'a>>>;
type Place<'a> = (u64, usize, &'a SizeResult);

/// Every series of at least two points, by reading, then by what tells it apart, then by size.
pub fn of_runs(runs: &[Run]) -> Vec<Scaling> {
    let axis = groups::axis(runs);
    let mut all = Vec::new();
    let axis_of = |column: &'static str| move |run: &Run| count(run, column);
    all.extend(read(runs, (Reading::Load, axis), &[axis], |run| {
        // colocated stores grow with the nodes: those are weak
        axis_of(axis)(run).filter(|_| run.params.text("deployment") != "colocated" || axis != "client_nodes")
    }));
    all.extend(read(runs, (Reading::Strong, "db_nodes"), &["db_nodes"], axis_of("db_nodes")));
    all.extend(read(runs, (Reading::Dense, "servers_per_node"), &["servers_per_node"], axis_of("servers_per_node")));
    all.extend(read(runs, (Reading::Weak, "client_nodes"), &["client_nodes", "db_nodes"], axis_of("client_nodes")));
    all
}

fn count(run: &Run, column: &str) -> Option<u64> {
    match run.params.get(column)? {
        Value::Count(count) => u64::try_from(*count).ok(),
        _ => None,
    }
}

/// Clients for each DB node, as lowest terms; what a weak series holds fixed.
fn proportion(run: &Run) -> Option<Value> {
    let (clients, db) = (count(run, "client_nodes")?, count(run, "db_nodes").or_else(|| count(run, "client_nodes"))?);
    let divisor = gcd(clients, db).max(1);
    Some(Value::Text(format!("{}:{}", clients / divisor, db / divisor)))
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

fn read(
    runs: &[Run],
    (reading, axis): (Reading, &'static str),
    free: &[&str],
    x: impl Fn(&Run) -> Option<u64>,
) -> Vec<Scaling> {
    let mut places: Places<'_> = BTreeMap::new();
    for (index, run) in runs.iter().enumerate() {
        let (Some(mut key), Some(x)) = (groups::key(run, free), x(run)) else { continue };
        if reading == Reading::Weak {
            key.push(("client to DB nodes", proportion(run)));
        }
        for size in run.sizes() {
            places.entry((key.clone(), size.payload_bytes)).or_default().push((x, index, size));
        }
    }
    let keys: Vec<&groups::Key> = places.keys().map(|(key, _)| key).collect();
    let labels = groups::labels(&keys);
    let series = places.iter().zip(labels);
    let made = series.filter_map(|(((_, bytes), sizes), label)| scaling((reading, axis), (label, *bytes), sizes));
    made.map(|one| {
        let of_series: Vec<&Run> = one.runs.iter().map(|index| &runs[*index]).collect();
        Scaling { differs: circumstances::within(&of_series), ..one }
    })
    .collect()
}

fn scaling(
    (reading, axis): (Reading, &'static str),
    (label, payload_bytes): (String, u64),
    sizes: &[Place<'_>],
) -> Option<Scaling> {
    // one figure for the whole series: figures of different definitions are no series
    let has_overlap = sizes.iter().all(|(_, _, size)| size.overlap_gb_per_s.is_some());
    let mut by_x: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
    for (x, _, size) in sizes {
        let figure = if has_overlap { size.overlap_gb_per_s } else { size.classic_gb_per_s };
        if let Some(figure) = figure.filter(|_| *x > 0) {
            by_x.entry(*x).or_default().push(figure);
        }
    }
    let points = points(&by_x)?;
    let fit = Fit::of(&points.iter().map(|point| (point.x as f64, point.gb_per_s)).collect::<Vec<_>>());
    let figure = if has_overlap { "overlap" } else { "classic" };
    let mut runs: Vec<usize> = sizes.iter().map(|(_, index, _)| *index).collect();
    runs.sort_unstable();
    Some(Scaling { reading, axis, label, payload_bytes, figure, runs, differs: Vec::new(), points, fit })
}

/// `None` for fewer than two.
fn points(by_x: &BTreeMap<u64, Vec<f64>>) -> Option<Vec<Point>> {
    let (first_x, first) = by_x.first_key_value().filter(|_| by_x.len() > 1)?;
    let middle = |values: &[f64]| quantile::median_of(&mut values.to_vec(), f64::total_cmp);
    let first = middle(first).filter(|first| *first > 0.0)?;
    by_x.iter()
        .map(|(x, values)| {
            let gb_per_s = middle(values)?;
            let speed_up = gb_per_s / first;
            Some(Point {
                x: *x,
                runs: values.len(),
                gb_per_s,
                low: values.iter().copied().fold(f64::INFINITY, f64::min),
                high: values.iter().copied().fold(0.0, f64::max),
                speed_up,
                efficiency: speed_up * *first_x as f64 / *x as f64,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_point_is_the_measure() {
        let by_x = BTreeMap::from([(4, vec![2.0, 1.0, 3.0]), (8, vec![3.0]), (16, vec![4.0, 4.0])]);
        let points = points(&by_x).unwrap();
        let shown: Vec<_> = points.iter().map(|p| (p.x, p.runs, p.speed_up, p.efficiency)).collect();
        assert_eq!(shown, [(4, 3, 1.0, 1.0), (8, 1, 1.5, 0.75), (16, 2, 2.0, 0.5)]);
        assert_eq!((points[0].low, points[0].high), (1.0, 3.0));
        assert_eq!(super::points(&BTreeMap::from([(4, vec![2.0])])), None);
        assert_eq!((gcd(12, 8), gcd(0, 5)), (4, 5));
    }
}
