//! `report.html` in a real browser: it loads without a complaint and without a network, draws, and answers its controls.
//!
//! Where there is no Chromium these tests fail, and name the package.

#![allow(clippy::unwrap_used)] // clippy takes #[test] functions alone for tests, not their helpers

mod browser_support;
mod collect_support;

use std::path::{Path, PathBuf};

use browser_support::Browser;
use collect_support::{DONE, Model, permutation, study};
use serde_json::{Value, json};
use shardscale::collect::{self, CollectOptions};

/// Fails where there is no Chromium: a test that skips itself proves nothing.
fn browser() -> Browser {
    let program = browser_support::find().expect("Chromium is not installed: install the package chromium");
    Browser::start(&program)
}

fn report(tree: &Path) -> PathBuf {
    collect::run(&CollectOptions::of(tree.to_owned()), |_, _| {}).unwrap().report.join("report.html")
}

fn assert_clean(browser: &Browser, page: &Path) {
    assert_eq!(browser.complaints(), Vec::<String>::new());
    let address = format!("file://{}", page.display());
    let others: Vec<_> =
        browser.requests().into_iter().filter(|url| *url != address && !url.starts_with("data:")).collect();
    assert_eq!(others, Vec::<String>::new(), "the page asked for something");
}

/// Shapes drawn in a plot.
fn drawing(browser: &mut Browser, plot: &str) -> String {
    let paths = format!("[...document.querySelectorAll('#{plot}-plot svg path')].map(p => p.getAttribute('d')).join()");
    browser.value(&paths).as_str().unwrap().to_owned()
}

fn choose(browser: &mut Browser, control: &str, value: &str) {
    let act = format!(
        "(() => {{ const s = document.getElementById({}); s.value = {}; s.dispatchEvent(new Event('change', {{bubbles: true}})); return s.value }})()",
        json!(control),
        json!(value)
    );
    assert_eq!(browser.value(&act), json!(value), "{control} has no choice {value}");
}

#[test]
fn the_report_draws_and_answers_its_controls() {
    let mut browser = browser();
    let tree = tempfile::tempdir().unwrap();
    study(tree.path());
    let page = report(tree.path());
    browser.emulate(1400, "light");
    browser.open(&page);
    assert_clean(&browser, &page);
    assert_eq!(browser.value("document.getElementById('bandwidth-size').value"), json!("4096000"));
    assert_eq!(browser.value("document.getElementById('latency-x').value"), json!("32"));

    let rows = "document.querySelectorAll('#bandwidth-table tbody tr').length";
    // 28 done; the partial run did not reach the largest size
    assert_eq!(browser.value(rows), json!(28));
    let before = drawing(&mut browser, "bandwidth");
    assert!(before.len() > 1000, "little is drawn: {before}");
    choose(&mut browser, "bandwidth-size", "1024");
    let after = drawing(&mut browser, "bandwidth");
    assert_ne!(before, after, "another size draws the same");
    assert_eq!(browser.value(rows), json!(29), "the partial run has this size");
    choose(&mut browser, "bandwidth-figure", "classic");
    assert_ne!(after, drawing(&mut browser, "bandwidth"));
    let label = browser.value("document.getElementById('bandwidth-plot').getAttribute('aria-label')");
    assert_eq!(
        label,
        json!(
            "GB/s (classic (SmartSim-Scaling)) at 1 KiB against client nodes: 29 runs; the table below holds the values"
        )
    );

    let saved = browser.value(
        "(() => { let saved; HTMLAnchorElement.prototype.click = function () { saved = [this.download, decodeURIComponent(this.href)] }; \
         document.getElementById('bandwidth-save').click(); return saved })()",
    );
    assert_eq!(saved[0], json!("shardscale-bandwidth.svg"));
    assert!(saved[1].as_str().is_some_and(|svg| svg.contains("<svg") && svg.contains("</svg>")), "{saved}");

    let before = drawing(&mut browser, "latency");
    choose(&mut browser, "latency-op", "unpack_tensor");
    let after = drawing(&mut browser, "latency");
    assert_ne!(before, after, "another operation draws the same");
    choose(&mut browser, "latency-x", "4");
    assert_ne!(after, drawing(&mut browser, "latency"));
    assert_clean(&browser, &page);
}

#[test]
fn the_page_fits_a_phone_and_follows_the_colour_scheme() {
    let mut browser = browser();
    let tree = tempfile::tempdir().unwrap();
    study(tree.path());
    let page = report(tree.path());
    for (width, scheme, background) in [(390, "light", "rgb(255, 255, 255)"), (390, "dark", "rgb(21, 24, 28)")] {
        browser.emulate(width, scheme);
        browser.open(&page);
        let scroll = browser.value("document.documentElement.scrollWidth");
        assert_eq!(scroll, json!(width), "the page is wider than the screen");
        assert_eq!(browser.value("getComputedStyle(document.body).backgroundColor"), json!(background));
        assert_clean(&browser, &page);
    }
}

#[test]
fn hover_names_value_unit_and_n_as_text() {
    let mut browser = browser();
    let tree = tempfile::tempdir().unwrap();
    let mut model = Model::new(permutation(4, Some(3), 1));
    let dir = model.generate(tree.path());
    model.execute(tree.path(), 1, DONE);
    model.manifest.name = "<img src=x onerror=alert(1)>".into();
    std::fs::write(dir.join("run.toml"), model.manifest.to_toml().unwrap()).unwrap();
    let page = report(tree.path());
    browser.emulate(1400, "light");
    browser.open(&page);
    browser.value("document.getElementById('bandwidth').scrollIntoView()");
    let centre = browser.value(
        "(() => { const marks = [...document.querySelectorAll('#bandwidth-plot svg path')].map(p => p.getBoundingClientRect()) \
         .filter(r => r.width > 5 && r.width < 20 && Math.abs(r.width - r.height) < 2); const r = marks.sort((a, b) => b.y - a.y)[0]; \
         return [r.x + r.width / 2, r.y + r.height / 2] })()",
    );
    let event = json!({"type": "mouseMoved", "x": centre[0], "y": centre[1]});
    browser.call("Input.dispatchMouseEvent", event.clone());
    browser.call("Input.dispatchMouseEvent", event);
    let said = browser
        .value("new Promise(done => setTimeout(() => done(document.getElementById('bandwidth-plot').innerText), 500))");
    let said = said.as_str().unwrap_or_default();
    for part in ["GB/s", "n = 960 samples", "4 client nodes", "<img src=x onerror=alert(1)>"] {
        assert!(said.contains(part), "{part} is not in {said:?}");
    }
    assert_eq!(browser.value("document.querySelectorAll('img').length"), json!(0));
    assert_clean(&browser, &page);
}

/// Not a test: pictures of SHARDSCALE_DEMO/report/report.html beside it, for a look by hand.
#[test]
#[ignore = "writes pictures of the report in SHARDSCALE_DEMO, for a look by hand"]
fn pictures() {
    let folder = PathBuf::from(std::env::var_os("SHARDSCALE_DEMO").expect("SHARDSCALE_DEMO names a collected study"));
    let mut browser = browser();
    for (name, width, scheme) in [("wide", 1400, "light"), ("wide-dark", 1400, "dark"), ("phone", 390, "light")] {
        browser.emulate(width, scheme);
        browser.open(&folder.join("report/report.html"));
        let whole = browser.value("({x: 0, y: 0, width: innerWidth, height: document.documentElement.scrollHeight})");
        let plots = browser.value(
            "(() => { const a = document.getElementById('bandwidth').getBoundingClientRect(); \
             const b = document.getElementById('latency').getBoundingClientRect(); \
             return {x: a.x, y: a.y + scrollY, width: a.width, height: b.bottom - a.y} })()",
        );
        for (part, mut clip) in [("page", whole), ("plots", plots)] {
            clip["scale"] = json!(1);
            let ask = json!({"captureBeyondViewport": true, "format": "png", "clip": clip});
            let shot = browser.call("Page.captureScreenshot", ask);
            write_base64(&folder.join(format!("{name}-{part}.png.b64")), &shot);
        }
    }
    browser.emulate(720, "dark");
    browser.open(&folder.join("report/report.html"));
    browser.call("Emulation.setEmulatedMedia", json!({"media": "print"}));
    browser.value("dispatchEvent(new Event('beforeprint'))");
    let shot = browser.call("Page.captureScreenshot", json!({"captureBeyondViewport": true}));
    write_base64(&folder.join("print.png.b64"), &shot);
}

fn write_base64(path: &Path, answer: &Value) {
    std::fs::write(path, answer["data"].as_str().unwrap()).unwrap();
}
