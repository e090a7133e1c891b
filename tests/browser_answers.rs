//! What `report.html` answers at a look, in a real browser: what was studied, which node is slow in many runs, when what happened in a run,
//! latency against load, and what a filter leaves.

#![allow(clippy::unwrap_used)] // clippy takes #[test] functions alone for tests, not their helpers

mod browser_support;
mod collect_support;

use std::path::{Path, PathBuf};

use browser_support::Browser;
use browser_support::page::{
    assert_clean, browser, choose, click_filter, drawing, look_at, report, rows, study_page, text,
};
use collect_support::{DONE, Model, permutation};
use serde_json::{Value, json};
use shardscale::collect::{self, CollectOptions};

/// Two client counts, three stores, three repeats; the fourth node is slow in two repeats of three.
fn page_with_a_slow_node(tree: &Path, seed: u64) -> PathBuf {
    for client_nodes in [8, 16] {
        for db_nodes in [Some(4), Some(8), None] {
            for repeat in 1..=3 {
                let mut model = Model::new(permutation(client_nodes, db_nodes, repeat));
                model.seed = seed;
                model.slow_host = (repeat != 2).then_some(3);
                if db_nodes == Some(8) {
                    model.server = "redis 7.2.4".into();
                }
                model.execute(tree, 1, DONE);
            }
        }
    }
    report(tree)
}

fn opened(page: &Path, width: u32) -> Browser {
    let mut browser = browser();
    browser.emulate(width, "light");
    browser.open(page);
    browser
}

/// Text of the elements that a selector finds.
fn texts(browser: &mut Browser, selector: &str) -> Vec<String> {
    let all = browser.value(&format!("[...document.querySelectorAll({})].map(e => e.textContent)", json!(selector)));
    all.as_array().unwrap().iter().map(|one| one.as_str().unwrap().to_owned()).collect()
}

fn note(browser: &mut Browser, figure: &str) -> String {
    look_at(browser, figure);
    text(browser, &format!("document.querySelector('#figure-{figure} .note').textContent"))
}

/// Choices of a control.
fn choices(browser: &mut Browser, control: &str) -> Value {
    browser.value(&format!("[...document.getElementById({}).options].map(o => o.value)", json!(control)))
}

/// Rows of the table of a figure, cell by cell.
fn table(browser: &mut Browser, figure: &str) -> Vec<Vec<String>> {
    assert!(rows(browser, figure) > 0, "{figure}");
    let cells = format!(
        "[...document.querySelectorAll('#figure-{figure} tbody tr')].map(r => [...r.children].map(c => c.textContent))"
    );
    serde_json::from_value(browser.value(&cells)).unwrap()
}

#[test]
fn the_top_says_what_was_studied() {
    let tree = tempfile::tempdir().unwrap();
    let page = page_with_a_slow_node(tree.path(), 0);
    for width in [1280, 390] {
        let mut browser = opened(&page, width);
        let terms = texts(&mut browser, ".studied dt");
        let says = texts(&mut browser, ".studied dd");
        let of =
            |term: &str| &says[terms.iter().position(|one| one == term).unwrap_or_else(|| panic!("{term}: {terms:?}"))];
        assert_eq!((of("site").as_str(), of("MPI").as_str()), ("test", "Open MPI v4.1.4"));
        assert_eq!(of("store"), "several: redis 7.0.15 | redis 7.2.4");
        assert_eq!(texts(&mut browser, ".studied .mixed dt"), ["store"]);
        assert_eq!(of("begin of the runs, UTC"), "2025-12-22 12:53 to 2025-12-22 15:06");
        for varied in
            ["client nodes 8, 16", "deployment colocated | standard", "tensor size 1 KiB, 8 KiB", "repeat 1, 2, 3"]
        {
            assert!(of("varied").contains(varied), "{}", of("varied"));
        }
        // seen without scrolling, above everything else
        let bottom = browser.value("document.querySelector('.studied').getBoundingClientRect().bottom");
        assert!(bottom.as_f64().unwrap() < 900.0, "{bottom}");
        assert_clean(&browser, &page);
    }
}

#[test]
fn a_node_that_is_slow_in_many_runs_stands_first() {
    let tree = tempfile::tempdir().unwrap();
    let page = page_with_a_slow_node(tree.path(), 0);
    let mut browser = opened(&page, 1280);
    let cards = texts(&mut browser, ".cards div");
    let card = "Node that straggles most oftencn0003in 12 of the 18 runs that judge it";
    assert!(cards.iter().any(|one| one == card), "{cards:?}");
    assert_eq!(note(&mut browser, "nodes"), "16 hosts in 18 runs. In more than one run straggle: cn0003 (12 of 18).");
    let first = "document.querySelector('#figure-nodes svg [aria-label=\"y-axis tick label\"] text').textContent";
    assert_eq!(text(&mut browser, first), "cn0003  12/18");
    assert_eq!(browser.value("document.querySelectorAll('#figure-nodes svg [aria-label=dot] circle, #figure-nodes svg [aria-label=dot] path').length"), json!(12));
    // 16 hosts in nine runs and 8 of them in nine more
    let table = table(&mut browser, "nodes");
    assert_eq!(table.len(), 9 * 16 + 9 * 8);
    assert_eq!(table.iter().filter(|row| row[4] == "yes").count(), 12);
    assert!(
        table
            .iter()
            .filter(|row| row[4] == "yes")
            .all(|row| row[0] == "cn0003" && row[3].parse::<f64>().unwrap() > 1.8)
    );
    let dates: Vec<&String> = table[..18].iter().map(|row| &row[2]).collect();
    assert!(dates.is_sorted() && dates[0] < dates[17], "{dates:?}");
    click_filter(&mut browser, "repeat", "2");
    assert_eq!(note(&mut browser, "nodes"), "16 hosts in 6 runs. No host straggles in more than one run.");
    choose(&mut browser, "nodes-order", "host");
    assert_eq!(text(&mut browser, first), "cn0000  0/6");
    assert_clean(&browser, &page);
}

#[test]
fn a_run_has_a_time_line_with_its_sizes_and_its_straggling_ranks() {
    let tree = tempfile::tempdir().unwrap();
    let page = page_with_a_slow_node(tree.path(), 0);
    let mut browser = browser();
    browser.emulate(1280, "light");
    browser.open_at(&page, "#run-detail&run=standard-n8x4-db4x1-none-hsn0-tcp-r1");
    assert_eq!(note(&mut browser, "times"), "Began 2025-12-22 12:53:16 UTC; the last that its script noted: done.");
    let rows = table(&mut browser, "times");
    let of = |track: &str| rows.iter().filter(|row| row[1] == track).collect::<Vec<_>>();
    assert_eq!(
        of("store").iter().map(|row| (row[2].as_str(), row[3].as_str(), row[4].as_str())).collect::<Vec<_>>(),
        [("start", "1", "3"), ("serve", "3", "13")]
    );
    assert_eq!(of("sizes").len(), 6);
    let number = |text: &str| text.parse::<f64>().unwrap();
    for (at, size) in of("sizes").into_iter().enumerate() {
        let (from, to, half) = (number(&size[3]), number(&size[4]), number(&size[5]));
        assert!((from - 4.0 - at as f64).abs() < 0.05 && from < half && half < to, "{size:?}");
        // ranks of the slow node end last, near the end of the size
        let slow = of("rank 12")[at];
        assert!(number(&slow[4]) > half && number(&slow[4]) <= to, "{slow:?}");
    }
    // four ranks on the slow node
    assert_eq!(texts(&mut browser, "#figure-times svg [aria-label=\"y-axis tick label\"] text").len(), 4 + 4);
    let whole = drawing(&mut browser, "times");
    choose(&mut browser, "times-part", "1048576");
    assert!(whole != drawing(&mut browser, "times"), "a part is drawn as the whole");
    browser.value("document.querySelector('#figure-times svg[role=img]').focus()");
    browser.press("End", "End");
    let spoken = text(&mut browser, "document.getElementById('said').textContent");
    assert!(spoken.contains("rank 1") && spoken.contains("cn0003"), "{spoken}");
    assert_clean(&browser, &page);
}

#[test]
fn dots_beside_each_other_are_labelled_and_ratios_are_of_one_number_of_clients() {
    let tree = tempfile::tempdir().unwrap();
    let page = page_with_a_slow_node(tree.path(), 0);
    let mut browser = opened(&page, 1280);
    look_at(&mut browser, "sides");
    let labels = texts(&mut browser, "#figure-sides .panel:last-child svg [aria-label=text] text");
    assert_eq!(labels, ["4 DB nodes, redis 7.0.15", "8 DB nodes, redis 7.2.4"]);
    assert_eq!(choices(&mut browser, "ratios-clients"), json!(["32", "64"]));
    look_at(&mut browser, "ratios");
    let labels = texts(&mut browser, "#figure-ratios svg [aria-label=text] text");
    // the other store is another version too
    assert_eq!(labels, ["standard, 4 DB nodes / colocated"]);
    let of_clients = |browser: &mut Browser| {
        let table = table(browser, "ratios");
        table.into_iter().map(|row| row[2].clone()).collect::<std::collections::BTreeSet<_>>()
    };
    assert_eq!(of_clients(&mut browser).into_iter().collect::<Vec<_>>(), ["64"]);
    // one choice for both plots, which the address holds
    choose(&mut browser, "ratios-clients", "32");
    assert_eq!(text(&mut browser, "document.getElementById('sides-clients').value"), "32");
    assert_eq!(of_clients(&mut browser).into_iter().collect::<Vec<_>>(), ["32"]);
    assert_eq!(text(&mut browser, "location.hash"), "#sides.clients=32");
    assert_clean(&browser, &page);
}

#[test]
fn latency_is_read_against_load_with_all_else_fixed() {
    let tree = tempfile::tempdir().unwrap();
    let page = study_page(tree.path());
    let mut browser = opened(&page, 1280);
    look_at(&mut browser, "latency");
    assert_eq!(
        choices(&mut browser, "latency-against"),
        json!(["size", "ranks", "client_nodes", "db_nodes", "servers"])
    );
    let hidden = |browser: &mut Browser, control: &str| {
        browser.value(&format!("document.getElementById('latency-{control}').closest('label').hidden"))
    };
    assert_eq!([hidden(&mut browser, "x"), hidden(&mut browser, "size")], [json!(false), json!(true)]);
    choose(&mut browser, "latency-against", "ranks");
    assert_eq!([hidden(&mut browser, "x"), hidden(&mut browser, "size")], [json!(true), json!(false)]);
    choose(&mut browser, "latency-size", "1024");
    let table_of = |browser: &mut Browser| table(browser, "latency");
    let rows = table_of(&mut browser);
    // 29 comparable runs at this one size, with 16 to 128 ranks
    assert_eq!(rows.len(), 29);
    assert!(
        rows.iter().all(|row| row[5] == "1024" && row[3].parse::<u32>().unwrap() == 4 * row[2].parse::<u32>().unwrap())
    );
    let ticks = "#figure-latency .panel:first-child svg [aria-label=\"x-axis tick label\"] text";
    assert_eq!(texts(&mut browser, ticks), ["16", "32", "64", "128"]);

    // more DB nodes under the same load: one line of all that have any, at one number of client nodes
    choose(&mut browser, "latency-against", "db_nodes");
    choose(&mut browser, "latency-x", "16");
    let rows = table_of(&mut browser);
    assert_eq!(rows.iter().map(|row| row[3].as_str()).collect::<Vec<_>>(), ["4", "8", "8", "16", "16"]);
    assert!(rows.iter().all(|row| row[2] == "16"));
    let medians: Vec<f64> = rows.iter().map(|row| row[10].parse().unwrap()).collect();
    assert!(medians[0] > medians[1] && medians[1] > medians[3], "fewer ranks a shard are served faster: {medians:?}");
    assert_eq!(note(&mut browser, "latency"), "2 runs of this selection have no DB nodes.");
    let label =
        text(&mut browser, "document.querySelector('#figure-latency svg[role=img]').getAttribute('aria-label')");
    assert!(label.starts_with("Latency of put_tensor in us of 1 KiB against DB nodes at 16 client nodes"), "{label}");
    assert_clean(&browser, &page);
}

#[test]
fn values_that_match_nothing_are_marked_and_an_empty_selection_says_why() {
    let tree = tempfile::tempdir().unwrap();
    let page = study_page(tree.path());
    let mut browser = opened(&page, 1280);
    let none = "#filter label.none";
    assert_eq!(texts(&mut browser, none), Vec::<String>::new());
    click_filter(&mut browser, "deployment", "colocated");
    let marked = texts(&mut browser, none);
    // a colocated store has no DB nodes, no TCP, no interface but lo; its runs are all done
    for value in ["4", "8", "16", "tcp", "hsn0", "failed", "partial"] {
        assert!(marked.iter().any(|one| one == value), "{value} is not among {marked:?}");
    }
    assert!(
        !marked.iter().any(|one| ["(none)", "uds", "done", "standard", "1 KiB"].contains(&one.as_str())),
        "{marked:?}"
    );
    let input = "document.querySelector('#filter input[data-axis=transport][value=tcp]')";
    let says = text(&mut browser, &format!("{input}.getAttribute('aria-description')"));
    assert_eq!(says, "no run with the other filters");

    click_filter(&mut browser, "transport", "tcp");
    let says = text(&mut browser, "document.getElementById('filter-empty').textContent");
    let due = " No run passes the filter. Without deployment colocated: 24 runs. Clear deployment Without transport tcp: 8 runs. Clear transport";
    assert_eq!(says, due);
    assert!(note(&mut browser, "bandwidth").ends_with("Clear transport"), "the plot says it too");
    browser.value("[...document.querySelectorAll('#figure-bandwidth .note button')].find(b => b.textContent === 'Clear transport').click()");
    assert_eq!(text(&mut browser, "location.hash"), "#f.deployment=colocated");
    assert_eq!(text(&mut browser, "document.getElementById('filter-empty').textContent"), "");
    assert_eq!(rows(&mut browser, "bandwidth"), 8);

    // a size that the runs of the other filters did not reach
    browser.open_at(&page, "#f.state=partial&f.size=4000 KiB");
    let says = text(&mut browser, "document.getElementById('filter-empty').textContent");
    assert!(says.contains("Without tensor size 4000 KiB: 1 run"), "{says}");
    assert_clean(&browser, &page);
}

#[test]
fn three_repeats_on_both_sides_can_be_read() {
    let (old, new) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    page_with_a_slow_node(old.path(), 0);
    page_with_a_slow_node(new.path(), 7);
    let options = CollectOptions { baseline: Some(old.path().to_owned()), ..CollectOptions::of(new.path().to_owned()) };
    let page = collect::run(&options, &|_, _, _| {}).unwrap().report.join("report.html");
    let mut browser = opened(&page, 1280);
    let says = note(&mut browser, "changes");
    assert!(says.starts_with("72 comparisons: ") && says.contains("With 3 repeats a 99 % interval is wide"), "{says}");
    // six sets of parameters in the slot of a size: no mark hides another one
    let places = "(() => { const svg = document.querySelector('#figure-changes svg[role=img]'); \
         return [...svg.querySelectorAll('[aria-label=dot] path, [aria-label=dot] circle')] \
           .map(e => e.getBoundingClientRect()).map(r => r.x + r.width / 2).sort((a, b) => a - b) })()";
    let places: Vec<f64> = serde_json::from_value(browser.value(places)).unwrap();
    assert_eq!(places.len(), 36);
    let gaps: Vec<f64> = places.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(gaps.iter().all(|gap| *gap > 6.0), "{gaps:?}");
    choose(&mut browser, "changes-panels", "run");
    look_at(&mut browser, "changes");
    assert_eq!(browser.value("document.querySelectorAll('#figure-changes .panel').length"), json!(6));
    assert_clean(&browser, &page);
}
