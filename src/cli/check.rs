//! Flags of `shardscale check`.

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Job scripts, and folders whose *.sh files are checked. They need not be ours.
    #[arg(default_value = "out", value_name = "PATH")]
    pub paths: Vec<PathBuf>,
}
