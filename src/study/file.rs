//! A study file: a named study in TOML, and the studies that ship.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, bail};
use rust_embed::RustEmbed;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Axes, Rules, Settings};

/// The studies that ship with the program.
#[derive(RustEmbed)]
#[folder = "site-configs/studies"]
struct Builtin;

/// What a study file says.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct StudyFile {
    /// One line for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The site that it is for; `--site` wins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub site: Option<String>,
    /// Groups of axes whose lists are walked together: `[["client_nodes", "db_nodes"]]`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub zip: Vec<Vec<String>>,
    /// Lists that multiply, and what each launch of the client goes through.
    pub axes: Axes,
    /// What holds for every job.
    pub job: Settings,
    /// Values that the site asks for, by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub set: BTreeMap<String, String>,
    /// Permutations that meet one of these are cut.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<super::Condition>,
    /// Further permutations.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub include: Vec<Axes>,
    /// Other values for an axis where a condition holds.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub when: Vec<super::When>,
}

impl StudyFile {
    /// Loads the study `name` that ships, or the file `name` where it ends in `.toml` or holds a slash.
    ///
    /// # Errors
    /// An unknown name (the known ones are listed), an unreadable file, or a wrong one: file, line, key, what is allowed.
    pub fn load(name: &str) -> Result<StudyFile> {
        if name.contains('/') || name.ends_with(".toml") {
            let path = Path::new(name);
            let text = std::fs::read_to_string(path).with_context(|| format!("cannot read the study file {name}"))?;
            return StudyFile::parse(&text, name);
        }
        let Some(file) = Builtin::get(&format!("{name}.toml")) else {
            bail!(
                "there is no study {name:?}; studies that ship: {}. One of your own is a file: --study ./mystudy.toml",
                StudyFile::builtin_names().join(", ")
            );
        };
        StudyFile::parse(std::str::from_utf8(&file.data)?, &format!("site-configs/studies/{name}.toml"))
    }

    /// Names of the studies that ship, sorted.
    pub fn builtin_names() -> Vec<String> {
        let mut names: Vec<String> =
            Builtin::iter().filter_map(|file| Some(file.strip_suffix(".toml")?.to_owned())).collect();
        names.sort();
        names
    }

    fn parse(text: &str, what: &str) -> Result<StudyFile> {
        let study: StudyFile = toml::from_str(text).with_context(|| format!("the study file {what} is wrong"))?;
        study.rules().check().with_context(|| format!("the study file {what} is wrong"))?;
        Ok(study)
    }

    /// The rules among its keys.
    pub fn rules(&self) -> Rules {
        Rules {
            zip: self.zip.clone(),
            exclude: self.exclude.clone(),
            include: self.include.clone(),
            when: self.when.clone(),
        }
    }
}
