//! Links of built pages and of the repository's Markdown: which of them lead nowhere. Knows nothing of mdBook, and asks no network.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

use pulldown_cmark::{Event, Options, Parser, Tag};
use walkdir::WalkDir;

/// What a built page links to, and the anchors that it has.
#[derive(Default)]
pub struct Page {
    pub links: Vec<String>,
    pub anchors: BTreeSet<String>,
    /// What the browser loads by itself: scripts, styles, images.
    pub loads: Vec<String>,
}

/// Built pages by their path below the book's folder.
pub type Pages = BTreeMap<PathBuf, Page>;

/// Reads every page below a folder.
pub fn pages(book: &Path) -> Pages {
    files(book, "html").map(|path| (below(book, &path), page(&fs::read_to_string(&path).unwrap()))).collect()
}

/// Files below a folder with this extension.
pub fn files(folder: &Path, extension: &'static str) -> impl Iterator<Item = PathBuf> {
    let paths = WalkDir::new(folder).sort_by_file_name().into_iter().map(|entry| entry.unwrap().into_path());
    paths.filter(move |path| path.extension().is_some_and(|is| is == extension))
}

/// Links of all pages that lead to no file, to no anchor or out of the folder, as "PAGE: LINK: WHY".
pub fn dead(book: &Path, pages: &Pages) -> Vec<String> {
    let mut dead = Vec::new();
    for (path, page) in pages {
        for link in page.links.iter().chain(&page.loads) {
            let why = match external(link) {
                Some(form) => form.err(),
                None => target(path, link).and_then(|(file, anchor)| leads(book, pages, &file, &anchor)).err(),
            };
            dead.extend(why.map(|why| format!("{}: {link}: {why}", path.display())));
        }
    }
    dead
}

/// Links of a Markdown file of the repository that lead to no file there; those to a page of the book have its anchors.
pub fn dead_in_markdown(root: &Path, path: &Path, pages: &Pages) -> Vec<String> {
    let here = below(root, path);
    let mut dead = Vec::new();
    for link in markdown_links(&fs::read_to_string(path).unwrap()) {
        let why = match external(&link) {
            Some(form) => form.err(),
            None => target(&here, &link).and_then(|(file, anchor)| in_repository(root, pages, &file, &anchor)).err(),
        };
        dead.extend(why.map(|why| format!("{}: {link}: {why}", here.display())));
    }
    dead
}

/// Where the links and pictures of a Markdown text lead.
pub fn markdown_links(text: &str) -> Vec<String> {
    Parser::new_ext(text, Options::ENABLE_TABLES)
        .filter_map(|event| match event {
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => Some(dest_url.into_string()),
            _ => None,
        })
        .collect()
}

fn below(root: &Path, path: &Path) -> PathBuf {
    path.strip_prefix(root).unwrap().to_owned()
}

/// Attributes of tags, as mdBook writes them: always in double quotes.
fn page(html: &str) -> Page {
    let mut page = Page::default();
    for tag in html.split('<').skip(1).filter_map(|rest| rest.split_once('>')).map(|(tag, _)| tag) {
        let name = tag.split_whitespace().next().unwrap_or_default();
        let attribute = |name: &str| {
            let (_, rest) = tag.split_once(&format!(" {name}=\""))?;
            Some(rest.split('"').next()?.replace("&amp;", "&").replace("&#x27;", "'"))
        };
        page.anchors.extend(attribute("id"));
        match name {
            "a" => page.links.extend(attribute("href")),
            "link" => page.loads.extend(attribute("href")),
            _ => page.loads.extend(attribute("src")),
        }
    }
    page
}

/// Of a link to another host whether its form is one; nothing of a link to a file.
fn external(link: &str) -> Option<Result<(), String>> {
    let (scheme, rest) = link.split_once(':').filter(|(scheme, _)| scheme.chars().all(|c| c.is_ascii_alphabetic()))?;
    let host = rest.trim_start_matches('/').split('/').next().unwrap_or_default();
    let fine = matches!(scheme, "http" | "https") && rest.starts_with("//") && host.contains('.');
    let fine = (fine || scheme == "mailto" && host.contains('@')) && !link.contains(char::is_whitespace);
    Some(if fine { Ok(()) } else { Err("is no address".into()) })
}

/// File and anchor of a link from the file `from`, both below the same folder.
fn target(from: &Path, link: &str) -> Result<(PathBuf, String), String> {
    let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
    let mut path = if file.is_empty() { from.to_owned() } else { from.parent().unwrap_or(from).to_owned() };
    for part in Path::new(file).components() {
        match part {
            Component::ParentDir if !path.pop() => return Err("leads out of the folder".into()),
            Component::Normal(name) => path.push(name),
            Component::ParentDir | Component::CurDir => {}
            Component::RootDir | Component::Prefix(_) => return Err("is no relative path".into()),
        }
    }
    Ok((path, anchor.to_owned()))
}

fn leads(book: &Path, pages: &Pages, file: &Path, anchor: &str) -> Result<(), String> {
    match pages.get(file) {
        Some(page) if anchor.is_empty() || page.anchors.contains(anchor) => Ok(()),
        Some(_) => Err(format!("the page has no anchor {anchor}")),
        None if book.join(file).is_file() => Ok(()),
        None => Err("there is no such file".into()),
    }
}

fn in_repository(root: &Path, pages: &Pages, file: &Path, anchor: &str) -> Result<(), String> {
    if !root.join(file).exists() {
        return Err("there is no such file".into());
    }
    let built = file.strip_prefix("docs").ok().map(|page| page.with_extension("html"));
    match built.and_then(|page| pages.get(&page)) {
        Some(page) if !anchor.is_empty() && !page.anchors.contains(anchor) => {
            Err(format!("the page has no anchor {anchor}"))
        }
        _ => Ok(()),
    }
}

#[test]
fn dead_links_are_found() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("in")).unwrap();
    let one = "<h1 id=\"top\"></h1><a href=\"in/two.html#there\">a</a><a href=\"#top\"></a><a href=\"#bottom\"></a>\
               <a href=\"in/two.html#nowhere\"></a><a href=\"three.html\"></a><a href=\"../out.html\"></a>\
               <img src=\"picture.png\"><a href=\"https://example.org/a\"></a><a href=\"https://a b\"></a>";
    fs::write(folder.path().join("one.html"), one).unwrap();
    let two = "<p id=\"there\"><a class=\"x\" href=\"../one.html#top\"></a></p>";
    fs::write(folder.path().join("in/two.html"), two).unwrap();
    let pages = pages(folder.path());
    let expected = [
        "one.html: #bottom: the page has no anchor bottom",
        "one.html: in/two.html#nowhere: the page has no anchor nowhere",
        "one.html: three.html: there is no such file",
        "one.html: ../out.html: leads out of the folder",
        "one.html: https://a b: is no address",
        "one.html: picture.png: there is no such file",
    ];
    assert_eq!(dead(folder.path(), &pages), expected);
    let text = folder.path().join("text.md");
    fs::write(&text, "[a](in/two.html) ![b](picture.png) `[c](code.md)`").unwrap();
    let expected = ["text.md: picture.png: there is no such file"];
    assert_eq!(dead_in_markdown(folder.path(), &text, &Pages::new()), expected);
}
