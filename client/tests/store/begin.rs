//! `begin`: attempts, passwords, and runs that are measured already.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;

use shardscale::record::attempt::{Attempt, FailureKind, Outcome};
use shardscale::record::status;

use super::lab::{Lab, client, finish, password};

#[test]
fn each_call_makes_the_next_attempt_with_a_password_of_its_own() {
    let lab = Lab::new();
    let (first, second) = (lab.attempt(), lab.attempt());
    assert_eq!(first, lab.run_dir().join("attempt-1"));
    assert_eq!(second, lab.run_dir().join("attempt-2"));
    assert!(first.is_absolute());
    let mode = fs::metadata(first.join("password")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(password(&first).len(), 64);
    assert_ne!(password(&first), password(&second));
    let events = status::parse(&fs::read_to_string(first.join(status::FILE)).unwrap());
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].word, status::STARTED);
    assert!(events[0].detail.starts_with("job=77 host="), "{events:?}");
}

#[test]
fn a_relative_run_folder_gives_an_absolute_attempt() {
    let lab = Lab::new();
    let mut command = client(&["begin", "--run-dir", "run"]);
    command.current_dir(lab.run_dir().parent().unwrap());
    let said = finish(command);
    assert_eq!(said.stdout.trim_end(), lab.run_dir().join("attempt-1").to_str().unwrap());
}

#[test]
fn a_measured_run_is_left_alone_unless_told_otherwise() {
    let lab = Lab::new();
    let first = lab.attempt();
    let second = lab.attempt();
    let mut status = fs::OpenOptions::new().append(true).open(first.join(status::FILE)).unwrap();
    writeln!(status, "1766400000 done").unwrap();
    let said = finish(lab.begin());
    assert_eq!((said.code, said.stdout.as_str()), (Some(0), ""), "{said:?}");
    let message = "already measured in attempt-1; set SHARDSCALE_RERUN=1 to measure it again\n";
    assert!(said.stderr.ends_with(message), "{said:?}");
    assert_eq!(fs::read_dir(lab.run_dir()).unwrap().count(), 3, "run.toml and two attempts");
    let mut again = lab.begin();
    again.env("SHARDSCALE_RERUN", "1");
    let said = finish(again);
    assert_eq!(said.stdout.trim_end(), second.with_file_name("attempt-3").to_str().unwrap(), "{said:?}");
}

#[test]
fn an_attempt_that_cannot_be_filled_says_why() {
    let lab = Lab::new();
    let (origin, mut command) = (lab.attempt(), lab.begin());
    command.arg("--store").arg(&origin);
    let said = finish(command);
    assert_eq!((said.code, said.stdout.as_str()), (Some(1), ""));
    let outcome = Attempt::read(2, &lab.run_dir().join("attempt-2"), 0).outcome();
    let Outcome::Failed { kind: FailureKind::Script, detail } = outcome else { panic!("{outcome:?}") };
    assert!(detail.starts_with("begin on ") && detail.contains("there is no server 0"), "{detail}");
}

#[test]
fn no_manifest_no_attempt() {
    let lab = Lab::new();
    let manifest = lab.run_dir().join("run.toml");
    fs::write(&manifest, "schema = 1\nname = 7\n").unwrap();
    let said = finish(lab.begin());
    assert_eq!((said.code, said.stdout.as_str()), (Some(1), ""));
    assert!(said.stderr.contains(manifest.to_str().unwrap()), "{said:?}");
    fs::remove_file(&manifest).unwrap();
    let said = finish(lab.begin());
    assert_eq!((said.code, said.stdout.as_str()), (Some(1), ""));
    assert!(said.stderr.contains("there is no ") && said.stderr.contains("shardscale gen"), "{said:?}");
    assert_eq!(fs::read_dir(lab.run_dir()).unwrap().count(), 0);
}

#[test]
fn a_job_of_two_words_would_break_the_status_line() {
    let lab = Lab::new();
    let mut command = client(&["begin", "--job", "7 8", "--run-dir"]);
    command.arg(lab.run_dir());
    let said = finish(command);
    assert_eq!(said.code, Some(1));
    assert!(said.stderr.contains("--job \"7 8\" must be one word"), "{said:?}");
}
