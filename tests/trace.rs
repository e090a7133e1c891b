//! `collect --trace`: the time line of each run as trace events, and `hosts.csv`: which nodes are slow in many runs.

#![allow(clippy::unwrap_used)] // clippy takes #[test] functions alone for tests, not their helpers

mod collect_support;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use collect_support::{CLIENT_FAILED, DONE, Model, old_session, permutation};
use serde_json::{Value, json};
use shardscale::record::samples::{self, SamplesFile};

const RUN: &str = "standard-n8x4-db3x1-none-hsn0-tcp-r1";

/// What a user types; exit code 3 says that something needs a look.
fn collect(tree: &Path) {
    let status =
        Command::new(env!("CARGO_BIN_EXE_shardscale")).arg("collect").arg(tree).arg("--trace").output().unwrap();
    assert!(matches!(status.status.code(), Some(0 | 3)), "{}", String::from_utf8_lossy(&status.stderr));
}

fn trace(tree: &Path, run: &str) -> Value {
    serde_json::from_slice(&fs::read(tree.join("report/traces").join(format!("{run}.json"))).unwrap()).unwrap()
}

/// 8 nodes x 4 ranks, of which those of the fourth node take twice as long.
fn with_a_slow_host(repeat: u32) -> Model {
    let mut model = Model::new(permutation(8, Some(3), repeat));
    model.slow_host = Some(3);
    model
}

/// What "Trace Event Format" asks of the events that are used: <https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU>.
fn schema() -> Value {
    let event = |phase: &str, required: &[&str], more: Value| {
        let mut properties = json!({
            "ph": {"const": phase}, "name": {"type": "string", "minLength": 1}, "cat": {"type": "string"},
            "pid": {"type": "integer", "minimum": 1}, "tid": {"type": "integer", "minimum": 0}, "args": {"type": "object"},
        });
        properties.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let required = [&["ph", "name", "pid", "tid"], required].concat();
        json!({
            "type": "object", "properties": properties, "additionalProperties": false,
            "required": required,
        })
    };
    let time = json!({"type": "number", "minimum": 0});
    json!({
        "type": "object",
        "required": ["traceEvents"],
        "properties": {
            "displayTimeUnit": {"enum": ["ms", "ns"]},
            "otherData": {"type": "object"},
            "traceEvents": {"type": "array", "items": {"oneOf": [
                event("X", &["cat", "ts", "dur"], json!({"ts": time, "dur": time})),
                event("i", &["cat", "ts", "s"], json!({"ts": time, "s": {"enum": ["g", "p", "t"]}})),
                event("M", &["args"], json!({
                    "name": {"enum": ["process_name", "thread_name", "process_sort_index", "thread_sort_index"]},
                })),
            ]}},
        },
    })
}

fn events(trace: &Value) -> &Vec<Value> {
    trace["traceEvents"].as_array().unwrap()
}

/// Names of processes or threads, in the order in which a reader sees them.
fn names(trace: &Value, what: &str) -> Vec<String> {
    let metadata = |name: String| events(trace).iter().filter(move |event| event["name"] == name.as_str());
    let place = |named: &Value| {
        let mut places = metadata(format!("{what}_sort_index"));
        let place = places.find(|event| (&event["pid"], &event["tid"]) == (&named["pid"], &named["tid"])).unwrap();
        place["args"]["sort_index"].as_i64().unwrap()
    };
    let mut found: Vec<_> = metadata(format!("{what}_name"))
        .map(|event| (place(event), event["args"]["name"].as_str().unwrap().to_owned()))
        .collect();
    found.sort();
    found.into_iter().map(|(_, name)| name).collect()
}

#[test]
fn a_trace_is_what_perfetto_reads_and_holds_every_rank_at_every_size() {
    let tree = tempfile::tempdir().unwrap();
    let attempt = with_a_slow_host(1).execute(tree.path(), 1, DONE);
    collect(tree.path());
    let trace = trace(tree.path(), RUN);
    let validator = jsonschema::validator_for(&schema()).unwrap();
    let wrong: Vec<String> =
        validator.iter_errors(&trace).take(3).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert_eq!(wrong, Vec::<String>::new());
    let mut twisted = trace.clone();
    twisted["traceEvents"][0]["ph"] = json!("Z");
    assert!(!validator.is_valid(&twisted));

    // no two threads share a number, and each that has slices has a name
    let pairs = |phase: &str| -> BTreeSet<(u64, u64)> {
        let of_phase = events(&trace).iter().filter(|event| event["ph"] == phase && event["tid"] != 0);
        of_phase.map(|event| (event["tid"].as_u64().unwrap(), event["pid"].as_u64().unwrap())).collect()
    };
    let named = pairs("M");
    assert_eq!(named.iter().map(|(tid, _)| tid).collect::<BTreeSet<_>>().len(), named.len());
    assert!(pairs("X").is_subset(&named));

    // 6 sizes of 32 ranks, as they stand in the samples
    let contents = SamplesFile::open(&attempt.join(samples::FILE)).unwrap().unwrap();
    let contents = contents.contents().unwrap();
    let rank_5 = contents.series.iter().filter(|series| series.rank == 5 && series.size_index == 1);
    let timed: Vec<(i64, u64)> =
        rank_5.flat_map(|series| series.samples().skip(series.warmup as usize).collect::<Vec<_>>()).collect();
    let first = timed.iter().map(|(start, _)| *start).min().unwrap();
    let last = timed.iter().map(|(start, ns)| start + *ns as i64).max().unwrap();
    // the job began 4 s before the ranks' clock
    let (ts, dur) = (4e6 + first as f64 / 1e3, (last - first) as f64 / 1e3);
    let slices = || events(&trace).iter().filter(|event| event["ph"] == "X" && event["cat"] == "size");
    assert_eq!(slices().count(), 6 * 32 + 6);
    let near = |value: &Value, due: f64| (value.as_f64().unwrap() - due).abs() < 0.01;
    let found: Vec<_> = slices().filter(|event| near(&event["ts"], ts) && near(&event["dur"], dur)).collect();
    assert_eq!(found.len(), 1);
    assert_eq!((&found[0]["name"], &found[0]["args"]["put_tensor_samples"]), (&json!("8 KiB"), &json!(30)));

    let processes = names(&trace, "process");
    assert_eq!(processes.len(), 9);
    assert_eq!(processes[0], RUN);
    assert!(processes[1].starts_with("cn0003 (straggles: "), "{processes:?}");
    let threads = names(&trace, "thread");
    assert!(threads[..4].iter().all(|name| name.contains("straggles")), "{threads:?}");
    let phases: Vec<_> =
        events(&trace).iter().filter(|event| event["cat"] == "phase").map(|one| &one["name"]).collect();
    assert_eq!(phases, ["prepare", "start", "serve", "launch", "connect", "measure", "end"]);
    assert!(events(&trace).iter().any(|event| event["ph"] == "i" && event["args"]["detail"] == "job=7 host=cn1"));
}

#[test]
fn runs_without_samples_have_what_their_script_noted_and_those_without_times_have_no_trace() {
    let tree = tempfile::tempdir().unwrap();
    let failed = Model::new(permutation(4, Some(3), 1));
    let attempt = failed.generate(tree.path()).join("attempt-1");
    fs::create_dir(&attempt).unwrap();
    fs::write(attempt.join("status"), CLIENT_FAILED).unwrap();
    let missing = Model::new(permutation(2, Some(3), 1));
    missing.generate(tree.path());
    old_session(tree.path(), "sess-1");
    collect(tree.path());
    let found: Vec<_> =
        fs::read_dir(tree.path().join("report/traces")).unwrap().map(|one| one.unwrap().file_name()).collect();
    assert_eq!(found, [format!("{}.json", failed.manifest.name).as_str()]);
    let trace = trace(tree.path(), &failed.manifest.name);
    assert!(jsonschema::is_valid(&schema(), &trace));
    let words: Vec<_> = events(&trace).iter().filter(|event| event["ph"] == "i").map(|one| &one["name"]).collect();
    assert_eq!(words, ["started", "failed"]);
}

#[test]
fn clocks_that_disagree_are_told_and_leave_no_time_below_zero() {
    let tree = tempfile::tempdir().unwrap();
    let attempt = Model::new(permutation(8, Some(3), 1)).execute(tree.path(), 1, DONE);
    let late = fs::read_to_string(attempt.join("status")).unwrap().replace("17664", "17665");
    fs::write(attempt.join("status"), late).unwrap();
    collect(tree.path());
    let trace = trace(tree.path(), RUN);
    assert!(jsonschema::is_valid(&schema(), &trace));
    // 100,000 s later than the ranks' clock has it, less the second from the client's start to zero
    assert_eq!(trace["otherData"]["clocks_disagree_by_s"], json!(99_999.0));
    let page = fs::read_to_string(tree.path().join("report/report.html")).unwrap();
    assert!(page.contains(",\"off\":99999}"), "the page says nothing of it");
}

#[test]
fn a_host_that_is_slow_in_many_runs_stands_first() {
    let tree = tempfile::tempdir().unwrap();
    for repeat in 1..=3 {
        with_a_slow_host(repeat).execute(tree.path(), 1, DONE);
    }
    // four hosts: nobody is judged
    Model::new(permutation(4, Some(3), 1)).execute(tree.path(), 1, DONE);
    collect(tree.path());
    let csv = fs::read(tree.path().join("report/hosts.csv")).unwrap();
    let rows: Vec<csv::StringRecord> = csv::Reader::from_reader(&csv[..]).records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 8);
    assert_eq!(rows[0].iter().take(4).collect::<Vec<_>>(), ["cn0003", "4", "3", "3"]);
    let most: f64 = rows[0][5].parse().unwrap();
    assert!((1.9..2.1).contains(&most) && rows[0][6].starts_with("standard-n8x4"), "{:?}", rows[0]);
    // the rest by how slow they are: (2 x 2 x 2 x 1) ^ (1/4) is the slow one's mean
    let means: Vec<f64> = rows.iter().map(|row| row[4].parse().unwrap()).collect();
    assert!((means[0] - 8f64.powf(0.25)).abs() < 0.05, "{means:?}");
    assert!(means[1..].is_sorted_by(|a, b| a >= b) && means[1] < 1.1, "{means:?}");
    assert!(rows[1..].iter().all(|row| &row[3] == "0"));
}
