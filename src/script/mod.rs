//! From a permutation and its site to the text of its job scripts.
//!
//! This module knows templates and quoting. It must not choose values (queue, placement, names: others did) and it
//! writes no file.

mod context;
mod library;
mod nodes;
mod pack;
mod placed;
mod shell;
mod step;

pub use library::Library;
pub use nodes::{Wanted, feature};
pub use pack::PackScript;
pub use placed::Placed;
pub use shell::{directive_word, shell_word};

use anyhow::{Context as _, Result};
use serde::Serialize;

use crate::record::jobs::Half;
use crate::record::manifest::Manifest;
use crate::record::vocabulary::DbFrom;
use crate::site::{Node, Site};
use step::Step;

/// Parts of a scheduler's template that are the same for all scripts of a site.
const SCHEDULER_PARTS: &[&str] = &["others", "submit", "queue", "job_id", "stop_seconds", "signals", "traps", "nodes"];

/// Everything that a permutation's scripts depend on.
pub struct JobScript<'a> {
    pub manifest: &'a Manifest,
    pub site: &'a Site,
    /// The client's nodes.
    pub node: &'a Node,
    /// The servers' nodes.
    pub db_node: &'a Node,
    /// What the nodes must be.
    pub wanted: &'a Wanted,
    pub placed: &'a Placed,
    /// The queue's, the site's and the user's directives, without the scheduler's prefix.
    pub directives: &'a [&'a str],
    /// Cores that a job asks of each node, where it gets no whole ones.
    pub share: Option<u32>,
    /// Lines of bash that prepare the job.
    pub environment: &'a [String],
    /// Absolute path of the run directory.
    pub run_dir: &'a str,
    /// Path of `shardscale-client` on the compute nodes.
    pub client: &'a str,
    /// Path of the server program, where it is not the store's usual name.
    pub server: Option<&'a str>,
    /// A folder that all nodes see, for a store of files; else it is in the attempt.
    pub files_dir: Option<&'a str>,
    /// First port of the servers.
    pub port: u16,
    /// It runs inside a pack, whose script has directives and environment and says which nodes.
    pub packed: bool,
    /// Inside a pack: its servers may be another permutation's, and may serve the next one.
    pub keeps: bool,
}

/// One launch, as the launcher's template writes it.
#[derive(Serialize)]
struct Launch {
    prepare: String,
    command: String,
    own_args: String,
}

#[derive(Serialize)]
struct DeploymentParts {
    about: String,
    split: String,
    serve: String,
    cluster: String,
    run: String,
    /// The servers are a job of their own.
    pair: bool,
    /// The store runs already.
    runs: bool,
}

impl JobScript<'_> {
    /// The text of the client's script, which is the only one unless the database has a job of its own.
    ///
    /// # Errors
    /// No template for the site's scheduler or launcher (those that exist are listed), or a value that a directive
    /// cannot hold.
    pub fn render(&self, library: &Library) -> Result<String> {
        self.render_half(library, Half::Client, "job.sh.tera")
    }

    /// The text of the database's own job; `None` where it has none.
    ///
    /// # Errors
    /// As [`JobScript::render`].
    pub fn render_db(&self, library: &Library) -> Result<Option<String>> {
        match self.manifest.job.db_from {
            DbFrom::Job => self.render_half(library, Half::Db, "db.sh.tera").map(Some),
            _ => Ok(None),
        }
    }

    fn render_half(&self, library: &Library, half: Half, whole: &str) -> Result<String> {
        let scheduler = library.scheduler(&self.site.scheduler.kind)?;
        let launcher = library.launcher(&self.site.launch.launcher)?;
        let deployment = library.deployment(self.manifest.job.deployment)?;
        let mut context = self.context(half)?;
        let setup = library.fixed_parts(&launcher, &["setup"], &mut context)?;
        context.insert_value("launcher", setup);
        let parts = library.fixed_parts(&scheduler, SCHEDULER_PARTS, &mut context)?;
        context.insert_value("scheduler", parts);
        let tasks_per_node = library.part(&launcher, "tasks_per_node", &mut context)?;
        // a task of a job is a CPU where nodes are shared: -c would bind the steps as well
        let share =
            self.share.map(|cores| self.cpus_for(cores, if half == Half::Db { self.db_node } else { self.node }));
        let tasks_per_node = share.map_or_else(|| tasks_per_node.trim().to_owned(), |cpus| cpus.to_string());
        context.insert("tasks_per_node", &tasks_per_node);
        context.insert("packed", &self.packed);
        context.insert("keeps", &self.keeps);
        let header = if self.packed { String::new() } else { library.part(&scheduler, "directives", &mut context)? };
        context.insert("header", &header);
        let by_feature = match self.wanted.differ(&self.manifest.job, half) {
            true => library.part(&scheduler, "by_feature", &mut context)?,
            false => String::new(),
        };
        context.insert("by_feature", &by_feature);
        let environment = self.environment(library, &mut context)?;
        context.insert_value("environment", environment);
        let deployment = self.deployment_parts(library, &deployment, &mut context)?;
        context.insert("deployment", &deployment);
        let finish = self.finish(library, &context)?;
        context.insert_value("finish", finish);
        for (name, step) in [("store", Step::store(self)), ("clients", Step::clients(self))] {
            context.insert("step", &step);
            let launch = Launch {
                prepare: library.part(&launcher, "prepare", &mut context)?,
                command: library.part(&launcher, "command", &mut context)?,
                own_args: library.part(&launcher, "own_args", &mut context)?,
            };
            context.insert(name, &launch);
        }
        library.whole(whole, &context).with_context(|| format!("cannot render {}", self.manifest.name))
    }

    fn environment(&self, library: &Library, context: &mut tera::Context) -> Result<tera::Value> {
        // once for all permutations: the lines are many and the same for all
        const TEMPLATE: &str = "parts/environment.sh.tera";
        let case = if self.packed { "packed" } else { "" };
        if !library.knows(TEMPLATE, case) {
            context.insert("environment_lines", if self.packed { &[][..] } else { self.environment });
        }
        library.fixed(TEMPLATE, case, context)
    }

    fn finish(&self, library: &Library, context: &tera::Context) -> Result<tera::Value> {
        let case = match (self.manifest.job.db_from, self.packed) {
            _ if self.keeps => "keeps",
            (DbFrom::Job, _) => "pair",
            (DbFrom::Running, false) => "running",
            (DbFrom::Running, true) => "packed-running",
            (DbFrom::Allocation | DbFrom::Hosts, false) => "own",
            (DbFrom::Allocation | DbFrom::Hosts, true) => "packed-own",
        };
        library.fixed("parts/finish.sh.tera", case, context)
    }

    fn deployment_parts(
        &self,
        library: &Library,
        template: &str,
        context: &mut tera::Context,
    ) -> Result<DeploymentParts> {
        let db_from = self.manifest.job.db_from;
        Ok(DeploymentParts {
            about: library.part(template, "about", context)?,
            split: library.part(template, "split", context)?,
            serve: library.part(template, "serve", context)?,
            cluster: library.part(template, "cluster", context)?,
            run: library.part(template, "run", context)?,
            pair: db_from == DbFrom::Job,
            runs: db_from == DbFrom::Running,
        })
    }
}
