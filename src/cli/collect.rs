//! Flags of `shardscale collect`.

use std::path::PathBuf;

use clap::{ArgGroup, Args};

use shardscale::collect::baseline::FailIf;
use shardscale::collect::{CollectOptions, Format, LAST};

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("earlier").args(["baseline", "history"]).multiple(true)))]
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

    /// Keep what this collection found in this folder, in a small file that is never changed, and show how the figures changed
    /// over all collections there. Several people and machines may share the folder. The same measurements,
    /// collected again, are kept once.
    #[arg(long, value_name = "DIR")]
    history: Option<PathBuf>,

    /// Compare with the last COUNT collections of the history. From three on, the interval includes how much
    /// collections of an unchanged store differ. With --baseline, the baseline is compared with instead.
    #[arg(long, value_name = "COUNT", requires = "history", conflicts_with = "baseline", default_value_t = LAST,
        value_parser = parse_last)]
    last: usize,

    /// End with exit code 4 if an operation became slower than the baseline, or the last collections of the history, by this much and by more than noise, such as
    /// slower=5%. slower=5%,unconfirmed counts single runs as well, which fails often by chance. With differs also if anything
    /// but the date differs between the sides: server, wire, modules, MPI, client, kernel, congestion control, nodes. Default:
    /// the comparison is shown and decides nothing.
    #[arg(long, value_name = "slower=PERCENT%[,unconfirmed][,differs]", requires = "earlier")]
    fail_if: Option<FailIf>,

    /// Also compare runs of another product or over another wire with those of the baseline. Default: they are named, and not
    /// compared.
    #[arg(long, requires = "baseline")]
    across: bool,

    /// Also write the samples behind the figures, a Parquet file for each run in REPORT/samples, about 5 bytes a sample, for
    /// pandas, Polars, DuckDB and the like. Files of runs that did not change are kept.
    #[arg(long)]
    parquet: bool,

    /// Also write a time line of each run, a file in REPORT/traces that Perfetto (ui.perfetto.dev) opens: the steps of the
    /// script, the sizes, and each rank at each size, those that straggle first; about 250 bytes a rank and size.
    #[arg(long)]
    trace: bool,

    /// Also write the figures to this file as OpenMetrics text, in seconds and bytes, for Prometheus and the like:
    /// median with its interval, p99 and bandwidth of each run that is done or partial, states of all runs.
    #[arg(long, value_name = "FILE", value_parser = parse_output)]
    openmetrics: Option<PathBuf>,

    /// Also write a JSON object to this file for each run, operation and size, one a line; `shardscale schema jsonl` describes them.
    #[arg(long, value_name = "FILE", value_parser = parse_output)]
    jsonl: Option<PathBuf>,

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
        CollectOptions {
            dir: self.dir,
            out: self.out,
            baseline: self.baseline,
            history: self.history,
            last: self.last,
            fail_if: self.fail_if,
            across: self.across,
            parquet: self.parquet,
            trace: self.trace,
            openmetrics: self.openmetrics,
            jsonl: self.jsonl,
            fresh: self.fresh,
            format: self.format,
        }
    }
}

/// At least one: none would be compared with nothing.
fn parse_last(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|count| *count > 0).ok_or_else(|| "give a whole number from 1 on, such as 5".to_owned())
}

/// A file that can be written, as far as its path tells: all runs would be read in vain otherwise.
fn parse_output(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    match folder {
        _ if text.is_empty() || path.is_dir() => Err("that is no file; name one in an existing folder".into()),
        Some(folder) if !folder.is_dir() => Err(format!("there is no folder {}; make it first", folder.display())),
        _ => Ok(path),
    }
}
