//! The text of a dry run: permutations, refusals, cost, and who sits where.

use std::fmt::Write;

use anyhow::Result;

use super::plan::{Plan, Planned, PlannedPack};
use super::planner::Planner;
use crate::placement::{Drawing, draw};
use crate::record::manifest::Manifest;
use crate::record::units::count;
use crate::record::walltime::Walltime;

/// What `gen --dry-run` prints on stdout; `colour` is for terminals.
pub fn dry_run(plan: &Plan, arrangements: &[Arrangement], colour: bool) -> String {
    let mut text = table(plan);
    text.push_str(&packs(plan));
    text.push_str(&totals(plan));
    for reason in plan.reasons() {
        let _ = writeln!(text, "refused   {reason}");
    }
    text.push_str(&drawings(arrangements, colour));
    text
}

fn table(plan: &Plan) -> String {
    let unit = plan.charge_unit.as_deref().unwrap_or("");
    let width = plan.planned.iter().map(|planned| planned.manifest.name.len()).max().unwrap_or(0).max(11);
    let queue_width = plan.planned.iter().map(|planned| queue(planned).len()).max().unwrap_or(0).max(5);
    let mut text = String::new();
    let cost = if unit.is_empty() { "" } else { "AT MOST" };
    let head = format!(
        "{:<width$}  NODES   RANKS  SERVERS  {:<queue_width$}  WALLTIME  {cost} {unit}",
        "PERMUTATION", "QUEUE"
    );
    let _ = writeln!(text, "{}", head.trim_end());
    for planned in &plan.planned {
        let expect = &planned.manifest.expect;
        let walltime =
            expect.walltime_s.map(|seconds| Walltime { seconds }.to_string()).unwrap_or_else(|| "-".to_owned());
        let cost = planned.cost.map(|cost| format!("{cost:.2}")).unwrap_or_default();
        let line = format!(
            "{:<width$}  {:>5}  {:>6}  {:>7}  {:<queue_width$}  {walltime:>8}  {cost:>7}",
            planned.manifest.name,
            expect.nodes,
            expect.ranks,
            expect.servers,
            queue(planned)
        );
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

fn queue(planned: &Planned) -> &str {
    planned.manifest.expect.queue.as_deref().unwrap_or("-")
}

/// The packs, and what packing changes.
fn packs(plan: &Plan) -> String {
    if plan.packs.is_empty() {
        return String::new();
    }
    let width = plan.packs.iter().map(|planned| planned.pack.name.len()).max().unwrap_or(0);
    let mut text = format!("\n{:<width$}  NODES    RUNS  WALLTIME\n", "PACK");
    for PlannedPack { pack, cost, .. } in &plan.packs {
        let walltime = pack.walltime_s.map_or_else(|| "-".to_owned(), |seconds| Walltime { seconds }.to_string());
        let cost = cost.map(|cost| format!("  {cost:>7.2}")).unwrap_or_default();
        let _ = writeln!(text, "{:<width$}  {:>5}  {:>6}  {walltime:>8}{cost}", pack.name, pack.nodes, pack.runs.len());
    }
    text.push('\n');
    text
}

fn totals(plan: &Plan) -> String {
    let cost = match &plan.charge_unit {
        Some(unit) => {
            let of_store = plan.cost_of_db_nodes();
            let of_store = if of_store > 0.0 { format!(", {of_store:.2} of them for DB nodes") } else { String::new() };
            format!(", at most {:.2} {unit} if each takes its whole wall time{of_store}", plan.cost())
        }
        None => String::new(),
    };
    let refused = if plan.refused.is_empty() { String::new() } else { format!(", {} refused", plan.refused.len()) };
    format!("{}{refused}{cost}\n", count(plan.jobs(), "job"))
}

/// A way to sit on a node, and the permutations that have it.
pub struct Arrangement {
    drawing: Drawing,
    plain: Vec<String>,
    names: Vec<String>,
}

/// The arrangements of a plan, in the order of their first permutations. Where nothing is known of the nodes there is none.
pub fn arrangements(planner: &Planner<'_>, plan: &Plan) -> Result<Vec<Arrangement>> {
    let mut found: Vec<Arrangement> = Vec::new();
    for planned in &plan.planned {
        let Manifest { name, job, .. } = &planned.manifest;
        let placed = planner.placed(&planned.manifest)?;
        let Some(placement) = &placed.placement else { continue };
        let drawing = draw(placement, job);
        let plain = drawing.plain();
        match found.iter_mut().find(|one| one.plain == plain) {
            Some(one) => one.names.push(name.clone()),
            None if drawing.is_empty() => {}
            None => found.push(Arrangement { drawing, plain, names: vec![name.clone()] }),
        }
    }
    Ok(found)
}

/// The drawings, each under the name of its first permutation.
fn drawings(arrangements: &[Arrangement], colour: bool) -> String {
    const SHOWN: usize = 8;
    let mut text = String::new();
    for Arrangement { drawing, plain, names } in arrangements.iter().take(SHOWN) {
        let more = if names.len() > 1 { format!(" and {} more", names.len() - 1) } else { String::new() };
        let _ = writeln!(text, "\n{}{more}", names[0]);
        let lines = if colour { drawing.coloured() } else { plain.clone() };
        lines.iter().for_each(|line| text.push_str(&format!("  {line}\n")));
    }
    if arrangements.len() > SHOWN {
        let _ = writeln!(text, "\nand {} more arrangements; each script holds its own", arrangements.len() - SHOWN);
    }
    text
}
