//! The name of a permutation: stable, short, readable, the same on every machine.

use crate::record::manifest::Job;
use crate::record::vocabulary::{DbFrom, Distribution, KeyPlacement, Store};

/// The name of script and run directory, such as `standard-n4x48-db3x8-none-hsn0-tcp-r1`.
///
/// It depends on the axes of the job alone, never on the other values of a list, so that adding a value renames nothing.
/// Settings that few studies touch (another store, I/O threads, key placement) stand in it only where they differ from a
/// default that is the same at every site. It has only characters that schedulers accept in a job's name.
pub fn name(job: &Job) -> String {
    let db = match job.db_nodes {
        Some(nodes) => format!("db{nodes}x{}", job.db_cpus),
        None => format!("db{}", job.db_cpus),
    };
    let mut clients = format!("n{}x{}", job.client_nodes, job.clients_per_node);
    if job.client_cpus != 1 {
        clients.push_str(&format!("x{}", job.client_cpus));
    }
    let mut parts = vec![
        job.deployment.to_string(),
        clients,
        db,
        job.cpu_bind.short(),
        job.net_ifname.clone(),
        job.transport.to_string(),
    ];
    if job.distribution != Distribution::Packed {
        parts.push(job.distribution.to_string());
    }
    if job.store != Store::Redis {
        parts.push(job.store.to_string());
    }
    if job.io_threads != 1 {
        parts.push(format!("io{}", job.io_threads));
    }
    if job.keys != KeyPlacement::Hash {
        parts.push(job.keys.to_string());
    }
    if job.db_from != DbFrom::Allocation {
        parts.push(format!("db_{}", job.db_from));
    }
    parts.push(format!("r{}", job.repeat));
    parts.join("-")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::manifest::example;

    #[test]
    fn a_name_says_where_what_and_how() {
        let mut job = example().job;
        assert_eq!(name(&job), "standard-n2x2-db3x1-none-hsn0-tcp-r1");
        job.db_nodes = None;
        job.deployment = crate::record::vocabulary::Deployment::Colocated;
        job.store = Store::Valkey;
        job.io_threads = 4;
        job.keys = KeyPlacement::Balanced;
        job.repeat = 2;
        assert_eq!(name(&job), "colocated-n2x2-db1-none-hsn0-tcp-valkey-io4-balanced-r2");
    }
}
