//! `shardscale submit` and `status` on the virtual Slurm cluster, where the queue has more than single jobs of their own: pairs
//! of a database's and a client's job, what was submitted by hand, arrays and heterogeneous jobs of others, no scheduler for a
//! while, and two hundred jobs.

#![allow(clippy::unwrap_used, reason = "helpers of tests may panic as tests may")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::Value;

mod slurm_support;
use slurm_support::{
    Case, Cluster, assert_clean, assert_nothing_left, attempt, show, standings, states, status, text, wait_for,
};

const CASES: &[Case] = &[
    ("a pair waits, runs and is done, submitted once", pair),
    ("a pair that is cancelled says so, whichever half was", cancelled_pairs),
    ("half a pair is taken back", half_pairs),
    ("waves stand behind arrays and heterogeneous jobs", others_in_the_queue),
    ("what was submitted by hand is known, and another folder's is not", by_hand),
    ("a job that died before it began says so", died_before_begin),
    ("the scheduler gone while submitting", scheduler_gone),
    ("two hundred small jobs", two_hundred_jobs),
];

fn main() -> ExitCode {
    slurm_support::run(CASES, &[("NODES", "6")])
}

const PAIR: &str = "--deployment standard --db-from job --client-nodes 1 --clients-per-node 2 --db-nodes 2";
const SMALL: &str = "--deployment colocated --client-nodes 1 --clients-per-node 2 --transport tcp";
const LONG: &str = "--tensor-bytes 1KiB,4MB --iterations 3000 --warmup 1 --barrier iteration";

fn partition(cluster: &Cluster, state: &str) {
    cluster.bash(&cluster.root, &format!("scontrol update PartitionName=compute State={state}"));
}

/// Jobs in the queue.
fn queue(cluster: &Cluster) -> Vec<String> {
    let said = cluster.bash(&cluster.root, "squeue --noheader --sort=i --format=%i");
    said.lines().map(|line| line.trim().to_owned()).collect()
}

/// First words of what `submit` said.
fn ids(said: &str) -> Vec<String> {
    said.lines().map(|line| line.split_whitespace().next().unwrap().to_owned()).collect()
}

/// State, reason, database's and client's job of the only run.
fn one(cluster: &Cluster, folder: &Path) -> [String; 4] {
    let runs = standings(cluster, folder);
    assert_eq!(runs.len(), 1);
    ["state", "reason", "db_job", "job"].map(|key| runs[0][key].as_str().unwrap_or_default().to_owned())
}

fn words(state: &str, reason: &str, ids: &[String]) -> [String; 4] {
    [state.to_owned(), reason.to_owned(), ids[0].clone(), ids[1].clone()]
}

fn pair(cluster: &Cluster) {
    let folder = cluster.folder("pair");
    let script = cluster.generate(&folder, PAIR).remove(0);
    partition(cluster, "DOWN");
    let said = cluster.shardscale(&folder, "submit out", 0);
    println!("$ shardscale submit out\n{said}");
    let jobs = ids(&said);
    assert_eq!((jobs.len(), queue(cluster)), (2, jobs.clone()), "{said}");
    show(cluster, &folder);
    assert_eq!(one(cluster, &folder), words("queued", "", &jobs));
    assert_eq!(cluster.shardscale(&folder, "submit out", 0), "", "nothing is submitted twice");

    // the client's answer is lost, as if the login node had died behind sbatch
    let ledger = folder.join("out/submitted.jsonl");
    let lines = fs::read_to_string(&ledger).unwrap();
    fs::write(&ledger, lines.lines().take(3).map(|line| format!("{line}\n")).collect::<String>()).unwrap();
    assert_eq!(cluster.shardscale(&folder, "submit out", 0), "", "it is in the queue under its token");
    assert_eq!(queue(cluster), jobs);

    partition(cluster, "UP");
    cluster.wait_until_idle();
    show(cluster, &folder);
    assert_eq!(one(cluster, &folder), words("done", "", &jobs));
    assert_eq!(attempt(&script, 2).jobs().collect::<Vec<_>>(), jobs, "the attempt has both");
    assert_eq!(cluster.shardscale(&folder, "submit out", 0), "");
    assert_nothing_left();

    // once more, all of it, behind another pair
    let said = cluster.shardscale(&folder, "submit out --again --dry-run", 0);
    println!("$ shardscale submit out --again --dry-run\n{said}");
    assert_eq!(said.lines().count(), 2, "{said}");
    assert_eq!(cluster.shardscale(&folder, "submit out --again", 0).lines().count(), 2);
    cluster.wait_until_idle();
    assert_eq!(one(cluster, &folder)[0], "done");
    assert!(script.with_extension("").join("attempt-2/samples.bin").exists());
    assert_nothing_left();
}

fn cancelled_pairs(cluster: &Cluster) {
    let folder = cluster.folder("cancelled-pairs");
    let script = cluster.generate(&folder, &format!("{PAIR} {LONG}")).remove(0);
    for half in [1, 0] {
        let jobs = ids(&cluster.shardscale(&folder, "submit out", 0));
        wait_for("the client", || {
            let path = script.with_extension("").join(format!("attempt-{}/progress.json", 2 - half));
            path.exists()
        });
        assert_eq!(one(cluster, &folder), words("running", "", &jobs));
        cluster.bash(&folder, &format!("scancel {}", jobs[half]));
        cluster.wait_until_idle();
        show(cluster, &folder);
        assert_eq!(one(cluster, &folder), words("failed", "cancelled", &jobs));
        assert_nothing_left();
    }
    // neither has started: the client of a cancelled database finds that out by itself, and does not wait for it
    partition(cluster, "DOWN");
    let jobs = ids(&cluster.shardscale(&folder, "submit out", 0));
    cluster.bash(&folder, &format!("scancel {}", jobs[0]));
    partition(cluster, "UP");
    cluster.wait_until_idle();
    show(cluster, &folder);
    assert_eq!(one(cluster, &folder), words("failed", "cancelled", &jobs));
    let log = fs::read_to_string(script.with_extension("").join(format!("job-{}.log", jobs[1]))).unwrap();
    assert!(log.contains(&format!("the database's job {} is not in the queue any more", jobs[0])), "{log}");
}

/// A folder with an `sbatch` that refuses what depends on another job, and hands on all else.
fn sbatch_without_dependencies(folder: &Path) -> PathBuf {
    let bin = folder.join("bin");
    fs::create_dir(&bin).unwrap();
    let path = bin.join("sbatch");
    let refuse =
        "case \"$*\" in *--dependency=*) echo 'sbatch: error: QOSMaxSubmitJobPerUserLimit' >&2; exit 1 ;; esac";
    fs::write(&path, format!("#!/bin/bash\n{refuse}\nexec /usr/bin/sbatch \"$@\"\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    bin
}

fn half_pairs(cluster: &Cluster) {
    let folder = cluster.folder("half-pairs");
    let script = cluster.generate(&folder, PAIR).remove(0);
    let bin = sbatch_without_dependencies(&folder);
    partition(cluster, "DOWN");
    let refused = |line: &str| {
        let line = format!("PATH={}:$PATH {line}", bin.display());
        let output = cluster.command("bash").args(["-c", &line]).current_dir(&folder).output().unwrap();
        println!("$ {line}\n{}", text(&output));
        assert_eq!(output.status.code(), Some(1));
        assert!(text(&output).contains("QOSMaxSubmitJobPerUserLimit"));
        assert!(queue(cluster).is_empty(), "the database's job is left");
        assert_eq!(states(cluster, &folder), ["not-submitted"]);
    };
    refused(&format!("{} submit out", cluster.program()));
    refused(&format!("bash {}", script.display()));

    // the login node dies between the two: the next call cancels the first and submits both
    let first = ids(&cluster.shardscale(&folder, "submit out", 0));
    cluster.bash(&folder, &format!("scancel {}", first[1]));
    let ledger = folder.join("out/submitted.jsonl");
    let lines = fs::read_to_string(&ledger).unwrap();
    let keep = lines.lines().count() - 2;
    fs::write(&ledger, lines.lines().take(keep).map(|line| format!("{line}\n")).collect::<String>()).unwrap();
    let jobs = ids(&cluster.shardscale(&folder, "submit out", 0));
    assert_eq!((jobs.len(), queue(cluster)), (2, jobs));
    cluster.bash(&folder, "scancel --user root");
    partition(cluster, "UP");
}

fn others_in_the_queue(cluster: &Cluster) {
    let folder = cluster.folder("others");
    cluster.generate(&folder, &format!("{SMALL} --repeats 2"));
    partition(cluster, "DOWN");
    fs::write(folder.join("sleep.sh"), "#!/bin/bash\nsleep 1\n").unwrap();
    let het = "#!/bin/bash\n#SBATCH --nodes=1\n#SBATCH hetjob\n#SBATCH --nodes=2\nsleep 1\n";
    fs::write(folder.join("het.sh"), het).unwrap();
    let array = cluster.bash(&folder, "sbatch --parsable --output=/dev/null --array=1-10%2 sleep.sh");
    let het = cluster.bash(&folder, "sbatch --parsable --output=/dev/null het.sh");
    println!("$ squeue\n{}", cluster.bash(&folder, "squeue --format='%i %T'"));
    // 12 are there: of 3 places the first of ours waits for the tenth, the second for the eleventh
    let said = cluster.shardscale(&folder, "submit out --at-once 3", 0);
    println!("$ shardscale submit out --at-once 3\n{said}");
    let behind: Vec<&str> = said.lines().map(|line| line.split("behind ").nth(1).unwrap()).collect();
    assert_eq!(behind, [format!("{array}_10"), het]);
    partition(cluster, "UP");
    cluster.wait_until_idle();
    assert_eq!(states(cluster, &folder), ["done", "done"]);
}

fn by_hand(cluster: &Cluster) {
    let folder = cluster.folder("by-hand");
    cluster.generate(&folder, &format!("{SMALL} --repeats 2"));
    let elsewhere = cluster.folder("by-hand/elsewhere");
    cluster.generate(&elsewhere, &format!("{SMALL} --repeats 2"));
    partition(cluster, "DOWN");
    let pair = cluster.folder("by-hand/pair");
    cluster.generate(&pair, PAIR);
    cluster.bash(&folder, "for script in out/*.sh; do sbatch $script; done");
    cluster.bash(&pair, "bash out/*.sh");
    assert_eq!(queue(cluster).len(), 4);
    show(cluster, &folder);
    assert_eq!(states(cluster, &folder), ["queued", "queued"]);
    assert_eq!(one(cluster, &pair)[0], "queued");
    // a link leads there too
    cluster.bash(&folder, "mv out there && ln -s there out && rm out && mv there out && ln -s out link");
    let said = cluster.bash(&folder, &format!("\"{}\" submit link", cluster.program()));
    assert_eq!(said, "", "nothing is queued twice");
    assert_eq!(cluster.shardscale(&pair, "submit out", 0), "");
    // the same runs of another folder are others
    assert_eq!(states(cluster, &elsewhere), ["not-submitted"; 2]);
    assert_eq!(cluster.shardscale(&elsewhere, "submit out", 0).lines().count(), 2);
    partition(cluster, "UP");
    cluster.wait_until_idle();
    assert_eq!(one(cluster, &pair)[0], "done");
    assert_eq!(states(cluster, &folder), ["done", "done"]);
    assert_eq!(states(cluster, &elsewhere), ["done", "done"]);

    // one script twice runs once: the second leaves it to the first, however long it takes
    let twice = cluster.folder("by-hand/twice");
    let script = cluster.generate(&twice, &format!("{SMALL} {LONG}")).remove(0);
    let mut jobs = vec![cluster.bash(&twice, "sbatch --parsable out/*.sh")];
    wait_for("the client", || script.with_extension("").join("attempt-1/progress.json").exists());
    jobs.push(cluster.bash(&twice, "sbatch --parsable out/*.sh"));
    wait_for("the end of the second", || queue(cluster) == jobs[..1]);
    assert!(!script.with_extension("").join("attempt-2").exists());
    let log = fs::read_to_string(script.with_extension("").join(format!("job-{}.log", jobs[1]))).unwrap();
    assert!(log.contains(&format!("job {} is at it in attempt-1", jobs[0])), "{log}");
    assert_eq!(one(cluster, &twice)[0], "running");
    cluster.bash(&twice, "scancel --user root");
    cluster.wait_until_idle();
    assert_eq!(one(cluster, &twice)[..2], ["failed", "cancelled"]);
}

fn died_before_begin(cluster: &Cluster) {
    let folder = cluster.folder("died");
    let scripts = cluster.generate(&folder, &format!("{SMALL} --repeats 2"));
    let run = |at: usize| scripts[at].file_stem().unwrap().to_string_lossy().into_owned();
    // as if the client were not on the nodes
    for script in &scripts {
        let text = fs::read_to_string(script).unwrap();
        fs::write(script, text.replace("client=${SHARDSCALE_CLIENT:-", "client=/nowhere${SHARDSCALE_CLIENT:-"))
            .unwrap();
    }
    let submitted = ids(&cluster.shardscale(&folder, "submit out --only '*-r1'", 0)).remove(0);
    let by_hand = cluster.bash(&folder, &format!("sbatch --parsable {}", scripts[1].display()));
    cluster.wait_until_idle();
    show(cluster, &folder);
    let details = |folder: &Path| -> Vec<(String, String)> {
        let runs = standings(cluster, folder).into_iter();
        let text = |run: &Value, key: &str| run[key].as_str().unwrap_or_default().to_owned();
        runs.map(|run| (text(&run, "job"), text(&run, "detail"))).collect()
    };
    for ((job, detail), id) in details(&folder).into_iter().zip([submitted, by_hand]) {
        assert_eq!(job, id);
        assert!(detail.contains(&format!("job-{id}.log: shardscale: /nowhere")), "{detail}");
    }
    let failed = ("failed".to_owned(), "ended at once".to_owned());
    assert_eq!(status(cluster, &folder), [(run(0), failed.clone()), (run(1), failed)].into());
    cluster.shardscale(&folder, "status out", 3);

    // mended: they go again as what failed
    cluster.generate(&folder, &format!("{SMALL} --repeats 2"));
    assert_eq!(cluster.shardscale(&folder, "submit out --failed", 0).lines().count(), 2);
    cluster.wait_until_idle();
    assert_eq!(states(cluster, &folder), ["done", "done"]);
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
