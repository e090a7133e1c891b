//! The series of runs along an axis and their fits, as the page draws them.

use serde::Serialize;

use super::figure::Figure;
use crate::collect::scaling::{Fit, Point, Scaling};

#[derive(Serialize)]
pub struct Series<'a> {
    reading: &'static str,
    axis: String,
    label: &'a str,
    bytes: u64,
    /// Which bandwidth.
    figure: &'static str,
    /// Indices of its runs.
    runs: &'a [usize],
    points: Vec<PointData>,
    fit: Option<FitData>,
    /// Why there is no fit.
    why: Option<&'a str>,
    /// In what its runs differ beside the axis.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    differs: &'a [String],
}

/// (x, runs, GB/s, least, greatest); speed-up and efficiency follow.
type PointData = (u64, usize, Figure, Figure, Figure);

#[derive(Serialize)]
struct FitData {
    kind: &'static str,
    lambda: Figure,
    sigma: Figure,
    kappa: Figure,
    knee: Option<Figure>,
    knee_is_measured: bool,
    r_squared: Figure,
}

/// (reading, what it is) of those that there are, each once.
pub fn readings(scaling: &[Scaling]) -> Vec<(&'static str, &'static str)> {
    let mut all: Vec<_> = scaling.iter().map(|series| (series.reading.as_str(), series.reading.describe())).collect();
    all.dedup();
    all
}

/// Each series at each size.
pub fn series(scaling: &[Scaling]) -> Vec<Series<'_>> {
    scaling.iter().map(one).collect()
}

fn one(scaling: &Scaling) -> Series<'_> {
    Series {
        reading: scaling.reading.as_str(),
        axis: crate::collect::groups::title(scaling.axis).0,
        label: &scaling.label,
        bytes: scaling.payload_bytes,
        figure: scaling.figure,
        runs: &scaling.runs,
        points: scaling.points.iter().map(point).collect(),
        fit: scaling.fit.as_ref().ok().map(fit),
        why: scaling.fit.as_ref().err().map(String::as_str),
        differs: &scaling.differs,
    }
}

fn point(point: &Point) -> PointData {
    (point.x, point.runs, Figure(point.gb_per_s), Figure(point.low), Figure(point.high))
}

fn fit(fit: &Fit) -> FitData {
    FitData {
        kind: fit.kind.as_str(),
        lambda: Figure(fit.lambda),
        sigma: Figure(fit.sigma),
        kappa: Figure(fit.kappa),
        knee: fit.knee.map(Figure),
        knee_is_measured: fit.knee_is_measured,
        r_squared: Figure(fit.r_squared),
    }
}
