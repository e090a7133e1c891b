//! What holds for every job of a study and is no axis: which nodes, how long, who pays.

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Programs;
use crate::record::vocabulary::{DbFrom, PackStore, Packing};
use crate::record::walltime::Walltime;

/// Settings from one source (flags, a study file); what is absent is open.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Row of the site's queues. Default: the first that admits the job.
    #[arg(long, value_name = "NAME")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,

    /// Row of the site's queues for the database's own job (--db-from job). Default: the first that admits it.
    #[arg(long, value_name = "NAME")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub db_queue: Option<String>,

    /// Wall time of each job. Default: the site's.
    #[arg(long, value_name = "HH:MM:SS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub walltime: Option<Walltime>,

    /// Where the servers of a standard deployment come from: nodes of the client's own allocation (allocation), a job of their
    /// own on which the client's job depends (job), hosts of the allocation that --db-hosts names (hosts), or a store that runs
    /// already at --db-address (running). Default: allocation, or what --db-hosts or --db-address imply.
    #[arg(long, value_name = "WHERE", value_parser = PossibleValuesParser::new(DbFrom::NAMES).try_map(|text| text.parse::<DbFrom>()))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub db_from: Option<DbFrom>,

    /// Hosts on which the servers of a standard deployment run, one shard each; they become part of the allocation.
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub db_hosts: Option<Vec<String>>,

    /// Addresses of a store that runs already, as HOST:PORT; it is neither started nor stopped. Its password, if it has one, is
    /// taken from the variable SHARDSCALE_PASSWORD of the job.
    #[arg(long, value_name = "LIST", value_delimiter = ',', conflicts_with = "db_hosts")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub db_address: Option<Vec<String>>,

    /// Kind of the client's nodes, of those that the site has. Default: its first.
    #[arg(long, value_name = "NAME")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_node_type: Option<String>,

    /// Kind of the servers' nodes; standard deployment only. Default: as the client's.
    #[arg(long, value_name = "NAME")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub db_node_type: Option<String>,

    /// Feature that the client's nodes must have, besides what their kind asks for (SmartSim-Scaling's node_feature).
    #[arg(long, value_name = "FEATURE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_constraint: Option<String>,

    /// Feature that the servers' nodes must have; standard deployment only (SmartSim-Scaling's db_node_feature).
    #[arg(long, value_name = "FEATURE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub db_constraint: Option<String>,

    /// Put more processes on a node than it has cores, instead of refusing.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oversubscribe: Option<bool>,

    /// First port of the servers; those that share a node count up from it. Default: the site's.
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1024..=55_000))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub db_port: Option<u16>,

    /// Path of the server program on the compute nodes, or STORE=PATH,STORE=PATH where a study has several stores. Default: the
    /// site's, else redis-server (or its kin) from PATH.
    #[arg(long, value_name = "PATH")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub store_server: Option<Programs>,

    /// Folder that all nodes see, in which a standard store of files makes its own; it is removed at the end. Default: the run's
    /// own folder.
    #[arg(long, value_name = "DIR")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub files_dir: Option<String>,

    /// Module that each server loads: its path on the compute nodes and, in the same word, its arguments, such as
    /// "redisai.so THREADS_PER_QUEUE 2". May be given several times.
    #[arg(long, value_name = "FILE [ARG..]")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub load_module: Vec<String>,

    /// Run several permutations in one job, one after another: those that need the same number of nodes (same), or the largest
    /// and its sub-sizes on subsets of the same nodes (nested), so that scaling points share hardware. Their order is drawn.
    /// Default: none, a job for each permutation.
    #[arg(long, value_name = "HOW", value_parser = PossibleValuesParser::new(Packing::NAMES).try_map(|text| text.parse::<Packing>()))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pack: Option<Packing>,

    /// Seed of the random order inside packs. Default: 1.
    #[arg(long, value_name = "NUMBER")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pack_seed: Option<u64>,

    /// Longest wall time of a pack. What has not run by then is left for the next submission of the same script. Default: as
    /// long as its permutations may take together, within the limits of the queue.
    #[arg(long, value_name = "HH:MM:SS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pack_walltime: Option<Walltime>,

    /// What becomes of the store between two permutations of a pack: each starts its own (restart), or those whose stores are the
    /// same follow each other and share one, which is emptied between them (keep). Default: restart.
    #[arg(long, value_name = "WHAT", value_parser = PossibleValuesParser::new(PackStore::NAMES).try_map(|text| text.parse::<PackStore>()))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pack_store: Option<PackStore>,

    /// A further directive for the scheduler, without its prefix; may be given several times.
    #[arg(long = "directive", value_name = "TEXT", allow_hyphen_values = true)]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub directives: Vec<String>,
}

impl Settings {
    /// These settings, and those of `fallback` where they are open here; directives of both, the fallback's first.
    pub fn or(self, fallback: Settings) -> Settings {
        Settings {
            queue: self.queue.or(fallback.queue),
            db_queue: self.db_queue.or(fallback.db_queue),
            walltime: self.walltime.or(fallback.walltime),
            db_from: self.db_from.or(fallback.db_from),
            db_hosts: self.db_hosts.or(fallback.db_hosts),
            db_address: self.db_address.or(fallback.db_address),
            client_node_type: self.client_node_type.or(fallback.client_node_type),
            db_node_type: self.db_node_type.or(fallback.db_node_type),
            client_constraint: self.client_constraint.or(fallback.client_constraint),
            db_constraint: self.db_constraint.or(fallback.db_constraint),
            oversubscribe: self.oversubscribe.or(fallback.oversubscribe),
            db_port: self.db_port.or(fallback.db_port),
            store_server: self.store_server.or(fallback.store_server),
            files_dir: self.files_dir.or(fallback.files_dir),
            load_module: if self.load_module.is_empty() { fallback.load_module } else { self.load_module },
            pack: self.pack.or(fallback.pack),
            pack_seed: self.pack_seed.or(fallback.pack_seed),
            pack_walltime: self.pack_walltime.or(fallback.pack_walltime),
            pack_store: self.pack_store.or(fallback.pack_store),
            directives: [fallback.directives, self.directives].concat(),
        }
    }
}
