//! `completions`, `man` and `version`: what shells, man and people learn of the program itself.

use std::io::Write;

use anyhow::{Context, Result};
use clap::CommandFactory;

use shardscale::built;

use crate::cli::{Cli, CompletionsArgs, ManArgs, VersionArgs};

/// Prints the script that a shell sources.
pub fn completions(args: &CompletionsArgs) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "shardscale", &mut script);
    std::io::stdout().lock().write_all(&script).context("cannot write to stdout")
}

/// Writes a page for the program and one for each subcommand.
pub fn man(args: &ManArgs) -> Result<()> {
    let folder = &args.folder;
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let pages = clap_mangen::generate_to(Cli::command(), folder);
    pages.with_context(|| format!("cannot write man pages into {}", folder.display()))
}

/// Prints the version.
pub fn version(args: &VersionArgs) -> Result<()> {
    let facts = built::facts();
    let text = built::lines("shardscale", env!("CARGO_PKG_VERSION"), if args.long { &facts } else { &[] });
    std::io::stdout().lock().write_all(text.as_bytes()).context("cannot write to stdout")
}
