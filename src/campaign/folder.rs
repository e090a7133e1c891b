//! The jobs of a folder that `gen` wrote: each a script with one permutation, or with several as a pack.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::record::jobs::DB_SCRIPT;
use crate::record::manifest::{self, Manifest};
use crate::record::pack::Pack;
use crate::record::vocabulary::DbFrom;

/// A folder with its jobs.
#[derive(Debug)]
pub struct Folder {
    pub out: PathBuf,
    /// Name of the scheduler's template that made the scripts.
    pub scheduler: String,
    pub site: String,
    pub jobs: Vec<Job>,
    /// What could not be read; each names its file.
    pub damaged: Vec<String>,
}

/// What a scheduler gets as one job.
#[derive(Debug, Clone)]
pub struct Job {
    pub name: String,
    /// Absent where only results are left.
    pub script: Option<PathBuf>,
    /// Folder of its manifest and of the scheduler's log.
    pub dir: PathBuf,
    /// Row of the site's queues.
    pub queue: Option<String>,
    /// Script of the database's own job, behind whose start the other one runs; absent where it has none.
    pub database: Option<PathBuf>,
    /// Row of the site's queues for that job.
    pub db_queue: Option<String>,
    pub is_pack: bool,
    /// In the order in which they run.
    pub runs: Vec<Run>,
}

impl Job {
    /// Rows of the site's queues, one for each job that the scheduler gets.
    pub fn rows(&self) -> Vec<Option<String>> {
        let of_db = self.database.iter().map(|_| self.db_queue.clone());
        of_db.chain([self.queue.clone()]).collect()
    }
}

/// One permutation.
#[derive(Debug, Clone)]
pub struct Run {
    pub name: String,
    pub dir: PathBuf,
    pub servers: u32,
    /// Nodes that it uses.
    pub nodes: u32,
    /// What the job is asked for it; absent where nothing ends it.
    pub walltime_s: Option<u32>,
}

impl Folder {
    /// Looks at everything in `out` that `gen` made.
    ///
    /// # Errors
    /// A folder that cannot be listed, holds no run, or holds runs of several schedulers.
    pub fn read(out: &Path) -> Result<Folder> {
        let mut names: Vec<PathBuf> = fs::read_dir(out)
            .with_context(|| format!("cannot read {}: give the folder that `shardscale gen` wrote", out.display()))?
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<Result<_, _>>()
            .with_context(|| format!("cannot read {}", out.display()))?;
        alphanumeric_sort::sort_path_slice(&mut names);
        let mut found = Found::default();
        names.iter().for_each(|dir| found.look(out, dir));
        let (jobs, damaged) = (found.jobs(), found.damaged);
        ensure!(
            !jobs.is_empty(),
            "there is no run in {}: give the folder that `shardscale gen` wrote{}",
            out.display(),
            damaged.iter().map(|what| format!("\n  {what}")).collect::<String>()
        );
        let [(scheduler, site)] = &found.origins[..] else {
            let all: Vec<_> = found.origins.iter().map(|(scheduler, site)| format!("{site} ({scheduler})")).collect();
            anyhow::bail!(
                "{} holds runs of several sites: {}; generate each into a folder of its own",
                out.display(),
                all.join(", ")
            );
        };
        Ok(Folder { out: out.to_owned(), scheduler: scheduler.clone(), site: site.clone(), jobs, damaged })
    }

    /// All runs, each once.
    pub fn runs(&self) -> impl Iterator<Item = (&Job, &Run)> {
        self.jobs.iter().flat_map(|job| job.runs.iter().map(move |run| (job, run)))
    }
}

#[derive(Default)]
struct Found {
    packs: Vec<(PathBuf, Pack)>,
    runs: Vec<(Run, Manifest)>,
    /// Scheduler and site, each pair once.
    origins: Vec<(String, String)>,
    damaged: Vec<String>,
}

impl Found {
    fn look(&mut self, out: &Path, dir: &Path) {
        if dir.join(manifest::FILE).is_file() {
            match Manifest::read(dir) {
                Ok(manifest) => {
                    let origin = (manifest.scheduler.clone(), manifest.site.clone());
                    if !self.origins.contains(&origin) {
                        self.origins.push(origin);
                    }
                    self.runs.push((run(out, dir, &manifest), manifest));
                }
                Err(error) => self.damaged.push(format!("{error:#}")),
            }
            return;
        }
        match Pack::read(dir) {
            Ok(Some(pack)) => self.packs.push((dir.to_owned(), pack)),
            // a file beside the folders is no pack either
            Ok(None) | Err(_) if !dir.is_dir() => {}
            Ok(None) => {}
            Err(error) => self.damaged.push(format!("{error:#}")),
        }
    }

    /// Packs whose scripts are there have their runs; all other runs are jobs of their own.
    fn jobs(&mut self) -> Vec<Job> {
        let mut jobs = Vec::new();
        for (dir, pack) in std::mem::take(&mut self.packs) {
            let script = script(&dir);
            if script.is_none() {
                continue;
            }
            let member = |name: &String| {
                let at = self.runs.iter().position(|(run, _)| run.name == *name)?;
                Some(self.runs.remove(at).0)
            };
            let runs: Vec<Run> = pack.runs.iter().map(|run| &run.name).filter_map(member).collect();
            let queue = pack.queue;
            jobs.push(Job { name: pack.name, script, dir, queue, database: None, db_queue: None, is_pack: true, runs });
        }
        for (run, manifest) in self.runs.drain(..) {
            jobs.push(Job {
                name: run.name.clone(),
                script: script(&run.dir),
                dir: run.dir.clone(),
                queue: manifest.expect.queue,
                database: (manifest.job.db_from == DbFrom::Job).then(|| run.dir.join(DB_SCRIPT)),
                db_queue: manifest.expect.db_queue,
                is_pack: false,
                runs: vec![run],
            });
        }
        jobs
    }
}

fn run(out: &Path, dir: &Path, manifest: &Manifest) -> Run {
    Run {
        // by its folder: a copy may have been renamed
        name: dir.strip_prefix(out).unwrap_or(dir).to_string_lossy().into_owned(),
        dir: dir.to_owned(),
        servers: manifest.expect.servers,
        nodes: manifest.expect.nodes,
        walltime_s: manifest.expect.walltime_s,
    }
}

/// `out/NAME.sh` for `out/NAME`, if it exists.
fn script(dir: &Path) -> Option<PathBuf> {
    let mut name = dir.file_name()?.to_owned();
    name.push(".sh");
    Some(dir.with_file_name(name)).filter(|path| path.is_file())
}
