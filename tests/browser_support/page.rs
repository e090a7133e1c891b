//! The report's page in a browser: what its tests ask of it.

use std::path::{Path, PathBuf};

use serde_json::json;
use shardscale::collect::{self, CollectOptions};

use super::Browser;
use crate::collect_support::study;

/// Fails where there is no Chromium: a test that skips itself proves nothing.
pub fn browser() -> Browser {
    let program = super::find().expect("Chromium is not installed: install the package chromium");
    Browser::start(&program)
}

pub fn report(tree: &Path) -> PathBuf {
    collect::run(&CollectOptions::of(tree.to_owned()), &|_, _, _| {}).unwrap().report.join("report.html")
}

pub fn study_page(tree: &Path) -> PathBuf {
    study(tree);
    report(tree)
}

pub fn assert_clean(browser: &Browser, page: &Path) {
    assert_eq!(browser.complaints(), Vec::<String>::new());
    let address = format!("file://{}", page.display());
    let is_own =
        |url: &String| url.split('#').next() == Some(&address) || url.starts_with("data:") || url.starts_with("blob:");
    let others: Vec<_> = browser.requests().into_iter().filter(|url| !is_own(url)).collect();
    assert_eq!(others, Vec::<String>::new(), "the page asked for something");
}

/// Brings a figure into view and waits until it is drawn.
pub fn look_at(browser: &mut Browser, figure: &str) {
    let act = format!(
        "new Promise((done) => {{ const f = document.getElementById('figure-{figure}'); f.scrollIntoView({{behavior: 'instant'}}); \
         const check = () => f.dataset.drawn === 'yes' ? done(true) : setTimeout(check, 20); check(); }})"
    );
    assert_eq!(browser.value(&act), json!(true));
}

/// All figures of the page.
pub fn figures(browser: &mut Browser) -> Vec<String> {
    let ids = browser.value("[...document.querySelectorAll('figure')].map(f => f.id.replace('figure-', ''))");
    let ids: Vec<_> = ids.as_array().unwrap().iter().map(|id| id.as_str().unwrap().to_owned()).collect();
    assert!(ids.len() >= 6, "{ids:?}");
    ids
}

/// Shapes drawn in a figure.
pub fn drawing(browser: &mut Browser, figure: &str) -> String {
    look_at(browser, figure);
    let shapes = format!("[...document.querySelectorAll('#figure-{figure} .panels svg')].map(s => s.innerHTML).join()");
    browser.value(&shapes).as_str().unwrap().to_owned()
}

/// Rows of a figure's table, which is filled when it is opened.
pub fn rows(browser: &mut Browser, figure: &str) -> u64 {
    look_at(browser, figure);
    let count = format!(
        "new Promise(done => {{ const table = document.querySelector('#figure-{figure} details'); \
         const count = () => setTimeout(() => done(table.querySelectorAll('tbody tr').length), 100); \
         if (table.open) count(); else {{ table.addEventListener('toggle', count, {{once: true}}); table.open = true; }} }})"
    );
    browser.value(&count).as_u64().unwrap()
}

pub fn choose(browser: &mut Browser, control: &str, value: &str) {
    let act = format!(
        "(() => {{ const s = document.getElementById({}); s.value = {}; s.dispatchEvent(new Event('change', {{bubbles: true}})); return s.value }})()",
        json!(control),
        json!(value)
    );
    assert_eq!(browser.value(&act), json!(value), "{control} has no choice {value}");
}

/// Clicks the filter's box of a value.
pub fn click_filter(browser: &mut Browser, axis: &str, value: &str) {
    let act =
        format!("document.querySelector('#filter input[data-axis={}][value={}]').click()", json!(axis), json!(value));
    browser.value(&act);
}

pub fn text(browser: &mut Browser, expression: &str) -> String {
    browser.value(expression).as_str().unwrap_or_default().to_owned()
}
