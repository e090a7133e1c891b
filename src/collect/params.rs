//! The parameters of a run as typed, named columns.
//!
//! The columns follow the manifest's own keys, so that a report needs no code for each key. A reader of other result
//! trees fills the columns that it knows.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::record::manifest::{self, Manifest};

/// (column, key in the manifest), in the order of reports.
pub const COLUMNS: &[(&str, &str)] = &[
    ("site", "site"),
    ("scheduler", "scheduler"),
    ("launcher", "launcher"),
    ("deployment", "job.deployment"),
    ("client_nodes", "job.client_nodes"),
    ("clients_per_node", "job.clients_per_node"),
    ("client_cpus", "job.client_cpus"),
    ("db_nodes", "job.db_nodes"),
    ("servers_per_node", "job.servers_per_node"),
    ("db_cpus", "job.db_cpus"),
    ("cpu_bind", "job.cpu_bind"),
    ("distribution", "job.distribution"),
    ("net_ifname", "job.net_ifname"),
    ("transport", "job.transport"),
    ("store", "job.store"),
    ("io_threads", "job.io_threads"),
    ("malloc_conf", "job.malloc_conf"),
    ("maxmemory_bytes", "job.maxmemory"),
    ("load_module", "job.load_module"),
    ("durability", "job.files.durability"),
    ("file_cache", "job.files.file_cache"),
    ("fan_out", "job.files.fan_out"),
    ("keys", "job.keys"),
    ("repeat", "job.repeat"),
    ("db_from", "job.db_from"),
    ("db_hosts", "job.db_hosts"),
    ("db_address", "job.db_address"),
    ("client_node_type", "job.client_node_type"),
    ("db_node_type", "job.db_node_type"),
    ("workload", "job.workload.workload"),
    ("model", "job.workload.inference.model"),
    ("model_backend", "job.workload.inference.model_backend"),
    ("model_input", "job.workload.inference.model_input"),
    ("model_output", "job.workload.inference.model_output"),
    ("script", "job.workload.inference.script"),
    ("function", "job.workload.inference.function"),
    ("device", "job.workload.inference.device"),
    ("devices", "job.workload.inference.devices"),
    ("batch_size", "job.workload.inference.batch_size"),
    ("queue_threads", "job.workload.inference.queue_threads"),
    ("producers", "job.workload.aggregation.producers"),
    ("consumers", "job.workload.aggregation.consumers"),
    ("consumer_nodes", "job.workload.aggregation.consumer_nodes"),
    ("consumer_threads", "job.workload.aggregation.consumer_threads"),
    ("poll_interval", "job.workload.aggregation.poll_interval"),
    ("dtype", "job.workload.dtype"),
    ("shape", "job.workload.shape"),
    ("payload", "job.workload.payload"),
    ("tensors", "job.workload.tensors"),
    ("mix", "job.workload.mix"),
    ("access", "job.workload.access"),
    ("order", "job.workload.order"),
    ("pipeline", "job.workload.pipeline"),
    ("rate", "job.workload.rate"),
    ("compute", "job.workload.compute"),
    ("compute_kernel", "job.workload.compute_kernel"),
    ("wire_asked", "sweep.wire"),
    ("sweep_tensor_bytes", "sweep.tensor_bytes"),
    ("iterations", "sweep.iterations"),
    ("warmup", "sweep.warmup"),
    ("barrier", "sweep.barrier"),
    ("verify", "sweep.verify"),
    ("expected_nodes", "expect.nodes"),
    ("expected_ranks", "expect.ranks"),
    ("expected_servers", "expect.servers"),
    ("walltime_s", "expect.walltime_s"),
    ("queue", "expect.queue"),
];

/// Columns that follow from others, or that make no other measurement: no reason to tell runs apart.
pub const FOLLOWS: &[&str] =
    &["sweep_tensor_bytes", "expected_nodes", "expected_ranks", "expected_servers", "walltime_s", "queue", "producers"];

/// Columns that are empty for a store that has no servers.
pub const OF_SERVERS: &[&str] = &[
    "servers_per_node",
    "db_cpus",
    "net_ifname",
    "transport",
    "io_threads",
    "malloc_conf",
    "maxmemory_bytes",
    "keys",
    "db_from",
    "pipeline",
    "wire_asked",
    "expected_servers",
];

/// Columns that say where or how is measured, or what the application asks of the store: under another value of these the same
/// store does other work, so that none of them is better.
pub const LOAD: &[&str] = &[
    "site",
    "scheduler",
    "launcher",
    "client_nodes",
    "clients_per_node",
    "repeat",
    "db_hosts",
    "db_address",
    "workload",
    "model",
    "model_input",
    "model_output",
    "script",
    "function",
    "batch_size",
    "producers",
    "consumers",
    "consumer_nodes",
    "dtype",
    "shape",
    "payload",
    "tensors",
    "mix",
    "access",
    "order",
    "pipeline",
    "rate",
    "compute",
    "compute_kernel",
    "wire_asked",
    "iterations",
    "warmup",
    "barrier",
    "verify",
];

/// Columns that cannot stay the same when another one changes: a colocated store has no DB nodes, a socket no interface, so many
/// clients on fewer nodes are more on each.
pub fn entails(column: &str) -> Vec<&'static str> {
    match column {
        "deployment" => vec!["db_nodes", "servers_per_node", "net_ifname", "transport"],
        "clients_per_node" => vec!["client_nodes"],
        "transport" => vec!["net_ifname"],
        "wire" => vec!["load_module"],
        "store" => [&["server", "wire", "db_nodes", "durability", "file_cache", "fan_out"][..], OF_SERVERS].concat(),
        _ => Vec::new(),
    }
}

/// A parameter's value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(untagged)]
pub enum Value {
    Count(i64),
    Flag(bool),
    Text(String),
}

impl std::fmt::Display for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Value::Count(count) => count.fmt(f),
            Value::Flag(flag) => flag.fmt(f),
            Value::Text(text) => text.fmt(f),
        }
    }
}

/// Column name -> value; an absent value is not in it.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(try_from = "BTreeMap<String, Value>")]
pub struct Params(BTreeMap<&'static str, Value>);

impl TryFrom<BTreeMap<String, Value>> for Params {
    type Error = String;

    fn try_from(named: BTreeMap<String, Value>) -> Result<Params, String> {
        let column = |name: String| {
            let known = COLUMNS.iter().map(|(column, _)| *column).find(|column| *column == name);
            known.ok_or_else(|| format!("there is no column {name}"))
        };
        named.into_iter().map(|(name, value)| Ok((column(name)?, value))).collect::<Result<_, _>>().map(Params)
    }
}

impl Params {
    pub fn of_manifest(manifest: &Manifest) -> Result<Params> {
        let table = toml::Table::try_from(manifest).context("cannot list the manifest's values")?;
        let has = |column| manifest.job.store.has_servers() || !OF_SERVERS.contains(column);
        let columns = COLUMNS.iter().filter(|(column, _)| has(column));
        let mut params =
            Params(columns.filter_map(|(column, key)| Some((*column, value(lookup(&table, key)?)))).collect());
        // a manifest says nothing of the usual one
        params.set("workload", Some(Value::Text(manifest.job.workload.kind.to_string())));
        Ok(params)
    }

    /// What a manifest of before there was `column` is read as.
    pub fn assumed(column: &str) -> Option<Value> {
        let (_, key) = COLUMNS.iter().find(|(known, _)| *known == column)?;
        let mut table = toml::Table::try_from(manifest::example()).ok()?;
        remove(&mut table, key);
        Params::of_manifest(&table.try_into().ok()?).ok()?.get(column).cloned()
    }

    pub fn get(&self, column: &str) -> Option<&Value> {
        self.0.get(column)
    }

    /// Replaces `column`, or takes it away.
    pub fn set(&mut self, column: &'static str, value: Option<Value>) {
        match value {
            Some(value) => self.0.insert(column, value),
            None => self.0.remove(column),
        };
    }

    /// The value as text; empty where it is absent.
    pub fn text(&self, column: &str) -> String {
        self.get(column).map(Value::to_string).unwrap_or_default()
    }
}

fn lookup<'a>(table: &'a toml::Table, key: &str) -> Option<&'a toml::Value> {
    match key.split_once('.') {
        Some((section, rest)) => lookup(table.get(section)?.as_table()?, rest),
        None => table.get(key),
    }
}

fn remove(table: &mut toml::Table, key: &str) {
    match key.split_once('.') {
        Some((section, rest)) => {
            if let Some(section) = table.get_mut(section).and_then(toml::Value::as_table_mut) {
                remove(section, rest);
            }
        }
        None => drop(table.remove(key)),
    }
}

fn value(from: &toml::Value) -> Value {
    match from {
        toml::Value::Integer(count) => Value::Count(*count),
        toml::Value::Boolean(flag) => Value::Flag(*flag),
        toml::Value::String(text) => Value::Text(text.clone()),
        toml::Value::Array(list) => {
            Value::Text(list.iter().map(|item| value(item).to_string()).collect::<Vec<_>>().join(" "))
        }
        other => Value::Text(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::inference::Inference;
    use crate::record::manifest::example;
    use crate::record::vocabulary::WorkloadKind;

    fn leaves(table: &toml::Table, prefix: &str, to: &mut Vec<String>) {
        for (key, value) in table {
            match value {
                toml::Value::Table(inner) => leaves(inner, &format!("{prefix}{key}."), to),
                _ => to.push(format!("{prefix}{key}")),
            }
        }
    }

    #[test]
    fn every_key_of_the_manifest_has_a_column() {
        let mut keys = Vec::new();
        let mut manifest = example();
        manifest.job.client_node_type = Some("cpu".into());
        manifest.job.db_node_type = Some("gpu".into());
        manifest.job.db_hosts = vec!["n1".into()];
        manifest.job.load_module = vec!["redisai.so".into()];
        manifest.job.db_address = vec!["n1:6780".into()];
        manifest.job.workload.kind = WorkloadKind::Aggregation;
        manifest.job.workload.aggregation = Some(Default::default());
        let named = || "name".to_owned();
        manifest.job.workload.inference =
            Some(Inference { model_input: named(), model_output: named(), script: named(), ..Inference::default() });
        manifest.job.files = Some(crate::record::folder::FileSettings::default());
        leaves(&toml::Table::try_from(manifest).unwrap(), "", &mut keys);
        keys.retain(|key| key != "schema" && key != "name");
        let mut columns: Vec<_> = COLUMNS.iter().map(|(_, key)| (*key).to_owned()).collect();
        keys.sort();
        columns.sort();
        assert_eq!(keys, columns);
    }

    #[test]
    fn what_an_old_manifest_does_not_say_is_assumed() {
        assert_eq!(Params::assumed("servers_per_node"), Some(Value::Count(1)));
        assert_eq!(Params::assumed("access"), Some(Value::Text("own".into())));
        // what every manifest has had from the first one on
        assert_eq!((Params::assumed("io_threads"), Params::assumed("no such")), (None, None));
    }

    #[test]
    fn values_keep_their_types_and_absence() {
        let mut manifest = example();
        manifest.job.db_nodes = None;
        let params = Params::of_manifest(&manifest).unwrap();
        assert_eq!(params.get("client_nodes"), Some(&Value::Count(2)));
        assert_eq!(params.get("verify"), Some(&Value::Flag(false)));
        assert_eq!(params.text("sweep_tensor_bytes"), "1024 65536");
        assert_eq!((params.get("db_nodes"), params.text("db_nodes").as_str()), (None, ""));
    }
}
