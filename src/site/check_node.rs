//! What must hold in a kind of node: lists that partition its cores, indices that exist, names that Linux takes.

use std::collections::BTreeSet;

use super::Node;
use super::problems::Problems;
use crate::record::cpus::{CpuSet, MOST_CPU};

/// Notes what is wrong with `node`.
pub fn check(node: &Node, problems: &mut Problems) {
    let key = format!("node.{}", node.name);
    problems.ensure(node.sockets >= 1, || format!("{key}.sockets = 0; a node has at least one"));
    problems.ensure((1..=8).contains(&node.threads_per_core), || {
        format!("{key}.threads_per_core = {} is out of range; allowed: 1 to 8", node.threads_per_core)
    });
    problems.ensure(node.memory_gib != Some(0), || format!("{key}.memory_gib = 0: leave it out where it is not known"));
    problems.ensure(node.count != Some(0), || format!("{key}.count = 0: leave it out where it is not known"));
    problems.ensure(node.constraint.as_deref().is_none_or(|text| !text.trim().is_empty()), || {
        format!("{key}.constraint is empty: leave it out")
    });
    interfaces(node, &key, problems);
    let listed = [
        ("numa", node.numa.is_empty()),
        ("l3", node.l3.is_empty()),
        ("reserved_cores", node.reserved_cores.is_empty()),
    ];
    let Some(cores) = node.cores else {
        for (list, _) in listed.iter().filter(|(_, empty)| !empty) {
            problems.ensure(false, || format!("{key}.{list} is given without {key}.cores"));
        }
        return;
    };
    let most = (MOST_CPU + 1) / node.threads_per_core.clamp(1, 8);
    if cores == 0 || cores > most {
        problems.ensure(false, || format!("{key}.cores = {cores} is out of range; allowed: 1 to {most}"));
        return;
    }
    problems.ensure(cores.is_multiple_of(node.sockets.max(1)), || {
        format!("{key}.cores = {cores} counts the whole node and is no multiple of its sockets = {}", node.sockets)
    });
    topology(node, &key, problems);
}

fn topology(node: &Node, key: &str, problems: &mut Problems) {
    let Some(all) = node.all_cores() else { return };
    let outside = node.reserved_cores.difference(&all);
    problems.ensure(outside.is_empty(), || {
        format!("{key}.reserved_cores has {outside}, but the node has cores {all} (cores go by the number of their first CPU)")
    });
    problems.ensure(!all.is_subset(&node.reserved_cores), || format!("{key}.reserved_cores leaves no core for jobs"));
    partition(&format!("{key}.numa"), &node.numa, &all, problems);
    partition(&format!("{key}.l3"), &node.l3, &all, problems);
    for group in &node.l3 {
        let inside = node.numa.is_empty() || node.numa.iter().any(|domain| group.is_subset(domain));
        problems.ensure(inside, || format!("{key}.l3: the group {group} lies in no single domain of {key}.numa"));
    }
}

/// `parts` have every core once, or there are none.
fn partition(key: &str, parts: &[CpuSet], all: &CpuSet, problems: &mut Problems) {
    if parts.is_empty() {
        return;
    }
    let mut seen = CpuSet::default();
    for part in parts {
        let twice = seen.intersection(part);
        problems.ensure(twice.is_empty(), || format!("{key}: cores {twice} stand in two of the lists"));
        problems.ensure(!part.is_empty(), || format!("{key} has an empty list: domains without cores are left out"));
        seen = seen.union(part);
    }
    let (lacking, foreign) = (all.difference(&seen), seen.difference(all));
    problems.ensure(lacking.is_empty(), || format!("{key} lacks the cores {lacking}"));
    problems.ensure(foreign.is_empty(), || {
        format!("{key} has {foreign}, but the node has cores {all} (cores go by the number of their first CPU)")
    });
}

fn interfaces(node: &Node, key: &str, problems: &mut Problems) {
    let mut seen = BTreeSet::new();
    for interface in &node.interfaces {
        let name = interface.name.as_str();
        problems.ensure(is_interface_name(name), || {
            format!("{key}.interface: {name:?} is no interface name; allowed: 1 to 15 of the characters a-z A-Z 0-9 . _ -, such as hsn0")
        });
        problems.ensure(seen.insert(name), || format!("{key}.interface: {name:?} stands there twice"));
        let domains = node.numa.len();
        problems.ensure(interface.numa.is_none_or(|numa| (numa as usize) < domains), || {
            format!(
                "{key}.interface.{name}.numa = {}, but {key}.numa has {domains} domains, counted from 0",
                interface.numa.unwrap_or_default()
            )
        });
    }
}

/// The kernel's limit is 15 characters (IFNAMSIZ).
fn is_interface_name(name: &str) -> bool {
    (1..=15).contains(&name.len())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || ".-_".contains(c))
        && !name.starts_with(['-', '.'])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(more: &str) -> String {
        let node: Node = toml::from_str(&format!("name = \"n\"\n{more}")).unwrap();
        let mut problems = Problems::default();
        check(&node, &mut problems);
        problems.into_lines().join("\n")
    }

    #[test]
    fn lists_must_partition_the_cores() {
        let cases = [
            ("cores = 4\nnuma = [\"0-1\", \"2\"]", "node.n.numa lacks the cores 3"),
            ("cores = 4\nnuma = [\"0-1\", \"1-3\"]", "cores 1 stand in two of the lists"),
            ("cores = 4\nl3 = [\"0-3\", \"4-7\"]", "node.n.l3 has 4-7, but the node has cores 0-3"),
            ("cores = 4\nl3 = [\"0-3\", \"\"]", "has an empty list"),
            (
                "cores = 4\nnuma = [\"0-1\", \"2-3\"]\nl3 = [\"0\", \"1-2\", \"3\"]",
                "the group 1-2 lies in no single domain",
            ),
            ("cores = 4\nreserved_cores = \"9\"", "reserved_cores has 9"),
            ("cores = 4\nreserved_cores = \"0-3\"", "leaves no core"),
            ("cores = 3\nsockets = 2", "no multiple of its sockets = 2"),
            ("cores = 9000", "cores = 9000 is out of range; allowed: 1 to 8192"),
            ("numa = [\"0-1\"]", "given without node.n.cores"),
            ("threads_per_core = 0", "threads_per_core = 0 is out of range"),
            (
                "cores = 2\nnuma = [\"0-1\"]\ninterface = [{ name = \"a\", numa = 1 }]",
                "numa = 1, but node.n.numa has 1 domains",
            ),
            ("interface = [{ name = \"a\" }, { name = \"a\" }]", "\"a\" stands there twice"),
            ("interface = [{ name = \"$(id)\" }]", "is no interface name"),
        ];
        for (text, needle) in cases {
            let problems = problems(text);
            assert!(problems.contains(needle), "{text}: {problems:?} should have {needle:?}");
        }
    }

    #[test]
    fn sockets_that_take_turns_and_neighbouring_threads_are_right() {
        assert_eq!(problems("cores = 56\nsockets = 2\nnuma = [\"0-54:2\", \"1-55:2\"]"), "");
        assert_eq!(
            problems("cores = 4\nthreads_per_core = 2\nnumbering = \"adjacent\"\nnuma = [\"0,2\", \"4,6\"]"),
            ""
        );
    }
}
