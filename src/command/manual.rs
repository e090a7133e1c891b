//! `man`, `schema` and `version`: what man, editors and people learn of the program itself.

use std::io::Write;

use anyhow::{Context, Result};
use clap::CommandFactory;
use schemars::generate::SchemaSettings;

use shardscale::campaign::rehearsal;
use shardscale::campaign::status::Status;
use shardscale::collect::history::entry::Entry;
use shardscale::collect::report::json::Report;
use shardscale::collect::report::jsonl::Line;
use shardscale::collect::sizing::json::Answers;
use shardscale::study::StudyFile;
use shardscale::{built, site};

use crate::cli::{Cli, ManArgs, SchemaOf, VersionArgs};

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
        SchemaOf::Study => text_of(&schemars::schema_for!(StudyFile)),
        SchemaOf::Collect => schema_of::<Report<'_>>(),
        SchemaOf::History => schema_of::<Entry>(),
        SchemaOf::Jsonl => schema_of::<Line<'_>>(),
        SchemaOf::Rehearse => schema_of::<rehearsal::Report>(),
        SchemaOf::Size => schema_of::<Answers<'_>>(),
        SchemaOf::Status => schema_of::<Status>(),
    };
    std::io::stdout().lock().write_all(text.as_bytes()).context("cannot write to stdout")
}

/// Of what is written: a value that may be absent is null, its name is always there.
fn schema_of<T: schemars::JsonSchema>() -> String {
    text_of(&SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<T>())
}

fn text_of(schema: &schemars::Schema) -> String {
    // what schemars makes is always JSON
    serde_json::to_string_pretty(schema).unwrap_or_default() + "\n"
}

/// Prints the version.
pub fn version(args: &VersionArgs) -> Result<()> {
    let facts = built::facts();
    let text = built::lines("shardscale", env!("CARGO_PKG_VERSION"), if args.long { &facts } else { &[] });
    std::io::stdout().lock().write_all(text.as_bytes()).context("cannot write to stdout")
}
