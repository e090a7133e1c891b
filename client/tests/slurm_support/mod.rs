//! What the tests on the virtual Slurm cluster of tests/slurm/ share: the cluster, the cases on it, the waiting.
//!
//! One cluster serves all cases of a file, one after another, so that these files have a `main` of their own. Each file has its
//! networks and its state to itself, so that several run side by side. Without root they cannot run: they say so loudly, and
//! fail where CI=true.

#![allow(dead_code, reason = "no file of tests uses all")]

use std::collections::HashMap;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;
use shardscale::record::attempt::Attempt;

#[path = "../common/aftermath.rs"]
mod aftermath;

pub const CLIENT: &str = env!("CARGO_BIN_EXE_shardscale-client");
/// Longest that the jobs of one case may take.
const PATIENCE: Duration = Duration::from_secs(180);

/// A name and what is done on the cluster.
pub type Case = (&'static str, fn(&Cluster));

/// Brings up a cluster as the variables of up.sh say, and runs the cases that the command line names, all without one.
pub fn run(cases: &[Case], variables: &[(&str, &str)]) -> ExitCode {
    // cargo passes a name to run some tests only, and --list to name them
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    if std::env::args().any(|argument| argument == "--list") {
        cases.iter().for_each(|(name, _)| println!("{name}: test"));
        return ExitCode::SUCCESS;
    }
    if !nix::unistd::geteuid().is_root() {
        eprintln!("\n*** THE SLURM TESTS DID NOT RUN: they need root, for namespaces. Run them with sudo. ***\n");
        println!("0 passed, 0 failed, {} skipped", cases.len());
        return if std::env::var("CI").is_ok_and(|ci| ci == "true") { ExitCode::FAILURE } else { ExitCode::SUCCESS };
    }
    in_networks_of_its_own();
    let cluster = Cluster::up(variables);
    let (mut passed, mut failed) = (0, 0);
    for (name, case) in cases.iter().filter(|(name, _)| arguments.iter().all(|part| name.contains(part.as_str()))) {
        let good = std::panic::catch_unwind(|| case(&cluster)).is_ok();
        if let Some(folder) = newest_folder().filter(|_| !good) {
            aftermath::print(&folder);
        }
        println!("test {name} ... {}", if good { "ok" } else { "FAILED" });
        *(if good { &mut passed } else { &mut failed }) += 1;
        cluster.clear();
    }
    drop(cluster);
    println!("{passed} passed, {failed} failed");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Starts this program again, in fresh network and mount namespaces: the bridges of another cluster are not there.
pub fn in_networks_of_its_own() {
    const INSIDE: &str = "SHARDSCALE_TEST_NETWORKS";
    if std::env::var_os(INSIDE).is_some() {
        return;
    }
    let line = "mount -t sysfs sysfs /sys && ip link set lo up && exec \"$0\" \"$@\"";
    let mut again = Command::new("unshare");
    again.args(["--net", "--mount", "sh", "-c", line]).args(std::env::args_os()).env(INSIDE, "1");
    panic!("unshare: {}", again.exec());
}

/// Where this file's cases work.
fn workplace() -> PathBuf {
    root().join("target/slurm-tests").join(env!("CARGO_CRATE_NAME"))
}

/// The folder of the case that began last.
fn newest_folder() -> Option<PathBuf> {
    let folders = fs::read_dir(workplace()).ok()?.filter_map(|entry| Some(entry.ok()?.path()));
    folders.max_by_key(|folder| fs::metadata(folder).and_then(|it| it.modified()).ok())
}

/// State of this file's cluster.
fn lab() -> PathBuf {
    root().join("target/slurm-labs").join(env!("CARGO_CRATE_NAME"))
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The virtual cluster; it goes down when dropped.
pub struct Cluster {
    pub root: PathBuf,
    /// State and working folder: below the repository, which all nodes see.
    pub lab: PathBuf,
}

impl Cluster {
    fn up(variables: &[(&str, &str)]) -> Cluster {
        let cluster = Cluster { lab: lab(), root: root() };
        let output = cluster
            .command("tests/slurm/up.sh")
            .envs(variables.iter().copied())
            .current_dir(&cluster.root)
            .output()
            .unwrap();
        assert!(output.status.success(), "up.sh: {}", text(&output));
        cluster
    }

    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env("RUN", &self.lab).env("SLURM_CONF", self.lab.join("slurm.conf")).env_remove("SHARDSCALE_RERUN");
        command
    }

    /// Runs a line of bash in `folder`, expects exit code 0, returns stdout.
    pub fn bash(&self, folder: &Path, line: &str) -> String {
        let output = self.command("bash").args(["-c", line]).current_dir(folder).output().unwrap();
        assert!(output.status.success(), "{line}: {}", text(&output));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// An empty folder that all nodes see.
    pub fn folder(&self, name: &str) -> PathBuf {
        let folder = workplace().join(name);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    /// Path of `shardscale`.
    pub fn program(&self) -> String {
        let program = Path::new(CLIENT).with_file_name("shardscale");
        assert!(program.exists(), "{} is missing: cargo build --workspace makes it", program.display());
        program.display().to_string()
    }

    pub fn shardscale(&self, folder: &Path, args: &str, code: i32) -> String {
        let line = format!("\"$0\" {args}");
        let output = self.command("bash").args(["-c", &line, &self.program()]).current_dir(folder).output();
        let output = output.unwrap();
        assert_eq!(output.status.code(), Some(code), "{args}: {}", text(&output));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Generates with the cluster's site, which is a study of 5 nodes unless `args` say otherwise.
    pub fn generate(&self, folder: &Path, args: &str) -> Vec<PathBuf> {
        self.generate_for(&self.root.join("tests/slurm/site.toml"), folder, args)
    }

    pub fn generate_for(&self, site: &Path, folder: &Path, args: &str) -> Vec<PathBuf> {
        let made = self.shardscale(folder, &format!("gen --site {} --client {CLIENT} {args}", site.display()), 0);
        made.lines().map(|line| folder.join(line.split_whitespace().last().unwrap())).collect()
    }

    pub fn wait_until_idle(&self) {
        wait_for("the queue to be empty", || self.bash(&self.root, "squeue --noheader").is_empty());
    }

    /// Nothing of a case may disturb the next one.
    fn clear(&self) {
        let _ = self.command("scancel").args(["--user", "root"]).status();
        self.wait_until_idle();
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let output = self.command("tests/slurm/down.sh").current_dir(&self.root).output();
        println!("cluster down: {}", output.is_ok_and(|output| output.status.success()));
    }
}

/// State and reason of each run of `out` in `folder`.
pub fn status(cluster: &Cluster, folder: &Path) -> HashMap<String, (String, String)> {
    let text = |run: &Value, key: &str| run[key].as_str().unwrap_or_default().to_owned();
    let runs = standings(cluster, folder).into_iter();
    runs.map(|run| (text(&run, "run"), (text(&run, "state"), text(&run, "reason")))).collect()
}

/// The same with all that `status` says.
pub fn standings(cluster: &Cluster, folder: &Path) -> Vec<Value> {
    let json = cluster.bash(folder, &format!("\"{}\" status out --format json || [ $? = 3 ]", cluster.program()));
    serde_json::from_str::<Value>(&json).unwrap()["runs"].as_array().unwrap().clone()
}

pub fn states(cluster: &Cluster, folder: &Path) -> Vec<String> {
    let mut states: Vec<String> = status(cluster, folder).into_values().map(|(state, _)| state).collect();
    states.sort();
    states
}

pub fn show(cluster: &Cluster, folder: &Path) {
    println!(
        "$ shardscale status out\n{}",
        cluster.bash(folder, &format!("\"{}\" status out || [ $? = 3 ]", cluster.program()))
    );
}

pub fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

pub fn wait_for(what: &str, mut ready: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !ready() {
        assert!(begun.elapsed() < PATIENCE, "waited {PATIENCE:?} for {what}");
        sleep(Duration::from_millis(200));
    }
}

/// Whether nodes can confine jobs to the CPUs that they got.
pub fn has_cpusets() -> bool {
    let line = ". tests/slurm/common.sh && has_cpusets";
    Command::new("bash").args(["-c", line]).current_dir(root()).status().is_ok_and(|status| status.success())
}

/// What the first attempt of a script left.
pub fn attempt(script: &Path, servers: u32) -> Attempt {
    Attempt::read(1, &script.with_extension("").join("attempt-1"), servers)
}

/// Process ids of all programs of that name on the virtual nodes of this cluster, which this machine sees all; a second cluster
/// on the machine has others. A process belongs to a node if it is in the node's pid namespace.
pub fn processes(name: &str) -> Vec<i32> {
    let lab = lab().join("pid");
    let space = |pid: &str| fs::read_link(format!("/proc/{pid}/ns/pid")).ok();
    // the files hold the pid of each node's `unshare`, whose child is the first process in there
    let node = |file: fs::DirEntry| {
        let is_node = file.file_name().to_str()?.starts_with("cn");
        let pid = fs::read_to_string(file.path()).ok().filter(|_| is_node)?;
        let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", pid.trim())).ok()?;
        space(children.split_whitespace().next()?)
    };
    let nodes: Vec<PathBuf> = fs::read_dir(lab).unwrap().filter_map(|file| node(file.unwrap())).collect();
    let pids = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(|pid| fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|comm| comm.trim() == name))
        .filter(|pid| space(&pid.to_string()).is_some_and(|its| nodes.contains(&its)))
        .collect()
}

/// Of the processes of that name those with `part` in their command line.
pub fn processes_with(name: &str, part: &str) -> Vec<i32> {
    let has = |pid: &i32| {
        fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| String::from_utf8_lossy(&line).contains(part))
    };
    processes(name).into_iter().filter(has).collect()
}

/// The stores' servers. One that only tells its version, or has ended and is not yet buried, is none.
pub fn servers() -> Vec<i32> {
    let serves = |pid: &i32| {
        fs::read(format!("/proc/{pid}/cmdline"))
            .is_ok_and(|line| !line.is_empty() && !String::from_utf8_lossy(&line).contains("--version"))
    };
    processes("redis-server").into_iter().filter(serves).collect()
}

pub fn assert_nothing_left() {
    let left = [processes("redis-server"), processes("shardscale-clie")].concat();
    assert!(left.is_empty(), "processes are left: {left:?}");
}

/// No process of ours on any node, and nothing of ours in their node-local folders.
pub fn assert_clean(cluster: &Cluster) {
    assert_nothing_left();
    let left = scratch(cluster);
    assert!(left.is_empty(), "node-local folders are left: {left:?}");
}

/// What is ours in the node-local folders of all nodes.
pub fn scratch(cluster: &Cluster) -> Vec<PathBuf> {
    let files = fs::read_dir(cluster.lab.join("pid")).unwrap().map(|file| file.unwrap().path());
    let nodes = files.filter(|file| file.file_name().unwrap().to_string_lossy().starts_with("cn"));
    let mut left = Vec::new();
    for pid in nodes.filter_map(|file| fs::read_to_string(file).ok()) {
        for folder in ["tmp", "dev/shm"] {
            let path = Path::new("/proc").join(pid.trim()).join("root").join(folder);
            let names = fs::read_dir(path).into_iter().flatten().map(|entry| entry.unwrap().path());
            left.extend(names.filter(|path| path.to_string_lossy().contains("shardscale")));
        }
    }
    left
}
