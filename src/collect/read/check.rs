//! Holds what was measured against what was asked, and the samples against themselves: pure, answers in words.

use std::collections::BTreeSet;
use std::fmt::Display;

use crate::record::attempt::Attempt;
use crate::record::manifest::Manifest;
use crate::record::op::Described;
use crate::record::product;
use crate::record::samples::{Contents, Meta, SeriesHead};
use crate::record::server::Server;
use crate::record::store::StoreRecord;
use crate::record::units::show_bytes;
use crate::record::vocabulary::{Access, Deployment, Side, Wire};

/// What the run's own description says otherwise than the manifest.
pub fn contradictions(manifest: &Manifest, meta: &Meta) -> Vec<String> {
    let (job, sweep, expect) = (&manifest.job, &manifest.sweep, &manifest.expect);
    let mut found = Vec::new();
    let mut compare = |what: &str, asked: &dyn Display, measured: &dyn Display| {
        let (asked, measured) = (asked.to_string(), measured.to_string());
        if asked != measured {
            found.push(format!("{what} {measured} instead of {asked}"));
        }
    };
    compare("ranks", &expect.ranks, &meta.world_size);
    compare("client nodes", &job.launch_nodes(), &meta.hosts.len());
    compare("tensor sizes", &sizes(&sweep.tensor_bytes), &sizes(&meta.tensor_bytes));
    compare("iterations", &sweep.iterations, &meta.iterations);
    compare("warm-up iterations", &sweep.warmup, &meta.warmup);
    compare("barrier", &sweep.barrier, &meta.barrier);
    compare("verify", &sweep.verify, &meta.verify);
    compare("key placement", &job.keys, &meta.keys);
    let (asked, measured) = (&job.workload, &meta.workload);
    compare("dtype", &asked.dtype, &measured.dtype);
    compare("shape", &asked.shape, &measured.shape);
    compare("payload", &asked.payload, &measured.payload);
    compare("tensors", &asked.tensors, &measured.tensors);
    compare("mix", &asked.mix, &measured.mix);
    compare("access", &asked.access, &measured.access);
    compare("order", &asked.order, &measured.order);
    compare("pipeline", &asked.pipeline, &measured.pipeline);
    compare("rate", &asked.rate, &measured.rate);
    compare("compute", &asked.compute, &measured.compute);
    compare("compute kernel", &asked.compute_kernel, &measured.compute_kernel);
    compare("workload", &asked.kind, &measured.kind);
    if let (Some(asked), Some(measured)) = (&asked.aggregation, &measured.aggregation) {
        compare("producers", &asked.producers, &measured.producers);
        compare("consumers", &asked.consumers, &meta.roles.consumers.len());
        compare("consumer nodes", &asked.consumer_nodes, &measured.consumer_nodes);
        compare("consumer threads", &asked.consumer_threads, &measured.consumer_threads);
        compare("poll interval", &asked.poll_interval, &measured.poll_interval);
    }
    if let (Some(asked), Some(measured)) = (&asked.inference, &measured.inference) {
        compare("model", &asked.model, &measured.model);
        compare("model backend", &asked.model_backend, &measured.model_backend);
        compare("script", &asked.script, &measured.script);
        compare("function", &asked.function, &measured.function);
        compare("device", &asked.device, &measured.device);
        compare("devices", &asked.devices, &measured.devices);
        compare("batch size", &asked.batch_size, &measured.batch_size);
    }
    compare("ops", &names(&asked.ops()), &names(&meta.ops));
    if sweep.wire != Wire::Auto {
        compare("wire", &sweep.wire, &meta.wire);
    }
    if job.deployment == Deployment::Standard {
        compare("shards", &expect.servers, &meta.shards.len());
    }
    found
}

/// Why the figures are not those of the store that was asked for: what the store itself said while it was measured, and before.
/// `server` is the product and version that the samples name.
pub fn store_contradictions(manifest: &Manifest, attempt: &Attempt, server: &str) -> Vec<String> {
    let folders = attempt.servers.iter().filter_map(|keeper| keeper.folder.as_ref());
    let other = folders.filter(|folder| Some(folder.settings) != manifest.job.files).count();
    let other = (other > 0).then(|| format!("{other} folders of files are used otherwise than asked"));
    let store = attempt.store.iter().flat_map(|store| [store.spoiled(), store.contradictions(manifest)].concat());
    store.chain(another_product(manifest, attempt, server)).chain(other).collect()
}

/// Where shards do not say what they are, as in records of earlier versions. Those have asked the programs of their own servers,
/// and took the name of the others from a path.
fn another_product(manifest: &Manifest, attempt: &Attempt, server: &str) -> Option<String> {
    if attempt.store.iter().flat_map(|store| &store.shards).any(|shard| shard.server.is_some()) {
        return None;
    }
    let said = match attempt.servers.is_empty() {
        true => vec![server],
        false => attempt.servers.iter().map(|server| server.version.as_str()).collect(),
    };
    let asked = manifest.job.store;
    let other = said.into_iter().find(|said| product::named(said) != Some(asked))?;
    Some(format!("store {other} instead of {asked}"))
}

/// What the store, its servers and the client's nodes said that a reader of the figures should know.
pub fn condition_notes(manifest: &Manifest, attempt: &Attempt) -> Vec<String> {
    let mut notes = attempt.store.as_ref().map(StoreRecord::notes).unwrap_or_default();
    notes.extend(attempt.notes());
    let elsewhere = manifest.job.workload.access == Access::Neighbour && manifest.job.client_nodes > 1;
    // all are of one kind: the first speaks for them
    let folder = attempt.servers.iter().find_map(|keeper| keeper.folder.as_ref());
    notes.extend(folder.iter().flat_map(|folder| folder.caveats(elsewhere)));
    notes.extend(attempt.environment.iter().flat_map(|it| it.notes(&manifest.job.net_ifname)));
    let warned = |server: &&Server| server.in_force.as_ref().is_some_and(|it| !it.warnings.is_empty());
    let servers: Vec<&Server> = attempt.servers.iter().filter(warned).collect();
    if let Some(first) = servers.first() {
        let warnings = first.in_force.as_ref().map(|it| it.warnings.join("; ")).unwrap_or_default();
        notes.push(format!(
            "{} of {} servers warned, such as server {}: {warnings}",
            servers.len(),
            attempt.servers.len(),
            first.index
        ));
    }
    notes
}

/// Whether the run can have such a series at the size `size_index`.
pub fn is_due(meta: &Meta, size_index: u32, series: &SeriesHead) -> bool {
    meta.tensor_bytes.get(size_index as usize) == Some(&series.payload_bytes)
        && has_due_length(meta, series)
        && is_known(meta, series)
}

fn has_due_length(meta: &Meta, series: &SeriesHead) -> bool {
    let due = |iterations| meta.workload.samples(series.op, meta.actor(series.rank), iterations);
    series.samples as u64 == due(meta.iterations.saturating_add(meta.warmup))
        && u64::from(series.warmup) == due(meta.warmup)
}

fn is_known(meta: &Meta, series: &SeriesHead) -> bool {
    series.rank < meta.world_size && (series.shard as usize) < meta.shards.len() && series.op < meta.ops.len()
}

/// Why the samples of one size cannot be used; `None` if they are complete.
pub fn flaw_of_size(meta: &Meta, size_index: u32, series: &[SeriesHead]) -> Option<String> {
    let first = series.first()?;
    let size = show_bytes(first.payload_bytes);
    if meta.tensor_bytes.get(size_index as usize) != Some(&first.payload_bytes) {
        return Some(format!("{size}: is not size {size_index} of the sweep"));
    }
    let odd = |wrong: &dyn Fn(&SeriesHead) -> bool| {
        let count = series.iter().filter(|one| wrong(one)).count();
        let example = series.iter().find(|one| wrong(one))?;
        Some(format!("{count} of {} series, such as {} of rank {}", series.len(), op(meta, example.op), example.rank))
    };
    if let Some(which) = odd(&|one| one.payload_bytes != first.payload_bytes) {
        return Some(format!("{size}: another size in {which}"));
    }
    if let Some(which) = odd(&|one| !has_due_length(meta, one)) {
        let (iterations, warmup) = (meta.iterations, meta.warmup);
        return Some(format!("{size}: not {iterations} iterations of samples after {warmup} of warm-up in {which}"));
    }
    if let Some(which) = odd(&|one| !is_known(meta, one)) {
        return Some(format!("{size}: a rank, shard or op that the run does not have in {which}"));
    }
    missing_or_double(meta, series).map(|what| format!("{size}: {what}"))
}

fn missing_or_double(meta: &Meta, series: &[SeriesHead]) -> Option<String> {
    let mut present: Vec<(u32, usize)> = series.iter().map(|one| (one.rank, one.op)).collect();
    present.sort_unstable();
    present.dedup();
    if present.len() < series.len() {
        return Some(format!("{} series stand in it twice", series.len() - present.len()));
    }
    let pairs = || (0..meta.ops.len()).flat_map(|op| (0..meta.world_size).map(move |rank| (rank, op)));
    // the access pattern and the mix say which ranks take samples of which op
    let due = || pairs().filter(|(rank, op)| meta.workload.samples(*op, meta.actor(*rank), 1) > 0);
    let mut missing = due().filter(|pair| present.binary_search(pair).is_err());
    let (rank, first) = missing.next()?;
    let (absent, asked) = (1 + missing.count(), due().count());
    Some(format!("{absent} of {asked} series are missing, such as {} of rank {rank}", op(meta, first)))
}

fn op(meta: &Meta, number: usize) -> String {
    meta.ops.get(number).map_or_else(|| format!("op {number}"), |op| op.name.to_string())
}

fn names(ops: &[Described]) -> String {
    ops.iter().map(|op| op.name.as_str()).collect::<Vec<_>>().join(", ")
}

/// What does not spoil the figures and should be known.
pub fn notes(meta: &Meta, contents: &Contents<'_>) -> Vec<String> {
    let mut notes = Vec::new();
    let described: BTreeSet<u32> = contents.ranks.iter().map(|rank| rank.rank).collect();
    if described.len() != meta.world_size as usize {
        notes.push(format!(
            "{} of {} ranks are described: ranks per shard and the clocks' error bound are incomplete",
            described.len(),
            meta.world_size
        ));
    }
    notes
}

/// Where ranks compute and not all of them did so alone.
pub fn note_alone(meta: &Meta, is_whole: bool) -> Option<String> {
    let computes = meta.ops.iter().any(|op| op.side == Side::Alone);
    (computes && !is_whole).then(|| {
        "what ranks compute alone is not measured of all of them: how much the store slows them down is not known"
            .to_owned()
    })
}

fn sizes(bytes: &[u64]) -> String {
    bytes.iter().map(|bytes| show_bytes(*bytes)).collect::<Vec<_>>().join(", ")
}
