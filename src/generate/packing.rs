//! Which permutations share a job, and in which order they run there.
//!
//! A *series* is what differs in client nodes alone: its points make one curve, so they stay in one allocation where the
//! queue's limits let them. Repeats are blocks that follow each other; within a block the order is drawn from a seed, so
//! that what drifts during a job does not look like an effect of an axis. Drawing depends on seed, pack and block alone.

use std::collections::{HashMap, HashSet};

use anyhow::Result;
use fastrand::Rng;

use super::fit;
use super::plan::{Plan, Planned, PlannedPack};
use super::planner::Planner;
use crate::record::SCHEMA;
use crate::record::manifest::{Job, Manifest};
use crate::record::pack::{Pack, PackedRun};
use crate::record::vocabulary::{DbFrom, Deployment, KeyPlacement, PackStore, Packing, Transport};
use crate::record::walltime::Walltime;
use crate::record::workload::Workload;
use crate::script::PackScript;
use crate::site::{Queue, Wish, choose_queue};

/// What the order is drawn from where nobody says.
const SEED: u64 = 1;

/// Names of packs begin so; those of permutations begin with their deployment.
const PREFIX: &str = "pack-";

/// Puts the plan's permutations into packs as the settings say.
pub fn pack(planner: &Planner<'_>, plan: &mut Plan) -> Result<()> {
    let packing = planner.settings.pack.unwrap_or(Packing::None);
    if packing == Packing::None {
        return Ok(());
    }
    let mut packs = Vec::new();
    for kind in kinds(planner, plan, packing)? {
        let mut builder = Builder { planner, plan, open: Vec::new(), done: Vec::new() };
        for series in series(plan, &kind) {
            builder.add_series(&series)?;
        }
        builder.close()?;
        for members in builder.done {
            match members.len() {
                1 => {} // a pack of one is a job
                _ => packs.push(planned_pack(planner, plan, &members)?),
            }
        }
    }
    for planned in packs {
        plan.packed.extend(planned.pack.runs.iter().map(|run| run.name.clone()));
        plan.packs.push(planned);
    }
    Ok(())
}

/// Permutations that could share an allocation, as indices into the plan, in its order.
fn kinds(planner: &Planner<'_>, plan: &Plan, packing: Packing) -> Result<Vec<Vec<usize>>> {
    let mut kinds: Vec<Vec<usize>> = Vec::new();
    let mut places: HashMap<(String, u32), usize> = HashMap::new();
    for (at, planned) in plan.planned.iter().enumerate() {
        let Some(nodes_like) = shares_nodes_with(planner, &planned.manifest)? else { continue };
        let footprint = if packing == Packing::Same { planned.manifest.expect.nodes } else { 0 };
        let place = *places.entry((nodes_like, footprint)).or_insert_with(|| {
            kinds.push(Vec::new());
            kinds.len() - 1
        });
        kinds[place].push(at);
    }
    Ok(kinds)
}

/// The members of a kind by block and series, both in the plan's order.
fn series(plan: &Plan, kind: &[usize]) -> Vec<Vec<usize>> {
    let mut found: Vec<Vec<usize>> = Vec::new();
    let mut places: HashMap<Job, usize> = HashMap::new();
    for at in kind {
        let mut series = Job { client_nodes: 0, ..plan.planned[*at].manifest.job.clone() };
        if let Some(aggregation) = &mut series.workload.aggregation {
            aggregation.producers = 0; // follows from the nodes
        }
        let place = *places.entry(series).or_insert_with(|| {
            found.push(Vec::new());
            found.len() - 1
        });
        found[place].push(*at);
    }
    found.sort_by_key(|members| plan.planned[members[0]].manifest.job.repeat);
    found
}

/// Fills packs one after another.
struct Builder<'a> {
    planner: &'a Planner<'a>,
    plan: &'a Plan,
    open: Vec<usize>,
    done: Vec<Vec<usize>>,
}

impl Builder<'_> {
    fn add_series(&mut self, series: &[usize]) -> Result<()> {
        if self.fits_with(series)? {
            self.open.extend_from_slice(series);
            return Ok(());
        }
        self.close()?;
        for one in series {
            if !self.fits_with(&[*one])? {
                self.close()?;
            }
            self.open.push(*one);
        }
        Ok(())
    }

    fn close(&mut self) -> Result<()> {
        if !self.open.is_empty() {
            self.done.push(std::mem::take(&mut self.open));
        }
        Ok(())
    }

    /// Whether a queue row admits what is open together with `more`, running as long as it may.
    fn fits_with(&self, more: &[usize]) -> Result<bool> {
        let members = [&self.open, more].concat();
        let runs = runs(self.planner, self.plan, &members);
        let Some(seconds) = total_seconds(&runs) else { return Ok(true) };
        let most = self.planner.settings.pack_walltime.map_or(u32::MAX, |walltime| walltime.seconds);
        if seconds > most && !self.open.is_empty() {
            return Ok(false);
        }
        let job = &self.plan.planned[members[0]].manifest.job;
        Ok(queue(self.planner, job, nodes(&runs), seconds.min(most)).is_ok())
    }
}

fn planned_pack(planner: &Planner<'_>, plan: &Plan, members: &[usize]) -> Result<PlannedPack> {
    let first = &plan.planned[members[0]].manifest;
    let name = format!("{PREFIX}{}", first.name);
    let seed = planner.settings.pack_seed.unwrap_or(SEED);
    let mut runs = runs(planner, plan, members);
    let most = planner.settings.pack_walltime.map_or(u32::MAX, |walltime| walltime.seconds);
    let walltime_s = total_seconds(&runs).map(|seconds| seconds.min(most));
    let nodes = nodes(&runs);
    let keep_store = planner.settings.pack_store == Some(PackStore::Keep);
    draw(&mut runs, seed, &name);
    number_stores(&mut runs, keep_store);
    let (queue, cost) = match walltime_s {
        None => (None, None),
        Some(seconds) => {
            let row = queue(planner, &first.job, nodes, seconds)?;
            (row.map(|row| row.name.clone()), planner.cost_of(nodes, seconds, row))
        }
    };
    let Manifest { site, scheduler, job, .. } = first.clone();
    let pack = Pack { schema: SCHEMA, name, site, scheduler, seed, nodes, walltime_s, queue, keep_store, runs };
    Ok(PlannedPack { pack, like: job, cost })
}

/// What a permutation asks of its nodes, as a text: those of one text may share an allocation. `None` where it cannot share
/// one: the database is elsewhere or on nodes of another kind, the launcher counts places of the whole allocation, or a job gets
/// no more of its nodes than the permutation asks for.
fn shares_nodes_with(planner: &Planner<'_>, Manifest { job, expect, .. }: &Manifest) -> Result<Option<String>> {
    if planner.row(&expect.queue).is_some_and(|row| row.shared_cores.is_some()) {
        return Ok(None);
    }
    let (node, db_node) = fit::nodes(&planner.site, job)?;
    let wanted = planner.wanted(job)?;
    let standard = job.deployment == Deployment::Standard;
    let apart = standard && (node.name != db_node.name || wanted.client != wanted.db);
    if job.db_from != DbFrom::Allocation || apart || planner.site.launch.launcher == "ibrun" {
        return Ok(None);
    }
    Ok(Some(format!("{} {}", node.name, wanted.client.unwrap_or_default())))
}

/// The queue row that admits a pack of permutations like `job`.
fn queue<'a>(planner: &'a Planner<'_>, job: &Job, nodes: u32, seconds: u32) -> Result<Option<&'a Queue>> {
    let node = fit::nodes(&planner.site, job)?.0;
    let (queue, walltime) = (planner.settings.queue.as_deref(), Walltime { seconds });
    choose_queue(&planner.site, Wish { queue, nodes, walltime, node_types: &[&node.name] })
}

/// The texts of a pack's files.
pub struct PackFiles {
    /// `pack.toml`.
    pub manifest: String,
    pub script: String,
}

impl PackFiles {
    pub fn of(planner: &Planner<'_>, planned: &PlannedPack) -> Result<PackFiles> {
        Ok(PackFiles { manifest: planned.pack.to_toml()?, script: script(planner, planned)? })
    }
}

/// The text of a pack's script.
pub fn script(planner: &Planner<'_>, planned: &PlannedPack) -> Result<String> {
    let PlannedPack { pack, like, .. } = planned;
    let row = planner.row(&pack.queue);
    let script = PackScript {
        pack,
        site: &planner.site,
        node: fit::nodes(&planner.site, like)?.0,
        feature: planner.wanted(like)?.client,
        directives: &planner.directives_with(row),
        environment: &planner.environment,
        out: &fit::text(&planner.out, "--out")?,
        client: &planner.client,
    };
    script.render(&planner.library)
}

/// The members with their places: the client first, the database behind the largest client, so that its shards sit on the
/// same nodes whatever the client's size.
fn runs(planner: &Planner<'_>, plan: &Plan, members: &[usize]) -> Vec<PackedRun> {
    let nested = planner.settings.pack == Some(Packing::Nested);
    let keep = planner.settings.pack_store == Some(PackStore::Keep);
    let members: Vec<&Planned> = members.iter().map(|at| &plan.planned[*at]).collect();
    let own = |planned: &Planned| {
        let (all, job) = (planned.manifest.expect.nodes, &planned.manifest.job);
        // on one machine both sides share the only node
        let db = if all == job.launch_nodes() + job.db_nodes.unwrap_or(0) { job.db_nodes.unwrap_or(0) } else { 0 };
        (all - db, db)
    };
    let largest =
        members.iter().map(|planned| own(planned)).filter(|(_, db)| *db > 0).map(|(clients, _)| clients).max();
    let run = |planned: &&Planned| {
        let (client_nodes, db_nodes) = own(planned);
        PackedRun {
            name: planned.manifest.name.clone(),
            client_nodes,
            db_nodes,
            db_at: if nested { largest.unwrap_or(client_nodes) } else { client_nodes },
            walltime_s: planned.manifest.expect.walltime_s,
            block: planned.manifest.job.repeat,
            store: 0,
        }
    };
    let mut runs: Vec<PackedRun> = members.iter().map(run).collect();
    if keep {
        let mut stores: Vec<StoreKey> = Vec::new();
        for (run, planned) in runs.iter_mut().zip(&members) {
            let key = StoreKey::of(&planned.manifest.job, run);
            let known = stores.iter().position(|other| *other == key && !key.out_of_reach);
            run.store = known.unwrap_or(stores.len()) as u32;
            if known.is_none() {
                stores.push(key);
            }
        }
    }
    runs
}

/// What must agree for two permutations to use the same servers.
#[derive(PartialEq)]
struct StoreKey {
    /// All that does not concern the store set to one value.
    job: Job,
    place: (u32, u32),
    /// UNIX sockets on several hosts: nobody could empty the store from one of them.
    out_of_reach: bool,
}

impl StoreKey {
    fn of(job: &Job, run: &PackedRun) -> StoreKey {
        let colocated = job.deployment == Deployment::Colocated;
        let on = |nodes: u32| if colocated { nodes } else { 0 };
        let place = if colocated { (0, run.client_nodes) } else { (run.db_at, run.db_nodes) };
        StoreKey {
            place,
            out_of_reach: job.transport == Transport::Uds && run.client_nodes > 1,
            job: Job {
                client_nodes: on(job.client_nodes),
                // masks of the servers depend on the ranks beside them; connections are limited by their number
                clients_per_node: on(job.clients_per_node),
                client_cpus: on(job.client_cpus),
                repeat: 1,
                keys: KeyPlacement::Hash,
                workload: Workload::default(),
                ..job.clone()
            },
        }
    }
}

/// Numbers the stores in the order in which they are used: a new number with each change, or with each run.
fn number_stores(runs: &mut [PackedRun], keep: bool) {
    let (mut number, mut last) = (0, None);
    for run in runs {
        if !keep || last != Some(run.store) {
            number += 1;
        }
        last = Some(run.store);
        run.store = number;
    }
}

fn nodes(runs: &[PackedRun]) -> u32 {
    runs.iter()
        .map(|run| if run.db_nodes == 0 { run.client_nodes } else { run.db_at + run.db_nodes })
        .max()
        .unwrap_or(0)
}

/// As long as all may take; `None` where nothing ends a job.
fn total_seconds(runs: &[PackedRun]) -> Option<u32> {
    runs.iter().map(|run| run.walltime_s).try_fold(0u32, |sum, seconds| Some(sum.saturating_add(seconds?)))
}

/// Draws the order within each block.
fn draw(runs: &mut [PackedRun], seed: u64, name: &str) {
    runs.sort_by(|a, b| (a.block, &a.name).cmp(&(b.block, &b.name)));
    for block in runs.chunk_by_mut(|a, b| a.block == b.block) {
        // no hasher of the standard library: its values may change from release to release
        let mixed = u64::from(crc32fast::hash(format!("{name} {}", block[0].block).as_bytes()));
        let mut rng = Rng::with_seed(seed ^ (mixed << 32 | mixed));
        rng.shuffle(block);
        // those that share a store follow each other, in the order in which the first of each was drawn
        let mut stores: Vec<u32> = block.iter().map(|run| run.store).collect();
        let mut seen = HashSet::new();
        stores.retain(|store| seen.insert(*store));
        block.sort_by_key(|run| stores.iter().position(|store| *store == run.store));
    }
}
