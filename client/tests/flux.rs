//! Job scripts on a real Flux over several hosts: `gen`, `flux batch`, `submit`, `status`, `collect`, in the lab of tests/flux/.
//!
//! No package registry has Flux: the test is ignored unless asked for (`cargo test -p shardscale-client --test flux -- --ignored`),
//! and needs root and a `flux` in PATH; tests/flux/README.md says how to build one. One lab serves all cases, one after another.

#![allow(clippy::unwrap_used, reason = "helpers of tests may panic as tests may")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::thread::sleep;
use std::time::{Duration, Instant};

use shardscale::record::attempt::{self, Attempt, FailureKind, Outcome};
use shardscale::record::samples::SamplesFile;

const CLIENT: &str = env!("CARGO_BIN_EXE_shardscale-client");
/// Longest that the jobs of one case may take.
const PATIENCE: Duration = Duration::from_secs(120);
/// The first size takes a second or two, the second one minutes.
const LONG: &str = "--deployment standard --tensor-bytes 1KiB,4MB --iterations 3000 --warmup 1 --barrier iteration";

/// A name and what is done in the lab.
type Case = (&'static str, fn(&Lab));

const CASES: &[Case] = &[
    ("sites new and check speak with this Flux", surveyed),
    ("flux batch out/*.sh runs all, and collect reports them", main_job),
    ("the database as a job of its own: flux batch and submit run both, and both end", pair),
    ("submit makes waves, finds a lost answer in the queue, and status tells what Flux does", campaign),
    ("flux cancel leaves a status, samples, and no server", cancelled),
    ("so does the time limit", time_limit),
    ("a rank that is killed ends the run within seconds", killed_rank),
    ("a pack runs its permutations one after another, and a smaller one the rest", packed),
    ("masks are applied", masked),
    ("a host that dies is told", lost_host),
];

#[test]
#[ignore = "needs root and a flux in PATH"]
fn scripts_on_a_real_flux() {
    assert!(nix::unistd::geteuid().is_root(), "the lab needs root, for namespaces");
    // SHARDSCALE_CASE=part of a name runs the cases with it
    let wanted = std::env::var("SHARDSCALE_CASE").unwrap_or_default();
    let lab = Lab::up();
    for (name, case) in CASES.iter().filter(|(name, _)| name.contains(&wanted)) {
        let begun = Instant::now();
        case(&lab);
        lab.wait_until_idle();
        lab.assert_nothing_left();
        println!("{name}: ok after {:.0?}", begun.elapsed());
    }
}

/// The hosts; they go down when dropped.
struct Lab {
    root: PathBuf,
    /// State: below the repository, which all hosts see.
    state: PathBuf,
}

impl Lab {
    fn up() -> Lab {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned();
        let lab = Lab { state: root.join("target/flux-lab"), root };
        lab.bash(&lab.root, "tests/flux/up.sh");
        lab
    }

    /// Runs a line of bash in `folder`, expects exit code 0, returns stdout.
    fn bash(&self, folder: &Path, line: &str) -> String {
        let program = Path::new(CLIENT).parent().unwrap();
        let path = std::env::var("PATH").unwrap_or_default();
        let mut command = Command::new("bash");
        command.env("PATH", format!("{}:{path}", program.display())).env("RUN", &self.state).env("LC_ALL", "C.UTF-8");
        command.env("FLUX_URI", format!("local://{}/socket", self.state.display())).env_remove("SHARDSCALE_RERUN");
        let output = command.args(["-c", line]).current_dir(folder).output().unwrap();
        assert!(output.status.success(), "{line}: {}", text(&output));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Generates with the lab's site into an empty folder that all hosts see.
    fn generate(&self, name: &str, args: &str) -> (PathBuf, Vec<PathBuf>) {
        self.generate_for(&self.root.join("tests/flux/site.toml"), name, args)
    }

    fn generate_for(&self, site: &Path, name: &str, args: &str) -> (PathBuf, Vec<PathBuf>) {
        let folder = self.root.join("target/flux-tests").join(name);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        let made = self.bash(&folder, &format!("shardscale gen --site {} --client {CLIENT} {args}", site.display()));
        let scripts = made.lines().map(|line| folder.join(line.split_whitespace().last().unwrap())).collect();
        (folder, scripts)
    }

    fn wait_until_idle(&self) {
        wait_for("the queue to be empty", || self.bash(&self.root, "flux jobs --no-header").is_empty());
    }

    /// What `status` says; its exit code 3 is an answer too.
    fn status(&self, folder: &Path, args: &str) -> String {
        self.bash(folder, &format!("shardscale status out {args} || [ $? = 3 ]"))
    }

    /// Processes of jobs on the hosts: those of this machine in the network namespace of one of them.
    fn assert_nothing_left(&self) {
        let network = |pid: &str| fs::read_link(format!("/proc/{pid}/ns/net")).ok();
        let files = fs::read_dir(self.state.join("pid")).unwrap();
        let pids = files.filter_map(|file| fs::read_to_string(file.ok()?.path()).ok());
        let hosts: Vec<PathBuf> = pids.filter_map(|pid| network(pid.trim())).collect();
        let names = ["redis-server", "shardscale-clie"];
        let left = || -> Vec<String> {
            let pids = fs::read_dir("/proc")
                .unwrap()
                .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok());
            pids.filter(|pid| network(&pid.to_string()).is_some_and(|its| hosts.contains(&its)))
                .filter_map(|pid| fs::read_to_string(format!("/proc/{pid}/comm")).ok())
                .filter(|comm| names.contains(&comm.trim()))
                .collect()
        };
        wait_for("the jobs' processes to end", || left().is_empty());
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let output = Command::new("tests/flux/down.sh").env("RUN", &self.state).current_dir(&self.root).output();
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
        sleep(Duration::from_millis(200));
    }
}

/// What the last attempt of a script left.
fn attempt(script: &Path, servers: u32) -> Attempt {
    let (number, path) = attempt::list(&script.with_extension("")).unwrap().pop().unwrap_or_default();
    Attempt::read(number, &path, servers)
}

/// What a failed job left for its reader.
fn logs(script: &Path) -> String {
    let folder = script.with_extension("");
    let of = |file: &str| {
        format!("--- {file}\n{}", fs::read_to_string(folder.join("attempt-1").join(file)).unwrap_or_default())
    };
    format!("{}{}{}{}", script.display(), of("status"), of("store.log"), of("client.log"))
}

fn failure(script: &Path, servers: u32) -> (FailureKind, String) {
    match attempt(script, servers).outcome() {
        Outcome::Failed { kind, detail } => (kind, detail),
        Outcome::Done => panic!("{} is done", script.display()),
    }
}

fn series(script: &Path) -> usize {
    SamplesFile::open(&attempt(script, 0).samples()).unwrap().unwrap().contents().unwrap().series.len()
}

fn surveyed(lab: &Lab) {
    let (folder, _) = lab.generate("survey", "");
    lab.bash(
        &folder,
        "shardscale sites new --name lab > lab.toml && { shardscale sites check lab.toml || [ $? = 3 ]; }",
    );
    let site = fs::read_to_string(folder.join("lab.toml")).unwrap();
    for line in ["kind = \"flux\"", "launcher = \"flux\"", "count = 6", "submit_as = [\"--queue=debug\"]"] {
        assert!(site.contains(line), "{line}: {site}");
    }
    lab.bash(&folder, "shardscale check out");
    lab.bash(&folder, "sed -i 's/--exclusive/--exclusiv/' out/standard*.sh; ! shardscale check out > found.txt");
    let found = fs::read_to_string(folder.join("found.txt")).unwrap();
    assert!(found.contains("unrecognized arguments: --exclusiv"), "{found}");
}

fn main_job(lab: &Lab) {
    let (folder, scripts) = lab.generate("main", "");
    assert_eq!(scripts.len(), 3);
    lab.bash(&folder, "flux batch out/*.sh");
    wait_for("three ends", || scripts.iter().all(|script| attempt(script, 0).outcome() == Outcome::Done));
    lab.wait_until_idle();
    // shards on hosts of their own, reached over hsn0
    let standard = scripts.iter().find(|script| script.to_string_lossy().contains("standard")).unwrap();
    let attempt = attempt(standard, 3);
    let addresses: Vec<_> = attempt.servers.iter().filter_map(|server| server.address.as_deref()).collect();
    assert!(addresses.len() == 3 && addresses.iter().all(|ip| ip.starts_with("10.98.0.")), "{addresses:?}");
    let meta = SamplesFile::open(&attempt.samples()).unwrap().unwrap().contents().unwrap().meta.unwrap();
    assert_eq!((meta.world_size, meta.hosts.len(), meta.shards.len()), (4, 2, 3));
    assert!(attempt.servers.iter().all(|server| !meta.hosts.contains(&server.host)), "a rank shares a shard's host");
    assert!(!attempt.path.join("password").exists());
    let table = lab.bash(&folder, "shardscale collect out/");
    assert!(table.contains("3 runs: 3 done"), "{table}");
    // again: all is measured, and nothing runs
    lab.bash(&folder, "flux batch out/*.sh");
    lab.wait_until_idle();
    assert!(scripts.iter().all(|script| !script.with_extension("").join("attempt-2").exists()));
}

fn pair(lab: &Lab) {
    let (folder, scripts) = lab.generate("pair", "--deployment standard --db-from job");
    let check = |number: u32| {
        wait_for("the pair", || lab.status(&folder, "--format json").contains("\"state\": \"done\""));
        lab.wait_until_idle();
        let attempt = attempt(&scripts[0], 3);
        assert_eq!((attempt.number, attempt.outcome()), (number, Outcome::Done), "{}", logs(&scripts[0]));
        assert_eq!(attempt.jobs().count(), 2);
        assert!(attempt.servers.iter().all(|server| server.exit.as_ref().is_some_and(|exit| exit.asked)));
    };
    lab.bash(&folder, "flux batch out/*.sh");
    check(1);
    let said = lab.bash(&folder, "shardscale submit out --again");
    assert_eq!(said.lines().count(), 2, "{said}");
    assert_eq!(lab.bash(&folder, "shardscale submit out --again"), "", "both are in the queue");
    wait_for("the second attempt", || attempt(&scripts[0], 3).number == 2);
    check(2);
}

/// The answer of the second submission is lost, the last run is cancelled.
fn campaign(lab: &Lab) {
    let study =
        "--deployment colocated --transport tcp --client-nodes 1 --clients-per-node 1 --repeats 3 --iterations 20000";
    let (folder, scripts) = lab.generate("campaign", study);
    let said = lab.bash(&folder, "shardscale submit out --at-once 1");
    assert_eq!(said.lines().count(), 3, "{said}");
    let id = |line: usize| said.lines().nth(line).unwrap().split_whitespace().next().unwrap().to_owned();
    assert!(said.lines().nth(2).unwrap().ends_with(&format!("behind {}", id(1))), "{said}");
    let ledger = folder.join("out/submitted.jsonl");
    let kept = fs::read_to_string(&ledger).unwrap();
    let lines = kept.lines().enumerate().filter(|(at, _)| *at != 3).map(|(_, line)| format!("{line}\n"));
    fs::write(&ledger, lines.collect::<String>()).unwrap();
    let table = lab.status(&folder, "");
    assert!(table.contains(&format!("depends:after-finish={}", id(1))) && !table.contains("not submitted"), "{table}");
    assert_eq!(lab.bash(&folder, "shardscale submit out"), "", "all are in the queue");
    assert!(fs::read_to_string(&ledger).unwrap().contains(&format!("\"id\":\"{}\"", id(1))));
    wait_for("the client of the last run", || attempt(scripts.last().unwrap(), 1).progress.is_some());
    lab.bash(&folder, &format!("flux cancel {}", id(2)));
    lab.wait_until_idle();
    let table = lab.status(&folder, "");
    println!("$ shardscale status out\n{table}");
    assert!(table.contains("3 runs: 2 done, 1 failed") && table.contains("cancelled; attempt-1"), "{table}");
    // more than there is: it is taken, and never runs
    let wide = lab.bash(&folder, "shardscale submit out --failed --dry-run");
    assert!(wide.starts_with("flux batch --setattr=user.shardscale=TOKEN out/"), "{wide}");
}

fn cancelled(lab: &Lab) {
    let (folder, scripts) = lab.generate("cancelled", LONG);
    let job = lab.bash(&folder, "flux batch out/*.sh");
    wait_for("the first size", || attempt(&scripts[0], 3).progress.is_some_and(|progress| progress.sizes_done == 1));
    lab.bash(&folder, &format!("flux cancel {job}"));
    lab.wait_until_idle();
    let (kind, detail) = failure(&scripts[0], 3);
    assert_eq!(kind, FailureKind::Cancelled, "{detail}");
    assert_eq!(series(&scripts[0]), 4 * 2, "ranks x ops of the size that was finished");
    let status = lab.status(&folder, "--format json");
    assert!(status.contains("\"reason\": \"cancelled\""), "{status}");
}

fn time_limit(lab: &Lab) {
    let (folder, scripts) = lab.generate("limit", &format!("{LONG} --walltime 00:00:15"));
    lab.bash(&folder, "flux batch out/*.sh");
    wait_for("a start", || !attempt(&scripts[0], 3).events.is_empty());
    lab.wait_until_idle();
    let (kind, detail) = failure(&scripts[0], 3);
    assert_eq!(kind, FailureKind::TimeLimit, "{detail}{}", logs(&scripts[0]));
    assert_eq!(series(&scripts[0]), 4 * 2, "ranks x ops of the size that was finished");
    let status = lab.status(&folder, "--format json");
    assert!(status.contains("\"reason\": \"time limit\""), "{status}");
}

fn killed_rank(lab: &Lab) {
    let (folder, scripts) = lab.generate("killed", LONG);
    lab.bash(&folder, "flux batch out/*.sh");
    wait_for("the first size", || attempt(&scripts[0], 3).progress.is_some_and(|progress| progress.sizes_done == 1));
    lab.bash(&folder, &format!("kill -KILL $(pgrep -n -f '[s]hardscale-client run.*{}/')", folder.display()));
    let begun = Instant::now();
    lab.wait_until_idle();
    assert!(begun.elapsed() < Duration::from_secs(20), "Flux itself gives the others 30 s: {:?}", begun.elapsed());
    assert_eq!(failure(&scripts[0], 3).0, FailureKind::RankDied, "{}", logs(&scripts[0]));
}

fn packed(lab: &Lab) {
    let (folder, scripts) = lab.generate("pack", "--pack nested");
    assert!(scripts.last().unwrap().to_string_lossy().contains("out/pack-"), "{scripts:?}");
    lab.bash(&folder, "shardscale submit out");
    wait_for("the pack", || lab.status(&folder, "").contains("3 runs: 3 done"));
    lab.wait_until_idle();
    let one = fs::read_dir(folder.join("out")).unwrap().map(|entry| entry.unwrap().path());
    let one = one.filter(|path| path.join("job.sh").exists()).min().unwrap();
    fs::remove_dir_all(one.join("attempt-1")).unwrap();
    lab.bash(&folder, "shardscale submit out");
    lab.wait_until_idle();
    assert!(lab.status(&folder, "").contains("3 runs: 3 done"));
    let asked = lab.bash(&folder, "flux jobs -a --no-header --format='{nnodes} {duration}' | head -n 1");
    assert_eq!(asked, "2 660.0", "the nodes and the time of the run that was left");
}

/// Two CPUs, which every machine has: a server and a rank on each host.
fn masked(lab: &Lab) {
    let site = fs::read_to_string(lab.root.join("tests/flux/site.toml")).unwrap();
    let path = lab.root.join("target/flux-tests/two-cores.toml");
    fs::write(&path, site.replace("cores = 8", "cores = 2")).unwrap();
    let study = "--deployment colocated --transport uds --clients-per-node 1 --cpu-bind mask";
    let (folder, scripts) = lab.generate_for(&path, "masks", study);
    lab.bash(&folder, "flux batch out/*.sh");
    wait_for("the end", || attempt(&scripts[0], 2).outcome() == Outcome::Done);
    let attempt = attempt(&scripts[0], 2);
    let own: Vec<String> = attempt.servers.iter().map(|server| format!("{:?}", server.cpus)).collect();
    assert!(own.len() == 2 && own.iter().all(|cpus| cpus.contains('0') != cpus.contains('1')), "{own:?}");
    let table = lab.bash(&folder, "shardscale collect out/");
    assert!(table.contains("1 run: 1 done"), "{table}");
}

/// The last case: the lab has a host less afterwards.
fn lost_host(lab: &Lab) {
    let (folder, scripts) = lab.generate("host", LONG);
    let job = lab.bash(&folder, "flux batch out/*.sh");
    wait_for("the first size", || attempt(&scripts[0], 3).progress.is_some_and(|progress| progress.sizes_done == 1));
    let host = attempt(&scripts[0], 3).servers[2].host.clone();
    let pid = fs::read_to_string(lab.state.join("pid").join(&host)).unwrap();
    lab.bash(&folder, &format!("kill -KILL {pid}"));
    wait_for("the job's end", || {
        lab.bash(&folder, &format!("flux jobs --no-header --format='{{state}}' {job}")) == "INACTIVE"
    });
    let status = lab.status(&folder, "");
    println!("$ shardscale status out\n{status}");
    assert!(status.contains("1 run: 1 failed"), "{status}");
    assert_eq!(series(&scripts[0]), 4 * 2, "ranks x ops of the size that was finished");
}
