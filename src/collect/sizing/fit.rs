//! Laws fitted to what was measured: every set of up to three stations that the points can tell, weighted by how well each
//! foretells points that it did not see.
//!
//! Least squares of the logarithms, demands positive (their logarithms are fitted), by Levenberg (1944) and Marquardt (1963). A
//! law's error is the one for points left out of its fit, from their leverage (D. Allen's PRESS, Technometrics 16, 1974). The weights are those of model averaging with it in the place of the
//! likelihood (pseudo-BMA: Geisser & Eddy, JASA 74, 1979; Yao et al., Bayesian Analysis 13, 2018), and the variance is
//! unconditional: of each law, and between them (Burnham & Anderson, Model Selection and Multimodel Inference, 2002, ch. 4).
//! So points that cannot tell what ranks wait for give a wide interval just where that matters.

use super::law::{Arrival, Law, Load, MOST, Station};

/// A measured point: who shares what, and the logarithm of the time in ln ns.
pub type Observation = (Load, f64);

/// Error of a time that no repeat shows: the clock, and what rounding leaves.
const LEAST_ERROR: f64 = 0.005;
/// Laws with less weight are left away.
const LEAST_WEIGHT: f64 = 0.02;
const STEPS: usize = 60;
/// Least part of a point that is not determined by itself.
const LEAST_FREE: f64 = 0.1;

/// One law with what is known of its error; variances are those of logarithms.
#[derive(Debug, Clone)]
pub struct Member {
    pub law: Law,
    /// Of the logarithms of the demands.
    pub covariance: [[f64; MOST]; MOST],
    /// Points less demands.
    pub freedom: f64,
    /// Mean square of the errors for points left out: the variance of a further point around the law.
    pub left_out: f64,
    pub weight: f64,
}

/// All laws that agree with the points.
#[derive(Debug, Clone)]
pub struct Ensemble {
    pub members: Vec<Member>,
}

/// What laws say of a load, in logarithms of ns.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Foretold {
    pub log: f64,
    pub variance: f64,
    pub freedom: f64,
}

impl Ensemble {
    /// `None` for fewer than three points, or where no law can be determined.
    pub fn of(points: &[Observation]) -> Option<Ensemble> {
        let sets = sets(points);
        let members: Vec<Member> = sets.iter().filter_map(|(arrival, set)| member(*arrival, set, points)).collect();
        let least = members.iter().map(|member| member.left_out).reduce(f64::min)?;
        let power = points.len() as f64 / 2.0;
        let weight =
            |member: &Member| ((least + LEAST_ERROR.powi(2)) / (member.left_out + LEAST_ERROR.powi(2))).powf(power);
        let weigh = |mut members: Vec<Member>| {
            let sum: f64 = members.iter().map(weight).sum();
            members.iter_mut().for_each(|member| member.weight = weight(member) / sum);
            members
        };
        let kept = weigh(members).into_iter().filter(|member| member.weight >= LEAST_WEIGHT).collect();
        Some(Ensemble { members: weigh(kept) })
    }

    /// The time under `load`; its variance is that of a further point measured like the others.
    pub fn at(&self, load: &Load) -> Foretold {
        let each: Vec<(f64, f64)> = self.members.iter().map(|member| member.at(load)).collect();
        let weighted =
            |of: &dyn Fn(usize) -> f64| (0..each.len()).map(|at| self.members[at].weight * of(at)).sum::<f64>();
        let log = weighted(&|at| each[at].0);
        let variance = weighted(&|at| each[at].1 + self.members[at].left_out + (each[at].0 - log).powi(2));
        Foretold { log, variance, freedom: self.freedom() }
    }

    pub fn freedom(&self) -> f64 {
        self.members.iter().map(|member| member.weight * member.freedom).sum()
    }

    /// Mean square of the errors for points left out.
    pub fn left_out(&self) -> f64 {
        self.members.iter().map(|member| member.weight * member.left_out).sum()
    }

    /// What a transfer waits for the longest under `load`, by the likeliest law.
    pub fn bound_by(&self, load: &Load) -> Option<Station> {
        let likeliest = self.members.iter().max_by(|a, b| a.weight.total_cmp(&b.weight))?;
        let (_, parts) = likeliest.law.at(load);
        let longest = likeliest.law.stations().iter().zip(parts).max_by(|a, b| a.1.total_cmp(&b.1))?;
        Some(*longest.0)
    }
}

impl Member {
    /// ln T, and the variance that it has from the demands' own.
    fn at(&self, load: &Load) -> (f64, f64) {
        let (log, slope) = self.law.at(load);
        (log, form(&self.covariance, &slope, self.law.stations().len()).max(0.0))
    }
}

/// The sets of stations that may make a law of these points: one that nobody ever shares is the delay, and of two that the same
/// ranks share at every point one is enough. A store of one server a node is such a case. But what all ranks share, and a
/// server of a store that has only one, stay apart: the store that is asked for may have more.
fn sets(points: &[Observation]) -> Vec<(Arrival, Vec<Station>)> {
    let column = |station: Station| points.iter().map(move |(load, _)| load[station as usize]);
    let is_same = |a, b| column(a).eq(column(b));
    let useful: Vec<Station> = Station::ALL
        .into_iter()
        .filter(|station| *station == Station::Delay || column(*station).any(|ranks| ranks > 1.0))
        .filter(|station| {
            *station != Station::DbNode
                || ![Station::Server, Station::ClientNode].iter().any(|other| is_same(*other, Station::DbNode))
        })
        .collect();
    let mut sets: Vec<Vec<Station>> = useful.iter().map(|one| vec![*one]).collect();
    for (at, one) in useful.iter().enumerate() {
        for (next, other) in useful.iter().enumerate().skip(at + 1) {
            sets.push(vec![*one, *other]);
            // three only with the delay: two queues beside it
            if *one == Station::Delay {
                sets.extend(useful[next + 1..].iter().map(|third| vec![*one, *other, *third]));
            }
        }
    }
    // of one station both say the same
    let in_step = sets.iter().filter(|set| set.len() > 1).map(|set| (Arrival::InStep, set.clone())).collect::<Vec<_>>();
    sets.into_iter().map(|set| (Arrival::Free, set)).chain(in_step).collect()
}

/// A law of these stations, if the points determine it.
fn member(arrival: Arrival, stations: &[Station], points: &[Observation]) -> Option<Member> {
    let freedom = points.len().checked_sub(stations.len()).filter(|freedom| *freedom > 0 && points.len() >= 3)? as f64;
    let (law, at) = starts(stations, points)
        .iter()
        .filter_map(|start| fit(Law::new(arrival, stations, start), points))
        .min_by(|(_, a), (_, b)| a.squares.total_cmp(&b.squares))?;
    // a demand that has gone to nothing makes this one of the smaller laws
    let (least, _) = bounds(points);
    if law.log_demands().iter().any(|log| *log < least + 1.0) {
        return None;
    }
    let residual = at.squares / freedom;
    let mut covariance = inverse(at.matrix, stations.len())?;
    // the error for a point left out is its residual / (1 - its leverage); a point that alone determines a demand has none
    let left_out = |(load, log): &Observation| {
        let (t, slope) = law.at(load);
        ((log - t) / (1.0 - form(&covariance, &slope, stations.len())).max(LEAST_FREE)).powi(2)
    };
    let left_out = points.iter().map(left_out).sum::<f64>() / points.len() as f64;
    covariance.iter_mut().flatten().for_each(|of| *of *= residual);
    Some(Member { law, covariance, freedom, left_out, weight: 1.0 })
}

/// x' M x of the upper left `p` x `p`.
fn form(of: &[[f64; MOST]; MOST], x: &[f64; MOST], p: usize) -> f64 {
    (0..p).flat_map(|i| (0..p).map(move |j| (i, j))).map(|(i, j)| x[i] * of[i][j] * x[j]).sum()
}

/// Bounds of the logarithm of a demand.
fn bounds(points: &[Observation]) -> (f64, f64) {
    let logs = points.iter().map(|(_, log)| *log);
    let (low, high) = logs.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), log| (low.min(log), high.max(log)));
    (low - 14.0, high + 1.0)
}

/// Two beginnings: what waits the longest decides, or hardly matters.
fn starts(stations: &[Station], points: &[Observation]) -> [Vec<f64>; 2] {
    let least = points.iter().map(|(_, log)| *log).fold(f64::INFINITY, f64::min);
    let demand = |station: &Station, part: f64| {
        let of = points.iter().map(|(load, log)| log - load[*station as usize].ln()).fold(f64::INFINITY, f64::min);
        if *station == Station::Delay { least - 0.7 } else { of + part.ln() }
    };
    [0.7, 0.1].map(|part| stations.iter().map(|station| demand(station, part)).collect())
}

/// A law beside the points.
struct Normal {
    /// Sum of the squared residuals r.
    squares: f64,
    /// J'J, where J has the derivatives by the demands.
    matrix: [[f64; MOST]; MOST],
    /// J'r.
    right: [f64; MOST],
}

impl Normal {
    fn of(law: &Law, points: &[Observation]) -> Normal {
        let mut normal = Normal { squares: 0.0, matrix: [[0.0; MOST]; MOST], right: [0.0; MOST] };
        let p = law.stations().len();
        for (load, log) in points {
            let (t, slope) = law.at(load);
            let residual = log - t;
            normal.squares += residual * residual;
            for i in 0..p {
                normal.right[i] += slope[i] * residual;
                for j in 0..p {
                    normal.matrix[i][j] += slope[i] * slope[j];
                }
            }
        }
        normal
    }
}

/// The nearest law of the same stations, from `start` on; `None` where it is not found.
fn fit(start: Law, points: &[Observation]) -> Option<(Law, Normal)> {
    let p = start.stations().len();
    let (least, most) = bounds(points);
    let (mut law, mut at, mut damping) = (start, Normal::of(&start, points), 1e-3);
    for _ in 0..STEPS {
        let mut damped = at.matrix;
        (0..p).for_each(|i| damped[i][i] += damping * at.matrix[i][i].max(1e-9));
        let Some(inverse) = inverse(damped, p) else {
            damping *= 10.0;
            continue;
        };
        let mut moved = [0.0; MOST];
        for i in 0..p {
            let step: f64 = (0..p).map(|j| inverse[i][j] * at.right[j]).sum();
            moved[i] = (law.log_demands()[i] + step.clamp(-2.0, 2.0)).clamp(least, most);
        }
        let next = law.with(&moved[..p]);
        let there = Normal::of(&next, points);
        if there.squares < at.squares {
            let gain = at.squares - there.squares;
            (law, at, damping) = (next, there, damping * 0.2);
            if gain <= 1e-6 * at.squares + 1e-15 {
                break;
            }
        } else {
            damping *= 8.0;
            if damping > 1e8 {
                break;
            }
        }
    }
    at.squares.is_finite().then_some((law, at))
}

/// Inverse of the upper left `p` x `p` of a symmetric matrix, by Gauss and Jordan; `None` where points do not determine it.
fn inverse(mut of: [[f64; MOST]; MOST], p: usize) -> Option<[[f64; MOST]; MOST]> {
    let mut inverse = [[0.0; MOST]; MOST];
    (0..p).for_each(|i| inverse[i][i] = 1.0);
    let scale = (0..p).map(|i| of[i][i]).fold(0.0, f64::max);
    for i in 0..p {
        let pivot = (i..p).max_by(|a, b| of[*a][i].abs().total_cmp(&of[*b][i].abs()))?;
        of.swap(i, pivot);
        inverse.swap(i, pivot);
        let by = of[i][i];
        if by.abs() <= 1e-9 * scale {
            return None;
        }
        for j in 0..p {
            of[i][j] /= by;
            inverse[i][j] /= by;
        }
        for k in (0..p).filter(|k| *k != i) {
            let by = of[k][i];
            for j in 0..p {
                of[k][j] -= by * of[i][j];
                inverse[k][j] -= by * inverse[i][j];
            }
        }
    }
    Some(inverse)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(ranks: f64, servers: f64) -> Load {
        [1.0, ranks / servers, ranks / servers, 1.0, ranks]
    }

    fn points(law: &Law, noise: f64) -> Vec<Observation> {
        let mut random = fastrand::Rng::with_seed(7);
        let mut all = Vec::new();
        for servers in [1.0, 2.0, 4.0] {
            for ranks in [4.0, 16.0, 64.0, 256.0] {
                let load = load(ranks, servers);
                all.push((load, law.at(&load).0 + noise * (random.f64() * 2.0 - 1.0)));
            }
        }
        all
    }

    #[test]
    fn the_demands_that_made_the_points_are_found() {
        let law = Law::new(Arrival::Free, &[Station::Delay, Station::Server], &[9.0, 7.0]);
        let found = Ensemble::of(&points(&law, 0.0)).unwrap();
        let likeliest = found.members.iter().max_by(|a, b| a.weight.total_cmp(&b.weight)).unwrap();
        assert_eq!(likeliest.law.stations(), law.stations());
        for (ours, true_one) in likeliest.law.log_demands().iter().zip([9.0, 7.0]) {
            assert!((ours - true_one).abs() < 0.01, "{ours} {true_one}");
        }
        let far = load(4096.0, 16.0);
        assert!((found.at(&far).log - law.at(&far).0).abs() < 0.02);
        assert_eq!(found.bound_by(&far), Some(Station::Server));
    }

    #[test]
    fn with_one_size_of_the_store_it_is_not_known_what_more_servers_would_bring() {
        let law = Law::new(Arrival::Free, &[Station::Delay, Station::Server], &[9.0, 7.0]);
        let one: Vec<_> = points(&law, 0.02).into_iter().filter(|(load, _)| load[1] == load[4]).collect();
        assert_eq!(one.len(), 4);
        let found = Ensemble::of(&one).unwrap();
        let (known, unknown) = (found.at(&load(256.0, 1.0)), found.at(&load(1024.0, 16.0)));
        assert!(known.variance.sqrt() < 0.2, "{known:?}");
        assert!(unknown.variance.sqrt() > 0.5, "{unknown:?}");
    }

    #[test]
    fn too_few_points_are_no_law() {
        let law = Law::new(Arrival::Free, &[Station::Delay, Station::Server], &[9.0, 7.0]);
        assert!(Ensemble::of(&points(&law, 0.0)[..2]).is_none());
        assert!(Ensemble::of(&[]).is_none());
        let flat = [(load(4.0, 1.0), 9.0), (load(8.0, 1.0), 9.0), (load(16.0, 1.0), 9.0)];
        assert!((Ensemble::of(&flat).unwrap().at(&load(8.0, 1.0)).log - 9.0).abs() < 0.05);
    }
}
