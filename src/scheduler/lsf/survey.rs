//! What LSF says of itself: its version, the cluster's name, and queues that take jobs. Their limits stand in texts for people.

use crate::scheduler::ask::ask as output;
use crate::scheduler::surveyed::{Kind, Row, Surveyed, plain};

/// Asks lsid and bqueues; `None` where no LSF answers.
pub fn ask() -> Option<Surveyed> {
    let queues = output("bqueues", &["-noheader", "-o", "queue_name status delimiter='|'"]).unwrap_or_default();
    Some(surveyed(&output("lsid", &[] as &[&str]).ok()?, &queues))
}

fn surveyed(lsid: &str, queues: &str) -> Surveyed {
    let version = lsid.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()));
    let cluster = lsid.lines().find_map(|line| line.trim().strip_prefix("My cluster name is "));
    Surveyed {
        kind: "lsf",
        version: version.map(|version| version.trim_end_matches(',').to_owned()),
        cluster: cluster.map(str::to_owned),
        cpu_bind: &["none", "mask"],
        limits_command: "bqueues -l",
        always: &["-P {account}"],
        on_a_node: "bsub -I",
        kinds: vec![Kind::named("compute")],
        rows: queues.lines().filter_map(row).collect(),
        ..Surveyed::default()
    }
}

fn row(line: &str) -> Option<Row> {
    let (name, status) = line.trim().split_once('|')?;
    status.starts_with("Open").then(|| Row {
        name: plain(name),
        submit_as: format!("-q {name}"),
        min_nodes: 1,
        max_nodes: None,
        min_walltime: None,
        max_walltime: None,
        node_types: Vec::new(),
        on_request: false,
        limits: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_in_the_format_of_the_manual() {
        let lsid = include_str!("../../../tests/survey/lsf-lsid.txt");
        let surveyed = surveyed(lsid, include_str!("../../../tests/survey/lsf-bqueues.txt"));
        assert_eq!((surveyed.version.as_deref(), surveyed.cluster.as_deref()), (Some("10.1.0.0"), Some("cluster1")));
        let names: Vec<&str> = surveyed.rows.iter().map(|row| row.submit_as.as_str()).collect();
        assert_eq!(names, ["-q normal", "-q short"], "the closed queue is left out");
    }
}
