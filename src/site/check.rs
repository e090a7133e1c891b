//! What must hold in a site file beyond its schema. Each problem names the key, the value and what is allowed.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use toml::Table;

use super::ask::{is_name_char, placeholders};
use super::check_node;
use super::keys::{leaves, texts};
use super::problems::Problems;
use super::{Queue, Site, Status, schema};
use crate::record::vocabulary::BindKind;

/// The JSON Schema of site files, for editors.
pub fn json_schema_text() -> String {
    let schema = schemars::schema_for!(Site);
    // what schemars makes is always JSON
    serde_json::to_string_pretty(&schema).unwrap_or_default() + "\n"
}

/// What makes a site file unusable.
pub fn problems(site: &Site, table: &Table) -> Vec<String> {
    let mut problems = Problems::default();
    texts_are_lines(table, &mut problems);
    names(site, &mut problems);
    scheduler_and_launch(site, &mut problems);
    for node in &site.nodes {
        check_node::check(node, &mut problems);
    }
    queues(site, &mut problems);
    limits_and_charge(site, &mut problems);
    directives(site, &mut problems);
    questions(site, &mut problems);
    study(site, &mut problems);
    facts(site, table, &mut problems);
    problems.into_lines()
}

/// What the file does not say about its own values: those without a fact, and sources that no fact names.
pub fn uncovered(site: &Site, table: &Table) -> Vec<String> {
    let mut lines: Vec<String> = leaves(table)
        .iter()
        .filter(|leaf| site.fact(&leaf.key).is_none())
        .map(|leaf| format!("{} has no fact: say under [facts] where its value comes from", leaf.key))
        .collect();
    let used: BTreeSet<&String> = site.facts.values().filter_map(|fact| fact.source.as_ref()).collect();
    for source in site.sources.keys().filter(|source| !used.contains(source)) {
        lines.push(format!("sources.{source} is named by no fact: name it, or take it out"));
    }
    lines
}

/// Comments, directives and messages are lines: no text of the file may break one.
fn texts_are_lines(table: &Table, problems: &mut Problems) {
    for (key, text) in texts(table) {
        problems.ensure(!text.chars().any(char::is_control), || {
            format!("{} has a line break or control character: {text:?}", key.escape_debug())
        });
    }
}

fn names(site: &Site, problems: &mut Problems) {
    problems.names("name", [site.name.as_str()].into_iter());
    problems.names("[[node]]", site.nodes.iter().map(|node| node.name.as_str()));
    problems.names("[[queue]]", site.queues.iter().map(|queue| queue.name.as_str()));
    problems.names("[[limit]]", site.limits.iter().map(|limit| limit.name.as_str()));
    problems.names("[sources]", site.sources.keys().map(String::as_str));
    problems.ensure(!site.nodes.is_empty(), || "there is no [[node]]: describe the nodes that jobs get".into());
}

fn scheduler_and_launch(site: &Site, problems: &mut Problems) {
    let schema::Site { scheduler, launch, network, scratch, .. } = site;
    problems.names("scheduler.kind", [scheduler.kind.as_str()].into_iter());
    problems.names("launch.launcher", [launch.launcher.as_str()].into_iter());
    let suffix = &scheduler.select_suffix;
    problems.ensure(suffix.is_empty() || suffix.starts_with(':'), || {
        format!("scheduler.select_suffix = {suffix:?} must begin with a colon, such as \":system=polaris\"")
    });
    problems.ensure(scheduler.select_ncpus != Some(0), || "scheduler.select_ncpus = 0: a chunk needs CPUs".into());
    problems.ensure(launch.cpu_bind.contains(&BindKind::None), || "launch.cpu_bind must contain \"none\"".into());
    let kinds: BTreeSet<&BindKind> = launch.cpu_bind.iter().collect();
    problems.ensure(kinds.len() == launch.cpu_bind.len(), || "launch.cpu_bind has a word twice".into());
    for (key, args) in [("client_args", &launch.client_args), ("server_args", &launch.server_args)] {
        for arg in args {
            problems.ensure(!arg.is_empty(), || format!("launch.{key} has an empty argument: take it out"));
        }
    }
    // below 1024 is for root; Redis Cluster talks among its shards on port + 10000
    problems.ensure((1024..=55_000).contains(&network.db_port), || {
        format!("network.db_port = {} is out of range; allowed: 1024 to 55000", network.db_port)
    });
    let variable = scratch.node_local.strip_prefix('$').map(|name| name.trim_start_matches('{'));
    let named = variable.is_some_and(|name| name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_'));
    problems.ensure(named || scratch.node_local.starts_with('/'), || {
        let given = &scratch.node_local;
        format!("scratch.node_local = {given:?} must be an absolute path, or begin with a variable of the job such as $TMPDIR")
    });
}

fn queues(site: &Site, problems: &mut Problems) {
    let kinds: Vec<&str> = site.nodes.iter().map(|node| node.name.as_str()).collect();
    let whole = site.directives.always.iter().any(|line| line == "--exclusive");
    for queue in &site.queues {
        problems.ensure(!whole || queue.shared_cores.is_none(), || {
            format!(
                "queue.{}.shared_cores: directives.always has --exclusive, which asks for whole nodes: move that line to submit_as of \
                 the rows that give them",
                queue.name
            )
        });
        let Queue { name, min_nodes, max_nodes, min_walltime, max_walltime, charge_factor, .. } = queue;
        problems.ensure(*min_nodes >= 1, || format!("queue.{name}.min_nodes = 0: a job has at least one"));
        if let Some(max) = max_nodes {
            problems.ensure(min_nodes <= max, || {
                format!("queue.{name}.min_nodes = {min_nodes} is above its max_nodes = {max}")
            });
            let nodes = site.nodes.iter().filter(|node| queue.has_node_type(&node.name));
            let there = nodes.map(|node| node.count).sum::<Option<u32>>();
            problems.ensure(there.is_none_or(|there| *max <= there), || {
                format!("queue.{name}.max_nodes = {max}, but its nodes are {}", there.unwrap_or_default())
            });
        }
        if let (Some(min), Some(max)) = (min_walltime, max_walltime) {
            problems.ensure(min <= max, || {
                format!("queue.{name}.min_walltime = \"{min}\" is above its max_walltime = \"{max}\"")
            });
        }
        problems.ensure(is_amount(*charge_factor), || {
            format!("queue.{name}.charge_factor = {charge_factor} is no factor; allowed: 0 and above")
        });
        for kind in &queue.node_types {
            problems.ensure(kinds.contains(&kind.as_str()), || {
                format!("queue.{name}.node_types has {kind:?}, which is no [[node]]; there are: {}", kinds.join(", "))
            });
        }
        for line in &queue.submit_as {
            problems.ensure(placeholders(line).is_empty(), || {
                format!("queue.{name}.submit_as: {line:?} has a placeholder, which only directives.always and environment may have")
            });
        }
    }
}

fn limits_and_charge(site: &Site, problems: &mut Problems) {
    let rows: Vec<&str> = site.queues.iter().map(|queue| queue.name.as_str()).collect();
    for limit in &site.limits {
        for queue in &limit.queues {
            problems.ensure(rows.contains(&queue.as_str()), || {
                format!(
                    "limit.{}.queues has {queue:?}, which is no [[queue]]; there are: {}",
                    limit.name,
                    rows.join(", ")
                )
            });
        }
    }
    let Some(charge) = &site.charge else { return };
    for (key, amount) in [("per_node_hour", charge.per_node_hour), ("min_hours", charge.min_hours)] {
        problems.ensure(is_amount(amount), || format!("charge.{key} = {amount} is no amount; allowed: 0 and above"));
    }
    for discount in &charge.discounts {
        let factor = discount.factor;
        problems.ensure(is_amount(factor), || format!("charge.discount: factor = {factor}; allowed: 0 and above"));
    }
    problems.ensure(charge.discounts.is_sorted_by(|first, second| first.min_nodes > second.min_nodes), || {
        "charge.discount: the first that applies is taken, so the largest min_nodes must come first".into()
    });
}

fn is_amount(amount: f64) -> bool {
    amount.is_finite() && amount >= 0.0
}

fn directives(site: &Site, problems: &mut Problems) {
    let remarks = |key, remarks: &'_ [super::Remark]| -> Vec<(String, String)> {
        remarks.iter().map(|remark| (format!("directives.{key}"), remark.line.clone())).collect()
    };
    let mut lines: Vec<(String, String)> =
        site.directives.always.iter().map(|line| ("directives.always".to_owned(), line.clone())).collect();
    for queue in &site.queues {
        lines.extend(queue.submit_as.iter().map(|line| (format!("queue.{}.submit_as", queue.name), line.clone())));
    }
    for (key, line) in &lines {
        if let Some(remark) = site.directives.forbids(line) {
            problems
                .ensure(false, || format!("{key}: {line:?} begins as the forbidden {:?}: {}", remark.line, remark.why));
        }
    }
    lines.extend(remarks("optional", &site.directives.optional));
    lines.extend(remarks("forbidden", &site.directives.forbidden));
    for (key, line) in &lines {
        problems.ensure(line.starts_with('-') && line.trim() == line, || {
            format!("{key}: {line:?} must begin with - as on the command line, without the scheduler's prefix")
        });
    }
}

fn questions(site: &Site, problems: &mut Problems) {
    let lines = site.directives.always.iter().chain(&site.environment);
    let needed: BTreeSet<&str> = lines.flat_map(|line| placeholders(line)).collect();
    for name in needed.iter().filter(|name| !site.ask.contains_key(**name)) {
        problems.ensure(false, || format!("{{{name}}} stands in a line, and there is no [ask.{name}]"));
    }
    for (name, ask) in &site.ask {
        problems.ensure(!name.is_empty() && name.chars().all(is_name_char), || {
            format!("[ask.{name}]: the name may have only the characters a-z 0-9 _")
        });
        problems.ensure(needed.contains(name.as_str()), || {
            format!("[ask.{name}]: no line of directives.always or environment has {{{name}}}")
        });
        problems.ensure(!ask.question.trim().is_empty(), || format!("ask.{name}.question is empty"));
        problems.ensure(ask.default.as_deref().is_none_or(|text| !text.trim().is_empty()), || {
            format!("ask.{name}.default is empty: leave it out")
        });
    }
}

fn study(site: &Site, problems: &mut Problems) {
    match site.study.clone().resolve() {
        Err(error) => problems.ensure(false, || format!("[study]: {error:#}")),
        Ok(study) => {
            for bind in &study.cpu_bind {
                problems.ensure(site.launch.cpu_bind.contains(&bind.kind()), || {
                    format!("study.cpu_bind has \"{bind}\", which launch.cpu_bind does not allow")
                });
            }
        }
    }
}

fn facts(site: &Site, table: &Table, problems: &mut Problems) {
    for (name, source) in &site.sources {
        problems.ensure(!source.title.trim().is_empty(), || format!("sources.{name}.title is empty"));
        problems.ensure(source.checked.len() == 10 && source.checked.parse::<Date>().is_ok(), || {
            format!("sources.{name}.checked = {:?} is no day; write YYYY-MM-DD", source.checked)
        });
    }
    let known: BTreeMap<String, bool> = leaves(table).into_iter().map(|leaf| (leaf.key, true)).collect();
    let stands = |key: &str| {
        known.range(key.to_owned()..).next().is_some_and(|(leaf, _)| {
            leaf.strip_prefix(key).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        })
    };
    for (key, fact) in &site.facts {
        let status = fact.status;
        if let Some(source) = &fact.source {
            problems.ensure(site.sources.contains_key(source), || {
                let names: Vec<&str> = site.sources.keys().map(String::as_str).collect();
                format!("facts.\"{key}\": there is no source {source:?}; [sources] has: {}", names.join(", "))
            });
        }
        let needs_source = matches!(status, Status::Verified | Status::Secondary);
        problems.ensure(!needs_source || fact.source.is_some(), || {
            format!("facts.\"{key}\": status {status} needs a source")
        });
        let says = fact.ask.is_some() || (fact.note.is_some() && status == Status::Unverified);
        problems.ensure(says || !matches!(status, Status::Unverified | Status::Missing), || {
            format!("facts.\"{key}\": status {status} needs an `ask`: what to ask the centre, or to run there")
        });
        match status {
            Status::Missing => problems.ensure(!known.contains_key(key), || {
                format!("facts.\"{key}\": status missing, but the file has a value: call it unverified")
            }),
            _ => problems.ensure(stands(key), || format!("facts.\"{key}\": the file has no such value")),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::site::{builtin_text, check_text};

    /// Frontier's file with `from` replaced by `to`: what is wrong then.
    fn wrong(from: &str, to: &str) -> String {
        let text = builtin_text("frontier").unwrap();
        assert!(text.contains(from), "{from}");
        check_text(&text.replacen(from, to, 1)).problems.join("\n")
    }

    #[test]
    fn each_rule_names_the_key_the_value_and_what_is_allowed() {
        let cases: [(&str, &str, &str); 23] = [
            ("name = \"frontier\"", "name = \"a b\"", "the name \"a b\" may have only"),
            ("name = \"debug\"", "name = \"extended\"", "[[queue]]: the name \"extended\" stands there twice"),
            ("max_nodes = 91", "max_nodes = 0", "queue.batch-1-91.min_nodes = 1 is above its max_nodes = 0"),
            ("max_nodes = 9472", "max_nodes = 99999", "max_nodes = 99999, but its nodes are 9856"),
            ("max_nodes = 91", "max_nodes = 91\nmin_walltime = \"03:00:00\"", "is above its max_walltime"),
            (
                "max_nodes = 91",
                "max_nodes = 91\nnode_types = [\"gpu\"]",
                "\"gpu\", which is no [[node]]; there are: compute",
            ),
            ("max_nodes = 91", "max_nodes = 91\ncharge_factor = nan", "charge_factor = NaN is no factor"),
            ("submit_as = [\"--partition=batch\"]", "submit_as = [\"-p {x}\"]", "has a placeholder"),
            ("submit_as = [\"--partition=batch\"]", "submit_as = [\"#SBATCH -p x\"]", "must begin with -"),
            (
                "counts = \"submitted\"",
                "queues = [\"fast\"]\ncounts = \"submitted\"",
                "\"fast\", which is no [[queue]]",
            ),
            ("per_node_hour = 1.0", "per_node_hour = -1.0", "charge.per_node_hour = -1 is no amount"),
            ("line = \"-S\"", "line = \"--excl\"", "begins as the forbidden"),
            ("always = [", "always = [\"-x {other}\", ", "there is no [ask.other]"),
            ("[ask.account]", "[ask.unused]\nquestion = \"?\"\n[ask.account]", "[ask.unused]: no line"),
            ("cpu_bind = [\"none\", ", "cpu_bind = [", "launch.cpu_bind must contain \"none\""),
            (
                "cpu_bind = [\"none\", \"scheduler\", \"mask\"]",
                "cpu_bind = [\"none\"]",
                "which launch.cpu_bind does not allow",
            ),
            ("checked = \"2026-07-22\"", "checked = \"22.7.2026\"", "is no day; write YYYY-MM-DD"),
            ("source = \"olcf\"", "source = \"oclf\"", "there is no source \"oclf\"; [sources] has: "),
            ("status = \"verified\", source = \"olcf\"", "status = \"verified\"", "status verified needs a source"),
            ("status = \"verified\", source = \"olcf\"", "status = \"unverified\"", "needs an `ask`"),
            ("\"scheduler\" = {", "\"schedular\" = {", "\"schedular\": the file has no such value"),
            ("node_local = \"/tmp\"", "node_local = \"tmp\"", "must be an absolute path"),
            ("node_local = \"/tmp\"", "node_local = \"$(id)\"", "such as $TMPDIR"),
        ];
        for (from, to, needle) in cases {
            let problems = wrong(from, to);
            assert!(problems.contains(needle), "{to}: {problems:?} should have {needle:?}");
        }
    }

    #[test]
    fn all_problems_are_told_at_once() {
        let text = builtin_text("frontier").unwrap();
        let text = text.replace("max_nodes = 91", "max_nodes = 0").replace("\"/tmp\"", "\"tmp\"");
        let problems = check_text(&text).problems;
        assert_eq!(problems.len(), 2, "{problems:?}");
    }

    #[test]
    fn values_without_a_fact_and_idle_sources_are_listed() {
        let text = builtin_text("frontier").unwrap();
        let text = text.replace("\"charge\" = {", "\"charge.unit\" = {");
        let text = text.replace("[sources]", "[sources]\nidle = { title = \"x\", checked = \"2026-01-01\" }");
        let checked = check_text(&text);
        assert!(checked.problems.is_empty(), "{:?}", checked.problems);
        let uncovered = checked.uncovered.join("\n");
        assert!(uncovered.contains("charge.per_node_hour has no fact"), "{uncovered}");
        assert!(uncovered.contains("sources.idle is named by no fact"), "{uncovered}");
    }
}
