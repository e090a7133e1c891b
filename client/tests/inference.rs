//! Inference: against the stand-in, whose answers a real RedisAI gave; and, ignored, against a real one.
//!
//! `SHARDSCALE_REDISAI=/path/redisai.so SHARDSCALE_MODEL=/path/model.pt SHARDSCALE_SCRIPT=/path/script.txt cargo test -p
//! shardscale-client --test inference -- --ignored`: the model takes float32 tensors {n, 256} and larger, the script has a `pre_process`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;

use common::stand_in::{MODEL, Mischief, StandIn};
use common::study::Study;
use common::{Redis, Run, client_error, samples, text};

/// Files of a model and a script, and a folder for an attempt.
struct Files {
    folder: tempfile::TempDir,
}

impl Files {
    fn new() -> Files {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("attempt")).unwrap();
        fs::write(folder.path().join("tiny.pt"), format!("{MODEL} of a test")).unwrap();
        fs::write(folder.path().join("pre.txt"), "def pre_process(x):\n    return x\n").unwrap();
        Files { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn run(&self, ranks: u32, server: &str) -> Run {
        Run::new(ranks, "1KiB,4KiB")
            .attempt(&self.path("attempt"))
            .arg("--address", server)
            .arg("--workload", "inference")
            .arg("--model", self.path("tiny.pt").display())
            .arg("--iterations", 10)
    }
}

#[test]
fn a_script_and_a_model_run_between_putting_and_unpacking() {
    for script in [false, true] {
        let (files, server) = (Files::new(), StandIn::start(true, Mischief::None));
        let run = files.run(3, &server.address());
        match script {
            true => run.arg("--script", files.path("pre.txt").display()).succeed(),
            false => run.succeed(),
        };
        let file = samples(&files.path("attempt"));
        let contents = file.contents().unwrap();
        let meta = contents.meta.unwrap();
        let ops: Vec<_> = meta.ops.iter().map(|op| (op.name.as_str(), op.tensors)).collect();
        let all = [("put_tensor", 1), ("run_script", 0), ("run_model", 0), ("unpack_tensor", 0)];
        let due: Vec<_> = all.into_iter().filter(|(name, _)| script || *name != "run_script").collect();
        assert_eq!(ops, due);
        assert_eq!(contents.series.len(), 2 * 3 * ops.len());
        assert!(contents.series.iter().all(|series| (series.len(), series.warmup) == (12, 2)));
        let model = meta.model.unwrap();
        // printf "model of a test" | sha256sum
        assert_eq!(model.model_sha256, "6bf2881b98b41cd1d50d4333ad9ef6b4b89ae18d711f23a92f704ce0a33116c2");
        assert_eq!(
            (model.output.as_str(), model.model_bytes, model.script_sha256.is_some()),
            ("float32 1x10", 15, script)
        );
        assert!(model.first_pass_ns > 0);
    }
}

#[test]
fn what_the_server_says_of_a_model_is_told_with_the_op() {
    for (args, op, needle) in [
        (&[("--model-backend", "onnx")][..], "store the model", "Could not load backend"),
        (&[("--device", "gpu")], "store the model", "GPU requested but Torch couldn't find CUDA"),
        (&[("--model", "pre.txt")], "store the model", "istream reader failed"),
        (&[("--script", "pre.txt"), ("--function", "other")], "run_script", "Function does not exist: other"),
        (&[("--tensor-bytes", "8")], "run_model", "failed in the TorchScript interpreter"),
        (&[("--model", "nowhere.pt")], "read the model", "do all nodes see it?"),
    ] {
        let (files, server) = (Files::new(), StandIn::start(true, Mischief::None));
        let usual = Run::new(1, args.iter().find(|(flag, _)| *flag == "--tensor-bytes").map_or("1KiB", |(_, it)| it));
        let mut run =
            usual.attempt(&files.path("attempt")).arg("--address", server.address()).arg("--workload", "inference");
        if args.iter().all(|(flag, _)| *flag != "--model") {
            run = run.arg("--model", files.path("tiny.pt").display());
        }
        for (flag, value) in args.iter().filter(|(flag, _)| *flag != "--tensor-bytes") {
            let is_file = ["--model", "--script"].contains(flag);
            run = run.arg(flag, if is_file { files.path(value).display().to_string() } else { (*value).to_owned() });
        }
        run.fail();
        let error = client_error(&files.path("attempt"));
        assert_eq!(error.op, op, "{args:?}: {error}");
        assert!(error.cause.contains(needle), "{args:?}: {}", error.cause);
    }
}

#[test]
fn a_model_that_fails_in_the_loop_is_told_with_size_and_iteration() {
    // put, run_model, unpack, and before them a first pass and one for the size
    let refuse = Mischief::Refuse { at: 6 + 3 * 4 + 1, error: "CUDA out of memory. Tried to allocate 2.00 GiB" };
    let (files, server) = (Files::new(), StandIn::start(true, refuse));
    files.run(1, &server.address()).fail();
    let error = client_error(&files.path("attempt"));
    assert_eq!((error.op.as_str(), error.iteration, error.payload_bytes), ("run_model", Some(4), Some(1024)));
    assert!(error.cause.contains("CUDA out of memory"), "{}", error.cause);
}

#[test]
fn a_store_without_redisai_is_named_with_the_remedy() {
    let (files, redis) = (Files::new(), Redis::start(&[]));
    let said = files.run(1, &redis.address()).fail();
    assert!(said.contains("a model runs in RedisAI") && said.contains("--load-module"), "{said}");
}

/// What a user of a real RedisAI gives.
fn given(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| panic!("set {variable}"))
}

#[test]
#[ignore = "needs a RedisAI that no registry has: see the head of this file"]
fn a_real_redisai_runs_a_real_model() {
    let [module, model, script] = ["SHARDSCALE_REDISAI", "SHARDSCALE_MODEL", "SHARDSCALE_SCRIPT"].map(given);
    let files = [format!("--load-module={module}"), format!("--model={model}"), format!("--script={script}")];
    let files = files.each_ref().map(String::as_str);
    for args in [
        &["--deployment=standard", "--db-nodes=3", "--keys=balanced"][..],
        &["--deployment=standard", "--db-nodes=1", "--queue-threads=2", "--rate=200"],
        &["--deployment=colocated", "--transport=uds", "--batch-size=4"],
    ] {
        let usual = ["--workload=inference", "--tensor-bytes=1KiB,64KiB", "--iterations=20", "--warmup=3"];
        let study = Study::new(&[&usual[..], &files, args].concat());
        let output = study.run();
        assert!(output.status.success(), "{args:?}: {}", text(&output));
        let (code, table) = study.collect();
        assert!(code == Some(0) && table.contains("1 run: 1 done"), "{args:?}: {table}");
        let path = study.folder.path().join("out/report/results.csv");
        let rows: Vec<HashMap<String, String>> =
            csv::Reader::from_path(path).unwrap().deserialize().map(Result::unwrap).collect();
        assert_eq!(rows.len(), 2 * 4, "{args:?}: sizes x ops");
        let page = std::fs::read_to_string(study.folder.path().join("out/report/report.html")).unwrap();
        assert!(page.contains("model_sha256") && page.contains("first_pass_ms"), "{args:?}: what ran is in no report");
        study.assert_nothing_left();
    }
}
