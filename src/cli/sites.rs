//! Flags of `shardscale sites`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

#[derive(Debug, Args)]
pub struct SitesArgs {
    #[command(subcommand)]
    pub command: Option<SitesCommand>,

    /// Print the table in Markdown, with what a user must supply and what is unverified.
    #[arg(long)]
    pub markdown: bool,

    /// Folder whose site-configs/ wins over the sites that ship.
    #[arg(long, value_name = "DIR", env = "SHARDSCALE_CONFIG", value_parser = super::parse_config, global = true)]
    pub config: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub enum SitesCommand {
    /// Show one site: nodes, queue rows, limits, directives, charges, what you must supply, and where each value comes from.
    Show {
        /// Name of a site, or path of a site file.
        site: String,

        /// Print the file itself, to copy and edit.
        #[arg(long)]
        toml: bool,
    },
    /// Check a site file: all that is wrong with it, values that do not say where they come from, and comments that begin with
    /// TODO. Ends with exit code 1 when anything is wrong, 3 when something is left to do.
    Check {
        /// Path of a site file, or name of a site.
        #[arg(value_name = "FILE")]
        site: String,
    },
    /// Start a site file from the machine that this runs on, and print it: partitions or queues, nodes, cores, interfaces as
    /// far as Slurm, PBS and Linux tell, and a TODO for each question that only you or the centre can answer.
    ///
    /// Inside a job (srun -N 1 shardscale sites new) it sees the compute nodes themselves.
    New {
        /// Name of the site. Default: the cluster's, else the host's.
        #[arg(long)]
        name: Option<String>,
    },
    /// Print the JSON Schema of site files, for editors.
    Schema,
}
