//! Directives that others than the templates add (the user by `--directive`, the site's file): whether they would quietly
//! undo a line of the script, or break a rule of `shardscale check`.

use anyhow::{Result, bail, ensure};

use crate::lint::{self, Line};
use crate::scheduler::Version;
use crate::site::{Directives, Site};

/// What flags of `gen` are for, and what to do instead of a directive.
const MEANT: [(&str, &str); 7] = [
    ("wall time", "give --walltime"),
    ("nodes", "give --client-nodes and --db-nodes"),
    ("tasks", "give --clients-per-node"),
    ("job name", "a job has the name of its permutation, and --out keeps studies apart"),
    ("log", "it lies in the run directory, where `status` and `collect` look for it"),
    ("dependency", "give it on the command line of sbatch or qsub; `shardscale submit --at-once` orders jobs"),
    ("array", "give --repeats, or longer lists"),
];

/// What flags of `gen` are for where a line of the script has it already.
const ELSE: [(&str, &str); 6] = [
    ("account", "give --account"),
    ("partition", "give --queue"),
    ("qos", "give --queue"),
    ("queue", "give --queue"),
    ("constraint", "give --client-constraint, or --client-node-type"),
    ("hosts", "give --db-hosts"),
];

/// Refuses a directive of the user's that is none, or that the centre does not take.
///
/// # Errors
/// The message names it and the remedy.
pub fn check(line: &str, site: &Site) -> Result<()> {
    shape(line)?;
    if let Some(forbidden) = site.directives.forbids(line) {
        bail!("--directive {line:?}: {} does not take {} ({})", site.name, forbidden.line, forbidden.why);
    }
    Ok(())
}

/// Refuses what cannot be a directive at any site.
///
/// # Errors
/// As [`check`].
pub fn shape(line: &str) -> Result<()> {
    ensure!(
        line.starts_with('-') && !line.trim_matches('-').is_empty(),
        "--directive {line:?} is no directive: write an option as on the command line of sbatch or qsub, without the \
         scheduler's prefix, such as --directive=--mem=100G"
    );
    Ok(())
}

/// The site's own lines, less those in whose place the user put one that the site's file lists as optional.
pub fn always<'a>(lines: &'a [String], users: &[String], site: &Site) -> Vec<&'a str> {
    let Directives { optional, .. } = &site.directives;
    let kind = site.scheduler.kind.as_str();
    let sets = |line: &str| lint::sets(kind, line);
    let instead = users.iter().filter(|line| optional.iter().any(|remark| line.starts_with(&remark.line)));
    let replaced: Vec<String> = instead.flat_map(|line| sets(line)).collect();
    let stays = |line: &&String| !sets(line).iter().any(|name| replaced.contains(name));
    lines.iter().filter(stays).map(String::as_str).collect()
}

/// Holds the directives that the user and the site added to `script` against its other lines and against the rules of
/// `shardscale check`.
///
/// # Errors
/// The first that sets what is not its own, with the flag that is meant for it, or that breaks a rule.
pub fn check_in(script: &str, added: &[&str], users: &[String], site: &Site) -> Result<()> {
    let lines = lint::lines(&site.scheduler.kind, script);
    let is_added = |line: &&Line<'_>| added.iter().any(|text| text.trim() == line.text);
    // the user's come last, and are what he can change most easily
    for line in lines.iter().rev().filter(is_added) {
        let who = who(line.text, users, site);
        for name in &line.sets {
            let twin = lines.iter().find(|other| other.number != line.number && other.sets.contains(name));
            let never = MEANT.iter().find(|(meant, _)| meant == name);
            if twin.is_none() && never.is_none() {
                continue;
            }
            let flag = never.or(ELSE.iter().find(|(meant, _)| meant == name)).map(|(_, remedy)| *remedy);
            let remedy = flag.unwrap_or("change it in a site file of your own (`shardscale sites show NAME --toml`)");
            let beside = twin.map(|twin| format!(" beside {:?}, and of two one would count without a word", twin.text));
            bail!("{who} sets the {name}{}: {remedy}", beside.unwrap_or_default());
        }
    }
    let version = site.scheduler.version.as_deref().and_then(Version::parse);
    let findings = lint::check_text(script, true, version);
    match findings.iter().find(|finding| lines.iter().filter(is_added).any(|line| line.number == finding.line)) {
        Some(finding) => {
            let text = lines.iter().find(|line| line.number == finding.line).map_or("", |line| line.text);
            bail!("{}: {}. {} {}", who(text, users, site), finding.what, finding.rule.why, finding.rule.remedy)
        }
        None => Ok(()),
    }
}

/// Whose line it is.
fn who(text: &str, users: &[String], site: &Site) -> String {
    match users.iter().any(|line| line.trim() == text) {
        true => format!("--directive {text:?}"),
        false => format!("the directive {text:?} of site {}", site.name),
    }
}
