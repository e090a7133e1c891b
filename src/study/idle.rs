//! What was said and can have no effect, since it has a meaning beside something else alone: `--pack-seed` without packs.
//!
//! A flag must have its partner in what is generated. A key of a study file must only not lack it: another value there, or a
//! flag, may have switched it off on purpose.

use anyhow::{Result, ensure};

use super::{Axes, Settings, Study};
use crate::record::binding::CpuBind;
use crate::record::vocabulary::{DbFrom, Deployment, Packing, Store, Transport, WorkloadKind};

/// Something that was said, and what it needs.
struct Needs {
    name: &'static str,
    /// By a flag, and by a file.
    said: (bool, bool),
    /// The partner is there.
    met: bool,
    /// Somebody said something about the partner.
    spoken: bool,
    partner: &'static str,
}

impl Needs {
    fn refuse(&self, whose: &str, idle: bool) -> Result<()> {
        let Needs { name, partner, .. } = self;
        ensure!(!idle, "{whose}{name} has no effect: it needs {partner}; give that, or leave it out");
        Ok(())
    }
}

const STANDARD: &str = "--deployment standard, and the study has only colocated ones";

const FILES: &str = "--store files";
const SHARDS: &str = "--deployment standard; several servers on each application node are --servers-per-node";
const SERVERS: &str = "--deployment colocated; several shards on each DB node are --shards-per-node";

/// What flags and a file said, and what holds when all have spoken.
pub struct Said<'a> {
    pub axes: &'a Axes,
    pub flags: &'a Settings,
    pub file: &'a Settings,
    pub study: &'a Study,
    pub settings: &'a Settings,
}

impl Said<'_> {
    /// Refuses a flag that has no effect.
    ///
    /// # Errors
    /// The message names it and what it needs.
    pub fn check_flags(&self) -> Result<()> {
        self.of_job()
            .into_iter()
            .chain(self.of_axes())
            .try_for_each(|needs| needs.refuse("--", needs.said.0 && !needs.met))
    }

    /// Refuses a key of the study file that has no effect.
    ///
    /// # Errors
    /// As [`Said::check_flags`].
    pub fn check_file(&self) -> Result<()> {
        self.of_job()
            .into_iter()
            .try_for_each(|needs| needs.refuse("the study file's --", needs.said.1 && !needs.spoken))
    }

    fn has(&self, deployment: Deployment) -> bool {
        self.study.deployment.contains(&deployment)
    }

    fn of_job(&self) -> Vec<Needs> {
        let Settings { pack, db_from, .. } = self.settings;
        let standard = self.has(Deployment::Standard);
        let needs = |name, said: fn(&Settings) -> bool, met, spoken, partner| {
            let said = (said(self.flags), said(self.file));
            Needs { name, said, met, spoken, partner }
        };
        let packs = pack.is_some_and(|packing| packing != Packing::None);
        let of_pack = |name, said| needs(name, said, packs, pack.is_some(), "--pack same or --pack nested");
        let of_standard = |name, said| needs(name, said, standard, true, STANDARD);
        let own_job = *db_from == Some(DbFrom::Job);
        let started = *db_from != Some(DbFrom::Running) && self.settings.db_address.is_none() || !standard;
        vec![
            of_pack("pack-seed", |job| job.pack_seed.is_some()),
            of_pack("pack-walltime", |job| job.pack_walltime.is_some()),
            of_pack("pack-store", |job| job.pack_store.is_some()),
            of_standard("db-from", |job| job.db_from.is_some()),
            of_standard("db-hosts", |job| job.db_hosts.is_some()),
            of_standard("db-address", |job| job.db_address.is_some()),
            of_standard("db-node-type", |job| job.db_node_type.is_some()),
            of_standard("db-constraint", |job| job.db_constraint.is_some()),
            needs(
                "files-dir",
                |job| job.files_dir.is_some(),
                standard && self.study.store.contains(&Store::Files),
                true,
                "--deployment standard and --store files; colocated files are in the site's scratch.node_local",
            ),
            needs("db-queue", |job| job.db_queue.is_some(), own_job && standard, db_from.is_some(), "--db-from job"),
            needs(
                "db-port",
                |job| job.db_port.is_some(),
                started,
                true,
                "servers that the job starts, not --db-address",
            ),
        ]
    }

    /// Of the flags alone: a file may hold more than what is generated today.
    fn of_axes(&self) -> Vec<Needs> {
        let axes = self.axes;
        let (standard, colocated) = (self.has(Deployment::Standard), self.has(Deployment::Colocated));
        let tcp = colocated && self.study.transport.contains(&Transport::Tcp);
        let files = self.study.store.contains(&Store::Files);
        let pins = self.study.cpu_bind.iter().any(|bind| matches!(bind, CpuBind::Mask | CpuBind::MaskApp));
        let needs = |name, flag, met, partner| Needs { name, said: (flag, false), met, spoken: true, partner };
        let interface = "--deployment standard; where a colocated server listens is --colocated-ifname";
        let listens = "colocated servers that listen for TCP (--deployment colocated, --transport tcp)";
        let computes = self.study.compute.iter().any(|compute| compute.is_on());
        let aggregates = self.study.workload.contains(&WorkloadKind::Aggregation);
        let role = |name, said| needs(name, said, aggregates, "--workload aggregation");
        let infers = self.study.workload.contains(&WorkloadKind::Inference);
        let model = |name, said| needs(name, said, infers, "--workload inference");
        vec![
            model("model", axes.model.is_some()),
            model("model-backend", axes.model_backend.is_some()),
            model("model-input", axes.model_input.is_some()),
            model("model-output", axes.model_output.is_some()),
            model("script", axes.script.is_some()),
            model("function", axes.function.is_some()),
            model("device", axes.device.is_some()),
            model("devices", axes.devices.is_some()),
            model("batch-size", axes.batch_size.is_some()),
            model("queue-threads", axes.queue_threads.is_some()),
            role("consumers", axes.consumers.is_some()),
            role("consumer-nodes", axes.consumer_nodes.is_some()),
            role("consumer-threads", axes.consumer_threads.is_some()),
            role("poll-interval", axes.poll_interval.is_some()),
            needs(
                "compute-kernel",
                axes.compute_kernel.is_some(),
                computes,
                "ranks that compute, such as --compute 50ms",
            ),
            needs("db-nodes", axes.db_nodes.is_some(), standard, STANDARD),
            needs("durability", axes.durability.is_some(), files, FILES),
            needs("file-cache", axes.file_cache.is_some(), files, FILES),
            needs("fan-out", axes.fan_out.is_some(), files, FILES),
            needs("shards-per-node", axes.shards_per_node.is_some(), standard, SHARDS),
            needs("servers-per-node", axes.servers_per_node.is_some(), colocated, SERVERS),
            needs("keys", axes.keys.is_some(), standard, STANDARD),
            needs("net-ifname", axes.net_ifname.is_some(), standard, interface),
            needs("colocated-ifname", axes.colocated_ifname.is_some(), tcp, listens),
            needs(
                "distribution",
                axes.distribution.is_some(),
                pins,
                "ranks that ShardScale places: --cpu-bind mask or mask-app",
            ),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What flags (axes, settings) and a file's settings are told; empty for nothing.
    fn told(axes: &str, flags: &str, file: &str) -> String {
        let (axes, flags, file): (Axes, Settings, Settings) =
            (toml::from_str(axes).unwrap(), toml::from_str(flags).unwrap(), toml::from_str(file).unwrap());
        let (study, settings) = (axes.clone().resolve().unwrap(), flags.clone().or(file.clone()));
        let said = Said { axes: &axes, flags: &flags, file: &file, study: &study, settings: &settings };
        said.check_flags().and_then(|()| said.check_file()).err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn what_needs_a_partner_is_refused_without_it() {
        for (axes, flags, file, needle) in [
            ("", "pack_seed = 2", "", "--pack-seed has no effect: it needs --pack"),
            ("", "pack_walltime = \"01:00:00\"", "", "--pack-walltime"),
            ("", "pack_store = \"keep\"\npack = \"none\"", "", "--pack-store"),
            ("", "", "pack_seed = 2", "--pack-seed"),
            ("", "db_queue = \"x\"", "", "it needs --db-from job"),
            ("", "db_queue = \"x\"", "db_from = \"allocation\"", "it needs --db-from job"),
            ("", "", "db_queue = \"x\"", "it needs --db-from job"),
            ("", "db_port = 7000\ndb_address = [\"a:1\"]", "", "--db-port"),
            ("deployment = [\"colocated\"]", "db_hosts = [\"a\"]", "", "--db-hosts has no effect"),
            ("deployment = [\"colocated\"]\ndb_nodes = [3]", "", "", "--db-nodes has no effect"),
            ("deployment = [\"colocated\"]\nnet_ifname = [\"ib0\"]", "", "", "--colocated-ifname"),
            ("deployment = [\"colocated\"]\nshards_per_node = [2]", "", "", "--servers-per-node"),
            ("servers_per_node = [2]", "", "", "--shards-per-node"),
            ("colocated_ifname = [\"ib0\"]", "", "", "--colocated-ifname has no effect"),
            ("distribution = [\"spread\"]", "", "", "--cpu-bind mask"),
            ("compute_kernel = [\"stream\"]", "", "", "such as --compute 50ms"),
            ("consumer_threads = [4]", "", "", "it needs --workload aggregation"),
        ] {
            let told = told(axes, flags, file);
            assert!(told.contains(needle), "{axes} {flags} {file}: {told:?}");
        }
    }

    #[test]
    fn what_has_its_partner_or_was_switched_off_passes() {
        for (axes, flags, file) in [
            ("", "pack_seed = 2\npack = \"same\"", ""),
            ("", "pack_seed = 2", "pack = \"nested\""),
            ("", "pack = \"none\"", "pack_seed = 2\npack = \"same\""),
            ("", "db_queue = \"x\"", "db_from = \"job\""),
            ("deployment = [\"colocated\"]", "", "db_from = \"job\"\ndb_queue = \"x\""),
            ("distribution = [\"spread\"]\ncpu_bind = [\"none\", \"mask\"]", "", ""),
        ] {
            assert_eq!(told(axes, flags, file), "", "{axes} {flags} {file}");
        }
    }
}
