//! A plan: every permutation with its manifest, or the reason why it cannot run, and what all of them cost.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use anyhow::{Result, bail, ensure};

use super::request::Request;
use crate::record::manifest::{Job, Manifest};
use crate::record::pack::{self, Pack};

/// What would be written.
#[derive(Debug)]
pub struct Plan {
    /// The folder, absolute.
    pub out: PathBuf,
    pub planned: Vec<Planned>,
    /// Jobs that run several of them.
    pub packs: Vec<PlannedPack>,
    /// Names of the permutations in these.
    pub packed: HashSet<String>,
    pub refused: Vec<Refusal>,
    /// What the user should know although it is no error.
    pub notes: Vec<String>,
    /// Name of the site's charge unit; absent where it charges nothing.
    pub charge_unit: Option<String>,
}

/// One permutation that can run.
#[derive(Debug, Clone)]
pub struct Planned {
    pub manifest: Manifest,
    /// What it costs if it takes its whole wall time, in the site's charge unit.
    pub cost: Option<f64>,
}

/// One job that runs several permutations.
#[derive(Debug, Clone)]
pub struct PlannedPack {
    pub pack: Pack,
    /// The first permutation's: all want nodes like that one.
    pub like: Job,
    /// As a permutation's.
    pub cost: Option<f64>,
}

/// A permutation that cannot run, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub name: String,
    pub reason: String,
}

impl Plan {
    /// What all jobs together cost at most.
    pub fn cost(&self) -> f64 {
        let alone = self.alone().filter_map(|planned| planned.cost);
        // not `sum`, which begins with -0.0
        alone.chain(self.packs.iter().filter_map(|pack| pack.cost)).fold(0.0, |sum, cost| sum + cost)
    }

    /// What they would cost if each permutation had a job of its own.
    pub fn cost_unpacked(&self) -> f64 {
        self.planned.iter().filter_map(|planned| planned.cost).fold(0.0, |sum, cost| sum + cost)
    }

    /// What of that the nodes of the servers would cost: a permutation's cost by its share of nodes. Colocated servers have none.
    pub fn cost_of_db_nodes(&self) -> f64 {
        let of_store = |planned: &Planned| {
            let (job, nodes) = (&planned.manifest.job, planned.manifest.expect.nodes);
            let own = if nodes > job.launch_nodes() { job.db_nodes.unwrap_or(0) } else { 0 };
            planned.cost.unwrap_or(0.0) * f64::from(own) / f64::from(nodes.max(1))
        };
        // a pack's nodes serve permutations of several sizes in turn: no share of them is the store's
        if self.packs.is_empty() { self.planned.iter().map(of_store).sum() } else { 0.0 }
    }

    /// Permutations that are jobs of their own.
    fn alone(&self) -> impl Iterator<Item = &Planned> {
        self.planned.iter().filter(|planned| !self.packed.contains(&planned.manifest.name))
    }

    /// Path below `out` of the script of a permutation or pack.
    pub fn script_path(&self, out: &Path, name: &str) -> PathBuf {
        match self.packed.contains(name) {
            true => packed_script_path(out, name),
            false => script_path(out, name),
        }
    }

    /// Number of jobs.
    pub fn jobs(&self) -> usize {
        self.alone().count() + self.packs.len()
    }

    /// Why permutations cannot run: each reason once, behind the name of its first permutation or how many it holds for.
    pub fn reasons(&self) -> Vec<String> {
        let mut by_reason: Vec<(&str, Vec<&str>)> = Vec::new();
        let mut places: HashMap<&str, usize> = HashMap::new();
        for Refusal { name, reason } in &self.refused {
            let place = *places.entry(reason).or_insert_with(|| {
                by_reason.push((reason, Vec::new()));
                by_reason.len() - 1
            });
            by_reason[place].1.push(name);
        }
        let all = self.refused.len() + self.planned.len();
        let who = |names: &[&str]| match names {
            [one] => (*one).to_owned(),
            names if names.len() == all => format!("all {all}"),
            [first, more @ ..] => format!("{first} and {} more", more.len()),
            [] => String::new(),
        };
        by_reason.iter().map(|(reason, names)| format!("{}: {reason}", who(names))).collect()
    }

    /// Refuses a plan with permutations that cannot run, or above the budget, unless the request says otherwise.
    pub fn refuse(&self, request: &Request) -> Result<()> {
        self.refuse_permutations(request.skip_refused)?;
        let Some(budget) = request.budget else { return Ok(()) };
        let Some(unit) = &self.charge_unit else {
            bail!("--budget {budget}: the site file does not say what a job costs ([charge])");
        };
        ensure!(
            self.cost() <= budget,
            "{} jobs may cost up to {:.1} {unit}, above --budget {budget}, and nothing was written; shorten the lists, lower \
             --walltime, or raise the budget (--dry-run shows what each job costs)",
            self.jobs(),
            self.cost()
        );
        Ok(())
    }

    fn refuse_permutations(&self, skip: bool) -> Result<()> {
        if self.refused.is_empty() || (skip && !self.planned.is_empty()) {
            return Ok(());
        }
        const SHOWN: usize = 20;
        let reasons = self.reasons();
        let mut lines: Vec<String> = reasons.iter().take(SHOWN).map(|reason| format!("  {reason}")).collect();
        if reasons.len() > SHOWN {
            lines.push(format!("  and {} more reasons", reasons.len() - SHOWN));
        }
        let (refused, all) = (self.refused.len(), self.refused.len() + self.planned.len());
        let remedy = if refused == all {
            "change the axes"
        } else {
            "change the axes, or give --skip-refused to generate the others"
        };
        bail!("{refused} of {all} permutations cannot run, and nothing was written; {remedy}:\n{}", lines.join("\n"))
    }
}

/// Path of a job script in `out`: a permutation's, or a pack's.
pub fn script_path(out: &Path, name: &str) -> PathBuf {
    out.join(format!("{name}.sh"))
}

/// Path of the script of a permutation that runs inside a pack: not among those that `sbatch out/*.sh` submits.
pub fn packed_script_path(out: &Path, name: &str) -> PathBuf {
    out.join(name).join(pack::JOB_SCRIPT)
}
