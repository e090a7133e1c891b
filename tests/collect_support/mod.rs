//! Builds result trees with the record's own writers, for the tests of `collect`.
#![allow(dead_code)] // each test binary uses its own part

use std::fs;
use std::path::{Path, PathBuf};

use shardscale::record::SCHEMA;
use shardscale::record::attempt::ClientError;
use shardscale::record::files;
use shardscale::record::manifest::{self, Manifest};
use shardscale::record::progress::{self, Progress};
use shardscale::record::samples::{self, Meta, RankInfo, Series};
use shardscale::record::server::Server;
use shardscale::record::vocabulary::{Deployment, Transport, Wire};
use shardscale::record::workload::OPS;

/// Model of a run: the manifest, and what the client is to have measured.
#[derive(Clone)]
pub struct Model {
    pub manifest: Manifest,
    /// Sizes whose samples are written; fewer than the manifest's make a run that broke off.
    pub sizes_done: usize,
    /// Ranks that the client believes to have.
    pub world_size: u32,
    /// Leaves out this series: (size index, rank, op).
    pub without: Option<(u32, u32, usize)>,
    pub wire: Wire,
    /// Product and version that the servers call themselves.
    pub server: String,
    /// Bound of the error of each rank's clock.
    pub clock_error_ns: u64,
    /// All durations are longer by this factor.
    pub slowdown: f64,
    /// Where ranks compute (interleaved alone), how much longer that takes beside the store than before.
    pub compute_slowdown: f64,
    /// Other noise of the same kind.
    pub seed: u64,
    /// What names of hosts begin with.
    pub hosts: String,
    /// The host, by its place, whose ranks take twice as long.
    pub slow_host: Option<u32>,
    /// Days after the usual one on which it ran.
    pub day: u64,
}

impl Model {
    pub fn new(manifest: Manifest) -> Model {
        Model {
            sizes_done: manifest.sweep.tensor_bytes.len(),
            world_size: manifest.expect.ranks,
            without: None,
            server: "redis 7.0.15".into(),
            wire: Wire::Plain,
            clock_error_ns: 900,
            slowdown: 1.0,
            compute_slowdown: 1.25,
            seed: 0,
            hosts: "cn".into(),
            slow_host: None,
            day: 0,
            manifest,
        }
    }

    /// The bytes of samples.bin; the same for the same model.
    pub fn samples(&self) -> Vec<u8> {
        let mut bytes = samples::file_header().to_vec();
        let meta = self.meta();
        samples::push_meta(&mut bytes, &meta).unwrap();
        samples::push_ranks(&mut bytes, &self.ranks(&meta)).unwrap();
        let job = &self.manifest.job;
        let mut noise = Noise(self.seed << 40 | u64::from(job.client_nodes) << 20 | u64::from(job.repeat));
        if let Some(asked_ns) = job.workload.compute.asked_ns() {
            (0..self.world_size).for_each(|rank| push_alone(&mut bytes, rank, asked_ns, &mut noise));
        }
        for (index, payload_bytes) in meta.tensor_bytes.iter().enumerate().take(self.sizes_done) {
            for rank in 0..self.world_size {
                self.push_rank(&mut bytes, (index as u32, *payload_bytes), rank, &mut noise);
            }
        }
        if self.sizes_done == meta.tensor_bytes.len() {
            samples::push_end(&mut bytes);
        }
        bytes
    }

    fn push_rank(&self, bytes: &mut Vec<u8>, (size_index, payload_bytes): (u32, u64), rank: u32, noise: &mut Noise) {
        let sweep = &self.manifest.sweep;
        let n = (sweep.iterations + sweep.warmup) as usize;
        let mut now = i64::from(size_index) * 1_000_000_000 + (noise.next() * 20_000.0) as i64;
        let compute_ns = self.manifest.job.workload.compute.asked_ns();
        let ops = OPS.len() + usize::from(compute_ns.is_some());
        let mut columns = vec![(Vec::new(), Vec::new()); ops];
        let mut measured_from = now;
        for iteration in 0..n {
            if iteration == sweep.warmup as usize {
                measured_from = now;
            }
            for (op, (starts, durations)) in columns.iter_mut().enumerate() {
                let duration = match compute_ns.filter(|_| op >= OPS.len()) {
                    Some(asked_ns) => about((asked_ns as f64 * self.compute_slowdown) as u64, noise),
                    None => self.duration_ns(payload_bytes, op, noise) * self.slowness(rank),
                };
                starts.push(now);
                durations.push(duration);
                now += duration.cast_signed() + 40;
            }
        }
        for (op, (starts_ns, durations_ns)) in columns.iter().enumerate() {
            if self.without == Some((size_index, rank, op)) {
                continue;
            }
            let (shard, warmup) = (rank % self.manifest.expect.servers, sweep.warmup);
            let loop_ns = (now - measured_from).cast_unsigned();
            let series =
                Series { rank, op, payload_bytes, size_index, shard, warmup, loop_ns, starts_ns, durations_ns };
            samples::push_series(bytes, &series);
        }
    }

    fn slowness(&self, rank: u32) -> u64 {
        let host = rank * self.manifest.job.client_nodes / self.world_size;
        if self.slow_host == Some(host) { 2 } else { 1 }
    }

    /// A latency that grows with the size and with the ranks on a shard, with a tail.
    fn duration_ns(&self, payload_bytes: u64, op: usize, noise: &mut Noise) -> u64 {
        let job = &self.manifest.job;
        let per_shard = f64::from(self.world_size) / f64::from(self.manifest.expect.servers);
        let base = if job.transport == Transport::Uds { 15_000.0 } else { 26_000.0 };
        let bytes_per_ns = if job.deployment == Deployment::Colocated { 2.5 } else { 1.4 };
        let load = 1.0 + per_shard / 12.0;
        let tail = if noise.next() > 0.98 { 3.0 } else { 1.0 };
        let mean = (base + payload_bytes as f64 / bytes_per_ns) * load * (1.0 - 0.1 * op as f64);
        (self.slowdown * mean * tail * (0.85 + 0.4 * noise.next().powi(2))) as u64
    }

    fn meta(&self) -> Meta {
        let (job, sweep) = (&self.manifest.job, &self.manifest.sweep);
        Meta {
            client_version: "0.1.0".into(),
            mpi_library: "Open MPI v4.1.4".into(),
            world_size: self.world_size,
            wire: self.wire,
            keys: job.keys,
            barrier: sweep.barrier,
            verify: sweep.verify,
            iterations: sweep.iterations,
            warmup: sweep.warmup,
            tensor_bytes: sweep.tensor_bytes.clone(),
            workload: job.workload.clone(),
            roles: Default::default(),
            ops: job.workload.ops(),
            compute: None,
            model: None,
            source: None,
            server: self.server.clone(),
            server_settings: vec![
                ("io-threads".into(), job.io_threads.to_string()),
                ("save".into(), String::new()),
                ("maxclients".into(), "50000".into()),
            ],
            shards: (0..self.manifest.expect.servers).map(|i| format!("10.78.0.{i}:6780")).collect(),
            hosts: (0..job.client_nodes).map(|i| format!("{}{i:04}", self.hosts)).collect(),
            clock_resolution_ns: 20,
            clock_overhead_ns: 23,
            unix_ns_at_zero: 1_766_400_000_000_000_000
                + u64::from(job.client_nodes) * 1_000_000_000_000
                + self.day * 86_400_000_000_000,
        }
    }

    fn ranks(&self, meta: &Meta) -> Vec<RankInfo> {
        let rank_info = |rank: u32| RankInfo {
            rank,
            local_rank: self.manifest.placement.as_ref().map(|_| rank % self.manifest.job.clients_per_node),
            host: rank * meta.hosts.len() as u32 / self.world_size,
            shard: rank % self.manifest.expect.servers,
            key: format!("throughput_rank_{rank}"),
            shards: Vec::new(),
            cpus: self.cpus_of_rank(rank),
            connect_ns: 3_000_000 + u64::from(rank) * 1000,
            clock_offset_ns: 5,
            clock_error_ns: self.clock_error_ns,
            threads_cpus: None,
        };
        (0..self.world_size).map(rank_info).collect()
    }

    /// Those that the manifest pins the rank to, if it does.
    fn cpus_of_rank(&self, rank: u32) -> String {
        let pinned =
            self.manifest.placement.as_ref().map(|placement| &placement.ranks).filter(|ranks| !ranks.is_empty());
        pinned.map_or("0-7".into(), |ranks| ranks[rank as usize % ranks.len()].to_list())
    }

    /// A server as it was asked for, on a node of its own or on the client's.
    pub fn server(&self, index: u32) -> Server {
        let job = &self.manifest.job;
        let first = if job.deployment == Deployment::Standard { job.client_nodes } else { 0 };
        let placement = self.manifest.placement.as_ref();
        let is_socket = job.transport == Transport::Uds;
        Server {
            schema: SCHEMA,
            index,
            local_index: Some(0),
            host: format!("cn{:04}", first + index),
            address: (!is_socket).then(|| format!("10.78.0.{index}")),
            port: (!is_socket).then_some(6780),
            socket: is_socket.then(|| "/tmp/redis.sock".into()),
            folder: None,
            ifname: job.net_ifname.clone(),
            pid: 1,
            cpus: placement
                .and_then(|placement| placement.servers.first())
                .map_or("0-63".into(), |cpus| cpus.to_list()),
            version: self.server.clone(),
            in_force: None,
            bus: None,
            exit: None,
        }
    }

    /// A status whose job began 4 s before its ranks agreed on a clock.
    fn in_time(&self, status: &str) -> String {
        let shift = 1000 * u64::from(self.manifest.job.client_nodes) - 4;
        let shifted = |line: &str| {
            let (unix_s, rest) = line.split_once(' ').unwrap();
            format!("{} {rest}\n", unix_s.parse::<u64>().unwrap() + shift)
        };
        status.lines().map(shifted).collect()
    }

    /// Writes the run's folder and manifest below `out` and returns it; no attempt yet.
    pub fn generate(&self, out: &Path) -> PathBuf {
        let dir = out.join(&self.manifest.name);
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join(manifest::FILE), self.manifest.to_toml().unwrap()).unwrap();
        dir
    }

    /// Writes the run with an attempt that measured what the model says and then wrote `status`.
    pub fn execute(&self, out: &Path, attempt: u32, status: &str) -> PathBuf {
        let path = self.generate(out).join(format!("attempt-{attempt}"));
        fs::create_dir(&path).unwrap();
        fs::write(path.join("status"), self.in_time(status)).unwrap();
        fs::write(path.join(samples::FILE), self.samples()).unwrap();
        // a run that pins is held against what its servers recorded
        if self.manifest.placement.is_some() {
            (0..self.manifest.expect.servers).for_each(|index| self.server(index).write(&path).unwrap());
        }
        let sizes = &self.manifest.sweep.tensor_bytes;
        let progress = Progress {
            schema: 1,
            sizes_done: self.sizes_done as u32,
            sizes_total: sizes.len() as u32,
            payload_bytes: sizes.get(self.sizes_done).copied(),
            unix_s: 1_766_400_100,
            running: None,
        };
        files::replace_json(&path.join(progress::FILE), &progress).unwrap();
        path
    }
}

/// 30 calls of one rank before the store has traffic.
fn push_alone(bytes: &mut Vec<u8>, rank: u32, asked_ns: u64, noise: &mut Noise) {
    let durations_ns: Vec<u64> = (0..30).map(|_| about(asked_ns, noise)).collect();
    let starts_ns: Vec<i64> = (0..30).map(|call| call * 2 * asked_ns.cast_signed()).collect();
    let (starts_ns, durations_ns) = (&starts_ns[..], &durations_ns[..]);
    let (op, payload_bytes, size_index, shard, warmup, loop_ns) = (OPS.len() + 1, 0, 0, 0, 0, 0);
    let series = Series { rank, op, payload_bytes, size_index, shard, warmup, loop_ns, starts_ns, durations_ns };
    samples::push_alone(bytes, &series);
}

/// Within 5 % above.
fn about(ns: u64, noise: &mut Noise) -> u64 {
    (ns as f64 * (1.0 + 0.05 * noise.next())) as u64
}

pub const DONE: &str = "1766400000 started job=7 host=cn1\n1766400001 store-starting\n1766400003 store-ready\n\
    1766400003 client-started\n1766400012 client-ended rc=0\n1766400013 done\n";
pub const TIMED_OUT: &str = "1766400000 started job=8 host=cn1\n1766400009 failed terminated rc=143\n";
pub const CLIENT_FAILED: &str = "1766400000 started job=9 host=cn1\n1766400009 failed client rc=1\n";

/// Evenly spread numbers in 0..1, the same each time (a 64-bit linear congruential generator).
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// A manifest of `client_nodes` x 4 ranks; `db_nodes` absent: colocated over a UNIX socket.
pub fn permutation(client_nodes: u32, db_nodes: Option<u32>, repeat: u32) -> Manifest {
    let mut manifest = manifest::example();
    let clients_per_node = 4;
    let servers = db_nodes.unwrap_or(client_nodes);
    manifest.job.client_nodes = client_nodes;
    manifest.job.clients_per_node = clients_per_node;
    manifest.job.db_nodes = db_nodes;
    manifest.job.repeat = repeat;
    manifest.expect.ranks = client_nodes * clients_per_node;
    manifest.expect.servers = servers;
    manifest.expect.nodes = client_nodes + db_nodes.unwrap_or(0);
    manifest.sweep.tensor_bytes = vec![1024, 8192, 65536, 262_144, 1 << 20, 4_096_000];
    manifest.sweep.iterations = 30;
    manifest.name = match db_nodes {
        Some(db) => format!("standard-n{client_nodes}x{clients_per_node}-db{db}x1-none-hsn0-tcp-r{repeat}"),
        None => format!("colocated-n{client_nodes}x{clients_per_node}-db1-none-lo-uds-r{repeat}"),
    };
    if db_nodes.is_none() {
        manifest.job.deployment = Deployment::Colocated;
        manifest.job.transport = Transport::Uds;
        manifest.job.net_ifname = "lo".into();
    }
    manifest
}

/// A study as it comes back from a machine: mostly done, and one run in each other state.
pub fn study(out: &Path) {
    for client_nodes in [4, 8, 16, 32] {
        for db_nodes in [Some(4), Some(8), Some(16), None] {
            for repeat in [1, 2] {
                one_of_study(out, client_nodes, db_nodes, repeat);
            }
        }
    }
    fs::create_dir_all(out.join("from-the-future")).unwrap();
    fs::write(out.join("from-the-future/run.toml"), "schema = 7\nname = 'later'\n").unwrap();
}

fn one_of_study(out: &Path, client_nodes: u32, db_nodes: Option<u32>, repeat: u32) {
    let mut model = Model::new(permutation(client_nodes, db_nodes, repeat));
    match (client_nodes, db_nodes, repeat) {
        (32, Some(4), 1) => {
            model.sizes_done = 4;
            model.execute(out, 1, TIMED_OUT);
        }
        (32, Some(4), 2) => {
            let path = model.generate(out).join("attempt-1");
            fs::create_dir(&path).unwrap();
            fs::write(path.join("status"), CLIENT_FAILED).unwrap();
            let error = ClientError {
                schema: 1,
                rank: 37,
                host: "cn0009".into(),
                op: "put_tensor".into(),
                endpoint: Some("10.78.0.2:6780".into()),
                payload_bytes: Some(1024),
                iteration: Some(0),
                cause: "connection reset by peer".into(),
            };
            files::replace_json(&path.join(ClientError::FILE), &error).unwrap();
        }
        (32, Some(8), 2) => drop(model.generate(out)),
        (16, Some(4), 2) => {
            model.world_size = 32;
            model.execute(out, 1, DONE);
        }
        (8, Some(8), 1) => {
            model.execute(out, 1, DONE);
            let again = model.generate(out).join("attempt-2");
            fs::create_dir(&again).unwrap();
            fs::write(again.join("status"), TIMED_OUT).unwrap();
        }
        _ => drop(model.execute(out, 1, DONE)),
    }
}

/// A session of SmartSim-Scaling with one rank: put_tensor takes 100 us, unpack_tensor 200 us.
pub fn old_session(tree: &Path, name: &str) {
    let dir = tree.join("throughput/run-2023").join(name);
    fs::create_dir_all(&dir).unwrap();
    let config = "[run]\nname = t\ndb = redis\n\n[attributes]\ncolocated = 0\nclient_total = 1\nclient_per_node = 1\n\
        client_nodes = 1\ndatabase_nodes = 1\ndatabase_cpus = 8\niterations = 3\ntensor_bytes = 1024\nlanguage = cpp\n";
    fs::write(dir.join("run.cfg"), config).unwrap();
    let lines = "0,put_tensor,0.0001\n0,unpack_tensor,0.0002\n".repeat(3);
    fs::write(dir.join("rank_0_timing.csv"), format!("{lines}0,loop_time,0.01\n")).unwrap();
}
