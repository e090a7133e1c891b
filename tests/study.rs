//! Studies as a user meets them: study files, dry runs, budgets, and what generating again says and does.

#![allow(clippy::unwrap_used, reason = "helpers of tests may panic as tests may")]

mod gen_support;

use std::fs;
use std::path::{Path, PathBuf};

use gen_support::{Cli, assert_golden, stderr};

/// Writes `text` as `name` into the test's folder.
fn file(cli: &Cli, name: &str, text: &str) {
    fs::write(cli.folder.path().join(name), text).unwrap();
}

/// Everything below a folder with its bytes and times.
fn snapshot(folder: &Path) -> Vec<(PathBuf, Vec<u8>, std::time::SystemTime)> {
    let mut found = Vec::new();
    for entry in walkdir::WalkDir::new(folder).sort_by_file_name() {
        let entry = entry.unwrap();
        // the lock is nobody's result
        if entry.file_type().is_file() && !entry.file_name().to_string_lossy().starts_with(".shardscale") {
            let time = entry.metadata().unwrap().modified().unwrap();
            found.push((entry.path().to_owned(), fs::read(entry.path()).unwrap(), time));
        }
    }
    found
}

/// Makes a run look measured.
fn measure(cli: &Cli, name: &str) {
    let attempt = cli.out().join(name).join("attempt-1");
    fs::create_dir(&attempt).unwrap();
    fs::write(attempt.join("samples.bin"), "x").unwrap();
    fs::write(attempt.join("status"), "1 started\n2 done\n").unwrap();
}

const STUDY: &str = r#"
site = "frontier"
zip = [["client_nodes", "db_nodes"]]

[axes]
deployment = ["standard"]
client_nodes = [4, 8, 16]
db_nodes = [1, 2, 4]
iterations = 7

[job]
walltime = "00:20:00"

[set]
account = "abc123"

[[exclude]]
client_nodes = { min = 16 }

[[include]]
client_nodes = [64]
db_nodes = [16]
"#;

#[test]
fn a_study_file_names_everything_and_flags_win() {
    let cli = Cli::new();
    file(&cli, "mine.toml", STUDY);
    let made = cli.ok(&["--study=mine.toml"]);
    let names: Vec<&str> = made.lines().map(|line| line.rsplit('/').next().unwrap()).collect();
    let expected =
        ["n4x48-db1x8", "n8x48-db2x8", "n64x48-db16x8"].map(|part| format!("standard-{part}-mask-hsn0-tcp-r1.sh"));
    assert_eq!(names, expected);
    let script = fs::read_to_string(cli.out().join(names[0])).unwrap();
    for line in ["#SBATCH --time=00:20:00", "#SBATCH --account=abc123", "--iterations 7 "] {
        assert!(script.contains(line), "{line} in {script}");
    }
    let flags =
        cli.ok(&["--study=mine.toml", "--out=other", "--iterations=9", "--account=else", "--walltime=00:40:00"]);
    assert_eq!(flags.lines().count(), 3);
    let script = fs::read_to_string(cli.folder.path().join("other").join(names[0])).unwrap();
    for line in ["#SBATCH --time=00:40:00", "#SBATCH --account=else", "--iterations 9 "] {
        assert!(script.contains(line), "{line} in {script}");
    }
}

#[test]
fn the_resolved_study_generates_the_same_again() {
    let cli = Cli::new();
    file(&cli, "mine.toml", STUDY);
    cli.ok(&["--study=mine.toml", "--warmup=3", "--keys=balanced"]);
    let resolved = cli.out().join("study.toml");
    assert_golden("resolved-study.toml", &fs::read_to_string(&resolved).unwrap());
    fs::copy(&resolved, cli.folder.path().join("copy.toml")).unwrap();
    let again = cli.ok(&["--study=copy.toml"]);
    assert!(again.lines().count() == 3 && again.lines().all(|line| line.starts_with("unchanged ")), "{again}");
}

#[test]
fn wrong_study_files_name_file_key_and_what_is_allowed() {
    let cases: [(&str, &[&str]); 13] = [
        ("[axes]\nclient_node = [4]", &["mine.toml is wrong", "client_node", "client_nodes", "line 2"]),
        ("[axes]\nclient_nodes = [0]", &["--client-nodes 0 is out of range"]),
        ("[axes]\ntransport = [\"udp\"]", &["mine.toml is wrong", "\"udp\"", "allowed: tcp, uds"]),
        ("[axes]\ntensor_bytes = [\"1022\"]", &["1022", "1020 would be"]),
        ("zip = [[\"client_nodes\"]]", &["zip group 1 has 1 axis"]),
        ("zip = [[\"client_nodes\", \"iterations\"]]", &["zip names \"iterations\", which is no list"]),
        ("[[exclude]]\nclient_node = 4", &["exclude 1 names \"client_node\", which is no axis"]),
        ("[job]\nwalltime = \"2h\"", &["mine.toml is wrong", "2h", "HH:MM:SS"]),
        ("[job]\npack_seed = 7", &["the study file's --pack-seed has no effect", "--pack same"]),
        ("[job]\ndb_queue = \"debug\"", &["the study file's --db-queue has no effect", "--db-from job"]),
        ("[job]\ndb_hosts = [\"a\", \"a\"]", &["--db-hosts has \"a\" twice"]),
        ("[job]\ndirectives = [\"--time=9:0:0\"]", &["sets the wall time", "give --walltime"]),
        ("[set]\nacount = \"x\"", &["does not ask for \"acount\"", "account"]),
    ];
    for (text, needles) in cases {
        let cli = Cli::new();
        file(&cli, "mine.toml", text);
        let error = cli.fails(1, &["--site=frontier", "--study=mine.toml"]);
        for needle in needles {
            assert!(error.contains(needle), "{text:?} should say {needle:?}: {error}");
        }
        assert!(!cli.out().exists(), "{text:?} wrote something");
    }
    let cli = Cli::new();
    let unknown = cli.fails(1, &["--study=smartsim"]);
    assert!(
        unknown.contains(
            "\"smartsim\"; studies that ship: smartsim-aggregation, smartsim-colocated, smartsim-inference-colocated, "
        ),
        "{unknown}"
    );
    assert!(cli.fails(1, &["--study=./nowhere.toml"]).contains("cannot read the study file ./nowhere.toml"));
    file(&cli, "siteless.toml", "[axes]\nclient_nodes = [4]");
    assert!(cli.fails(1, &["--study=siteless.toml"]).contains("siteless.toml names no site: give --site"));
}

#[test]
fn the_studies_that_ship_generate() {
    let models = ["--model=/opt/resnet50.pt", "--script=/opt/pre.txt", "--load-module=/opt/redisai.so"];
    for (study, count) in [
        ("smartsim-standard", 18),
        ("smartsim-colocated", 4),
        ("smartsim-aggregation", 4),
        ("smartsim-inference-standard", 12),
        ("smartsim-inference-colocated", 4),
    ] {
        let cli = Cli::new();
        let of_study = if study.contains("inference") { &models[..] } else { &[] };
        let made = cli.ok(&[&[&*format!("--study={study}")], of_study].concat());
        assert_eq!(made.lines().count(), count, "{study}: {made}");
    }
    let cli = Cli::new();
    let without = cli.fails(1, &["--study=smartsim-inference-standard"]);
    assert!(without.contains("--workload inference needs --model"), "{without}");
}

#[test]
fn hostile_study_files_reach_no_shell() {
    for text in ["$(touch pwned)", "`touch pwned`", "a'b", "a;touch pwned", "a\\nb"] {
        for key in
            ["[set]\naccount", "[job]\nqueue", "[job]\nclient_constraint", "[job]\nstore_server", "[axes]\nnet_ifname"]
        {
            let cli = Cli::new();
            let value = if key.ends_with("ifname") { format!("[\"{text}\"]") } else { format!("\"{text}\"") };
            file(&cli, "mine.toml", &format!("{key} = {value}\n"));
            let output = cli.run(&["--site=frontier", "--study=mine.toml", "--client-nodes=4"]);
            if output.status.success() {
                // a path of the server is the one value that bash alone reads: it is quoted
                assert!(key.ends_with("store_server"), "{key} = {text}: {}", stderr(&output));
                for script in cli.scripts() {
                    let syntax = std::process::Command::new("bash").arg("-n").arg(&script).output().unwrap();
                    assert!(syntax.status.success(), "{}", stderr(&syntax));
                    let script = fs::read_to_string(script).unwrap();
                    assert!(!script.contains(&format!("--server {text}")), "{key} = {text} stands there unquoted");
                }
            }
        }
    }
}

#[test]
fn a_dry_run_shows_cost_and_refusals_and_writes_nothing() {
    let cli = Cli::new();
    let args =
        ["--site=frontier", "--dry-run", "--clients-per-node=48,64", "--client-nodes=4,100", "--walltime=02:00:00"];
    let output = cli.run(&args);
    assert_eq!(output.status.code(), Some(3), "some are refused: {}", stderr(&output));
    let shown = String::from_utf8(output.stdout).unwrap();
    assert_golden("dry-run.txt", &shown);
    assert!(!cli.out().exists());
    // 4 + 8 nodes for two hours
    let line = shown.lines().find(|line| line.starts_with("standard-n4x48-db8x8")).unwrap();
    assert!(line.ends_with("  24.00") && line.contains("batch-1-91") && line.contains("02:00:00"), "{line}");
    assert!(shown.contains("refused   colocated-n4x64-db8-mask-lo-tcp-r1 and 1 more: 64 ranks"), "{shown}");
    assert!(shown.lines().all(|line| !line.contains('\u{1b}')), "no colour in a pipe");
}

#[test]
fn a_budget_refuses_before_anything_is_written() {
    let cli = Cli::new();
    let args = ["--site=frontier", "--deployment=colocated", "--client-nodes=4,8", "--walltime=01:00:00"];
    let error = cli.fails(1, &[&args[..], &["--budget=11"]].concat());
    assert!(error.contains("2 jobs may cost up to 12.0 node-hours, above --budget 11"), "{error}");
    assert!(!cli.out().exists());
    cli.ok(&[&args[..], &["--budget=12"]].concat());
    let error = cli.fails(1, &["--site=local", "--budget=1"]);
    assert!(error.contains("does not say what a job costs"), "{error}");
}

#[test]
fn diff_says_what_would_change_and_touches_nothing() {
    let cli = Cli::new();
    cli.ok(&["--site=frontier", "--deployment=colocated", "--client-nodes=4,8,16"]);
    measure(&cli, "colocated-n4x48-db8-mask-lo-tcp-r1");
    measure(&cli, "colocated-n16x48-db8-mask-lo-tcp-r1");
    let before = snapshot(&cli.out());
    let args = ["--site=frontier", "--deployment=colocated", "--client-nodes=4,8,32", "--diff"];
    let heads = |text: &str| -> Vec<String> {
        text.lines().map(|line| line.split(" out/").next().unwrap().trim().to_owned()).collect()
    };
    let diff = cli.ok(&args);
    assert_eq!(heads(&diff), ["unchanged", "unchanged", "new", "orphaned, measured"], "{diff}");
    let changed = cli.ok(&[&args[..], &["--iterations=7"]].concat());
    assert_eq!(heads(&changed), ["conflict", "changed", "new", "orphaned, measured"], "{changed}");
    assert_eq!(snapshot(&cli.out()), before);
}

#[test]
fn shrinking_a_sweep_reports_orphans_and_removes_them_on_request_alone() {
    let cli = Cli::new();
    cli.ok(&["--site=frontier", "--deployment=colocated", "--client-nodes=4,8,16"]);
    measure(&cli, "colocated-n16x48-db8-mask-lo-tcp-r1");
    fs::create_dir(cli.out().join("notes-of-mine")).unwrap();
    let args = ["--site=frontier", "--deployment=colocated", "--client-nodes=4"];
    let kept = cli.ok(&args);
    assert!(
        kept.contains("orphaned  out/colocated-n8x48") && kept.contains("orphaned, measured out/colocated-n16x48"),
        "{kept}"
    );
    assert_eq!(cli.scripts().len(), 3);
    let pruned = cli.ok(&[&args[..], &["--prune"]].concat());
    assert!(pruned.contains("removed   out/colocated-n8x48"), "{pruned}");
    let left: Vec<String> =
        cli.scripts().iter().map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect();
    assert_eq!(left, ["colocated-n16x48-db8-mask-lo-tcp-r1.sh", "colocated-n4x48-db8-mask-lo-tcp-r1.sh"]);
    assert!(cli.out().join("notes-of-mine").is_dir(), "a folder that gen did not make is nobody's orphan");
    assert!(!cli.out().join("colocated-n8x48-db8-mask-lo-tcp-r1").exists());
}

#[test]
fn unchanged_inputs_touch_no_file() {
    let cli = Cli::new();
    let args = ["--site=frontier", "--repeats=2"];
    cli.ok(&args);
    let before = snapshot(&cli.out());
    assert!(before.len() > 60);
    cli.ok(&args);
    assert_eq!(snapshot(&cli.out()), before);
}
