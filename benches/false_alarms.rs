//! How often `collect --baseline` is wrong: draws pairs of collections from a model of runs and counts verdicts.
//!
//!     cargo run --release --example false_alarms
//!
//! A study is 16 permutations x 11 sizes x 2 operations = 352 comparisons. The logarithm of a run's median is a level of the run
//! and one of its own at each size and op, both normal, of equal variance, `scatter` together; one run in twenty stands in
//! another mode, a tenth slower; drift over the loop is up to 2 % either way. Blocks of a run scatter by 1 % around that, each
//! correlated by 0.5 with the one before. Slowed studies are slower everywhere, or in one permutation only.

use shardscale::collect::baseline::{Change, Method, Metric, Verdict, correct, margin};
use shardscale::collect::stats::interval;
use shardscale::record::workload::{OPS, PUT};

const PERMUTATIONS: usize = 16;
const PLACES: usize = 22;
const BLOCKS: usize = 32;
const SLOWER: f64 = 0.05;

struct Noise(fastrand::Rng);

impl Noise {
    fn normal(&mut self) -> f64 {
        (-2.0 * (1.0 - self.0.f64()).ln()).sqrt() * (std::f64::consts::TAU * self.0.f64()).cos()
    }

    /// Block medians of a run at each place.
    fn run(&mut self, scatter: f64, slowdown: f64) -> Vec<Vec<f64>> {
        let part = scatter * 0.5f64.sqrt();
        let mode = if self.0.f64() < 0.05 { 0.1f64.ln_1p() } else { 0.0 };
        let level = part * self.normal() + mode + slowdown.ln();
        (0..PLACES).map(|_| self.blocks(level, part)).collect()
    }

    fn blocks(&mut self, level: f64, part: f64) -> Vec<f64> {
        let (own, drift) = (part * self.normal(), 0.02 * (2.0 * self.0.f64() - 1.0));
        let mut before = 0.01 * self.normal();
        let block = |i: usize| {
            before = 0.5 * before + 0.75f64.sqrt() * 0.01 * self.normal();
            1e5 * (level + own + drift * (i as f64 / BLOCKS as f64 - 0.5) + before).exp()
        };
        (0..BLOCKS).map(block).collect()
    }
}

fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    f64::midpoint(values[(values.len() - 1) / 2], values[values.len() / 2])
}

fn change(old: &[Vec<f64>], new: &[Vec<f64>]) -> Change {
    let medians = |runs: &[Vec<f64>]| runs.iter().map(|blocks| median(blocks)).collect::<Vec<_>>();
    let (olds, news) = (medians(old), medians(new));
    let middle = |values: &[f64]| (values.iter().map(|value| value.ln()).sum::<f64>() / values.len() as f64).exp();
    let method = if old.len() > 1 { Method::Repeats } else { Method::Blocks };
    let (interval, p) = match method {
        Method::Repeats | Method::Collections => {
            (interval::welch_ratio(&olds, &news), interval::welch_p(&olds, &news, 1.0 + margin(method)))
        }
        Method::Blocks => (interval::block_ratio(&old[0], &new[0]), None),
    };
    Change {
        run: String::new(),
        baseline_run: String::new(),
        payload_bytes: 1,
        metric: Metric::Median,
        op: Some(OPS[PUT]),
        old_runs: old.len(),
        new_runs: new.len(),
        old: middle(&olds),
        new: middle(&news),
        ratio: middle(&news) / middle(&olds),
        interval,
        p,
        method,
        verdict: Verdict::of(interval, method),
        differs: std::sync::Arc::default(),
    }
}

/// Changes of a study, those of the slowed permutations first, before any correction.
fn study(noise: &mut Noise, (scatter, repeats): (f64, usize), (slowdown, slowed): (f64, usize)) -> Vec<Change> {
    let mut changes = Vec::new();
    for permutation in 0..PERMUTATIONS {
        let factor = if permutation < slowed { slowdown } else { 1.0 };
        let old: Vec<_> = (0..repeats).map(|_| noise.run(scatter, 1.0)).collect();
        let new: Vec<_> = (0..repeats).map(|_| noise.run(scatter, factor)).collect();
        let at = |runs: &[Vec<Vec<f64>>], place: usize| runs.iter().map(|run| run[place].clone()).collect::<Vec<_>>();
        changes.extend((0..PLACES).map(|place| change(&at(&old, place), &at(&new, place))));
    }
    changes
}

fn is_called(change: &Change) -> bool {
    matches!(change.verdict, Verdict::Slower | Verdict::Faster)
}

/// What `--fail-if slower=5%` counts.
fn fails(change: &Change) -> bool {
    change.verdict == Verdict::Slower && change.ratio >= 1.0 + SLOWER
}

fn part(count: usize, of: usize) -> f64 {
    100.0 * count as f64 / of as f64
}

/// Percent of studies that fail although nothing changed, and of comparisons called: before and after the correction.
fn unchanged(noise: &mut Noise, of: (f64, usize), studies: usize) -> [f64; 4] {
    let (mut failed, mut called) = ([0; 2], [0; 2]);
    for _ in 0..studies {
        let mut changes = study(noise, of, (1.0, 0));
        for corrected in [0, 1] {
            if corrected == 1 {
                correct(&mut changes);
            }
            called[corrected] += changes.iter().filter(|change| is_called(change)).count();
            failed[corrected] += usize::from(changes.iter().any(fails));
        }
    }
    let all = studies * PERMUTATIONS * PLACES;
    [part(called[0], all), part(called[1], all), part(failed[0], studies), part(failed[1], studies)]
}

/// Percent of slowed comparisons called slower, after the correction.
fn power(noise: &mut Noise, of: (f64, usize), (slowdown, slowed): (f64, usize), studies: usize) -> f64 {
    let mut called = 0;
    for _ in 0..studies {
        let mut changes = study(noise, of, (slowdown, slowed));
        correct(&mut changes);
        called += changes.iter().take(slowed * PLACES).filter(|change| change.verdict == Verdict::Slower).count();
    }
    part(called, studies * slowed * PLACES)
}

fn single_runs(noise: &mut Noise, scatter: f64) {
    let changes = study(noise, (scatter, 1), (1.0, 0));
    let unconfirmed = changes.iter().filter(|change| change.verdict == Verdict::Unconfirmed).count();
    let called = changes.iter().filter(|change| is_called(change)).count();
    println!(
        "one run a side, scatter {:.0} %: {called} called, {:.0} % unconfirmed",
        scatter * 100.0,
        part(unconfirmed, changes.len())
    );
}

fn main() {
    let mut noise = Noise(fastrand::Rng::with_seed(11));
    println!(
        "| scatter of runs | repeats | A/A called, % | corrected | studies failing slower=5%, % | corrected | found, all slower by 5 / 10 / 20 % | found, one permutation in 16 |"
    );
    println!("|--:|--:|--:|--:|--:|--:|--:|--:|");
    for scatter in [0.01, 0.02, 0.05] {
        for repeats in [3, 5, 10] {
            let of = (scatter, repeats);
            let [called, called_corrected, failed, failed_corrected] = unchanged(&mut noise, of, 400);
            let [all, one] = [PERMUTATIONS, 1].map(|slowed| {
                [1.05, 1.1, 1.2]
                    .map(|slowdown| format!("{:.0}", power(&mut noise, of, (slowdown, slowed), 40)))
                    .join(" / ")
            });
            println!(
                "| {:.0} % | {repeats} | {called:.2} | {called_corrected:.3} | {failed:.1} | {failed_corrected:.1} | {all} | {one} |",
                scatter * 100.0
            );
        }
    }
    for scatter in [0.01, 0.02, 0.05] {
        single_runs(&mut noise, scatter);
    }
}
