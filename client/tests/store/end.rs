//! `end` and `give-up`: the last line of the status, and the first cause in the job's log.

use std::fs;
use std::path::Path;

use shardscale::record::attempt::{Attempt, FailureKind, Outcome};
use shardscale::record::samples::{self, file_header, push_end};

use super::lab::{Lab, Said, client, finish, free_ports};

fn end(attempt: &Path, stage: &str, rc: u8) -> Said {
    let mut command = client(&["end", "--stage", stage, "--rc", &rc.to_string(), "--attempt"]);
    command.arg(attempt);
    finish(command)
}

/// Words and details of all events but the first.
fn events(attempt: &Path) -> Vec<String> {
    let events = Attempt::read(1, attempt, 0).events;
    events[1..].iter().map(|event| format!("{} {}", event.word, event.detail).trim_end().to_owned()).collect()
}

#[test]
fn the_first_cause_reaches_the_jobs_log_and_the_outcome() {
    let lab = Lab::new();
    let attempt = lab.attempt();
    let served = finish(lab.serve(&attempt, 0, free_ports(1), &["--server", "valkey-nowhere"]));
    let late = finish(lab.serve(&attempt, 1, free_ports(1), &["--server", "cat"]));
    assert_eq!((served.code, late.code), (Some(1), Some(1)));
    let said = end(&attempt, "store", 1);
    assert_eq!((said.code, said.stdout.as_str()), (Some(1), ""));
    assert_eq!(events(&attempt), ["failed store rc=1"]);
    let Outcome::Failed { kind, detail } = Attempt::read(1, &attempt, 1).outcome() else { panic!("is done") };
    assert_eq!(kind, FailureKind::StoreStart);
    assert!(detail.starts_with("store server 0 on ") && detail.contains("\"valkey-nowhere\""), "{detail}");
    assert_eq!(said.stderr, format!("shardscale-client: store did not start: {detail}\n"));
}

#[test]
fn what_the_script_says_is_a_cause_too() {
    let lab = Lab::new();
    let attempt = lab.attempt();
    let mut command = client(&["give-up", "the job has 3 nodes and needs 4", "--attempt"]);
    command.arg(&attempt);
    let said = finish(command);
    assert_eq!((said.code, &*said.stderr), (Some(1), "shardscale-client: the job has 3 nodes and needs 4\n"));
    let said = end(&attempt, "script", 1);
    assert!(said.stderr.contains("script failed: the job's script on "), "{said:?}");
    assert!(said.stderr.contains(": the job has 3 nodes and needs 4 (rc=1)\n"), "{said:?}");
}

#[test]
fn samples_that_are_whole_decide_and_not_how_the_launch_ended() {
    let lab = Lab::new();
    let mut bytes = file_header().to_vec();
    push_end(&mut bytes);
    let (cut, whole, quiet) = (lab.attempt(), lab.attempt(), lab.attempt());
    fs::write(cut.join(samples::FILE), &bytes[..bytes.len() - 1]).unwrap();
    assert_eq!(end(&cut, "client", 137).code, Some(137));
    assert_eq!(events(&cut), ["failed client rc=137"]);
    fs::write(whole.join(samples::FILE), &bytes).unwrap();
    assert_eq!(end(&whole, "client", 137).code, Some(0));
    assert_eq!(events(&whole), ["measured client rc=137", "done"]);
    assert_eq!(end(&quiet, "client", 0).code, Some(0));
    assert_eq!(events(&quiet), ["done"]);
}
