//! `report.html` in a real browser: it loads without a complaint and without a network, draws, and answers its controls.
//!
//! Where there is no Chromium these tests fail, and name the package.

#![allow(clippy::unwrap_used)] // clippy takes #[test] functions alone for tests, not their helpers

mod browser_support;
mod collect_support;

use std::path::{Path, PathBuf};

use browser_support::Browser;
use browser_support::campaign::campaign;
use browser_support::page::{
    assert_clean, browser, choose, click_filter, drawing, figures, look_at, report, rows, study_page, text,
};
use collect_support::{DONE, Model, permutation};
use serde_json::json;
use shardscale::collect::{self, CollectOptions};
use shardscale::record::vocabulary::Transport;

#[test]
fn every_figure_draws_and_answers_its_controls() {
    let mut browser = browser();
    let tree = tempfile::tempdir().unwrap();
    let page = study_page(tree.path());
    browser.emulate(1400, "light");
    browser.open(&page);
    for figure in &figures(&mut browser) {
        let shapes = drawing(&mut browser, figure);
        assert!(shapes.len() > 500, "{figure} draws little: {shapes}");
        assert!(!shapes.contains("NaN"), "{figure} draws what is no number");
        assert!(rows(&mut browser, figure) > 0, "{figure} has no table");
    }
    assert_clean(&browser, &page);

    // 28 done; the partial run did not reach the largest size
    choose(&mut browser, "bandwidth-size", "4096000");
    assert_eq!(rows(&mut browser, "bandwidth"), 28);
    let before = drawing(&mut browser, "bandwidth");
    choose(&mut browser, "bandwidth-size", "1024");
    let after = drawing(&mut browser, "bandwidth");
    assert!(before != after, "another size draws the same");
    assert_eq!(rows(&mut browser, "bandwidth"), 29, "the partial run has this size");
    choose(&mut browser, "bandwidth-figure", "classic");
    assert!(after != drawing(&mut browser, "bandwidth"));
    let label =
        text(&mut browser, "document.querySelector('#figure-bandwidth svg[role=img]').getAttribute('aria-label')");
    assert!(label.starts_with("GB/s (classic, as SmartSim-Scaling) at 1 KiB against client nodes"), "{label}");

    let before = drawing(&mut browser, "latency");
    choose(&mut browser, "latency-op", "unpack_tensor");
    let after = drawing(&mut browser, "latency");
    assert!(before != after, "another operation draws the same");
    choose(&mut browser, "latency-x", "4");
    assert!(after != drawing(&mut browser, "latency"));
    assert_clean(&browser, &page);
}

#[test]
fn the_filter_thins_runs_and_plots_and_stands_in_the_address() {
    let mut browser = browser();
    let tree = tempfile::tempdir().unwrap();
    let page = study_page(tree.path());
    browser.emulate(1400, "light");
    browser.open(&page);
    let shown = "document.querySelectorAll('tr[data-run]:not([hidden])').length";
    assert_eq!(browser.value(shown), json!(32));
    click_filter(&mut browser, "db_nodes", "4");
    click_filter(&mut browser, "db_nodes", "16");
    click_filter(&mut browser, "client_nodes", "32");
    assert_eq!(text(&mut browser, "document.getElementById('filter-says').textContent"), "4 of 32 runs");
    assert_eq!(browser.value(shown), json!(4));
    look_at(&mut browser, "bandwidth");
    choose(&mut browser, "bandwidth-size", "1024");
    // of the two runs with 4 DB nodes one failed and one is partial
    assert_eq!(rows(&mut browser, "bandwidth"), 3);
    let hash = text(&mut browser, "location.hash");
    assert_eq!(hash, "#f.db_nodes=4&f.db_nodes=16&f.client_nodes=32&bandwidth.size=1024");

    let before = drawing(&mut browser, "bandwidth");
    browser.open_at(&page, &hash);
    assert_eq!(browser.value(shown), json!(4), "a linked view is the same view");
    assert!(before == drawing(&mut browser, "bandwidth"));
    assert_eq!(browser.value("document.querySelectorAll('#filter input:checked').length"), json!(3));

    browser.value("document.querySelector(\"nav a[href='#latency']\").click()");
    assert_eq!(text(&mut browser, "location.hash"), format!("#latency&{}", &hash[1..]), "a section keeps the view");
    browser.value("document.getElementById('filter-clear').click()");
    assert_eq!(browser.value(shown), json!(32));
    assert_eq!(text(&mut browser, "location.hash"), "#latency&bandwidth.size=1024");
    browser.value("location.hash = '#f.state=failed'");
    assert_eq!(browser.value("new Promise(done => setTimeout(() => done(document.querySelectorAll('tr[data-run]:not([hidden])').length), 100))"), json!(1));
    // nothing is left to draw, and that is said
    look_at(&mut browser, "bandwidth");
    assert_eq!(
        text(&mut browser, "document.querySelector('#figure-bandwidth .note').textContent"),
        "No run in this selection has this figure."
    );
    assert_clean(&browser, &page);
}

#[test]
fn plots_are_saved_as_svg_and_their_data_as_csv() {
    let tree = tempfile::tempdir().unwrap();
    let page = study_page(tree.path());
    let all = figures(&mut opened(&page));
    // a browser saves ten files of a page that nobody clicked by hand, and no more
    for some in all.chunks(4) {
        let mut browser = opened(&page);
        let downloads = tempfile::tempdir().unwrap();
        browser.download_to(downloads.path());
        some.iter().for_each(|figure| is_saved(&mut browser, figure, downloads.path()));
        assert_clean(&browser, &page);
    }
}

/// The page in a browser of its own, as a laptop shows it in the dark.
fn opened(page: &Path) -> Browser {
    let mut browser = browser();
    browser.emulate(1400, "dark");
    browser.open(page);
    browser
}

/// Saves a figure in both forms, and reads them.
fn is_saved(browser: &mut Browser, figure: &str, downloads: &Path) {
    let rows = rows(browser, figure);
    browser.value(&format!("document.querySelectorAll('#figure-{figure} .save button').forEach(b => b.click())"));
    let csv = browser.downloaded(&downloads.join(format!("shardscale-{figure}.csv")));
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    assert!(reader.headers().unwrap().len() > 2, "{figure}");
    assert_eq!(reader.records().map(Result::unwrap).count() as u64, rows.max(1), "{figure}");
    let svg = browser.downloaded(&downloads.join(format!("shardscale-{figure}.svg")));
    let parse = format!(
        "new DOMParser().parseFromString({}, 'image/svg+xml').querySelector('parsererror')?.textContent ?? ''",
        json!(svg)
    );
    assert_eq!(text(browser, &parse), "", "{figure}");
    for left in ["var(--", "currentColor", "NaN", "<style"] {
        assert!(!svg.contains(left), "{figure}: {left}");
    }
    // paper is white whatever the screen shows
    assert!(svg.contains("fill=\"#ffffff\""), "{figure}");
}

#[test]
fn the_page_fits_a_phone_and_follows_the_colour_scheme() {
    let mut browser = browser();
    let tree = tempfile::tempdir().unwrap();
    let page = study_page(tree.path());
    for (scheme, background) in [("light", "rgb(255, 255, 255)"), ("dark", "rgb(21, 24, 28)")] {
        browser.emulate(390, scheme);
        browser.open(&page);
        browser.value("document.querySelectorAll('details').forEach(d => { d.open = true })");
        for figure in &figures(&mut browser) {
            look_at(&mut browser, figure);
        }
        assert_eq!(
            browser.value("document.documentElement.scrollWidth"),
            json!(390),
            "the page is wider than the screen"
        );
        assert_eq!(browser.value("getComputedStyle(document.body).backgroundColor"), json!(background));
        assert_eq!(poor_contrasts(&mut browser), json!([]), "{scheme}");
        assert_clean(&browser, &page);
    }
}

/// Colours that cannot be told from the page: below 4.5 for text, below 3 for marks (WCAG 2.2, 1.4.3 and 1.4.11).
fn poor_contrasts(browser: &mut Browser) -> serde_json::Value {
    browser.value(
        "(() => { const style = getComputedStyle(document.documentElement); \
         const light = (name) => { const hex = style.getPropertyValue(name).trim().slice(1); \
           const [r, g, b] = [0, 2, 4].map(at => parseInt(hex.slice(at, at + 2), 16) / 255).map(c => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4); \
           return 0.2126 * r + 0.7152 * g + 0.0722 * b }; \
         const contrast = (a, b) => { const [low, high] = [light(a), light(b)].sort((x, y) => x - y); return (high + 0.05) / (low + 0.05) }; \
         const texts = ['--text', '--soft', '--link', '--done', '--partial', '--failed']; \
         const marks = [0, 1, 2, 3, 4, 5, 6, 7].map(at => `--c${at}`).concat('--missing'); \
         return [['--page', 4.5, texts], ['--panel', 4.5, texts], ['--page', 3, marks]] \
           .flatMap(([ground, least, names]) => names.filter(name => !(contrast(name, ground) >= least)).map(name => `${name} on ${ground}`)) })()",
    )
}

#[test]
fn hover_and_arrow_keys_name_value_unit_and_n_as_text() {
    let mut browser = browser();
    let tree = tempfile::tempdir().unwrap();
    let mut model = Model::new(permutation(4, Some(3), 1));
    let dir = model.generate(tree.path());
    model.execute(tree.path(), 1, DONE);
    let hostile = "</script><script>document.title='taken'</script><img src=x onerror=alert(1)>\"'&amp;";
    model.manifest.name = hostile.into();
    model.manifest.site = hostile.into();
    model.manifest.job.net_ifname = hostile.into();
    std::fs::write(dir.join("run.toml"), model.manifest.to_toml().unwrap()).unwrap();
    // a second one, so that the site and the interface are axes of the filter
    Model::new(permutation(8, Some(3), 1)).execute(tree.path(), 1, DONE);
    let page = report(tree.path());
    browser.emulate(1400, "light");
    browser.open(&page);
    look_at(&mut browser, "bandwidth");
    let centre = browser.value(
        "(() => { const r = document.querySelector('#figure-bandwidth .panels g[aria-label=dot] path').getBoundingClientRect(); \
         return [r.x + r.width / 2, r.y + r.height / 2] })()",
    );
    browser.call("Input.dispatchMouseEvent", json!({"type": "mouseMoved", "x": centre[0], "y": centre[1]}));
    let said = text(&mut browser, "document.getElementById('tip').innerText");
    for part in ["GB/s", "n = 960 samples", "4 client nodes", hostile] {
        assert!(said.contains(part), "{part} is not in {said:?}");
    }
    assert_eq!(browser.value("document.getElementById('tip').hidden"), json!(false));

    browser.value("document.querySelector('#figure-bandwidth svg[role=img]').focus()");
    browser.press("End", "End");
    let spoken = text(&mut browser, "document.getElementById('said').textContent");
    assert!(spoken.contains("8 client nodes") && spoken.contains("n = 1920 samples"), "{spoken}");
    browser.press("Escape", "Escape");
    assert_eq!(browser.value("document.getElementById('tip').hidden"), json!(true));

    // in the filter, in the address, in tables and in files
    browser.value("document.querySelector('#filter input[data-axis=site]').click()");
    let hash = text(&mut browser, "location.hash");
    browser.open_at(&page, &hash);
    assert_eq!(browser.value("document.querySelectorAll('#filter input:checked').length"), json!(1), "{hash}");
    for figure in ["bandwidth", "latency", "heat"] {
        rows(&mut browser, figure);
    }
    assert_eq!(
        browser.value("[document.querySelectorAll('img').length, document.title]"),
        json!([0, "ShardScale report"])
    );
    assert_clean(&browser, &page);
}

/// Runs whose medians are what `permutation` over TCP has; `fast` ones are what it has over a UNIX socket.
fn runs_for_comparison(tree: &Path, fast: bool) {
    for repeat in 1..=4 {
        let mut model = Model::new(permutation(4, Some(3), repeat));
        let manifest = model.manifest.clone();
        if fast {
            model.manifest.job.transport = Transport::Uds;
        }
        model.execute(tree, 1, DONE);
        std::fs::write(tree.join(&manifest.name).join("run.toml"), manifest.to_toml().unwrap()).unwrap();
    }
}

#[test]
fn intervals_of_few_repeats_are_cut_and_the_page_says_so() {
    let mut browser = browser();
    let (old, new) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for (tree, seed) in [(&old, 0), (&new, 1)] {
        for repeat in 1..=2 {
            let mut model = Model::new(permutation(4, Some(3), repeat));
            (model.seed, model.slowdown) = (seed, if repeat == 1 { 1.0 } else { 3.0 });
            model.execute(tree.path(), 1, DONE);
        }
    }
    let baseline = Some(old.path().to_owned());
    let options = CollectOptions { baseline, ..CollectOptions::of(new.path().to_owned()) };
    let page = collect::run(&options, &|_, _, _| {}).unwrap().report.join("report.html");
    browser.emulate(1400, "light");
    browser.open(&page);
    // two repeats that differ by a factor of three leave intervals over many powers of ten
    assert_eq!(rows(&mut browser, "changes"), 12);
    let says = text(&mut browser, "document.querySelector('#figure-changes .note').textContent");
    assert!(says.contains("12 intervals reach beyond the plot"), "{says}");
    let ticks = "Math.max(...[...document.querySelectorAll('#figure-changes svg [aria-label=\"y-axis tick label\"] text')]\
                 .map(one => Number(one.textContent)))";
    let highest = browser.value(ticks).as_f64().unwrap();
    assert!((1.0..10.0).contains(&highest), "{highest}");
    assert_clean(&browser, &page);
}

#[test]
fn the_baseline_shows_what_became_slower_and_what_is_noise() {
    let mut browser = browser();
    let (old, new) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    runs_for_comparison(old.path(), true);
    runs_for_comparison(new.path(), false);
    let compare = |baseline: &Path| {
        let baseline = Some(baseline.to_owned());
        let options = CollectOptions { baseline, ..CollectOptions::of(new.path().to_owned()) };
        collect::run(&options, &|_, _, _| {}).unwrap().report.join("report.html")
    };
    browser.emulate(1400, "light");
    let page = compare(old.path());
    browser.open(&page);
    // both ops at six sizes; the wire's cost is in the small ones
    assert_eq!(rows(&mut browser, "changes"), 12);
    let says = text(&mut browser, "document.querySelector('#figure-changes .note').textContent");
    assert!(says.starts_with("12 comparisons: ") && says.contains(" slower"), "{says}");
    let strongest = "document.querySelector('#figure-forest details tbody tr').textContent";
    assert!(rows(&mut browser, "forest") >= 2);
    let strongest = text(&mut browser, strongest);
    assert!(strongest.contains("slower") && strongest.contains("1024"), "{strongest}");
    assert_clean(&browser, &page);

    let page = compare(new.path());
    browser.open(&page);
    look_at(&mut browser, "changes");
    let says = text(&mut browser, "document.querySelector('#figure-changes .note').textContent");
    assert_eq!(says, "12 comparisons: 12 noise.");
    look_at(&mut browser, "forest");
    let says = text(&mut browser, "document.querySelector('#figure-forest .note').textContent");
    assert_eq!(says, "Nothing in this selection changed by more than noise.");
    assert_clean(&browser, &page);
}

#[test]
fn paper_shows_every_plot_in_the_colours_of_paper() {
    let mut browser = browser();
    let tree = tempfile::tempdir().unwrap();
    let page = study_page(tree.path());
    browser.emulate(1400, "dark");
    browser.open(&page);
    let drawn = "document.querySelectorAll('figure[data-drawn]').length";
    let all = browser.value("document.querySelectorAll('figure').length");
    assert!(figures(&mut browser).len() > 1);
    assert_ne!(browser.value(drawn), all, "what is out of view waits");
    let pdf = browser.call("Page.printToPDF", json!({"printBackground": true}));
    assert!(pdf["data"].as_str().is_some_and(|data| data.len() > 50_000));
    assert_eq!(browser.value(drawn), all);
    browser.call("Emulation.setEmulatedMedia", json!({"media": "print"}));
    assert_eq!(browser.value("getComputedStyle(document.body).color"), json!("rgb(29, 33, 38)"));
    assert_eq!(browser.value("getComputedStyle(document.querySelector('.side')).display"), json!("none"));
    assert_clean(&browser, &page);
}

#[test]
fn landmarks_headings_and_names_make_sense_without_eyes() {
    let mut browser = browser();
    let tree = tempfile::tempdir().unwrap();
    let page = study_page(tree.path());
    browser.emulate(1400, "light");
    browser.open(&page);
    for figure in &figures(&mut browser) {
        look_at(&mut browser, figure);
    }
    let wrong = browser.value(
        "(() => { const wrong = []; \
         const levels = [...document.querySelectorAll('h1, h2, h3, h4')].map(h => Number(h.tagName[1])); \
         levels.forEach((level, at) => { if (at > 0 && level > levels[at - 1] + 1) wrong.push(`h${level} after h${levels[at - 1]}`) }); \
         if (levels.filter(l => l === 1).length !== 1) wrong.push('one h1'); \
         for (const one of ['main', 'header', 'footer', 'nav']) if (document.querySelectorAll(one).length !== 1) wrong.push(one); \
         for (const input of document.querySelectorAll('input, select')) if (!input.labels?.length) wrong.push(`${input.id} has no label`); \
         for (const button of document.querySelectorAll('button')) if (!(button.getAttribute('aria-label') || button.textContent.trim())) wrong.push('a button has no name'); \
         for (const svg of document.querySelectorAll('.panel svg')) if (svg.getAttribute('role') !== 'img' || !svg.getAttribute('aria-label')) wrong.push('a plot has no name'); \
         for (const table of document.querySelectorAll('table')) if (!table.caption || !table.querySelector('th[scope=col]')) wrong.push('a table has no caption or heads'); \
         const ids = [...document.querySelectorAll('[id]')].map(e => e.id); \
         ids.filter((id, at) => ids.indexOf(id) !== at).forEach(id => wrong.push(`two of ${id}`)); \
         for (const link of document.querySelectorAll('a[href^=\"#\"]')) if (!document.querySelector(link.getAttribute('href'))) wrong.push(link.href); \
         return wrong })()",
    );
    assert_eq!(wrong, json!([]));
    browser.press("Tab", "Tab");
    let outline = browser.value("getComputedStyle(document.activeElement).outlineStyle");
    assert_eq!(outline, json!("solid"), "the focus is seen");
}

#[test]
fn five_hundred_runs_stay_small_and_draw_only_what_is_seen() {
    let mut browser = browser();
    let tree = tempfile::tempdir().unwrap();
    assert_eq!(campaign(tree.path()), 504);
    let page = report(tree.path());
    let bytes = std::fs::metadata(&page).unwrap().len();
    assert!(bytes < 5_000_000, "{bytes} bytes");
    browser.emulate(1400, "light");
    browser.open(&page);
    assert_eq!(browser.value("document.querySelectorAll('tr[data-run]').length"), json!(504));
    assert!(browser.value("document.querySelectorAll('figure[data-drawn]').length").as_u64().unwrap() < 3);
    look_at(&mut browser, "bandwidth");
    click_filter(&mut browser, "transport", "uds");
    assert!(rows(&mut browser, "bandwidth") > 50);
    assert_clean(&browser, &page);
}

/// Not a test: times of SHARDSCALE_PAGE, from the start of the navigation, in ms; medians of several loads.
#[test]
#[ignore = "prints how long SHARDSCALE_PAGE takes to open"]
fn opening_times() {
    let page = PathBuf::from(std::env::var_os("SHARDSCALE_PAGE").expect("SHARDSCALE_PAGE names a report.html"));
    let mut browser = browser();
    browser.emulate(1400, "light");
    let mut times: Vec<[f64; 3]> = (0..7).map(|_| open_and_time(&mut browser, &page)).collect();
    for (at, what) in
        ["page loaded, script run", "first paint", "first plot drawn, after a link to it"].iter().enumerate()
    {
        times.sort_by(|a, b| a[at].total_cmp(&b[at]));
        println!(
            "{:6.0} ms  {what}  (of {} loads: {:.0} to {:.0})",
            times[3][at],
            times.len(),
            times[0][at],
            times[6][at]
        );
    }
    println!("{} bytes", std::fs::metadata(&page).unwrap().len());
}

fn open_and_time(browser: &mut Browser, page: &Path) -> [f64; 3] {
    browser.open(page);
    let loaded = browser.value("performance.getEntriesByType('navigation')[0].loadEventStart");
    let painted = browser.value("new Promise(done => requestAnimationFrame(() => setTimeout(() => done(performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0), 300)))");
    browser.open_at(page, "#bandwidth");
    let drawn = browser.value(
        "new Promise(done => { const check = () => document.querySelector('#figure-bandwidth[data-drawn]') ? requestAnimationFrame(() => done(performance.now())) : setTimeout(check, 2); check(); })",
    );
    [loaded, painted, drawn].map(|time| time.as_f64().unwrap())
}

/// Not a test: writes the large study to SHARDSCALE_CAMPAIGN, for a look by hand.
#[test]
#[ignore = "writes several hundred runs to SHARDSCALE_CAMPAIGN, for a look by hand"]
fn write_campaign() {
    let folder = PathBuf::from(std::env::var_os("SHARDSCALE_CAMPAIGN").expect("SHARDSCALE_CAMPAIGN names a folder"));
    std::fs::create_dir_all(&folder).unwrap();
    println!("{} runs: {}", campaign(&folder), report(&folder).display());
}
