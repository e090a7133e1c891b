//! `run`: the story of a measurement. Set up, connect, sweep the sizes, finish.
//!
//! Any error on any rank ends all ranks: whoever merely returned would leave the others in a barrier.

pub mod args;
mod around;
mod connect;
mod session;
pub mod store;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, ensure};
use shardscale::record::samples::{HostClock, Meta};

use crate::affinity;
use crate::clock;
use crate::comm::Comm;
use crate::entering;
use crate::environment::{Report, StartUp};
use crate::failure::{During, Failure, Reporter};
use crate::hosts::{self, Hosts};
use crate::launcher;
use crate::leaving;
use crate::recorder::Recorder;
use crate::watch::Watch;
use args::RunArgs;
use session::Session;
use store::Store;

/// Measures as `args` say; ends the whole launch if anything fails on this rank.
pub fn run(args: &RunArgs) -> ExitCode {
    let mut reporter =
        Reporter { rank: 0, host: hosts::own_name(), attempt: args.attempt.clone(), speaks: launcher::is_first() };
    let mut start_up = StartUp::begin();
    if let Some(Err(error)) = args.cpus.as_ref().map(affinity::bind_self) {
        reporter.end(&Failure::new("bind to --cpus", error));
    }
    let comm = entering::within(Duration::from_secs(args.start_timeout), &reporter);
    reporter.rank = comm.rank();
    if let Err(failure) = check_world(&comm, args.ranks).during("start") {
        reporter.end(&failure);
    }
    reporter.speaks = true;
    reporter.catch_panics();
    start_up.mark("start MPI");
    match measure(&comm, args, &reporter.host, start_up) {
        Ok(()) => {
            leaving::at_the_latest_in(Duration::from_secs(args.finalize_timeout), &reporter);
            ExitCode::SUCCESS
        }
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
    store.check_sizes(&args.tensor_bytes).during("find the store")?;
    start_up.mark("find the store");
    let clock = clock::agree(comm, &hosts).during("agree on a clock")?;
    start_up.mark("agree on a clock");
    let (mut session, mut mover, reach) = Session::open(comm, args, &hosts, store, clock)?;
    let mut report = Report::start(comm, &hosts, &reach, args.timeouts()).during("describe the environment")?;
    start_up.mark("connect all ranks");
    session.prepare_models(&mut mover)?;
    start_up.mark("prepare the models");
    let mut recorder = describe(&session, &hosts).during("write samples")?;
    let mut watch =
        Watch::start(comm, &hosts, &session.store.target(args), args.attempt.clone()).during("ask the store")?;
    start_up.mark("describe the run");
    report.write(args.attempt.as_deref(), start_up).during("describe the environment")?;
    if comm.is_root() {
        session.store.leave_word(args).during("write which keys are ours")?;
    }
    session.compute_alone(&mut recorder)?;
    session.sweep(&mut mover, &mut recorder, &mut watch)?;
    session.clean(&mut mover).during("remove our keys")?;
    watch.warn();
    report.finish(comm).during("describe the environment")?;
    let clocks = clock::ask_again(comm, &hosts, clock).during("ask the clocks")?;
    finish(comm, recorder, &clocks.unwrap_or_default()).during("write samples")
}

/// Rank 0 starts the record with what is true of the run and of each rank.
fn describe(session: &Session<'_>, hosts: &Hosts) -> anyhow::Result<Option<Recorder>> {
    let Session { comm, args, store, .. } = session;
    let Some(ranks) = comm.collect(&session.own)? else { return Ok(None) };
    let quality = clock::quality();
    let meta = Meta {
        client_version: env!("CARGO_PKG_VERSION").to_owned(),
        mpi_library: comm.library(),
        world_size: comm.size(),
        wire: store.wire,
        keys: args.keys,
        barrier: args.barrier,
        verify: args.verify,
        iterations: args.iterations,
        warmup: args.warmup,
        tensor_bytes: args.tensor_bytes.clone(),
        workload: session.workload.clone(),
        roles: session.roles.clone(),
        ops: session.workload.ops(),
        compute: session.calibration(),
        model: session.model.clone(),
        source: args.source.clone(),
        server: store.program.clone(),
        server_settings: store.settings.clone(),
        shards: store.shards.iter().map(|shard| shard.address.to_string()).collect(),
        hosts: hosts.names.clone(),
        clock_resolution_ns: quality.resolution_ns,
        clock_overhead_ns: quality.overhead_ns,
        unix_ns_at_zero: session.clock.unix_ns_at_zero,
    };
    Recorder::start(args.attempt.as_deref(), &meta, &ranks).map(Some)
}

/// Ends the record; without an attempt folder its table goes to stdout.
fn finish(comm: &Comm, recorder: Option<Recorder>, clocks: &[HostClock]) -> anyhow::Result<()> {
    if let Some(recorder) = recorder
        && let Some(table) = recorder.finish(clocks)?
    {
        use std::io::Write;
        std::io::stdout().write_all(table.as_bytes()).context("cannot write to stdout")?;
    }
    comm.barrier();
    Ok(())
}
