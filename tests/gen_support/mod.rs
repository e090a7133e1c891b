//! The program `shardscale gen` as a user calls it, for tests.

#![allow(clippy::unwrap_used, reason = "helpers of tests may panic as tests may")]
#![allow(dead_code, reason = "each test file uses some of it")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Mutex;

use tempfile::TempDir;

/// What a script says to bash beside numbers and the test's folder.
fn shape(script: &Path) -> String {
    let folder = script.parent().and_then(Path::parent).unwrap();
    shardscale::lint::shape(&fs::read_to_string(script).unwrap().replace(&*folder.to_string_lossy(), "FOLDER"))
}

/// Shapes of scripts that were found clean.
static CLEAN: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Runs `bash -n` and shellcheck, with every warning on, over one script of each shape that is not known yet.
pub fn assert_clean(scripts: &[PathBuf]) {
    assert!(!scripts.is_empty());
    let mut known = CLEAN.lock().unwrap().clone();
    let some: Vec<&PathBuf> = scripts.iter().filter(|script| known.insert(shape(script))).collect();
    if some.is_empty() {
        return;
    }
    for script in &some {
        let output = Command::new("bash").arg("-n").arg(script).output().unwrap();
        assert!(output.status.success(), "{}: {}", script.display(), stderr(&output));
    }
    let output = Command::new("shellcheck").args(&some).output();
    let output = output.expect("shellcheck is needed: apt-get install shellcheck");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    CLEAN.lock().unwrap().extend(known);
}

/// A folder for one test, and the program run in it.
pub struct Cli {
    pub folder: TempDir,
}

impl Cli {
    pub fn new() -> Cli {
        Cli { folder: tempfile::tempdir().unwrap() }
    }

    pub fn out(&self) -> PathBuf {
        self.folder.path().join("out")
    }

    /// `shardscale gen` with these arguments.
    pub fn run(&self, args: &[&str]) -> Output {
        self.shardscale(&[&["gen"], args].concat())
    }

    /// Any subcommand.
    pub fn shardscale(&self, args: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_shardscale"));
        command.current_dir(self.folder.path()).env_remove("SHARDSCALE_CONFIG").args(args);
        command.output().unwrap()
    }

    /// Runs it, expects success, and returns stdout.
    pub fn ok(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert!(output.status.success(), "{args:?}: {}", stderr(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs it, expects exit code `code`, and returns stderr.
    pub fn fails(&self, code: i32, args: &[&str]) -> String {
        let output = self.run(args);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {}", stderr(&output));
        assert!(output.stdout.is_empty(), "stdout is data, and there is none");
        stderr(&output)
    }

    pub fn scripts(&self) -> Vec<PathBuf> {
        let mut scripts: Vec<PathBuf> = fs::read_dir(self.out()).unwrap().map(|entry| entry.unwrap().path()).collect();
        scripts.retain(|path| path.extension().is_some_and(|extension| extension == "sh"));
        scripts.sort();
        scripts
    }
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Compares `text` with a file under tests/golden/; BLESS=1 writes it instead.
pub fn assert_golden(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("BLESS").is_some() {
        fs::write(&path, text).unwrap();
    }
    let golden = fs::read_to_string(&path).unwrap_or_default();
    assert!(golden == text, "{name} differs from its golden; look at it and run with BLESS=1:\n{text}");
}
