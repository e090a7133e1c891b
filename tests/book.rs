//! The documentation as a book: it builds, and no link in it or in the repository's other texts leads nowhere.
//!
//! `SHARDSCALE_BOOK=DIR` leaves the built book in DIR (`make docs`).

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "book_support/commands.rs"]
mod commands;
#[path = "book_support/links.rs"]
mod links;
#[path = "book_support/schema.rs"]
mod schema;

/// What `--help` is made from; it belongs to the program, which is no library.
#[allow(dead_code, unused_imports, reason = "of the command line the book needs the description alone")]
#[path = "../src/cli/mod.rs"]
mod cli;

use std::fs;
use std::path::{Path, PathBuf};

use clap::CommandFactory;
use mdbook_driver::MDBook;
use mdbook_driver::config::Config;
use schema::Spelling;
use serde_json::Value;
use shardscale::collect::report::jsonl::Line;
use shardscale::study::StudyFile;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What pages have in the place of `<!-- made here: NAME -->`.
fn made(name: &str) -> String {
    let schema = |schema: schemars::Schema| -> Value { schema.into() };
    match name {
        "commands" => commands::markdown(cli::Cli::command()),
        "site" => {
            let site: Value = serde_json::from_str(&shardscale::site::json_schema_text()).unwrap();
            schema::markdown(&site, Spelling::Toml, &[("Axes", "study-file.md#axes")])
        }
        "study" => schema::markdown(&schema(schemars::schema_for!(StudyFile)), Spelling::Toml, &[]),
        "jsonl" => schema::markdown(&schema(schemars::schema_for!(Line<'_>)), Spelling::Json, &[]),
        other => panic!("nobody makes {other:?}"),
    }
}

/// A text of `--help` or of a schema in Markdown: what looks like markup there is none, but for code.
fn literal(text: &str) -> String {
    let mut in_code = false;
    let mut literal = String::new();
    for c in text.chars() {
        in_code ^= c == '`';
        match c {
            '\n' => literal.push(' '),
            '|' => literal.push_str("\\|"),
            '<' | '>' | '*' | '_' | '[' | ']' | '{' | '}' if !in_code => literal.extend(['\\', c]),
            c => literal.push(c),
        }
    }
    literal
}

/// Copies the pages with what is made into them, and builds the book from the copy.
fn build(sources: &Path, book: &Path) {
    let docs = root().join("docs");
    for path in ["md", "png", "webp"].iter().flat_map(|extension| links::files(&docs, extension)) {
        let copy = sources.join("src").join(path.strip_prefix(&docs).unwrap());
        fs::create_dir_all(copy.parent().unwrap()).unwrap();
        match fs::read_to_string(&path) {
            Ok(text) => fs::write(copy, filled(&text)).unwrap(),
            Err(_) => drop(fs::copy(&path, copy).unwrap()),
        }
    }
    let mut config = Config::from_disk(docs.join("book.toml")).unwrap();
    config.book.src = "src".into();
    config.build.build_dir = book.to_owned();
    MDBook::load_with_config(sources, config).unwrap().build().unwrap();
}

fn filled(text: &str) -> String {
    let Some((before, rest)) = text.split_once("<!-- made here: ") else { return text.to_owned() };
    let (name, after) = rest.split_once(" -->").unwrap();
    format!("{before}{}{}", made(name), filled(after))
}

#[test]
fn the_book_builds_and_no_link_is_dead() {
    let folder = tempfile::tempdir().unwrap();
    let book = std::env::var_os("SHARDSCALE_BOOK").map_or(folder.path().join("book"), |given| root().join(given));
    build(folder.path(), &book);
    let pages = links::pages(&book);
    let mut dead = links::dead(&book, &pages);
    let texts = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "CODE_OF_CONDUCT.md"];
    let mut texts: Vec<PathBuf> = texts.iter().map(|text| root().join(text)).collect();
    for folder in ["docs", "tests", "contrib", "client", "benches"] {
        texts.extend(links::files(&root().join(folder), "md"));
    }
    dead.extend(texts.iter().flat_map(|text| links::dead_in_markdown(root(), text, &pages)));
    assert!(dead.is_empty(), "dead links:\n{}", dead.join("\n"));
    // every page is in the table of contents: mdBook leaves out the others without a word
    for page in links::files(&root().join("docs"), "md") {
        let page = page.strip_prefix(root().join("docs")).unwrap().with_extension("html");
        let built = if page.ends_with("README.html") { page.with_file_name("index.html") } else { page };
        assert!(
            built.ends_with("SUMMARY.html") || pages.contains_key(&built),
            "docs/SUMMARY.md lacks {}",
            built.display()
        );
    }
    // a laptop without a network sees all of it
    for (path, page) in &pages {
        let loads: Vec<&String> = page.loads.iter().filter(|address| address.contains("//")).collect();
        assert!(loads.is_empty(), "{} loads {loads:?}", path.display());
    }
    let index = fs::read_dir(&book).unwrap().map(|entry| entry.unwrap().path());
    let index = index.filter(|path| path.file_name().unwrap().to_string_lossy().starts_with("searchindex"));
    let index: String = index.map(|path| fs::read_to_string(path).unwrap()).collect();
    assert!(index.contains("permutation") && index.contains("shards-per-node"), "the search knows neither");
}

/// On the crate's page and in its package there is what the package has, and nothing else.
#[test]
fn the_readme_links_to_what_the_package_has() {
    let text = fs::read_to_string(root().join("README.md")).unwrap();
    let shipped = ["docs/", "templates/", "site-configs/", "src/", "CHANGELOG.md", "LICENSE", "http"];
    let others = links::markdown_links(&text).into_iter();
    let others: Vec<String> = others.filter(|link| !shipped.iter().any(|shipped| link.starts_with(shipped))).collect();
    assert!(others.is_empty(), "not in the package: {others:?}");
}
