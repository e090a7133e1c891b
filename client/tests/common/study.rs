//! A study of site `local` as a user makes and runs it: `gen`, the script under bash, `collect`.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use shardscale::record::attempt::{Attempt, FailureKind, Outcome};

use super::{CLIENT, aftermath, free_port, require, text, wait_for};

/// Each study starts its servers and ranks on the machine's few cores: one at a time, or all wait for all.
static MACHINE: Mutex<()> = Mutex::new(());

pub fn machine() -> MutexGuard<'static, ()> {
    // a test that failed has poisoned it, and harmed nothing
    MACHINE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A folder with one generated script, and the site file that it was made from.
pub struct Study {
    _machine: MutexGuard<'static, ()>,
    pub folder: tempfile::TempDir,
    pub script: PathBuf,
}

impl Drop for Study {
    fn drop(&mut self) {
        if std::thread::panicking() {
            aftermath::print(self.folder.path());
        }
    }
}

impl Study {
    /// Generates one permutation of the `local` site, on ports of its own; `args` are further flags of gen.
    pub fn new(args: &[&str]) -> Study {
        for (program, package) in [("mpirun", "openmpi-bin"), ("redis-server", "redis-server")] {
            require(program, package);
        }
        let machine = machine();
        let folder = tempfile::tempdir().unwrap();
        let network = format!("[network]\ndb_port = {}\n\n[scratch]", free_port());
        let site = include_str!("../../../site-configs/local.toml").replace("[scratch]", &network);
        fs::write(folder.path().join("site.toml"), site).unwrap();
        let usual = ["gen", "--site=./site.toml", "--client", CLIENT, "--clients-per-node=2"];
        let output = shardscale(folder.path(), &[&usual[..], args].concat());
        assert!(output.status.success(), "{}", text(&output));
        let made = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(made.lines().count(), 1, "{made}");
        let script = folder.path().join(made.split_whitespace().last().unwrap());
        Study { _machine: machine, folder, script }
    }

    pub fn standard(args: &[&str]) -> Study {
        Study::new(&[&["--deployment=standard"], args].concat())
    }

    pub fn command(&self) -> Command {
        let mut command = Command::new("bash");
        command.arg(&self.script).env_remove("SHARDSCALE_RERUN").env_remove("SHARDSCALE_CLIENT");
        command
    }

    pub fn run(&self) -> Output {
        self.command().output().unwrap()
    }

    /// Starts the script and waits until the first size is on disk.
    pub fn start(&self) -> Child {
        let child = self.command().stdout(Stdio::null()).stderr(Stdio::null()).process_group(0).spawn().unwrap();
        wait_for("the first size", || self.attempt(1).progress.is_some_and(|progress| progress.sizes_done >= 1));
        child
    }

    pub fn attempt(&self, number: u32) -> Attempt {
        Attempt::read(number, &self.script.with_extension("").join(format!("attempt-{number}")), 3)
    }

    pub fn failure(&self) -> (FailureKind, String) {
        match self.attempt(1).outcome() {
            Outcome::Failed { kind, detail } => (kind, detail),
            Outcome::Done => panic!("the run is done"),
        }
    }

    pub fn collect(&self) -> (Option<i32>, String) {
        let output = shardscale(self.folder.path(), &["collect", "out"]);
        (output.status.code(), text(&output))
    }

    /// Processes of this study's servers and ranks: their command lines hold its folder, or their parents' do.
    pub fn processes(&self, part: &str) -> Vec<i32> {
        let folder = self.folder.path().to_string_lossy().into_owned();
        let line =
            |pid: i32| fs::read(format!("/proc/{pid}/cmdline")).map(|line| String::from_utf8_lossy(&line).into_owned());
        let pids =
            fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok());
        pids.filter(|pid| {
            line(*pid).is_ok_and(|line| line.starts_with(CLIENT) && line.contains(&folder) && line.contains(part))
        })
        .collect()
    }

    pub fn assert_nothing_left(&self) {
        wait_for("all processes to end", || self.processes("").is_empty());
        let serves =
            |pid: u32| fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|comm| comm.trim() == "redis-server");
        let servers = self.attempt(1).servers;
        wait_for("all servers to end", || !servers.iter().any(|server| serves(server.pid)));
    }
}

pub fn shardscale(folder: &Path, args: &[&str]) -> Output {
    let program = Path::new(CLIENT).with_file_name("shardscale");
    assert!(program.exists(), "{} is missing: cargo build --workspace makes it", program.display());
    Command::new(program).args(args).current_dir(folder).env_remove("SHARDSCALE_CONFIG").output().unwrap()
}
