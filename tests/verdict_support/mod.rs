//! Studies in which it is known what decides.
#![allow(dead_code)] // each test binary uses its own part

use std::path::Path;

use shardscale::record::vocabulary::KeyPlacement;

use crate::collect_support::{DONE, Model, permutation};

/// Two sizes, and noise of its own for each repeat.
pub fn run(client_nodes: u32, db_nodes: Option<u32>, repeat: u32) -> Model {
    let mut manifest = permutation(client_nodes, db_nodes, repeat);
    manifest.sweep.tensor_bytes = vec![1024, 1 << 20];
    Model { seed: u64::from(repeat), ..Model::new(manifest) }
}

/// Writes the run under a name that begins with `name`.
pub fn write(mut model: Model, out: &Path, name: &str) {
    let job = &model.manifest.job;
    model.seed = model.seed * 31 + u64::from(name.bytes().map(u32::from).sum::<u32>());
    model.manifest.name = format!("{name}-n{}x4-r{}", job.client_nodes, job.repeat);
    model.execute(out, 1, DONE);
}

/// Fewer I/O threads take 1.3 times as long, the placement of keys does nothing; under two loads.
pub fn settings(out: &Path, repeats: u32) {
    for client_nodes in [2, 8] {
        for io_threads in [1, 4] {
            for keys in [KeyPlacement::Hash, KeyPlacement::Balanced] {
                for repeat in 1..=repeats {
                    let mut model = run(client_nodes, Some(2), repeat);
                    (model.manifest.job.io_threads, model.manifest.job.keys) = (io_threads, keys);
                    model.slowdown = if io_threads == 1 { 1.3 } else { 1.0 };
                    write(model, out, &format!("io-{keys}-io{io_threads}"));
                }
            }
        }
    }
}

/// Standard over 4 DB nodes is better for few clients, colocated for many.
pub fn crossing(out: &Path, repeats: u32) {
    for client_nodes in [1, 2, 4, 8, 16] {
        for repeat in 1..=repeats {
            write(run(client_nodes, Some(4), repeat), out, "standard");
            let colocated = Model { slowdown: 1.8, ..run(client_nodes, None, repeat) };
            write(colocated, out, "colocated");
        }
    }
}

/// A collection of one configuration, three repeats, on its day; `change` says what is different then.
pub fn collection(out: &Path, day: u64, change: impl Fn(&mut Model)) {
    for repeat in 1..=3 {
        let mut model = run(2, Some(2), repeat);
        model.day = day;
        change(&mut model);
        model.seed += 100 * day;
        write(model, out, "standard");
    }
}
