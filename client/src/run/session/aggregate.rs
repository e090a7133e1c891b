//! A rank of an aggregation: what it uses, and its part of each size.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result};
use shardscale::record::aggregation::{Aggregation, Roles};
use shardscale::record::cpus::CpuSet;
use shardscale::record::samples::{RankEffort, RankInfo};
use shardscale::record::vocabulary::Role;

use super::Session;
use crate::affinity;
use crate::aggregation::consumer::{Consumer, Parked, Team, Worker};
use crate::aggregation::{self, Producer};
use crate::backend::lists::{List, Lists, Part as ListPart};
use crate::comm::Comm;
use crate::effort::Meter;
use crate::failure::{During, Failure};
use crate::hosts::Hosts;
use crate::keys::{KeyMap, Place};
use crate::recorder::{self, Part};
use crate::samples::Samples;
use crate::tensors::{Read, Tensors, Written};
use crate::timed_loop::Plan;
use crate::wire::dataset;

/// So many times the reply time-out a list may stand still: its last datasets may be large.
const PATIENCE: u32 = 5;

/// Place of `rank` among those of its role.
pub fn number_of(roles: &Roles, rank: u32) -> u32 {
    let role = roles.of(rank);
    match role.consumes() {
        true => roles.consumers.iter().position(|consumer| *consumer == rank).unwrap_or(0) as u32,
        false => (0..rank).filter(|other| roles.of(*other) == role).count() as u32,
    }
}

/// What a rank's own connections are for: the lists of all iterations and, of a producer, its dataset, which comes first.
pub fn used_places(map: &KeyMap, role: Role, number: u32, iterations: u32) -> Result<Vec<Place>> {
    let dataset = (role == Role::Producer).then(|| map.dataset(number));
    let lists = (0..iterations).filter(|_| role != Role::Idle).map(|iteration| map.list(iteration));
    dataset.into_iter().chain(lists).collect()
}

/// The shards that have datasets, dealt to the threads of a consumer: several for a thread, or several threads for a shard.
pub fn shards_of_threads(map: &KeyMap, settings: &Aggregation) -> Result<Vec<Vec<u32>>> {
    let mut shards =
        (0..settings.producers).map(|number| Ok(map.dataset(number)?.shard)).collect::<Result<Vec<_>>>()?;
    shards.sort_unstable();
    shards.dedup();
    Ok(dealt(&shards, settings.consumer_threads as usize))
}

fn dealt(shards: &[u32], threads: usize) -> Vec<Vec<u32>> {
    let of_thread = |thread: usize| match threads < shards.len() {
        true => shards.iter().copied().skip(thread).step_by(threads).collect(),
        false => vec![shards[thread % shards.len()]],
    };
    (0..threads).map(of_thread).collect()
}

/// A consumer that has its node for itself takes the CPUs of all ranks there, whose launcher gave each rank its own.
pub fn widen(comm: &Comm, hosts: &Hosts, own: &RankInfo, role: Role) -> Result<Option<String>> {
    let all: Vec<String> = comm.share(comm.collect(&own.cpus)?.as_ref())?;
    if !role.consumes() {
        return Ok(None);
    }
    let here = (0..).zip(&all).filter(|(rank, _)| hosts.of_rank[*rank as usize] == own.host);
    let cpus = here.map(|(_, cpus)| cpus.parse::<CpuSet>().map_err(anyhow::Error::msg));
    let cpus = cpus.reduce(|a, b| Ok(a?.union(&b?))).context("a consumer's host has no ranks")??;
    affinity::bind(&affinity::kernel_set(&cpus)?)
        .with_context(|| format!("cannot bind to the CPUs {}", cpus.to_list()))?;
    Ok(Some(cpus.to_list()))
}

impl Session<'_> {
    /// The workers of a consumer; `None` for all others.
    pub(super) fn team<B: Lists>(&self, crew: Vec<(B, Vec<u32>)>) -> Option<Team<B>> {
        let settings = self.workload.aggregation.as_ref()?;
        let worker = |(backend, shards): (B, Vec<u32>)| {
            let endpoints = shards.iter().map(|shard| self.store.shards[*shard as usize].address.to_string()).collect();
            Worker::new(backend, endpoints, shards, settings.producers as usize, self.workload.tensors)
        };
        (!crew.is_empty()).then(|| Team::new(crew.into_iter().map(worker).collect()))
    }

    /// This rank's part of one size.
    pub(super) fn aggregate_size<B: Lists + Send>(
        &self,
        (settings, plan): (&Aggregation, &Plan<'_>),
        backend: &mut B,
        team: Option<&Team<B>>,
        samples: &mut Samples,
    ) -> Result<Part, Failure>
    where
        B::Get: Send,
    {
        let lists = (0..plan.warmup + plan.iterations).map(|iteration| {
            let place = self.map.list(iteration)?;
            Ok(List { connection: self.connection(&place), key: place.key })
        });
        let lists = match self.role {
            Role::Idle => Vec::new(),
            _ => lists.collect::<Result<Vec<_>>>().during("choose the keys")?,
        };
        let part = match (self.role, team) {
            (Role::Producer, _) => aggregation::Part::Producer(self.producer(plan, backend).during("choose the keys")?),
            (_, Some(team)) => {
                aggregation::Part::Consumer(self.consumer((settings, plan), backend, team).during("choose the keys")?)
            }
            _ => aggregation::Part::Idle,
        };
        let mut polls = 0;
        let meter = Meter::start().during("count what it costs")?;
        let aggregation = aggregation::Aggregation {
            plan,
            comm: self.comm,
            clock: self.clock,
            part,
            lists: &lists,
            samples,
            reports: self.reports(plan),
            polls: &mut polls,
        };
        aggregation.run()?;
        let effort = meter.read().during("count what it costs")?;
        Ok(recorder::encode(samples, plan, self.origin(), RankEffort { polls, ..effort }))
    }

    fn producer<'b, B: Lists>(&self, plan: &Plan<'_>, backend: &'b mut B) -> Result<Producer<'b, B>> {
        let Place { key, shard } = self.map.dataset(self.number)?;
        let (stream, described) =
            (self.connection(&Place { key: key.clone(), shard }), self.tensor(plan.payload_bytes));
        let written =
            (0..self.workload.tensors).zip(dataset::keys(&key, self.workload.tensors)).map(|(tensor, key)| {
                let put = backend.prepare_put(stream, &key, &described)?;
                Ok(Written { stream, tensor, put, source: backend.buffer(described.payload_bytes) })
            });
        let written = written.collect::<Result<_>>()?;
        let mut tensors =
            Tensors { written, lists: Vec::new(), targets: Vec::new(), identity: self.identity(plan.size_index) };
        tensors.fill(0);
        let frame = backend.prepare_dataset(&key, self.workload.tensors);
        Ok(Producer { backend, dataset: key, frame, tensors, puts: self.workload.mix.puts > 0 })
    }

    fn consumer<'b, B: Lists>(
        &self,
        (settings, plan): (&'b Aggregation, &Plan<'_>),
        backend: &'b mut B,
        team: &'b Team<B>,
    ) -> Result<Consumer<'b, B>> {
        let described = self.tensor(plan.payload_bytes);
        let mut of_shard: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
        let mut workers_of = Vec::new();
        for (at, worker) in team.workers().enumerate() {
            worker.shards.iter().for_each(|shard| of_shard.entry(*shard).or_default().push(at));
        }
        for producer in 0..settings.producers {
            let Place { key, shard } = self.map.dataset(producer)?;
            let serving = of_shard.get(&shard).context("a shard with datasets has no thread")?.clone();
            for at in &serving {
                let mut worker = team.worker(*at);
                let stream = worker.shards.iter().position(|other| *other == shard).unwrap_or(0);
                let names = (0..self.workload.tensors).zip(dataset::keys(&key, self.workload.tensors));
                let read = |(tensor, name): (u32, String)| {
                    let get = worker.backend.prepare_get(stream, &name, &described)?;
                    Ok(Read { stream, owner: producer, tensor, get })
                };
                let reads = names.map(read).collect::<Result<_>>()?;
                let question = worker.backend.prepare_question(stream, &key);
                worker.parked[producer as usize] = Some(Parked { question, reads });
            }
            workers_of.push(serving);
        }
        let share = settings.share() as usize;
        let memory = (0..share * self.workload.tensors as usize).map(|_| backend.buffer(described.payload_bytes));
        let part = ListPart { first: self.number as usize * share, count: share, is_all: settings.consumers == 1 };
        Ok(Consumer {
            memory: memory.collect(),
            backend,
            leads: self.role == Role::Leader,
            settings,
            part,
            team,
            workers_of,
            patience: Duration::from_secs(self.args.reply_timeout) * PATIENCE,
            polls: 0,
            identity: self.identity(plan.size_index),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shard_has_a_thread_and_every_thread_a_shard() {
        assert_eq!(dealt(&[0, 1, 5], 2), [vec![0, 5], vec![1]]);
        assert_eq!(dealt(&[0, 1, 5], 3), [vec![0], vec![1], vec![5]]);
        assert_eq!(dealt(&[0, 5], 5), [vec![0], vec![5], vec![0], vec![5], vec![0]]);
    }

    #[test]
    fn ranks_count_within_their_role() {
        let roles = Roles { consumers: vec![4, 1], idle: vec![5] };
        assert_eq!([0, 2, 3].map(|rank| number_of(&roles, rank)), [0, 1, 2]);
        assert_eq!([4, 1, 5].map(|rank| number_of(&roles, rank)), [0, 1, 0]);
    }
}
