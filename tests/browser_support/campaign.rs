//! A large study for the page: several hundred runs over many axes, some of them broken in each way that there is.

use std::path::Path;

use shardscale::record::binding::CpuBind;
use shardscale::record::manifest::Manifest;
use shardscale::record::placement::{NodeShape, Placement};
use shardscale::record::vocabulary::{Deployment, KeyPlacement, Transport};

use crate::collect_support::{CLIENT_FAILED, DONE, Model, TIMED_OUT, permutation};

/// Client nodes of the study.
pub const NODES: [u32; 6] = [4, 8, 16, 32, 64, 128];

/// Writes the runs below `out` and says how many: 504.
pub fn campaign(out: &Path) -> usize {
    let mut runs = 0;
    for manifest in permutations() {
        write(out, manifest, runs);
        runs += 1;
    }
    runs
}

fn permutations() -> Vec<Manifest> {
    let mut all = Vec::new();
    for client_nodes in NODES {
        for bind in [CpuBind::Mask, CpuBind::None] {
            for io_threads in [1, 4] {
                for repeat in [1, 2] {
                    for db_nodes in [4, 8, 16] {
                        for clients in [1, 2] {
                            all.push(permuted(client_nodes, Some(db_nodes), (&bind, io_threads, clients, repeat)));
                        }
                    }
                    for transport in [Transport::Tcp, Transport::Uds] {
                        for clients in [1, 2] {
                            let mut one = permuted(client_nodes, None, (&bind, io_threads, clients, repeat));
                            one.job.transport = transport;
                            all.push(named(one));
                        }
                    }
                }
            }
        }
        for repeat in [1, 2] {
            for clients in [1, 2] {
                let mut one = permuted(client_nodes, Some(16), (&CpuBind::Mask, 4, clients, repeat));
                one.job.keys = KeyPlacement::Balanced;
                all.push(named(one));
            }
        }
    }
    all
}

fn permuted(
    client_nodes: u32,
    db_nodes: Option<u32>,
    (bind, io_threads, clients, repeat): (&CpuBind, u32, u32, u32),
) -> Manifest {
    let mut manifest = permutation(client_nodes, db_nodes, repeat);
    manifest.job.cpu_bind = bind.clone();
    manifest.job.io_threads = io_threads;
    manifest.job.clients_per_node = clients;
    manifest.expect.ranks = client_nodes * clients;
    manifest.placement = (*bind == CpuBind::Mask).then(|| placement(&manifest));
    manifest.sweep.tensor_bytes = vec![1024, 8192, 16384, 65536, 262_144, 524_288, 1_024_000, 4_096_000];
    manifest.sweep.iterations = 12;
    manifest.sweep.warmup = 2;
    named(manifest)
}

/// On nodes like Frontier's: 64 cores, the first of each L3 group reserved, two threads a core.
fn placement(manifest: &Manifest) -> Placement {
    let cpus = |text: &str| text.parse().unwrap();
    let groups =
        |size: u32| (0..64 / size).map(|at| cpus(&format!("{}-{}", at * size, at * size + size - 1))).collect();
    let node = NodeShape {
        cores: cpus("0-63"),
        reserved: (0..64).filter(|core| core % 8 == 0).collect(),
        numa: groups(16),
        l3: groups(8),
        threads_per_core: 2,
        sibling_step: 64,
    };
    let standard = manifest.job.db_nodes.is_some();
    Placement {
        servers: vec![cpus("1-7")],
        ranks: (0..manifest.job.clients_per_node).map(|rank| cpus(&format!("{}", 9 + rank))).collect(),
        db_node: standard.then(|| node.clone()),
        client_node: node,
        in_job: None,
    }
}

fn named(mut manifest: Manifest) -> Manifest {
    let job = &manifest.job;
    let place = match job.db_nodes {
        Some(db_nodes) => format!("standard-n{}x{}-db{db_nodes}x1", job.client_nodes, job.clients_per_node),
        None => format!("colocated-n{}x{}-db1", job.client_nodes, job.clients_per_node),
    };
    let (bind, interface, transport, io) = (&job.cpu_bind, &job.net_ifname, job.transport, job.io_threads);
    let keys = if job.keys == KeyPlacement::Hash { "" } else { "-balanced" };
    manifest.name = format!("{place}-{bind}-{interface}-{transport}-io{io}{keys}-r{}", job.repeat);
    assert!(job.deployment == Deployment::Colocated || job.transport == Transport::Tcp);
    manifest
}

/// In every fourth run the second node is slow. Every 23rd run breaks off, every 29th fails, every 37th measured something else, every 41st never ran.
fn write(out: &Path, manifest: Manifest, index: usize) {
    let mut model = Model::new(manifest);
    model.slow_host = index.is_multiple_of(4).then_some(1);
    if index % 41 == 40 {
        model.generate(out);
    } else if index % 29 == 28 {
        let attempt = model.generate(out).join("attempt-1");
        std::fs::create_dir(&attempt).unwrap();
        std::fs::write(attempt.join("status"), CLIENT_FAILED).unwrap();
    } else if index % 37 == 36 {
        model.world_size /= 2;
        model.execute(out, 1, DONE);
    } else if index % 23 == 22 {
        model.sizes_done = 5;
        model.execute(out, 1, TIMED_OUT);
    } else {
        model.execute(out, 1, DONE);
    }
}
