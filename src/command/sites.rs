//! `shardscale sites` and its subcommands: reads what they need, prints what they make.

use std::io::Write;

use anyhow::Result;
use shardscale::catalogue::{self, Entry};
use shardscale::{site, survey};

use super::Exit;
use crate::cli::{SitesArgs, SitesCommand};

/// Runs it.
pub fn sites(args: &SitesArgs) -> Result<Exit> {
    let config = args.config.as_deref();
    let mut stdout = std::io::stdout().lock();
    let text = match &args.command {
        None => {
            let names = site::names(config)?;
            let entry = |name: &String| Ok(Entry { site: site::load(name, config)?, file: name.clone() });
            let entries = names.iter().map(entry).collect::<Result<Vec<_>>>()?;
            if args.markdown { catalogue::markdown(&entries) } else { catalogue::list(&entries) }
        }
        Some(SitesCommand::Show { site: name, toml: true }) => site::find_text(name, config)?.0,
        Some(SitesCommand::Show { site: name, toml: false }) => {
            let (_, file) = site::find_text(name, config)?;
            catalogue::show(&Entry { site: site::load(name, config)?, file })
        }
        Some(SitesCommand::Check { site: name }) => return check(name, config),
        Some(SitesCommand::New { name }) => {
            let (text, remarks) = survey::new_site(name.as_deref())?;
            remarks.iter().for_each(|remark| eprintln!("note: {remark}"));
            text
        }
        Some(SitesCommand::Schema) => site::json_schema_text(),
    };
    stdout.write_all(text.as_bytes())?;
    Ok(Exit::Success)
}

fn check(name: &str, config: Option<&std::path::Path>) -> Result<Exit> {
    let (text, file) = site::find_text(name, config)?;
    let checked = site::check_text(&text);
    let mut stdout = std::io::stdout().lock();
    for problem in &checked.problems {
        writeln!(stdout, "wrong     {}", problem.trim_end())?;
    }
    for line in &checked.uncovered {
        writeln!(stdout, "no source {line}")?;
    }
    for line in &checked.open {
        writeln!(stdout, "to do     {line}")?;
    }
    let (wrong, uncovered, open) = (checked.problems.len(), checked.uncovered.len(), checked.open.len());
    if wrong + uncovered + open == 0 {
        eprintln!("{file}: nothing is wrong, and every value names its source");
        return Ok(Exit::Success);
    }
    let usable = if wrong == 0 { "; gen takes it as it is" } else { "" };
    eprintln!("{file}: {wrong} wrong, {uncovered} without a source, {open} to do{usable}");
    Ok(if wrong == 0 { Exit::Problems } else { Exit::Error })
}
