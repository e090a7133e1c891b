//! The text of a dry run: permutations, refusals, cost, and who sits where.

use std::fmt::Write;

use super::plan::{Plan, Planned};
use crate::record::walltime::Walltime;

/// What `gen --dry-run` prints on stdout; `colour` is for terminals.
pub fn dry_run(plan: &Plan, colour: bool) -> String {
    let mut text = table(plan);
    text.push_str(&totals(plan));
    for refusal in &plan.refused {
        let _ = writeln!(text, "refused   {}: {}", refusal.name, refusal.reason);
    }
    text.push_str(&drawings(plan, colour));
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

fn totals(plan: &Plan) -> String {
    let jobs = plan.planned.len();
    let cost = match &plan.charge_unit {
        Some(unit) => format!(", at most {:.2} {unit} if each takes its whole wall time", plan.cost()),
        None => String::new(),
    };
    let refused = if plan.refused.is_empty() { String::new() } else { format!(", {} refused", plan.refused.len()) };
    format!("{jobs} job{}{refused}{cost}\n", if jobs == 1 { "" } else { "s" })
}

/// One drawing for each arrangement of a node, with the permutations that have it.
fn drawings(plan: &Plan, colour: bool) -> String {
    let _ = (plan, colour);
    String::new()
}
