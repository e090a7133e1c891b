//! How often the history is wrong: changes of level that are none, and `--fail-if` against the last collections.
//!
//!     cargo run --release --example history_alarms
//!
//! A collection is 16 configurations x 22 ops and sizes x 3 runs. The logarithm of a median is a level of the collection, one of
//! the run and one of its own, all normal; `between` is the scatter of the first, `within` that of the two others together. Nothing
//! changes, or one configuration in four is slower from the middle on.

use std::collections::BTreeMap;

use shardscale::collect::baseline::Verdict;
use shardscale::collect::groups::Key;
use shardscale::collect::history::{Moment, against, trend};
use shardscale::collect::params::Value;
use shardscale::record::workload::OPS;

const CONFIGURATIONS: usize = 16;
const SLOWED: usize = 4;
const PLACES: u64 = 11;
const RUNS: usize = 3;
const HISTORIES: usize = 200;

struct Noise(fastrand::Rng);

impl Noise {
    fn normal(&mut self) -> f64 {
        (-2.0 * (1.0 - self.0.f64()).ln()).sqrt() * (std::f64::consts::TAU * self.0.f64()).cos()
    }

    fn moment(&mut self, day: usize, (between, within): (f64, f64), slowdown: f64) -> Moment {
        let part = within * 0.5f64.sqrt();
        let level = slowdown.ln() + between * self.normal();
        let runs: Vec<f64> = (0..RUNS).map(|_| level + part * self.normal()).collect();
        let places = (0..PLACES).flat_map(|size| OPS.iter().take(2).map(move |op| (*op, 1024 << size)));
        let medians = |noise: &mut Noise| runs.iter().map(|run| 1e5 * (run + part * noise.normal()).exp()).collect();
        Moment {
            utc: format!("2026-01-{day:04}"),
            run: String::new(),
            runs: [day.to_string()].into(),
            environment: BTreeMap::new(),
            figures: places.map(|place| (place, medians(self))).collect(),
        }
    }

    /// `n` collections; the first configurations are slower from the middle on.
    fn history(&mut self, n: usize, scatter: (f64, f64), slowdown: f64) -> BTreeMap<Key, Vec<Moment>> {
        let line = |noise: &mut Noise, at: usize| {
            let factor = |day: usize| if at < SLOWED && day >= n / 2 { slowdown } else { 1.0 };
            (0..n).map(|day| noise.moment(day, scatter, factor(day))).collect()
        };
        let key = |at: usize| vec![("client_nodes", Some(Value::Count(at as i64)))];
        (0..CONFIGURATIONS).map(|at| (key(at), line(self, at))).collect()
    }
}

fn part(count: usize, of: usize) -> f64 {
    100.0 * count as f64 / of as f64
}

/// Percent of histories in which a configuration that did not change is told to have, and of changes that are found within one
/// collection of where they are.
fn changes_of_level(noise: &mut Noise, n: usize, scatter: (f64, f64), slowdown: f64) -> [f64; 2] {
    let (mut wrong, mut found) = (0, 0);
    for _ in 0..HISTORIES {
        let trends = trend::of(noise.history(n, scatter, slowdown).into_iter().collect(), |_| true);
        let (slowed, same) = trends.split_at(if slowdown > 1.0 { SLOWED } else { 0 });
        wrong += usize::from(same.iter().any(|one| !one.turns.is_empty()));
        found += slowed.iter().filter(|one| one.turns.iter().any(|turn| turn.at.abs_diff(n / 2) <= 1)).count();
    }
    [part(wrong, HISTORIES), part(found, HISTORIES * SLOWED)]
}

/// Percent of unchanged collections that `--last n --fail-if slower=5%` fails, and of slowed figures that are called slower.
fn last(noise: &mut Noise, n: usize, scatter: (f64, f64), slowdown: f64) -> [f64; 2] {
    let (mut failed, mut called) = (0, 0);
    for _ in 0..HISTORIES {
        let past = noise.history(n, scatter, 1.0);
        let factor = |at: usize| if at < SLOWED { slowdown } else { 1.0 };
        let present =
            past.keys().enumerate().map(|(at, key)| (key.clone(), vec![noise.moment(n, scatter, factor(at))]));
        let baseline = against::compare("", &past, &present.collect(), n);
        failed += usize::from(baseline.fails("slower=5%".parse().unwrap_or_else(|error| panic!("{error}"))));
        let slowed = baseline.changes.iter().take(SLOWED * 2 * PLACES as usize);
        called += slowed.filter(|change| change.verdict == Verdict::Slower).count();
    }
    [part(failed, HISTORIES), part(called, HISTORIES * SLOWED * 2 * PLACES as usize)]
}

fn main() {
    let mut noise = Noise(fastrand::Rng::with_seed(20));
    println!(
        "| collections | scatter between, within | unchanged histories with a change, % | found, slower by 5 / 10 / 20 % |"
    );
    for n in [8, 12, 20, 40] {
        for scatter in [(0.01, 0.02), (0.03, 0.02)] {
            let [wrong, _] = changes_of_level(&mut noise, n, scatter, 1.0);
            let found = [1.05, 1.1, 1.2]
                .map(|slowdown| format!("{:.0}", changes_of_level(&mut noise, n, scatter, slowdown)[1]));
            println!(
                "| {n} | {:.0} %, {:.0} % | {wrong:.1} | {} |",
                scatter.0 * 100.0,
                scatter.1 * 100.0,
                found.join(" / ")
            );
        }
    }
    println!(
        "| last | scatter between, within | unchanged collections failing, % | figures called, 4 of 16 slower by 10 / 20 / 50 % |"
    );
    for n in [1, 3, 5, 10] {
        for scatter in [(0.01, 0.02), (0.03, 0.02)] {
            let [failed, _] = last(&mut noise, n, scatter, 1.0);
            let called = [1.1, 1.2, 1.5].map(|slowdown| format!("{:.0}", last(&mut noise, n, scatter, slowdown)[1]));
            println!(
                "| {n} | {:.0} %, {:.0} % | {failed:.1} | {} |",
                scatter.0 * 100.0,
                scatter.1 * 100.0,
                called.join(" / ")
            );
        }
    }
}
