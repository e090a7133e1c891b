//! The axes of the workload, each with every byte verified: dtypes and shapes, several tensors, pipelines, mixes, access
//! patterns, phases, the open loop, and the address that connections come from.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::time::Duration;

use common::stand_in::{Mischief, StandIn};
use common::{Redis, Run, cluster, samples};
use shardscale::record::manifest;
use shardscale::record::samples::SamplesFile;
use shardscale::record::vocabulary::{Dtype, Store, Wire};
use shardscale::record::workload::{PUT, UNPACK};

/// Runs with verification and gives the record.
fn verified(run: Run) -> (tempfile::TempDir, SamplesFile) {
    let attempt = tempfile::tempdir().unwrap();
    run.attempt(attempt.path()).flag("--verify").succeed();
    let file = samples(attempt.path());
    let contents = file.contents().unwrap();
    assert!(contents.ended && contents.torn.is_none());
    (attempt, file)
}

/// (rank, op, samples, of which warm-up) of each series of the first size.
fn counts(file: &SamplesFile) -> Vec<(u32, usize, usize, u32)> {
    let contents = file.contents().unwrap();
    let first = contents.series.iter().filter(|one| one.size_index == 0);
    first.map(|one| (one.rank, one.op, one.len(), one.warmup)).collect()
}

#[test]
fn every_dtype_and_shape_goes_over_both_wires() {
    let servers = [StandIn::start(true, Mischief::None), StandIn::start(false, Mischief::None)];
    for dtype in Dtype::ALL {
        for (server, wire) in servers.iter().zip([Wire::RedisAi, Wire::Plain]) {
            let run = Run::new(1, "64,8000").arg("--address", server.address()).arg("--dtype", dtype);
            let run = run.arg("--shape", "4xNx2").arg("--iterations", 3).arg("--payload", "random");
            let (_folder, file) = verified(run);
            let meta = file.contents().unwrap().meta.unwrap();
            assert_eq!((meta.workload.dtype, meta.wire), (*dtype, wire));
            assert_eq!(meta.workload.shape.to_string(), "4xNx2");
        }
    }
}

#[test]
fn the_tensors_of_a_rank_lie_on_several_shards_and_are_sent_ahead() {
    let shards = cluster();
    for (tensors, depth, order) in [(7, 1, "interleaved"), (7, 3, "interleaved"), (64, 64, "phases")] {
        let run = Run::new(2, "1KiB,256KiB").env("SSDB", &shards[2].address()).arg("--iterations", 5);
        let run = run.arg("--tensors", tensors).arg("--pipeline", depth).arg("--order", order);
        let (_folder, file) = verified(run);
        let n = tensors as usize * 7;
        let warmup = tensors * 2;
        assert_eq!(counts(&file), [0, 1].map(|rank| [(rank, PUT, n, warmup), (rank, UNPACK, n, warmup)]).concat());
        let contents = file.contents().unwrap();
        assert!(contents.ranks.iter().all(|rank| rank.shards == [0, 1, 2]), "{:?}", contents.ranks);
        for series in &contents.series {
            let starts: Vec<_> = series.samples().map(|(start, _)| start).collect();
            assert!(starts.is_sorted());
            let together = starts.windows(2).filter(|pair| pair[0] == pair[1]).count();
            assert_eq!(together > 0, depth > 1, "commands of one shard are sent in one go");
        }
    }
}

#[test]
fn pipelines_on_the_redisai_wire() {
    let server = StandIn::start(true, Mischief::None);
    let run = Run::new(2, "64KiB").arg("--address", server.address()).arg("--tensors", 16).arg("--pipeline", 16);
    verified(run.arg("--iterations", 5));
}

#[test]
fn a_mix_counts_its_puts_and_unpacks() {
    let redis = Redis::start(&[]);
    let run =
        |mix: &str| Run::new(1, "4KiB").arg("--address", redis.address()).arg("--iterations", 4).arg("--mix", mix);
    for (mix, due) in [
        ("1:0", vec![(0, PUT, 6, 2)]),
        ("0:1", vec![(0, UNPACK, 6, 2)]),
        ("2:3", vec![(0, PUT, 12, 4), (0, UNPACK, 18, 6)]),
    ] {
        assert_eq!(counts(&verified(run(mix)).1), due);
    }
    let output = run("0:1").succeed();
    let table = String::from_utf8(output.stdout).unwrap();
    assert_eq!(table.lines().nth(1).unwrap().split_whitespace().nth(3), Some("-"), "{table}");
}

#[test]
fn many_ranks_share_the_tensors_of_one() {
    let shards = cluster();
    let run = |access: &str| {
        let run = Run::new(3, "64KiB").env("SSDB", &shards[0].address()).arg("--iterations", 20).arg("--tensors", 2);
        run.arg("--access", access).arg("--payload", "random")
    };
    let all = |op| [0, 1, 2].map(|rank| (rank, op, 44, 4));
    let (_folder, file) = verified(run("one-to-many"));
    assert_eq!(counts(&file), [&[(0, PUT, 44, 4)][..], &all(UNPACK)].concat());
    let contents = file.contents().unwrap();
    assert!(contents.ranks.iter().all(|rank| rank.key.ends_with(":{throughput_rank_0}")), "{:?}", contents.ranks);
    let (_folder, file) = verified(run("many-to-one"));
    assert_eq!(counts(&file), [(0, PUT, 44, 4), (0, UNPACK, 44, 4), (1, PUT, 44, 4), (2, PUT, 44, 4)]);
}

#[test]
fn a_foreign_tensor_with_a_wrong_byte_is_noticed() {
    for (byte, said) in [(3, "the first bytes are not those of tensor 0 of rank 0"), (500, "byte 500 of 1024")] {
        let server = StandIn::start(true, Mischief::Corrupt { from: 9, byte });
        let run = Run::new(2, "1KiB").arg("--address", server.address()).arg("--access", "one-to-many");
        // rank 0 reads its own tensor, of which it knows the iteration
        let message = run.flag("--verify").fail();
        assert!(message.contains(said) || message.contains(&format!("byte {byte} of 1024")), "{message}");
    }
}

#[test]
fn phases_put_everything_before_they_unpack() {
    let redis = Redis::start(&[]);
    let run = Run::new(2, "1KiB,1MiB").arg("--address", redis.address()).arg("--order", "phases");
    let (_folder, file) = verified(run.arg("--iterations", 20));
    let contents = file.contents().unwrap();
    for size in contents.series.chunks(4) {
        let ends = size.iter().filter(|one| one.op == PUT).map(|one| one.samples().last().unwrap());
        let last_put = ends.map(|(start, duration)| start + duration.cast_signed()).max().unwrap();
        let first_unpack = size.iter().filter(|one| one.op == UNPACK).map(|one| one.base_ns).min().unwrap();
        assert!(last_put <= first_unpack, "the barrier lies between the phases");
    }
}

#[test]
fn in_an_open_loop_a_slow_reply_makes_the_following_ones_late() {
    let server = StandIn::start(true, Mischief::Slow { at: 20, by: Duration::from_millis(500) });
    let attempt = tempfile::tempdir().unwrap();
    let run = Run::new(1, "1KiB").attempt(attempt.path()).arg("--address", server.address()).arg("--iterations", 100);
    run.arg("--rate", 200).succeed();
    let file = samples(attempt.path());
    let contents = file.contents().unwrap();
    let put: Vec<_> = contents.series[0].samples().collect();
    let steps: Vec<_> = put.windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
    assert!(steps.iter().all(|step| *step == 10_000_000), "puts start every 10 ms, as intended: {steps:?}");
    assert!(put[10].1 >= 500_000_000, "{:?}", put[10]);
    // the one that was to start 250 ms after the slow one waited for the other half
    assert!((200_000_000..300_000_000).contains(&put[35].1), "{:?}", put[35]);
    assert!(put[90].1 < 100_000_000, "{:?}", put[90]);
}

#[test]
fn connections_leave_from_the_chosen_address() {
    let server = StandIn::start(true, Mischief::None);
    let run = Run::new(2, "1KiB").arg("--address", server.address()).arg("--source", "127.0.0.9");
    let (_folder, file) = verified(run);
    assert_eq!(file.contents().unwrap().meta.unwrap().source.as_deref(), Some("127.0.0.9"));
    let chosen = server.peers().iter().filter(|peer| peer.to_string() == "127.0.0.9").count();
    assert_eq!(chosen, 2, "{:?}", server.peers());
    let unknown = Run::new(1, "1KiB").arg("--address", server.address()).arg("--source", "hsn9").fail();
    assert!(unknown.contains("\"hsn9\"") && unknown.contains("lo (127.0.0.1)"), "{unknown}");
}

#[test]
fn a_store_that_others_use_is_left_as_it_was() {
    let redis = Redis::start(&[]);
    let mut others: redis::Connection = redis.connection();
    // SmartRedis's own name, with a value of another type
    redis::cmd("HSET").arg("throughput_rank_0").arg("a").arg(1).exec(&mut others).unwrap();
    let run = || Run::new(2, "1KiB").arg("--address", redis.address()).arg("--tensors", 2);
    run().succeed();
    assert_eq!(redis::cmd("KEYS").arg("*").query::<Vec<String>>(&mut others).unwrap(), ["throughput_rank_0"]);
    // two at once do not meet
    std::thread::scope(|scope| {
        let runs = ["1KiB", "2KiB"].map(|size| {
            scope.spawn(|| Run::new(1, size).arg("--address", redis.address()).arg("--iterations", 3000).succeed())
        });
        runs.into_iter().for_each(|run| drop(run.join().unwrap()));
    });
    assert_eq!(redis::cmd("DBSIZE").query::<u32>(&mut others), Ok(1));
    redis::cmd("CONFIG").arg("SET").arg("proto-max-bulk-len").arg("1mb").exec(&mut others).unwrap();
    let said = Run::new(1, "1KiB,1MiB").arg("--address", redis.address()).fail();
    assert!(said.contains("a tensor of 1 MiB does not fit the longest value that redis 7"), "{said}");
}

#[test]
fn a_store_of_another_product_is_refused_before_anything_is_measured() {
    let redis = Redis::start(&[]);
    let run_dir = tempfile::tempdir().unwrap();
    let mut manifest = manifest::example();
    manifest.job.store = Store::KeyDb;
    std::fs::write(run_dir.path().join(manifest::FILE), manifest.to_toml().unwrap()).unwrap();
    let attempt = run_dir.path().join("attempt-1");
    std::fs::create_dir(&attempt).unwrap();
    let said = Run::new(1, "1KiB").attempt(&attempt).arg("--address", redis.address()).fail();
    assert!(said.contains("the store is redis 7") && said.contains("the run asks for keydb"), "{said}");
    assert!(said.contains("generate it with --store redis") && !attempt.join("samples.bin").exists(), "{said}");
}
