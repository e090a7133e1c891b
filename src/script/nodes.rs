//! Which nodes a job asks for: constraints and chunks, where client and servers want different ones.

use anyhow::{Result, ensure};

use crate::record::jobs::Half;
use crate::record::manifest::Job;
use crate::record::vocabulary::{DbFrom, Deployment};
use crate::site::{Node, Site};

/// What a job's nodes must be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    pub client: Option<String>,
    pub db: Option<String>,
}

/// The feature that a kind of node has and the one that the user wants, joined.
pub fn feature(node: &Node, user: Option<&str>) -> Option<String> {
    match (node.constraint.as_deref(), user) {
        (Some(kind), Some(user)) if kind != user => Some(format!("{kind}&{user}")),
        (kind, user) => user.or(kind).map(str::to_owned),
    }
}

impl Wanted {
    /// Whether the job has nodes for both sides, and these differ.
    pub fn differ(&self, job: &Job, half: Half) -> bool {
        half == Half::Client && has_both_sides(job) && self.client != self.db
    }

    /// Slurm's `--constraint`; absent for any nodes.
    ///
    /// # Errors
    /// An expression where nodes are counted by feature, which Slurm cannot combine.
    pub fn constraint(&self, job: &Job, half: Half) -> Result<Option<String>> {
        if !self.differ(job, half) {
            return Ok(if half == Half::Db { self.db.clone() } else { self.client.clone() });
        }
        for feature in [&self.client, &self.db].into_iter().flatten() {
            ensure!(
                !feature.contains(['&', '|']),
                "client and servers want different nodes, which Slurm counts by single features: {feature:?} is an expression; \
                 name one feature for each, or give the database a job of its own (--db-from job)"
            );
        }
        let db_nodes = job.db_nodes.unwrap_or(0);
        Ok(match (&self.client, &self.db) {
            (Some(client), Some(db)) => Some(format!("[{client}*{}&{db}*{db_nodes}]", job.launch_nodes())),
            (Some(client), None) => Some(format!("{client}*{}", job.launch_nodes())),
            (None, Some(db)) => Some(format!("{db}*{db_nodes}")),
            (None, None) => None,
        })
    }

    /// PBS's `select`: chunks of `ncpus` with `suffix`, the client's first.
    pub fn chunks(&self, job: &Job, half: Half, chunk: Chunk<'_>) -> String {
        let of = |count: u32, feature: &Option<String>| chunks(count, chunk.text, feature.as_deref());
        let db_nodes = job.db_nodes.unwrap_or(0);
        match half {
            Half::Db => of(db_nodes, &self.db),
            Half::Client if !has_both_sides(job) => of(job.launch_nodes(), &self.client),
            Half::Client if !chunk.db_hosts.is_empty() => {
                let hosts = chunk.db_hosts.iter().map(|host| format!("1{}:host={host}", chunk.text));
                [of(job.launch_nodes(), &self.client)].into_iter().chain(hosts).collect::<Vec<_>>().join("+")
            }
            Half::Client if self.client == self.db => of(job.launch_nodes() + db_nodes, &self.client),
            Half::Client => format!("{}+{}", of(job.launch_nodes(), &self.client), of(db_nodes, &self.db)),
        }
    }
}

/// What every PBS chunk has: all CPUs of a node, unless the site says otherwise.
pub(super) fn chunk(site: &Site, node: &Node) -> String {
    let all = node.cores.map_or(1, |cores| cores * node.threads_per_core);
    format!(":ncpus={}:mpiprocs=1{}", site.scheduler.select_ncpus.unwrap_or(all), site.scheduler.select_suffix)
}

/// So many chunks of PBS's `select`, each with `chunk` and the feature.
pub(super) fn chunks(count: u32, chunk: &str, feature: Option<&str>) -> String {
    let feature = feature.unwrap_or_default();
    let colon = if feature.is_empty() || feature.starts_with(':') { "" } else { ":" };
    format!("{count}{chunk}{colon}{feature}")
}

/// What every chunk of a PBS job has.
#[derive(Clone, Copy)]
pub struct Chunk<'a> {
    /// `:ncpus=64:mpiprocs=1:system=polaris`
    pub text: &'a str,
    /// Hosts that the servers must have.
    pub db_hosts: &'a [String],
}

/// Whether client and servers share one allocation on different nodes.
fn has_both_sides(job: &Job) -> bool {
    job.store.has_servers()
        && job.deployment == Deployment::Standard
        && matches!(job.db_from, DbFrom::Allocation | DbFrom::Hosts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::manifest::example;

    fn wanted(client: Option<&str>, db: Option<&str>) -> Wanted {
        Wanted { client: client.map(str::to_owned), db: db.map(str::to_owned) }
    }

    fn constraint(client: Option<&str>, db: Option<&str>) -> Option<String> {
        wanted(client, db).constraint(&example().job, Half::Client).unwrap()
    }

    #[test]
    fn slurm_counts_nodes_by_feature() {
        assert_eq!(constraint(None, None), None);
        assert_eq!(constraint(Some("cpu"), Some("cpu")).as_deref(), Some("cpu"));
        assert_eq!(constraint(Some("SK48"), Some("P100")).as_deref(), Some("[SK48*2&P100*3]"));
        assert_eq!(constraint(None, Some("P100")).as_deref(), Some("P100*3"));
        assert_eq!(constraint(Some("SK48"), None).as_deref(), Some("SK48*2"));
        let error = wanted(Some("gpu&hbm80g"), None).constraint(&example().job, Half::Client).unwrap_err().to_string();
        assert!(error.contains("\"gpu&hbm80g\" is an expression") && error.contains("--db-from job"), "{error}");
        let db = wanted(Some("SK48"), Some("P100")).constraint(&example().job, Half::Db).unwrap();
        assert_eq!(db.as_deref(), Some("P100"));
    }

    #[test]
    fn pbs_has_a_chunk_for_each_side() {
        let chunk = Chunk { text: ":ncpus=64:mpiprocs=1", db_hosts: &[] };
        let chunks = |client, db| wanted(client, db).chunks(&example().job, Half::Client, chunk);
        assert_eq!(chunks(None, None), "5:ncpus=64:mpiprocs=1");
        assert_eq!(chunks(Some("A=True"), Some(":B")), "2:ncpus=64:mpiprocs=1:A=True+3:ncpus=64:mpiprocs=1:B");
        let hosts = ["n7".to_owned(), "n9".to_owned()];
        let named = wanted(None, None).chunks(&example().job, Half::Client, Chunk { db_hosts: &hosts, ..chunk });
        assert_eq!(named, "2:ncpus=64:mpiprocs=1+1:ncpus=64:mpiprocs=1:host=n7+1:ncpus=64:mpiprocs=1:host=n9");
    }
}
