//! Writes runs as the client of a large machine would, for `benches/collect.py`; no measurement.
//!
//!     cargo run --release --example synthetic -- FOLDER RUNS RANKS ITERATIONS SIZES
//!     cargo run --release --example synthetic -- --read FOLDER
//!
//! The second reads all files below a folder. Each run is put_tensor and unpack_tensor of every rank at every size: RANKS x (ITERATIONS + 2 of warm-up) x 2 x SIZES
//! samples. Durations are those of a store under load: a spread of a few tens of percent around a median that grows with
//! the size, and one sample in fifty three times as long. Ranks of a node share a host name, 64 to a node.

use std::fs::{self, File};
use std::io::{BufWriter, Read, Write};
use std::path::Path;

use anyhow::{Context, Result, bail};
use rayon::prelude::*;

use shardscale::record::manifest::{self, Manifest};
use shardscale::record::samples::{self, Effort, Meta, RankEffort, RankInfo, Series};

/// Durations and starts of one op.
type Column = (Vec<i64>, Vec<u64>);

const WARMUP: u32 = 2;
const RANKS_PER_NODE: u32 = 64;
const SHARDS: u32 = 16;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [flag, tree] = &arguments[..]
        && flag == "--read"
    {
        return read_all(Path::new(tree));
    }
    let [folder, numbers @ ..] = &arguments[..] else { bail!("FOLDER RUNS RANKS ITERATIONS SIZES") };
    let numbers: Vec<u32> = numbers.iter().map(|text| text.parse()).collect::<Result<_, _>>()?;
    let [runs, ranks, iterations, sizes] = numbers[..] else { bail!("FOLDER RUNS RANKS ITERATIONS SIZES") };
    (1..=runs).into_par_iter().try_for_each(|repeat| write_run(Path::new(folder), repeat, (ranks, iterations, sizes)))
}

/// Reads all files below `tree` with all cores and does nothing with them: the floor of every reader.
fn read_all(tree: &Path) -> Result<()> {
    let files: Vec<_> = walkdir::WalkDir::new(tree).into_iter().collect::<Result<_, _>>()?;
    let files = files.into_par_iter().filter(|entry| entry.file_type().is_file());
    let bytes: usize = files
        .map_init(Vec::new, |buffer, entry| {
            buffer.clear();
            File::open(entry.path())?.read_to_end(buffer)
        })
        .try_reduce(|| 0, |a, b| Ok(a + b))?;
    println!("{bytes}");
    Ok(())
}

fn manifest(repeat: u32, (ranks, iterations, sizes): (u32, u32, u32)) -> Manifest {
    let mut manifest = manifest::example();
    let clients_per_node = RANKS_PER_NODE.min(ranks);
    let nodes = ranks.div_ceil(clients_per_node);
    manifest.job.client_nodes = nodes;
    manifest.job.clients_per_node = clients_per_node;
    manifest.job.db_nodes = Some(SHARDS);
    manifest.job.repeat = repeat;
    manifest.expect.ranks = ranks;
    manifest.expect.servers = SHARDS;
    manifest.expect.nodes = nodes + SHARDS;
    manifest.sweep.tensor_bytes = (0..sizes).map(|size| 1024 << size).collect();
    manifest.sweep.iterations = iterations;
    manifest.sweep.warmup = WARMUP;
    manifest.name = format!("standard-n{nodes}x{clients_per_node}-db{SHARDS}x1-none-hsn0-tcp-r{repeat}");
    manifest
}

fn write_run(folder: &Path, repeat: u32, shape: (u32, u32, u32)) -> Result<()> {
    let manifest = manifest(repeat, shape);
    let run = folder.join(&manifest.name);
    let attempt = run.join("attempt-1");
    fs::create_dir_all(&attempt)?;
    fs::write(run.join(manifest::FILE), manifest.to_toml()?)?;
    fs::write(attempt.join("status"), "1766400000 started job=7 host=cn1\n1766400009 done\n")?;
    let path = attempt.join(samples::FILE);
    let file = File::create(&path).with_context(|| format!("cannot create {}", path.display()))?;
    let mut to = BufWriter::with_capacity(1 << 20, file);
    let mut blocks = samples::file_header().to_vec();
    samples::push_meta(&mut blocks, &meta(&manifest))?;
    samples::push_ranks(&mut blocks, &(0..shape.0).map(rank_info).collect::<Vec<_>>())?;
    let mut random = fastrand::Rng::with_seed(u64::from(repeat));
    let mut columns = [Column::default(), Column::default()];
    for (size_index, payload_bytes) in (0..).zip(manifest.sweep.tensor_bytes.iter().copied()) {
        for rank in 0..shape.0 {
            let loop_ns = sample((size_index, payload_bytes), &mut random, (&mut columns, &manifest));
            for (op, (starts_ns, durations_ns)) in columns.iter().enumerate() {
                let (shard, warmup) = (rank % SHARDS, WARMUP);
                samples::push_series(
                    &mut blocks,
                    &Series { rank, op, payload_bytes, size_index, shard, warmup, loop_ns, starts_ns, durations_ns },
                );
            }
            to.write_all(&blocks)?;
            blocks.clear();
        }
        let cost = RankEffort { cpu_us: 12_345, page_faults: 3, preempted: 17, waited: 204, polls: 0 };
        samples::push_effort(&mut blocks, &Effort { size_index, ranks: vec![cost; shape.0 as usize] })?;
    }
    samples::push_end(&mut blocks);
    to.write_all(&blocks)?;
    Ok(to.flush()?)
}

/// Fills the columns with one rank's samples of a size; the time of its loop.
fn sample(
    (size_index, payload_bytes): (u32, u64),
    random: &mut fastrand::Rng,
    (columns, manifest): (&mut [Column; 2], &Manifest),
) -> u64 {
    let begin = i64::from(size_index) * 60_000_000_000 + random.i64(0..20_000);
    let mut now = begin;
    columns.iter_mut().for_each(|(starts, durations)| {
        starts.clear();
        durations.clear();
    });
    for _ in 0..manifest.sweep.iterations + WARMUP {
        for (op, (starts, durations)) in columns.iter_mut().enumerate() {
            let tail = if random.u32(0..50) == 0 { 3.0 } else { 1.0 };
            let middle = (26_000.0 + payload_bytes as f64 / 1.4) * (1.0 - 0.1 * op as f64);
            let duration = middle * tail * (0.85 + 0.4 * random.f64().powi(2));
            starts.push(now);
            durations.push(duration as u64);
            now += duration as i64 + 40;
        }
    }
    (now - begin).cast_unsigned()
}

fn rank_info(rank: u32) -> RankInfo {
    RankInfo {
        rank,
        host: rank / RANKS_PER_NODE,
        shard: rank % SHARDS,
        key: format!("throughput_rank_{rank}"),
        ..samples::example_rank()
    }
}

fn meta(manifest: &Manifest) -> Meta {
    Meta {
        world_size: manifest.expect.ranks,
        iterations: manifest.sweep.iterations,
        warmup: manifest.sweep.warmup,
        tensor_bytes: manifest.sweep.tensor_bytes.clone(),
        barrier: manifest.sweep.barrier,
        keys: manifest.job.keys,
        shards: (0..SHARDS).map(|shard| format!("10.78.0.{shard}:6780")).collect(),
        hosts: (0..manifest.job.client_nodes).map(|node| format!("cn{node:05}")).collect(),
        ..samples::example_meta()
    }
}
