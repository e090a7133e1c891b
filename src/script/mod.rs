//! From a permutation and its site to the text of its job scripts.
//!
//! This module knows templates and quoting. It must not choose values (queue, placement, names: others did) and it
//! writes no file.

mod context;
mod library;
mod nodes;
mod placed;
mod shell;
mod step;

pub use library::Library;
pub use nodes::{Half, Wanted, feature};
pub use placed::Placed;
pub use shell::shell_word;

use anyhow::{Context as _, Result};
use serde::Serialize;

use crate::record::manifest::Manifest;
use crate::record::vocabulary::DbFrom;
use crate::site::{Node, Site};
use step::Step;

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
    /// Lines of bash that prepare the job.
    pub environment: &'a [String],
    /// Absolute path of the run directory.
    pub run_dir: &'a str,
    /// Path of `shardscale-client` on the compute nodes.
    pub client: &'a str,
    /// Path of the server program, where it is not the store's usual name.
    pub server: Option<&'a str>,
    /// First port of the servers.
    pub port: u16,
}

/// What a scheduler's template says of a job.
#[derive(Serialize)]
struct SchedulerParts {
    directives: String,
    others: String,
    submit: String,
    job_id: String,
    stop_seconds: String,
    nodes: String,
    by_feature: String,
}

/// What a launcher's template says of all launches of a job.
#[derive(Serialize)]
struct LauncherParts {
    setup: String,
    /// Tasks on each node that the job must ask the scheduler for; absent where the launcher does not care.
    tasks_per_node: Option<String>,
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
        let tasks_per_node = library.part(&launcher, "tasks_per_node", &mut context)?;
        let launcher_parts = LauncherParts {
            setup: library.fixed_part(&launcher, "setup", &mut context)?,
            tasks_per_node: Some(tasks_per_node).filter(|text| !text.trim().is_empty()),
        };
        context.insert("launcher", &launcher_parts);
        let scheduler = self.scheduler_parts(library, &scheduler, &mut context)?;
        context.insert("scheduler", &scheduler);
        let deployment = self.deployment_parts(library, &deployment, &mut context)?;
        context.insert("deployment", &deployment);
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

    fn scheduler_parts(
        &self,
        library: &Library,
        template: &str,
        context: &mut tera::Context,
    ) -> Result<SchedulerParts> {
        Ok(SchedulerParts {
            directives: library.part(template, "directives", context)?,
            others: library.fixed_part(template, "others", context)?,
            submit: library.fixed_part(template, "submit", context)?,
            job_id: library.fixed_part(template, "job_id", context)?,
            stop_seconds: library.fixed_part(template, "stop_seconds", context)?,
            nodes: library.fixed_part(template, "nodes", context)?,
            by_feature: library.part(template, "by_feature", context)?,
        })
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
