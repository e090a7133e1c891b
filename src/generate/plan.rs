//! Every permutation with its manifest and script in memory, or the reason why it cannot run.

use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};

use super::Request;
use super::answers::Answers;
use crate::placement::{self, Demand};
use crate::record::SCHEMA;
use crate::record::binding::CpuBind;
use crate::record::manifest::{Expect, Job, Manifest};
use crate::record::vocabulary::Deployment;
use crate::script::{JobScript, Library, shell_word};
use crate::site::{self, Node, Site, Walltime, choose_queue};
use crate::study::Point;

/// What would be written.
#[derive(Debug)]
pub struct Plan {
    /// The folder, absolute.
    pub out: PathBuf,
    pub planned: Vec<Planned>,
    pub refused: Vec<Refusal>,
    /// What the user should know although it is no error.
    pub notes: Vec<String>,
}

/// One permutation, ready to be written.
#[derive(Debug, Clone)]
pub struct Planned {
    pub name: String,
    /// Text of `run.toml`.
    pub manifest: String,
    /// Text of the job script.
    pub script: String,
}

/// A permutation that cannot run, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub name: String,
    pub reason: String,
}

/// What all permutations of a request share.
struct Planner<'a> {
    request: &'a Request,
    site: Site,
    library: Library,
    sweep: crate::record::manifest::Sweep,
    walltime: Option<Walltime>,
    out: PathBuf,
    client: String,
    /// The site's directives and environment with the user's values in them.
    directives: Vec<String>,
    environment: Vec<String>,
    /// Values that the site asks for, that nobody gave, and that scripts do without.
    left_out: Vec<String>,
}

/// Plans a request; reads the site and the templates, writes nothing.
pub fn plan(request: &Request) -> Result<Plan> {
    let site = site::load(&request.site, request.config.as_deref())?;
    let library = Library::new(request.config.as_deref())?;
    library.scheduler(&site.scheduler.kind).with_context(|| format!("site {}", site.name))?;
    library.launcher(&site.launch.launcher).with_context(|| format!("site {}", site.name))?;
    let study = request.axes.clone().or(site.study.clone()).resolve()?;
    let out = std::path::absolute(&request.out).with_context(|| format!("--out {}", request.out.display()))?;
    check_path(&out, &site)?;
    let mut answers = Answers::new(&site, &request.answers)?;
    let planner = Planner {
        request,
        directives: answers.fill(&site.directives.always, str::to_owned)?,
        environment: answers.fill(&site.environment, shell_word)?,
        left_out: answers.left_out(),
        walltime: request.walltime.or(site.walltime),
        sweep: study.sweep(),
        client: text_of(&request.client, "--client")?,
        library,
        site,
        out,
    };
    let mut plan = Plan { out: planner.out.clone(), planned: Vec::new(), refused: Vec::new(), notes: planner.notes() };
    for point in study.points()? {
        match planner.manifest(&point) {
            Ok(manifest) => plan.planned.push(planner.render(&manifest)?),
            Err(reason) => plan.refused.push(Refusal { name: point.name, reason: format!("{reason:#}") }),
        }
    }
    plan.check_refusals(request.skip_refused)?;
    Ok(plan)
}

impl Plan {
    fn check_refusals(&self, skip: bool) -> Result<()> {
        if self.refused.is_empty() || (skip && !self.planned.is_empty()) {
            return Ok(());
        }
        const SHOWN: usize = 20;
        let mut lines: Vec<String> =
            self.refused.iter().take(SHOWN).map(|refusal| format!("  {}: {}", refusal.name, refusal.reason)).collect();
        if self.refused.len() > SHOWN {
            lines.push(format!("  and {} more", self.refused.len() - SHOWN));
        }
        let (refused, all) = (self.refused.len(), self.refused.len() + self.planned.len());
        let remedy = if refused == all {
            "change the axes"
        } else {
            "change the axes, or give --skip-refused to generate the others"
        };
        bail!("{refused} of {all} permutations cannot run, and nothing was written; {remedy}:\n{}", lines.join("\n"))
    }
}

impl Planner<'_> {
    /// The kind of node that jobs get.
    fn node(&self) -> &Node {
        &self.site.nodes[0]
    }

    fn manifest(&self, point: &Point) -> Result<Manifest> {
        let Point { name, job } = point;
        self.check_site(job)?;
        let single = self.node().single;
        let servers = job.db_nodes.unwrap_or(job.client_nodes);
        let nodes = if single { 1 } else { job.client_nodes + job.db_nodes.unwrap_or(0) };
        let queue = match self.walltime {
            Some(walltime) => choose_queue(&self.site, self.request.queue.as_deref(), nodes, walltime)?,
            None => None,
        };
        Ok(Manifest {
            schema: SCHEMA,
            name: name.clone(),
            site: self.site.name.clone(),
            scheduler: self.site.scheduler.kind.clone(),
            launcher: self.site.launch.launcher.clone(),
            job: job.clone(),
            sweep: self.sweep.clone(),
            expect: Expect {
                nodes,
                ranks: job.client_nodes * job.clients_per_node,
                servers,
                walltime_s: self.walltime.map(|walltime| walltime.seconds),
                queue: queue.map(|queue| queue.name.clone()),
            },
            placement: None,
        })
    }

    fn check_site(&self, job: &Job) -> Result<()> {
        let site = &self.site;
        ensure!(
            !self.node().single || job.client_nodes == 1,
            "site {} has one node, not {}",
            site.name,
            job.client_nodes
        );
        let interfaces: Vec<&str> = self.node().interfaces.iter().map(|interface| interface.name.as_str()).collect();
        ensure!(
            job.net_ifname == "lo" || interfaces.contains(&job.net_ifname.as_str()),
            "nodes of {} have no interface {:?}; they have: {}",
            site.name,
            job.net_ifname,
            interfaces.join(", ")
        );
        ensure!(
            job.net_ifname != "lo" || job.deployment == Deployment::Colocated || self.node().single,
            "the loopback interface lo does not reach the shards on other nodes; {} has: {}",
            site.name,
            interfaces.join(", ")
        );
        let allowed = &site.launch.cpu_bind;
        ensure!(
            allowed.contains(&job.cpu_bind.kind()),
            "site {} cannot bind with {:?}; allowed: {}",
            site.name,
            job.cpu_bind.to_string(),
            allowed.iter().map(|bind| bind.as_str()).collect::<Vec<_>>().join(", ")
        );
        match self.node().usable() {
            Some(usable) => placement::check(demand(job), usable.len()),
            None => Ok(()),
        }
    }

    fn render(&self, manifest: &Manifest) -> Result<Planned> {
        let placement = match (&manifest.job.cpu_bind, self.node().usable()) {
            (CpuBind::Mask, Some(usable)) => Some(placement::place(demand(&manifest.job), &usable)?),
            (CpuBind::Mask, None) => bail!("site {} binds by mask and does not say node.cores", self.site.name),
            _ => None,
        };
        let queue = self.site.queues.iter().find(|row| Some(&row.name) == manifest.expect.queue.as_ref());
        let queue_directives = queue.map_or(&[][..], |queue| &queue.submit_as);
        let directives: Vec<String> =
            queue_directives.iter().chain(&self.directives).chain(&self.request.directives).cloned().collect();
        let run_dir = text_of(&self.out.join(&manifest.name), "--out")?;
        let script = JobScript {
            manifest,
            site: &self.site,
            node: self.node(),
            placement: placement.as_ref(),
            walltime: self.walltime,
            directives: &directives,
            environment: &self.environment,
            run_dir: &run_dir,
            client: &self.client,
            server: self.request.server.as_deref().or(self.site.store.server.as_deref()),
        };
        let text = script.render(&self.library)?;
        Ok(Planned { name: manifest.name.clone(), manifest: manifest.to_toml()?, script: text })
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        for name in &self.left_out {
            notes.push(format!(
                "site {} asks for {name} ({}) and none is in the scripts: give --set {name}=VALUE, or name it when you submit",
                self.site.name, self.site.ask[name].question
            ));
        }
        if !self.request.client.is_absolute() {
            notes.push(format!(
                "shardscale-client is not beside this program: the scripts look for {:?} in PATH; build it with `cargo build --release -p \
                 shardscale-client`, or give --client",
                self.client
            ));
        } else if !self.request.client.exists() {
            notes.push(format!("there is no {} yet: the scripts need it when they run", self.client));
        }
        notes
    }
}

fn demand(job: &Job) -> Demand {
    Demand { deployment: job.deployment, clients_per_node: job.clients_per_node, db_cpus: job.db_cpus }
}

fn text_of(path: &std::path::Path, flag: &str) -> Result<String> {
    let text = path.to_str().with_context(|| format!("{flag} {} is not UTF-8: choose another path", path.display()))?;
    ensure!(
        !text.chars().any(char::is_control),
        "{flag} {text:?} has a line break or control character: choose another path"
    );
    Ok(text.to_owned())
}

/// Schedulers take the log's path from a directive, where nothing can be quoted.
fn check_path(out: &std::path::Path, site: &Site) -> Result<()> {
    let text = text_of(out, "--out")?;
    let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || "/._+=@,:-".contains(c));
    ensure!(
        site.scheduler.kind == "none" || plain,
        "--out {text:?}: a scheduler's directives can hold only paths of the characters a-z A-Z 0-9 / . _ + = @ , : -; choose \
         another folder"
    );
    Ok(())
}
