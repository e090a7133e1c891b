//! A simulated machine: a queueing network, event by event, that makes runs whose truth is known.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use shardscale::collect::model::{Measured, OpResult, Run, SizeResult, Source, State};
use shardscale::collect::params::{Params, Value};
use shardscale::collect::sizing::layout::{Keys, Layout};
use shardscale::collect::stats::Summary;
use shardscale::record::op::Op;
use shardscale::record::slots;
use shardscale::record::workload::{OPS, PUT, UNPACK};

const ITERATIONS: u32 = 40;
pub const SIZES: [u64; 3] = [64 << 10, 256 << 10, 1 << 20];
/// Of the level of a run, as a logarithm.
pub const RUN_SCATTER: f64 = 0.03;
const TRANSFER_SCATTER: f64 = 0.2;

/// Time in ns that one of each needs for a transfer: (fixed, for each byte).
pub struct Machine {
    pub random: fastrand::Rng,
    delay: (f64, f64),
    client: (f64, f64),
    server: [(f64, f64); 2],
    db_node: (f64, f64),
    fabric: (f64, f64),
    pub keys: Keys,
}

/// (time, rank, station, transfer, when it began).
type Event = (u64, u32, u8, u32, u64);

fn normal(random: &mut fastrand::Rng) -> f64 {
    (-2.0 * (1.0 - random.f64()).ln()).sqrt() * (std::f64::consts::TAU * random.f64()).cos()
}

impl Machine {
    pub fn new(seed: u64) -> Machine {
        let mut random = fastrand::Rng::with_seed(seed);
        // between two bounds, even in logarithms
        let mut of = |low: f64, high: f64| low * (high / low).powf(random.f64());
        Machine {
            delay: (of(5e3, 6e4), of(0.02, 0.3)),
            client: (of(200.0, 2e3), of(0.005, 0.1)),
            server: [(of(2e3, 2e4), of(0.05, 0.6)), (of(2e3, 2e4), of(0.05, 0.6))],
            db_node: (of(100.0, 1e3), of(0.01, 0.12)),
            fabric: (of(5.0, 100.0), of(0.0002, 0.01)),
            keys: if seed.is_multiple_of(2) { Keys::Hash(slots::THROUGHPUT) } else { Keys::Equal },
            random: fastrand::Rng::with_seed(seed ^ 0x5eed),
        }
    }

    /// One run of `layout`: every size.
    pub fn run(&mut self, layout: Layout, repeat: i64, scatter: f64) -> Run {
        let level = (scatter * normal(&mut self.random)).exp();
        let sizes: Vec<SizeResult> = (0..SIZES.len()).map(|index| self.size(&layout, index, level)).collect();
        let mut params = Params::default();
        let count = |count: u32| Some(Value::Count(i64::from(count)));
        params.set("client_nodes", count(layout.client_nodes()));
        params.set("clients_per_node", count(layout.clients_per_node));
        params.set("db_nodes", layout.db_nodes.and_then(count));
        params.set("servers_per_node", count(layout.servers_per_node));
        params.set("repeat", Some(Value::Count(repeat)));
        params.set(
            "keys",
            Some(Value::Text(if matches!(layout.keys, Keys::Hash(_)) { "hash" } else { "balanced" }.to_owned())),
        );
        Run {
            path: String::new(),
            name: String::new(),
            source: Source::ShardScale,
            params,
            placement: None,
            state: State::Done,
            reason: String::new(),
            notes: Vec::new(),
            attempt: Some(1),
            pack: None,
            sizes_total: SIZES.len(),
            timeline: Default::default(),
            measured: Some(Measured {
                ranks: layout.ranks,
                hosts: 1,
                host_names: Vec::new(),
                host_ratios: Vec::new(),
                ranks_per_shard: layout.ranks_per_server(),
                wire: "plain".into(),
                server: "simulated".into(),
                window_error_ns: 0,
                facts: Vec::new(),
                sizes,
                alone: None,
                ranks_standing: Default::default(),
                hosts_standing: Default::default(),
                shards_standing: Default::default(),
            }),
        }
    }

    fn size(&mut self, layout: &Layout, index: usize, level: f64) -> SizeResult {
        let (durations, window_ns) = self.events(layout, SIZES[index] as f64, level);
        let op = |op: Op, mut of: Vec<u64>| {
            of.sort_unstable();
            OpResult {
                op,
                ranks: layout.ranks,
                warmup_excluded: 0,
                latency: Summary::of_sorted(&of).expect("a rank has samples"),
                median_gb_per_s: None,
                overlap_gb_per_s: Some(SIZES[index] as f64 * of.len() as f64 / window_ns),
                multimodal: None,
                density: None,
                trend: None,
                block_medians_ns: Vec::new(),
            }
        };
        let [puts, unpacks] = durations;
        let moved = 2.0 * SIZES[index] as f64 * puts.len() as f64;
        SizeResult {
            payload_bytes: SIZES[index],
            size_index: index as u32,
            window_ns: Some(window_ns as u64),
            overlap_gb_per_s: Some(moved / window_ns),
            classic_gb_per_s: None,
            iteration_gb_per_s: None,
            iteration_gb_per_s_ci95: None,
            shard_gb_per_s: Vec::new(),
            ops: vec![op(OPS[PUT], puts), op(OPS[UNPACK], unpacks)],
            application: Vec::new(),
        }
    }

    /// Durations of puts and unpacks, and the window.
    fn events(&mut self, layout: &Layout, bytes: f64, level: f64) -> ([Vec<u64>; 2], f64) {
        let servers = layout.ranks_per_server().len();
        // which server a rank's key is on: by the share that each server has
        let mut server_of: Vec<usize> = Vec::new();
        for (server, count) in layout.ranks_per_server().into_iter().enumerate() {
            server_of.extend(std::iter::repeat_n(server, count as usize));
        }
        let nodes = layout.client_nodes() as usize;
        let (mut clients, mut queues) = (vec![0.0; nodes], vec![0.0; servers]);
        let mut db_nodes = vec![0.0; layout.db_nodes.unwrap_or(1) as usize];
        let mut fabric = 0.0;
        let mut durations = [Vec::new(), Vec::new()];
        let mut first = f64::INFINITY;
        let mut last: f64 = 0.0;
        let mut events: BinaryHeap<Reverse<Event>> = BinaryHeap::new();
        (0..layout.ranks).for_each(|rank| {
            let start = self.random.u64(0..20_000);
            events.push(Reverse((start, rank, 0, 0, start)));
        });
        while let Some(Reverse((now, rank, station, transfer, began))) = events.pop() {
            let op = transfer as usize % 2;
            let server = server_of[rank as usize];
            let (fixed, per_byte) = match station {
                0 => self.delay,
                1 => self.client,
                2 => self.fabric,
                3 => self.db_node,
                _ => self.server[op],
            };
            let service = level * (fixed + per_byte * bytes) * (TRANSFER_SCATTER * normal(&mut self.random)).exp();
            let free = match station {
                0 => &mut (now as f64),
                1 => &mut clients[rank as usize % nodes],
                2 => &mut fabric,
                3 => &mut db_nodes[server / layout.servers_per_node as usize],
                _ => &mut queues[server],
            };
            let end = free.max(now as f64) + service;
            *free = end;
            let end = end as u64;
            if station < 4 {
                events.push(Reverse((end, rank, station + 1, transfer, began)));
                continue;
            }
            // the first tenth warms up
            if transfer >= ITERATIONS / 5 {
                durations[op].push(end - began);
                (first, last) = (first.min(began as f64), last.max(end as f64));
            }
            if transfer + 1 < 2 * ITERATIONS {
                events.push(Reverse((end, rank, 0, transfer + 1, end)));
            }
        }
        (durations, last - first)
    }
}
