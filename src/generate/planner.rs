//! What all permutations of a request share, and with it one permutation: whether it can run, and the texts of its files.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use anyhow::{Context, Result, bail, ensure};

use super::answers::Answers;
use super::directives;
use super::fit;
use super::plan::{Plan, Planned, packed_script_path, script_path};
use super::request::Request;
use super::usage::usage;
use crate::record::SCHEMA;
use crate::record::jobs::Half;
use crate::record::malloc_conf::MallocConf;
use crate::record::manifest::{Expect, Job, Manifest};
use crate::record::units::ByteCount;
use crate::record::vocabulary::{DbFrom, KeyPlacement, PackStore, Store};
use crate::record::walltime::Walltime;
use crate::record::workload::Workload;
use crate::script::{JobScript, Library, Placed, Wanted, directive_word, feature, shell_word};
use crate::site::{self, Queue, Site, Wish, check_shared, choose_queue};
use crate::study::{Point, Rules, Said, Settings, Study, StudyFile, name};

/// What all permutations of a request share.
pub struct Planner<'a> {
    pub request: &'a Request,
    pub site: Site,
    pub study: Study,
    pub rules: Rules,
    pub settings: Settings,
    pub library: Library,
    walltime: Option<Walltime>,
    /// The folder, absolute.
    pub out: PathBuf,
    pub client: String,
    /// The site's directives and environment with the user's values in them.
    directives: Vec<String>,
    pub environment: Vec<String>,
    /// Values that the site asks for, that nobody gave, and that scripts do without.
    pub left_out: Vec<String>,
    /// Placements with their texts, by the axes that they depend on.
    placements: RefCell<HashMap<(Job, bool), Rc<Placed>>>,
    /// The site as it was named, and the values that were given, for the resolved study.
    pub site_name: String,
    pub given: BTreeMap<String, String>,
}

/// The texts of a permutation's files.
pub struct Files {
    /// `run.toml`.
    pub manifest: String,
    /// The job script, or the permutation's part of a pack.
    pub script: String,
    pub packed: bool,
    /// Script of the database's own job, where it has one.
    pub db_script: Option<String>,
}

impl Files {
    /// Where the script goes.
    pub fn script_path(&self, out: &Path, name: &str) -> PathBuf {
        if self.packed { packed_script_path(out, name) } else { script_path(out, name) }
    }

    /// Where a script of an earlier `gen` would be wrong now: it would measure what another script measures as well.
    pub fn stale_script_path(&self, out: &Path, name: &str) -> PathBuf {
        if self.packed { script_path(out, name) } else { packed_script_path(out, name) }
    }
}

impl<'a> Planner<'a> {
    /// Reads the study, the site and the templates.
    pub fn new(request: &'a Request) -> Result<Planner<'a>> {
        usage(fit::alone(request))?;
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
        let settings = request.settings.clone().or(file.job.clone());
        let (axes, flags) = (&request.axes, &request.settings);
        let said = Said { axes, flags, file: &file.job, study: &study, settings: &settings };
        usage(said.check_flags())?;
        said.check_file()?;
        let mut given = file.set;
        given.extend(request.answers.iter().cloned());
        let mut answers = Answers::new(&site, &given)?;
        let out = std::path::absolute(&request.out).with_context(|| format!("--out {}", request.out.display()))?;
        fit::path(&out, &site)?;
        fit::names(&settings)?;
        settings.directives.iter().try_for_each(|line| directives::check(line, &site))?;
        let walltime = settings.walltime.or(site.walltime);
        fit::pack_walltime(settings.pack_walltime, walltime)?;
        let word = |value: &str| directive_word(value).map(str::to_owned);
        Ok(Planner {
            request,
            walltime,
            directives: answers.fill(&site.directives.always, word)?,
            environment: answers.fill(&site.environment, |value| Ok(shell_word(value)))?,
            left_out: answers.left_out(),
            client: fit::text(&request.client, "--client")?,
            placements: RefCell::default(),
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

    /// The queue row of that name.
    pub fn row(&self, name: &Option<String>) -> Option<&Queue> {
        self.site.queues.iter().find(|row| Some(&row.name) == name.as_ref())
    }

    /// The texts of a permutation's files.
    pub fn files(&self, plan: &Plan, manifest: &Manifest) -> Result<Files> {
        let packed = plan.packed.contains(&manifest.name);
        let job = &manifest.job;
        let placed = self.placed(manifest)?;
        let (node, db_node) = fit::nodes(&self.site, job)?;
        let run_dir = fit::text(&self.out.join(&manifest.name), "--out")?;
        let wanted = self.wanted(job)?;
        let queue = self.row(&manifest.expect.queue);
        let script = JobScript {
            manifest,
            site: &self.site,
            node,
            db_node,
            wanted: &wanted,
            placed: &placed,
            directives: &self.directives_with(queue),
            share: queue.and_then(|row| row.shared_cores).map(|_| fit::cores_of_client_node(job)),
            environment: &self.environment,
            run_dir: &run_dir,
            client: &self.client,
            server: self.server(job.store),
            files_dir: self.settings.files_dir.as_deref(),
            port: self.settings.db_port.unwrap_or(self.site.network.db_port),
            packed,
            keeps: packed && self.settings.pack_store == Some(PackStore::Keep),
        };
        let db_queue = self.db_queue(job)?;
        let db_share = db_queue.and_then(|row| row.shared_cores).map(|_| job.db_cpus * job.servers_per_node);
        let db_script = JobScript { directives: &self.directives_with(db_queue), share: db_share, ..script };
        let db_script = db_script.render_db(&self.library)?;
        let (script, manifest) = (script.render(&self.library)?, self.manifest_text(manifest)?);
        Ok(Files { script, packed, db_script, manifest })
    }

    /// The server program of a product, where one was named.
    fn server(&self, store: Store) -> Option<&str> {
        let (given, of_site) = (self.settings.store_server.as_ref(), self.site.store.server.as_ref());
        match given {
            None => of_site?.of(store),
            // a site's only program is of a product that nobody named: not of one that the user's list leaves out
            Some(given) => given.of(store).or_else(|| of_site.filter(|programs| programs.by_product())?.of(store)),
        }
    }

    /// What the nodes of both sides must be.
    pub fn wanted(&self, job: &Job) -> Result<Wanted> {
        let (node, db_node) = fit::nodes(&self.site, job)?;
        let wanted = Wanted {
            client: feature(node, self.settings.client_constraint.as_deref()),
            db: feature(db_node, self.settings.db_constraint.as_deref().or_else(|| self.client_constraint_for_db(job))),
        };
        ensure!(
            !wanted.differ(job, Half::Client) || fit::picks_nodes(&self.site),
            "client and servers want different nodes, which one job cannot ask {:?} for: give the database a job of its own \
             (--db-from job)",
            self.site.scheduler.kind
        );
        Ok(wanted)
    }

    /// The text of `run.toml`. Plans hold manifests without their placement, which many share.
    pub fn manifest_text(&self, manifest: &Manifest) -> Result<String> {
        let placed = self.placed(manifest)?;
        let between = if placed.toml.is_empty() { "" } else { "\n" };
        Ok(format!("{}{between}{}", manifest.to_toml()?, placed.toml))
    }

    /// Who sits where in a permutation; those that are alike share one.
    pub fn placed(&self, manifest: &Manifest) -> Result<Rc<Placed>> {
        let Manifest { job, expect, .. } = manifest;
        let mut rows = [&expect.queue, &expect.db_queue].into_iter().filter_map(|name| self.row(name));
        let part_of_node = rows.any(|row| row.shared_cores.is_some());
        // what placement looks at: the other axes are set to one value
        let key = Job {
            client_nodes: 1,
            clients_per_node: job.ranks_per_node(),
            // on one machine all servers share the node
            db_nodes: if fit::nodes(&self.site, job)?.0.single { job.db_nodes } else { job.db_nodes.map(|_| 1) },
            repeat: 1,
            keys: KeyPlacement::Hash,
            io_threads: 1,
            malloc_conf: MallocConf::default(),
            maxmemory: ByteCount(0),
            workload: Workload::default(),
            db_hosts: Vec::new(),
            db_address: Vec::new(),
            ..job.clone()
        };
        let key = (key, part_of_node);
        if let Some(placed) = self.placements.borrow().get(&key) {
            return Ok(Rc::clone(placed));
        }
        let placement = fit::placement(&self.site, job, self.settings.oversubscribe.unwrap_or(false), part_of_node)?;
        let placed = Rc::new(Placed::new(placement, job)?);
        self.placements.borrow_mut().insert(key, Rc::clone(&placed));
        Ok(placed)
    }

    /// One permutation that can run.
    ///
    /// # Errors
    /// Why it cannot.
    pub fn planned(&self, point: &Point) -> Result<Planned> {
        let job = fit::with_settings(point.job.clone(), &self.settings)?;
        let (node, db_node) = fit::nodes(&self.site, &job)?;
        fit::job(&self.site, &job)?;
        fit::memory(&self.site, &job, &self.study)?;
        let sweep = self.study.sweep();
        fit::workload(&job, &sweep)?;
        fit::computing(&job, &sweep, self.walltime)?;
        let servers = job.servers();
        let own_nodes = matches!(job.db_from, DbFrom::Allocation | DbFrom::Hosts);
        let db_nodes = if own_nodes { job.db_nodes.unwrap_or(0) } else { 0 };
        let nodes = if node.single { 1 } else { job.launch_nodes() + db_nodes };
        // each job of a pair is checked against its own nodes
        let kinds = if own_nodes { vec![node.name.as_str(), &db_node.name] } else { vec![node.name.as_str()] };
        let queue = self.choose_queue(self.settings.queue.as_deref(), nodes, &kinds)?;
        let db_queue = self.db_queue(&job)?;
        for (row, cores) in [(queue, fit::cores_of_client_node(&job)), (db_queue, job.db_cpus * job.servers_per_node)] {
            row.map_or(Ok(()), |row| check_shared(row, &job.cpu_bind, cores))?;
        }
        let db_cost = match job.db_from {
            DbFrom::Job => self.cost(job.db_nodes.unwrap_or(0), db_queue),
            _ => None,
        };
        let manifest = Manifest {
            schema: SCHEMA,
            name: name(&job),
            site: self.site.name.clone(),
            scheduler: self.site.scheduler.kind.clone(),
            launcher: self.site.launch.launcher.clone(),
            expect: Expect {
                nodes,
                ranks: job.ranks(),
                servers,
                walltime_s: self.walltime.map(|walltime| walltime.seconds),
                queue: queue.map(|queue| queue.name.clone()),
                db_queue: db_queue.map(|queue| queue.name.clone()),
            },
            job,
            sweep,
            placement: None,
        };
        self.placed(&manifest)?;
        let cost = self.cost(nodes, queue).map(|cost| cost + db_cost.unwrap_or(0.0));
        Ok(Planned { cost, manifest })
    }

    fn choose_queue(&self, queue: Option<&str>, nodes: u32, node_types: &[&str]) -> Result<Option<&Queue>> {
        let Some(walltime) = self.walltime else { return Ok(None) };
        choose_queue(&self.site, Wish { queue, nodes, walltime, node_types })
    }

    /// The row for the database's own job; `None` where it has none.
    pub fn db_queue(&self, job: &Job) -> Result<Option<&Queue>> {
        match job.db_from {
            DbFrom::Job => {
                let (queue, kind) = (self.settings.db_queue.as_deref(), &fit::nodes(&self.site, job)?.1.name);
                self.choose_queue(queue, job.db_nodes.unwrap_or(0), &[kind])
                    .context("the database's own job (--db-queue names its row)")
            }
            _ => Ok(None),
        }
    }

    /// All directives of a job in that queue row.
    pub fn directives_with<'b>(&'b self, queue: Option<&'b Queue>) -> Vec<&'b str> {
        let of_queue = queue.map_or(&[][..], |queue| &queue.submit_as);
        let (site, users) = (&self.site, &self.settings.directives);
        let own = of_queue.iter().map(String::as_str).chain(directives::always(&self.directives, users, site));
        own.chain(users.iter().map(String::as_str)).collect()
    }

    /// On nodes of one kind the servers' must have what the client's have, unless something else is said.
    fn client_constraint_for_db(&self, job: &Job) -> Option<&str> {
        if job.db_node_type.is_some() { None } else { self.settings.client_constraint.as_deref() }
    }

    fn cost(&self, nodes: u32, queue: Option<&Queue>) -> Option<f64> {
        self.cost_of(nodes, self.walltime?.seconds, queue)
    }

    /// What a job costs if it takes all of `seconds`; `None` where the site charges nothing.
    pub fn cost_of(&self, nodes: u32, seconds: u32, queue: Option<&Queue>) -> Option<f64> {
        let charge = self.site.charge.as_ref()?;
        Some(charge.cost(nodes, seconds, queue.map_or(1.0, |queue| queue.charge_factor)))
    }
}
