//! The values that templates see.

use anyhow::Result;
use serde::Serialize;

use super::JobScript;
use super::nodes::{self, Chunk};
use super::shell;
use crate::record::aggregation::Aggregation;
use crate::record::inference::Inference;
use crate::record::jobs::Half;
use crate::record::manifest::{Expect, Job, Manifest, Sweep};
use crate::record::product;
use crate::record::units::count;
use crate::record::vocabulary::{DbFrom, Deployment};
use crate::record::walltime::Walltime;
use crate::record::workload::Workload;

/// What all templates know of a permutation.
#[derive(Serialize)]
struct Values<'a> {
    name: &'a str,
    /// Name of the job: the permutation's, or that with `-db` for the database's own job.
    job_name: &'a str,
    /// Stem of the file that catches the job's output.
    log: &'static str,
    summary: String,
    drawing: &'a str,
    site: SiteValues<'a>,
    job: &'a Job,
    sweep: &'a Sweep,
    expect: &'a Expect,
    /// Flags of the client for what is not usual in the workload.
    workload: Vec<String>,
    /// Nodes of this job.
    nodes: u32,
    /// Of these, those of the client's launch, and its ranks on each.
    launch_nodes: u32,
    ranks_per_node: u32,
    run_dir: &'a str,
    client: &'a str,
    directives: &'a [&'a str],
    walltime: Option<String>,
    walltime_s: Option<u32>,
    walltime_minutes: Option<u32>,
    constraint: Option<String>,
    /// Features of the two sides, where they differ; an empty text for none.
    client_constraint: Option<&'a str>,
    db_constraint: Option<&'a str>,
    chunks: String,
    db_hosts: &'a [String],
    db_address: String,
    /// Interfaces that ranks leave by, where there are several; empty: the kernel chooses.
    source: String,
    server: &'a str,
    port: u16,
    /// One word of bash, quoted already.
    scratch: String,
    /// Where the folder of a store of files is made, likewise.
    files_folder: String,
    /// It has servers.
    has_servers: bool,
    tensor_bytes: String,
}

/// What templates may know of a site beside the values that were chosen from it.
#[derive(Serialize)]
struct SiteValues<'a> {
    name: &'a str,
    /// Kind of the scheduler.
    scheduler: &'a str,
    launcher: &'a str,
    node: NodeValues,
}

#[derive(Serialize)]
struct NodeValues {
    single: bool,
}

impl JobScript<'_> {
    /// The values for the script of `half`.
    pub(super) fn context(&self, half: Half) -> Result<tera::Context> {
        let Manifest { name, job, sweep, expect, .. } = self.manifest;
        let sizes: Vec<String> = sweep.tensor_bytes.iter().map(u64::to_string).collect();
        let differ = self.wanted.differ(job, half);
        let side = |feature: &'_ Option<String>| if differ { Some(feature.clone().unwrap_or_default()) } else { None };
        let (client_side, db_side) = (side(&self.wanted.client), side(&self.wanted.db));
        let job_name = half.job_name(name);
        let seconds = expect.walltime_s;
        let node = if half == Half::Db { self.db_node } else { self.node };
        let values = Values {
            name,
            job_name: &job_name,
            log: half.log_stem(),
            summary: self.summary(),
            drawing: &self.placed.drawing,
            site: SiteValues {
                name: &self.site.name,
                scheduler: &self.site.scheduler.kind,
                launcher: &self.site.launch.launcher,
                node: NodeValues { single: self.node.single },
            },
            job,
            sweep,
            expect,
            workload: workload_words(&job.workload),
            nodes: if half == Half::Db { job.db_nodes.unwrap_or(0) } else { expect.nodes },
            launch_nodes: job.launch_nodes(),
            ranks_per_node: job.ranks_per_node(),
            run_dir: self.run_dir,
            client: self.client,
            directives: self.directives,
            walltime: seconds.map(|seconds| Walltime { seconds }.to_string()),
            walltime_s: seconds,
            walltime_minutes: seconds.map(|seconds| seconds.div_ceil(60)),
            constraint: self.wanted.constraint(job, half)?,
            client_constraint: client_side.as_deref(),
            db_constraint: db_side.as_deref(),
            chunks: self.wanted.chunks(
                job,
                half,
                Chunk { text: &nodes::chunk(self.site, node), db_hosts: &job.db_hosts },
            ),
            db_hosts: if half == Half::Client { &job.db_hosts } else { &[] },
            db_address: job.db_address.join(","),
            source: self.source(),
            server: self.server.unwrap_or(product::usual_program(job.store)),
            port: self.port,
            scratch: shell::folder(&self.site.scratch.node_local),
            files_folder: match (job.deployment, self.files_dir) {
                (Deployment::Colocated, _) => shell::folder(&self.site.scratch.node_local),
                (Deployment::Standard, Some(folder)) => shell::folder(folder),
                (Deployment::Standard, None) => "\"$attempt/files\"".to_owned(),
            },
            has_servers: job.store.has_servers(),
            tensor_bytes: sizes.join(","),
        };
        tera::Context::from_serialize(&values).map_err(Into::into)
    }

    /// Those of the servers' interfaces that the client's nodes have too, where the servers of a node share several.
    fn source(&self) -> String {
        let job = &self.manifest.job;
        let known = |name: &&str| self.node.interfaces.is_empty() || self.node.interface(name).is_some();
        let several = job.deployment == Deployment::Standard && job.interfaces().nth(1).is_some();
        job.interfaces().filter(|name| several && known(name)).collect::<Vec<_>>().join("+")
    }

    fn summary(&self) -> String {
        let Manifest { job, expect, .. } = self.manifest;
        let clients = clients(job);
        let cpus = count(job.db_cpus, "CPU");
        let shards = || match job.servers_per_node {
            1 => count(expect.servers, "shard"),
            several => format!("{} x {}", count(job.db_nodes.unwrap_or(0), "node"), count(several, "shard")),
        };
        let store = match (job.deployment, job.db_from) {
            (deployment, _) if !job.store.has_servers() => {
                let where_ = if deployment == Deployment::Colocated {
                    "a folder of each client node"
                } else {
                    "a folder of all nodes"
                };
                return format!("{clients}; files in {where_}");
            }
            (Deployment::Colocated, _) if job.servers_per_node > 1 => {
                format!("{} servers of {cpus} on every client node", job.servers_per_node)
            }
            (Deployment::Colocated, _) => format!("a server of {cpus} on every client node"),
            (_, DbFrom::Running) => format!("a store that runs already at {}", job.db_address.join(",")),
            (_, DbFrom::Job) => format!("{} of {cpus} in a job of their own", shards()),
            (_, DbFrom::Hosts) => format!("{} of {cpus} on {}", shards(), job.db_hosts.join(", ")),
            (_, DbFrom::Allocation) if self.node.single => format!("{} of {cpus} on the same machine", shards()),
            (_, DbFrom::Allocation) => format!("{} of {cpus} on nodes of their own", shards()),
        };
        format!("{clients}; {store}; {} over {}", job.transport, job.net_ifname)
    }
}

fn clients(job: &Job) -> String {
    let (nodes, each) = (count(job.client_nodes, "client node"), job.clients_per_node);
    let Some(roles) = &job.workload.aggregation else { return format!("{nodes} x {}", count(each, "rank")) };
    let consumers = count(roles.consumers, "consumer");
    let where_ = match roles.consumer_nodes {
        0 => " beside them".to_owned(),
        own => format!(" on {}", count(own, "node")),
    };
    format!("{nodes} x {}, {consumers} of {}{where_}", count(each, "producer"), count(roles.consumer_threads, "thread"))
}

/// Flags of the client for what is not its default, so that the usual script stays short.
fn workload_words(workload: &Workload) -> Vec<String> {
    let usual = Workload::default();
    let Workload { kind, dtype, shape, payload, tensors, mix, access, order, pipeline, rate, .. } = workload;
    let Workload { compute, compute_kernel, aggregation, inference, .. } = workload;
    let (usual_roles, usual_model) = (Aggregation::default(), Inference::default());
    let model = inference.as_ref().unwrap_or(&usual_model);
    let roles = aggregation.as_ref().unwrap_or(&usual_roles);
    let flags = [
        (*kind != usual.kind, "--workload", kind.to_string()),
        (!model.model.is_empty(), "--model", model.model.clone()),
        (model.model_backend != usual_model.model_backend, "--model-backend", model.model_backend.to_string()),
        (!model.model_input.is_empty(), "--model-input", model.model_input.clone()),
        (!model.model_output.is_empty(), "--model-output", model.model_output.clone()),
        (!model.script.is_empty(), "--script", model.script.clone()),
        (model.function != usual_model.function, "--function", model.function.clone()),
        (model.device != usual_model.device, "--device", model.device.to_string()),
        (model.devices != usual_model.devices, "--devices", model.devices.to_string()),
        (model.batch_size != usual_model.batch_size, "--batch-size", model.batch_size.to_string()),
        (roles.producers != usual_roles.producers, "--producers", roles.producers.to_string()),
        (roles.consumers != usual_roles.consumers, "--consumers", roles.consumers.to_string()),
        (roles.consumer_nodes != usual_roles.consumer_nodes, "--consumer-nodes", roles.consumer_nodes.to_string()),
        (
            roles.consumer_threads != usual_roles.consumer_threads,
            "--consumer-threads",
            roles.consumer_threads.to_string(),
        ),
        (roles.poll_interval != usual_roles.poll_interval, "--poll-interval", roles.poll_interval.to_string()),
        (*dtype != usual.dtype, "--dtype", dtype.to_string()),
        (*shape != usual.shape, "--shape", shape.to_string()),
        (*payload != usual.payload, "--payload", payload.to_string()),
        (*tensors != usual.tensors, "--tensors", tensors.to_string()),
        (*mix != usual.mix, "--mix", mix.to_string()),
        (*access != usual.access, "--access", access.to_string()),
        (*order != usual.order, "--order", order.to_string()),
        (*pipeline != usual.pipeline, "--pipeline", pipeline.to_string()),
        (*rate != usual.rate, "--rate", rate.to_string()),
        (compute.is_on(), "--compute", compute.to_string()),
        (*compute_kernel != usual.compute_kernel, "--compute-kernel", compute_kernel.to_string()),
    ];
    let unusual = flags.into_iter().filter(|(unusual, ..)| *unusual);
    unusual.flat_map(|(_, flag, value)| [flag.to_owned(), value]).collect()
}
