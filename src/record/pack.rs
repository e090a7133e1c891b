//! Packs: one job that measures several permutations, one after another.
//!
//! `pack.toml` says what the job is to run and in which order; `pack.json` in an attempt of a permutation says where in
//! which pack that attempt ran, so that drift over the job can be told from an axis. A permutation keeps its own run
//! directory and manifest: readers of results need nothing from here.

use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::{files, parse_toml};

/// Name of a pack's manifest in the pack's folder.
pub const FILE: &str = "pack.toml";

/// Script of a permutation that runs inside a pack, in the permutation's run directory.
pub const JOB_SCRIPT: &str = "job.sh";

/// Events in the `status` of a pack's attempt, beside those that all scripts write: `run-started NAME position=K/N`, `run-ended NAME rc=R`,
/// `run-skipped NAME measured` (left alone, since it was measured before), and those that programs look for.
pub mod event {
    /// `NAME REASON`: not run.
    pub const RUN_LEFT: &str = "run-left";
}

/// One job that runs several permutations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pack {
    pub schema: u32,
    /// The pack's name: that of the script and of its folder.
    pub name: String,
    pub site: String,
    /// Name of the scheduler template that made the script.
    pub scheduler: String,
    /// From what the order was drawn.
    pub seed: u64,
    /// Nodes of the allocation: those of the largest permutation, or more where client and database need places apart.
    pub nodes: u32,
    /// Requested wall time in seconds; absent where no scheduler ends the job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub walltime_s: Option<u32>,
    /// Name of the site's queue row; absent where there is no queue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
    /// Runs of one store group follow each other and share their servers.
    pub keep_store: bool,
    /// In the order in which they run.
    #[serde(rename = "run")]
    pub runs: Vec<PackedRun>,
}

/// A permutation's place in a pack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PackedRun {
    /// The permutation's name.
    pub name: String,
    /// Nodes of the client: the first of the allocation.
    pub client_nodes: u32,
    /// Nodes of the database; 0 where it has none of its own.
    pub db_nodes: u32,
    /// Place of the first of them in the allocation, counted from 0.
    pub db_at: u32,
    /// Seconds after which it is ended; absent where nothing ends it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub walltime_s: Option<u32>,
    /// Permutations of one block are one repetition of everything: order is drawn within a block. Counts from 1.
    pub block: u32,
    /// Number of its store: that of its predecessor where both may use the same servers. Counts from 1.
    pub store: u32,
}

/// `pack.json`: where an attempt ran, if that was inside a pack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct PackPlace {
    pub schema: u32,
    pub pack: String,
    pub seed: u64,
    /// Counts from 1.
    pub position: u32,
    /// Permutations in the pack.
    pub of: u32,
    pub block: u32,
    /// `NAME/attempt-N` that started the servers, if that was an earlier permutation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store_from: Option<String>,
}

impl Pack {
    /// The file's text.
    pub fn to_toml(&self) -> Result<String> {
        toml::to_string(self).with_context(|| format!("cannot encode the manifest of {}", self.name))
    }

    /// Reads `pack.toml` of `folder`; `Ok(None)` where there is none.
    ///
    /// # Errors
    /// An unreadable, newer or damaged file; the message names it.
    pub fn read(folder: &Path) -> Result<Option<Pack>> {
        let path = folder.join(FILE);
        let what = path.display().to_string();
        files::read_text(&path)?.map(|text| Self::parse(&text, &what)).transpose()
    }

    /// Reads the text of a `pack.toml`; `what` names it in errors.
    pub fn parse(text: &str, what: &str) -> Result<Pack> {
        parse_toml(text, what)
    }

    /// The place of the permutation `name`, for its attempt's record.
    pub fn place(&self, name: &str) -> Option<PackPlace> {
        let at = self.runs.iter().position(|run| run.name == name)?;
        Some(PackPlace {
            schema: super::SCHEMA,
            pack: self.name.clone(),
            seed: self.seed,
            position: at as u32 + 1,
            of: self.runs.len() as u32,
            block: self.runs[at].block,
            store_from: None,
        })
    }
}

impl PackedRun {
    /// Nodes that it uses.
    pub fn nodes(&self) -> u32 {
        self.client_nodes + self.db_nodes
    }
}

impl PackPlace {
    pub const FILE: &str = "pack.json";

    /// Reads `pack.json` of an attempt; `Ok(None)` where the attempt ran in a job of its own.
    pub fn read(attempt: &Path) -> Result<Option<PackPlace>> {
        files::read_json(&attempt.join(Self::FILE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Pack {
        let run = |name: &str, client_nodes, block| PackedRun {
            name: name.to_owned(),
            client_nodes,
            db_nodes: 0,
            db_at: 8,
            walltime_s: Some(600),
            block,
            store: 1,
        };
        Pack {
            schema: super::super::SCHEMA,
            name: "pack-n8".into(),
            site: "test".into(),
            scheduler: "slurm".into(),
            seed: 7,
            nodes: 8,
            walltime_s: Some(1260),
            queue: None,
            keep_store: false,
            runs: vec![run("colocated-n8-r1", 8, 1), run("colocated-n4-r2", 4, 2)],
        }
    }

    #[test]
    fn a_pack_reads_back_and_knows_its_places() {
        let pack = example();
        assert_eq!(Pack::parse(&pack.to_toml().unwrap(), "pack.toml").unwrap(), pack);
        let place = pack.place("colocated-n4-r2").unwrap();
        assert_eq!((place.position, place.of, place.block, place.seed), (2, 2, 2, 7));
        assert_eq!(pack.place("colocated-n2-r1"), None);
    }

    #[test]
    fn no_pack_is_no_error_and_a_newer_one_is_named() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Pack::read(folder.path()).unwrap(), None);
        assert_eq!(PackPlace::read(folder.path()).unwrap(), None);
        let newer = example().to_toml().unwrap().replace("schema = 2", "schema = 9\nunheard_of = 1");
        let error = format!("{:#}", Pack::parse(&newer, "out/pack-n8/pack.toml").unwrap_err());
        assert!(error.contains("out/pack-n8/pack.toml has schema version 9"), "{error}");
    }
}
