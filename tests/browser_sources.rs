//! The page with results that differ in more than numbers: of two sources, filtered, with names that somebody chose to harm.

#![allow(clippy::unwrap_used)] // clippy takes #[test] functions alone for tests, not their helpers

mod browser_support;
mod collect_support;

use browser_support::Browser;
use browser_support::page::{assert_clean, browser, choose, click_filter, figures, report, rows, study_page, text};
use collect_support::{DONE, Model, old_session, permutation};
use serde_json::json;

/// Labels of a figure's panels or of its legend.
fn labels(browser: &mut Browser, figure: &str, selector: &str) -> Vec<String> {
    rows(browser, figure);
    let all =
        format!("[...document.querySelectorAll('#figure-{figure} {selector}')].map(one => one.lastChild.textContent)");
    let all = browser.value(&all);
    all.as_array().unwrap().iter().map(|one| one.as_str().unwrap().to_owned()).collect()
}

#[test]
fn old_and_new_stand_side_by_side_under_short_names() {
    let tree = tempfile::tempdir().unwrap();
    for clients in [1, 2] {
        Model::new(permutation(clients, Some(1), 1)).execute(tree.path(), 1, DONE);
    }
    for session in ["a", "b", "c"] {
        old_session(tree.path(), session);
    }
    let page = report(tree.path());
    let mut browser = browser();
    browser.emulate(1366, "light");
    browser.open(&page);
    let legend = labels(&mut browser, "bandwidth", ".legend li");
    assert!(legend.iter().any(|label| label.contains("SmartSim-Scaling")), "{legend:?}");
    assert!(legend.iter().any(|label| label.contains("ShardScale")), "{legend:?}");
    // and not all that the other one does not record
    assert!(legend.iter().all(|label| label.len() < 80), "{legend:?}");
    // the figure that more runs have
    let figure = "document.getElementById('bandwidth-figure').value";
    assert_eq!(text(&mut browser, figure), "classic");
    choose(&mut browser, "bandwidth-size", "1024");
    assert_eq!(rows(&mut browser, "bandwidth"), 5);
    choose(&mut browser, "bandwidth-figure", "overlap");
    assert_eq!(rows(&mut browser, "bandwidth"), 2);
    let note = text(&mut browser, "document.querySelector('#figure-bandwidth .note').textContent");
    assert!(note.starts_with("a and 2 other runs have no such figure; all have: classic"), "{note}");
    assert_clean(&browser, &page);
}

#[test]
fn the_filter_reaches_the_series_of_scaling() {
    let tree = tempfile::tempdir().unwrap();
    let page = study_page(tree.path());
    let mut browser = browser();
    browser.emulate(1366, "light");
    browser.open(&page);
    let all = labels(&mut browser, "fits", ".panels h4");
    click_filter(&mut browser, "db_nodes", "4");
    let some = labels(&mut browser, "fits", ".panels h4");
    assert!(!some.is_empty() && some.len() < all.len(), "{all:?} {some:?}");
    assert!(some.iter().all(|label| label.contains("4 DB nodes") && !label.contains("16 DB nodes")), "{some:?}");
    assert_clean(&browser, &page);
}

#[test]
fn names_of_hosts_stay_text_and_keep_the_layout() {
    let tree = tempfile::tempdir().unwrap();
    let hostile = ["<img src=x onerror=alert(1)>\"'", "\u{202e}evil", &"x".repeat(300)];
    for (repeat, hosts) in (1..).zip(hostile) {
        let mut model = Model::new(permutation(6, Some(3), repeat));
        model.hosts = hosts.to_owned();
        model.execute(tree.path(), 1, DONE);
    }
    let page = report(tree.path());
    let mut browser = browser();
    for width in [1366, 390] {
        browser.emulate(width, "light");
        browser.open(&page);
        let runs = browser.value("[...document.getElementById('run').options].map(option => option.value)");
        assert_eq!(runs.as_array().unwrap().len(), 3);
        for run in runs.as_array().unwrap() {
            choose(&mut browser, "run", run.as_str().unwrap());
            for figure in &figures(&mut browser) {
                rows(&mut browser, figure);
            }
            let drawn = text(&mut browser, "document.querySelector('#figure-hosts').textContent");
            assert!(hostile.iter().any(|hosts| drawn.contains(hosts)), "{drawn}");
            assert_eq!(browser.value("document.querySelectorAll('img').length"), json!(0));
            let fits = "document.documentElement.scrollWidth <= innerWidth";
            assert_eq!(browser.value(fits), json!(true), "{run} at {width}");
        }
        assert_clean(&browser, &page);
    }
}
