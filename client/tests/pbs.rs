//! Job scripts of a PBS site with plain Open MPI, run over several hosts: `gen`, `qsub`, `collect`, on the stand-in of
//! tests/pbs/, which behaves as a real server was seen to behave.
//!
//! One set of hosts serves all cases, one after another, so that this file has a `main` of its own. Without root it cannot
//! run: it says so loudly, and fails where CI=true.

#![allow(clippy::unwrap_used, reason = "helpers of tests may panic as tests may")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output};
use std::thread::sleep;
use std::time::{Duration, Instant};

use shardscale::record::attempt::{self, Attempt, FailureKind, Outcome};
use shardscale::record::samples::SamplesFile;

const CLIENT: &str = env!("CARGO_BIN_EXE_shardscale-client");
/// Longest that the jobs of one case may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// A name and what is done on the hosts.
type Case = (&'static str, fn(&Hosts));

const CASES: &[Case] = &[
    ("qsub runs standard and colocated over several hosts, and collect reports them", main_job),
    ("the database as a job of its own: qsub and submit run both, and both end", pair),
    ("submit makes waves, finds a lost answer in the queue, and status tells what qstat does", campaign),
    ("qdel leaves a status, samples, and no server, within the 10 s before KILL", deleted),
];

fn main() -> ExitCode {
    // cargo passes a name to run some tests only, and --list to name them
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    if std::env::args().any(|argument| argument == "--list") {
        CASES.iter().for_each(|(name, _)| println!("{name}: test"));
        return ExitCode::SUCCESS;
    }
    if !nix::unistd::geteuid().is_root() {
        eprintln!("\n*** THE PBS TESTS DID NOT RUN: they need root, for namespaces. Run them with sudo. ***\n");
        println!("0 passed, 0 failed, {} skipped", CASES.len());
        return if std::env::var("CI").is_ok_and(|ci| ci == "true") { ExitCode::FAILURE } else { ExitCode::SUCCESS };
    }
    let hosts = Hosts::up();
    let (mut passed, mut failed) = (0, 0);
    for (name, case) in CASES.iter().filter(|(name, _)| arguments.iter().all(|part| name.contains(part.as_str()))) {
        let good = std::panic::catch_unwind(|| case(&hosts)).is_ok();
        println!("test {name} ... {}", if good { "ok" } else { "FAILED" });
        *(if good { &mut passed } else { &mut failed }) += 1;
    }
    drop(hosts);
    println!("{passed} passed, {failed} failed");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The hosts; they go down when dropped.
struct Hosts {
    root: PathBuf,
    /// State of the stand-in: below the repository, which all hosts see.
    lab: PathBuf,
}

impl Hosts {
    fn up() -> Hosts {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned();
        let hosts = Hosts { lab: root.join("target/pbs-lab"), root };
        hosts.bash(&hosts.root, "tests/pbs/up.sh");
        hosts
    }

    /// Runs a line of bash in `folder` with the commands of PBS, expects exit code 0, returns stdout.
    fn bash(&self, folder: &Path, line: &str) -> String {
        let commands = self.lab.join("exec/bin");
        let program = Path::new(CLIENT).parent().unwrap();
        let path = std::env::var("PATH").unwrap_or_default();
        let mut command = Command::new("bash");
        command.env("PATH", format!("{}:{}:{path}", commands.display(), program.display())).env("RUN", &self.lab);
        let output = command.env("HOSTS", "5").args(["-c", line]).current_dir(folder).output().unwrap();
        assert!(output.status.success(), "{line}: {}", text(&output));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Generates with the stand-in's site into an empty folder that all hosts see.
    fn generate(&self, name: &str, args: &str) -> (PathBuf, Vec<PathBuf>) {
        let folder = self.root.join("target/pbs-tests").join(name);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        let site = self.root.join("tests/pbs/site.toml");
        let made = self.bash(&folder, &format!("shardscale gen --site {} --client {CLIENT} {args}", site.display()));
        let scripts = made.lines().map(|line| folder.join(line.split_whitespace().last().unwrap())).collect();
        (folder, scripts)
    }

    /// Submits a script from its folder's parent, as a user would; the job's id.
    fn submit(&self, folder: &Path, script: &Path) -> String {
        self.bash(folder, &format!("qsub {}", script.strip_prefix(folder).unwrap().display()))
    }

    /// Waits for a job's end: exit code and output.
    fn end_of(&self, job: &str) -> (String, String) {
        let folder = self.lab.join("jobs").join(job);
        wait_for(&format!("the end of {job}"), || folder.join("rc").exists());
        let output = fs::read_to_string(folder.join("output")).unwrap_or_default();
        (fs::read_to_string(folder.join("rc")).unwrap().trim().to_owned(), output)
    }
}

impl Drop for Hosts {
    fn drop(&mut self) {
        let output = Command::new("tests/pbs/down.sh").env("RUN", &self.lab).current_dir(&self.root).output();
        println!("hosts down: {}", output.is_ok_and(|output| output.status.success()));
    }
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn wait_for(what: &str, mut ready: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !ready() {
        assert!(begun.elapsed() < PATIENCE, "waited {PATIENCE:?} for {what}");
        sleep(Duration::from_millis(100));
    }
}

/// Processes of these jobs on the hosts, which this machine sees all: those in the network namespace of one of these hosts.
fn assert_nothing_left() {
    let network = |pid: &str| fs::read_link(format!("/proc/{pid}/ns/net")).ok();
    let files =
        fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("target/pbs-lab/pid")).unwrap();
    let pids = files.filter_map(|file| fs::read_to_string(file.ok()?.path()).ok());
    let hosts: Vec<PathBuf> = pids.filter_map(|pid| network(pid.trim())).collect();
    let pids = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok());
    let names = ["redis-server", "shardscale-clie", "orted", "mpirun"];
    let left: Vec<String> = pids
        .filter(|pid| network(&pid.to_string()).is_some_and(|its| hosts.contains(&its)))
        .filter_map(|pid| fs::read_to_string(format!("/proc/{pid}/comm")).ok())
        .filter(|comm| names.contains(&comm.trim()))
        .collect();
    assert!(left.is_empty(), "processes are left: {left:?}");
}

fn attempt(script: &Path, servers: u32) -> Attempt {
    Attempt::read(1, &script.with_extension("").join("attempt-1"), servers)
}

/// What a failed job left for its reader.
fn logs(script: &Path, output: &str) -> String {
    let log =
        |name: &str| fs::read_to_string(script.with_extension("").join("attempt-1").join(name)).unwrap_or_default();
    format!(
        "{output}\n--- status\n{}--- store.log\n{}--- client.log\n{}",
        log("status"),
        log("store.log"),
        log("client.log")
    )
}

fn main_job(hosts: &Hosts) {
    let (folder, scripts) = hosts.generate("main", "");
    assert_eq!(scripts.len(), 3);
    let jobs: Vec<String> = scripts.iter().map(|script| hosts.submit(&folder, script)).collect();
    for (script, job) in scripts.iter().zip(&jobs) {
        let (rc, output) = hosts.end_of(job);
        assert_eq!(rc, "0", "{}: {}", script.display(), logs(script, &output));
        assert_eq!(attempt(script, 0).outcome(), Outcome::Done, "{}", logs(script, &output));
    }
    assert_nothing_left();

    // shards on hosts of their own, reached over hsn0; ranks on the first hosts, the script's among them
    let standard = scripts.iter().position(|script| script.to_string_lossy().contains("standard")).unwrap();
    let attempt = attempt(&scripts[standard], 3);
    let addresses: Vec<_> = attempt.servers.iter().filter_map(|server| server.address.as_deref()).collect();
    assert!(addresses.len() == 3 && addresses.iter().all(|ip| ip.starts_with("10.88.0.")), "{addresses:?}");
    let file = SamplesFile::open(&attempt.samples()).unwrap().unwrap();
    let meta = file.contents().unwrap().meta.unwrap();
    assert_eq!((meta.world_size, meta.hosts.len(), meta.shards.len()), (4, 2, 3));
    assert!(attempt.servers.iter().all(|server| !meta.hosts.contains(&server.host)), "a rank shares a shard's host");
    assert!(!attempt.path.join("password").exists());

    // PBS' own way to other hosts was taken, for both launches
    let tasks = fs::read_to_string(hosts.lab.join("jobs").join(&jobs[standard]).join("tmrsh.log")).unwrap();
    assert!(tasks.lines().count() >= 4, "3 hosts of the store, 1 of the client beside the script's: {tasks}");

    let table = hosts.bash(&folder, "shardscale collect out/");
    assert!(table.contains("3 runs: 3 done"), "{table}");
}

fn pair(hosts: &Hosts) {
    let (folder, scripts) = hosts.generate("pair", "--deployment standard --db-from job");
    let job = hosts.submit(&folder, &scripts[0]);
    let (rc, output) = hosts.end_of(&job);
    assert_eq!(rc, "0", "{output}");
    let status = || hosts.bash(&folder, "USER=root shardscale status out --format json || [ $? = 3 ]");
    let pair = |attempt: Attempt| {
        let ids: Vec<String> = attempt.jobs().map(str::to_owned).collect();
        assert_eq!(ids.len(), 2, "{ids:?}");
        for id in ids {
            let (rc, output) = hosts.end_of(&id);
            assert_eq!(rc, "0", "{id}: {}", logs(&scripts[0], &output));
        }
        assert_nothing_left();
    };
    assert!(
        ["queued", "running"].iter().any(|state| status().contains(&format!("\"state\": \"{state}\""))),
        "{}",
        status()
    );
    wait_for("the pair", || status().contains("\"state\": \"done\""));
    let attempt = self::attempt(&scripts[0], 3);
    pair(attempt.clone());
    assert_eq!(attempt.outcome(), Outcome::Done);
    let meta = SamplesFile::open(&attempt.samples()).unwrap().unwrap().contents().unwrap().meta.unwrap();
    assert_eq!((meta.hosts.len(), meta.shards.len()), (2, 3));
    assert!(attempt.servers.iter().all(|server| !meta.hosts.contains(&server.host)), "a rank shares a shard's host");
    let names = fs::read_dir(&attempt.path).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let secret: Vec<String> = names.filter(|name| name == "password" || name.starts_with("remote-shell")).collect();
    assert!(secret.is_empty(), "{secret:?}");

    // the client is refused: its database goes too, whoever submits
    let bin = folder.join("bin");
    fs::create_dir(&bin).unwrap();
    let shim = "[[ $* != *depend=* ]] || { echo 'qsub: would exceed the limit' >&2; exit 1; }";
    fs::write(
        bin.join("qsub"),
        format!("#!/bin/bash\n{shim}\nexec {} \"$@\"\n", hosts.lab.join("exec/bin/qsub").display()),
    )
    .unwrap();
    hosts.bash(&folder, "chmod +x bin/qsub");
    for line in ["shardscale submit out --again", "SHARDSCALE_RERUN=1 bash out/*.sh"] {
        let said = hosts.bash(&folder, &format!("export USER=root PATH=$PWD/bin:$PATH; {line} 2>&1 && exit 1; true"));
        assert!(said.contains("would exceed the limit"), "{said}");
        wait_for("an empty queue", || hosts.bash(&folder, "qselect -u root").is_empty());
    }
    // submit gives both jobs to the queue, once
    let said = hosts.bash(&folder, "USER=root shardscale submit out --again");
    assert_eq!(said.lines().count(), 2, "{said}");
    assert_eq!(hosts.bash(&folder, "USER=root shardscale submit out --again"), "");
    wait_for("the pair", || {
        status().contains("\"state\": \"done\"") && hosts.bash(&folder, "qselect -u root").is_empty()
    });
    let (number, path) = attempt::list(&scripts[0].with_extension("")).unwrap().pop().unwrap();
    let second = Attempt::read(number, &path, 3);
    assert!(number > 1 && second.outcome() == Outcome::Done, "{:?}", second.events);
    pair(second);
}

fn deleted(hosts: &Hosts) {
    // the first size takes a second or two, the second one minutes
    let args = "--deployment standard --tensor-bytes 1KiB,4MB --iterations 3000 --warmup 1 --barrier iteration";
    let (folder, scripts) = hosts.generate("deleted", args);
    let job = hosts.submit(&folder, &scripts[0]);
    wait_for("the first size on disk", || {
        attempt(&scripts[0], 3).progress.is_some_and(|progress| progress.sizes_done == 1)
    });
    hosts.bash(&folder, &format!("qdel {job}"));
    let (rc, output) = hosts.end_of(&job);
    assert_eq!(rc, "271");
    assert!(!output.contains("killed after 10 s"), "{}", logs(&scripts[0], &output));
    assert_nothing_left();
    let attempt = attempt(&scripts[0], 3);
    let Outcome::Failed { kind, detail } = attempt.outcome() else { panic!("the attempt is done") };
    assert_eq!(kind, FailureKind::Terminated, "{detail}");
    let series = SamplesFile::open(&attempt.samples()).unwrap().unwrap().contents().unwrap().series.len();
    assert_eq!(series, 4 * 2, "ranks x ops of the size that was finished");
}

/// `shardscale submit` and `status`: the answer of the second submission is lost, the last run is deleted.
fn campaign(hosts: &Hosts) {
    let study =
        "--deployment colocated --transport tcp --client-nodes 1 --clients-per-node 1 --repeats 3 --iterations 20000";
    let (folder, scripts) = hosts.generate("campaign", study);
    let said = hosts.bash(&folder, "USER=root shardscale submit out --at-once 1");
    assert_eq!(said.lines().count(), 3, "{said}");
    let id = |line: usize| said.lines().nth(line).unwrap().split_whitespace().next().unwrap().to_owned();
    assert!(said.lines().nth(2).unwrap().ends_with(&format!("behind {}", id(1))), "{said}");
    let ledger = folder.join("out/submitted.jsonl");
    let text = fs::read_to_string(&ledger).unwrap();
    let lines = text.lines().enumerate().filter(|(at, _)| *at != 3).map(|(_, line)| format!("{line}\n"));
    fs::write(&ledger, lines.collect::<String>()).unwrap();
    let table = hosts.bash(&folder, "USER=root shardscale status out");
    assert!(table.contains("queued") && !table.contains("not submitted"), "{table}");
    assert_eq!(hosts.bash(&folder, "USER=root shardscale submit out"), "", "all are in the queue");
    assert!(fs::read_to_string(&ledger).unwrap().contains(&format!("\"id\":\"{}\"", id(1))));

    let last = attempt(scripts.last().unwrap(), 1);
    wait_for("the client of the last run", || last.path.join("progress.json").exists());
    hosts.bash(&folder, &format!("qdel {}", id(2)));
    hosts.end_of(&id(2));
    let table = hosts.bash(&folder, "USER=root shardscale status out || [ $? = 3 ]");
    println!("$ shardscale status out\n{table}");
    assert!(table.contains("3 runs: 2 done, 1 failed") && table.contains("cancelled; attempt-1"), "{table}");
    assert_eq!(hosts.bash(&folder, "USER=root shardscale submit out --failed").lines().count(), 1);
    wait_for("the rerun", || {
        hosts.bash(&folder, "USER=root shardscale status out || [ $? = 3 ]").contains("3 runs: 3 done")
    });
}
