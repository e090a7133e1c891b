//! Flags of `shardscale collect`.

use std::path::PathBuf;

use clap::Args;

use shardscale::collect::baseline::FailIf;
use shardscale::collect::{CollectOptions, Format};

#[derive(Debug, Args)]
pub struct CollectArgs {
    /// Folder that `shardscale gen` wrote.
    #[arg(default_value = "out")]
    dir: PathBuf,

    /// Folder for the report. Default: DIR/report.
    #[arg(long, value_name = "REPORT")]
    out: Option<PathBuf>,

    /// Compare with the runs in this earlier folder. Runs are paired by their parameters, whatever their names; the
    /// answer is slower, faster or noise for each operation and tensor size, on stdout, in baseline.csv and on the page;
    /// unconfirmed where two single runs differ, which says nothing yet: measure three repeats on both sides.
    #[arg(long, value_name = "DIR")]
    baseline: Option<PathBuf>,

    /// End with exit code 4 if an operation became slower than the baseline by this much and by more than noise, such as
    /// slower=5%. slower=5%,unconfirmed counts single runs as well, which fails often by chance. With differs also if anything
    /// but the date differs between the sides: server, wire, modules, MPI, client, kernel, congestion control, nodes. Default:
    /// the comparison is shown and decides nothing.
    #[arg(long, value_name = "slower=PERCENT%[,unconfirmed][,differs]", requires = "baseline")]
    fail_if: Option<FailIf>,

    /// Compare also runs of another product or over another wire with those of the baseline. Default: they are named, and not
    /// compared.
    #[arg(long, requires = "baseline")]
    across: bool,

    /// Write also the samples behind the figures, a Parquet file for each run in REPORT/samples, about 5 bytes a sample, for
    /// pandas, Polars, DuckDB and the like. Files of runs that did not change are kept.
    #[arg(long)]
    parquet: bool,

    /// Write also when what happened, a file for each run in REPORT/traces that Perfetto (ui.perfetto.dev) opens: what the
    /// script noted, the sizes, and each rank at each size, those that straggle first; about 250 bytes a rank and size.
    #[arg(long)]
    trace: bool,

    /// Read every run again. Default: runs whose files look as they did when they were last read are taken from
    /// REPORT/.collect-cache, with the same result.
    #[arg(long)]
    fresh: bool,

    /// What goes to stdout.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

impl CollectArgs {
    /// The options that these flags mean.
    pub fn into_options(self) -> CollectOptions {
        let CollectArgs { dir, out, baseline, fail_if, across, parquet, trace, fresh, format } = self;
        CollectOptions { dir, out, baseline, fail_if, across, parquet, trace, fresh, format }
    }
}
