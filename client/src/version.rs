//! `version`: the program, what it was built from and with, and its MPI. Starts no MPI.

use std::io::Write;

use anyhow::{Context, Result};
use shardscale::built;

use crate::mpi_facts;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Also commit, target, profile, compiler and features of the build, and which MPI it was built against and runs with
    #[arg(long)]
    long: bool,
}

/// Prints it.
pub fn run(args: &Args) -> Result<()> {
    let mut facts = Vec::new();
    let library = crate::comm::library();
    let commit = commit();
    if args.long {
        facts.extend(built::facts());
        facts[0].1 = &commit;
        let against = mpi_facts::BUILT_AGAINST;
        facts.push(("built against", if against.is_empty() { "unknown" } else { against }));
        facts.push(("runs with", &library));
    }
    let text = built::lines("shardscale-client", env!("CARGO_PKG_VERSION"), &facts);
    std::io::stdout().lock().write_all(text.as_bytes()).context("cannot write to stdout")
}

/// Of the library and of the client's own sources together.
fn commit() -> String {
    match built::COMMIT {
        whole if whole == "unknown" || whole.ends_with("-modified") => whole.to_owned(),
        commit => format!("{commit}{}", env!("SHARDSCALE_CLIENT_MODIFIED")),
    }
}
