//! A consumer: it waits until a list is full and fetches its part of it, with several threads that read from different shards at
//! once, each into memory of its own and with connections of its own.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Barrier, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use arrayvec::ArrayVec;
use shardscale::record::aggregation::Aggregation;

use crate::backend::Untimed;
use crate::backend::lists::{List, Lists, Part, Question};
use crate::buffer::Buffer;
use crate::keys::producer_of;
use crate::tensors::{Identity, Read};
use crate::wire::BATCH;

/// One consumer, for one size.
pub struct Consumer<'a, B: Lists> {
    /// The connection that lists are asked through.
    pub backend: &'a mut B,
    /// It deletes the lists.
    pub leads: bool,
    pub settings: &'a Aggregation,
    pub part: Part,
    pub team: &'a Team<B>,
    /// The workers that have connections to a producer's shard.
    pub workers_of: Vec<Vec<usize>>,
    /// Memory for all of the part, when nobody reads into it.
    pub memory: Vec<Buffer>,
    /// A list that does not grow for so long will not be full.
    pub patience: Duration,
    /// Looks at lists so far.
    pub polls: u64,
    pub identity: Identity,
}

/// The workers of a consumer, asleep between two lists.
pub struct Team<B: Lists> {
    workers: Vec<Mutex<Worker<B>>>,
    gate: Barrier,
    over: AtomicBool,
}

/// What one thread reads from some of the shards.
pub struct Worker<B: Lists> {
    pub backend: B,
    /// Names of its connections, for errors.
    pub endpoints: Vec<String>,
    /// The shards that they lead to.
    pub shards: Vec<u32>,
    /// Of each producer whose dataset it may be given.
    pub parked: Vec<Option<Parked<B::Get>>>,
    /// Tensors of each dataset.
    pub tensors: u32,
    /// The datasets of this iteration, and what is read of them, and whereto.
    datasets: Vec<u32>,
    reads: Vec<Read<B::Get>>,
    targets: Vec<Buffer>,
    outcome: Result<(), (Option<String>, anyhow::Error)>,
}

/// A dataset's prepared commands.
pub struct Parked<Get> {
    pub question: Question,
    pub reads: Vec<Read<Get>>,
}

impl<B: Lists> Worker<B> {
    pub fn new(backend: B, endpoints: Vec<String>, shards: Vec<u32>, producers: usize, tensors: u32) -> Worker<B> {
        Worker {
            backend,
            endpoints,
            shards,
            parked: (0..producers).map(|_| None).collect(),
            tensors,
            datasets: Vec::new(),
            reads: Vec::new(),
            targets: Vec::new(),
            outcome: Ok(()),
        }
    }

    fn give(&mut self, producer: u32, memory: &mut Vec<Buffer>) -> Result<()> {
        let parked =
            self.parked[producer as usize].as_mut().context("a dataset lies on another shard than it should")?;
        ensure!(!parked.reads.is_empty(), "the list has the dataset of producer {producer} twice");
        self.reads.append(&mut parked.reads);
        self.targets.extend(memory.drain(memory.len() - self.tensors as usize..));
        self.datasets.push(producer);
        Ok(())
    }

    /// Reads all that it was given: first what is said of the datasets, then their tensors.
    fn work(&mut self) {
        self.datasets.sort_unstable_by_key(|producer| {
            self.parked[*producer as usize].as_ref().map_or(0, |parked| parked.question.connection)
        });
        interleave(&mut self.reads, |read| read.stream);
        let asked = self.ask();
        let outcome = asked.and_then(|()| {
            let pairs = self.reads.chunks_mut(BATCH).zip(self.targets.chunks_mut(BATCH));
            pairs.into_iter().try_for_each(|(reads, targets)| self.backend.get(reads, targets, &mut Untimed))
        });
        self.outcome = outcome.map_err(|(stream, error)| (self.endpoints.get(stream).cloned(), error.cause));
    }

    fn ask(&mut self) -> Result<(), crate::backend::Trouble> {
        for chunk in self.datasets.chunks(BATCH) {
            let questions: ArrayVec<&Question, BATCH> = chunk
                .iter()
                .filter_map(|producer| self.parked[*producer as usize].as_ref().map(|parked| &parked.question))
                .collect();
            self.backend.ask(&questions, self.tensors)?;
        }
        Ok(())
    }

    fn recycle(&mut self, memory: &mut Vec<Buffer>) {
        memory.append(&mut self.targets);
        for read in self.reads.drain(..) {
            if let Some(parked) = self.parked[read.owner as usize].as_mut() {
                parked.reads.push(read);
            }
        }
        self.datasets.clear();
    }
}

/// Puts `all` into an order in which each batch has some of each connection, so that shards work at the same time.
fn interleave<T>(all: &mut [T], connection: impl Fn(&T) -> usize) {
    all.sort_by_key(&connection);
    let connections = all.chunk_by(|a, b| connection(a) == connection(b)).count();
    let at_once = (BATCH / connections.max(1)).max(1);
    let (mut last, mut place) = (usize::MAX, 0);
    all.sort_by_cached_key(|one| {
        let own = connection(one);
        place = if own == last { place + 1 } else { 0 };
        last = own;
        (place / at_once, own)
    });
}

impl<B: Lists> Consumer<'_, B> {
    /// Returns when the list has an entry of each producer.
    pub fn wait(&mut self, list: &List) -> Result<()> {
        let due = self.settings.producers as usize;
        let pause = self.settings.poll_interval.asked_ns().map(Duration::from_nanos);
        let (mut before, mut since) = (0, Instant::now());
        loop {
            let length = self.backend.length(list)?;
            self.polls += 1;
            ensure!(length <= due, "the list {} has {length} datasets, and there are {due} producers", list.key);
            if length == due {
                return Ok(());
            }
            if length > before {
                (before, since) = (length, Instant::now());
            }
            ensure!(
                since.elapsed() < self.patience,
                "the list {} has {length} of {due} datasets, and none came for {} s",
                list.key,
                self.patience.as_secs()
            );
            if let Some(pause) = pause {
                thread::sleep(pause);
            }
        }
    }

    /// Fetches this consumer's part of a full list.
    ///
    /// # Errors
    /// The server's name where one is to blame, and what went wrong.
    pub fn fetch(&mut self, list: &List) -> Result<(), (Option<String>, anyhow::Error)> {
        let Consumer { backend, team, workers_of, memory, part, .. } = self;
        let mut turns = vec![0; team.workers.len()];
        let mut all: Vec<MutexGuard<'_, Worker<B>>> = team.workers().collect();
        let given = backend.entries(list, *part, &mut |entry| {
            let producer = producer_of(entry).filter(|number| (*number as usize) < workers_of.len());
            let producer = producer.with_context(|| {
                format!(
                    "the list {} has the entry {:?}, which is no producer's",
                    list.key,
                    String::from_utf8_lossy(entry)
                )
            })?;
            let serving = &workers_of[producer as usize];
            // those of a shard take its datasets in turn
            let turn = &mut turns[serving[0]];
            *turn += 1;
            all[serving[*turn % serving.len()]].give(producer, memory)
        });
        drop(all);
        given.map_err(|cause| (None, cause))?;
        team.work();
        team.workers().try_for_each(|mut worker| std::mem::replace(&mut worker.outcome, Ok(())))
    }

    /// Holds every byte that was fetched against what was put in iteration `put_in`.
    ///
    /// # Errors
    /// The first byte that is wrong.
    pub fn check(&self, put_in: u32) -> Result<()> {
        let identity = self.identity;
        self.team.workers().try_for_each(|worker| {
            let mut all = worker.reads.iter().zip(&worker.targets);
            all.try_for_each(|(read, target)| identity.check(read.owner, read.tensor, put_in, target.bytes()))
        })
    }

    /// Takes the memory back.
    pub fn recycle(&mut self) {
        self.team.workers().for_each(|mut worker| worker.recycle(&mut self.memory));
    }
}

impl<B: Lists> Team<B> {
    pub fn new(workers: Vec<Worker<B>>) -> Team<B> {
        let gate = Barrier::new(workers.len());
        Team { workers: workers.into_iter().map(Mutex::new).collect(), gate, over: AtomicBool::new(false) }
    }

    pub fn worker(&self, at: usize) -> MutexGuard<'_, Worker<B>> {
        lock(&self.workers[at])
    }

    pub fn workers(&self) -> impl Iterator<Item = MutexGuard<'_, Worker<B>>> {
        self.workers.iter().map(lock)
    }

    /// Runs `body` on this thread, which is the first worker's, while the others have threads of their own.
    pub fn with<T>(&self, body: impl FnOnce() -> T) -> T
    where
        B: Send,
        B::Get: Send,
    {
        self.over.store(false, Ordering::Release);
        thread::scope(|scope| {
            for worker in &self.workers[1..] {
                scope.spawn(|| self.serve(worker));
            }
            let result = body();
            self.over.store(true, Ordering::Release);
            self.gate.wait();
            result
        })
    }

    fn serve(&self, worker: &Mutex<Worker<B>>) {
        loop {
            self.gate.wait();
            if self.over.load(Ordering::Acquire) {
                return;
            }
            lock(worker).work();
            self.gate.wait();
        }
    }

    /// All workers do what they were given.
    fn work(&self) {
        self.gate.wait();
        lock(&self.workers[0]).work();
        self.gate.wait();
    }
}

fn lock<B: Lists>(worker: &Mutex<Worker<B>>) -> MutexGuard<'_, Worker<B>> {
    worker.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_batch_has_some_of_each_connection() {
        let mut reads: Vec<(usize, u32)> = (0..300).map(|number| (number as usize * 7 % 3, number)).collect();
        interleave(&mut reads, |read| read.0);
        let of = |batch: &[(usize, u32)], connection| batch.iter().filter(|read| read.0 == connection).count();
        for batch in reads.chunks_exact(63).take(4) {
            assert_eq!([0, 1, 2].map(|connection| of(batch, connection)), [21; 3]);
        }
        let mut numbers: Vec<u32> = reads.iter().map(|read| read.1).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (0..300).collect::<Vec<_>>());
        interleave(&mut Vec::<(usize, u32)>::new(), |read| read.0);
    }
}
