//! The summary for a terminal: a line a run, then what needs a look.

use textwrap::core::display_width;

use super::application::{MEANING, says, whose, worst};
use super::verdicts::{CROSSOVER, DECIDES, ranked, summaries};
use super::{complaint, headline, timeline};
use crate::collect::collection::Collection;
use crate::collect::model::Run;
use crate::collect::number::short;
use crate::terminal::{self, WIDTH, cut, plain};

const NAME_WIDTH: usize = 46;
/// Lines of a list of answers; the files have all.
const LISTED: usize = 6;
const OVERLAP: &str = "BEST GB/s: all operations of all ranks together / time from first start to last end\n";
const CLASSIC: &str = "classic: sum over ranks of size x iterations / loop time (no common clock); not comparable\n";

/// Renders the table; every line ends with a line feed and none is wider than [`WIDTH`].
pub fn render(collection: &Collection) -> String {
    let name_width =
        collection.runs.iter().map(|run| display_width(&plain(&run.name))).max().unwrap_or(0).clamp(3, NAME_WIDTH);
    let row = |cells: [&str; 6]| {
        let name = cut(cells[0], name_width);
        let padding = " ".repeat(name_width - display_width(&name));
        let rest = format!("{:<7}  {:>6}  {:>7}  {:>9}  {}", cells[1], cells[2], cells[3], cells[4], cells[5]);
        format!("{}\n", format!("{name}{padding}  {rest}").trim_end())
    };
    let mut text = row(["RUN", "STATE", "RANKS", "SIZES", "BEST GB/s", "AT"]);
    for run in &collection.runs {
        let ranks = run.measured.as_ref().map(|measured| measured.ranks.to_string()).unwrap_or_default();
        let sizes = format!("{}/{}", run.sizes().len(), run.sizes_total);
        let (best, at) = run.best().map(|best| best.shown(short)).unwrap_or_default();
        text.push_str(&row([&plain(&run.name), run.state.as_str(), &ranks, &sizes, &best, &at]));
    }
    text.push_str(&format!("\n{}\n", headline(collection)));
    for (is_classic, meaning) in [(false, OVERLAP), (true, CLASSIC)] {
        if collection.runs.iter().filter_map(Run::best).any(|best| best.is_classic == is_classic) {
            text.push_str(meaning);
        }
    }
    text.push_str(&application(collection));
    text.push_str(&verdicts(collection));
    if let Some(baseline) = &collection.baseline {
        text.push_str(&super::changes::text(baseline));
    }
    text.push_str(&problems(collection));
    text
}

/// What the store costs the application; empty where no run computes.
fn application(collection: &Collection) -> String {
    let worst = worst(&collection.application);
    if worst.is_empty() {
        return String::new();
    }
    let mut text = format!("\n{}\n", textwrap::fill(&format!("{MEANING}:"), WIDTH));
    for one in worst {
        text.push_str(&terminal::item(&format!("{} ({}): {}", one.run, whose(one), says(one))));
    }
    text
}

/// What decides, crossovers, and the history in short.
fn verdicts(collection: &Collection) -> String {
    let mut text = String::new();
    let mut list = |head: &str, lines: Vec<String>, file: &str| {
        text.push_str(&format!("\n{}\n", textwrap::fill(head, WIDTH)));
        lines.iter().take(LISTED).for_each(|line| text.push_str(&terminal::item(line)));
        if lines.len() > LISTED {
            text.push_str(&format!("and {} more: see {file}\n", lines.len() - LISTED));
        }
    };
    let settings =
        ranked(&collection.settings).into_iter().map(|one| format!("{}: {}, {}", one.setting, one.spread, one.says));
    if !collection.settings.is_empty() {
        list(&format!("{DECIDES}:"), settings.collect(), "settings.csv");
    }
    let (decided, open): (Vec<_>, Vec<_>) =
        summaries(&collection.crossover).into_iter().partition(|one| one.is_decided);
    let mut duels: Vec<String> =
        decided.iter().map(|one| format!("{}, {}, along {}: {}", one.pair, one.share, one.along, one.says)).collect();
    if !open.is_empty() {
        duels.truncate(LISTED - 1);
        duels.push(format!("{} of {} comparisons are not decided", open.len(), open.len() + decided.len()));
    }
    if !duels.is_empty() {
        list(&format!("{CROSSOVER}:"), duels, "crossover.csv");
    }
    if let Some(history) = &collection.history {
        let head = plain(&format!("History: {}", timeline::headline(history)));
        list(&head, timeline::turns(history), "history.csv");
    }
    text
}

fn problems(collection: &Collection) -> String {
    let of_runs = collection.runs.iter().filter_map(|run| Some((place(run), complaint(run)?)));
    let others = collection.problems.iter().map(|problem| (problem.path.clone(), problem.what.clone()));
    let mut text = String::new();
    for (place, what) in of_runs.chain(others) {
        if text.is_empty() {
            text.push_str("\nNeeds a look:\n");
        }
        text.push_str(&terminal::item(&format!("{place}: {what}")));
    }
    let noted = collection.runs.iter().filter(|run| !run.notes.is_empty()).count();
    if noted > 0 {
        text.push_str(&format!("\n{noted} of the runs carry notes: see report.html or runs.csv\n"));
    }
    text
}

/// The name, and the folder where it says something else.
fn place(run: &Run) -> String {
    if run.path == run.name || run.path == "." { run.name.clone() } else { format!("{} in {}", run.name, run.path) }
}
