//! `submit` and `status` against schedulers that lie, fail and die: programs of the tests' own in PATH.

#![allow(clippy::unwrap_used, reason = "helpers of tests may panic as tests may")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Output};

mod gen_support;
use gen_support::{Cli, stderr};

/// A study of three jobs and a Slurm that is three scripts of bash; its queue is the file `queue`, a line a job.
struct Fake {
    cli: Cli,
}

impl Fake {
    fn new() -> Fake {
        let fake = Fake { cli: Cli::new() };
        fake.cli.ok(&["--site=frontier", "--account=a", "--deployment=colocated", "--client-nodes=4,8,16"]);
        fs::create_dir(fake.path("bin")).unwrap();
        fs::write(fake.path("queue"), "").unwrap();
        fake.program("squeue", "[ \"$1\" = --version ] || tr '|' '\\037' < queue");
        fake.program("sacct", "exit 1");
        fake.sbatch("echo $((70 + $(wc -l < queue)))");
        fake
    }

    fn path(&self, name: &str) -> PathBuf {
        self.cli.folder.path().join(name)
    }

    fn program(&self, name: &str, body: &str) {
        let path = self.path("bin").join(name);
        fs::write(&path, format!("#!/bin/bash\n{body}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// An sbatch that puts the job into the queue with its comment, says `answer`, and logs its words.
    fn sbatch(&self, answer: &str) {
        let body = "for word in \"$@\"; do case $word in --comment=*) comment=${word#--comment=} ;; esac; done\n\
                    printf '%q ' \"$@\" >> said; echo >> said\n\
                    echo \"$((71 + $(wc -l < queue)))|PENDING|Priority|$comment\" >> queue";
        self.program("sbatch", &format!("{body}\n{answer}"));
    }

    fn run(&self, args: &[&str]) -> Output {
        let path = format!("{}:{}", self.path("bin").display(), std::env::var("PATH").unwrap());
        let mut command = Command::new(env!("CARGO_BIN_EXE_shardscale"));
        command.current_dir(self.cli.folder.path()).env("PATH", path).env_remove("SHARDSCALE_CONFIG").args(args);
        command.output().unwrap()
    }

    fn lines(&self, args: &[&str], code: i32) -> Vec<String> {
        let output = self.run(args);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {}", stderr(&output));
        String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
    }

    fn queue(&self) -> usize {
        fs::read_to_string(self.path("queue")).unwrap().lines().count()
    }
}

#[test]
fn each_job_is_submitted_once() {
    let fake = Fake::new();
    assert_eq!(fake.lines(&["submit", "out"], 0).len(), 3);
    assert_eq!(fake.lines(&["submit", "out"], 0).len(), 0);
    assert_eq!(fake.queue(), 3);
    let table = fake.lines(&["status", "out"], 0);
    assert_eq!(table.last().map(String::as_str), Some("3 runs: 3 queued"), "{table:?}");
    assert!(table.iter().all(|line| line.chars().count() <= 100));
}

#[test]
fn a_submission_that_fails_after_the_job_is_in_is_found_by_its_token() {
    let fake = Fake::new();
    fake.sbatch("echo 'sbatch: error: Batch job submission failed: Socket timed out' >&2; exit 1");
    let said = fake.lines(&["submit", "out"], 0);
    assert_eq!((said.len(), fake.queue()), (3, 3), "{said:?}");
    assert_eq!(fake.lines(&["submit", "out"], 0).len(), 0);
    assert_eq!(fake.queue(), 3);
}

#[test]
fn a_crash_between_submission_and_record_loses_nothing() {
    let fake = Fake::new();
    // the program dies while sbatch, having submitted, still answers
    fake.sbatch("kill -9 $PPID; sleep 0.2");
    let output = fake.run(&["submit", "out"]);
    assert!(!output.status.success());
    assert_eq!(fake.queue(), 1);
    fake.sbatch("echo $((70 + $(wc -l < queue)))");
    let output = fake.run(&["submit", "out"]);
    assert!(stderr(&output).contains("was interrupted, and is in the queue as job 71"), "{}", stderr(&output));
    assert_eq!(fake.queue(), 3, "the first is not submitted again");
}

#[test]
fn what_is_no_identifier_is_refused_and_the_rest_is_not_tried() {
    for answer in ["echo 'Submitted, I think'", "echo '$(touch owned)'", "true", "printf '71\\n72\\n'", "exit 7"] {
        let fake = Fake::new();
        fake.program("sbatch", answer);
        let output = fake.run(&["submit", "out"]);
        assert_eq!(output.status.code(), Some(1), "{answer}: {}", stderr(&output));
        assert!(stderr(&output).contains("was not submitted; 0 jobs before it were"), "{}", stderr(&output));
        assert!(!fake.path("owned").exists());
        fake.sbatch("echo $((70 + $(wc -l < queue)))");
        assert_eq!(fake.lines(&["submit", "out"], 0).len(), 3);
    }
}

#[test]
fn a_queue_that_cannot_be_read_submits_nothing() {
    let fake = Fake::new();
    fake.program("squeue", "[ \"$1\" = --version ] || { echo 'Unable to contact slurm controller' >&2; exit 1; }");
    let output = fake.run(&["submit", "out"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("nothing was submitted") && stderr(&output).contains("Unable to contact"));
    assert_eq!(fake.queue(), 0);
    // status says what it cannot know
    let table = fake.lines(&["status", "out"], 0).join("\n");
    assert!(table.contains("slurm does not answer here"), "{table}");
}

#[test]
fn without_the_schedulers_programs_the_remedy_is_named() {
    let fake = Fake::new();
    for program in ["squeue", "sbatch"] {
        fake.program(program, "exit 127");
    }
    let output = fake.run(&["submit", "out"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("run this on a login node of frontier"), "{}", stderr(&output));
}

#[test]
fn frontiers_limit_of_jobs_in_all_is_kept() {
    let fake = Fake::new();
    let others: String = (0..98).map(|id| format!("{}|RUNNING|None|(null)\n", 1000 + id)).collect();
    fs::write(fake.path("queue"), others).unwrap();
    let output = fake.run(&["submit", "out"]);
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    assert_eq!(fake.queue(), 100);
    assert!(stderr(&output).contains("1 jobs are left for later: limit \"submitted\""), "{}", stderr(&output));
}

#[test]
fn waves_are_dependencies_and_patterns_choose() {
    let fake = Fake::new();
    let said = fake.lines(&["submit", "out", "--at-once", "1", "--dry-run"], 0);
    assert!(said[1].contains("--dependency=afterany:ID_OF_colocated-n4x48"), "{said:?}");
    assert_eq!(fake.queue(), 0);
    assert_eq!(fake.lines(&["submit", "out", "--at-once", "1", "--only", "*-n8x48-*"], 0).len(), 1);
    fake.lines(&["submit", "out", "--at-once", "1"], 0);
    let said = fs::read_to_string(fake.path("said")).unwrap();
    let lines: Vec<&str> = said.lines().collect();
    assert!(lines[1].contains("afterany:71") && lines[2].contains("afterany:72"), "{said}");
    let output = fake.run(&["submit", "out", "--only", "[z"]);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
}

#[test]
fn hostile_records_do_no_harm() {
    let fake = Fake::new();
    let run = fake.path("out/colocated-n4x48-db8-mask-lo-tcp-r1");
    let attempt = run.join("attempt-1");
    fs::create_dir(&attempt).unwrap();
    fs::write(attempt.join("status"), "1 started job=\u{1b}[31m$(id)|x host=h\n2 failed \u{7}client rc=1\n").unwrap();
    fs::write(attempt.join("progress.json"), vec![0xff; 1 << 20]).unwrap();
    fs::write(run.join("job-1.log"), vec![b'A'; 1 << 20]).unwrap();
    fs::write(fake.path("queue"), "\u{1b}|||\n|||||||\nnothing\n9999999999999999999|RUNNING||shardscale:\n").unwrap();
    fs::write(fake.path("out/submitted.jsonl"), b"{}\n\xff\xfe\n{\"event\":\"submitting\"}\n").unwrap();
    let table = fake.lines(&["status", "out"], 3).join("\n");
    assert!(!table.chars().any(|c| c.is_control() && c != '\n'), "{table:?}");
    fake.lines(&["status", "out", "--format", "json"], 3);
    assert_eq!(fake.lines(&["submit", "out", "--failed"], 0).len(), 1);
}

#[test]
fn a_folder_without_runs_or_of_two_sites_is_named() {
    let cli = Cli::new();
    fs::create_dir(cli.out()).unwrap();
    let output = cli.shardscale(&["status", "out"]);
    assert!(stderr(&output).contains("there is no run in out"), "{}", stderr(&output));
    cli.ok(&["--site=frontier", "--account=a", "--client-nodes=4"]);
    cli.ok(&["--site=local"]);
    let output = cli.shardscale(&["submit", "out"]);
    assert!(stderr(&output).contains("holds runs of several sites"), "{}", stderr(&output));
}

/// A pair on a Slurm of several clusters, whose sbatch says `ID;CLUSTER` and refuses the client.
#[test]
fn the_job_of_another_cluster_is_named_without_it_and_cancelled_there() {
    let fake = Fake::new();
    let args = ["--site=frontier", "--account=a", "--deployment=standard", "--client-nodes=4", "--db-nodes=3"];
    fake.cli.ok(&[&args[..], &["--db-from=job", "--prune", "--client=/bin/true"]].concat());
    let script = fake.cli.scripts().remove(0);
    fake.program("scancel", "printf '%q ' \"$@\" >> cancelled; echo >> cancelled");
    fake.program("module", "true");
    let body = "printf '%q ' \"$@\" >> said; echo >> said; case $* in *--dependency*) exit 1 ;; esac; echo '71;dawn'";
    fake.program("sbatch", body);
    let taken = |said: &str| said.lines().last().unwrap().to_owned();
    let read = |name: &str| fs::read_to_string(fake.path(name)).unwrap();

    let output = fake.run(&["submit", "out"]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(stderr(&output).contains("its database, job 71, is cancelled"), "{}", stderr(&output));
    assert!(taken(&read("said")).contains("--dependency=after:71 "), "{}", read("said"));
    assert_eq!(read("cancelled"), "--clusters=dawn 71 \n");

    let path = format!("{}:{}", fake.path("bin").display(), std::env::var("PATH").unwrap());
    let mut by_hand = Command::new("bash");
    let output = by_hand.arg(&script).current_dir(fake.cli.folder.path()).env("PATH", path).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(taken(&read("said")).contains("--dependency=after:71 "), "{}", read("said"));
    assert_eq!(read("cancelled"), "--clusters=dawn 71 \n--clusters=dawn 71 \n");
}

/// sacct's words on the two jobs of a pair that left no attempt.
#[test]
fn a_pair_that_was_cancelled_before_it_ran_says_so() {
    let fake = Fake::new();
    let args = ["--site=frontier", "--account=a", "--deployment=standard", "--client-nodes=4", "--db-nodes=3"];
    fake.cli.ok(&[&args[..], &["--db-from=job", "--prune"]].concat());
    assert_eq!(fake.lines(&["submit", "out"], 0).len(), 2);
    let table = fake.lines(&["status", "out"], 0).join("\n");
    assert!(table.contains("database 71: Priority") && table.contains("1 run: 1 queued"), "{table}");
    fs::write(fake.path("queue"), "").unwrap();
    fake.program("sacct", "echo '71|CANCELLED by 1000'; echo '72|COMPLETED'");
    let table = fake.lines(&["status", "out"], 3).join("\n");
    assert!(table.contains("failed         72         cancelled; job 72 ended"), "{table}");
}

#[test]
fn a_pair_takes_two_places_of_a_limit() {
    let fake = Fake::new();
    let args = ["--site=frontier", "--account=a", "--deployment=standard", "--client-nodes=4,8", "--db-nodes=3"];
    fake.cli.ok(&[&args[..], &["--db-from=job", "--prune"]].concat());
    let others: String = (0..97).map(|id| format!("{}|RUNNING|None|(null)\n", 1000 + id)).collect();
    fs::write(fake.path("queue"), others).unwrap();
    let output = fake.run(&["submit", "out"]);
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    assert_eq!(fake.queue(), 99, "the second pair would be jobs 100 and 101");
}
