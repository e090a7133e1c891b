//! `completions`, `man`, `schema` and `version`: what shells, man, editors and people learn of the program itself.

use std::io::Write;

use anyhow::{Context, Result};
use clap::CommandFactory;

use shardscale::collect::history::entry::Entry;
use shardscale::collect::report::jsonl::Line;
use shardscale::study::StudyFile;
use shardscale::{built, site};

use crate::cli::{Cli, CompletionsArgs, ManArgs, SchemaOf, VersionArgs};

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

/// Prints a JSON Schema.
pub fn schema(of: SchemaOf) -> Result<()> {
    let text = match of {
        SchemaOf::Site => site::json_schema_text(),
        SchemaOf::Study => schema_of::<StudyFile>(),
        SchemaOf::History => schema_of::<Entry>(),
        SchemaOf::Jsonl => schema_of::<Line<'_>>(),
    };
    std::io::stdout().lock().write_all(text.as_bytes()).context("cannot write to stdout")
}

fn schema_of<T: schemars::JsonSchema>() -> String {
    // what schemars makes is always JSON
    serde_json::to_string_pretty(&schemars::schema_for!(T)).unwrap_or_default() + "\n"
}

/// Prints the version.
pub fn version(args: &VersionArgs) -> Result<()> {
    let facts = built::facts();
    let text = built::lines("shardscale", env!("CARGO_PKG_VERSION"), if args.long { &facts } else { &[] });
    std::io::stdout().lock().write_all(text.as_bytes()).context("cannot write to stdout")
}
