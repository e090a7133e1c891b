//! The page's sections on what decides, on crossovers and on the history, in a real browser.

#![allow(clippy::unwrap_used)] // clippy takes #[test] functions alone for tests, not their helpers

mod browser_support;
mod collect_support;
mod verdict_support;

use std::path::{Path, PathBuf};

use browser_support::Browser;
use browser_support::page::{assert_clean, browser, choose, click_filter, drawing, look_at, rows, text};
use serde_json::json;
use shardscale::collect::{self, CollectOptions};
use verdict_support::{collection, crossing, settings};

/// Nine collections with a new level at the fifth, and a study with both questions.
fn page(tree: &Path) -> PathBuf {
    let history = tree.join("history");
    let collect = |dir: PathBuf| {
        let options = CollectOptions { history: Some(history.clone()), ..CollectOptions::of(dir) };
        collect::run(&options, &|_, _, _| {}).unwrap().report.join("report.html")
    };
    for day in 0..9 {
        let runs = tree.join(format!("runs-{day}"));
        collection(&runs, day, |model| {
            if day >= 4 {
                (model.slowdown, model.server) = (1.25, "redis 7.2.1".into());
            }
        });
        collect(runs);
    }
    let runs = tree.join("runs");
    crossing(&runs.join("crossing"), 4);
    settings(&runs.join("settings"), 4);
    collection(&runs.join("again"), 9, |model| model.slowdown = 1.25);
    collect(runs)
}

fn count(browser: &mut Browser, selector: &str) -> u64 {
    look_at(browser, selector.split_once("figure-").unwrap().1.split(' ').next().unwrap());
    browser.value(&format!("document.querySelectorAll({}).length", json!(selector))).as_u64().unwrap()
}

/// The first cells of a figure's table, by column.
fn column(browser: &mut Browser, figure: &str, column: usize) -> Vec<String> {
    rows(browser, figure);
    let cells = format!(
        "[...document.querySelectorAll('#figure-{figure} tbody tr')].map(row => row.children[{column}].textContent)"
    );
    browser.value(&cells).as_array().unwrap().iter().map(|cell| cell.as_str().unwrap().to_owned()).collect()
}

#[test]
fn what_decides_crossovers_and_the_history_are_drawn() {
    let mut browser = browser();
    let tree = tempfile::tempdir().unwrap();
    let page = page(tree.path());
    for (width, scheme) in [(1366, "light"), (390, "dark")] {
        browser.emulate(width, scheme);
        browser.open(&page);
        for (figure, least) in [("decides", 4), ("settings", 8), ("crossover", 2), ("history", 10)] {
            let shapes = drawing(&mut browser, figure);
            assert!(shapes.len() > 500 && !shapes.contains("NaN"), "{figure}: {shapes}");
            assert!(rows(&mut browser, figure) >= least, "{figure}");
        }
        assert_eq!(browser.value("document.documentElement.scrollWidth <= innerWidth"), json!(true));
        assert_clean(&browser, &page);
    }
    for section in ["decides", "crossover", "history"] {
        let links = format!("document.querySelectorAll(\"nav a[href='#{section}']\").length");
        assert_eq!(browser.value(&links), json!(1), "{section}");
    }
    // the table above the plot is there without a script, and says the same
    let said = text(&mut browser, "document.querySelector('#decides tbody').textContent");
    assert!(said.contains("I/O threads") && said.contains("4 I/O threads in 16"), "{said}");
    assert!(column(&mut browser, "decides", 0).contains(&"I/O threads".to_owned()));

    choose(&mut browser, "settings-setting", "io_threads");
    assert_eq!(rows(&mut browser, "settings"), 16, "two values, two sizes, two loads, two placements of keys");
    let standing = column(&mut browser, "settings", 10);
    assert_eq!(standing.iter().filter(|one| *one == "slower").count(), 8, "{standing:?}");
    // places of one load only
    click_filter(&mut browser, "client_nodes", "8");
    assert_eq!(rows(&mut browser, "settings"), 8);
    click_filter(&mut browser, "client_nodes", "8");

    let shaded = "#figure-crossover g[aria-label=rect] rect";
    choose(&mut browser, "crossover-pair", "standard, 4 DB nodes / colocated");
    choose(&mut browser, "crossover-share", "client_node");
    choose(&mut browser, "crossover-along", "load");
    assert_eq!(count(&mut browser, shaded), 1);
    let answers = column(&mut browser, "crossover", 11);
    assert!(answers.iter().all(|said| said.contains("colocated is better above")), "{answers:?}");
    choose(&mut browser, "crossover-share", "node_hour");
    assert_eq!(count(&mut browser, shaded), 0, "colocated is better everywhere");
    choose(&mut browser, "crossover-along", "size");
    assert_eq!(text(&mut browser, "document.getElementById('crossover-at').value"), "16", "the largest load");

    // one configuration has a line; its change of level is ruled, and what differs there ringed
    assert_eq!(count(&mut browser, "#figure-history .panel"), 1);
    assert_eq!(count(&mut browser, "#figure-history g[aria-label=rule] line"), 1);
    let told = text(&mut browser, "document.querySelector('#history ul').textContent");
    assert!(told.contains("slower from 2025-12-26 on") && told.contains("redis 7.0.15 -> redis 7.2.1"), "{told}");
    let levels = column(&mut browser, "history", 9);
    assert_eq!(levels.join(""), "1111222222", "{levels:?}");

    // keys go through the values, and tell them
    look_at(&mut browser, "history");
    browser.value("document.querySelector('#figure-history svg').focus()");
    // the first key goes to the first value
    browser.press("End", "End");
    browser.press("End", "End");
    let tip = text(&mut browser, "document.getElementById('tip').textContent");
    assert!(tip.contains("us99 % interval") && tip.contains("2025-12-31"), "{tip}");
    assert_clean(&browser, &page);

    // each saves as a picture
    let folder = tree.path().join("saved");
    std::fs::create_dir(&folder).unwrap();
    browser.download_to(&folder);
    for figure in ["decides", "settings", "crossover", "history"] {
        look_at(&mut browser, figure);
        browser.value(&format!("document.querySelector('#figure-{figure} .save button').click()"));
        let svg = browser.downloaded(&folder.join(format!("shardscale-{figure}.svg")));
        assert!(svg.starts_with("<svg") && svg.contains("</svg>") && !svg.contains("var(--"), "{figure}: {svg}");
    }
}

#[test]
fn where_nothing_differs_there_are_no_such_sections() {
    let mut browser = browser();
    let tree = tempfile::tempdir().unwrap();
    collection(tree.path(), 0, |_| {});
    let page = browser_support::page::report(tree.path());
    browser.open(&page);
    let ids = "document.querySelectorAll('#decides, #crossover, #history').length";
    assert_eq!(browser.value(ids), json!(0));
    assert_clean(&browser, &page);
}
