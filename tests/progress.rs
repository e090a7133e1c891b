//! Long work shows itself on a terminal, cleans up behind it, and says nothing of it in a pipe.

#![allow(clippy::unwrap_used)] // clippy takes #[test] functions alone for tests, not their helpers

mod collect_support;

use std::path::Path;
use std::process::Command;

use collect_support::{DONE, Model, permutation};

const PROGRAM: &str = env!("CARGO_BIN_EXE_shardscale");

/// Exit code and stderr, which is a terminal of 100 columns: Python's `pty` makes it.
fn on_a_terminal(folder: &Path, args: &[&str]) -> (i32, String) {
    const RUN: &str = "
import fcntl, os, pty, struct, subprocess, sys, termios
terminal, end = pty.openpty()
fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack('HHHH', 30, 100, 0, 0))
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=end, env=dict(os.environ, TERM='xterm'))
os.close(end)
try:
    while piece := os.read(terminal, 65536):
        sys.stdout.buffer.write(piece)
except OSError:  # the other end is closed
    pass
sys.exit(process.wait())
";
    let output = Command::new("python3").args(["-c", RUN, PROGRAM]).args(args).current_dir(folder).output().unwrap();
    (output.status.code().unwrap(), String::from_utf8_lossy(&output.stdout).into_owned())
}

fn in_a_pipe(folder: &Path, args: &[&str]) -> String {
    let output = Command::new(PROGRAM).args(args).current_dir(folder).output().unwrap();
    String::from_utf8(output.stderr).unwrap()
}

/// What is left on the lines of a terminal after all that was written, as far as progress writes it: text, carriage returns,
/// and the erasure of a line.
fn left(written: &str) -> String {
    let shown = |line: &str| {
        let after = line.rsplit("\u{1b}[2K").next().unwrap_or_default();
        after.rsplit('\r').find(|part| !part.is_empty()).unwrap_or_default().to_owned()
    };
    written.split('\n').map(shown).collect::<Vec<_>>().join("\n")
}

/// It is drawn with a rate and what is left, it goes, it has no colours, and a pipe has nothing of it.
fn holds(folder: &Path, args: &[&str], what: &str) {
    let (code, written) = on_a_terminal(folder, args);
    assert!(code == 0 || code == 3, "{args:?}: {written}");
    assert!(written.contains(what) && written.contains("/s, ") && written.contains(" left"), "{args:?}: {written:?}");
    assert!(!left(&written).contains(what), "{args:?}: {written:?}");
    assert!(!written.contains("\u{1b}[3") && !written.contains("\u{1b}[0m"), "{written:?}");
    let quiet = in_a_pipe(folder, args);
    assert!(!quiet.contains(what) && !quiet.contains(['\r', '\u{1b}']), "{args:?}: {quiet:?}");
}

const STUDY: [&str; 6] =
    ["gen", "--site=frontier", "--account=a", "--deployment=standard", "--client=/bin/true", "--db-nodes=3"];

#[test]
fn gen_and_check_of_many_scripts() {
    let folder = tempfile::tempdir().unwrap();
    // nothing is drawn of what is done at once: enough that a fast machine takes seconds
    let many = ["--client-nodes=4,5,6", "--repeats=1000", "--diff"];
    holds(folder.path(), &[&STUDY[..], &many[..]].concat(), "shardscale: scripts [");
    let points = ["--client-nodes=4,5,6", "--repeats=150"];
    let output = Command::new(PROGRAM).args(STUDY).args(points).current_dir(&folder).output();
    assert!(output.unwrap().status.success());
    holds(folder.path(), &["check", "out"], "shardscale: checking scripts [");
}

#[test]
fn collect_within_one_long_run() {
    let folder = tempfile::tempdir().unwrap();
    let mut manifest = permutation(16, Some(3), 1);
    manifest.sweep.iterations = 2000;
    Model::new(manifest).execute(&folder.path().join("out"), 1, DONE);
    let args = ["collect", "out", "--fresh"];
    holds(folder.path(), &args, "shardscale: reading [");
    let (_, written) = on_a_terminal(folder.path(), &args);
    let drawn: Vec<&str> =
        written.split("shardscale: reading ").skip(1).filter_map(|line| line.split(',').next()).collect();
    assert!(drawn.len() > 1 && drawn.windows(2).any(|two| two[0] != two[1]), "it moves within the file: {drawn:?}");
}

#[test]
fn what_is_done_at_once_shows_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (code, written) = on_a_terminal(folder.path(), &[&STUDY[..], &["--client-nodes=4"]].concat());
    assert_eq!(code, 0, "{written}");
    assert!(!written.contains("shardscale: scripts ["), "{written:?}");
}
