//! From a request to a plan, and from a planned permutation to its files' texts.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::answers::Answers;
use super::fit;
use super::plan::{Plan, Planned, Refusal};
use super::study_file;
use super::{Mode, Request};
use crate::record::SCHEMA;
use crate::record::manifest::{Expect, Manifest};
use crate::record::placement::Placement;
use crate::record::vocabulary::Deployment;
use crate::record::walltime::Walltime;
use crate::script::{JobScript, Library, shell_word};
use crate::site::{self, Queue, Site, Wish, choose_queue};
use crate::study::{Point, Rules, Settings, Study, StudyFile};

/// What all permutations of a request share.
pub struct Planner<'a> {
    request: &'a Request,
    pub site: Site,
    pub study: Study,
    pub rules: Rules,
    pub settings: Settings,
    library: Library,
    walltime: Option<Walltime>,
    /// The folder, absolute.
    pub out: PathBuf,
    client: String,
    /// The site's directives and environment with the user's values in them.
    directives: Vec<String>,
    environment: Vec<String>,
    /// Values that the site asks for, that nobody gave, and that scripts do without.
    left_out: Vec<String>,
    /// The site as it was named, and the values that were given, for the resolved study.
    pub site_name: String,
    pub given: BTreeMap<String, String>,
}

/// The texts of a permutation's files.
pub struct Files {
    /// `run.toml`.
    pub manifest: String,
    /// The job script.
    pub script: String,
}

impl<'a> Planner<'a> {
    /// Reads the study, the site and the templates.
    pub fn new(request: &'a Request) -> Result<Planner<'a>> {
        let file = request.study.as_deref().map(StudyFile::load).transpose()?.unwrap_or_default();
        let Some(site_name) = request.site.as_ref().or(file.site.as_ref()) else {
            bail!("the study file {} names no site: give --site", request.study.as_deref().unwrap_or_default());
        };
        let site = site::load(site_name, request.config.as_deref())?;
        let library = Library::new(request.config.as_deref())?;
        library.scheduler(&site.scheduler.kind).with_context(|| format!("site {}", site.name))?;
        library.launcher(&site.launch.launcher).with_context(|| format!("site {}", site.name))?;
        let rules = file.rules();
        let study = request.axes.clone().or(file.axes).or(site.study.clone()).resolve()?;
        let settings = request.settings.clone().or(file.job);
        let mut given = file.set;
        given.extend(request.answers.clone());
        let mut answers = Answers::new(&site, &given)?;
        let out = std::path::absolute(&request.out).with_context(|| format!("--out {}", request.out.display()))?;
        fit::path(&out, &site)?;
        fit::constraint(settings.client_constraint.as_deref(), "--client-constraint")?;
        fit::constraint(settings.db_constraint.as_deref(), "--db-constraint")?;
        settings.directives.iter().try_for_each(|line| fit::directive(line, &site))?;
        Ok(Planner {
            request,
            walltime: settings.walltime.or(site.walltime),
            directives: answers.fill(&site.directives.always, str::to_owned)?,
            environment: answers.fill(&site.environment, shell_word)?,
            left_out: answers.left_out(),
            client: fit::text(&request.client, "--client")?,
            site_name: site_name.clone(),
            given: given.clone(),
            library,
            study,
            rules,
            settings,
            site,
            out,
        })
    }

    /// Plans every permutation; reads nothing, writes nothing.
    pub fn plan(&self) -> Result<Plan> {
        let mut plan = Plan {
            out: self.out.clone(),
            planned: Vec::new(),
            refused: Vec::new(),
            notes: Vec::new(),
            charge_unit: self.site.charge.as_ref().map(|charge| charge.unit.clone()),
        };
        for point in self.study.points(&self.rules)? {
            match self.planned(&point) {
                Ok(planned) => plan.planned.push(planned),
                Err(reason) => plan.refused.push(Refusal { name: point.name, reason: format!("{reason:#}") }),
            }
        }
        plan.notes = self.notes(&plan);
        Ok(plan)
    }

    /// Renders one script of each deployment and binding, so that what is wrong with a template or a directive is found
    /// before the first file is written.
    pub fn try_scripts(&self, plan: &Plan) -> Result<()> {
        let mut tried = HashSet::new();
        for planned in &plan.planned {
            if tried.insert((planned.manifest.job.deployment, planned.manifest.job.cpu_bind.clone())) {
                self.files(&planned.manifest)?;
            }
        }
        Ok(())
    }

    /// The resolved study: a study file that generates the same again.
    pub fn resolved_study(&self) -> Result<String> {
        study_file::render(self)
    }

    /// The texts of a permutation's files.
    pub fn files(&self, manifest: &Manifest) -> Result<Files> {
        let queue = self.queue_of(manifest);
        let queue_directives = queue.map_or(&[][..], |queue| &queue.submit_as);
        let directives: Vec<String> =
            queue_directives.iter().chain(&self.directives).chain(&self.settings.directives).cloned().collect();
        let run_dir = fit::text(&self.out.join(&manifest.name), "--out")?;
        let manifest = &Manifest { placement: self.placement(manifest)?, ..manifest.clone() };
        let script = JobScript {
            manifest,
            site: &self.site,
            node: fit::nodes(&self.site, &manifest.job)?.0,
            walltime: self.walltime,
            directives: &directives,
            environment: &self.environment,
            run_dir: &run_dir,
            client: &self.client,
            server: self.settings.store_server.as_deref().or(self.site.store.server.as_deref()),
        };
        Ok(Files { script: script.render(&self.library)?, manifest: manifest.to_toml()? })
    }

    /// Who sits where in a planned permutation.
    ///
    /// Thousands of permutations share few placements, and each holds a set for each rank: plans do not keep them.
    pub fn placement(&self, manifest: &Manifest) -> Result<Option<Placement>> {
        fit::placement(&self.site, &manifest.job, self.settings.oversubscribe.unwrap_or(false))
    }

    fn planned(&self, point: &Point) -> Result<Planned> {
        let mut job = point.job.clone();
        job.client_node_type.clone_from(&self.settings.client_node_type);
        if job.deployment == Deployment::Standard {
            job.db_node_type.clone_from(&self.settings.db_node_type);
        }
        let (node, db_node) = fit::nodes(&self.site, &job)?;
        fit::job(&self.site, &job)?;
        let servers = job.db_nodes.unwrap_or(job.client_nodes);
        let nodes = if node.single { 1 } else { job.client_nodes + job.db_nodes.unwrap_or(0) };
        let queue = match self.walltime {
            Some(walltime) => {
                let node_types = &[node.name.as_str(), db_node.name.as_str()];
                choose_queue(&self.site, Wish { queue: self.settings.queue.as_deref(), nodes, walltime, node_types })?
            }
            None => None,
        };
        let manifest = Manifest {
            schema: SCHEMA,
            name: point.name.clone(),
            site: self.site.name.clone(),
            scheduler: self.site.scheduler.kind.clone(),
            launcher: self.site.launch.launcher.clone(),
            expect: Expect {
                nodes,
                ranks: job.client_nodes * job.clients_per_node,
                servers,
                walltime_s: self.walltime.map(|walltime| walltime.seconds),
                queue: queue.map(|queue| queue.name.clone()),
            },
            job,
            sweep: self.study.sweep(),
            placement: None,
        };
        self.placement(&manifest)?;
        Ok(Planned { cost: self.cost(nodes, queue), manifest })
    }

    fn cost(&self, nodes: u32, queue: Option<&Queue>) -> Option<f64> {
        let charge = self.site.charge.as_ref()?;
        Some(charge.cost(nodes, self.walltime?.seconds, queue.map_or(1.0, |queue| queue.charge_factor)))
    }

    fn queue_of(&self, manifest: &Manifest) -> Option<&Queue> {
        self.site.queues.iter().find(|row| Some(&row.name) == manifest.expect.queue.as_ref())
    }

    fn notes(&self, plan: &Plan) -> Vec<String> {
        let mut notes = Vec::new();
        for name in &self.left_out {
            notes.push(format!(
                "site {} asks for {name} ({}) and none is in the scripts: give --set {name}=VALUE, or name it when you submit",
                self.site.name, self.site.ask[name].question
            ));
        }
        notes.extend(fit::notes(&self.site, plan));
        if self.request.mode == Mode::DryRun {
            return notes;
        }
        if !self.request.client.is_absolute() {
            notes.push(format!(
                "shardscale-client is not beside this program: the scripts look for {:?} in PATH; build it with `cargo build \
                 --release -p shardscale-client`, or give --client",
                self.client
            ));
        } else if !self.request.client.exists() {
            notes.push(format!("there is no {} yet: the scripts need it when they run", self.client));
        }
        notes
    }
}

/// Path of a permutation's script in `out`.
pub fn script_path(out: &Path, name: &str) -> PathBuf {
    out.join(format!("{name}.sh"))
}
