//! From a permutation and its site to the text of a job script.
//!
//! This module knows templates and quoting. It must not choose values (queue, placement, names: others did) and it
//! writes no file.

mod library;
mod shell;
mod step;

pub use library::Library;
pub use shell::shell_word;

use anyhow::{Context as _, Result};
use serde::Serialize;

use crate::placement;
use crate::record::manifest::Manifest;
use crate::record::vocabulary::{Deployment, Store};
use crate::site::{Node, Site, Walltime};
use step::Step;

/// Everything that a script depends on.
pub struct JobScript<'a> {
    pub manifest: &'a Manifest,
    pub site: &'a Site,
    /// The client's nodes.
    pub node: &'a Node,
    pub walltime: Option<Walltime>,
    /// The queue's, the site's and the user's directives, without the scheduler's prefix.
    pub directives: &'a [String],
    /// Lines of bash that prepare the job.
    pub environment: &'a [String],
    /// Absolute path of the run directory.
    pub run_dir: &'a str,
    /// Path of `shardscale-client` on the compute nodes.
    pub client: &'a str,
    /// Path of the server program, where it is not the store's usual name.
    pub server: Option<&'a str>,
}

/// A part of a script that a template of its own has rendered.
#[derive(Serialize)]
struct Launch {
    prepare: String,
    command: String,
}

#[derive(Serialize)]
struct DeploymentParts {
    about: String,
    split: String,
    serve: String,
    cluster: String,
    run: String,
}

impl JobScript<'_> {
    /// The script's text.
    ///
    /// # Errors
    /// No template for the site's scheduler or launcher (those that exist are listed), or a value that a directive
    /// cannot hold.
    pub fn render(&self, library: &Library) -> Result<String> {
        let scheduler = library.scheduler(&self.site.scheduler.kind)?;
        let launcher = library.launcher(&self.site.launch.launcher)?;
        let deployment = library.deployment(self.manifest.job.deployment)?;

        let mut context = self.context();
        context.insert(
            "deployment",
            &DeploymentParts {
                about: library.part(&deployment, "about", &context)?,
                split: library.part(&deployment, "split", &context)?,
                serve: library.part(&deployment, "serve", &context)?,
                cluster: library.part(&deployment, "cluster", &context)?,
                run: library.part(&deployment, "run", &context)?,
            },
        );
        for (name, step) in [("store", Step::store(self)), ("clients", Step::clients(self))] {
            context.insert("step", &step);
            let launch = Launch {
                prepare: library.part(&launcher, "prepare", &context)?,
                command: library.part(&launcher, "command", &context)?,
            };
            context.insert(name, &launch);
        }
        let text =
            library.whole(&scheduler, &context).with_context(|| format!("cannot render {}", self.manifest.name))?;
        Ok(text)
    }

    fn context(&self) -> tera::Context {
        let Manifest { name, job, sweep, expect, .. } = self.manifest;
        let sizes: Vec<String> = sweep.tensor_bytes.iter().map(u64::to_string).collect();
        let mut context = tera::Context::new();
        context.insert("name", name);
        context.insert("summary", &self.summary());
        context.insert("drawing", &self.drawing());
        context.insert("site", &SiteContext::new(self));
        context.insert("job", job);
        context.insert("sweep", sweep);
        context.insert("expect", expect);
        context.insert("run_dir", self.run_dir);
        context.insert("client", self.client);
        context.insert("environment", &self.environment);
        context.insert("directives", &self.directives);
        context.insert("walltime", &self.walltime.map(|walltime| walltime.to_string()));
        context.insert("ncpus", &self.ncpus());
        context.insert("server", self.server.unwrap_or(usual_server(job.store)));
        context.insert("port", &self.site.network.db_port);
        context.insert("scratch", &self.site.scratch.node_local);
        context.insert("tensor_bytes", &sizes.join(","));
        context
    }

    /// CPUs of a PBS chunk: all that the node has, unless the site says otherwise.
    fn ncpus(&self) -> Option<u32> {
        let all = self.node.cores.map(|cores| cores * self.node.threads_per_core);
        self.site.scheduler.select_ncpus.or(all)
    }

    /// A node's cores and who sits on them, line by line; empty where the site does not tell the cores.
    fn drawing(&self) -> Vec<String> {
        let Manifest { job, placement, .. } = self.manifest;
        placement.as_ref().map(|placement| placement::draw(placement, job).plain()).unwrap_or_default()
    }

    fn summary(&self) -> String {
        let Manifest { job, expect, .. } = self.manifest;
        let clients = format!("{} x {}", count(job.client_nodes, "client node"), count(job.clients_per_node, "rank"));
        let cpus = count(job.db_cpus, "CPU");
        let store = match (job.deployment, self.node.single) {
            (Deployment::Standard, false) => {
                format!("{} of {cpus} on nodes of their own", count(expect.servers, "shard"))
            }
            (Deployment::Standard, true) => format!("{} of {cpus} on the same machine", count(expect.servers, "shard")),
            (Deployment::Colocated, _) => format!("a server of {cpus} on every client node"),
        };
        format!("{clients}; {store}; {} over {}", job.transport, job.net_ifname)
    }
}

fn count(n: u32, thing: &str) -> String {
    format!("{n} {thing}{}", if n == 1 { "" } else { "s" })
}

/// What templates may know of a site beside the values that were chosen from it.
#[derive(Serialize)]
struct SiteContext<'a> {
    name: &'a str,
    select_suffix: &'a str,
    node: NodeContext,
}

#[derive(Serialize)]
struct NodeContext {
    single: bool,
}

impl<'a> SiteContext<'a> {
    fn new(script: &'a JobScript<'_>) -> Self {
        SiteContext {
            name: &script.site.name,
            select_suffix: &script.site.scheduler.select_suffix,
            node: NodeContext { single: script.node.single },
        }
    }
}

fn usual_server(store: Store) -> &'static str {
    match store {
        Store::Redis => "redis-server",
        Store::Valkey => "valkey-server",
        Store::KeyDb => "keydb-server",
    }
}
