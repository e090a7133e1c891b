//! `shardscale check` as a user calls it.

#![allow(clippy::unwrap_used, reason = "helpers of tests may panic as tests may")]

mod gen_support;

use std::fs;

use gen_support::{Cli, stderr};

#[test]
fn what_gen_writes_passes_for_every_site_and_binding() {
    for site in shardscale::site::builtin_names() {
        let cli = Cli::new();
        let about = shardscale::site::load(&site, None).unwrap();
        let account: &[&str] = if about.ask.contains_key("account") { &["--account=abc"] } else { &[] };
        for bind in about.launch.cpu_bind {
            let bind = format!("--cpu-bind={bind}");
            cli.ok(&[&["--site", &site, &bind, "--deployment=standard,colocated"], account].concat());
        }
        let output = cli.shardscale(&["check", "out"]);
        assert!(output.status.success(), "{site}: {}{}", String::from_utf8_lossy(&output.stdout), stderr(&output));
        assert!(stderr(&output).contains("0 findings in 0 of"), "{}", stderr(&output));
    }
}

#[test]
fn findings_name_file_line_rule_reason_and_remedy() {
    let cli = Cli::new();
    let path = cli.folder.path().join("job.pbs");
    fs::write(
        &path,
        "#!/bin/bash\n#PBS -l select=2:ncpus=8\n#PBS -l walltime=24:00\nsetsid redis-server &\nwait\n#PBS -q prod\n",
    )
    .unwrap();
    let output = cli.shardscale(&["check", "job.pbs"]);
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    let expected = "\
job.pbs:2: pbs-place: 2 chunks and no place=scatter
    Without place=scatter PBS stacks chunks on one host as long as they fit.
    Add #PBS -l place=scatter (or scatter:excl).
job.pbs:3: minutes-not-hours: walltime=24:00
    Two numbers are minutes and seconds.
    Write HH:MM:SS.
job.pbs:4: outlives-the-job: setsid starts a process
    What runs in a session of its own, as a daemon or over ssh is no part of the job: it stays on the node when the job ends.
    Run it in the foreground of the launcher, with & behind the launcher.
job.pbs:4: pbs-cd: the script never changes its working directory
    A PBS job starts in $HOME and not where it was submitted.
    Begin with: cd \"$PBS_O_WORKDIR\" || exit 1
job.pbs:6: late-directive: -q prod stands behind the first command
    Schedulers stop reading directives at the first command: this line is ignored in silence.
    Move it above the first command.
";
    assert_eq!(String::from_utf8_lossy(&output.stdout), expected);
    assert!(stderr(&output).contains("5 findings in 1 of 1 scripts"), "{}", stderr(&output));
    assert!(stderr(&output).contains("PBS has no dry run"), "{}", stderr(&output));
}

#[test]
fn a_path_that_does_not_exist_or_holds_no_script_is_named() {
    let cli = Cli::new();
    let output = cli.shardscale(&["check"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("cannot check out"), "{}", stderr(&output));
    fs::create_dir(cli.out()).unwrap();
    let output = cli.shardscale(&["check"]);
    assert!(stderr(&output).contains("no script *.sh in out: `shardscale gen`"), "{}", stderr(&output));
}
