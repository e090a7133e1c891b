//! How long a transfer takes among others: a closed network of stations at which ranks wait for each other.
//!
//! A rank visits every station once and begins again at once. Station k needs D_k of a transfer, its *demand*, and n_k ranks
//! share it. A rank that arrives finds of the n_k - 1 others those that are there just then, a part r_k / T of them:
//!
//! T = sum over k of r_k,  r_k = D_k (1 + (n_k - 1) r_k / T)  hence  T = sum over k of D_k T / (T - D_k (n_k - 1))
//!
//! This is the approximation of Y. Bard (1979) and P. Schweitzer (1979) to mean value analysis (M. Reiser and S. Lavenberg,
//! J. ACM 27, 1980). It is exact where a rank is alone, T = sum D_k, and where one station decides, T = D_k n_k: the two
//! asymptotes of operational analysis (P. Denning and J. Buzen, ACM Computing Surveys 10, 1978).
//!
//! Ranks that keep in step (a barrier before each iteration, the same pace by chance) find all others before them at every station,
//! or a constant part of them: T = sum over k of D_k n_k. Which of the two holds the points say. Pure arithmetic.

use crate::record::vocabulary::words;

words! {
    /// What a transfer goes through.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
    pub enum Station {
        /// What ranks do not share: their own cores, the way there and back.
        Delay = "the rank itself",
        /// One server: its main thread, its I/O threads.
        Server = "the server",
        /// A node of the store: its interface and memory, for all of its servers.
        DbNode = "the DB node",
        /// A node of the application: its interface and memory, for all of its ranks.
        ClientNode = "the client node",
        /// What all ranks share: the fabric, a file system, or the machine where all is on one.
        All = "a part that all ranks share",
    }
}

/// Ranks that share each station, in the order of [`Station::ALL`]; at least 1 each, 1 for the delay.
pub type Load = [f64; 5];

/// Most stations of one law: more are not told apart by what studies measure.
pub const MOST: usize = 3;

/// How ranks come to a station.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// Each by itself.
    Free,
    /// All at once.
    InStep,
}

/// Some stations with their demands as logarithms of ns.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Law {
    pub arrival: Arrival,
    stations: [Station; MOST],
    log_demands: [f64; MOST],
    /// In ns.
    demands: [f64; MOST],
    count: usize,
}

impl Law {
    /// `stations` are at most [`MOST`].
    pub fn new(arrival: Arrival, stations: &[Station], log_demands: &[f64]) -> Law {
        let zero = [0.0; MOST];
        let mut law =
            Law { arrival, stations: [Station::Delay; MOST], log_demands: zero, demands: zero, count: stations.len() };
        law.stations[..stations.len()].copy_from_slice(stations);
        law.log_demands[..stations.len()].copy_from_slice(log_demands);
        law.demands = law.log_demands.map(f64::exp);
        law
    }

    pub fn stations(&self) -> &[Station] {
        &self.stations[..self.count]
    }

    /// Logarithms of the demands in ns.
    pub fn log_demands(&self) -> &[f64] {
        &self.log_demands[..self.count]
    }

    pub fn with(&self, log_demands: &[f64]) -> Law {
        Law::new(self.arrival, self.stations(), log_demands)
    }

    /// ln T in ln ns under `load`, and its derivative by each ln D_k: what part each station has in a change of T.
    pub fn at(&self, load: &Load) -> (f64, [f64; MOST]) {
        let mut demands = [(0.0, 0.0); MOST];
        for (at, station) in self.stations().iter().enumerate() {
            demands[at] = (self.demands[at], (load[*station as usize] - 1.0).max(0.0));
        }
        let demands = &demands[..self.count];
        let mut parts = [0.0; MOST];
        if self.arrival == Arrival::InStep {
            let t: f64 = demands.iter().map(|(demand, others)| demand * (others + 1.0)).sum();
            parts.iter_mut().zip(demands).for_each(|(part, (demand, others))| *part = demand * (others + 1.0) / t);
            return (t.ln(), parts);
        }
        let t = time(demands);
        let mut slope = 1.0;
        for (part, (demand, others)) in parts.iter_mut().zip(demands) {
            let left = t - demand * others;
            slope += demand * demand * others / (left * left);
            *part = demand * t / (left * left);
        }
        parts.iter_mut().for_each(|part| *part /= slope);
        (t.ln(), parts)
    }
}

/// The T that solves the equation, as sum of D / (T - D m) = 1. The left side is convex and falls, so that Newton's steps from
/// below reach the solution and never pass it.
fn time(demands: &[(f64, f64)]) -> f64 {
    let alone: f64 = demands.iter().map(|(demand, _)| demand).sum();
    let mut t = demands.iter().map(|(demand, others)| demand * (others + 1.0)).fold(alone, f64::max);
    for _ in 0..50 {
        let (mut left, mut slope) = (-1.0, 0.0);
        for (demand, others) in demands {
            let part = demand / (t - demand * others);
            left += part;
            slope += part * part / demand;
        }
        let step = left / slope;
        if !step.is_finite() || step <= 1e-13 * t {
            break;
        }
        t += step;
    }
    t
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn loads(n: f64) -> Load {
        [1.0, n, n, n, n]
    }

    #[test]
    fn alone_the_demands_add_up_and_in_a_crowd_the_longest_decides() {
        let law = Law::new(Arrival::Free, &[Station::Delay, Station::Server], &[90f64.ln(), 10f64.ln()]);
        assert!((law.at(&loads(1.0)).0.exp() - 100.0).abs() < 1e-6);
        let crowd = law.at(&loads(1000.0)).0.exp();
        assert!((crowd / 10_000.0 - 1.0).abs() < 0.01, "{crowd}");
        // one station without a delay is T = D n, however many there are
        let queue = Law::new(Arrival::Free, &[Station::Server], &[10f64.ln()]);
        assert!((queue.at(&loads(7.0)).0.exp() - 70.0).abs() < 1e-6);
    }

    #[test]
    fn in_step_everybody_waits_for_all_others() {
        let law = Law::new(Arrival::InStep, &[Station::Delay, Station::Server], &[90f64.ln(), 10f64.ln()]);
        let (t, parts) = law.at(&loads(7.0));
        assert!((t.exp() - 160.0).abs() < 1e-6 && (parts[0] - 90.0 / 160.0).abs() < 1e-9);
    }

    #[test]
    fn mean_value_analysis_is_near() {
        // exact recursion for one station and a delay: R(n) = D (1 + Q(n - 1)), Q(n) = n R(n) / (R(n) + Z)
        let (z, d) = (500.0, 100.0);
        let mut queue = 0.0;
        let law = Law::new(Arrival::Free, &[Station::Delay, Station::Server], &[f64::ln(z), f64::ln(d)]);
        for n in 1..=40 {
            let r = d * (1.0 + queue);
            queue = f64::from(n) * r / (r + z);
            let ours = law.at(&loads(f64::from(n))).0.exp();
            assert!((ours / (r + z) - 1.0).abs() < 0.07, "{n}: {ours} {}", r + z);
        }
    }

    #[test]
    fn where_two_stations_are_equally_long_the_parts_are_still_the_derivative() {
        let logs = [2.0, 5.47894482709919, 5.265916739065519];
        let law = Law::new(Arrival::Free, &[Station::Delay, Station::Server, Station::All], &logs);
        let load = [1.0, 1681.9447999681008, 1681.9447999681008, 1681.9447999681008, 2081.368129884881];
        let more = law.with(&[logs[0], logs[1] + 1e-6, logs[2]]).at(&load).0;
        let less = law.with(&[logs[0], logs[1] - 1e-6, logs[2]]).at(&load).0;
        assert!(((more - less) / 2e-6 - law.at(&load).1[1]).abs() < 2e-3);
    }

    proptest! {
        #[test]
        fn more_load_is_never_faster_and_the_parts_are_the_derivative(
            logs in prop::collection::vec(2.0f64..14.0, 3), n in 1.0f64..5000.0, m in 1.0f64..5000.0
        ) {
            let law = Law::new(Arrival::Free, &[Station::Delay, Station::Server, Station::All], &logs);
            let load = [1.0, n, n, n, m];
            let (t, parts) = law.at(&load);
            prop_assert!(law.at(&[1.0, n * 1.1, n, n, m]).0 >= t - 1e-9);
            let sum: f64 = parts.iter().sum();
            prop_assert!((sum - 1.0).abs() < 1e-6, "scaling all demands scales T: {sum}");
            // small steps on both sides: where two stations are equally long, a part changes within 1 / n
            for at in 0..3 {
                let [less, more] = [-1e-6, 1e-6].map(|step| {
                    let mut logs = logs.clone();
                    logs[at] += step;
                    law.with(&logs).at(&load).0
                });
                let by_step = (more - less) / 2e-6;
                prop_assert!((by_step - parts[at]).abs() < 2e-3, "{at}: {by_step} {}", parts[at]);
            }
        }
    }
}
