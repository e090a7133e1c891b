//! `shardscale next`: from a question that runs leave open to the runs that would decide it.
//!
//! What a run costs and whether a site admits it is `gen`'s knowledge: every candidate goes through its planner. Which of them
//! are worth it is [`crate::collect::sizing`]'s. Writes nothing but the study file that is asked for.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::collect::model::Run;
use crate::collect::number::short;
use crate::collect::params::Value;
use crate::collect::sizing::answer::{Search, Verdict, with_clients_per_node};
use crate::collect::sizing::curve::Unknown;
use crate::collect::sizing::family::{self, Family};
use crate::collect::sizing::layout::Layout;
use crate::collect::sizing::next::{Candidate, Proposal, is_decided, propose};
use crate::collect::sizing::question::Question;
use crate::collect::sizing::show;
use crate::generate::{self, Mode, Plan, Planned, Request};
use crate::progress::silent;
use crate::record::files;
use crate::record::units::count;
use crate::record::vocabulary::Packing;
use crate::study::StudyFile;
use crate::terminal::{WIDTH, plain};

/// Candidates of a family: the planner and the laws look at each.
const MOST_CANDIDATES: usize = 96;

/// What is asked.
#[derive(Debug, Clone)]
pub struct Wish {
    pub question: Question,
    pub most_db_nodes: Option<u32>,
    /// The study of the runs, resolved, as `gen` leaves it beside them.
    pub study: PathBuf,
    /// Most that all runs may cost together.
    pub budget: f64,
    /// Where a study of the runs is to be written.
    pub write: Option<PathBuf>,
    pub config: Option<PathBuf>,
}

/// What was found.
pub struct Next {
    /// For people.
    pub text: String,
    /// Runs that are proposed.
    pub runs: usize,
    /// Something is open, whether or not a run would tell.
    pub is_open: bool,
}

/// Finds the runs, and writes their study where that is wished.
///
/// # Errors
/// A study that cannot be read or does not fit the runs, or a file that cannot be written.
pub fn find(runs: &[Run], wish: &Wish) -> Result<Next> {
    wish.write.as_deref().map(is_ours).transpose()?;
    let study = StudyFile::load(&path_text(&wish.study)?)
        .context("`gen` writes study.toml beside its scripts; name the study of these runs with --study")?;
    let (families, _) = family::of_runs(runs);
    let question = with_clients_per_node(&families, &wish.question);
    let mut text = format!("{}\n", textwrap::fill(&question.to_string(), WIDTH));
    let (mut chosen, mut cost, mut unit, mut is_open) = (Vec::new(), 0.0, String::new(), false);
    for family in &families {
        let search = Search::new(family, &question);
        let verdict = search.verdict(wish.most_db_nodes);
        let _ = write!(text, "\n{}\n  {}\n", plain(&family.label), show::headline(&verdict));
        if is_decided(&verdict) {
            continue;
        }
        is_open = true;
        let base = base(&study, family, &question, &verdict)?;
        let planned = plan(&base, &layouts(&search, &verdict), wish)
            .with_context(|| format!("cannot plan runs of {}", family.label))?;
        unit.clone_from(&planned.unit);
        if let Some(reason) = planned.refused {
            let _ = writeln!(text, "  the site admits no run that might narrow it: {}", plain(&reason));
            continue;
        }
        let found = propose(&search, &planned.candidates, wish.budget - cost, wish.most_db_nodes);
        let Some(proposal) = found.filter(|proposal| !proposal.points.is_empty()) else {
            let _ = writeln!(
                text,
                "  no run within the budget of {} and the limits of the site would narrow it",
                short(wish.budget)
            );
            continue;
        };
        cost += proposal.points.iter().map(|point| point.cost).sum::<f64>();
        text.push_str(&said(&proposal, &unit));
        chosen.extend(proposal.points.iter().map(|point| axes(&base, &point.layout)));
    }
    if families.is_empty() {
        text.push_str("\nno run here measured anything that can be sized\n");
    }
    if !chosen.is_empty() {
        let points = count(chosen.len(), "point");
        let repeats = study.axes.repeats.unwrap_or(1);
        let each = if repeats > 1 { format!(" x {repeats} repeats") } else { String::new() };
        let _ = writeln!(text, "\n{points}{each}, {} {unit} if each run takes its whole wall time", short(cost));
        let (made, packed) = packed(together(&chosen)?, wish)?;
        text.push_str(&packed.map(|packed| format!("{packed}\n")).unwrap_or_default());
        text.push_str(&match &wish.write {
            Some(file) => {
                let encoded = toml::to_string(&made).context("cannot encode the study")?;
                files::replace(file, format!("{OURS}: {question}\n# `shardscale gen --study THIS_FILE --out FOLDER` makes them.\n{encoded}").as_bytes(), 0o644)?;
                format!("written to {0}: shardscale gen --study {0} --out FOLDER, run them, and ask `size` with both folders\n", file.display())
            }
            None => "with --write FILE their study is written, for `shardscale gen --study FILE`\n".to_owned(),
        });
    }
    Ok(Next { text, runs: chosen.len(), is_open })
}

/// What our study files begin with.
const OURS: &str = "# Runs that would narrow the answer";

/// A file that somebody else wrote is not replaced.
fn is_ours(file: &Path) -> Result<()> {
    let there = files::read_text(file)?;
    let is_ours = there.is_none_or(|text| text.starts_with(OURS));
    ensure!(is_ours, "--write {}: it is there, and is no study of `next`; name another file", file.display());
    Ok(())
}

/// The study with its jobs as nested packs, and what is then said of them, where the study said nothing of packs, several of its jobs
/// fit into one and the budget bears it: points of one pack share nodes and wait for them once.
fn packed(study: StudyFile, wish: &Wish) -> Result<(StudyFile, Option<String>)> {
    if study.job.pack.is_some() {
        return Ok((study, None));
    }
    let mut nested = study.clone();
    nested.job.pack = Some(Packing::Nested);
    // what cannot be packed is no error: it has jobs of its own
    let Ok(plan) = dry_run(&nested, wish) else { return Ok((study, None)) };
    let has_queue = plan.planned.iter().all(|planned| planned.manifest.scheduler != "none");
    let fits = plan.refused.is_empty() && !plan.packs.is_empty() && plan.cost() <= wish.budget;
    let said = generate::packing_note(&plan);
    Ok(if has_queue && fits { (nested, said) } else { (study, None) })
}

fn path_text(path: &Path) -> Result<String> {
    let text = path.to_str().with_context(|| format!("{} is no text", path.display()))?;
    // what has no slash and no .toml is the name of a study that ships
    Ok(if text.contains('/') { text.to_owned() } else { format!("./{text}") })
}

fn said(proposal: &Proposal, unit: &str) -> String {
    let mut text = String::new();
    let reach = |width: Option<f64>| match width {
        Some(width) => format!("{} x to each side", short(width)),
        None => "beyond all bounds".to_owned(),
    };
    for point in &proposal.points {
        let nodes = count(point.layout.client_nodes(), "client node");
        let store = show::store(&point.layout);
        let ranks = point.layout.clients_per_node;
        let _ = writeln!(text, "  run {nodes} x {ranks} ranks, {store}: {} {unit}", short(point.cost));
    }
    let expected = match &proposal.expected {
        Verdict::Unknown(_) => "it stays open".to_owned(),
        verdict => format!("if they come out as expected: {}", show::headline(verdict)),
    };
    let _ =
        writeln!(text, "  the interval reaches {} now, {} then; {expected}", reach(proposal.now), reach(proposal.then));
    text
}

/// The study with all axes as this family has them.
fn base(study: &StudyFile, family: &Family<'_>, question: &Question, verdict: &Verdict) -> Result<StudyFile> {
    let run = family.points[0].runs[0];
    let mut axes = toml::Table::try_from(&study.axes).context("cannot list the study's axes")?;
    for (key, value) in &mut axes {
        let column = if key == "shards_per_node" { "servers_per_node" } else { key.as_str() };
        let (toml::Value::Array(list), Some(measured)) = (&value, run.params.get(column)) else { continue };
        if list.len() > 1 && crate::study::Axes::LISTS.contains(&key.as_str()) {
            let measured = match measured {
                Value::Count(count) => toml::Value::Integer(*count),
                Value::Flag(flag) => toml::Value::Boolean(*flag),
                Value::Text(text) => toml::Value::String(text.clone()),
            };
            *value = toml::Value::Array(vec![measured]);
        }
    }
    let axes = axes.try_into().with_context(|| {
        format!("the study does not fit the run {}: name the study that made these runs with --study", run.name)
    })?;
    let mut base = StudyFile { axes, zip: vec![], exclude: vec![], include: vec![], when: vec![], ..study.clone() };
    if matches!(verdict, Verdict::Unknown(Unknown::Size(_))) {
        base.axes.tensor_bytes = Some(vec![question.tensor_bytes]);
    }
    Ok(base)
}

/// Layouts that might tell something: what was measured, what is asked for, and steps of two between.
fn layouts(search: &Search<'_>, verdict: &Verdict) -> Vec<Layout> {
    let (family, likely) = (search.family(), search.likely());
    let doubled = |measured: Vec<u32>, up_to: u32| -> BTreeSet<u32> {
        let largest = measured.last().copied().unwrap_or(1).max(1);
        let steps =
            std::iter::successors(Some(largest), |value| value.checked_mul(2)).take_while(|value| *value < up_to);
        measured.iter().copied().chain(steps).chain([up_to]).filter(|value| *value > 0).collect()
    };
    let nodes = doubled(family.measured(Layout::client_nodes), likely.client_nodes());
    let per_node = doubled(family.measured(|layout| layout.clients_per_node), likely.clients_per_node);
    let servers = family.measured(|layout| layout.servers_per_node);
    let measured = family.measured(|layout| layout.db_nodes.unwrap_or(0));
    let db_nodes: Vec<Option<u32>> = match (likely.db_nodes, verdict) {
        (None, _) => vec![None],
        (Some(_), Verdict::Met { choice, may_do }) => {
            let middle = (choice.db_nodes() + may_do) / 2;
            doubled(measured, choice.db_nodes())
                .into_iter()
                .chain([*may_do, middle])
                .filter(|nodes| *nodes > 0)
                .map(Some)
                .collect()
        }
        (Some(_), verdict) => {
            let most = verdict.choice().map_or(2 * likely.db_nodes.unwrap_or(1), |choice| choice.db_nodes());
            doubled(measured, most).into_iter().map(Some).collect()
        }
    };
    let mut all = Vec::new();
    for client_nodes in &nodes {
        for clients_per_node in &per_node {
            for servers_per_node in &servers {
                all.extend(db_nodes.iter().map(|db_nodes| Layout {
                    ranks: client_nodes.saturating_mul(*clients_per_node),
                    clients_per_node: *clients_per_node,
                    db_nodes: *db_nodes,
                    servers_per_node: *servers_per_node,
                    ..likely
                }));
            }
        }
    }
    all.retain(|layout| !search.has(layout));
    // the cheapest tell the most for their cost
    all.sort_by_key(|layout| layout.client_nodes() + layout.db_nodes.unwrap_or(0));
    all.dedup();
    all.truncate(MOST_CANDIDATES);
    all
}

/// What is said of a layout in a study.
fn axes(base: &StudyFile, layout: &Layout) -> StudyFile {
    let mut study = base.clone();
    study.axes.client_nodes = Some(vec![layout.client_nodes()]);
    study.axes.clients_per_node = Some(vec![layout.clients_per_node]);
    let servers = Some(vec![layout.servers_per_node]);
    if layout.is_colocated {
        study.axes.servers_per_node = servers;
    } else if layout.db_nodes.is_some() {
        study.axes.db_nodes = layout.db_nodes.map(|nodes| vec![nodes]);
        study.axes.shards_per_node = servers;
    }
    study
}

/// One study of these, which differ in their axes only.
fn together(studies: &[StudyFile]) -> Result<StudyFile> {
    let (first, rest) = studies.split_first().context("no run")?;
    let list = |study: &StudyFile| toml::Table::try_from(&study.axes).context("cannot list the study's axes");
    let all = list(first)?;
    let differing = |study: &StudyFile| {
        let mut axes = list(study)?;
        axes.retain(|key, value| all.get(key) != Some(value));
        axes.try_into().context("cannot read the axes back")
    };
    Ok(StudyFile { include: rest.iter().map(differing).collect::<Result<_>>()?, ..first.clone() })
}

struct Costed {
    candidates: Vec<Candidate>,
    unit: String,
    /// Why none is admitted.
    refused: Option<String>,
}

/// What `gen` would make of a study.
fn dry_run(study: &StudyFile, wish: &Wish) -> Result<Plan> {
    let mut file = tempfile::Builder::new()
        .prefix("shardscale-next-")
        .suffix(".toml")
        .tempfile()
        .context("cannot make a temporary file")?;
    let text = toml::to_string(study).context("cannot encode the study")?;
    std::io::Write::write_all(&mut file, text.as_bytes()).context("cannot write a temporary file")?;
    let request = Request {
        study: Some(path_text(file.path())?),
        config: wish.config.clone(),
        out: PathBuf::from("next"),
        client: PathBuf::from("shardscale-client"),
        mode: Mode::DryRun,
        ..Request::default()
    };
    Ok(generate::run(&request, &silent)?.plan)
}

/// What the site admits of these layouts, and what each costs.
fn plan(base: &StudyFile, layouts: &[Layout], wish: &Wish) -> Result<Costed> {
    if layouts.is_empty() {
        return Ok(Costed { candidates: Vec::new(), unit: "node-hours".to_owned(), refused: None });
    }
    let studies: Vec<StudyFile> = layouts.iter().map(|layout| axes(base, layout)).collect();
    let plan = dry_run(&together(&studies)?, wish)?;
    let hours = |planned: &Planned| {
        f64::from(planned.manifest.expect.nodes) * f64::from(planned.manifest.expect.walltime_s.unwrap_or(3600))
            / 3600.0
    };
    let cost = |layout: &Layout| {
        let of = plan.planned.iter().filter(|planned| {
            let job = &planned.manifest.job;
            (job.client_nodes, job.clients_per_node, job.servers_per_node)
                == (layout.client_nodes(), layout.clients_per_node, layout.servers_per_node)
                && (layout.db_nodes.is_none() || job.db_nodes == layout.db_nodes)
        });
        of.map(|planned| planned.cost.unwrap_or_else(|| hours(planned))).sum::<f64>()
    };
    let candidates = layouts.iter().map(|layout| Candidate { layout: *layout, cost: cost(layout) });
    Ok(Costed {
        candidates: candidates.filter(|candidate| candidate.cost > 0.0).collect(),
        unit: plan.charge_unit.clone().unwrap_or_else(|| "node-hours".to_owned()),
        refused: plan.reasons().into_iter().next().filter(|_| plan.planned.is_empty()),
    })
}
