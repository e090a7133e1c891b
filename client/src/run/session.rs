//! One rank with everything that it needs: its tensors' places, its connections, and the sweep over the sizes.

mod aggregate;
mod infer;

use std::cell::RefCell;

use shardscale::record::aggregation::Roles;
use shardscale::record::compute::Calibration;
use shardscale::record::folder::Folder;
use shardscale::record::inference::ModelFacts;
use shardscale::record::keys_left::KeysLeft;
use shardscale::record::samples::{RankEffort, RankInfo};
use shardscale::record::units::show_bytes;
use shardscale::record::vocabulary::{Access, Barrier, Role, WorkloadKind};
use shardscale::record::workload::Workload;

use super::args::RunArgs;
use super::around::{Computing, Surroundings, bytes_of_passes};
use super::connect::Connector;
use super::store::Store;
use crate::application::Application;
use crate::backend::Backend;
use crate::backend::files::Files;
use crate::backend::lists::Lists;
use crate::backend::models::Models;
use crate::backend::resp::Resp;
use crate::clock::CommonClock;
use crate::comm::Comm;
use crate::connection::Stream;
use crate::effort::Meter;
use crate::environment::Reach;
use crate::failure::{During, Failure};
use crate::hosts::Hosts;
use crate::keys::{KeyMap, Place};
use crate::launcher;
use crate::node;
use crate::pace::Pace;
use crate::progress::{Reports, Size};
use crate::recorder::{self, Origin, Part, Recorder};
use crate::samples::{Column, Samples};
use crate::say::say;
use crate::tensors::{Identity, Read, Tensors, Written};
use crate::timed_loop::{Measurement, Plan};
use crate::watch::Watch;
use crate::wire;

pub struct Session<'a> {
    pub comm: &'a Comm,
    pub args: &'a RunArgs,
    pub workload: Workload,
    pub store: Store,
    pub clock: CommonClock,
    pub own: RankInfo,
    /// What runs in the store, when that is known.
    pub model: Option<ModelFacts>,
    pub roles: Roles,
    role: Role,
    /// Place among the ranks of its role.
    number: u32,
    map: KeyMap,
    /// The ranks whose tensors this one unpacks, in turn.
    owners: Vec<u32>,
    endpoints: Vec<String>,
    /// What this rank computes, if anything; borrowed for as long as it is measured.
    application: RefCell<Option<Application>>,
}

/// What moves this rank's tensors.
pub enum Mover {
    Servers(Movers<Resp<Stream>>),
    Files(Movers<Files>),
}

/// A backend for each thread of a rank.
pub struct Movers<B> {
    /// Something for each shard that the rank uses, in the order of `own.shards`.
    pub own: B,
    /// Of a consumer: for each of its threads, and the shards that it has a connection to.
    pub crew: Vec<(B, Vec<u32>)>,
}

/// A tensor's number, owner and place.
struct Placed {
    owner: u32,
    tensor: u32,
    place: Place,
}

impl<'a> Session<'a> {
    /// Connects this rank to the shards that own its keys.
    pub fn open(
        comm: &'a Comm,
        args: &'a RunArgs,
        hosts: &Hosts,
        store: Store,
        clock: CommonClock,
    ) -> Result<(Session<'a>, Mover, Reach), Failure> {
        let rank = comm.rank();
        let host = hosts.of_rank[rank as usize];
        let workload = args.workload.workload();
        let map = store.key_map(args.keys, hosts, rank);
        let owners = owners(&workload, rank, hosts);
        let roles = workload.aggregation.as_ref().map(|it| it.roles(&hosts.of_rank)).transpose();
        let roles = roles.map_err(anyhow::Error::msg).during("deal the roles")?.unwrap_or_default();
        let (role, number) = (roles.of(rank), aggregate::number_of(&roles, rank));
        let iterations = args.warmup + args.iterations;
        let places = match workload.kind {
            WorkloadKind::Throughput => used_places(&workload, &map, rank, &owners),
            WorkloadKind::Aggregation => aggregate::used_places(&map, role, number, iterations),
            WorkloadKind::Inference => map.all(workload.kind, rank, 1),
        }
        .during("choose the keys")?;
        let crew = workload.aggregation.as_ref().filter(|_| role.consumes());
        let crew =
            crew.map_or(Ok(Vec::new()), |it| aggregate::shards_of_threads(&map, it)).during("choose the keys")?;
        let first = places.first().cloned().unwrap_or(Place { key: String::new(), shard: map.first_shard });
        let mut shards: Vec<u32> = places.iter().map(|place| place.shard).collect();
        shards.sort_unstable();
        shards.dedup();
        let endpoints: Vec<_> = shards.iter().map(|shard| store.shards[*shard as usize].address.to_string()).collect();
        let (mover, reach) = match store.folders(&shards) {
            Some(folders) => {
                let open = |folders: &[&Folder]| Files::open(folders).during("open the files' folder");
                let of_thread = |shards: Vec<u32>| Ok((open(&store.folders(&shards).unwrap_or_default())?, shards));
                let crew = crew.into_iter().map(of_thread).collect::<Result<_, Failure>>()?;
                (Mover::Files(Movers { own: open(&folders)?, crew }), Reach::default())
            }
            None => {
                let connector = Connector { comm, args, hosts, store: &store };
                let of_streams = |streams| Resp { wire: store.wire, streams };
                let (own, reach) = connector.connect(&shards)?;
                let of_thread = |shards: Vec<u32>| Ok((of_streams(connector.connect(&shards)?.0), shards));
                let crew = crew.into_iter().map(of_thread).collect::<Result<_, Failure>>()?;
                (Mover::Servers(Movers { own: of_streams(own), crew }), reach)
            }
        };
        let own = RankInfo {
            rank,
            // some launchers do not say, and leave what is said of the batch script: a reader has to bear both
            local_rank: launcher::local_index().ok().flatten().map(u32::from),
            host,
            shard: first.shard,
            key: first.key,
            shards,
            cpus: node::affinity(std::process::id()).during("read the affinity")?,
            connect_ns: reach.connect_ns,
            clock_offset_ns: clock.offset_ns,
            clock_error_ns: clock.error_ns,
            threads_cpus: None,
        };
        let threads_cpus = match &workload.aggregation {
            Some(it) if it.consumer_nodes > 0 => {
                aggregate::widen(comm, hosts, &own, role).during("take the node's cores")?
            }
            _ => None,
        };
        let own = RankInfo { threads_cpus, ..own };
        let application = Application::prepare(comm, workload.compute, workload.compute_kernel)
            .during("calibrate what is computed")?;
        Ok((
            Session {
                comm,
                args,
                workload,
                store,
                clock,
                own,
                model: None,
                roles,
                role,
                number,
                map,
                owners,
                endpoints,
                application: application.into(),
            },
            mover,
            reach,
        ))
    }

    /// What a call of the application is, if there is one.
    pub fn calibration(&self) -> Option<Calibration> {
        self.application.borrow().as_ref().map(|application| application.calibration)
    }

    /// Measures what ranks compute before the store has traffic.
    pub fn compute_alone(&self, recorder: &mut Option<Recorder>) -> Result<(), Failure> {
        let mut application = self.application.borrow_mut();
        let Some(application) = &mut *application else { return Ok(()) };
        let mut column = application.measure_alone(self.comm, self.clock);
        if self.comm.is_root() {
            let (asked, kernel) = (self.workload.compute, self.workload.compute_kernel);
            let us = column.median_ns().map_or(0.0, |ns| ns as f64 / 1e3);
            say(format_args!("{kernel} alone takes {us:.1} us on rank 0, {asked} were asked for"));
        }
        let blocks = recorder::encode_alone(&mut column, &self.workload, self.origin());
        recorder::gather_alone(self.comm, recorder, &blocks).during("write samples")
    }

    fn origin(&self) -> Origin {
        Origin { rank: self.own.rank, role: self.role, shard: self.own.shard, clock_offset_ns: self.clock.offset_ns }
    }

    /// Goes through the sizes; the samples of each are recorded before the next begins.
    pub fn sweep(&self, mover: &mut Mover, recorder: &mut Option<Recorder>, watch: &mut Watch) -> Result<(), Failure> {
        match mover {
            Mover::Servers(servers) => self.sweep_with(servers, recorder, watch),
            Mover::Files(files) => self.sweep_with(files, recorder, watch),
        }
    }

    fn sweep_with<B: Lists + Models + Send>(
        &self,
        movers: &mut Movers<B>,
        recorder: &mut Option<Recorder>,
        watch: &mut Watch,
    ) -> Result<(), Failure>
    where
        B::Get: Send,
    {
        let iterations = self.args.warmup + self.args.iterations;
        let mut samples = Samples::new(&self.workload, (self.own.rank, self.role), iterations);
        let team = self.team(std::mem::take(&mut movers.crew));
        for (size_index, payload_bytes) in self.args.tensor_bytes.iter().copied().enumerate() {
            let plan = Plan {
                payload_bytes,
                size_index: size_index as u32,
                warmup: self.args.warmup,
                iterations: self.args.iterations,
                workload: &self.workload,
                verify: self.args.verify,
                endpoints: &self.endpoints,
            };
            let part = match &self.workload.aggregation {
                None => self.measure_size(&plan, &mut movers.own, &mut samples)?,
                Some(it) => self.aggregate_size((it, &plan), &mut movers.own, team.as_ref(), &mut samples)?,
            };
            self.comm.wait_for_all();
            recorder::gather(self.comm, recorder, &plan, &part)
                .during("write samples")
                .map_err(|failure| Failure { payload_bytes: Some(payload_bytes), ..failure })?;
            self.say_done(&plan, &samples);
            // all ranks have measured this size; without barriers they are in the next one already, and would be disturbed
            let done = size_index + 1;
            if done == self.args.tensor_bytes.len() || self.args.barrier != Barrier::None {
                watch.look(self.comm, done).during("ask the store")?;
            }
        }
        Ok(())
    }

    /// Removes this rank's tensors from a store that is not the job's own, when all ranks have measured. What is left behind is
    /// no reason to call the measurement failed: rank 0 says it for all.
    pub fn clean(&self, mover: &mut Mover) -> anyhow::Result<()> {
        if !self.store.is_shared() {
            return Ok(());
        }
        self.comm.barrier();
        let own = match self.role {
            Role::Application if !self.workload.writes(self.own.rank) => Vec::new(),
            Role::Application => self.map.all(self.workload.kind, self.own.rank, self.args.workload.key_count())?,
            Role::Producer => self.map.all(self.workload.kind, self.number, self.workload.tensors)?,
            Role::Consumer | Role::Leader | Role::Idle => Vec::new(),
        };
        let removed = own.iter().try_for_each(|one| self.remove(mover, one)).map_err(|error| format!("{error:#}"));
        let Some(all) = self.comm.collect(&removed)? else { return Ok(()) };
        let gone = match (all.into_iter().find_map(Result::err), self.args.attempt.as_deref()) {
            (Some(error), _) => Err(anyhow::anyhow!(error)),
            (None, Some(attempt)) if !self.store.colocated => KeysLeft::forget(attempt),
            (None, _) => Ok(()),
        };
        if let Err(error) = gone {
            say(format_args!("keys of this run stay in the store, all named {}*: {error:#}", self.store.key_prefix));
        }
        Ok(())
    }

    fn remove(&self, mover: &mut Mover, place: &Place) -> anyhow::Result<()> {
        let connection = self.connection(place);
        match mover {
            Mover::Servers(servers) => servers.own.remove(connection, &place.key),
            Mover::Files(files) => files.own.remove(connection, &place.key),
        }
    }

    /// Index into `own.shards` of the shard that has a tensor.
    fn connection(&self, place: &Place) -> usize {
        self.own.shards.iter().position(|shard| *shard == place.shard).unwrap_or(0)
    }

    fn measure_size<B: Models>(
        &self,
        plan: &Plan<'_>,
        backend: &mut B,
        samples: &mut Samples,
    ) -> Result<Part, Failure> {
        let (mut tensors, calls) = match &self.workload.inference {
            None => (self.prepare(plan, backend).during("choose the keys")?, Vec::new()),
            Some(inference) => self.prepare_inference(inference, (plan.payload_bytes, plan.size_index), backend)?,
        };
        // those of what is computed between the tensors' ops are filled around the loop
        let mut computed = samples.columns.split_off(plan.workload.unpack() + 1);
        computed.iter_mut().for_each(Column::clear);
        let origin = self.origin();
        let mut application = self.application.borrow_mut();
        let mut surroundings = Surroundings {
            comm: self.comm,
            barrier: self.args.barrier,
            clock: self.clock,
            reports: self.reports(plan),
            bytes_of_pass: bytes_of_passes(plan.workload, (self.own.rank, self.role), plan.payload_bytes).into_iter(),
            waiting: RankEffort::default(),
            computing: application.as_mut().map(|application| Computing {
                application,
                columns: &mut computed,
                pass: 0,
                cost: RankEffort::default(),
            }),
        };
        let mut measurement = Measurement {
            plan,
            backend,
            tensors: &mut tensors,
            around: &mut surroundings,
            samples,
            pace: Pace::new(plan.workload.rate, self.own.rank, self.comm.size()),
            excluded_ns: 0,
            last_end_ns: 0,
            last_put: 0,
            calls,
        };
        let ahead = plan.workload.pipeline > 1;
        if plan.workload.mix.puts == 0 || plan.workload.access != Access::Own || ahead {
            measurement.store_once()?;
            self.comm.barrier();
            if ahead {
                measurement.read_once()?;
            }
        }
        let meter = Meter::start().during("count what it costs")?;
        measurement.run()?;
        let effort = meter.read().during("count what it costs")?.without(surroundings.waiting);
        let computing = surroundings.computing.map(|computing| computing.cost).unwrap_or_default();
        let effort = effort.without(computing);
        samples.columns.append(&mut computed);
        Ok(recorder::encode(samples, plan, origin, effort))
    }

    /// Prepares commands and buffers for one size.
    fn prepare<B: Backend>(&self, plan: &Plan<'_>, backend: &B) -> anyhow::Result<Tensors<B::Put, B::Get>> {
        let rank = self.own.rank;
        let payload_bytes = plan.payload_bytes as usize;
        let tensor = self.tensor(plan.payload_bytes);
        let mut written = Vec::new();
        if plan.workload.writes(rank) {
            for placed in self.tensors_of(rank)? {
                let stream = self.connection(&placed.place);
                let put = backend.prepare_put(stream, &placed.place.key, &tensor)?;
                written.push(Written { stream, tensor: placed.tensor, put, source: backend.buffer(payload_bytes) });
            }
        }
        let mut lists = Vec::new();
        for owner in &self.owners {
            let read = |placed: Placed| {
                let stream = self.connection(&placed.place);
                let get = backend.prepare_get(stream, &placed.place.key, &tensor)?;
                Ok(Read { stream, owner: placed.owner, tensor: placed.tensor, get })
            };
            lists.push(self.tensors_of(*owner)?.into_iter().map(read).collect::<anyhow::Result<_>>()?);
        }
        let targets = match lists.is_empty() {
            true => Vec::new(),
            false => (0..plan.workload.tensors).map(|_| backend.buffer(payload_bytes)).collect(),
        };
        let identity = self.identity(plan.size_index);
        let mut tensors = Tensors { written, lists, targets, identity };
        tensors.fill(0);
        Ok(tensors)
    }

    /// What a tensor of that size is.
    fn tensor(&self, payload_bytes: u64) -> wire::Tensor {
        let dimensions = self.workload.dimensions(payload_bytes);
        wire::Tensor { dtype: self.workload.dtype, dimensions, payload_bytes: payload_bytes as usize }
    }

    /// Whose tensors this rank puts at a size.
    fn identity(&self, size_index: u32) -> Identity {
        Identity {
            rank: self.number,
            size_index,
            payload: self.workload.payload,
            iterations: self.args.warmup + self.args.iterations,
        }
    }

    /// The tensors of rank `owner`, those of one shard together.
    fn tensors_of(&self, owner: u32) -> anyhow::Result<Vec<Placed>> {
        let place = |tensor| Ok(Placed { owner, tensor, place: self.map.place(owner, tensor)? });
        let mut placed = (0..self.workload.tensors).map(place).collect::<anyhow::Result<Vec<_>>>()?;
        placed.sort_by_key(|placed| placed.place.shard);
        Ok(placed)
    }

    fn reports(&self, plan: &Plan<'_>) -> Option<Reports> {
        let size = Size {
            attempt: self.args.attempt.clone(),
            sizes_done: plan.size_index,
            sizes_total: self.args.tensor_bytes.len() as u32,
            payload_bytes: plan.payload_bytes,
            iterations: plan.warmup + plan.iterations,
        };
        self.comm.is_root().then(|| Reports::new(size))
    }

    /// Rank 0 says that a size is measured, and what all ranks together moved.
    fn say_done(&self, plan: &Plan<'_>, samples: &Samples) {
        let spans = || samples.columns.iter().map(|column| column.span_ns());
        let first = spans().map(|(first, _)| first).min().unwrap_or(i64::MAX);
        let last = spans().map(|(_, last)| last).max().unwrap_or(i64::MIN);
        let (first, last) = self.comm.span(first, last);
        if self.comm.is_root() {
            let iterations = plan.warmup + plan.iterations;
            let moved: u64 = (0..self.comm.size())
                .flat_map(|rank| bytes_of_passes(plan.workload, (rank, self.roles.of(rank)), plan.payload_bytes))
                .map(|bytes| bytes * u64::from(iterations))
                .sum();
            let (done, all) = (plan.size_index + 1, self.args.tensor_bytes.len());
            let gb_per_s = moved as f64 / (last - first).max(1) as f64;
            // what was computed in the same time is no transfer: the report tells them apart
            let speed = if self.application.borrow().is_some() {
                String::new()
            } else {
                format!(", all ranks: {gb_per_s:.3} GB/s")
            };
            say(format_args!("{} measured, {done} of {all} sizes{speed}", show_bytes(plan.payload_bytes)));
        }
    }
}

/// Places of all tensors that `rank` uses, its own first.
fn used_places(workload: &Workload, map: &KeyMap, rank: u32, owners: &[u32]) -> anyhow::Result<Vec<Place>> {
    let own = workload.writes(rank).then_some(rank);
    let used = own.into_iter().chain(owners.iter().copied());
    used.flat_map(|owner| (0..workload.tensors).map(move |tensor| (owner, tensor)))
        .map(|(owner, tensor)| map.place(owner, tensor))
        .collect()
}

/// The ranks whose tensors `rank` unpacks, in turn.
fn owners(workload: &Workload, rank: u32, hosts: &Hosts) -> Vec<u32> {
    let ranks = hosts.of_rank.len() as u32;
    match workload.access {
        Access::Own => vec![rank],
        Access::OneToMany => vec![0],
        Access::ManyToOne if rank == 0 => (0..ranks).collect(),
        Access::ManyToOne => Vec::new(),
        Access::Neighbour => vec![hosts.neighbour(rank)],
    }
}
