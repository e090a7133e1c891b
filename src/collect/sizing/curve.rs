//! A time against load and size: what was measured, what lies between, and how far a law reaches beyond.

use std::sync::OnceLock;

use statrs::distribution::{ContinuousCDF, StudentsT};

use super::family::{Family, Metric};
use super::fit::{Ensemble, Observation};
use super::law::{Load, Station};
use super::layout::Layout;

/// Confidence of the intervals.
pub const CONFIDENCE: f64 = 0.9;
/// The middle of an interval that reaches further than this to a side, as a factor, is not shown.
const WIDEST: f64 = 2.0;
/// No law is followed further than this beyond the points, as a factor of load.
const FURTHEST: f64 = 64.0;
/// Degrees of freedom from which the repeats' own scatter is the error of a measured point.
const ENOUGH_REPEATS: usize = 5;
/// Loads that differ by less are the same.
const SAME: f64 = 1.001;

/// What a figure rests on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Basis {
    /// So many runs of just this layout and size.
    Measured(usize),
    /// Load and size lie between measured ones.
    Interpolated,
    /// The load is by this factor beyond the measured ones.
    Extrapolated(f64),
}

impl std::fmt::Display for Basis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Basis::Measured(1) => f.write_str("measured once"),
            Basis::Measured(runs) => write!(f, "measured {runs} times"),
            Basis::Interpolated => f.write_str("interpolated"),
            Basis::Extrapolated(factor) => write!(f, "extrapolated {factor:.1} x"),
        }
    }
}

/// A time in ns with its 90 % interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    pub ns: f64,
    pub low: f64,
    pub high: f64,
    pub basis: Basis,
    /// Root mean square error of the laws for points left out, as a part.
    pub left_out: f64,
    /// Points at that size, or at the smaller of two.
    pub points: usize,
    pub bound_by: Option<Station>,
}

impl Estimate {
    /// How far the interval reaches, as a factor.
    pub fn width(&self) -> f64 {
        (self.high / self.low).sqrt()
    }

    /// Its middle says something.
    pub fn is_sure(&self) -> bool {
        self.width() <= WIDEST
    }
}

/// Why there is no figure.
#[derive(Debug, Clone, PartialEq)]
pub enum Unknown {
    /// No run has this op, or this quantile with enough samples.
    NoSuch,
    /// The size lies outside of the measured ones, or between two of which a third would have to be.
    Size(Vec<u64>),
    /// Too few points for any law.
    Few(usize),
    /// Nobody knows what another number of ranks there brings: it was the same in all runs.
    NeverVaried(Station),
    /// Beyond [`FURTHEST`].
    Far(f64),
}

/// One size of a curve.
#[derive(Clone)]
struct AtSize {
    bytes: u64,
    observations: Vec<Observed>,
    ensemble: Option<Ensemble>,
    /// Variance that a law gains for each (logarithm of the factor beyond)^2: how wrong it was when it had to reach so far
    /// within the points.
    growth: OnceLock<f64>,
}

#[derive(Clone)]
struct Observed {
    layout: Layout,
    load: Load,
    /// Of each repeat.
    logs: Vec<f64>,
}

impl Observed {
    fn mean(&self) -> f64 {
        self.logs.iter().sum::<f64>() / self.logs.len() as f64
    }
}

/// A metric of a family against load and size.
#[derive(Clone)]
pub struct Curve {
    sizes: Vec<AtSize>,
    /// Variance of the straight line, in logarithms, between two sizes.
    between_sizes: Option<f64>,
}

/// What is known of a load at one size, in logarithms.
struct Known {
    log: f64,
    variance: f64,
    freedom: f64,
    basis: Basis,
}

impl Curve {
    /// Fits at the sizes that an answer for `bytes` needs; at all where that is absent.
    pub fn of(family: &Family<'_>, metric: Metric, bytes: Option<u64>) -> Curve {
        let of_size = |bytes| -> AtSize {
            let observed = family.points.iter().map(|point| Observed {
                layout: point.layout,
                load: point.load(metric.whose()),
                logs: point.logs(metric, bytes),
            });
            let observations = observed.filter(|one| !one.logs.is_empty()).collect();
            AtSize { bytes, observations, ensemble: None, growth: OnceLock::new() }
        };
        let mut sizes: Vec<AtSize> =
            family.sizes().into_iter().map(of_size).filter(|size| !size.observations.is_empty()).collect();
        let needed = |size: u64| match bytes {
            None => true,
            Some(bytes) => neighbours(&sizes, bytes)
                .is_some_and(|(low, high)| size == sizes[low].bytes || size == sizes[high].bytes),
        };
        let needed: Vec<bool> = sizes.iter().map(|size| needed(size.bytes)).collect();
        sizes.iter_mut().zip(needed).filter(|(_, needed)| *needed).for_each(|(size, _)| size.fit());
        Curve { between_sizes: between_sizes(&sizes), sizes }
    }

    /// The time of `layout` under `load`, its own, at `bytes`.
    pub fn at(&self, layout: &Layout, load: &Load, bytes: u64) -> Result<Estimate, Unknown> {
        if self.sizes.is_empty() {
            return Err(Unknown::NoSuch);
        }
        let outside = || Unknown::Size(self.sizes.iter().map(|size| size.bytes).collect());
        let (low, high) = neighbours(&self.sizes, bytes).ok_or_else(outside)?;
        let (low, high) = (&self.sizes[low], &self.sizes[high]);
        let mut known = low.at(layout, load)?;
        if low.bytes != high.bytes {
            let above = high.at(layout, load)?;
            let part = (bytes as f64 / low.bytes as f64).ln() / (high.bytes as f64 / low.bytes as f64).ln();
            let line = self.between_sizes.ok_or_else(outside)?;
            known = Known {
                log: known.log + part * (above.log - known.log),
                variance: known.variance.max(above.variance) + line,
                freedom: known.freedom.min(above.freedom),
                basis: further(known.basis, above.basis),
            };
        }
        let half = student(known.freedom) * known.variance.sqrt();
        let nearest = if bytes as f64 / low.bytes as f64 > high.bytes as f64 / bytes as f64 { high } else { low };
        let laws = nearest.ensemble.as_ref();
        Ok(Estimate {
            ns: known.log.exp(),
            low: (known.log - half).exp(),
            high: (known.log + half).exp(),
            basis: known.basis,
            left_out: laws.map_or(0.0, |laws| laws.left_out().sqrt()),
            points: low.observations.len(),
            bound_by: laws.and_then(|laws| laws.bound_by(load)),
        })
    }

    /// Points at `bytes`, or at the sizes around it.
    pub fn points(&self, bytes: u64) -> usize {
        let around = neighbours(&self.sizes, bytes);
        around.map_or(0, |(low, high)| self.sizes[low].observations.len().min(self.sizes[high].observations.len()))
    }

    pub fn has(&self, layout: &Layout, bytes: u64) -> bool {
        let at = self.sizes.iter().find(|size| size.bytes == bytes);
        at.is_some_and(|size| size.observations.iter().any(|one| one.layout == *layout))
    }

    /// As if `layout` had been measured at `bytes`, or at the sizes around it, so many deviations from what is expected.
    pub fn measure(&mut self, layout: &Layout, load: Load, bytes: u64, deviations: f64) {
        let Some((low, high)) = neighbours(&self.sizes, bytes) else { return };
        for at in if low == high { vec![low] } else { vec![low, high] } {
            let size = &mut self.sizes[at];
            let (log, deviation) = size.guess(&load);
            size.observations.push(Observed { layout: *layout, load, logs: vec![log + deviations * deviation] });
            size.fit();
            size.growth = OnceLock::new();
        }
    }
}

/// All that an answer at a size rests on, for a page that answers by itself.
pub struct Sized<'a> {
    pub bytes: u64,
    pub laws: Option<&'a Ensemble>,
    pub growth: f64,
    /// Least and most ranks at each station.
    pub ranges: [(f64, f64); Station::ALL.len()],
    /// (layout, mean of the repeats in ln ns, repeats).
    pub measured: Vec<(Layout, f64, usize)>,
    /// Variance of a repeat, and its degrees of freedom, where there are enough.
    pub of_repeats: Option<(f64, f64)>,
}

impl Curve {
    /// What every size rests on.
    pub fn sized(&self) -> impl Iterator<Item = Sized<'_>> {
        self.sizes.iter().map(|size| Sized {
            bytes: size.bytes,
            laws: size.ensemble.as_ref(),
            growth: size.growth(),
            ranges: Station::ALL.map(|station| size.range(station)),
            measured: size.observations.iter().map(|one| (one.layout, one.mean(), one.logs.len())).collect(),
            of_repeats: size.of_repeats(),
        })
    }

    /// Variance of the straight line between two sizes, in logarithms.
    pub fn between_sizes(&self) -> Option<f64> {
        self.between_sizes
    }
}

/// Indices of the sizes at or around `bytes`; `None` outside.
fn neighbours(sizes: &[AtSize], bytes: u64) -> Option<(usize, usize)> {
    let high = sizes.iter().position(|size| size.bytes >= bytes)?;
    if sizes[high].bytes == bytes { Some((high, high)) } else { Some((high.checked_sub(1)?, high)) }
}

/// The one of the two that claims less; of a size between two nothing was measured.
fn further(a: Basis, b: Basis) -> Basis {
    match (a, b) {
        (Basis::Extrapolated(a), Basis::Extrapolated(b)) => Basis::Extrapolated(a.max(b)),
        (beyond @ Basis::Extrapolated(_), _) | (_, beyond @ Basis::Extrapolated(_)) => beyond,
        _ => Basis::Interpolated,
    }
}

/// Student's quantile for [`CONFIDENCE`] on both sides together.
pub fn student(freedom: f64) -> f64 {
    StudentsT::new(0.0, 1.0, freedom.max(1.0)).map_or(f64::INFINITY, |t| t.inverse_cdf(f64::midpoint(1.0, CONFIDENCE)))
}

impl AtSize {
    fn fit(&mut self) {
        self.ensemble = Ensemble::of(&self.points());
    }

    /// What a point would bring, and how far it may be off, in logarithms; where there is no law yet, as the nearest point and by
    /// half or twice as much.
    fn guess(&self, load: &Load) -> (f64, f64) {
        if let Some(laws) = &self.ensemble {
            let foretold = laws.at(load);
            return (foretold.log, foretold.variance.sqrt());
        }
        let distance = |one: &&Observed| one.load.iter().zip(load).map(|(a, b)| (a / b).ln().abs()).sum::<f64>();
        let nearest = self.observations.iter().min_by(|a, b| distance(a).total_cmp(&distance(b)));
        (nearest.map_or(0.0, Observed::mean), std::f64::consts::LN_2)
    }

    fn growth(&self) -> f64 {
        *self.growth.get_or_init(|| {
            let points = self.points();
            [Station::Server, Station::All]
                .into_iter()
                .filter_map(|station| growth(&points, station))
                .fold(0.0, f64::max)
        })
    }

    fn points(&self) -> Vec<Observation> {
        self.observations.iter().map(|one| (one.load, one.mean())).collect()
    }

    fn at(&self, layout: &Layout, load: &Load) -> Result<Known, Unknown> {
        let same = self.observations.iter().find(|one| one.layout == *layout);
        if let Some(known) = same.and_then(|one| self.measured(one)) {
            return Ok(known);
        }
        let laws = self.ensemble.as_ref().ok_or(Unknown::Few(self.observations.len()))?;
        let mut beyond = 1.0;
        for station in Station::ALL {
            let (least, most) = self.range(station);
            let asked = load[station as usize];
            let factor = (asked / most).max(least / asked);
            if factor > SAME && most < least * SAME {
                return Err(Unknown::NeverVaried(station));
            }
            beyond = f64::max(beyond, factor);
        }
        if beyond > FURTHEST {
            return Err(Unknown::Far(beyond));
        }
        let foretold = laws.at(load);
        let basis = if beyond > SAME { Basis::Extrapolated(beyond) } else { Basis::Interpolated };
        let reach = if beyond > SAME { self.growth() * beyond.ln().powi(2) } else { 0.0 };
        Ok(Known { log: foretold.log, variance: foretold.variance + reach, freedom: foretold.freedom, basis })
    }

    /// Least and most ranks at a station.
    fn range(&self, station: Station) -> (f64, f64) {
        let ranks = self.observations.iter().map(|one| one.load[station as usize]);
        ranks.fold((f64::INFINITY, 0.0), |(least, most), ranks| (f64::min(least, ranks), f64::max(most, ranks)))
    }

    /// Variance of a repeat around the mean of its layout, and degrees of freedom; `None` where these are too few.
    fn of_repeats(&self) -> Option<(f64, f64)> {
        let squares = |one: &Observed| one.logs.iter().map(|log| (log - one.mean()).powi(2)).sum::<f64>();
        let freedom: usize = self.observations.iter().map(|one| one.logs.len() - 1).sum();
        let squares: f64 = self.observations.iter().map(squares).sum();
        (freedom >= ENOUGH_REPEATS).then(|| (squares / freedom as f64, freedom as f64))
    }

    /// The mean of the repeats; its error is their own scatter where there are enough, else that of points around the laws.
    fn measured(&self, of: &Observed) -> Option<Known> {
        let repeats = of.logs.len();
        let (variance, freedom) = match (self.of_repeats(), &self.ensemble) {
            (Some((variance, freedom)), _) => (variance * (1.0 + 1.0 / repeats as f64), freedom),
            (None, Some(laws)) => (laws.left_out(), laws.freedom()),
            (None, None) => return None,
        };
        Some(Known { log: of.mean(), variance, freedom, basis: Basis::Measured(repeats) })
    }
}

/// How wrong laws are that know nothing of the points with most ranks at `station` when they foretell these, beyond the error
/// that they admit, as a variance for each squared logarithm of the distance. `None` where no points can be spared.
fn growth(points: &[Observation], station: Station) -> Option<f64> {
    let ranks = |point: &Observation| point.0[station as usize];
    let most = points.iter().map(ranks).fold(0.0, f64::max);
    let (last, rest): (Vec<Observation>, Vec<Observation>) =
        points.iter().partition(|point| ranks(point) * SAME >= most);
    let next = rest.iter().map(ranks).fold(0.0, f64::max);
    let laws = Ensemble::of(&rest).filter(|_| next > 0.0 && rest.len() >= 4)?;
    let excess = |point: &Observation| {
        let foretold = laws.at(&point.0);
        (point.1 - foretold.log).powi(2) - foretold.variance
    };
    let mean = last.iter().map(excess).sum::<f64>() / last.len() as f64;
    Some(mean.max(0.0) / (most / next).ln().powi(2))
}

/// Mean square of what a straight line between neighbours of a size misses, over all points and sizes that have both; `None`
/// where no size has two neighbours.
fn between_sizes(sizes: &[AtSize]) -> Option<f64> {
    let (mut squares, mut count) = (0.0, 0);
    for three in sizes.windows(3) {
        let [low, middle, high] = three else { continue };
        let part = (middle.bytes as f64 / low.bytes as f64).ln() / (high.bytes as f64 / low.bytes as f64).ln();
        for one in &middle.observations {
            let of =
                |size: &AtSize| size.observations.iter().find(|other| other.layout == one.layout).map(Observed::mean);
            if let (Some(low), Some(high)) = (of(low), of(high)) {
                squares += (one.mean() - low - part * (high - low)).powi(2);
                count += 1;
            }
        }
    }
    (count > 0).then(|| squares / f64::from(count))
}
