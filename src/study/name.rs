//! The name of a permutation: stable, short, readable, the same on every machine.

use crate::record::aggregation::Aggregation;
use crate::record::inference::Inference;
use crate::record::manifest::Job;
use crate::record::units::show_bytes;
use crate::record::vocabulary::{DbFrom, Distribution, Durability, FileCache, KeyPlacement, Store};
use crate::record::workload::Workload;

/// The name of script and run directory, such as `standard-n4x48-db3x8-none-hsn0-tcp-r1`.
///
/// It depends on the axes of the job alone, never on the other values of a list, so that adding a value renames nothing.
/// Settings that few studies touch (another store, I/O threads, key placement) stand in it only where they differ from a
/// default that is the same at every site. It has only characters that schedulers accept in a job's name.
pub fn name(job: &Job) -> String {
    let servers = match job.servers_per_node {
        1 => String::new(),
        several => format!("s{several}"),
    };
    let db = match job.db_nodes {
        Some(nodes) => format!("db{nodes}{servers}x{}", job.db_cpus),
        None if servers.is_empty() => format!("db{}", job.db_cpus),
        None => format!("db{servers}x{}", job.db_cpus),
    };
    let mut clients = format!("n{}x{}", job.client_nodes, job.clients_per_node);
    if job.client_cpus != 1 {
        clients.push_str(&format!("x{}", job.client_cpus));
    }
    let mut parts = vec![job.deployment.to_string(), clients];
    match &job.files {
        None => {
            parts.extend([db, job.cpu_bind.short(), job.net_ifname.clone(), job.transport.to_string()]);
        }
        Some(files) => {
            parts.push(job.cpu_bind.short());
            parts.extend((files.durability != Durability::None).then(|| files.durability.to_string()));
            parts.extend((files.file_cache != FileCache::Any).then(|| files.file_cache.to_string()));
            parts.extend((files.fan_out != 1).then(|| format!("dirs{}", files.fan_out)));
        }
    }
    if job.distribution != Distribution::Packed {
        parts.push(job.distribution.to_string());
    }
    if job.store != Store::Redis {
        parts.push(job.store.to_string());
    }
    if job.io_threads != 1 {
        parts.push(format!("io{}", job.io_threads));
    }
    if !job.malloc_conf.is_default() {
        parts.push(job.malloc_conf.short());
    }
    if job.maxmemory.0 != 0 {
        parts.push(format!("max{}", show_bytes(job.maxmemory.0).replace(' ', "")));
    }
    if job.keys != KeyPlacement::Hash {
        parts.push(job.keys.to_string());
    }
    parts.extend(workload(&job.workload));
    if job.db_from != DbFrom::Allocation {
        parts.push(format!("db_{}", job.db_from));
    }
    parts.push(format!("r{}", job.repeat));
    parts.join("-")
}

/// What is not SmartSim-Scaling's test, each axis with a word of its own.
fn workload(workload: &Workload) -> impl Iterator<Item = String> {
    let usual = Workload::default();
    let Workload { kind, dtype, shape, payload, tensors, mix, access, order, pipeline, rate, .. } = workload;
    let Workload { compute, compute_kernel, aggregation, inference, .. } = workload;
    let (usual_roles, usual_model) = (Aggregation::default(), Inference::default());
    let roles = aggregation.as_ref().unwrap_or(&usual_roles);
    let model = inference.as_ref().unwrap_or(&usual_model);
    let words = [
        (*kind != usual.kind, kind.to_string()),
        (!model.model.is_empty(), stem(&model.model)),
        (model.model_backend != usual_model.model_backend, model.model_backend.to_string()),
        (!model.model_input.is_empty(), stem(&model.model_input)),
        (!model.model_output.is_empty(), stem(&model.model_output)),
        (!model.script.is_empty(), stem(&model.script)),
        (model.function != usual_model.function, stem(&model.function)),
        (model.device != usual_model.device, model.device.to_string()),
        (model.devices != usual_model.devices, format!("gpus{}", model.devices)),
        (model.batch_size != usual_model.batch_size, format!("batch{}", model.batch_size)),
        (model.queue_threads != usual_model.queue_threads, format!("tpq{}", model.queue_threads)),
        (roles.consumers != usual_roles.consumers, format!("c{}", roles.consumers)),
        (roles.consumer_nodes != usual_roles.consumer_nodes, format!("cn{}", roles.consumer_nodes)),
        (roles.consumer_threads != usual_roles.consumer_threads, format!("ct{}", roles.consumer_threads)),
        (roles.poll_interval != usual_roles.poll_interval, format!("poll{}", roles.poll_interval)),
        (*dtype != usual.dtype, dtype.to_string()),
        (*shape != usual.shape, format!("shape{shape}")),
        (*payload != usual.payload, payload.to_string()),
        (*tensors != usual.tensors, format!("t{tensors}")),
        (*mix != usual.mix, format!("put{}get{}", mix.puts, mix.unpacks)),
        (*access != usual.access, access.to_string()),
        (*order != usual.order, order.to_string()),
        (*pipeline != usual.pipeline, format!("pipe{pipeline}")),
        (*rate != usual.rate, format!("rate{rate}")),
        (compute.is_on(), format!("compute{compute}")),
        (*compute_kernel != usual.compute_kernel, compute_kernel.to_string()),
    ];
    words.into_iter().filter_map(|(unusual, word)| unusual.then_some(word))
}

/// Name of a file without its folders and its ending, in characters that a job's name may have, with a checksum of the whole, so
/// that two that differ have two names.
fn stem(text: &str) -> String {
    let file = text.rsplit('/').next().unwrap_or(text);
    let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
    let plain: String = stem.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').take(24).collect();
    format!("{plain}_{:04x}", crc32fast::hash(text.as_bytes()) & 0xffff)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::folder::FileSettings;
    use crate::record::manifest::example;
    use crate::record::vocabulary::Access;

    #[test]
    fn a_name_says_where_what_and_how() {
        let mut job = example().job;
        assert_eq!(name(&job), "standard-n2x2-db3x1-none-hsn0-tcp-r1");
        job.db_nodes = None;
        job.deployment = crate::record::vocabulary::Deployment::Colocated;
        job.store = Store::Valkey;
        job.io_threads = 4;
        job.malloc_conf = "dirty_decay_ms:-1".parse().unwrap();
        job.maxmemory = "64GiB".parse().unwrap();
        job.keys = KeyPlacement::Balanced;
        job.repeat = 2;
        assert_eq!(name(&job), "colocated-n2x2-db1-none-hsn0-tcp-valkey-io4-dirty_decay_ms.-1-max64GiB-balanced-r2");
        job.servers_per_node = 2;
        assert!(name(&job).starts_with("colocated-n2x2-dbs2x1-none-"), "{}", name(&job));
        job = example().job;
        (job.servers_per_node, job.net_ifname) = (4, "hsn0+hsn1".into());
        assert_eq!(name(&job), "standard-n2x2-db3s4x1-none-hsn0+hsn1-tcp-r1");
        job.store = Store::Files;
        let files = FileSettings { durability: Durability::Fsync, file_cache: FileCache::Drop, fan_out: 16 };
        let job_of_files = Job { files: Some(files), ..job.clone() }.without_idle_axes();
        assert_eq!(name(&job_of_files), "standard-n2x2-none-fsync-drop-dirs16-files-r1");
        job = example().job;
        job.workload = Workload {
            shape: "64xN".parse().unwrap(),
            tensors: 8,
            mix: "1:9".parse().unwrap(),
            access: Access::OneToMany,
            pipeline: 4,
            rate: "500".parse().unwrap(),
            ..Workload::default()
        };
        assert_eq!(name(&job), "standard-n2x2-db3x1-none-hsn0-tcp-shape64xN-t8-put1get9-one-to-many-pipe4-rate500-r1");
        job.workload = Workload { compute: "50ms".parse().unwrap(), ..Workload::default() };
        job.workload.compute_kernel = "stream".parse().unwrap();
        assert_eq!(name(&job), "standard-n2x2-db3x1-none-hsn0-tcp-compute50ms-stream-r1");
    }
}
