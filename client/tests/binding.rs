//! Binding on a real Slurm whose nodes have this machine's CPUs: every way of binding runs, and the affinities that ranks and
//! servers really had agree with the manifest; one that was spoilt on purpose is called invalid.

#![allow(clippy::unwrap_used, reason = "helpers of tests may panic as tests may")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use shardscale::record::cpus::CpuSet;
use shardscale::record::manifest::Manifest;
use shardscale::record::samples::SamplesFile;

mod slurm_support;
use slurm_support::{Case, Cluster, attempt, wait_for};

const CASES: &[Case] = &[
    ("colocated runs have the CPUs of their manifest, whoever binds", colocated),
    ("standard runs have the CPUs of their manifest, whoever binds", standard),
    ("a mask changed in the script makes the run invalid", spoilt),
    ("ranks and servers bind themselves where the launcher does not", self_bound),
    // the last, which wants cpusets
    (SHARED, shared),
];
const SHARED: &str = "jobs that share nodes have masks within the CPUs that they got";

fn main() -> ExitCode {
    let cpus = std::thread::available_parallelism().map_or(1, |cpus| cpus.get());
    if cpus < 2 {
        eprintln!("\n*** THE BINDING TESTS DID NOT RUN: they need a machine with 2 CPUs. ***\n");
        return if std::env::var("CI").is_ok_and(|ci| ci == "true") { ExitCode::FAILURE } else { ExitCode::SUCCESS };
    }
    let (cases, cgroups) = match slurm_support::has_cpusets() {
        true => (CASES, "1"),
        false => {
            eprintln!("\n*** SHARED NODES WERE NOT TRIED: this kernel has no cpusets of cgroup v1. ***\n");
            println!("test {SHARED} ... ignored");
            (&CASES[..CASES.len() - 1], "0")
        }
    };
    slurm_support::run(cases, &[("NODES", "3"), ("TRUE_CPUS", "1"), ("CGROUPS", cgroups)])
}

/// The cluster's site with the CPUs that its nodes have here, and every way of binding.
fn site(cluster: &Cluster, folder: &Path) -> PathBuf {
    let cores = cluster.bash(folder, "nproc --all");
    let text = fs::read_to_string(cluster.root.join("tests/slurm/site.toml")).unwrap();
    let text = text.replace("cores = 64", &format!("cores = {cores}"));
    let text = text.replace("cpu_bind = [\"none\"]", "cpu_bind = [\"none\", \"scheduler\", \"mask\"]");
    let path = folder.join("site.toml");
    fs::write(&path, text).unwrap();
    path
}

/// Small runs on two client nodes.
fn generate(cluster: &Cluster, folder: &Path, args: &str) -> Vec<PathBuf> {
    let args = format!("--client-nodes 2 --transport tcp --tensor-bytes 1KiB --iterations 20 --warmup 2 {args}");
    cluster.generate_for(&site(cluster, folder), folder, &args)
}

fn run(cluster: &Cluster, folder: &Path, scripts: &[PathBuf]) {
    cluster.bash(folder, "sbatch out/*.sh");
    let ended = |script: &PathBuf| {
        attempt(script, 0).events.last().is_some_and(|event| ["done", "failed"].contains(&event.word.as_str()))
    };
    wait_for("the end of all runs", || scripts.iter().all(ended));
    cluster.wait_until_idle();
}

/// What the ranks of a run, by host and local rank, and its servers had.
fn affinities(script: &Path, manifest: &Manifest) -> (Vec<(u32, CpuSet)>, Vec<CpuSet>) {
    let attempt = attempt(script, manifest.expect.servers);
    let file = SamplesFile::open(&attempt.samples()).unwrap().unwrap();
    let ranks = file.contents().unwrap().ranks.into_iter();
    let ranks = ranks.map(|rank| (rank.local_rank.expect("srun tells the local rank"), rank.cpus.parse().unwrap()));
    (ranks.collect(), attempt.servers.iter().map(|server| server.cpus.parse().unwrap()).collect())
}

/// All runs are done, and what the kernel told their processes is what the manifest says.
fn assert_as_asked(cluster: &Cluster, folder: &Path, scripts: &[PathBuf]) {
    for script in scripts {
        let manifest = Manifest::read(&script.with_extension("")).unwrap();
        let placement = manifest.placement.clone().unwrap();
        let (ranks, servers) = affinities(script, &manifest);
        assert_eq!((ranks.len(), servers.len()), (manifest.expect.ranks as usize, manifest.expect.servers as usize));
        for (local, cpus) in &ranks {
            let asked = placement.ranks.get(*local as usize);
            assert!(asked.is_none_or(|asked| asked == cpus), "{}: {local} has {cpus}, not {asked:?}", manifest.name);
        }
        for cpus in &servers {
            let asked = placement.servers.first();
            assert!(asked.is_none_or(|asked| asked == cpus), "{}: a server has {cpus}, not {asked:?}", manifest.name);
        }
        println!("  {}: ranks {ranks:?}, servers {servers:?}", manifest.job.cpu_bind);
    }
    let table = cluster.shardscale(folder, "collect out", 0);
    let states =
        if scripts.len() == 1 { "1 run: 1 done".to_owned() } else { format!("{0} runs: {0} done", scripts.len()) };
    assert!(table.contains(&states), "{table}");
}

fn colocated(cluster: &Cluster) {
    let folder = cluster.folder("binding-colocated");
    let binds = "none,scheduler,mask,mask-db,mask-app,mask:db=0x2,0x1,map:db=0,1";
    let args = format!("--deployment colocated --clients-per-node 1 --db-cpus 1 --cpu-bind {binds}");
    let scripts = generate(cluster, &folder, &args);
    assert_eq!(scripts.len(), 7);
    run(cluster, &folder, &scripts);
    assert_as_asked(cluster, &folder, &scripts);
}

fn standard(cluster: &Cluster) {
    let folder = cluster.folder("binding-standard");
    let binds = "none,scheduler,mask,mask-db,mask-app,mask:db=0x3,0x2,0x1,map:1,0";
    let args = format!("--deployment standard --db-nodes 1 --clients-per-node 2 --db-cpus 2 --cpu-bind {binds}");
    let scripts = generate(cluster, &folder, &args);
    assert_eq!(scripts.len(), 7);
    run(cluster, &folder, &scripts);
    assert_as_asked(cluster, &folder, &scripts);
}

fn spoilt(cluster: &Cluster) {
    let folder = cluster.folder("binding-spoilt");
    let args = "--deployment colocated --clients-per-node 1 --db-cpus 1 --cpu-bind mask";
    let script = generate(cluster, &folder, args).remove(0);
    let text = fs::read_to_string(&script).unwrap();
    assert_eq!(text.matches("mask_cpu:0x2").count(), 1, "{text}");
    fs::write(&script, text.replace("mask_cpu:0x2", "mask_cpu:0x1")).unwrap();
    run(cluster, &folder, std::slice::from_ref(&script));
    cluster.shardscale(&folder, "collect out", 3);
    let summary = fs::read_to_string(folder.join("out/report/summary.md")).unwrap();
    let reason = "2 of 2 ranks had other CPUs than were pinned, such as rank 0 on cn1: CPUs 0 instead of CPUs 1";
    assert!(summary.contains("invalid") && summary.contains(reason), "{summary}");
}

fn self_bound(cluster: &Cluster) {
    let folder = cluster.folder("binding-self");
    let args = "--deployment standard --db-nodes 1 --clients-per-node 2 --db-cpus 1 --cpu-bind mask";
    let script = generate(cluster, &folder, args).remove(0);
    let manifest = Manifest::read(&script.with_extension("")).unwrap();
    // as a launcher that cannot bind would have it
    let text = fs::read_to_string(&script).unwrap();
    let text = text
        .replace("--cpu-bind=mask_cpu:0x1,0x2", "--cpu-bind=none")
        .replace("--cpu-bind=mask_cpu:0x1", "--cpu-bind=none");
    let text = text.replace("\"$client\" run ", "\"$client\" run --cpus '0;1' ");
    let text = text.replace("\"$client\" serve ", "\"$client\" serve --cpus 0 ");
    assert!(!text.contains("mask_cpu") && text.matches("--cpus").count() == 2, "{text}");
    fs::write(&script, text).unwrap();
    run(cluster, &folder, std::slice::from_ref(&script));
    assert_eq!(manifest.placement.unwrap().ranks.len(), 2);
    assert_as_asked(cluster, &folder, &[script]);
}

/// Another job has the first CPU of each node, so that numbers that are meant for a whole node would be wrong.
fn shared(cluster: &Cluster) {
    let folder = cluster.folder("binding-shared");
    let others = cluster.bash(&folder, "sbatch --parsable -p shared -N3 --ntasks-per-node=1 --wrap 'sleep 600'");
    let begun = || cluster.bash(&folder, &format!("squeue --noheader --states=running --job={others}"));
    wait_for("the other job", || !begun().is_empty());
    let args = "--deployment standard --db-nodes 1 --clients-per-node 1 --db-cpus 1 --cpu-bind mask,mask-db,scheduler --queue shared";
    let scripts = generate(cluster, &folder, args);
    let mask = scripts.iter().find(|script| script.to_string_lossy().contains("-mask-hsn")).unwrap();
    let text = fs::read_to_string(mask).unwrap();
    assert!(text.contains("#SBATCH --ntasks-per-node=1\n") && text.matches("--cpus job:0").count() == 2, "{text}");
    cluster.bash(&folder, "sbatch out/*.sh");
    let ended = |script: &PathBuf| attempt(script, 0).events.last().is_some_and(|event| event.word == "done");
    wait_for("the end of all runs", || scripts.iter().all(ended));
    cluster.bash(&folder, &format!("scancel {others}"));
    cluster.wait_until_idle();
    for script in &scripts {
        let manifest = Manifest::read(&script.with_extension("")).unwrap();
        let (ranks, servers) = affinities(script, &manifest);
        assert_eq!((ranks.len(), servers.len()), (2, 1));
        let sets: Vec<&CpuSet> = ranks.iter().map(|(_, cpus)| cpus).chain(&servers).collect();
        assert!(sets.iter().all(|cpus| cpus.len() == 1 && !cpus.contains(0)), "{}: {sets:?}", manifest.name);
        println!("  {}: ranks {ranks:?}, servers {servers:?}", manifest.job.cpu_bind);
    }
    // with room for a server and a rank, each has a core of its own
    let both = "--out both --deployment colocated --clients-per-node 1 --db-cpus 1 --cpu-bind mask --queue shared";
    let script = generate(cluster, &folder, both).remove(0);
    cluster.bash(&folder, "sbatch both/*.sh");
    cluster.wait_until_idle();
    let (ranks, servers) = affinities(&script, &Manifest::read(&script.with_extension("")).unwrap());
    assert!(ranks.iter().all(|(_, cpus)| cpus.len() == 1 && cpus.is_disjoint(&servers[0])), "{ranks:?} {servers:?}");
    let table = cluster.shardscale(&folder, "collect .", 0);
    assert!(table.contains("4 runs: 4 done"), "{table}");
}
