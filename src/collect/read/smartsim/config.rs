//! `run.cfg`: what a session was to measure, as Python's configparser writes it.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use configparser::ini::Ini;

use crate::collect::params::{Params, Value};
use crate::record::aggregation::Aggregation;
use crate::record::binding::CpuBind;
use crate::record::files;
use crate::record::inference::{Inference, USUAL_QUEUE_THREADS};
use crate::record::vocabulary::{
    Barrier, Deployment, Device, Dtype, KeyPlacement, Store, Transport, Wire, WorkloadKind,
};
use crate::record::workload::{GET_DATASETS, POLL, PUT, UNPACK, Workload};

/// Name of the file in a session's folder.
pub const FILE: &str = "run.cfg";

/// The only element that its client sends.
const DTYPE: Dtype = Dtype::Float32;

/// Keys of an aggregation, the second of its consumer alone.
const PER_DATASET: &str = "t_per_dataset";
const CONSUMER_THREADS: &str = "client_threads";

/// What its inference test puts, {224, 224, 3} of float32, and what runs on it.
const IMAGE_BYTES: u64 = 224 * 224 * 3 * 4;
const MODEL: &str = "resnet50.pt";
const SCRIPT: &str = "data_processing_script.txt";

/// Whether the folder of a `run.cfg` is one in which ranks leave timings. The producers of an aggregation leave none, and a folder of
/// several sessions has a `run.cfg` of lists.
pub fn has_timings(dir: &Path) -> bool {
    let Ok(Some(text)) = files::read_text(&dir.join(FILE)) else { return true };
    let mut ini = Ini::new();
    if ini.read(text).is_err() {
        return true;
    }
    let has = |key: &str| ini.get("attributes", key).is_some_and(|value| !value.is_empty());
    let is_list = ini.get("attributes", "client_nodes").is_some_and(|value| value.starts_with('['));
    !is_list && (!has(PER_DATASET) || has(CONSUMER_THREADS))
}

/// More ranks than any machine has: a damaged number must not pass for a plan.
const MOST_RANKS: u64 = 1 << 24;

/// What a session was to measure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    pub name: String,
    pub colocated: bool,
    pub client_nodes: u64,
    pub clients_per_node: u64,
    /// `client_total`, or nodes x ranks on each where it is absent.
    pub ranks: u64,
    /// Absent for a colocated session.
    pub db_nodes: Option<u64>,
    pub db_cpus: Option<u64>,
    pub pinned: Option<bool>,
    pub iterations: u64,
    /// What the user asked for; see [`Config::sent_bytes`].
    pub tensor_bytes: u64,
    /// Which of its tests it is.
    pub workload: Workload,
    /// (name, value) of the section `[run]` and the client's language, as far as they are there.
    pub run: Vec<(String, String)>,
}

impl Config {
    /// Reads `run.cfg` of `dir`.
    ///
    /// # Errors
    /// A file that cannot be read, is no INI, or lacks what a session of its test has; the message names the key.
    pub fn read(dir: &Path) -> Result<Config> {
        let path = dir.join(FILE);
        let text = files::read_text(&path)?.with_context(|| format!("there is no {FILE}"))?;
        parse(&text).with_context(|| format!("{FILE} describes no session of SmartSim-Scaling"))
    }

    /// Bytes of a tensor as sent: the client makes float32 elements of the size, and drops the rest.
    pub fn sent_bytes(&self) -> u64 {
        self.tensor_bytes / DTYPE.bytes() * DTYPE.bytes()
    }

    /// Ranks that write timings: of an aggregation its consumer alone.
    pub fn timed_ranks(&self) -> u64 {
        self.workload.aggregation.as_ref().map_or(self.ranks, |it| it.consumers.into())
    }

    /// What its files call the ops of which they have timings, with their numbers here.
    pub fn timers(&self) -> &'static [(&'static str, usize)] {
        match self.workload.kind {
            WorkloadKind::Throughput => &[("put_tensor", PUT), ("unpack_tensor", UNPACK)],
            WorkloadKind::Aggregation => &[("get_list", GET_DATASETS), ("poll_list", POLL)],
            WorkloadKind::Inference => &[("put_tensor", 0), ("run_script", 1), ("run_model", 2), ("unpack_tensor", 3)],
        }
    }

    /// The store and what spoke to it.
    pub fn server(&self) -> String {
        let store = self.store();
        match self.of_run("smartsim_version") {
            Some(version) => format!("{store} of SmartSim {version}"),
            None => store.to_string(),
        }
    }

    /// The session's conditions beyond its parameters.
    pub fn facts(&self) -> Vec<(String, String)> {
        self.run.iter().filter(|(name, _)| name != "path" && name != "name").cloned().collect()
    }

    /// The columns that a session has a value for.
    pub fn params(&self) -> Params {
        let deployment = if self.colocated { Deployment::Colocated } else { Deployment::Standard };
        let count = |value: u64| i64::try_from(value).ok().map(Value::Count);
        let text = |value: &str| Some(Value::Text(value.to_owned()));
        let bind = self.pinned.map(|pinned| if pinned { CpuBind::Mask.to_string() } else { CpuBind::None.to_string() });
        let mut params = Params::default();
        params.set("deployment", text(deployment.as_str()));
        params.set("client_nodes", count(self.client_nodes));
        params.set("clients_per_node", count(self.clients_per_node));
        params.set("db_nodes", self.db_nodes.and_then(count));
        params.set("db_cpus", self.db_cpus.and_then(count));
        params.set("cpu_bind", bind.map(Value::Text));
        params.set("transport", text(Transport::Tcp.as_str()));
        params.set("store", text(self.store().as_str()));
        params.set("keys", text(KeyPlacement::Hash.as_str()));
        params.set("wire_asked", text(Wire::RedisAi.as_str()));
        params.set("sweep_tensor_bytes", text(&self.sent_bytes().to_string()));
        params.set("iterations", count(self.iterations));
        params.set("warmup", Some(Value::Count(0)));
        // one barrier before the loop, none in it
        params.set("barrier", text(Barrier::Size.as_str()));
        params.set("workload", text(self.workload.kind.as_str()));
        if let Some(aggregation) = &self.workload.aggregation {
            params.set("tensors", count(self.workload.tensors.into()));
            params.set("producers", count(aggregation.producers.into()));
            params.set("consumers", count(aggregation.consumers.into()));
            params.set("consumer_nodes", count(aggregation.consumer_nodes.into()));
            params.set("consumer_threads", count(aggregation.consumer_threads.into()));
        }
        if let Some(inference) = &self.workload.inference {
            params.set("model", text(&inference.model));
            params.set("device", text(inference.device.as_str()));
            params.set("devices", count(inference.devices.into()));
            params.set("batch_size", count(inference.batch_size.into()));
            params.set("queue_threads", count(inference.queue_threads.into()));
        }
        params.set("dtype", text(DTYPE.as_str()));
        params.set("verify", Some(Value::Flag(false)));
        params.set("expected_ranks", count(self.timed_ranks()));
        params
    }

    fn store(&self) -> Store {
        let keydb = self.of_run("db").is_some_and(|db| db.to_ascii_lowercase().contains("keydb"));
        if keydb { Store::KeyDb } else { Store::Redis }
    }

    pub fn of_run(&self, name: &str) -> Option<&str> {
        self.run.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }
}

/// Reads the text of a `run.cfg`.
fn parse(text: &str) -> Result<Config> {
    let mut ini = Ini::new();
    ini.read(text.to_owned()).map_err(|error| anyhow::anyhow!("it is no INI file: {error}"))?;
    let get = |key: &str| ini.get("attributes", key).filter(|value| !value.is_empty() && value != "None");
    let count = |key: &str| -> Result<Option<u64>> {
        let Some(value) = get(key) else { return Ok(None) };
        let number = value.parse().ok().with_context(|| format!("{key} = {value:?} is not a whole number"))?;
        Ok(Some(number))
    };
    let need = |key: &str| {
        let number = count(key)?.with_context(|| format!("[attributes] has no {key}"))?;
        ensure!((1..=1 << 50).contains(&number), "{key} = {number} is out of range");
        Ok(number)
    };
    let small = |key: &str, usual: u32| -> Result<u32> {
        let number = count(key)?.unwrap_or(usual.into());
        u32::try_from(number).with_context(|| format!("{key} = {number} is out of range"))
    };
    let colocated = flag(get("colocated").as_deref()).unwrap_or(false);
    let (client_nodes, clients_per_node) = (need("client_nodes")?, need("client_per_node")?);
    let ranks = count("client_total")?.unwrap_or(client_nodes.saturating_mul(clients_per_node));
    ensure!((1..=MOST_RANKS).contains(&ranks), "{ranks} ranks are out of range (1 to {MOST_RANKS})");
    let mut workload = Workload::default();
    if get(PER_DATASET).is_some() {
        workload.kind = WorkloadKind::Aggregation;
        workload.tensors = small(PER_DATASET, 1)?.max(1);
        workload.aggregation = Some(Aggregation {
            producers: u32::try_from(ranks).unwrap_or(u32::MAX),
            consumer_threads: small(CONSUMER_THREADS, 1)?,
            ..Aggregation::default()
        });
    } else if get("batch_size").is_some() || get("device").is_some() {
        workload.kind = WorkloadKind::Inference;
        let gpu = get("device").is_some_and(|device| device.to_ascii_uppercase().contains("GPU"));
        workload.inference = Some(Inference {
            model: MODEL.into(),
            script: SCRIPT.into(),
            device: if gpu { Device::Gpu } else { Device::Cpu },
            devices: small("num_devices", 1)?,
            batch_size: small("batch_size", 0)?,
            queue_threads: small("database_threads_per_queue", USUAL_QUEUE_THREADS)?,
            ..Inference::default()
        });
    }
    let mut run: Vec<(String, String)> = ["name", "smartsim_version", "smartredis_version", "db", "date", "language"]
        .into_iter()
        .filter_map(|key| Some((key.to_owned(), ini.get("run", key)?)))
        .collect();
    if let Some(language) = get("language").filter(|_| !run.iter().any(|(name, _)| name == "language")) {
        run.push(("language".to_owned(), language));
    }
    Ok(Config {
        name: ini.get("run", "name").unwrap_or_default(),
        colocated,
        client_nodes,
        clients_per_node,
        ranks,
        db_nodes: if colocated { None } else { count("database_nodes")? },
        db_cpus: count("database_cpus")?,
        pinned: get("custom_pinning").map(|text| flag(Some(&text)).unwrap_or(true)),
        iterations: need("iterations")?,
        tensor_bytes: if workload.inference.is_some() { IMAGE_BYTES } else { need("tensor_bytes")? },
        workload,
        run,
    })
}

/// Python's spellings of a truth; anything else, such as a list of CPUs, is `None`.
fn flag(text: Option<&str>) -> Option<bool> {
    match text?.to_ascii_lowercase().as_str() {
        "true" | "1" => Some(true),
        "false" | "0" | "none" | "[]" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STANDARD: &str = "[run]\nname = run-2023-07-05-21:26:18\npath = /lus/results/throughput\n\
        smartsim_version = 0.4.2\nsmartredis_version = 0.3.1\ndb = redis\ndate = 2023-07-05\nlanguage = cpp\n\n\
        [attributes]\ncolocated = 0\ncustom_pinning = False\nclient_total = 192\nclient_per_node = 48\n\
        client_nodes = 4\ndatabase_nodes = 16\ndatabase_cpus = 8\niterations = 100\ntensor_bytes = 1026\nlanguage = cpp\n";

    #[test]
    fn a_standard_session() {
        let config = parse(STANDARD).unwrap();
        assert_eq!((config.ranks, config.db_nodes, config.db_cpus, config.colocated), (192, Some(16), Some(8), false));
        assert_eq!((config.tensor_bytes, config.sent_bytes()), (1026, 1024));
        assert_eq!(config.server(), "redis of SmartSim 0.4.2");
        let params = config.params();
        let shown = ["deployment", "client_nodes", "db_nodes", "keys", "sweep_tensor_bytes", "site", "cpu_bind"];
        let shown: Vec<_> = shown.iter().map(|column| params.text(column)).collect();
        assert_eq!(shown, ["standard", "4", "16", "hash", "1024", "", "none"]);
    }

    #[test]
    fn a_colocated_session_has_no_db_nodes() {
        let text = STANDARD
            .replace("colocated = 0", "colocated = True")
            .replace("custom_pinning = False", "custom_pinning = 0-7");
        let config = parse(&text).unwrap();
        assert_eq!((config.db_nodes, config.pinned), (None, Some(true)));
        assert_eq!(config.params().text("deployment"), "colocated");
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (from, to, what) in [
            ("iterations = 100", "iterations = many", "iterations = \"many\" is not a whole number"),
            ("tensor_bytes = 1026\n", "", "has no tensor_bytes"),
            (
                "tensor_bytes = 1026",
                "tensor_bytes = 1026\nt_per_dataset = 99999999999",
                "t_per_dataset = 99999999999 is out of range",
            ),
            ("client_total = 192", "client_total = 99999999999", "out of range"),
            ("client_nodes = 4", "client_nodes = 0", "out of range"),
        ] {
            let error = format!("{:#}", parse(&STANDARD.replace(from, to)).unwrap_err());
            assert!(error.contains(what), "{error}");
        }
        assert!(parse("").is_err() && parse("\0[[[").is_err());
    }
}
