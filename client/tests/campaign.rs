//! `shardscale submit` and `status` on the virtual Slurm cluster: once each, in waves, after a crash, after failures.

#![allow(clippy::unwrap_used, reason = "helpers of tests may panic as tests may")]

use std::fs;
use std::process::ExitCode;

mod slurm_support;
use slurm_support::{Case, Cluster, assert_nothing_left, processes, show, states, status, wait_for};

const CASES: &[Case] = &[
    ("submit, status, failure, rerun, and a larger study", whole_story),
    ("waves stand behind each other, and a lost answer is found in the queue", waves_and_crashes),
    ("a pack with little left asks for little", small_remainder),
    ("why a run failed", reasons),
];

fn main() -> ExitCode {
    slurm_support::run(CASES, &[("NODES", "6")])
}

const STUDY: &str = "--deployment colocated --clients-per-node 2 --transport tcp";

fn whole_story(cluster: &Cluster) {
    let folder = cluster.folder("campaign");
    let scripts = cluster.generate(&folder, &format!("{STUDY} --client-nodes 1,2"));
    assert_eq!(states(cluster, &folder), ["not-submitted", "not-submitted"]);
    // one of the two cannot work
    let spoilt = &scripts[0];
    let text = fs::read_to_string(spoilt).unwrap();
    fs::write(spoilt, text.replace("--server redis-server", "--server /nowhere/redis-server")).unwrap();

    let said = cluster.shardscale(&folder, "submit out", 0);
    println!("$ shardscale submit out\n{said}");
    assert_eq!(said.lines().count(), 2);
    assert_eq!(cluster.shardscale(&folder, "submit out", 0), "", "nothing is submitted twice");
    cluster.wait_until_idle();
    assert_nothing_left();
    show(cluster, &folder);
    let name = spoilt.file_stem().unwrap().to_string_lossy().into_owned();
    let standing = status(cluster, &folder);
    assert_eq!(standing[&name], ("failed".to_owned(), "store did not start".to_owned()));
    assert_eq!(standing.values().filter(|(state, _)| state == "done").count(), 1);

    // mended, and only that one goes again
    cluster.generate(&folder, &format!("{STUDY} --client-nodes 1,2"));
    let said = cluster.shardscale(&folder, "submit out --failed", 0);
    println!("$ shardscale submit out --failed\n{said}");
    assert!(said.lines().count() == 1 && said.contains(&name), "{said}");
    cluster.wait_until_idle();
    show(cluster, &folder);
    assert_eq!(states(cluster, &folder), ["done", "done"]);
    cluster.shardscale(&folder, "collect out", 0);
    let runs = fs::read_to_string(folder.join("out/report/runs.csv")).unwrap();
    assert!(runs.contains("earlier attempt-1 is not used"), "{runs}");

    // a larger study: only the new point
    cluster.generate(&folder, &format!("{STUDY} --client-nodes 1,2,3"));
    let said = cluster.shardscale(&folder, "submit out", 0);
    assert!(said.lines().count() == 1 && said.contains("colocated-n3x2"), "{said}");
    cluster.wait_until_idle();
    assert_eq!(states(cluster, &folder), ["done"; 3]);

    // a copy of the folder tells the same where there is no scheduler
    let copy = format!("cp -r out copy && PATH=/usr/sbin SLURM_CONF=/nowhere \"{}\" status copy", cluster.program());
    assert!(cluster.bash(&folder, &copy.replace("PATH=/usr/sbin ", "")).contains("3 runs: 3 done"));
}

fn waves_and_crashes(cluster: &Cluster) {
    let folder = cluster.folder("waves");
    cluster.generate(&folder, &format!("{STUDY} --client-nodes 1 --repeats 4"));
    let said = cluster.shardscale(&folder, "submit out --at-once 2 --dry-run", 0);
    assert_eq!(said.lines().filter(|line| line.contains("afterany:")).count(), 2, "{said}");
    // the answer of the last submission is lost: as if the login node had died behind sbatch
    cluster.bash(&folder, "scontrol update PartitionName=compute State=DOWN");
    let said = cluster.shardscale(&folder, "submit out --at-once 2", 0);
    let ids: Vec<&str> = said.lines().map(|line| line.split_whitespace().next().unwrap()).collect();
    assert_eq!(ids.len(), 4, "{said}");
    assert!(said.lines().nth(2).unwrap().ends_with(&format!("behind {}", ids[0])), "{said}");
    let ledger = folder.join("out/submitted.jsonl");
    let text = fs::read_to_string(&ledger).unwrap();
    fs::write(&ledger, text.lines().take(7).map(|line| format!("{line}\n")).collect::<String>()).unwrap();
    assert_eq!(states(cluster, &folder), ["queued"; 4]);
    assert_eq!(cluster.shardscale(&folder, "submit out", 0), "", "it is in the queue under its token");
    assert!(fs::read_to_string(&ledger).unwrap().contains(&format!("\"id\":\"{}\"", ids[3])));
    cluster.bash(&folder, "scontrol update PartitionName=compute State=UP");
    cluster.wait_until_idle();
    assert_eq!(states(cluster, &folder), ["done"; 4]);
}

fn small_remainder(cluster: &Cluster) {
    let folder = cluster.folder("remainder");
    cluster.generate(&folder, &format!("{STUDY} --client-nodes 1,3 --pack nested"));
    let run = "colocated-n1x2-db1-none-lo-tcp-r1";
    let job = folder.join("out").join(run).join("job.sh");
    let good = fs::read_to_string(&job).unwrap();
    fs::write(&job, good.replacen("#!/bin/bash\n", "#!/bin/bash\nexit 9\n", 1)).unwrap();
    cluster.shardscale(&folder, "submit out", 0);
    cluster.wait_until_idle();
    assert_eq!(states(cluster, &folder), ["done", "not-run"]);
    fs::write(&job, good).unwrap();
    let said = cluster.shardscale(&folder, "submit out --dry-run", 0);
    assert!(said.contains("--nodes=1 --time=00:11:00"), "{said}");
    cluster.shardscale(&folder, "submit out", 0);
    cluster.wait_until_idle();
    assert_eq!(states(cluster, &folder), ["done", "done"]);
    assert_nothing_left();
}

fn reasons(cluster: &Cluster) {
    let folder = cluster.folder("reasons");
    let endless = format!("{STUDY} --client-nodes 1 --rate 100 --iterations 3000000 --repeats 2");
    let scripts = cluster.generate(&folder, &endless);
    cluster.shardscale(&folder, "submit out --only '*-r1'", 0);
    let run = |repeat: usize| scripts[repeat - 1].file_stem().unwrap().to_string_lossy().into_owned();
    wait_for("the client", || {
        !processes("shardscale-clie").is_empty()
            && folder.join("out").join(run(1)).join("attempt-1/progress.json").exists()
    });
    show(cluster, &folder);
    assert_eq!(status(cluster, &folder)[&run(1)].0, "running");
    let job = cluster.bash(&folder, "squeue --noheader --format=%i");
    cluster.bash(&folder, &format!("scontrol update JobId={job} EndTime=now+1"));
    cluster.wait_until_idle();
    assert_eq!(status(cluster, &folder)[&run(1)], ("failed".to_owned(), "time limit".to_owned()));

    cluster.shardscale(&folder, "submit out --only '*-r2'", 0);
    wait_for("the client", || folder.join("out").join(run(2)).join("attempt-1/progress.json").exists());
    cluster.bash(&folder, "scancel --user root");
    cluster.wait_until_idle();
    assert_eq!(status(cluster, &folder)[&run(2)], ("failed".to_owned(), "cancelled".to_owned()));
    show(cluster, &folder);
    assert_nothing_left();
}
