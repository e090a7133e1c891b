//! `run`: the story of a measurement. Set up, connect, sweep the sizes, finish.
//!
//! Any error on any rank ends all ranks: whoever merely returned would leave the others in a barrier.

pub mod args;
mod store;

use std::process::ExitCode;

use anyhow::{Context, ensure};
use shardscale::record::samples::{Meta, RankInfo};
use shardscale::record::units::show_bytes;
use shardscale::record::vocabulary::{Barrier, Wire};

use crate::clock::{self, CommonClock, now_ns};
use crate::comm::Comm;
use crate::connecting;
use crate::connection::{self, Stream, Timeouts};
use crate::environment::{self, Reach, Report, StartUp};
use crate::failure::{During, Failure, Reporter};
use crate::hosts::{self, Hosts};
use crate::launcher;
use crate::recorder::{self, Origin, Recorder};
use crate::store::limits;
use crate::timed_loop::{self, Plan, Samples};
use crate::watch::Watch;
use crate::wire::{plain, redisai};
use args::RunArgs;
use store::Store;

/// Measures as `args` say; ends the whole launch if anything fails on this rank.
pub fn run(args: &RunArgs) -> ExitCode {
    let mut reporter =
        Reporter { rank: 0, host: hosts::own_name(), attempt: args.attempt.clone(), speaks: launcher::is_first() };
    let mut start_up = StartUp::begin();
    let comm = match Comm::init() {
        Ok(comm) => comm,
        Err(error) => reporter.end(&Failure::new("start MPI", error)),
    };
    reporter.rank = comm.rank();
    if let Err(failure) = check_world(&comm, args.ranks).during("start") {
        reporter.end(&failure);
    }
    reporter.speaks = true;
    reporter.catch_panics();
    start_up.mark("start MPI");
    match measure(&comm, args, &reporter.host, start_up) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => reporter.end(&failure),
    }
}

fn check_world(comm: &Comm, ranks: u32) -> anyhow::Result<()> {
    ensure!(
        comm.size() == ranks,
        "the client saw {} rank(s) where the script started {ranks} (--ranks): is the client built against the launcher's \
         MPI? It says of itself: {}",
        comm.size(),
        comm.library()
    );
    Ok(())
}

fn measure(comm: &Comm, args: &RunArgs, host: &str, mut start_up: StartUp) -> Result<(), Failure> {
    let hosts = Hosts::exchange(comm, host).during("find the hosts")?;
    start_up.mark("exchange hosts");
    let store = Store::find(comm, args, &hosts).during("find the store")?;
    start_up.mark("find the store");
    let clock = clock::agree(comm, &hosts).during("agree on a clock")?;
    start_up.mark("agree on a clock");
    let (mut session, reach) = Session::open(comm, args, &hosts, store, clock)?;
    let mut report = Report::start(comm, &hosts, &reach, args.timeouts()).during("describe the environment")?;
    start_up.mark("connect all ranks");
    let mut recorder = session.describe(&hosts).during("write samples")?;
    let mut watch =
        Watch::start(comm, &hosts, &session.store.target(args), args.attempt.clone()).during("ask the store")?;
    start_up.mark("describe the run");
    report.write(args.attempt.as_deref(), start_up).during("describe the environment")?;
    session.sweep(&mut recorder, &mut watch)?;
    watch.warn();
    report.finish(comm).during("describe the environment")?;
    finish(comm, recorder).during("write samples")
}

/// One rank with everything that it needs.
struct Session<'a> {
    comm: &'a Comm,
    args: &'a RunArgs,
    store: Store,
    clock: CommonClock,
    own: RankInfo,
    stream: Stream,
}

impl<'a> Session<'a> {
    /// Connects this rank to the shard that owns its key.
    fn open(
        comm: &'a Comm,
        args: &'a RunArgs,
        hosts: &Hosts,
        store: Store,
        clock: CommonClock,
    ) -> Result<(Session<'a>, Reach), Failure> {
        let rank = comm.rank();
        let host = hosts.of_rank[rank as usize];
        let (key, shard) = store.place(args.keys, rank, host).during("choose the key")?;
        let address = &store.shards[shard as usize].address;
        limits::rank_files(1).during("connect")?;
        let turn = environment::wait_for_turn(comm, hosts, (!args.colocated).then_some(store.shards.len()));
        let start = now_ns();
        let open =
            |connect| connection::open(address, store.password.as_deref(), Timeouts { connect, ..args.timeouts() });
        let reached = connecting::patiently(args.timeouts().connect, open)
            .during("connect")
            .map_err(|failure| failure.at(address))?;
        let connect_ns = (now_ns() - start).cast_unsigned();
        let stream = reached.connection;
        let reach =
            Reach { source: stream.source(), turn_ns: turn.as_nanos() as u64, connect_ns, retries: reached.retries };
        let own = RankInfo {
            rank,
            host,
            shard,
            key,
            cpus: hosts::own_cpus().during("read the affinity")?,
            connect_ns,
            clock_offset_ns: clock.offset_ns,
            clock_error_ns: clock.error_ns,
        };
        Ok((Session { comm, args, store, clock, own, stream }, reach))
    }

    /// Rank 0 starts the record with what is true of the run and of each rank.
    fn describe(&self, hosts: &Hosts) -> anyhow::Result<Option<Recorder>> {
        let Some(ranks) = self.comm.collect(&self.own)? else { return Ok(None) };
        let quality = clock::quality();
        let meta = Meta {
            client_version: env!("CARGO_PKG_VERSION").to_owned(),
            mpi_library: self.comm.library(),
            world_size: self.comm.size(),
            wire: self.store.wire,
            keys: self.args.keys,
            barrier: self.args.barrier,
            verify: self.args.verify,
            iterations: self.args.iterations,
            warmup: self.args.warmup,
            tensor_bytes: self.args.tensor_bytes.clone(),
            server: self.store.program.clone(),
            server_settings: self.store.settings.clone(),
            shards: self.store.shards.iter().map(|shard| shard.address.to_string()).collect(),
            hosts: hosts.names.clone(),
            clock_resolution_ns: quality.resolution_ns,
            clock_overhead_ns: quality.overhead_ns,
            unix_ns_at_zero: self.clock.unix_ns_at_zero,
        };
        Recorder::start(self.args.attempt.as_deref(), &meta, &ranks).map(Some)
    }

    /// Goes through the sizes; the samples of each are recorded before the next begins.
    fn sweep(&mut self, recorder: &mut Option<Recorder>, watch: &mut Watch) -> Result<(), Failure> {
        let mut samples = Samples::new((self.args.warmup + self.args.iterations) as usize);
        let comm = self.comm;
        let before_iteration: &dyn Fn() = match self.args.barrier {
            Barrier::Iteration => &|| comm.barrier(),
            Barrier::None | Barrier::Size => &|| {},
        };
        for (size_index, payload_bytes) in self.args.tensor_bytes.iter().copied().enumerate() {
            let plan = Plan {
                rank: self.own.rank,
                payload_bytes,
                size_index: size_index as u32,
                warmup: self.args.warmup,
                iterations: self.args.iterations,
                before_iteration,
                verify: self.args.verify,
            };
            self.measure_size(&plan, &mut samples)?;
            let origin = Origin { rank: self.own.rank, shard: self.own.shard, clock_offset_ns: self.clock.offset_ns };
            let blocks = recorder::encode(&mut samples, &plan, origin);
            recorder::gather(comm, recorder, &plan, &blocks)
                .during("write samples")
                .map_err(|failure| Failure { payload_bytes: Some(payload_bytes), ..failure })?;
            // without barriers other ranks are in the next size already: asking would disturb them
            let is_last = size_index + 1 == self.args.tensor_bytes.len();
            if is_last || self.args.barrier != Barrier::None {
                watch.look(comm, size_index + 1).during("ask the store")?;
            }
            if comm.is_root() {
                let (done, all) = (size_index + 1, self.args.tensor_bytes.len());
                eprintln!("shardscale-client: {} measured, {done} of {all} sizes", show_bytes(payload_bytes));
            }
        }
        Ok(())
    }

    fn measure_size(&mut self, plan: &Plan<'_>, samples: &mut Samples) -> Result<(), Failure> {
        let mut exchange = match self.store.wire {
            Wire::RedisAi => redisai::exchange(&self.own.key, plan.payload_bytes as usize),
            Wire::Plain | Wire::Auto => plain::exchange(&self.own.key, plan.payload_bytes as usize),
        };
        if self.args.barrier != Barrier::None {
            self.comm.barrier();
        }
        timed_loop::measure(&mut self.stream, &mut exchange, plan, samples)
            .map_err(|failure| failure.at(&self.store.shards[self.own.shard as usize].address))
    }
}

/// Ends the record; without an attempt folder its table goes to stdout.
fn finish(comm: &Comm, recorder: Option<Recorder>) -> anyhow::Result<()> {
    if let Some(recorder) = recorder
        && let Some(table) = recorder.finish()?
    {
        use std::io::Write;
        std::io::stdout().write_all(table.as_bytes()).context("cannot write to stdout")?;
    }
    comm.barrier();
    Ok(())
}
