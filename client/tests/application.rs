//! Ranks that compute between their transfers: against a real server, in every order of things, and by the commands of a user.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};

use common::{CLIENT, Redis, Run, free_port, samples, text};
use shardscale::record::samples::{Contents, Meta, SeriesView};
use shardscale::record::vocabulary::Side;

const ASKED_NS: u64 = 4_000_000;

/// Ranks and servers of several tests would take each other's cores while they calibrate: one test at a time.
static MACHINE: Mutex<()> = Mutex::new(());

fn machine() -> MutexGuard<'static, ()> {
    // a test that failed has poisoned it, and harmed nothing
    MACHINE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn measured(attempt: &Path, args: &[(&str, &str)]) {
    let _machine = machine();
    let redis = Redis::start(&[]);
    let run = Run::new(2, "1KiB,256KiB").attempt(attempt).arg("--address", redis.address()).arg("--compute", "4ms");
    let run = run.arg("--iterations", 12).arg("--warmup", 2);
    args.iter().fold(run, |run, (flag, value)| run.arg(flag, value)).succeed();
}

fn series<'a>(contents: &'a Contents<'_>, meta: &Meta, rank: u32, size: u32, op: &str) -> &'a SeriesView<'a> {
    let of = |one: &&SeriesView<'_>| one.rank == rank && one.size_index == size && meta.ops[one.op].name.as_str() == op;
    contents.series.iter().find(of).unwrap_or_else(|| panic!("{op} of rank {rank} at size {size}"))
}

/// Most calls of a busy machine's rank may take longer, the quickest not ten times as long; and they do not take a tenth.
fn is_about_asked(one: &SeriesView<'_>) {
    let mut durations: Vec<u64> = one.durations_ns().collect();
    durations.sort_unstable();
    let (quickest, median) = (durations[0], durations[durations.len() / 2]);
    assert!(quickest < ASKED_NS * 10 && median > ASKED_NS / 10, "{quickest} ns, median {median} ns, of {ASKED_NS}");
}

#[test]
fn what_is_computed_stands_between_the_transfers_and_in_none_of_them() {
    for (kernel, barrier) in [("spin", "iteration"), ("stream", "none")] {
        let attempt = tempfile::tempdir().unwrap();
        measured(attempt.path(), &[("--compute-kernel", kernel), ("--barrier", barrier)]);
        let file = samples(attempt.path());
        let contents = file.contents().unwrap();
        let meta = contents.meta.clone().unwrap();
        let compute = meta.compute.unwrap();
        assert_eq!((compute.array_bytes > 0, compute.alone_calls), (kernel == "stream", 250));
        assert!(contents.ended && compute.repetitions > 0);
        let alone: Vec<_> = contents.alone.iter().map(|one| (one.rank, meta.ops[one.op].side, one.len())).collect();
        assert_eq!(alone, [0, 1].map(|rank| (rank, Side::Alone, 250)));
        contents.alone.iter().for_each(is_about_asked);
        for (rank, size) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
            let of = |op| series(&contents, &meta, rank, size, op);
            let computed = of("compute");
            is_about_asked(computed);
            assert_eq!((computed.len(), computed.warmup), (14, 2));
            let mut all: Vec<(i64, u64)> =
                ["put_tensor", "unpack_tensor", "compute"].iter().flat_map(|op| of(op).samples()).collect();
            all.sort_unstable();
            assert!(all.windows(2).all(|two| two[0].0.saturating_add_unsigned(two[0].1) <= two[1].0), "{all:?}");
            let (last_alone, ns) = contents.alone[rank as usize].samples().last().unwrap();
            assert!(last_alone.saturating_add_unsigned(ns) <= all[0].0, "alone is before the first transfer");
        }
        // the time of the loop is what is left of it
        let of = |op| series(&contents, &meta, 1, 0, op);
        let computed: u64 = of("compute").durations_ns().skip(2).sum();
        let (first, _) = of("put_tensor").samples().nth(2).unwrap();
        let (last, ns) = of("compute").samples().last().unwrap();
        let span = (last - first).cast_unsigned() + ns;
        let both = of("compute").loop_ns + computed;
        assert!((span..span + computed / 2).contains(&both), "{both} of {span}, {computed} computed");
    }
}

#[test]
fn the_schedule_of_an_open_loop_stands_still_meanwhile() {
    let attempt = tempfile::tempdir().unwrap();
    measured(attempt.path(), &[("--rate", "500")]);
    let file = samples(attempt.path());
    let contents = file.contents().unwrap();
    let meta = contents.meta.clone().unwrap();
    // of rank 1: rank 0 reports as well, which is no part of the schedule either
    let of = |op| series(&contents, &meta, 1, 0, op).samples().collect::<Vec<_>>();
    let (puts, unpacks, computed) = (of("put_tensor"), of("unpack_tensor"), of("compute"));
    for iteration in 0..13 {
        let step = puts[iteration + 1].0 - unpacks[iteration].0 - computed[iteration].1.cast_signed();
        assert_eq!(step, 2_000_000, "an interval and what was computed lie between two starts");
        assert_eq!(unpacks[iteration].0 - puts[iteration].0, 2_000_000);
    }
}

#[test]
fn each_phase_has_an_op_of_its_own() {
    let attempt = tempfile::tempdir().unwrap();
    measured(attempt.path(), &[("--order", "phases"), ("--tensors", "2"), ("--pipeline", "2")]);
    let file = samples(attempt.path());
    let contents = file.contents().unwrap();
    let meta = contents.meta.clone().unwrap();
    let of = |op| series(&contents, &meta, 1, 1, op).samples().collect::<Vec<_>>();
    assert_eq!(
        ["put_tensor", "compute_puts", "unpack_tensor", "compute_unpacks"].map(|op| of(op).len()),
        [28, 14, 28, 14]
    );
    assert!(of("compute_puts")[13].0 < of("unpack_tensor")[0].0 && of("put_tensor")[27].0 < of("compute_unpacks")[0].0);
}

#[test]
fn without_a_folder_the_table_tells_them_apart() {
    let _machine = machine();
    let redis = Redis::start(&[]);
    let run = Run::new(1, "1KiB").arg("--address", redis.address()).arg("--compute", "1ms").arg("--iterations", 5);
    let output = run.succeed();
    let table = String::from_utf8_lossy(&output.stdout).into_owned();
    let lines: Vec<&str> = table.lines().collect();
    assert!(lines[0].contains("compute_median_us") && !lines[0].contains("alone"), "{table}");
    assert!(lines[1].ends_with(" -"), "no bandwidth is told where most of the time is another's: {table}");
    assert!(lines[2].starts_with("compute_alone_median_us "), "{table}");
    assert!(text(&output).contains("spin alone takes"), "{}", text(&output));
}

#[test]
fn a_colocated_study_tells_the_slowdown_by_the_commands_of_a_user() {
    let _machine = machine();
    let folder = tempfile::tempdir().unwrap();
    let network = format!("[network]\ndb_port = {}\n\n[scratch]", free_port());
    let site = include_str!("../../site-configs/local.toml").replace("[scratch]", &network);
    fs::write(folder.path().join("site.toml"), site).unwrap();
    let shardscale = Path::new(CLIENT).with_file_name("shardscale");
    let run = |program: &Path, args: &[&str]| {
        let output = Command::new(program).args(args).current_dir(folder.path()).output().unwrap();
        assert!(output.status.success(), "{args:?}: {}", text(&output));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let words = "gen --site=./site.toml --deployment=colocated --transport=uds --clients-per-node=2 --tensor-bytes=1KiB,1MiB --iterations=20 \
        --compute=5ms --compute-kernel=stream";
    let gen_words: Vec<&str> = words.split_whitespace().chain(["--client", CLIENT]).collect();
    let made = run(&shardscale, &gen_words);
    let script = made.split_whitespace().last().unwrap();
    assert!(script.ends_with("-uds-compute5ms-stream-r1.sh") && made.lines().count() == 1, "{made}");
    run(Path::new("bash"), &[script]);
    let said = run(&shardscale, &["collect", "out"]);
    assert!(said.contains("The application beside the store") && said.contains("in transfers"), "{said}");
    let table = fs::read_to_string(folder.path().join("out/report/application.csv")).unwrap();
    let mut reader = csv::Reader::from_reader(table.as_bytes());
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 2, "{table}");
    for row in &rows {
        let number = |at: usize| row[at].parse::<f64>().unwrap();
        let (median, alone, slowdown, share) = (number(7), number(8), number(9), number(12));
        assert!((slowdown - median / alone).abs() < 1e-3 && (0.05..50.0).contains(&slowdown), "{table}");
        assert!(number(10) <= number(11) && (0.0..1.0).contains(&share), "{table}");
    }
}
