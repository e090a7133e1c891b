//! The script of a pack: one job that calls the scripts of its permutations.

use anyhow::{Context as _, Result};
use serde::Serialize;

use super::{Library, nodes};
use crate::record::pack::Pack;
use crate::record::walltime::Walltime;
use crate::site::{Node, Site};

/// Seconds that a permutation has between TERM and KILL, and that a pack keeps of its wall time: servers are asked to end
/// (20 s at most), the client's ranks are ended, the status is written.
const RESERVE_S: u32 = 60;

/// Everything that a pack's script depends on.
pub struct PackScript<'a> {
    pub pack: &'a Pack,
    pub site: &'a Site,
    pub node: &'a Node,
    /// Feature that all nodes must have.
    pub feature: Option<String>,
    /// As a permutation's.
    pub directives: &'a [&'a str],
    pub environment: &'a [String],
    /// Absolute path of the folder of all scripts.
    pub out: &'a str,
    /// Path of `shardscale-client` on the compute nodes.
    pub client: &'a str,
}

/// What the templates see; the names are those of a permutation's script, whose scheduler templates serve here too.
#[derive(Serialize)]
struct Values<'a> {
    pack: &'a Pack,
    pack_dir: String,
    out: &'a str,
    client: &'a str,
    site: SiteValues<'a>,
    job_name: &'a str,
    log: &'static str,
    run_dir: String,
    nodes: u32,
    walltime: Option<String>,
    walltime_s: Option<u32>,
    walltime_minutes: Option<u32>,
    constraint: Option<&'a str>,
    chunks: String,
    db_hosts: [&'a str; 0],
    directives: &'a [&'a str],
    environment_lines: &'a [String],
    tasks_per_node: &'static str,
    reserve_s: u32,
}

#[derive(Serialize)]
struct SiteValues<'a> {
    name: &'a str,
    scheduler: &'a str,
    launcher: &'a str,
}

impl PackScript<'_> {
    /// The script's text.
    ///
    /// # Errors
    /// As [`super::JobScript::render`].
    pub fn render(&self, library: &Library) -> Result<String> {
        let scheduler = library.scheduler(&self.site.scheduler.kind)?;
        let mut context = tera::Context::from_serialize(&self.values())?;
        let header = library.part(&scheduler, "directives", &mut context)?;
        context.insert("header", &header);
        let parts = library.fixed_parts(&scheduler, super::SCHEDULER_PARTS, &mut context)?;
        context.insert_value("scheduler", parts);
        let sweep = library.part(&scheduler, "sweep", &mut context)?;
        context.insert("sweep", &sweep);
        let environment = library.fixed("parts/environment.sh.tera", "", &context)?;
        context.insert_value("environment", environment);
        library.whole("pack.sh.tera", &context).with_context(|| format!("cannot render {}", self.pack.name))
    }

    fn values(&self) -> Values<'_> {
        let pack_dir = format!("{}/{}", self.out, self.pack.name);
        let seconds = self.pack.walltime_s;
        Values {
            pack: self.pack,
            run_dir: pack_dir.clone(),
            pack_dir,
            out: self.out,
            client: self.client,
            site: SiteValues {
                name: &self.site.name,
                scheduler: &self.site.scheduler.kind,
                launcher: &self.site.launch.launcher,
            },
            job_name: &self.pack.name,
            log: "job",
            nodes: self.pack.nodes,
            walltime: seconds.map(|seconds| Walltime { seconds }.to_string()),
            walltime_s: seconds,
            walltime_minutes: seconds.map(|seconds| seconds.div_ceil(60)),
            constraint: self.feature.as_deref(),
            chunks: nodes::chunks(self.pack.nodes, &nodes::chunk(self.site, self.node), self.feature.as_deref()),
            db_hosts: [],
            directives: self.directives,
            environment_lines: self.environment,
            tasks_per_node: "",
            reserve_s: RESERVE_S,
        }
    }
}
