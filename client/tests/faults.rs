//! Every part of a run is killed, at each stage, on the virtual Slurm cluster. What must hold each time: `status` knows why, the
//! samples of finished sizes are kept, no process and no scratch folder is left on any node, and submitting again heals it.
//!
//! The output is the table of docs/explanation/failures.md.

#![allow(clippy::unwrap_used, reason = "helpers of tests may panic as tests may")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::Value;
use shardscale::record::attempt::Attempt;

mod slurm_support;
use slurm_support::{Case, Cluster, assert_nothing_left, processes, processes_with, wait_for};

const CASES: &[Case] = &[
    ("every part killed at each stage", every_fault),
    ("a node that dies", node_failure),
    ("the scheduler gone while submitting", scheduler_gone),
    ("two hundred small jobs", two_hundred_jobs),
];

fn main() -> ExitCode {
    slurm_support::run(CASES, &[("NODES", "6")])
}

/// How far a run is when something is done to it.
#[derive(Clone, Copy)]
enum Stage {
    /// A server process exists; the store does not serve yet.
    Starting,
    /// Ranks start.
    Connecting,
    /// The first size is on disk and the second is running.
    Looping,
}

struct Fault {
    what: &'static str,
    /// Flags of the run.
    study: &'static str,
    stage: Stage,
    command: &'static str,
    inject: fn(&Cluster),
    /// Reasons that `status` may give; a race decides where there are two.
    reasons: &'static [&'static str],
}

fn kill(pid: i32, signal: nix::sys::signal::Signal) {
    let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), signal);
}

fn kill_first(name: &str, part: &str) {
    let pids = if part.is_empty() { processes(name) } else { processes_with(name, part) };
    kill(*pids.first().unwrap_or_else(|| panic!("there is no {name} to kill")), nix::sys::signal::Signal::SIGKILL);
}

fn on_the_job(cluster: &Cluster, line: &str) {
    let job = cluster.bash(&cluster.root, "squeue --noheader --format=%i");
    cluster.bash(&cluster.root, &line.replace("JOB", &job));
}

/// Two sizes that take some seconds.
const THROUGHPUT: &str = "--iterations 12000";
const AGGREGATION: &str = "--workload aggregation --iterations 400";
/// Ranks 0 to 3 of it are producers, on two nodes; on the third one rank idles beside this one.
const CONSUMER: u32 = 4;

fn kill_rank(rank: u32) {
    let wanted = format!("SLURM_PROCID={rank}");
    let is_wanted = |pid: &i32| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|one| one == wanted.as_bytes())
    };
    let find = || processes_with("shardscale-clie", "run\0--attempt").into_iter().find(is_wanted);
    // some ranks are there before others
    quickly(|| find().is_some());
    kill(find().expect("the rank runs"), nix::sys::signal::Signal::SIGKILL);
}

const FAULTS: &[Fault] = &[
    Fault {
        what: "a shard",
        study: THROUGHPUT,
        stage: Stage::Starting,
        command: "kill -9 (redis-server)",
        inject: |_| kill_first("redis-server", ""),
        reasons: &["store did not start"],
    },
    Fault {
        what: "a shard",
        study: THROUGHPUT,
        stage: Stage::Looping,
        command: "kill -9 (redis-server)",
        inject: |_| kill_first("redis-server", ""),
        reasons: &["store died"],
    },
    Fault {
        what: "a server's supervisor",
        study: THROUGHPUT,
        stage: Stage::Looping,
        command: "kill -9 (shardscale-client serve)",
        inject: |_| kill_first("shardscale-clie", "serve"),
        reasons: &["client error", "store died"],
    },
    Fault {
        what: "a rank",
        study: THROUGHPUT,
        stage: Stage::Connecting,
        command: "kill -9 (shardscale-client run)",
        inject: |_| kill_first("shardscale-clie", "run\0--attempt"),
        reasons: &["rank died", "client error"],
    },
    Fault {
        what: "a rank",
        study: THROUGHPUT,
        stage: Stage::Looping,
        command: "kill -9 (shardscale-client run)",
        inject: |_| kill_first("shardscale-clie", "run\0--attempt"),
        reasons: &["rank died", "client error"],
    },
    Fault {
        what: "the batch script",
        study: THROUGHPUT,
        stage: Stage::Looping,
        command: "kill -9 (slurm_script)",
        inject: |_| kill_first("slurm_script", ""),
        reasons: &["killed", "cancelled"],
    },
    Fault {
        what: "the batch script",
        study: THROUGHPUT,
        stage: Stage::Looping,
        command: "scancel --batch --signal=TERM JOB",
        inject: |cluster| on_the_job(cluster, "scancel --batch --signal=TERM JOB"),
        reasons: &["terminated", "cancelled"],
    },
    Fault {
        what: "the job",
        study: THROUGHPUT,
        stage: Stage::Starting,
        command: "scancel JOB",
        inject: |cluster| on_the_job(cluster, "scancel JOB"),
        reasons: &["cancelled"],
    },
    Fault {
        what: "the job",
        study: THROUGHPUT,
        stage: Stage::Connecting,
        command: "scancel JOB",
        inject: |cluster| on_the_job(cluster, "scancel JOB"),
        reasons: &["cancelled"],
    },
    Fault {
        what: "the job",
        study: THROUGHPUT,
        stage: Stage::Looping,
        command: "scancel JOB",
        inject: |cluster| on_the_job(cluster, "scancel JOB"),
        reasons: &["cancelled"],
    },
    Fault {
        what: "a producer",
        study: AGGREGATION,
        stage: Stage::Connecting,
        command: "kill -9 (rank 0)",
        inject: |_| kill_rank(0),
        reasons: &["rank died", "client error"],
    },
    Fault {
        what: "a producer",
        study: AGGREGATION,
        stage: Stage::Looping,
        command: "kill -9 (rank 0)",
        inject: |_| kill_rank(0),
        reasons: &["rank died", "client error"],
    },
    Fault {
        what: "a consumer",
        study: AGGREGATION,
        stage: Stage::Connecting,
        command: "kill -9 (rank 4)",
        inject: |_| kill_rank(CONSUMER),
        reasons: &["rank died", "client error"],
    },
    Fault {
        what: "a consumer",
        study: AGGREGATION,
        stage: Stage::Looping,
        command: "kill -9 (rank 4)",
        inject: |_| kill_rank(CONSUMER),
        reasons: &["rank died", "client error"],
    },
    Fault {
        what: "a shard of an aggregation",
        study: AGGREGATION,
        stage: Stage::Looping,
        command: "kill -9 (redis-server)",
        inject: |_| kill_first("redis-server", ""),
        reasons: &["store died", "client error"],
    },
];

/// A run of 3 shards over two sizes that takes some seconds.
struct Subject<'a> {
    cluster: &'a Cluster,
    folder: PathBuf,
    run_dir: PathBuf,
}

impl<'a> Subject<'a> {
    fn generate(cluster: &'a Cluster, name: &str, study: &str) -> Subject<'a> {
        let folder = cluster.folder(name);
        let scripts = cluster.generate(&folder, &format!("--deployment standard --transport tcp {study}"));
        let [script] = &scripts[..] else { panic!("one script is due: {scripts:?}") };
        Subject { cluster, run_dir: script.with_extension(""), folder }
    }

    fn attempt(&self, number: u32) -> Attempt {
        Attempt::read(number, &self.run_dir.join(format!("attempt-{number}")), 3)
    }

    fn wait_until(&self, stage: Stage) {
        let said = |event: &str| self.attempt(1).events.iter().any(|one| one.word == event);
        quickly(|| match stage {
            Stage::Starting => !processes("redis-server").is_empty(),
            Stage::Connecting => {
                said("client-started") && !processes_with("shardscale-clie", "run\0--attempt").is_empty()
            }
            Stage::Looping => self.attempt(1).progress.is_some_and(|progress| progress.sizes_done == 1),
        });
    }

    /// State and reason.
    fn status(&self) -> (String, String) {
        let line = format!("\"{}\" status out --format json || [ $? = 3 ]", self.cluster.program());
        let value: Value = serde_json::from_str(&self.cluster.bash(&self.folder, &line)).unwrap();
        let text = |key: &str| value["runs"][0][key].as_str().unwrap_or_default().to_owned();
        (text("state"), text("reason"))
    }

    /// The whole run again, to its end.
    fn heals(&self) {
        self.cluster.shardscale(&self.folder, "submit out --failed", 0);
        self.cluster.wait_until_idle();
        let (state, reason) = self.status();
        assert_eq!(state, "done", "{reason}: {:?}", self.attempt(2).outcome());
        self.cluster.shardscale(&self.folder, "collect out", 0);
        assert_clean(self.cluster);
    }
}

/// As [`wait_for`], for stages that pass quickly.
fn quickly(mut ready: impl FnMut() -> bool) {
    let begun = std::time::Instant::now();
    while !ready() {
        assert!(begun.elapsed().as_secs() < 60, "the stage never came");
        std::thread::sleep(std::time::Duration::from_millis(3));
    }
}

/// No process of ours on any node, and nothing of ours in their node-local folders.
fn assert_clean(cluster: &Cluster) {
    assert_nothing_left();
    let left = scratch(cluster);
    assert!(left.is_empty(), "node-local folders are left: {left:?}");
}

fn scratch(cluster: &Cluster) -> Vec<PathBuf> {
    let mut left = Vec::new();
    for node in 1..=6 {
        let Ok(pid) = fs::read_to_string(cluster.lab.join(format!("pid/cn{node}"))) else { continue };
        for folder in ["tmp", "dev/shm"] {
            let path = Path::new("/proc").join(pid.trim()).join("root").join(folder);
            let names = fs::read_dir(path).into_iter().flatten().map(|entry| entry.unwrap().path());
            left.extend(names.filter(|path| path.to_string_lossy().contains("shardscale")));
        }
    }
    left
}

fn every_fault(cluster: &Cluster) {
    println!(
        "| killed | when | with | status says | sizes kept | left on nodes | again |\n|---|---|---|---|---|---|---|"
    );
    for (number, fault) in FAULTS.iter().enumerate() {
        let subject = Subject::generate(cluster, &format!("fault-{number}"), fault.study);
        cluster.shardscale(&subject.folder, "submit out", 0);
        subject.wait_until(fault.stage);
        (fault.inject)(cluster);
        cluster.wait_until_idle();
        assert_nothing_left();
        let (state, reason) = subject.status();
        assert_eq!(state, "failed", "{}: {reason}", fault.what);
        assert!(fault.reasons.contains(&reason.as_str()), "{} {}: {reason}", fault.what, fault.command);
        let kept = subject.attempt(1).progress.map_or(0, |progress| progress.sizes_done);
        let stage = match fault.stage {
            Stage::Starting => "store starts",
            Stage::Connecting => "ranks start",
            Stage::Looping => "second size",
        };
        assert_eq!(kept, u32::from(matches!(fault.stage, Stage::Looping)), "{}", fault.what);
        let folders = scratch(cluster);
        let left = if folders.is_empty() {
            "nothing".to_owned()
        } else {
            format!("{} empty scratch folder(s)", folders.len())
        };
        subject.heals_after(&folders);
        println!("| {} | {stage} | `{}` | {reason} | {kept} of 2 | {left} | done |", fault.what, fault.command);
    }
}

impl Subject<'_> {
    /// A supervisor that is killed with -9 cannot remove its folder: that is known, and stays until the node is cleaned.
    fn heals_after(&self, folders: &[PathBuf]) {
        for folder in folders {
            fs::remove_dir_all(folder).unwrap();
        }
        self.heals();
    }
}

fn node_failure(cluster: &Cluster) {
    let subject = Subject::generate(cluster, "fault-node", THROUGHPUT);
    cluster.shardscale(&subject.folder, "submit out", 0);
    subject.wait_until(Stage::Looping);
    let host = subject.attempt(1).servers[0].host.clone();
    let number = host.trim_start_matches("cn");
    // all that runs in the node dies with its init, as in a crash
    cluster.bash(&cluster.root, &format!("kill -9 $(cat {}/pid/{host})", cluster.lab.display()));
    cluster.wait_until_idle();
    assert_nothing_left();
    let (state, reason) = subject.status();
    println!(
        "| node {host} | second size | `kill -9 (its init)` | {reason} | {} of 2 | nothing | done |",
        subject.attempt(1).progress.map_or(0, |progress| progress.sizes_done)
    );
    assert_eq!(state, "failed");
    assert!(
        ["node failure", "store died", "client error", "terminated", "cancelled"].contains(&reason.as_str()),
        "{reason}"
    );
    cluster.bash(&cluster.root, &format!("tests/slurm/node.sh {number}"));
    // its interfaces have other hardware addresses now, which the others would find out within a minute
    let flush = "for pid in RUN/pid/cn*; do nsenter --net --target \"$(cat \"$pid\")\" ip neigh flush all; done";
    cluster.bash(&cluster.root, &flush.replace("RUN", &cluster.lab.display().to_string()));
    wait_for("the node to come back", || cluster.bash(&cluster.root, "sinfo -h -p compute -t idle -o %D") == "6");
    subject.heals();
}

fn scheduler_gone(cluster: &Cluster) {
    let folder = cluster.folder("fault-scheduler");
    cluster
        .generate(&folder, "--deployment colocated --client-nodes 1 --clients-per-node 1 --transport tcp --repeats 3");
    let start = format!(
        "unshare --uts --mount bash -c 'hostname login0; mount --bind \"$0/hosts\" /etc/hosts; exec slurmctld -f \"$0/slurm.conf\"' {}",
        cluster.lab.display()
    );
    cluster.bash(&folder, "scontrol update PartitionName=compute State=DOWN");
    cluster.shardscale(&folder, "submit out --only '*-r1'", 0);
    std::thread::sleep(std::time::Duration::from_secs(8)); // what it has not written yet it forgets
    cluster.bash(&folder, &format!("kill -9 $(cat {}/pid/slurmctld)", cluster.lab.display()));
    let line = format!("! timeout 120 \"{}\" submit out 2>&1", cluster.program());
    let said = cluster.bash(&folder, &line);
    assert!(said.contains("nothing was submitted") && said.contains("squeue"), "{said}");
    cluster.bash(&folder, &start);
    wait_for("the controller", || cluster.bash(&folder, "sinfo -h -o %P || true").contains("compute"));
    let said = cluster.shardscale(&folder, "submit out", 0);
    assert_eq!(said.lines().count(), 2, "the first is in the queue already: {said}");
    cluster.bash(&folder, "scontrol update PartitionName=compute State=UP");
    cluster.wait_until_idle();
    let table = cluster.shardscale(&folder, "status out", 0);
    assert!(table.contains("3 runs: 3 done"), "{table}");
    for run in fs::read_dir(folder.join("out")).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir())
    {
        assert!(!run.join("attempt-2").exists(), "{} ran twice", run.display());
    }
    assert_clean(cluster);
    println!(
        "| slurmctld | while submitting | `kill -9 (slurmctld)` | nothing was submitted | - | nothing | done, none twice |"
    );
}

fn two_hundred_jobs(cluster: &Cluster) {
    let folder = cluster.folder("two-hundred");
    let begun = std::time::Instant::now();
    cluster.generate(
        &folder,
        "--deployment colocated --client-nodes 1 --clients-per-node 1 --transport tcp --repeats 200 --tensor-bytes 1KiB --iterations 10",
    );
    let generated = begun.elapsed();
    let said = cluster.shardscale(&folder, "submit out", 0);
    assert_eq!(said.lines().count(), 200);
    let submitted = begun.elapsed();
    wait_for_long("200 jobs", || cluster.bash(&cluster.root, "squeue --noheader").is_empty());
    let drained = begun.elapsed();
    assert_clean(cluster);
    let table = cluster.shardscale(&folder, "status out", 0);
    assert!(table.contains("200 runs: 200 done"), "{table}");
    let runs = fs::read_dir(folder.join("out")).unwrap().map(|entry| entry.unwrap().path());
    assert!(runs.filter(|path| path.join("attempt-2").exists()).count() == 0, "a job ran twice");
    let begun = std::time::Instant::now();
    cluster.shardscale(&folder, "collect out", 0);
    println!(
        "200 jobs: generated in {:.1} s, submitted in {:.1} s, all ended {:.1} s later, collected in {:.1} s",
        generated.as_secs_f64(),
        (submitted - generated).as_secs_f64(),
        (drained - submitted).as_secs_f64(),
        begun.elapsed().as_secs_f64()
    );
}

fn wait_for_long(what: &str, mut ready: impl FnMut() -> bool) {
    let begun = std::time::Instant::now();
    while !ready() {
        assert!(begun.elapsed().as_secs() < 600, "waited 600 s for {what}");
        std::thread::sleep(std::time::Duration::from_millis(500));
    }
}
