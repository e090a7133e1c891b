//! How fast `collect` is: by hand only, since a time says nothing on a shared machine.

#![allow(clippy::unwrap_used)] // clippy takes #[test] functions alone for tests, not their helpers

mod collect_support;

use std::time::Instant;

use collect_support::{DONE, Model, permutation};
use shardscale::collect::{self, CollectOptions};

/// 4 runs x 2048 ranks x 6 sizes x 2 ops x 102 iterations: 10.03 M samples.
#[test]
#[ignore = "prints a rate, for a look by hand; use --release"]
fn ten_million_samples() {
    let tree = tempfile::tempdir().unwrap();
    for repeat in 1..=4 {
        let mut manifest = permutation(512, Some(16), repeat);
        manifest.sweep.iterations = 100;
        Model::new(manifest).execute(tree.path(), 1, DONE);
    }
    let started = Instant::now();
    let collected = collect::run(&CollectOptions::of(tree.path().to_owned()), &|_, _, _| {}).unwrap();
    let seconds = started.elapsed().as_secs_f64();
    assert!(collected.all_good, "{}", collected.summary);
    let samples = 4.0 * 2048.0 * 6.0 * 2.0 * 102.0;
    println!("{:.2} M samples in {seconds:.2} s: {:.1} M/s", samples / 1e6, samples / 1e6 / seconds);
}
