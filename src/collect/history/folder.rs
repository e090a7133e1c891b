//! The files of a history: one for each collection, never changed.
//!
//! A file appears whole under a name that its content gives, so that writers on any number of hosts lose nothing, and the same
//! measurements collected again are the file that is there.

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use super::entry::{Entry, SCHEMA};
use crate::collect::model::Problem;
use crate::record::files;

/// What all versions of a file begin with.
#[derive(Deserialize)]
struct Head {
    schema: u32,
}

/// Adds the collection and returns the file's name, and whether it is new.
///
/// # Errors
/// A folder that cannot be made or written.
pub fn append(folder: &Path, entry: &Entry) -> Result<(String, bool)> {
    ensure!(
        !folder.exists() || folder.is_dir(),
        "--history {}: it is no folder; name one, or a new one that is then made",
        folder.display()
    );
    files::create_folders(folder)?;
    let name = entry.name()?;
    let mut text = serde_json::to_vec(entry).context("cannot encode the history's file")?;
    text.push(b'\n');
    let is_new = files::create_once(&folder.join(&name), &text)?;
    Ok((name, is_new))
}

/// All collections in the order of their names; what cannot be read is a problem of its own and keeps no other from being read.
///
/// # Errors
/// A folder that cannot be listed.
pub fn read(folder: &Path) -> Result<(Vec<Entry>, Vec<Problem>)> {
    let listed = std::fs::read_dir(folder).with_context(|| format!("cannot read the history {}", folder.display()))?;
    let mut names: Vec<String> = Vec::new();
    for file in listed {
        names.push(
            file.with_context(|| format!("cannot list {}", folder.display()))?
                .file_name()
                .to_string_lossy()
                .into_owned(),
        );
    }
    names.retain(|name| name.ends_with(".json") && !name.starts_with('.'));
    names.sort();
    let (mut entries, mut problems) = (Vec::new(), Vec::new());
    for name in names {
        match entry(&folder.join(&name)) {
            Ok(entry) => entries.push(entry),
            Err(error) => problems.push(Problem {
                path: folder.join(&name).display().to_string(),
                what: format!("is left out of the history, and the others are used: {error:#}"),
                is_run: false,
            }),
        }
    }
    Ok((entries, problems))
}

fn entry(path: &Path) -> Result<Entry> {
    const REMEDY: &str = "restore it, or remove it and collect its runs again";
    let text = files::read_text(path)?.context("it is gone")?;
    let head: Head = serde_json::from_str(&text).with_context(|| format!("it is damaged or no history; {REMEDY}"))?;
    match head.schema {
        0 => bail!("it has schema 0, which never was; {REMEDY}"),
        1..=SCHEMA => {}
        later => bail!("it has schema {later} of a later shardscale, this one reads up to {SCHEMA}: use the later one"),
    }
    let mut entry: Entry = serde_json::from_str(&text).with_context(|| format!("it is damaged; {REMEDY}"))?;
    entry.check().with_context(|| format!("it is damaged; {REMEDY}"))?;
    entry.complete();
    Ok(entry)
}
