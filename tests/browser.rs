//! `report.html` in a real browser: it loads without a complaint and without a network, draws, and answers its controls.
//!
//! Where there is no Chromium these tests fail, and name the package.

#![allow(clippy::unwrap_used)] // clippy takes #[test] functions alone for tests, not their helpers

mod browser_support;
mod collect_support;

use std::path::{Path, PathBuf};

use browser_support::Browser;
use serde_json::{Value, json};
use shardscale::collect::{self, CollectOptions};

/// Fails where there is no Chromium: a test that skips itself proves nothing.
fn browser() -> Browser {
    let program = browser_support::find().expect("Chromium is not installed: install the package chromium");
    Browser::start(&program)
}

fn report(tree: &Path) -> PathBuf {
    collect::run(&CollectOptions { dir: tree.to_owned(), out: None }, |_, _| {}).unwrap().report.join("report.html")
}

/// Not a test: writes the large study to SHARDSCALE_CAMPAIGN, for a look by hand.
#[test]
#[ignore = "writes several hundred runs to SHARDSCALE_CAMPAIGN, for a look by hand"]
fn write_campaign() {
    let folder = PathBuf::from(std::env::var_os("SHARDSCALE_CAMPAIGN").expect("SHARDSCALE_CAMPAIGN names a folder"));
    std::fs::create_dir_all(&folder).unwrap();
    let runs = browser_support::campaign::campaign(&folder);
    let page = report(&folder);
    println!("{runs} runs, {} bytes: {}", std::fs::metadata(&page).unwrap().len(), page.display());
}
