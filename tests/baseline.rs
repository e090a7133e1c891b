//! `collect --baseline`, `--fail-if` and `--format json`, and the series of scaling.

#![allow(clippy::unwrap_used)] // clippy takes #[test] functions alone for tests, not their helpers

mod collect_support;

use std::path::Path;
use std::process::{Command, Output};

use collect_support::{DONE, Model, permutation};
use shardscale::collect;
use shardscale::collect::baseline::{Baseline, FailIf, Method, Metric, Verdict, compare};
use shardscale::collect::scaling::{FitKind, Reading, Scaling};
use shardscale::record::vocabulary::{Store, Wire};

/// Three sizes under one set of parameters.
fn runs(out: &Path, repeats: u32, change: impl Fn(&mut Model)) {
    for repeat in 1..=repeats {
        let mut manifest = permutation(4, Some(4), repeat);
        manifest.sweep.tensor_bytes.truncate(3);
        let mut model = Model::new(manifest);
        change(&mut model);
        model.execute(out, 1, DONE);
    }
}

fn gather(dir: &Path) -> collect::collection::Collection {
    collect::gather(dir, &dir.join("report")).unwrap()
}

fn compared(old: &Path, new: &Path) -> Baseline {
    compare("old".into(), &gather(old).runs, &gather(new).runs, false)
}

fn verdicts(baseline: &Baseline) -> Vec<Verdict> {
    baseline.changes.iter().map(|change| change.verdict).collect()
}

#[test]
fn the_same_again_is_noise_and_slower_is_slower() {
    for (repeats, method) in [(1, Method::Blocks), (4, Method::Repeats)] {
        let tree = tempfile::tempdir().unwrap();
        let [old, again, slow] = ["old", "again", "slow"].map(|name| tree.path().join(name));
        runs(&old, repeats, |_| {});
        runs(&again, repeats, |model| model.seed = 1);
        runs(&slow, repeats, |model| (model.seed, model.slowdown) = (2, 1.5));
        let same = compared(&old, &again);
        assert_eq!(verdicts(&same), [Verdict::Noise; 6], "{same:?}");
        assert!(same.changes.iter().all(|change| change.method == method));
        let slower = compared(&old, &slow);
        let [is_slower, is_faster] = match method {
            Method::Repeats | Method::Collections => [Verdict::Slower, Verdict::Faster],
            Method::Blocks => [Verdict::Unconfirmed; 2],
        };
        assert_eq!(verdicts(&slower), [is_slower; 6], "{slower:?}");
        for change in &slower.changes {
            let (low, high) = change.interval.unwrap();
            assert!(low < change.ratio && change.ratio < high && (change.ratio - 1.5).abs() < 0.1, "{change:?}");
        }
        assert_eq!(verdicts(&compared(&slow, &old)), [is_faster; 6]);
    }
}

/// Enough samples for p99.
fn long_runs(out: &Path, (seed, slowdown): (u64, f64)) {
    runs(out, 4, |model| {
        model.manifest.sweep.iterations = 200;
        (model.seed, model.slowdown) = (seed, slowdown);
    });
}

#[test]
fn tails_and_bandwidth_are_compared_and_decide_nothing() {
    let tree = tempfile::tempdir().unwrap();
    let [old, again, slow] = ["old", "again", "slow"].map(|name| tree.path().join(name));
    long_runs(&old, (0, 1.0));
    long_runs(&again, (1, 1.0));
    long_runs(&slow, (2, 1.5));
    let same = compared(&old, &again);
    // three sizes: p99 of two operations, and one bandwidth
    let places = [(Metric::P99, 6), (Metric::Bandwidth, 3)];
    for (metric, n) in places {
        let further = same.further_of(metric);
        assert!(further.len() == n && further.iter().all(|change| change.verdict == Verdict::Noise), "{further:?}");
    }
    let slower = compared(&old, &slow);
    for (metric, ratio) in [(Metric::P99, 1.5), (Metric::Bandwidth, 1.0 / 1.5)] {
        for change in slower.further_of(metric) {
            let (low, high) = change.interval.unwrap();
            assert!(change.verdict == Verdict::Slower && low < change.ratio && change.ratio < high, "{change:?}");
            assert!((change.ratio / ratio - 1.0).abs() < 0.1, "{change:?}");
        }
    }
    // tails alone: the exit code is about medians
    let (old, mut new) = (gather(&old).runs, gather(&again).runs);
    let ops = new.iter_mut().flat_map(|run| &mut run.measured.as_mut().unwrap().sizes).flat_map(|size| &mut size.ops);
    ops.for_each(|op| op.latency.p99 = op.latency.p99.map(|p99| 2.0 * p99));
    let tails = compare("old".into(), &old, &new, false);
    assert!(tails.further_of(Metric::P99).iter().all(|change| change.verdict == Verdict::Slower), "{tails:?}");
    assert_eq!(tails.failures(FailIf { slower: Some(0.05), unconfirmed: true, differs: false }).count(), 0);
    // what a side does not have is not compared
    old.iter().for_each(|run| assert!(run.sizes().iter().all(|size| size.overlap_gb_per_s.is_some())));
    new.iter_mut()
        .flat_map(|run| &mut run.measured.as_mut().unwrap().sizes)
        .for_each(|size| size.overlap_gb_per_s = None);
    assert!(compare("old".into(), &old, &new, false).further_of(Metric::Bandwidth).is_empty());
}

#[test]
fn runs_pair_by_parameters_and_the_others_are_named() {
    let tree = tempfile::tempdir().unwrap();
    let [old, new] = ["old", "new"].map(|name| tree.path().join(name));
    runs(&old, 1, |model| model.manifest.name = "as-it-was-called-then".into());
    runs(&new, 1, |model| model.manifest.sweep.iterations = 40);
    Model::new(permutation(8, Some(4), 1)).execute(&new, 1, DONE);
    let baseline = compared(&old, &new);
    assert_eq!(baseline.changes.len(), 6);
    assert_eq!(baseline.changes[0].baseline_run, "as-it-was-called-then");
    assert_eq!((baseline.only_old.len(), baseline.only_new.len()), (0, 1));
    assert!(baseline.only_new[0].starts_with("standard-n8x4"));
}

#[test]
fn single_runs_decide_only_when_asked_to() {
    let tree = tempfile::tempdir().unwrap();
    let [old, new] = ["old", "new"].map(|name| tree.path().join(name));
    runs(&old, 1, |_| {});
    runs(&new, 1, |model| (model.seed, model.slowdown) = (2, 1.5));
    let (old, new) = (old.to_str().unwrap(), new.to_str().unwrap());
    let careful = shardscale(&[new, "--baseline", old, "--fail-if", "slower=5%"]);
    let text = String::from_utf8(careful.stdout).unwrap();
    assert_eq!(careful.status.code(), Some(0), "{}", String::from_utf8_lossy(&careful.stderr));
    assert!(text.contains("6 comparisons: 6 unconfirmed"), "{text}");
    assert!(text.contains("repeat both sides") && text.lines().all(|line| line.chars().count() <= 100), "{text}");
    let eager = shardscale(&[new, "--baseline", old, "--fail-if", "slower=5%,unconfirmed"]);
    assert_eq!(eager.status.code(), Some(4));
}

fn shardscale(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_shardscale")).arg("collect").args(args).output().unwrap()
}

#[test]
fn the_exit_code_and_the_outputs_tell() {
    let tree = tempfile::tempdir().unwrap();
    let [old, new] = ["old", "new"].map(|name| tree.path().join(name));
    runs(&old, 3, |_| {});
    runs(&new, 3, |model| (model.seed, model.slowdown) = (2, 1.3));
    let (old, new) = (old.to_str().unwrap(), new.to_str().unwrap());
    let failed = shardscale(&[new, "--baseline", old, "--fail-if", "slower=5%"]);
    assert_eq!(failed.status.code(), Some(4), "{failed:?}");
    let text = String::from_utf8(failed.stdout).unwrap();
    assert!(text.contains("6 comparisons: 6 slower"), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    let table = std::fs::read_to_string(format!("{new}/report/baseline.csv")).unwrap();
    let of =
        |figure: &str| table.lines().filter(|line| line.contains(figure) && line.contains(",repeats,slower,")).count();
    assert_eq!((of(",median_us,"), of("both,overlap_gb_per_s,"), of(",p99_us,")), (6, 3, 0), "{table}");
    assert!(text.contains("\nBeside the medians: overlap GB/s: 3 slower\n"), "{text}");
    assert_eq!(shardscale(&[new, "--baseline", old, "--fail-if", "slower=60%"]).status.code(), Some(0));
    assert_eq!(shardscale(&[new, "--baseline", old]).status.code(), Some(0));
    let json: serde_json::Value =
        serde_json::from_slice(&shardscale(&[new, "--baseline", old, "--format", "json"]).stdout).unwrap();
    assert_eq!(json["baseline"]["changes"][0]["verdict"], "slower");
    assert_eq!(json["runs"][0]["measured"]["sizes"][0]["ops"][0]["n"], 480);
    assert_eq!(shardscale(&[new]).status.code(), Some(0));
    assert!(!Path::new(&format!("{new}/report/baseline.csv")).exists(), "that of the collection before");
}

#[test]
fn wrong_conditions_and_baselines_are_refused_with_a_remedy() {
    let tree = tempfile::tempdir().unwrap();
    let new = tree.path().join("new");
    runs(&new, 1, |_| {});
    let new = new.to_str().unwrap();
    for (args, said) in [
        (&["--fail-if", "slower=5%"][..], "--baseline"),
        (&["--baseline", "x", "--fail-if", "5%"], "slower=5%"),
        (&["--baseline", "/nowhere"], "cannot use the baseline"),
    ] {
        let refused = shardscale(&[&[new][..], args].concat());
        let text = String::from_utf8(refused.stderr).unwrap();
        assert!(!refused.status.success() && text.contains(said), "{text}");
        assert!(!Path::new(&format!("{new}/report")).exists(), "nothing half-written is left");
    }
}

#[test]
fn series_have_their_readings_and_their_fits() {
    let tree = tempfile::tempdir().unwrap();
    for nodes in [1, 2, 4, 8, 16] {
        for db_nodes in [Some(4), Some(nodes), None] {
            let mut manifest = permutation(nodes, db_nodes, 1);
            manifest.sweep.tensor_bytes.truncate(1);
            let model = Model::new(manifest);
            if !tree.path().join(&model.manifest.name).exists() {
                model.execute(tree.path(), 1, DONE);
            }
        }
    }
    let all = gather(tree.path()).scaling;
    let of = |reading, points| {
        let is_it = |one: &&Scaling| one.reading == reading && one.points.len() == points;
        all.iter().filter(is_it).collect::<Vec<_>>()
    };
    let load = of(Reading::Load, 5);
    assert_eq!((load.len(), load[0].label.contains("4 DB nodes")), (1, true), "{all:?}");
    assert_eq!((load[0].points[0].speed_up, load[0].points[0].efficiency), (1.0, 1.0));
    let fit = load[0].fit.as_ref().unwrap();
    assert!(fit.kind != FitKind::Linear && fit.r_squared > 0.95, "{fit:?}");
    // one of standard runs and one of colocated ones
    assert_eq!(of(Reading::Weak, 5).len(), 2, "{all:?}");
    let strong = of(Reading::Strong, 2);
    assert!(strong.iter().all(|one| one.fit.as_ref().is_err_and(|why| why.contains("a fit wants 5"))));
    assert!(!strong.is_empty());
}

#[test]
fn what_differs_is_told_and_what_is_not_comparable_is_not_compared() {
    let tree = tempfile::tempdir().unwrap();
    let [old, upgraded, valkey, wire] = ["old", "upgraded", "valkey", "wire"].map(|name| tree.path().join(name));
    runs(&old, 3, |_| {});
    runs(&upgraded, 3, |model| (model.seed, model.server, model.hosts) = (1, "redis 7.2.1".into(), "other".into()));
    runs(&valkey, 3, |model| {
        model.seed = 1;
        model.manifest.job.store = Store::Valkey;
        model.server = "valkey 9.1.2".into();
    });
    runs(&wire, 3, |model| (model.seed, model.wire) = (1, Wire::RedisAi));
    let said = |new: &Path, more: &str, code: i32| {
        let output = shardscale(
            &[
                &[new.to_str().unwrap(), "--baseline", old.to_str().unwrap()][..],
                &more.split_whitespace().collect::<Vec<_>>(),
            ]
            .concat(),
        );
        assert_eq!(output.status.code(), Some(code), "{more}: {}", String::from_utf8_lossy(&output.stderr));
        let csv = std::fs::read_to_string(new.join("report/baseline.csv")).unwrap();
        let page = std::fs::read_to_string(new.join("report/report.html")).unwrap();
        let summary = std::fs::read_to_string(new.join("report/summary.md")).unwrap();
        [String::from_utf8(output.stdout).unwrap(), csv, page, summary]
    };
    // an upgrade is what a baseline is asked about: compared, and named everywhere
    let told = said(&upgraded, "", 0);
    assert!(told[0].contains("6 comparisons: 6 noise"), "{}", told[0]);
    for text in &told {
        assert!(text.contains("server redis 7.0.15 -") && text.contains("redis 7.2.1"), "{text}");
    }
    assert!(told[0].contains("hosts 4 nodes -> 4 nodes with 0 in common"), "{}", told[0]);
    said(&upgraded, "--fail-if slower=5%", 0);
    said(&upgraded, "--fail-if slower=5%,differs", 4);
    // another product and another wire are other measurements, unless somebody asks
    for (new, what) in [(&valkey, "redis over the plain wire in the baseline"), (&wire, "over the redisai wire here")] {
        let told = said(new, "", 0);
        assert_eq!(told[1].lines().count(), 1, "nothing is compared: {}", told[1]);
        assert!(told.iter().skip(2).all(|text| text.contains(what)), "{} {}", told[0], told[3]);
        said(new, "--fail-if differs", 4);
        let across = said(new, "--across", 0);
        assert!(across[0].contains("6 comparisons"), "{}", across[0]);
        assert_eq!(across[1].lines().filter(|row| row.contains("->")).count(), across[1].lines().count() - 1);
    }
    // beside each other on both sides, each is compared with its own
    runs(&old.join("more"), 3, |model| (model.seed, model.wire) = (1, Wire::RedisAi));
    assert_eq!(compared(&old, &wire).apart, Vec::<String>::new());
}

#[test]
fn a_summary_of_many_runs_is_short() {
    let tree = tempfile::tempdir().unwrap();
    let [old, new] = ["old", "new"].map(|name| tree.path().join(name));
    for (out, slowdown) in [(&old, 1.0), (&new, 1.4)] {
        for repeat in 1..=250 {
            let mut manifest = permutation(1 + repeat % 9, Some(1 + repeat % 7), repeat);
            manifest.sweep.tensor_bytes.truncate(2);
            manifest.sweep.iterations = 5;
            let mut model = Model::new(manifest);
            (model.seed, model.slowdown, model.clock_error_ns) =
                (repeat.into(), slowdown, 10_000_000 + u64::from(repeat));
            model.execute(
                out,
                1,
                if repeat % 5 == 0 {
                    "1766400000 started job=7 host=cn1\n1766400009 failed client rc=1\n"
                } else {
                    DONE
                },
            );
        }
    }
    let output = shardscale(&[new.to_str().unwrap(), "--baseline", old.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(3), "{}", String::from_utf8_lossy(&output.stderr));
    let summary = std::fs::read_to_string(new.join("report/summary.md")).unwrap();
    assert!(summary.len() < 10_000, "{} bytes: {summary}", summary.len());
    assert!(summary.contains("times**, such as in") && summary.contains("more in runs.csv"), "{summary}");
    assert!(summary.lines().all(|line| line.matches("clocks agree").count() < 2), "{summary}");
    assert_eq!(summary.matches("clocks agree").count(), 1, "one kind of note once: {summary}");
}
