//! `report.html`: one file that opens anywhere without a network.
//!
//! Plots are drawn by Apache ECharts, which stands whole in the file (`vendor/`): it has log axes, violins and heat maps by
//! its custom series, and an SVG renderer, so that pages print and plots save as vectors. uPlot is a tenth of its size and
//! has canvas only; Plotly is four times its size; Vega-Lite and Observable Plot bring d3 along and need a build step;
//! plotters and charming draw on our side, so that values could not be asked for on the page.
//!
//! Users' text reaches the page in two ways only: escaped by the template, and as JSON that the script reads and shows as
//! text. The page's own policy forbids it every connection.

mod data;

use anyhow::{Context, Result};
use serde::Serialize;
use tera::Tera;

use super::groups::{Groups, groups};
use super::number::short;
use super::provenance::{Provenance, provenance};
use super::{DEFINITIONS, complaint, headline};
use crate::collect::model::{Collection, Run};
use crate::record::units::show_bytes;

const TEMPLATE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");
const ECHARTS: &str = include_str!("vendor/echarts.min.js");

/// Renders the page.
pub fn render(collection: &Collection) -> Result<Vec<u8>> {
    let groups = groups(&collection.runs);
    let mut context = tera::Context::new();
    context.insert("style", STYLE);
    context.insert("script", SCRIPT);
    context.insert("echarts", ECHARTS);
    context.insert("data", &data::json(&collection.runs, &groups)?);
    context.insert("headline", &headline(collection));
    context.insert("highlights", &highlights(&collection.runs));
    context.insert("rows", &collection.runs.iter().map(Row::of).collect::<Vec<_>>());
    context.insert("problems", &problems(collection));
    context.insert("axis", &groups.axis.replace('_', " "));
    context.insert("has_plots", &has_plots(&groups));
    let Provenance { common, columns, rows } = provenance(&collection.runs);
    let rows: Vec<_> = collection.runs.iter().map(|run| run.name.as_str()).zip(rows).collect();
    context.insert("common", &common);
    context.insert("columns", &columns);
    context.insert("differing", &rows);
    context.insert("definitions", DEFINITIONS);
    let page = Tera::one_off(TEMPLATE, &context, true).context("cannot render report.html")?;
    Ok(page.into_bytes())
}

fn has_plots(groups: &Groups) -> bool {
    !groups.labels.is_empty()
}

/// A line of the overview.
#[derive(Serialize)]
struct Row<'a> {
    name: &'a str,
    state: &'static str,
    ranks: String,
    sizes: String,
    best: String,
    at: String,
}

impl<'a> Row<'a> {
    fn of(run: &'a Run) -> Row<'a> {
        let (at, best) = run.best().map(|(bytes, best)| (show_bytes(bytes), short(best))).unwrap_or_default();
        Row {
            name: &run.name,
            state: run.state.as_str(),
            ranks: run.measured.as_ref().map(|measured| measured.ranks.to_string()).unwrap_or_default(),
            sizes: format!("{} of {}", run.sizes().len(), run.sizes_total),
            best,
            at,
        }
    }
}

/// A figure worth a first look: (what, value, where).
fn highlights(runs: &[Run]) -> Vec<(&'static str, String, String)> {
    let comparable = || runs.iter().filter(|run| run.state.is_comparable());
    let mut all = Vec::new();
    let best = comparable().filter_map(|run| Some((run, run.best()?))).max_by(|a, b| a.1.1.total_cmp(&b.1.1));
    if let Some((run, (bytes, best))) = best {
        let place = format!("{} in {}", show_bytes(bytes), run.name);
        all.push(("Most moved, both operations together", format!("{} GB/s", short(best)), place));
    }
    let latencies = comparable().flat_map(|run| run.sizes().iter().map(move |size| (run, size)));
    let lowest = latencies
        .filter_map(|(run, size)| Some((run, size.payload_bytes, size.ops.first()?)))
        .min_by(|a, b| a.2.latency.median.total_cmp(&b.2.latency.median));
    if let Some((run, bytes, op)) = lowest {
        let place = format!("{} in {}", show_bytes(bytes), run.name);
        all.push(("Lowest median put_tensor", format!("{} us", short(op.latency.median / 1e3)), place));
    }
    all
}

/// (where, what) of everything that needs a look, then of all notes.
fn problems(collection: &Collection) -> Vec<(String, String)> {
    let of_runs = collection.runs.iter().filter_map(|run| Some((run.name.clone(), complaint(run)?)));
    let others = collection.problems.iter().map(|problem| (problem.path.clone(), problem.what.clone()));
    let notes =
        collection.runs.iter().flat_map(|run| run.notes.iter().map(|note| (run.name.clone(), format!("note: {note}"))));
    of_runs.chain(others).chain(notes).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_a_script_element_cannot_end_it() {
        for script in [ECHARTS, SCRIPT] {
            let lower = script.to_ascii_lowercase();
            assert!(!lower.contains("</script") && !lower.contains("<!--"));
        }
        assert!(!STYLE.to_ascii_lowercase().contains("</style"));
    }

    #[test]
    fn the_page_asks_for_nothing_from_outside() {
        for text in [TEMPLATE, STYLE, SCRIPT] {
            for outside in ["src=", "href=\"http", "url(", "@import", "fetch(", "XMLHttpRequest"] {
                assert!(!text.contains(outside), "{outside}");
            }
        }
        assert!(TEMPLATE.contains("default-src 'none'"));
    }
}
