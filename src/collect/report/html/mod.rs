//! `report.html`: one file that opens anywhere without a network.
//!
//! Plots are drawn by Observable Plot on D3, bundled in `vendor/` (302 kB with the licences). It draws SVG into the
//! document: small multiples, log axes, bands and violins are marks, pages print as vectors, colours come from the style
//! sheet (so that theme and paper need no second drawing), and a plot saves as what it is. Looked at beside it, minified:
//!
//! - Apache ECharts: 1,122 kB whole, 625 kB with only the parts that the report needs. It has hover and legends of its
//!   own, but one drawing is one theme, and bands, violins and small multiples are custom code on its canvas model;
//! - uPlot: 51 kB, canvas only: nothing to save as a vector, no categories;
//! - bare D3 modules: 66 kB, and axes, marks and layouts as our own code;
//! - Vega-Lite (with Vega), Plotly: 772 kB and 4.8 MB;
//! - plotters, charming on the Rust side: pictures that cannot be asked for values, filtered or regrouped.
//!
//! Users' text reaches the page in two ways only: escaped by the template, and as JSON that the script reads and shows as
//! text. The page's own policy forbids it every connection.

pub mod axes;
mod baseline;
mod crossover;
mod data;
mod figure;
mod history;
mod nodes;
pub mod overview;
mod placement;
mod question;
mod scaling;
mod settings;
mod studied;
mod times;

use anyhow::{Context, Result};
use tera::Tera;

use super::provenance::{Provenance, provenance};
use super::{DEFINITIONS, headline, verdicts};
use crate::collect::collection::Collection;

const TEMPLATE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const PLOT: &str = include_str!("vendor/plot.js");

/// The page's script, in the order in which its parts build on each other.
const SCRIPTS: &[&str] = &[
    include_str!("js/core.js"),
    include_str!("js/view.js"),
    include_str!("js/runs.js"),
    include_str!("js/filter.js"),
    include_str!("js/axes.js"),
    include_str!("js/hover.js"),
    include_str!("js/save.js"),
    include_str!("js/figure.js"),
    include_str!("js/sizing.js"),
    include_str!("js/question.js"),
    include_str!("js/scaling.js"),
    include_str!("js/latency.js"),
    include_str!("js/sides.js"),
    include_str!("js/fits.js"),
    include_str!("js/application.js"),
    include_str!("js/baseline.js"),
    include_str!("js/settings.js"),
    include_str!("js/crossover.js"),
    include_str!("js/history.js"),
    include_str!("js/detail.js"),
    include_str!("js/placement.js"),
    include_str!("js/times.js"),
    include_str!("js/nodes.js"),
    include_str!("js/main.js"),
];

/// Renders the page.
pub fn render(collection: &Collection) -> Result<Vec<u8>> {
    let runs = &collection.runs;
    let has_plots = runs.iter().any(|run| run.state.is_comparable() && !run.sizes().is_empty());
    let mut context = tera::Context::new();
    context.insert("style", STYLE);
    context.insert("plot", PLOT);
    context.insert("script", &script());
    let axes = axes::axes(runs);
    context.insert("studied", &studied::studied(runs, &axes));
    let families = question::families(runs);
    let shown = Shown {
        plots: has_plots,
        question: !families.is_empty(),
        baseline: collection.baseline.is_some(),
        application: !collection.application.is_empty(),
        decides: !collection.settings.is_empty(),
        crossover: !collection.crossover.is_empty(),
        history: collection.history.is_some(),
        nodes: runs.iter().filter_map(|run| run.measured.as_ref()).any(|it| it.host_ratios.iter().any(Option::is_some)),
    };
    context.insert("data", &data::json(collection, axes, families)?);
    context.insert("has_question", &shown.question);
    context.insert("has_nodes", &shown.nodes);
    context.insert("has_plots", &has_plots);
    context.insert("has_scaling", &!collection.scaling.is_empty());
    if let Some(baseline) = &collection.baseline {
        context.insert("baseline", &baseline::Summary::of(baseline));
    }
    context.insert("ranked", &verdicts::ranked(&collection.settings));
    context.insert("crossovers", &verdicts::summaries(&collection.crossover));
    if let Some(history) = &collection.history {
        context.insert("history", &history::Summary::of(history));
    }
    context.insert("has_application", &shown.application);
    context.insert("sections", &sections(shown));
    context.insert("headline", &headline(collection));
    context.insert("states", &overview::states(collection));
    context.insert("highlights", &overview::highlights(runs));
    context.insert("problems", &overview::problems(collection));
    context.insert("rows", &runs.iter().map(overview::Row::of).collect::<Vec<_>>());
    let Provenance { common, columns, rows } = provenance(runs);
    let rows: Vec<_> = runs.iter().map(|run| run.name.as_str()).zip(rows).collect();
    context.insert("common", &common);
    context.insert("columns", &columns);
    context.insert("differing", &rows);
    context.insert("definitions", DEFINITIONS);
    let page = Tera::one_off(TEMPLATE, &context, true).context("cannot render report.html")?;
    Ok(page.into_bytes())
}

/// All parts in one scope of their own.
fn script() -> String {
    format!("(() => {{\n\"use strict\";\n{}}})();", SCRIPTS.concat())
}

/// Which sections there are beside those that every page has.
#[derive(Clone, Copy)]
struct Shown {
    plots: bool,
    question: bool,
    baseline: bool,
    application: bool,
    nodes: bool,
    decides: bool,
    crossover: bool,
    history: bool,
}

/// (id, title) of the sections, for the page's list of contents.
fn sections(shown: Shown) -> Vec<(&'static str, &'static str)> {
    let plots = [
        ("question", "Which store is enough?"),
        ("baseline", "Against the baseline"),
        ("history", "History"),
        ("bandwidth", "Bandwidth and efficiency"),
        ("latency", "Latency"),
        ("application", "Application"),
        ("heat", "Heat map"),
        ("sides", "Side by side"),
        ("nodes", "Slow nodes"),
        ("decides", "Settings and their effect"),
        ("crossover", "Crossover"),
        ("run-detail", "One run"),
    ];
    let is_there = |id: &str| match id {
        "question" => shown.question,
        "baseline" => shown.baseline,
        "application" => shown.application,
        "nodes" => shown.nodes,
        "decides" => shown.decides,
        "crossover" => shown.crossover,
        "history" => shown.history,
        _ => true,
    };
    let plots = plots.into_iter().filter(|(id, _)| shown.plots && is_there(id));
    let rest = [("runs", "Runs"), ("provenance", "Provenance"), ("definitions", "Definitions")];
    [("overview", "Overview")].into_iter().chain(plots).chain(rest).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_a_script_element_cannot_end_it() {
        for script in [PLOT, &script()] {
            let lower = script.to_ascii_lowercase();
            assert!(!lower.contains("</script") && !lower.contains("<!--"));
        }
        assert!(!STYLE.to_ascii_lowercase().contains("</style"));
    }

    #[test]
    fn the_page_asks_for_nothing_from_outside() {
        for text in [TEMPLATE, STYLE, &script()] {
            for outside in ["src=", "href=\"http", "url(", "@import", "fetch(", "XMLHttpRequest"] {
                assert!(!text.contains(outside), "{outside}");
            }
        }
        assert!(TEMPLATE.contains("default-src 'none'"));
    }

    const EVERY: Shown = Shown {
        plots: true,
        question: true,
        baseline: true,
        application: true,
        nodes: true,
        decides: true,
        crossover: true,
        history: true,
    };

    #[test]
    fn every_section_of_the_list_is_in_the_page() {
        for (id, _) in sections(EVERY) {
            assert!(TEMPLATE.contains(&format!("<section id=\"{id}\"")), "{id}");
        }
    }
}
