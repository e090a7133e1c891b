//! Flags of `shardscale schema`.

use clap::ValueEnum;

#[derive(Debug, clap::Args)]
pub struct SchemaArgs {
    /// File or output that the schema describes.
    #[arg(value_name = "NAME")]
    pub of: SchemaOf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SchemaOf {
    /// A site file, as `shardscale sites schema`.
    Site,
    /// A study file, for `gen --study`.
    Study,
    /// What `collect --format json` prints.
    Collect,
    /// A file of `collect --history`.
    History,
    /// A line of `collect --jsonl`.
    Jsonl,
    /// What `rehearse --format json` prints.
    Rehearse,
    /// What `size --format json` prints.
    Size,
    /// What `status --format json` prints.
    Status,
}
