//! The page's section on the application in a real browser.

#![allow(clippy::unwrap_used)] // clippy takes #[test] functions alone for tests, not their helpers

mod browser_support;
mod collect_support;

use std::path::{Path, PathBuf};

use browser_support::page::{assert_clean, browser, click_filter, drawing, look_at, report, rows, text};
use collect_support::{DONE, Model, permutation};
use serde_json::json;
use shardscale::record::vocabulary::{ComputeKernel, Transport};

/// Two kernels over two transports, three repeats of one of them, and a run that does not compute.
fn page(tree: &Path) -> PathBuf {
    let model = |kernel: ComputeKernel, transport: Transport, repeat: u32| {
        let mut manifest = permutation(2, None, repeat);
        manifest.job.workload.compute = "2ms".parse().unwrap();
        (manifest.job.workload.compute_kernel, manifest.job.transport) = (kernel, transport);
        manifest.sweep.iterations = 40;
        manifest.name = format!("colocated-n2x4-db1-none-lo-{transport}-compute2ms-{kernel}-r{repeat}");
        let compute_slowdown = if kernel == ComputeKernel::Stream { 1.4 } else { 1.02 } + 0.01 * f64::from(repeat);
        Model { compute_slowdown, seed: u64::from(repeat), ..Model::new(manifest) }
    };
    for kernel in ComputeKernel::ALL {
        model(*kernel, Transport::Tcp, 1).execute(tree, 1, DONE);
    }
    for repeat in 1..=3 {
        model(ComputeKernel::Stream, Transport::Uds, repeat).execute(tree, 1, DONE);
    }
    Model::new(permutation(2, Some(3), 1)).execute(tree, 1, DONE);
    report(tree)
}

#[test]
fn the_slowdown_is_drawn_against_the_size_with_its_intervals() {
    let mut browser = browser();
    let tree = tempfile::tempdir().unwrap();
    let page = page(tree.path());
    for (width, scheme) in [(1366, "light"), (390, "dark")] {
        browser.emulate(width, scheme);
        browser.open(&page);
        for figure in ["slowdown", "share"] {
            let shapes = drawing(&mut browser, figure);
            assert!(shapes.len() > 500 && !shapes.contains("NaN"), "{figure}: {shapes}");
            // two runs by themselves and one set of repeats, at six sizes
            assert_eq!(rows(&mut browser, figure), 18, "{figure}");
            let bars = format!("document.querySelectorAll('#figure-{figure} g[aria-label=link] path').length");
            assert_eq!(browser.value(&bars), json!(18), "{figure}");
        }
        assert_eq!(browser.value("document.documentElement.scrollWidth <= innerWidth"), json!(true));
        assert_clean(&browser, &page);
    }
    let cell = |browser: &mut browser_support::Browser, column: usize| {
        text(
            browser,
            &format!(
                "[...document.querySelectorAll('#figure-slowdown tbody tr')].map(row => row.children[{column}].textContent).join(' ')"
            ),
        )
    };
    assert_eq!(cell(&mut browser, 2).matches('3').count(), 6, "six places of three repeats each");
    assert_eq!(browser.value("document.querySelectorAll(\"nav a[href='#application']\").length"), json!(1));

    // of two repeats each stands by itself
    click_filter(&mut browser, "repeat", "1");
    click_filter(&mut browser, "repeat", "2");
    assert_eq!(rows(&mut browser, "slowdown"), 24);
    // what moves no bytes has no bandwidth to choose; a figure has its choices when it is drawn
    look_at(&mut browser, "bandwidth");
    look_at(&mut browser, "latency");
    let choices =
        text(&mut browser, "[...document.getElementById('bandwidth-figure').options].map(o => o.value).join()");
    assert!(choices.contains("put_tensor overlap") && !choices.contains("compute"), "{choices}");
    let ops = text(&mut browser, "[...document.getElementById('latency-op').options].map(o => o.value).join()");
    assert!(ops.contains("compute"), "{ops}");
    assert_clean(&browser, &page);
}

#[test]
fn where_nobody_computes_there_is_no_such_section() {
    let mut browser = browser();
    let tree = tempfile::tempdir().unwrap();
    Model::new(permutation(2, Some(3), 1)).execute(tree.path(), 1, DONE);
    let page = report(tree.path());
    browser.open(&page);
    assert_eq!(browser.value("document.querySelectorAll('#application, #figure-slowdown').length"), json!(0));
    assert_clean(&browser, &page);
}
