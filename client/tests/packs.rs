//! Packs on the virtual Slurm cluster: several permutations in one job, of which one fails, one takes too long, some are left.

#![allow(clippy::unwrap_used, reason = "helpers of tests may panic as tests may")]

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use shardscale::record::attempt::{Attempt, Outcome};
use shardscale::record::pack::{Pack, PackPlace};

mod slurm_support;
use slurm_support::{Case, Cluster, assert_nothing_left, attempt, wait_for};

const CASES: &[Case] = &[
    ("a pack goes on behind a run that fails and one that takes too long, and heals when submitted again", healed),
    ("a store that is kept serves the next run, and a failure ends it", kept),
    ("a cancelled pack ends its running permutation well and leaves the others", cancelled),
    ("what the wall time does not allow is left", out_of_time),
];

fn main() -> ExitCode {
    slurm_support::run(CASES, &[("NODES", "6")])
}

const STUDY: &str =
    "--pack nested --deployment standard --client-nodes 1,2,3 --db-nodes 3 --clients-per-node 2 --transport tcp";

struct Packed {
    out: PathBuf,
    pack: Pack,
}

impl Packed {
    fn generate(cluster: &Cluster, folder: &Path, args: &str) -> Packed {
        cluster.generate(folder, &format!("{STUDY} {args}"));
        let out = folder.join("out");
        let names = fs::read_dir(&out).unwrap().map(|entry| entry.unwrap().path());
        let packs: Vec<Pack> = names.filter_map(|path| Pack::read(&path).unwrap_or_default()).collect();
        let [pack] = &packs[..] else { panic!("one pack is due: {packs:?}") };
        Packed { pack: pack.clone(), out }
    }

    fn script(&self) -> PathBuf {
        self.out.join(format!("{}.sh", self.pack.name))
    }

    /// Submits it and waits for its end; the lines of the pack's status without their times.
    fn run(&self, cluster: &Cluster, options: &str, number: u32) -> Vec<String> {
        cluster.bash(&self.out, &format!("sbatch {options} {}", self.script().display()));
        cluster.wait_until_idle();
        assert_nothing_left();
        self.status(number)
    }

    fn status(&self, number: u32) -> Vec<String> {
        let path = self.out.join(&self.pack.name).join(format!("attempt-{number}/status"));
        let text = fs::read_to_string(path).unwrap();
        text.lines().map(|line| line.split_once(' ').unwrap().1.to_owned()).collect()
    }

    fn job_script(&self, at: usize) -> PathBuf {
        self.out.join(&self.pack.runs[at].name).join("job.sh")
    }

    fn attempt(&self, at: usize) -> Attempt {
        attempt(&self.out.join(&self.pack.runs[at].name).with_extension("sh"), 3)
    }
}

/// Puts `line` behind the first one of a script.
fn spoil(script: &Path, line: &str) {
    let text = fs::read_to_string(script).unwrap();
    fs::write(script, text.replacen("#!/bin/bash\n", &format!("#!/bin/bash\n{line}\n"), 1)).unwrap();
}

fn healed(cluster: &Cluster) {
    let folder = cluster.folder("pack");
    let packed = Packed::generate(cluster, &folder, "");
    let names: Vec<&str> = packed.pack.runs.iter().map(|run| run.name.as_str()).collect();
    assert_eq!((packed.pack.nodes, names.len()), (6, 3));
    spoil(&packed.job_script(0), "exit 7");
    spoil(&packed.job_script(1), "sleep 300");
    let script = fs::read_to_string(packed.script()).unwrap();
    fs::write(packed.script(), script.replace(&format!("run {} 600", names[1]), &format!("run {} 2", names[1])))
        .unwrap();

    let said = packed.run(cluster, "", 1);
    let due = [
        format!("run-started {}", names[0]),
        format!("run-ended {} rc=7", names[0]),
        format!("run-started {}", names[1]),
        format!("run-ended {} rc=124", names[1]),
        format!("run-started {}", names[2]),
        format!("run-ended {} rc=0", names[2]),
        "failed runs rc=1".to_owned(),
    ];
    assert_eq!(said[1..], due, "{said:?}");
    assert_eq!(packed.attempt(2).outcome(), Outcome::Done);

    // as generated again, on as many nodes as the smallest needs: what is measured is left alone, what is too large is left
    Packed::generate(cluster, &folder, "");
    let largest = packed.pack.runs.iter().position(|run| run.client_nodes == 3).unwrap();
    let said = packed.run(cluster, "--nodes=5", 2);
    assert!(said.contains(&format!("run-skipped {} measured", names[2])), "{said:?}");
    if largest != 2 {
        assert!(said.contains(&format!("run-left {} needs 6 nodes, the job has 5", names[largest])), "{said:?}");
        let said = packed.run(cluster, "", 3);
        assert_eq!(said.last().map(String::as_str), Some("done"), "{said:?}");
    }
    cluster.shardscale(&folder, "collect out/", 0);

    // submitted once more it measures nothing, and its job ends at once
    cluster.bash(&packed.out, &format!("sbatch {}", packed.script().display()));
    cluster.wait_until_idle();
    assert!(!packed.out.join(&packed.pack.name).join("attempt-4").exists());

    let places: Vec<PackPlace> =
        (0..3).map(|at| PackPlace::read(&last_attempt(&packed, at)).unwrap().unwrap()).collect();
    assert_eq!(places.iter().map(|place| place.position).collect::<Vec<_>>(), [1, 2, 3]);
    println!("{}", fs::read_to_string(folder.join("out/report/summary.md")).unwrap());
}

fn last_attempt(packed: &Packed, at: usize) -> PathBuf {
    let run = packed.out.join(&packed.pack.runs[at].name);
    shardscale::record::attempt::list(&run).unwrap().pop().unwrap().1
}

/// The second of three runs fails in the middle: the servers of the first, which it used, end with it.
fn kept(cluster: &Cluster) {
    let packed = Packed::generate(cluster, &cluster.folder("pack-kept"), "--pack-store keep");
    let bad = packed.job_script(1);
    let good = fs::read_to_string(&bad).unwrap();
    fs::write(&bad, good.replace("--wire auto", "--wire redisai")).unwrap();
    let said = packed.run(cluster, "", 1);
    assert_eq!(said.last().map(String::as_str), Some("failed runs rc=1"), "{said:?}");
    let from = |at: usize| PackPlace::read(&last_attempt(&packed, at)).unwrap().unwrap().store_from;
    let first = format!("{}/attempt-1", packed.pack.runs[0].name);
    assert_eq!((from(0), from(1), from(2)), (None, Some(first), None));
    let outcomes: Vec<bool> = (0..3).map(|at| packed.attempt(at).outcome() == Outcome::Done).collect();
    assert_eq!(outcomes, [true, false, true]);
    for at in 0..3 {
        assert!(!packed.attempt(at).path.join("password").exists());
        assert!(
            packed.attempt(at).servers.iter().all(|server| server.exit.as_ref().is_some_and(|exit| exit.asked))
                || at == 2
        );
    }
}

fn cancelled(cluster: &Cluster) {
    let packed = Packed::generate(cluster, &cluster.folder("pack-cancelled"), "--iterations 2000000");
    let job = cluster.bash(&packed.out, &format!("sbatch --parsable {}", packed.script().display()));
    wait_for("the client of the first run", || {
        packed.out.join(&packed.pack.runs[0].name).join("attempt-1/progress.json").exists()
    });
    cluster.bash(&packed.out, &format!("scancel {job}"));
    cluster.wait_until_idle();
    assert_nothing_left();
    let said = packed.status(1);
    assert_eq!(said.last().map(String::as_str), Some("failed terminated rc=143"), "{said:?}");
    let Outcome::Failed { detail, .. } = packed.attempt(0).outcome() else { panic!("it was cancelled") };
    assert!(packed.attempt(0).events.last().unwrap().detail.contains("terminated"), "{detail}");
    assert!(!packed.out.join(&packed.pack.runs[1].name).join("attempt-1").exists());
}

fn out_of_time(cluster: &Cluster) {
    let packed = Packed::generate(cluster, &cluster.folder("pack-time"), "");
    let shards =
        |at: usize| packed.attempt(at).servers.iter().map(|server| server.host.clone()).collect::<HashSet<_>>();
    // three seconds remain behind the reserve of a minute: the first run starts, and takes longer than what is left then
    cluster.bash(&packed.out, &format!("SHARDSCALE_WALLTIME_S=64 sbatch {}", packed.script().display()));
    cluster.wait_until_idle();
    assert_nothing_left();
    let said = packed.status(1);
    assert!(said.iter().any(|line| line.starts_with(&format!("run-left {} ", packed.pack.runs[2].name))), "{said:?}");
    let said = packed.run(cluster, "", 2);
    assert_eq!(said.last().map(String::as_str), Some("done"), "{said:?}");
    assert_eq!(shards(1), shards(2), "the shards of all points sit on the same nodes");
}
