//! The page's question box in a real browser: it gives the command's answers.

#![allow(clippy::unwrap_used)] // clippy takes #[test] functions alone for tests, not their helpers

mod browser_support;
mod collect_support;

use std::path::Path;
use std::process::Command;

use browser_support::page::{assert_clean, browser, choose, drawing, rows, study_page, text};
use serde_json::{Value, json};

/// (flags of `size`, the page's address): the same question.
const QUESTIONS: &[(&[&str], &str)] = &[
    (
        &["--ranks", "512", "--op", "put_tensor", "--p50", "3ms", "--tensor-bytes", "1MiB"],
        "q.ranks=512&q.op=put_tensor&q.of=p50&q.limit=3ms&q.bytes=1MiB",
    ),
    (
        &["--ranks", "300", "--op", "unpack_tensor", "--p90", "1.5ms", "--tensor-bytes", "300KiB"],
        "q.ranks=300&q.op=unpack_tensor&q.of=p90&q.limit=1.5ms&q.bytes=300KiB",
    ),
    (
        &["--ranks", "2048", "--gb-per-s", "80", "--tensor-bytes", "1MiB", "--op", "put_tensor"],
        "q.ranks=2048&q.of=gb&q.limit=80&q.bytes=1MiB&q.op=put_tensor",
    ),
    (
        &["--ranks", "64", "--rate", "400", "--tensor-bytes", "64KiB", "--op", "put_tensor"],
        "q.ranks=64&q.of=rate&q.limit=400&q.bytes=64KiB&q.op=put_tensor",
    ),
    (
        &["--ranks", "128", "--share", "1%", "--step", "100ms", "--tensor-bytes", "1MiB", "--op", "put_tensor"],
        "q.ranks=128&q.of=share&q.limit=1%25&q.step=100ms&q.bytes=1MiB&q.op=put_tensor",
    ),
    (
        &["--ranks", "512", "--op", "put_tensor", "--p50", "300us", "--tensor-bytes", "1MiB"],
        "q.ranks=512&q.op=put_tensor&q.of=p50&q.limit=300us&q.bytes=1MiB",
    ),
    (
        &["--ranks", "512", "--op", "put_tensor", "--p50", "3ms", "--tensor-bytes", "32MiB"],
        "q.ranks=512&q.op=put_tensor&q.of=p50&q.limit=3ms&q.bytes=32MiB",
    ),
    (
        &["--ranks", "512", "--op", "put_tensor", "--p50", "3ms", "--tensor-bytes", "1MiB", "--clients-per-node", "32"],
        "q.ranks=512&q.op=put_tensor&q.of=p50&q.limit=3ms&q.bytes=1MiB&q.per_node=32",
    ),
];

fn size(tree: &Path, flags: &[&str], format: &str) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_shardscale"))
        .arg("size")
        .arg(tree)
        .args(flags)
        .args(["--format", format])
        .output()
        .unwrap();
    assert!(matches!(output.status.code(), Some(0 | 3)), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_page_gives_the_commands_answers() {
    let mut browser = browser();
    let tree = tempfile::tempdir().unwrap();
    let page = study_page(tree.path());
    let (mut met, mut intervals) = (0, 0);
    for (flags, address) in QUESTIONS {
        let json: Value = serde_json::from_str(&size(tree.path(), flags, "json")).unwrap();
        // lines that were broken for a terminal are one again
        let words = size(tree.path(), flags, "text").split_whitespace().collect::<Vec<_>>().join(" ");
        browser.open_at(&page, &format!("#question&{address}"));
        let shown = browser.value("[...document.querySelectorAll('#answers li')].map(li => [li.querySelector('strong').textContent, li.className, li.querySelector('.verdict').textContent, li.textContent])");
        let shown = shown.as_array().unwrap();
        let stores = json["stores"].as_array().unwrap();
        assert_eq!(shown.len(), stores.len(), "{flags:?}");
        for store in stores {
            let li = shown.iter().find(|li| li[0] == store["store"]).unwrap();
            let answer = store["answer"].as_str().unwrap();
            assert_eq!(li[1], answer.replace(' ', "-"), "{flags:?} {store} {li}");
            if answer == "met" {
                met += 1;
                assert!(words.contains(li[2].as_str().unwrap()), "{flags:?}: {li} {words}");
            }
            // intervals to the last digit
            for figure in li[3].as_str().unwrap().split('[').skip(1) {
                let interval = format!("[{}]", figure.split(']').next().unwrap());
                assert!(words.contains(&interval), "{flags:?}: {interval} {words}");
                intervals += 1;
            }
        }
    }
    assert!(met >= 5 && intervals >= 8, "{met} {intervals}");
    assert_clean(&browser, &page);
}

#[test]
fn the_box_is_used_with_its_controls_and_says_what_it_does_not_understand() {
    let mut browser = browser();
    let tree = tempfile::tempdir().unwrap();
    let page = study_page(tree.path());
    for (width, scheme) in [(1366, "light"), (390, "dark")] {
        browser.emulate(width, scheme);
        browser.open(&page);
        // as it opens: a question that has an answer, its curves, the limit and the store that is named
        assert!(browser.value("document.querySelectorAll('#answers li.met').length").as_u64().unwrap() >= 1);
        let shapes = drawing(&mut browser, "answer");
        assert!(shapes.len() > 2000 && !shapes.contains("NaN"), "{shapes}");
        assert!(
            browser.value("document.querySelectorAll('#figure-answer g[aria-label=rule] line').length").as_u64()
                == Some(1)
        );
        assert!(
            browser
                .value("document.querySelectorAll('#figure-answer g[aria-label=dot] circle').length")
                .as_u64()
                .unwrap()
                >= 1
        );
        assert!(rows(&mut browser, "answer") > 20);
        let set = |browser: &mut browser_support::Browser, key: &str, value: &str| {
            browser.value(&format!(
                "(() => {{ const box = document.getElementById('q-{key}'); box.value = {}; box.dispatchEvent(new Event('change')); }})()",
                json!(value)
            ));
        };
        set(&mut browser, "ranks", "many");
        assert!(text(&mut browser, "document.getElementById('answers').textContent").contains("ranks: a whole number"));
        set(&mut browser, "ranks", "256");
        choose(&mut browser, "q-of", "share");
        assert_eq!(browser.value("document.getElementById('q-step-label').hidden"), json!(false));
        assert!(text(&mut browser, "document.getElementById('answers').textContent").contains("an iteration"));
        assert!(text(&mut browser, "location.hash").contains("q.ranks=256"));
        choose(&mut browser, "answer-x", "ranks");
        assert!(!drawing(&mut browser, "answer").contains("NaN"));
        assert_eq!(browser.value("document.documentElement.scrollWidth <= innerWidth"), json!(true));
        assert_clean(&browser, &page);
    }
}
