//! Every part of a run is killed, at each stage, on the virtual Slurm cluster. What must hold each time: `status` knows why, the
//! samples of finished sizes are kept, no process and no scratch folder is left on any node, and submitting again heals it.
//!
//! The output is the table of docs/explanation/failures.md.

#![allow(clippy::unwrap_used, reason = "helpers of tests may panic as tests may")]

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::Value;
use shardscale::record::attempt::Attempt;

mod slurm_support;
use slurm_support::{
    Case, Cluster, assert_clean, assert_nothing_left, processes, processes_with, scratch, servers, wait_for,
};

const CASES: &[Case] = &[("every part killed at each stage", every_fault), ("a node that dies", node_failure)];

fn main() -> ExitCode {
    // room for three runs
    slurm_support::run(CASES, &[("NODES", NODES)])
}

const NODES: &str = "15";

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

/// Kills one of what is found, as soon as there is one: what was seen a moment before may have ended by itself.
fn kill_one(find: impl Fn() -> Vec<i32>) {
    let kill =
        |pid: &i32| nix::sys::signal::kill(nix::unistd::Pid::from_raw(*pid), nix::sys::signal::Signal::SIGKILL).is_ok();
    quickly(|| find().first().is_some_and(kill));
}

fn ranks() -> Vec<i32> {
    processes_with("shardscale-clie", "run\0--attempt")
}

fn on_the_job(cluster: &Cluster, line: &str) {
    let job = cluster.bash(&cluster.root, "squeue --noheader --format=%i");
    cluster.bash(&cluster.root, &line.replace("JOB", &job));
}

/// Two sizes that take some seconds, as fast as the sockets allow: a part dies in the middle of an op.
const THROUGHPUT: &str = "--iterations 8000";
/// The same at a pace that leaves the CPUs to others, where it is all one what the ranks are just doing.
const PACED: &str = "--rate 400 --iterations 600";
const AGGREGATION: &str = "--workload aggregation --iterations 400";
/// Ranks 0 to 3 of it are producers, on two nodes; on the third one rank idles beside this one.
const CONSUMER: u32 = 4;

fn kill_rank(rank: u32) {
    let wanted = format!("SLURM_PROCID={rank}");
    let is_wanted = |pid: &i32| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|one| one == wanted.as_bytes())
    };
    kill_one(|| ranks().into_iter().filter(is_wanted).collect());
}

const FAULTS: &[Fault] = &[
    Fault {
        what: "a shard",
        study: PACED,
        stage: Stage::Starting,
        command: "kill -9 (redis-server)",
        inject: |_| kill_one(servers),
        reasons: &["store did not start"],
    },
    Fault {
        what: "a shard",
        study: THROUGHPUT,
        stage: Stage::Looping,
        command: "kill -9 (redis-server)",
        inject: |_| kill_one(servers),
        reasons: &["store died"],
    },
    Fault {
        what: "a server's supervisor",
        study: THROUGHPUT,
        stage: Stage::Looping,
        command: "kill -9 (shardscale-client serve)",
        inject: |_| kill_one(|| processes_with("shardscale-clie", "serve")),
        reasons: &["client error", "store died"],
    },
    Fault {
        what: "a rank",
        study: PACED,
        stage: Stage::Connecting,
        command: "kill -9 (shardscale-client run)",
        inject: |_| kill_one(ranks),
        reasons: &["rank died", "client error"],
    },
    Fault {
        what: "a rank",
        study: THROUGHPUT,
        stage: Stage::Looping,
        command: "kill -9 (shardscale-client run)",
        inject: |_| kill_one(ranks),
        reasons: &["rank died", "client error"],
    },
    Fault {
        what: "the batch script",
        study: PACED,
        stage: Stage::Looping,
        command: "kill -9 (slurm_script)",
        inject: |_| kill_one(|| processes("slurm_script")),
        reasons: &["killed", "cancelled"],
    },
    Fault {
        what: "the batch script",
        study: PACED,
        stage: Stage::Looping,
        command: "scancel --batch --signal=TERM JOB",
        inject: |cluster| on_the_job(cluster, "scancel --batch --signal=TERM JOB"),
        reasons: &["terminated", "cancelled"],
    },
    Fault {
        what: "the job",
        study: PACED,
        stage: Stage::Starting,
        command: "scancel JOB",
        inject: |cluster| on_the_job(cluster, "scancel JOB"),
        reasons: &["cancelled"],
    },
    Fault {
        what: "the job",
        study: PACED,
        stage: Stage::Connecting,
        command: "scancel JOB",
        inject: |cluster| on_the_job(cluster, "scancel JOB"),
        reasons: &["cancelled"],
    },
    Fault {
        what: "the job",
        study: PACED,
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
        inject: |_| kill_one(servers),
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
            Stage::Starting => !servers().is_empty(),
            Stage::Connecting => said("client-started") && !ranks().is_empty(),
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

    fn submit_again(&self) {
        self.cluster.shardscale(&self.folder, "submit out --failed", 0);
    }

    /// What was submitted again is done.
    fn assert_healed(&self) {
        let (state, reason) = self.status();
        assert_eq!(state, "done", "{reason}: {:?}", self.attempt(2).outcome());
        self.cluster.shardscale(&self.folder, "collect out", 0);
    }
}

/// As [`wait_for`], for stages that pass quickly.
fn quickly(mut ready: impl FnMut() -> bool) {
    let begun = std::time::Instant::now();
    while !ready() {
        assert!(begun.elapsed().as_secs() < 120, "the stage never came");
        std::thread::sleep(std::time::Duration::from_millis(3));
    }
}

fn every_fault(cluster: &Cluster) {
    let mut broken = Vec::new();
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
        // a supervisor that is killed with -9 cannot remove its folder: that is known, and stays until the node is cleaned
        folders.iter().for_each(|folder| fs::remove_dir_all(folder).unwrap());
        let row = format!("| {} | {stage} | `{}` | {reason} | {kept} of 2 | {left} |", fault.what, fault.command);
        broken.push((subject, row));
    }
    // all runs again, to their ends, as many at once as end within the patience of a case on a busy machine
    for some in broken.chunks(6) {
        some.iter().for_each(|(subject, _)| subject.submit_again());
        cluster.wait_until_idle();
    }
    assert_clean(cluster);
    println!(
        "| killed | when | with | status says | sizes kept | left on nodes | again |\n|---|---|---|---|---|---|---|"
    );
    for (subject, row) in broken {
        subject.assert_healed();
        println!("{row} done |");
    }
}

fn node_failure(cluster: &Cluster) {
    let subject = Subject::generate(cluster, "fault-node", PACED);
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
    wait_for("the node to come back", || cluster.bash(&cluster.root, "sinfo -h -p compute -t idle -o %D") == NODES);
    subject.submit_again();
    cluster.wait_until_idle();
    assert_clean(cluster);
    subject.assert_healed();
}
