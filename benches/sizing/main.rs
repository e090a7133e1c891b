//! How far `shardscale size` can be trusted: its intervals and its "met" against stores whose truth is known, and against real runs.
//!
//!     cargo run --release --example sizing              # 60 simulated machines
//!     cargo run --release --example sizing -- next      # what `shardscale next` needs of the node-hours of a whole grid
//!     cargo run --release --example sizing -- out/      # each point of real runs, foretold by the others
//!
//! A simulated machine is a queueing network, event by event, and not the law that is fitted: every rank has its own delay, the
//! interface of its node, the server that owns its key (SmartSim-Scaling's names, or in equal shares), the interface of the DB
//! node, and a fabric that all share; first come first served, put and unpack in turn. Services are drawn anew for each machine,
//! scatter by each transfer (lognormal, 20 %), and each run has a level of its own (lognormal, 3 %). So stores have knees, some of
//! them in the server, some in the node, some in the fabric, and uneven shards.

mod machine;

use std::path::Path;

use machine::{Machine, RUN_SCATTER, SIZES};
use rayon::prelude::*;
use shardscale::collect::model::Run;
use shardscale::collect::sizing::answer::{Search, Verdict, answer};
use shardscale::collect::sizing::curve::{Curve, Estimate, Unknown};
use shardscale::collect::sizing::family::{self, Family, Metric};
use shardscale::collect::sizing::layout::{Keys, Layout};
use shardscale::collect::sizing::next::{self, Candidate};
use shardscale::collect::sizing::question::{Limit, Quantile, Question};
use shardscale::record::workload::{OPS, PUT, UNPACK};

const MACHINES: u64 = 60;

fn standard(ranks: u32, clients_per_node: u32, db_nodes: u32, servers_per_node: u32, keys: Keys) -> Layout {
    Layout { ranks, clients_per_node, db_nodes: Some(db_nodes), servers_per_node, is_colocated: false, keys }
}

/// What a user measures: 1 to 4 DB nodes, 1 or 2 servers, up to 128 ranks of 16 or 32 a node.
fn study(keys: Keys) -> Vec<Layout> {
    let mut all = Vec::new();
    for db_nodes in [1, 2, 4] {
        for servers in [1, 2] {
            for (nodes, per_node) in [(1, 8), (1, 16), (2, 16), (4, 16), (4, 32), (8, 16)] {
                all.push(standard(nodes * per_node, per_node, db_nodes, servers, keys));
            }
        }
    }
    all
}

/// Inside of the study, and beyond it.
fn asked(keys: Keys) -> [(&'static str, Vec<Layout>); 3] {
    let of = |all: &[(u32, u32, u32, u32)]| all.iter().map(|(n, c, d, s)| standard(n * c, *c, *d, *s, keys)).collect();
    [
        ("interpolated", of(&[(3, 16, 3, 1), (3, 16, 2, 2), (6, 16, 3, 2), (3, 24, 4, 1), (2, 24, 1, 2)])),
        ("up to 4 x", of(&[(16, 16, 4, 1), (16, 32, 8, 2), (12, 32, 6, 1), (16, 16, 8, 2)])),
        ("up to 16 x", of(&[(64, 16, 8, 2), (32, 32, 16, 2), (64, 16, 16, 1)])),
    ]
}

/// How often intervals held what they were for, and how wide they were.
#[derive(Default)]
struct Tally {
    asked: usize,
    shown: usize,
    held: usize,
    widths: Vec<f64>,
    errors: Vec<f64>,
}

impl Tally {
    fn add(&mut self, found: &Result<Estimate, Unknown>, truth: f64) {
        self.asked += 1;
        let Some(found) = found.as_ref().ok().filter(|found| found.is_sure()) else { return };
        self.shown += 1;
        self.held += usize::from((found.low..=found.high).contains(&truth));
        self.widths.push(found.width() - 1.0);
        self.errors.push((found.ns / truth).ln().abs());
    }

    fn merge(mut self, other: Tally) -> Tally {
        self.asked += other.asked;
        self.shown += other.shown;
        self.held += other.held;
        self.widths.extend(other.widths);
        self.errors.extend(other.errors);
        self
    }

    fn print(mut self, name: &str, metric: &str) {
        let median = |of: &mut Vec<f64>| {
            of.sort_by(f64::total_cmp);
            of.get(of.len() / 2).copied().unwrap_or(0.0) * 100.0
        };
        let (width, error) = (median(&mut self.widths), median(&mut self.errors));
        let percent = |part: usize, of: usize| 100.0 * part as f64 / of.max(1) as f64;
        println!(
            "| {name} | {metric} | {} | {:.0} | {:.1} | {width:.0} | {error:.1} |",
            self.asked,
            percent(self.shown, self.asked),
            percent(self.held, self.shown)
        );
    }
}

fn metrics() -> [(&'static str, Metric); 4] {
    [
        ("p50", Metric::Latency(OPS[PUT], Quantile::P50)),
        ("p90", Metric::Latency(OPS[UNPACK], Quantile::P90)),
        ("p99", Metric::Latency(OPS[PUT], Quantile::P99)),
        ("iteration", Metric::Iteration),
    ]
}

fn truth(run: &Run, metric: Metric, bytes: u64) -> Option<f64> {
    metric.of(run.sizes().iter().find(|size| size.payload_bytes == bytes)?)
}

/// Each point of a family, foretold by the others.
fn left_out(family: &Family<'_>, metric: Metric, bytes: u64) -> Tally {
    let mut tally = Tally::default();
    for at in 0..family.points.len() {
        let mut rest = family.clone();
        let point = rest.points.remove(at);
        let logs = point.logs(metric, bytes);
        if logs.is_empty() || rest.points.is_empty() {
            continue;
        }
        let found = Curve::of(&rest, metric, Some(bytes)).at(&point.layout, &point.load(metric.whose()), bytes);
        tally.add(&found, (logs.iter().sum::<f64>() / logs.len() as f64).exp());
    }
    tally
}

/// What `size` says against what is: (met and true, met and wrong, not met and true, not met and wrong, not known); and, where it
/// is met, by how many times the DB nodes that it names are more than the least that would do.
fn decisions(machine: &mut Machine, runs: &[Run]) -> ([usize; 5], Vec<f64>) {
    let mut counts = [0; 5];
    let mut more = Vec::new();
    for _ in 0..12 {
        let ranks = [96, 192, 256, 512][machine.random.usize(0..4)];
        let bytes = SIZES[machine.random.usize(0..3)];
        let (_, metric) = metrics()[[0, 2, 3][machine.random.usize(0..3)]];
        // a limit that some number of nodes meets, or hardly
        let layout = standard(ranks, 16, [1, 2, 3, 4, 6, 8][machine.random.usize(0..6)], 1, machine.keys);
        let near =
            truth(&machine.run(layout, 1, 0.0), metric, bytes).expect("measured") * (0.8 + 0.6 * machine.random.f64());
        let limit = match metric {
            Metric::Latency(_, quantile) => Limit::Latency(quantile, near),
            Metric::Iteration => Limit::Rate(1e9 / near),
        };
        let ops = vec![OPS[PUT]];
        let question = Question { ranks, clients_per_node: Some(16), tensor_bytes: bytes, ops, limits: vec![limit] };
        let most = [2, 4, 8, 16][machine.random.usize(0..4)];
        let found = answer(runs, &question, Some(most));
        // the truth of a choice: without a level of its own
        let mut holds =
            |layout: Layout| truth(&machine.run(layout, 1, 0.0), metric, bytes).is_some_and(|ns| ns <= near);
        match &found.answers[0].verdict {
            Verdict::Met { choice, .. } => {
                counts[if holds(choice.layout) { 0 } else { 1 }] += 1;
                let least =
                    (1..choice.db_nodes()).find(|nodes| holds(Layout { db_nodes: Some(*nodes), ..choice.layout }));
                more.push(f64::from(choice.db_nodes()) / f64::from(least.unwrap_or(choice.db_nodes())));
            }
            Verdict::NotMet(choice) => counts[if holds(choice.layout) { 3 } else { 2 }] += 1,
            _ => counts[4] += 1,
        }
    }
    (counts, more)
}

fn simulated() {
    let all: Vec<_> = (0..MACHINES)
        .into_par_iter()
        .map(|seed| {
            let mut machine = Machine::new(seed);
            let mut runs = Vec::new();
            for layout in study(machine.keys) {
                runs.push(machine.run(layout, 1, RUN_SCATTER));
            }
            let (families, _) = family::of_runs(&runs);
            let mut tallies = Vec::new();
            for (name, metric) in metrics() {
                let mut of_study = Tally::default();
                for bytes in SIZES {
                    of_study = of_study.merge(left_out(&families[0], metric, bytes));
                }
                tallies.push(("left out", name, of_study));
            }
            for (how, layouts) in asked(machine.keys) {
                let true_ones: Vec<(Layout, Run)> =
                    layouts.into_iter().map(|layout| (layout, machine.run(layout, 1, RUN_SCATTER))).collect();
                for (name, metric) in metrics() {
                    let mut tally = Tally::default();
                    for bytes in SIZES {
                        let curve = Curve::of(&families[0], metric, Some(bytes));
                        for (layout, run) in &true_ones {
                            let load = layout.load(&layout.ranks_per_server(), metric.whose());
                            tally.add(&curve.at(layout, &load, bytes), truth(run, metric, bytes).expect("measured"));
                        }
                    }
                    tallies.push((how, name, tally));
                }
            }
            let counts = decisions(&mut machine, &runs);
            (tallies, counts)
        })
        .collect();
    let mut counts = [0; 5];
    let mut tallies: Vec<(&str, &str, Tally)> = Vec::new();
    let mut more = Vec::new();
    for (of_machine, (of, more_nodes)) in all {
        more.extend(more_nodes);
        counts.iter_mut().zip(of).for_each(|(sum, one)| *sum += one);
        for (how, metric, tally) in of_machine {
            match tallies.iter_mut().find(|known| (known.0, known.1) == (how, metric)) {
                Some(known) => known.2 = std::mem::take(&mut known.2).merge(tally),
                None => tallies.push((how, metric, tally)),
            }
        }
    }
    println!("| point | figure | asked | shown, % | held by the 90 % interval, % | half width, % | error, % |");
    println!("|---|---|--:|--:|--:|--:|--:|");
    tallies.into_iter().for_each(|(how, metric, tally)| tally.print(how, metric));
    let [right, wrong, right_not, wrong_not, open] = counts;
    let percent = |part: usize, of: usize| 100.0 * part as f64 / of.max(1) as f64;
    more.sort_by(f64::total_cmp);
    let at = |part: f64| more.get((part * more.len() as f64) as usize).copied().unwrap_or(0.0);
    println!(
        "\n| answers | met | of these wrong, % | DB nodes / least that do, median (p90) | not met | of these wrong, % | not known |"
    );
    println!("|--:|--:|--:|--:|--:|--:|--:|");
    println!(
        "| {} | {} | {:.1} | {:.2} ({:.2}) | {} | {:.1} | {open} |",
        counts.iter().sum::<usize>(),
        right + wrong,
        percent(wrong, right + wrong),
        at(0.5),
        at(0.9),
        right_not + wrong_not,
        percent(wrong_not, right_not + wrong_not)
    );
}

fn real(dir: &Path) -> anyhow::Result<()> {
    let collection = shardscale::collect::gather(dir, &dir.join("report"))?;
    let (families, _) = family::of_runs(&collection.runs);
    println!("| store | figure | asked | shown, % | held by the 90 % interval, % | half width, % | error, % |");
    println!("|---|---|--:|--:|--:|--:|--:|");
    for (name, metric) in metrics() {
        let mut of_all = Tally::default();
        for family in &families {
            for bytes in family.sizes() {
                of_all = of_all.merge(left_out(family, metric, bytes));
            }
        }
        of_all.print("all, each point left out", name);
    }
    Ok(())
}

/// How points are chosen.
#[derive(Clone, Copy, PartialEq)]
enum Order {
    Proposed,
    Random,
    CheapestFirst,
}

/// The part of the grid's node-hours after which the answer was there: as few DB nodes, or less than a tenth more, as the whole grid
/// says, or decided. Begins with the four cheapest points. With it whether a store that was then called enough is not.
fn hours_to_answer(machine: &mut Machine, order: Order, question: &Question, near: f64, metric: Metric) -> (f64, bool) {
    let grid: Vec<Run> = study(machine.keys).into_iter().map(|layout| machine.run(layout, 1, RUN_SCATTER)).collect();
    let cost = |layout: &Layout| f64::from(layout.client_nodes() + layout.db_nodes.unwrap_or(0));
    let all: f64 = study(machine.keys).iter().map(cost).sum();
    let verdict = |runs: &[Run]| answer(runs, question, Some(16)).answers[0].verdict.clone();
    let best = verdict(&grid);
    let mut open: Vec<(Layout, Run)> = study(machine.keys).into_iter().zip(grid).collect();
    open.sort_by(|a, b| cost(&a.0).total_cmp(&cost(&b.0)));
    let mut rest = open.split_off(4);
    let (mut spent, mut runs) = (
        open.iter().map(|(layout, _)| cost(layout)).sum::<f64>(),
        open.into_iter().map(|(_, run)| run).collect::<Vec<_>>(),
    );
    loop {
        let now = verdict(&runs);
        let is_same = match (&now, &best) {
            (Verdict::Met { choice, .. }, Verdict::Met { choice: best, .. }) => {
                f64::from(choice.db_nodes()) <= 1.1 * f64::from(best.db_nodes())
            }
            (Verdict::NotMet(_), Verdict::NotMet(_)) => true,
            _ => next::is_decided(&now),
        };
        if is_same || rest.is_empty() {
            let holds = |layout: Layout, machine: &mut Machine| {
                truth(&machine.run(layout, 1, 0.0), metric, question.tensor_bytes).is_some_and(|ns| ns <= near)
            };
            let is_wrong = matches!(&now, Verdict::Met { choice, .. } if !holds(choice.layout, machine));
            return (spent / all, is_wrong);
        }
        let at = match order {
            Order::CheapestFirst => 0,
            Order::Random => machine.random.usize(0..rest.len()),
            Order::Proposed => {
                let (families, _) = family::of_runs(&runs);
                let search = Search::new(&families[0], question);
                let candidates: Vec<Candidate> =
                    rest.iter().map(|(layout, _)| Candidate { layout: *layout, cost: cost(layout) }).collect();
                let proposed = next::propose(&search, &candidates, f64::INFINITY, Some(16));
                let first = proposed.and_then(|proposed| proposed.points.first().map(|point| point.layout));
                rest.iter().position(|(layout, _)| Some(*layout) == first).unwrap_or(0)
            }
        };
        let (layout, run) = rest.remove(at);
        spent += cost(&layout);
        runs.push(run);
    }
}

fn next_against_grid() {
    println!("part of the grid's node-hours after which the answer is the grid's, or decided, in % of the questions");
    println!("| order | 10 % | 20 % | 30 % | 40 % | 50 % | 75 % | 100 % | median | called enough and is not, % |");
    println!("|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|");
    for (name, order) in
        [("next", Order::Proposed), ("cheapest first", Order::CheapestFirst), ("random", Order::Random)]
    {
        let found: Vec<(f64, bool)> = (0..MACHINES)
            .into_par_iter()
            .flat_map_iter(|seed| {
                let mut machine = Machine::new(seed);
                let mut parts = Vec::new();
                for _ in 0..3 {
                    let ranks = [192, 256, 512][machine.random.usize(0..3)];
                    let bytes = SIZES[machine.random.usize(0..3)];
                    let (_, metric) = metrics()[[0, 3][machine.random.usize(0..2)]];
                    let layout = standard(ranks, 16, [2, 3, 4, 6, 8][machine.random.usize(0..5)], 1, machine.keys);
                    let near = truth(&machine.run(layout, 1, 0.0), metric, bytes).expect("measured")
                        * (0.9 + 0.3 * machine.random.f64());
                    let limit = match metric {
                        Metric::Latency(_, quantile) => Limit::Latency(quantile, near),
                        Metric::Iteration => Limit::Rate(1e9 / near),
                    };
                    let question = Question {
                        ranks,
                        clients_per_node: Some(16),
                        tensor_bytes: bytes,
                        ops: vec![OPS[PUT]],
                        limits: vec![limit],
                    };
                    parts.push(hours_to_answer(&mut machine, order, &question, near, metric));
                }
                parts
            })
            .collect();
        let within =
            |part: f64| 100.0 * found.iter().filter(|(needed, _)| *needed <= part).count() as f64 / found.len() as f64;
        let mut parts: Vec<f64> = found.iter().map(|(part, _)| *part).collect();
        parts.sort_by(f64::total_cmp);
        let wrong = 100.0 * found.iter().filter(|(_, is_wrong)| *is_wrong).count() as f64 / found.len() as f64;
        let columns = [0.1, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0].map(|part| format!("{:.0}", within(part))).join(" | ");
        println!("| {name} | {columns} | {:.0} % | {wrong:.1} |", parts[parts.len() / 2] * 100.0);
    }
}

fn main() -> anyhow::Result<()> {
    match std::env::args().nth(1).as_deref() {
        Some("next") => next_against_grid(),
        Some(dir) => real(Path::new(dir))?,
        None => simulated(),
    }
    Ok(())
}
