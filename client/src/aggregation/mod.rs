//! The loop of an aggregation, one tensor size at a time: in each iteration the producers put their datasets and append them to a
//! list, the consumers wait until it is full, fetch it and delete it; then all begin anew.
//!
//! Timed are the ops alone. What SmartSim-Scaling's producers wait for by polling the list until it is gone, ours wait for by MPI,
//! asleep: a store that is measured has no other traffic than what is stated.

pub mod consumer;

use shardscale::record::workload::{AGGREGATION, APPEND, DELETE, GET_DATASETS, HAND_OVER, POLL, PUT_DATASET};

use crate::backend::Trouble;
use crate::backend::lists::{List, Lists};
use crate::clock::{CommonClock, now_ns};
use crate::comm::Comm;
use crate::failure::Failure;
use crate::progress::Reports;
use crate::samples::Samples;
use crate::tensors::Tensors;
use crate::timed_loop::Plan;
use consumer::Consumer;

/// What this rank does in an iteration.
pub enum Part<'a, B: Lists> {
    Producer(Producer<'a, B>),
    Consumer(Consumer<'a, B>),
    /// The rank is there since a launch has equally many on each node.
    Idle,
}

/// A rank with its dataset.
pub struct Producer<'a, B: Lists> {
    pub backend: &'a mut B,
    /// The entry of a list for the dataset.
    pub dataset: String,
    pub frame: B::Frame,
    pub tensors: Tensors<B::Put, B::Get>,
    /// It is put in each iteration, and not once.
    pub puts: bool,
}

/// All ranks at one size.
pub struct Aggregation<'a, B: Lists> {
    pub plan: &'a Plan<'a>,
    pub comm: &'a Comm,
    pub clock: CommonClock,
    pub part: Part<'a, B>,
    /// The list of each iteration.
    pub lists: &'a [List],
    pub samples: &'a mut Samples,
    /// Of rank 0 alone.
    pub reports: Option<Reports>,
    /// Looks of a consumer at lists.
    pub polls: &'a mut u64,
}

/// When this rank's last append and last byte of an iteration were, on the common clock; the least number where it had none.
#[derive(Debug, Clone, Copy)]
struct Ends {
    append_ns: i64,
    read_ns: i64,
}

/// Less than any time, and still a number without its sign.
const NEVER: i64 = i64::MIN + 1;

/// A failed op: the op, and what a backend or a list said.
type Failed = (usize, Trouble);

impl<B: Lists + Send> Aggregation<'_, B> {
    /// Measures the size.
    ///
    /// # Errors
    /// The first op that fails, with its size and iteration (counted from 0, warm-up included).
    pub fn run(mut self) -> Result<(), Failure>
    where
        B::Get: Send,
    {
        self.samples.clear();
        if let Part::Producer(producer) = &mut self.part
            && !producer.puts
        {
            let put = producer.backend.put_dataset(&mut producer.frame, &mut producer.tensors.written);
            put.map_err(|trouble| failure(self.plan, 0, (PUT_DATASET, trouble)))?;
        }
        let team = if let Part::Consumer(consumer) = &self.part { Some(consumer.team) } else { None };
        let ended = match team {
            Some(team) => team.with(|| self.iterate()),
            None => self.iterate(),
        };
        if let Part::Consumer(consumer) = &self.part {
            *self.polls = consumer.polls;
        }
        ended
    }

    fn iterate(&mut self) -> Result<(), Failure> {
        if let Some(reports) = &mut self.reports {
            reports.begin_pass(self.plan.payload_bytes * u64::from(self.plan.workload.tensors));
        }
        for iteration in 0..self.plan.warmup + self.plan.iterations {
            // the list of the iteration before is gone
            self.comm.wait_for_all();
            let ends = self.iteration(iteration)?;
            self.comm.wait_for_all();
            // what all ranks know now, and no rank alone
            let (append, read) = self.comm.span(-ends.append_ns, ends.read_ns);
            self.hand_over(iteration, Ends { append_ns: -append, read_ns: read })?;
            if let Some(reports) = &mut self.reports {
                reports.after(AGGREGATION[APPEND], iteration, now_ns());
            }
        }
        Ok(())
    }

    fn iteration(&mut self, iteration: u32) -> Result<Ends, Failure> {
        let (list, offset) = (&self.lists[iteration as usize], self.clock.offset_ns);
        let columns = &mut self.samples.columns;
        match &mut self.part {
            Part::Idle => Ok(Ends { append_ns: NEVER, read_ns: NEVER }),
            Part::Producer(producer) => {
                if self.plan.verify && producer.puts {
                    producer.tensors.fill(iteration);
                }
                if producer.puts {
                    columns[PUT_DATASET].begin(now_ns());
                    let put = producer.backend.put_dataset(&mut producer.frame, &mut producer.tensors.written);
                    put.map_err(|trouble| failure(self.plan, iteration, (PUT_DATASET, trouble)))?;
                    columns[PUT_DATASET].end(iteration as usize, now_ns());
                }
                columns[APPEND].begin(now_ns());
                let appended = producer.backend.append(list, &producer.dataset);
                appended.map_err(|cause| failure(self.plan, iteration, of_list(APPEND, list, cause)))?;
                let end = now_ns();
                columns[APPEND].end(iteration as usize, end);
                Ok(Ends { append_ns: end + offset, read_ns: NEVER })
            }
            Part::Consumer(consumer) => {
                columns[POLL].begin(now_ns());
                let full = consumer.wait(list);
                full.map_err(|cause| failure(self.plan, iteration, of_list(POLL, list, cause)))?;
                columns[POLL].end(iteration as usize, now_ns());
                columns[GET_DATASETS].begin(now_ns());
                let fetched = consumer.fetch(list);
                let end = now_ns();
                columns[GET_DATASETS].end(iteration as usize, end);
                fetched.map_err(|(endpoint, cause)| of_fetch(self.plan, iteration, endpoint, cause))?;
                if self.plan.verify {
                    let put_in = if self.plan.workload.mix.puts > 0 { iteration } else { 0 };
                    let right = consumer.check(put_in);
                    right.map_err(|cause| Failure { op: "verify", ..of_fetch(self.plan, iteration, None, cause) })?;
                }
                consumer.recycle();
                Ok(Ends { append_ns: NEVER, read_ns: end + offset })
            }
        }
    }

    /// The first consumer knows when all of the list has been read, and removes it.
    fn hand_over(&mut self, iteration: u32, ends: Ends) -> Result<(), Failure> {
        let Part::Consumer(consumer) = &mut self.part else { return Ok(()) };
        if !consumer.leads {
            return Ok(());
        }
        let (list, offset) = (&self.lists[iteration as usize], self.clock.offset_ns);
        let columns = &mut self.samples.columns;
        columns[HAND_OVER].begin(ends.append_ns - offset);
        columns[HAND_OVER].end(iteration as usize, ends.read_ns - offset);
        columns[DELETE].begin(now_ns());
        let deleted = consumer.backend.delete(list);
        deleted.map_err(|cause| failure(self.plan, iteration, of_list(DELETE, list, cause)))?;
        columns[DELETE].end(iteration as usize, now_ns());
        Ok(())
    }
}

fn of_list(op: usize, list: &List, cause: anyhow::Error) -> Failed {
    (op, (list.connection, crate::wire::BatchError { at: 0, cause }))
}

fn failure(plan: &Plan<'_>, iteration: u32, (op, (connection, error)): Failed) -> Failure {
    let endpoint = plan.endpoints.get(connection).cloned();
    Failure { op: AGGREGATION[op].as_str(), ..of_fetch(plan, iteration, endpoint, error.cause) }
}

fn of_fetch(plan: &Plan<'_>, iteration: u32, endpoint: Option<String>, cause: anyhow::Error) -> Failure {
    Failure {
        op: AGGREGATION[GET_DATASETS].as_str(),
        endpoint,
        payload_bytes: Some(plan.payload_bytes),
        iteration: Some(iteration),
        cause,
    }
}
