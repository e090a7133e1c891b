//! Flags of `shardscale collect`.

use std::path::PathBuf;

use clap::Args;

use shardscale::collect::CollectOptions;

#[derive(Debug, Args)]
pub struct CollectArgs {
    /// Folder that `shardscale gen` wrote.
    #[arg(default_value = "out")]
    dir: PathBuf,

    /// Folder for the report. Default: DIR/report.
    #[arg(long, value_name = "REPORT")]
    out: Option<PathBuf>,
}

impl CollectArgs {
    /// The options that these flags mean.
    pub fn into_options(self) -> CollectOptions {
        CollectOptions { dir: self.dir, out: self.out }
    }
}
