//! Flags of `shardscale submit` and `shardscale status`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use shardscale::campaign::submit::Request;

#[derive(Debug, Args)]
pub struct SubmitArgs {
    /// Folder that `shardscale gen` wrote.
    #[arg(default_value = "out")]
    dir: PathBuf,

    /// Only runs whose last attempt failed; not those that were never submitted.
    #[arg(long)]
    failed: bool,

    /// Only runs whose names match this pattern, such as '*-db16x8-*'. Of a pack all runs go that are not measured.
    #[arg(long, value_name = "PATTERN", value_parser = parse_pattern)]
    only: Option<glob::Pattern>,

    /// Measure again what is measured already; earlier attempts are kept.
    #[arg(long)]
    again: bool,

    /// Submit nothing; print the commands.
    #[arg(long)]
    dry_run: bool,

    /// Let at most so many of your jobs run or wait for nodes at a time: each further one depends on the end of an earlier one,
    /// which the scheduler sees to. Default: what the site's limits ask for.
    #[arg(long, value_name = "JOBS", value_parser = clap::value_parser!(u32).range(1..))]
    at_once: Option<u32>,

    /// Folder whose site-configs/ wins over the sites that ship.
    #[arg(long, value_name = "DIR", env = "SHARDSCALE_CONFIG", value_parser = super::parse_config)]
    config: Option<PathBuf>,
}

impl SubmitArgs {
    /// The request that these flags mean.
    pub fn into_request(self) -> Request {
        let SubmitArgs { dir, failed, only, again, dry_run, at_once, config } = self;
        Request { out: dir, failed, only, again, dry_run, at_once: at_once.map(|jobs| jobs as usize), config }
    }
}

fn parse_pattern(text: &str) -> Result<glob::Pattern, String> {
    glob::Pattern::new(text).map_err(|error| format!("{error}; write names with * and ?"))
}

#[derive(Debug, Args)]
pub struct StatusArgs {
    /// Folder that `shardscale gen` wrote, or a copy of it.
    #[arg(default_value = "out")]
    pub dir: PathBuf,

    /// What goes to stdout.
    #[arg(long, value_enum, default_value_t = StatusFormat::Table)]
    pub format: StatusFormat,

    /// Look again every so many seconds (10) until nothing waits or runs any more. A terminal shows each look in the place of the one
    /// before; a pipe gets the last one alone.
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "10", value_parser = clap::value_parser!(u64).range(1..))]
    pub watch: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum StatusFormat {
    /// A line a run, at most 100 columns wide.
    Table,
    /// One JSON object.
    Json,
}

#[derive(Debug, Args)]
pub struct RehearseArgs {
    /// Folder that `shardscale gen` wrote.
    #[arg(default_value = "out")]
    pub dir: PathBuf,

    /// Path of shardscale-client on the compute nodes. Default: beside this program, else from PATH.
    #[arg(long, value_name = "PATH", default_value_os_t = super::generate::find_client(), hide_default_value = true)]
    pub client: PathBuf,

    /// Rehearse once more, even if the last rehearsal went well.
    #[arg(long)]
    pub again: bool,

    /// What goes to stdout.
    #[arg(long, value_enum, default_value_t = StatusFormat::Table)]
    pub format: StatusFormat,

    /// Folder whose site-configs/ wins over the sites that ship.
    #[arg(long, value_name = "DIR", env = "SHARDSCALE_CONFIG", value_parser = super::parse_config)]
    pub config: Option<PathBuf>,
}
