//! `gen --compute`: what reaches the scripts, and what is refused.

#![allow(clippy::unwrap_used)] // clippy takes #[test] functions alone for tests, not their helpers

mod gen_support;

use std::fs;

use gen_support::Cli;

const USUAL: [&str; 5] =
    ["--site=local", "--deployment=colocated", "--transport=uds", "--clients-per-node=2", "--tensor-bytes=1KiB"];

#[test]
fn kernels_multiply_only_where_ranks_compute() {
    let cli = Cli::new();
    let flags = ["--compute=none,50ms,500us", "--compute-kernel=spin,stream"];
    let made = cli.ok(&[&USUAL[..], &flags].concat());
    let ends: Vec<String> =
        made.lines().map(|line| line.split_once("-uds-").unwrap().1.trim_end_matches(".sh").to_owned()).collect();
    assert_eq!(
        ends,
        ["r1", "compute50ms-r1", "compute50ms-stream-r1", "compute500us-r1", "compute500us-stream-r1"],
        "{made}"
    );
    let script = |end: &str| {
        let path = cli.scripts().into_iter().find(|path| path.to_string_lossy().ends_with(end)).unwrap();
        fs::read_to_string(path).unwrap()
    };
    assert!(script("-compute50ms-stream-r1.sh").contains(" --compute 50ms --compute-kernel stream > "));
    assert!(!script("-uds-r1.sh").contains("--compute"), "the usual script stays as short as it was");
    let again = cli.ok(&[&USUAL[..], &flags].concat());
    assert!(again.lines().all(|line| line.starts_with("unchanged")), "{again}");
}

#[test]
fn a_study_file_may_ask_for_it_and_conditions_see_it() {
    let cli = Cli::new();
    let study = "site = \"local\"\n[axes]\ndeployment = [\"colocated\"]\ntransport = [\"uds\"]\nclients_per_node = [2]\ncompute = [\"none\", \"2s\"]\n\
        compute_kernel = [\"spin\", \"stream\"]\n[[exclude]]\ncompute = \"2s\"\ncompute_kernel = \"spin\"\n";
    fs::write(cli.folder.path().join("mine.toml"), study).unwrap();
    let made = cli.ok(&["--study=./mine.toml"]);
    assert_eq!(made.lines().count(), 2, "{made}");
    assert!(made.contains("-compute2s-stream-r1.sh") && !made.contains("-compute2s-r1.sh"), "{made}");
}

#[test]
fn what_cannot_be_is_refused_with_the_remedy() {
    let cli = Cli::new();
    let frontier = ["--site=frontier", "--account=a", "--walltime=00:01:00", "--compute=1s"];
    for (code, flags, needles) in [
        (2, &["--compute=50"][..], &["\"50\" is no time here", "10us to 10s"][..]),
        (2, &["--compute=1m"], &["\"1m\" is no time here"]),
        (2, &["--compute-kernel=fft"], &["spin, stream"]),
        (2, &["--compute-kernel=stream"], &["--compute-kernel has no effect", "such as --compute 50ms"]),
        (1, &frontier, &["--compute 1s alone takes 00:20:10", "the wall time is 00:01:00", "a longer --walltime"]),
    ] {
        let args = if flags.contains(&"--site=frontier") { flags.to_vec() } else { [&USUAL[..], flags].concat() };
        let error = cli.fails(code, &args);
        needles.iter().for_each(|needle| assert!(error.contains(needle), "{needle} in {error}"));
    }
}
