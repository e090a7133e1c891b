//! What an earlier `collect` found out, so that the next reads new and changed runs only.
//!
//! The file lies in the report's folder. It is believed only where the same program wrote it, it is whole, and the run's
//! files look as they did ([`fingerprint`]); whatever else is in its place counts as nothing. It holds no result that the
//! runs do not hold: it may be deleted at any time.

mod fingerprint;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::SystemTime;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::model::{Run, Source};
use crate::record::files;
pub use fingerprint::FileFacts;
use fingerprint::Fingerprint;

/// Name of the file in the report's folder.
pub const FILE: &str = ".collect-cache";

/// Bytes of the checksum at the file's end.
const CHECKSUM: usize = 4;

/// Runs as they were read, by their path below the collected folder.
#[derive(Debug, Default)]
pub struct Cache {
    pub entries: BTreeMap<String, Entry>,
}

/// A run as it was read.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Entry {
    /// That of [`Fingerprint`].
    fingerprint: u64,
    /// A [`Run`], encoded.
    #[serde(with = "serde_bytes")]
    run: Vec<u8>,
    /// The files that were written of the run as it is.
    pub exported: BTreeMap<Export, FileFacts>,
}

/// A kind of file that is written of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Export {
    /// The samples behind the figures, as Parquet for pandas, Polars, DuckDB and the like.
    Samples,
    /// When what happened, as trace events for Perfetto.
    Trace,
}

/// The file, but for its checksum: MessagePack.
#[derive(Serialize, Deserialize)]
struct Content<Entries> {
    program: Program,
    entries: Entries,
}

/// Which executable wrote it. Another build may read runs otherwise, whatever its version says.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Program {
    version: String,
    file: FileFacts,
}

impl Program {
    /// The one that runs; `None` where it cannot be looked at.
    fn this() -> Option<Program> {
        let file = FileFacts::of(&std::env::current_exe().ok()?)?;
        Some(Program { version: env!("CARGO_PKG_VERSION").to_owned(), file })
    }
}

impl Cache {
    /// That in the folder `report`; empty where there is none to be believed.
    pub fn load(report: &Path) -> Cache {
        let bytes = files::read_bytes(&report.join(FILE)).ok().flatten().unwrap_or_default();
        Cache { entries: decode(&bytes).unwrap_or_default() }
    }

    /// Writes it into the folder `report`; `entries` as [`Cache::read_through`] gave them.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn save(report: &Path, entries: &BTreeMap<String, Entry>) -> Result<()> {
        let Some(program) = Program::this() else { return Ok(()) };
        let mut bytes =
            rmp_serde::to_vec_named(&Content { program, entries }).context("cannot encode what was read")?;
        bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
        files::replace(&report.join(FILE), &bytes, 0o644)
    }

    /// The run at `path`, in `dir`: as it was read before if nothing changed since, otherwise by `read`; and what to remember of
    /// it, unless it changed so shortly ago that another change might not show.
    ///
    /// # Errors
    /// That of `read`.
    pub fn read_through(
        &self,
        (path, dir, source): (&str, &Path, Source),
        read: impl FnOnce() -> Result<Run>,
    ) -> Result<Recalled> {
        let Ok(now) = Fingerprint::of(dir, source) else { return Ok(Recalled::new(read()?)) };
        let known = self.entries.get(path).filter(|entry| entry.fingerprint == now.hash);
        if let Some((run, entry)) = known.and_then(|entry| Some((rmp_serde::from_slice(&entry.run).ok()?, entry))) {
            return Ok(Recalled { run, entry: Some(entry.clone()), is_known: true });
        }
        let begun = SystemTime::now();
        let run = read()?;
        let entry = now.is_settled(begun).then(|| rmp_serde::to_vec_named(&run)).and_then(Result::ok);
        let entry = entry.map(|run| Entry { fingerprint: now.hash, run, exported: BTreeMap::new() });
        Ok(Recalled { run, entry, is_known: false })
    }
}

/// A run, read or remembered.
#[derive(Debug)]
pub struct Recalled {
    pub run: Run,
    /// What to remember; absent for what may still change unseen.
    pub entry: Option<Entry>,
    /// It was not read this time.
    pub is_known: bool,
}

impl Recalled {
    fn new(run: Run) -> Recalled {
        Recalled { run, entry: None, is_known: false }
    }
}

fn decode(bytes: &[u8]) -> Option<BTreeMap<String, Entry>> {
    let (content, checksum) = bytes.split_at_checked(bytes.len().checked_sub(CHECKSUM)?)?;
    if crc32fast::hash(content).to_le_bytes() != checksum {
        return None;
    }
    let content: Content<BTreeMap<String, Entry>> = rmp_serde::from_slice(content).ok()?;
    (Some(content.program) == Program::this()).then_some(content.entries)
}
