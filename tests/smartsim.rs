//! SmartSim-Scaling's result trees as its users have them, beside our own.

#![allow(clippy::unwrap_used)] // clippy takes #[test] functions alone for tests, not their helpers

mod collect_support;

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use collect_support::{DONE, Model, permutation};
use shardscale::collect::collection::Collection;
use shardscale::collect::model::{Source, State};
use shardscale::collect::{self, CollectOptions};

const RANKS: u32 = 6;
const ITERATIONS: u32 = 40;

/// Writes a session with all ranks and returns its folder; `name` is that of its client's run.
fn session(root: &Path, name: &str, attributes: &str) -> PathBuf {
    let dir = root.join("results/throughput/run-2023-07-05-21:26:18").join(name);
    fs::create_dir_all(&dir).unwrap();
    let config = format!(
        "[run]\nname = run-2023\npath = /lus/x\nsmartsim_version = 0.4.2\ndb = redis\n\n[attributes]\n{attributes}\
         client_total = {RANKS}\nclient_per_node = 3\nclient_nodes = 2\ndatabase_cpus = 8\n\
         iterations = {ITERATIONS}\nlanguage = cpp\n"
    );
    fs::write(dir.join("run.cfg"), config).unwrap();
    fs::write(dir.join("throughput.out"), "noise\n").unwrap();
    for rank in 0..RANKS {
        fs::write(timing(&dir, rank), timings(rank)).unwrap();
    }
    dir
}

fn standard(root: &Path, name: &str, bytes: u64) -> PathBuf {
    session(root, name, &format!("colocated = 0\ndatabase_nodes = 16\ntensor_bytes = {bytes}\n"))
}

fn timing(dir: &Path, rank: u32) -> PathBuf {
    dir.join(format!("rank_{rank}_timing.csv"))
}

/// put_tensor takes 100 us, 101 us, ..; unpack_tensor twice that; the loop 20 ms.
fn timings(rank: u32) -> String {
    let mut text = format!("{rank},client(),1.234\n");
    for i in 0..ITERATIONS {
        let put = 100e-6 + f64::from(i) * 1e-6;
        writeln!(text, "{rank},put_tensor,{put:.6}\n{rank},unpack_tensor,{:.6}", 2.0 * put).unwrap();
    }
    writeln!(text, "{rank},loop_time,0.02\n{rank},main(),2.5").unwrap();
    text
}

fn gather(root: &Path) -> Collection {
    collect::gather(root, &root.join("report")).unwrap()
}

#[test]
fn a_whole_session_gives_the_figures_done_by_hand() {
    let root = tempfile::tempdir().unwrap();
    standard(root.path(), "throughput-sess-cpp-N2-T3-DBN16-DBCPU8-ITER40-TB1026-ab12", 1026);
    let collection = gather(root.path());
    assert!(collection.problems.is_empty(), "{:?}", collection.problems);
    let run = &collection.runs[0];
    assert_eq!((run.source, run.state, run.reason.as_str()), (Source::SmartSimScaling, State::Done, ""));
    assert_eq!((run.params.text("db_nodes"), run.params.text("client_nodes")), ("16".into(), "2".into()));
    let size = &run.sizes()[0];
    // 1026 bytes are 256 float32 and a rest that was never sent
    assert_eq!(size.payload_bytes, 1024);
    assert_eq!(run.notes, ["its client sent 1 KiB, not the 1026 B that were asked for"]);
    assert_eq!(size.ops.iter().map(|op| op.latency.n).collect::<Vec<_>>(), [240, 240]);
    // the middle of 100 .. 139 us, and twice that
    assert_eq!(size.ops.iter().map(|op| op.latency.median).collect::<Vec<_>>(), [119_500.0, 239_000.0]);
    assert_eq!(size.ops[0].latency.min, 100_000);
    // six keys by name on 16 shards
    let per_shard = &run.measured.as_ref().unwrap().ranks_per_shard;
    assert_eq!((per_shard.len(), per_shard.iter().sum::<u32>()), (16, RANKS));
    // 6 ranks x 1024 bytes x 40 / 20 ms
    assert!((size.classic_gb_per_s.unwrap() - 6.0 * 1024.0 * 40.0 / 20e6).abs() < 1e-12);
    assert_eq!((size.overlap_gb_per_s, size.window_ns), (None, None));
    let best = run.best().unwrap();
    assert_eq!((best.payload_bytes, Some(best.gb_per_s), best.is_classic), (1024, size.classic_gb_per_s, true));
}

#[test]
fn missing_ranks_torn_lines_and_junk_are_told_and_give_no_sum_over_all_ranks() {
    let root = tempfile::tempdir().unwrap();
    let dir = standard(root.path(), "sess-broken", 4096);
    fs::remove_file(timing(&dir, 2)).unwrap();
    let whole = timings(4);
    let cut = whole.rfind("unpack_tensor,").unwrap() + "unpack_tensor,0.00".len();
    fs::write(timing(&dir, 4), &whole[..cut]).unwrap();
    fs::write(timing(&dir, 5), format!("rank,function,seconds\n{}srun: error: task 5\n\0\0", timings(5))).unwrap();
    let collection = gather(root.path());
    let run = &collection.runs[0];
    assert_eq!(run.state, State::Partial);
    assert_eq!(
        run.reason,
        "1 of 6 ranks have no file, such as rank 2; 1 of 6 ranks do not have 40 samples of each operation and a loop \
         time, such as rank 4"
    );
    assert_eq!(run.notes, ["4 lines in 2 files are no timings and were left out"]);
    let size = &run.sizes()[0];
    assert_eq!(size.ops.iter().map(|op| (op.ranks, op.latency.n)).collect::<Vec<_>>(), [(5, 200), (5, 199)]);
    assert_eq!(size.classic_gb_per_s, None);
    assert_eq!(run.measured.as_ref().unwrap().ranks, 5);
}

#[test]
fn sessions_without_timings_and_odd_ones_are_named() {
    let root = tempfile::tempdir().unwrap();
    let empty = standard(root.path(), "a-empty", 1024);
    (0..RANKS).for_each(|rank| fs::remove_file(timing(&empty, rank)).unwrap());
    let junk = standard(root.path(), "b-junk", 1024);
    (0..RANKS).for_each(|rank| fs::write(timing(&junk, rank), b"\xff\xfe\n").unwrap());
    session(root.path(), "c-odd", "tensor_bytes = 1024\nbatch_size = 96\nnum_devices = 99999999999\n");
    session(root.path(), "d-odd", "tensor_bytes = lots\n");
    let collection = gather(root.path());
    let states: Vec<_> = collection.runs.iter().map(|run| (run.name.as_str(), run.state)).collect();
    assert_eq!(states, [("a-empty", State::Missing), ("b-junk", State::Failed)]);
    assert!(collection.runs[1].reason.starts_with("no put_tensor or unpack_tensor in 6 files"));
    let problems: Vec<_> = collection.problems.iter().map(|p| p.what.as_str()).collect();
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(problems[0].contains("num_devices = 99999999999 is out of range"), "{problems:?}");
    assert!(problems[1].contains("tensor_bytes = \"lots\" is not a whole number"), "{problems:?}");
}

#[test]
fn sessions_of_the_same_are_numbered() {
    let root = tempfile::tempdir().unwrap();
    for (name, bytes) in [("a", 1024), ("b", 4096), ("c", 1024)] {
        standard(root.path(), name, bytes);
    }
    let runs = gather(root.path()).runs;
    let numbers: Vec<_> = runs.iter().map(|run| (run.name.as_str(), run.params.text("repeat"))).collect();
    assert_eq!(numbers, [("a", "1".to_owned()), ("b", "1".to_owned()), ("c", "2".to_owned())]);
}

#[test]
fn old_and_new_stand_in_one_report_which_is_the_same_twice() {
    let root = tempfile::tempdir().unwrap();
    standard(root.path(), "throughput-sess-cpp-1k", 1024);
    standard(root.path(), "throughput-sess-cpp-64k", 65536);
    session(root.path(), "throughput-sess-colo-cpp", "colocated = 1\ncustom_pinning = True\ntensor_bytes = 1024\n");
    Model::new(permutation(2, Some(3), 1)).execute(root.path(), 1, DONE);
    let report = |name: &str| fs::read(root.path().join("report").join(name)).unwrap();
    let names = ["results.csv", "runs.csv", "summary.md", "report.html"];
    let mut passes = Vec::new();
    for _ in 0..2 {
        let collected = collect::run(&CollectOptions::of(root.path().to_owned()), &|_, _, _| {}).unwrap();
        assert!(collected.all_good, "{}", collected.summary);
        assert!(collected.summary.lines().all(|line| line.chars().count() <= 100), "{}", collected.summary);
        assert!(collected.summary.contains("64 KiB classic\n"), "{}", collected.summary);
        passes.push(names.map(report));
    }
    assert!(passes[0] == passes[1], "the second report differs");
    let page = String::from_utf8_lossy(&passes[0][3]).into_owned();
    let csv = String::from_utf8_lossy(&passes[0][0]).into_owned();
    for name in ["throughput-sess-cpp-1k", "throughput-sess-cpp-64k", "throughput-sess-colo-cpp", "standard-n2x4"] {
        assert!(page.contains(name) && csv.contains(name), "{name}");
    }
}

#[test]
fn the_other_two_families_stand_under_our_names() {
    let root = tempfile::tempdir().unwrap();
    let write = |name: &str, attributes: &str, files: &[(u32, String)]| {
        let dir = root.path().join("results/run-2023").join(name);
        fs::create_dir_all(&dir).unwrap();
        let run = "[run]\nname = x\nsmartsim_version = 0.4.2\ndb = redis\n\n[attributes]\nclient_total = 4\nclient_per_node = 2\n\
                   client_nodes = 2\ndatabase_nodes = 3\ndatabase_cpus = 8\niterations = 2\nlanguage = cpp\n";
        fs::write(dir.join("run.cfg"), format!("{run}{attributes}")).unwrap();
        files.iter().for_each(|(rank, text)| fs::write(timing(&dir, *rank), text).unwrap());
    };
    let lists = "0,client(),0.1\n0,get_list,0.002\n0,poll_list,1.0\n0,get_list,0.004\n0,poll_list,1.5\n0,loop_time,5\n0,main(),6\n";
    let attributes = "tensor_bytes = 1024\nt_per_dataset = 2\n";
    write("aggregate-sess-prod-cpp-N2-T2", attributes, &[]);
    write("aggregate-sess-cons-cpp-N2-T2", &format!("{attributes}client_threads = 8\n"), &[(0, lists.into())]);
    let images = |rank: u32| {
        let one = format!(
            "{rank},put_tensor,0.001\n{rank},run_script,0.002\n{rank},run_model,0.03\n{rank},unpack_tensor,0.0005\n"
        );
        format!("{}{rank},loop_time,0.067\n", one.repeat(2))
    };
    let gpu = "colocated = 0\nbatch_size = 1000\ndevice = GPU\nnum_devices = 2\ndatabase_threads_per_queue = 4\n";
    write("infer-sess-cpp-N2-T2", gpu, &[0, 1, 2, 3].map(|rank| (rank, images(rank))));
    // the folder of all sessions has a run.cfg of lists
    fs::write(
        root.path().join("results/run-2023/run.cfg"),
        "[attributes]\nclient_nodes = [2, 4]\nbatch_size = [1000]\n",
    )
    .unwrap();

    let collection = gather(root.path());
    assert!(collection.problems.is_empty(), "{:?}", collection.problems);
    let of = |name: &str| collection.runs.iter().find(|run| run.name.starts_with(name)).unwrap();
    assert_eq!(collection.runs.len(), 2, "producers leave no timings");
    let consumer = of("aggregate-sess-cons");
    assert_eq!((consumer.state, consumer.reason.as_str()), (State::Done, ""));
    let params = ["workload", "producers", "consumer_threads", "tensors"].map(|column| consumer.params.text(column));
    assert_eq!(params, ["aggregation", "4", "8", "2"]);
    let size = &consumer.sizes()[0];
    let ops: Vec<_> = size.ops.iter().map(|op| (op.op.as_str(), op.latency.median / 1e6)).collect();
    assert_eq!(ops, [("poll_list_length", 1250.0), ("get_datasets_from_list", 3.0)]);
    // 4 producers x 2 tensors x 1024 bytes in 3 ms
    assert!((size.ops[1].median_gb_per_s.unwrap() - 8.0 * 1024.0 / 3e6).abs() < 1e-9);
    assert_eq!((size.classic_gb_per_s, size.overlap_gb_per_s), (None, None));
    let infer = of("infer-sess");
    assert_eq!((infer.state, infer.sizes()[0].payload_bytes), (State::Done, 224 * 224 * 3 * 4));
    let params = ["workload", "model", "device", "devices", "batch_size", "queue_threads"]
        .map(|column| infer.params.text(column));
    assert_eq!(params, ["inference", "resnet50.pt", "gpu", "2", "1000", "4"]);
    let ops: Vec<_> = infer.sizes()[0].ops.iter().map(|op| (op.op.as_str(), op.latency.median / 1e3)).collect();
    assert_eq!(
        ops,
        [("put_tensor", 1000.0), ("run_script", 2000.0), ("run_model", 30_000.0), ("unpack_tensor", 500.0)]
    );
}
