//! `doctor`: looks at the node that it runs on and says what will hinder a run, and what to change.
//!
//! The story: look at the node ([`node`]), its network ([`network`]), MPI ([`mpi`]) and the store ([`store`]); each look gives
//! [`finding::Finding`]s; [`report`] renders them. Judging is pure where it can be; the store alone is tried for real: a server
//! is started for a moment. Nothing is changed on the node, and nothing waits for a launcher unless `--mpi` asks for it.

pub mod finding;
pub mod mpi;
pub mod network;
pub mod node;
pub mod report;
pub mod store;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::hosts;
use crate::node::{self as kernel, Root, interface};
use crate::store::settings::Settings;
use finding::{Finding, Level};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Network interface that servers shall listen on; without it, all are listed
    #[arg(long, value_name = "IF")]
    pub ifname: Option<String>,
    /// Port of a node's first server
    #[arg(long, value_name = "P", default_value_t = 6780, value_parser = clap::value_parser!(u16).range(1..))]
    pub port: u16,
    /// Server program, by name or path
    #[arg(long, value_name = "PROGRAM", default_value = "redis-server")]
    pub server: String,
    /// Node-local folder for a server's socket
    #[arg(long, value_name = "DIR", default_value = "/tmp")]
    pub scratch: PathBuf,
    /// Ranks that will connect to each server: a limit below that is bad, not merely a warning
    #[arg(long, value_name = "N")]
    pub ranks: Option<u32>,
    /// Start MPI too; only under the launcher, since without one some libraries wait for ever
    #[arg(long)]
    pub mpi: bool,
    /// Do not start a server for a moment
    #[arg(long)]
    pub no_start: bool,
    /// How to print: text or json; schema looks at nothing and prints the JSON Schema of json
    #[arg(long, value_name = "FORMAT", default_value = "text", value_parser = ["text", "json", "schema"])]
    pub format: String,
    #[command(flatten)]
    pub settings: Settings,
}

/// Prints what was found; the exit code is 1 where something is bad.
///
/// # Errors
/// stdout cannot be written.
pub fn run(args: &Args) -> Result<ExitCode> {
    if args.format == "schema" {
        std::io::stdout().write_all(report::schema()?.as_bytes()).context("cannot write to stdout")?;
        return Ok(ExitCode::SUCCESS);
    }
    let findings = examine(args);
    let text = match args.format.as_str() {
        "json" => report::json(&hosts::own_name(), &findings)?,
        _ => report::text(&hosts::own_name(), &findings),
    };
    // one write, so that the reports of several nodes do not mix line by line
    std::io::stdout().write_all(text.as_bytes()).context("cannot write to stdout")?;
    let bad = findings.iter().any(|finding| finding.level == Level::Bad);
    Ok(if bad { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn examine(args: &Args) -> Vec<Finding> {
    let root = Root::real();
    let interfaces = interface::of_this_host().unwrap_or_default();
    let facts = kernel::facts(&root, &interfaces);
    let mut findings = node::check(&root, &facts, args.ranks);
    findings.extend(node::check_cpus(&facts, kernel::affinity(std::process::id()).ok().as_deref()));
    findings.push(node::check_clock(&facts, crate::clock::quality()));
    findings.extend(network::check_interface(&root, &interfaces, args.ifname.as_deref()));
    findings.extend(network::check_queues(&facts, args.ranks));
    findings.push(network::check_congestion_control(&facts));
    findings.push(network::check_port(&root, &interfaces, args));
    findings.extend(mpi::check(args.mpi));
    findings.extend(store::check(args));
    findings
}
