//! `shardscale rehearse`: the smallest job of each deployment with few iterations, and what its nodes say of the other jobs.
//!
//! A rehearsal is a study in a folder of its own, [`FOLDER`], made from the resolved study and run like every other. What it
//! recorded of its nodes is then held against all manifests. Nothing here submits or waits: that is [`super::submit`].

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde::Serialize;

use super::folder::Folder;
use super::standing::{Standing, State};
use super::status;
use crate::generate::{Request, STUDY_FILE};
use crate::record::attempt::{self, Attempt};
use crate::record::files;
use crate::record::host::HostFacts;
use crate::record::manifest::Manifest;
pub use crate::record::rehearsal::FOLDER;
use crate::record::units::show_bytes;
use crate::record::vocabulary::Deployment;
use crate::study::StudyFile;

/// Timed iterations for each of its sizes.
const ITERATIONS: u32 = 3;
/// Wall time that it asks for at most: most of it is for the start.
const WALLTIME: &str = "00:05:00";
/// Files of a server beside its clients, as `serve` keeps them.
const FILES_BESIDE: u64 = 1024;
/// Connections beside those of the ranks.
const OBSERVERS: u64 = 8;
/// Connections that wait to be accepted, where all ranks connect at once.
const BACKLOG_WANTED: u32 = 4096;

/// Something that would hinder a run.
#[derive(Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Finding {
    /// What was looked at, such as `open files`.
    pub what: &'static str,
    pub found: String,
    pub remedy: String,
}

/// What a rehearsal says, as `shardscale rehearse --format json` prints it.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[schemars(title = "shardscale rehearse --format json")]
pub struct Report {
    /// Name of this schema: rehearse.
    pub schema: &'static str,
    /// Version of this schema. It grows when a name changes its meaning or goes away; new names may come without.
    pub version: u32,
    /// How its runs stand.
    pub runs: Vec<Standing>,
    pub findings: Vec<Finding>,
}

/// What `gen` shall make for the rehearsal of `out`; its study is written.
///
/// # Errors
/// A folder without runs or without its study, or one that cannot be written to.
pub fn prepare(out: &Path, client: PathBuf, config: Option<PathBuf>) -> Result<Request> {
    let manifests = manifests(out)?;
    let from = out.join(STUDY_FILE);
    ensure!(
        from.is_file(),
        "there is no {}, from which a rehearsal is made: `shardscale gen` with the same flags writes it",
        from.display()
    );
    let mut study = StudyFile::load(&in_a_folder(&from))?;
    let sizes = study.axes.tensor_bytes.take().unwrap_or_default();
    let mut ends: Vec<_> = sizes.iter().min().into_iter().chain(sizes.iter().max()).cloned().collect();
    ends.dedup();
    study.axes.tensor_bytes = Some(ends).filter(|ends| !ends.is_empty());
    study.axes.iterations = Some(ITERATIONS);
    study.axes.warmup = Some(1);
    study.job.pack = None;
    study.job.pack_seed = None;
    study.job.pack_walltime = None;
    study.job.pack_store = None;
    let short = WALLTIME.parse().map_err(anyhow::Error::msg)?;
    let asks = manifests.iter().any(|manifest| manifest.expect.walltime_s.is_some());
    study.job.walltime = asks.then_some(short);
    let folder = out.join(FOLDER);
    files::create_folders(&folder)?;
    let path = folder.join(STUDY_FILE);
    let text = toml::to_string(&study).context("cannot encode the study")?;
    files::replace(&path, text.as_bytes(), 0o644)?;
    Ok(Request {
        study: Some(in_a_folder(&path)),
        out: folder,
        client,
        config,
        skip_refused: true,
        only: smallest(&manifests),
        ..Request::default()
    })
}

/// With a slash, which tells it from a study that ships.
fn in_a_folder(path: &Path) -> String {
    Path::new(".").join(path).to_string_lossy().into_owned()
}

/// Looks at a rehearsal and at what it means for the runs in `out`.
///
/// # Errors
/// A folder that cannot be read.
pub fn report(out: &Path) -> Result<Report> {
    let folder = out.join(FOLDER);
    let runs = status::of(&folder)?.runs;
    let mut findings = Vec::new();
    let all = manifests(out)?;
    for run in &runs {
        if !matches!(run.state, State::Done) {
            let why = [run.reason.as_deref().unwrap_or_default(), &run.detail].map(str::trim).join(": ");
            let why = why.trim_matches([':', ' ']);
            findings.push(Finding {
                what: "run",
                found: format!("{} is {}: {why}", run.run, run.state.as_str()),
                remedy: match run.state {
                    State::Failed => {
                        format!("see {}, then `gen` and `rehearse` again", folder.join(&run.run).display())
                    }
                    _ => "give the same command again when it has ended".to_owned(),
                },
            });
            continue;
        }
        let dir = folder.join(&run.run);
        let deployment = Manifest::read(&dir)?.job.deployment;
        let like: Vec<_> = all.iter().filter(|one| one.job.deployment == deployment).collect();
        let last = attempt::list(&dir)?.into_iter().rfind(|(number, _)| Some(*number) == run.attempt);
        let environment = last.and_then(|(number, path)| Attempt::read(number, &path, run_servers(&like)).environment);
        for group in environment.iter().flat_map(|environment| &environment.hosts) {
            findings.extend(judge(&group.facts, &like));
        }
    }
    findings.dedup();
    Ok(Report { schema: "rehearse", version: 2, runs, findings })
}

fn run_servers(like: &[&Manifest]) -> u32 {
    like.iter().map(|manifest| manifest.expect.servers).min().unwrap_or(0)
}

/// What nodes like this one would do to the largest of `runs`.
fn judge(node: &HostFacts, runs: &[&Manifest]) -> Vec<Finding> {
    let served: Vec<_> = runs.iter().filter(|run| run.job.store.has_servers()).collect();
    let most = |of: &dyn Fn(&Manifest) -> u64| served.iter().map(|run| (of(run), &run.name)).max();
    let mut findings = Vec::new();
    let Some((ranks, run)) = most(&|run| ranks_of_a_server(run)) else { return findings };
    let hard = node.open_files.and_then(|limit| limit.hard);
    // a small limit still leaves half of its files to clients, as `serve` has it
    let clients = hard.map(|hard| hard - FILES_BESIDE.min(hard / 2));
    if let (Some(hard), Some(clients)) = (hard, clients.filter(|clients| *clients < ranks + OBSERVERS)) {
        findings.push(Finding {
            what: "open files",
            found: format!(
                "{ranks} ranks of {run} connect to a server, which takes {clients} where the hard limit is {hard}"
            ),
            remedy: "fewer ranks for each server, or ask for a higher LimitNOFILE of the job daemon".to_owned(),
        });
    }
    if let Some(queue) =
        node.somaxconn.filter(|queue| u64::from((*queue).min(BACKLOG_WANTED)) < ranks.min(BACKLOG_WANTED.into()))
    {
        findings.push(Finding {
            what: "somaxconn",
            found: format!("{queue} connections may wait, and {ranks} ranks of {run} connect to a server"),
            remedy: "ranks connect in turns, so that this works but starts slowly; ask for a higher net.core.somaxconn"
                .to_owned(),
        });
    }
    let Some((bytes, run)) = most(&|run| bytes_of_a_node(run)) else { return findings };
    if let Some(memory) = node.memory_bytes.filter(|memory| *memory < bytes) {
        findings.push(Finding {
            what: "memory",
            found: format!(
                "the largest tensors of {run} are {} on a server's node, which has {}",
                show_bytes(bytes),
                show_bytes(memory)
            ),
            remedy: "smaller --tensor-bytes, fewer --clients-per-node, or more --db-nodes".to_owned(),
        });
    }
    findings
}

/// Connections that a server may get: of all ranks, or of those beside it.
fn ranks_of_a_server(run: &Manifest) -> u64 {
    match run.job.deployment {
        Deployment::Standard => run.expect.ranks.into(),
        Deployment::Colocated => run.job.ranks_per_node().into(),
    }
}

/// One tensor of the largest size of each rank whose keys lie on one node.
fn bytes_of_a_node(run: &Manifest) -> u64 {
    let ranks = match run.job.deployment {
        Deployment::Standard => run.expect.ranks.div_ceil(run.job.db_nodes.unwrap_or(1).max(1)),
        Deployment::Colocated => run.job.clients_per_node,
    };
    let largest = run.sweep.tensor_bytes.iter().copied().max().unwrap_or(0);
    u64::from(ranks).saturating_mul(largest)
}

/// Of each deployment the job with the fewest nodes, and of these the one with the fewest ranks.
fn smallest(manifests: &[Manifest]) -> Vec<String> {
    let mut least: BTreeMap<&str, &Manifest> = BTreeMap::new();
    let size = |manifest: &Manifest| (manifest.expect.nodes, manifest.expect.ranks, manifest.name.clone());
    for manifest in manifests {
        let of = least.entry(manifest.job.deployment.as_str()).or_insert(manifest);
        if size(manifest) < size(of) {
            *of = manifest;
        }
    }
    least.values().map(|manifest| manifest.name.clone()).collect()
}

fn manifests(out: &Path) -> Result<Vec<Manifest>> {
    Folder::read(out)?.runs().map(|(_, run)| Manifest::read(&run.dir)).collect()
}

impl Report {
    /// As JSON, one object.
    ///
    /// # Errors
    /// None in practice.
    pub fn json(&self) -> Result<String> {
        Ok(serde_json::to_string_pretty(self).context("cannot encode the rehearsal")? + "\n")
    }

    /// As a table; remedies stand below what they mend.
    pub fn table(&self) -> String {
        let runs = self.runs.iter().map(|run| format!("{:<8}  {}\n", run.state.as_str(), run.run));
        let line =
            |finding: &Finding| format!("{:<10}  {}\n{:<10}  -> {}\n", finding.what, finding.found, "", finding.remedy);
        let last = match self.findings.len() {
            0 => "nothing was found\n".to_owned(),
            count => format!("{count} to look at\n"),
        };
        runs.chain(self.findings.iter().map(line)).chain([last]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::host::Limit;

    #[test]
    fn small_limits_hinder_large_runs() {
        let mut run = crate::record::manifest::example();
        run.expect.ranks = 4000;
        run.job.deployment = Deployment::Standard;
        run.job.db_nodes = Some(1);
        run.sweep.tensor_bytes = vec![1 << 20];
        let files = Some(Limit { soft: Some(1024), hard: Some(4096) });
        let node =
            HostFacts { open_files: files, somaxconn: Some(128), memory_bytes: Some(1 << 30), ..HostFacts::default() };
        let whats: Vec<_> = judge(&node, &[&run]).into_iter().map(|finding| finding.what).collect();
        assert_eq!(whats, ["open files", "somaxconn", "memory"]);
        assert_eq!(judge(&HostFacts::default(), &[&run]), []);
    }
}
