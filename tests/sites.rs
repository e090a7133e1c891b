//! `shardscale sites` as a user calls it; the files that ship against the published schema; hostile site files.

#![allow(clippy::unwrap_used, reason = "helpers of tests may panic as tests may")]

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use shardscale::site::{builtin_names, builtin_text, check_text, json_schema_text};
use toml::{Table, Value};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn shardscale(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_shardscale"));
    command.current_dir(folder).env_remove("SHARDSCALE_CONFIG").args(args).output().unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Compares `text` with a file of the repository; BLESS=1 writes it instead.
fn assert_current(path: &Path, text: &str) {
    if std::env::var_os("BLESS").is_some() {
        fs::write(path, text).unwrap();
    }
    let now = fs::read_to_string(path).unwrap_or_default();
    assert!(now == text, "{} is not current: look at the change and run with BLESS=1", path.display());
}

#[test]
fn the_list_has_every_site_and_show_every_value() {
    let folder = tempfile::tempdir().unwrap();
    let list = out(&shardscale(folder.path(), &["sites"]));
    for name in builtin_names() {
        assert!(list.lines().any(|line| line.starts_with(&format!("{name} "))), "{name}: {list}");
        let page = shardscale(folder.path(), &["sites", "show", &name]);
        assert!(page.status.success() && out(&page).starts_with(&format!("{name}: ")), "{}", err(&page));
        let toml = shardscale(folder.path(), &["sites", "show", &name, "--toml"]);
        assert_eq!(out(&toml), builtin_text(&name).unwrap());
    }
    let wrong = shardscale(folder.path(), &["sites", "show", "fronteer"]);
    assert_eq!(wrong.status.code(), Some(1));
    assert!(err(&wrong).contains("\"fronteer\"; sites that ship: archer2,"), "{}", err(&wrong));
}

#[test]
fn a_copied_file_is_a_site_of_ones_own() {
    let folder = tempfile::tempdir().unwrap();
    let sites = folder.path().join("site-configs");
    fs::create_dir(&sites).unwrap();
    let copy = builtin_text("frontier").unwrap().replace("name = \"frontier\"", "name = \"mine\"");
    fs::write(sites.join("mine.toml"), copy).unwrap();
    let list = out(&shardscale(folder.path(), &["sites", "--config", "."]));
    assert!(list.contains("\nmine "), "{list}");
    let check = shardscale(folder.path(), &["sites", "check", "site-configs/mine.toml"]);
    assert!(check.status.success() && out(&check).is_empty(), "{}", err(&check));
}

#[test]
fn check_tells_all_that_is_wrong_and_ends_with_1() {
    let folder = tempfile::tempdir().unwrap();
    let text = builtin_text("frontier").unwrap();
    let text = text
        .replace("max_nodes = 91", "max_nodes = 0")
        .replace("\"/tmp\"", "\"tmp\"")
        .replace("\"charge\" = {", "\"charge.unit\" = {");
    fs::write(folder.path().join("mine.toml"), text).unwrap();
    let check = shardscale(folder.path(), &["sites", "check", "mine.toml"]);
    assert_eq!(check.status.code(), Some(1));
    let lines = out(&check);
    for needle in
        ["wrong     queue.batch-1-91.min_nodes = 1", "wrong     scratch.node_local", "no source charge.per_node_hour"]
    {
        assert!(lines.contains(needle), "{needle}: {lines}");
    }
    assert!(err(&check).contains("mine.toml: 2 wrong, 1 without a source, 0 to do"), "{}", err(&check));
    let absent = shardscale(folder.path(), &["sites", "check", "nowhere.toml"]);
    assert!(absent.status.code() == Some(1) && err(&absent).contains("cannot read the site file nowhere.toml"));
}

#[test]
fn a_started_file_passes_its_check_and_generates() {
    let folder = tempfile::tempdir().unwrap();
    let new = shardscale(folder.path(), &["sites", "new", "--name", "my cluster"]);
    assert!(new.status.success(), "{}", err(&new));
    fs::write(folder.path().join("new.toml"), out(&new)).unwrap();
    assert!(out(&new).contains("name = \"my-cluster\"") && out(&new).contains("TODO"), "{}", out(&new));
    // nothing is wrong with it, and nobody has answered its questions
    let check = shardscale(folder.path(), &["sites", "check", "./new.toml"]);
    assert_eq!(check.status.code(), Some(3), "{}{}", out(&check), err(&check));
    let open = out(&new).lines().filter(|line| line.contains("# TODO ")).count();
    assert!(open > 2 && out(&check).lines().filter(|line| line.starts_with("to do     line ")).count() == open);
    assert!(err(&check).contains(&format!("0 wrong, 0 without a source, {open} to do")), "{}", err(&check));
    let answered = out(&new).lines().filter(|line| !line.contains("TODO")).collect::<Vec<_>>().join("\n");
    fs::write(folder.path().join("answered.toml"), answered).unwrap();
    let check = shardscale(folder.path(), &["sites", "check", "./answered.toml"]);
    assert_eq!((check.status.code(), out(&check).as_str()), (Some(0), ""), "{}", err(&check));
    let made = shardscale(folder.path(), &["gen", "--site", "./new.toml"]);
    assert!(made.status.success() && !out(&made).is_empty(), "{}", err(&made));
}

#[test]
fn a_scratch_folder_may_be_a_variable_of_the_job() {
    let folder = tempfile::tempdir().unwrap();
    for (given, word) in [("$TMPDIR", "\"${TMPDIR:?}\""), ("/mnt/bb/$USER", "/mnt/bb/\"${USER:?}\"")] {
        let text = sites_text("frontier").replace("node_local = \"/tmp\"", &format!("node_local = \"{given}\""));
        fs::write(folder.path().join("mine.toml"), text).unwrap();
        let check = shardscale(folder.path(), &["sites", "check", "./mine.toml"]);
        assert!(check.status.success(), "{}{}", out(&check), err(&check));
        let made = shardscale(folder.path(), &["gen", "--site=./mine.toml", "--client-nodes=4"]);
        assert!(made.status.success(), "{}", err(&made));
        let script = out(&made).lines().next().unwrap().split_whitespace().last().unwrap().to_owned();
        let text = fs::read_to_string(folder.path().join(script)).unwrap();
        assert!(text.contains(&format!(" --scratch {word} > ")), "{text}");
    }
}

#[test]
fn the_published_schema_is_current_and_admits_every_site() {
    assert_current(&root().join("site-configs/schema.json"), &json_schema_text());
    let schema: serde_json::Value = serde_json::from_str(&json_schema_text()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let mut sites: Vec<(String, String)> =
        builtin_names().into_iter().map(|name| (name.clone(), builtin_text(&name).unwrap())).collect();
    for lab in ["tests/slurm", "tests/pbs", "tests/flux"] {
        sites.push((lab.into(), fs::read_to_string(root().join(lab).join("site.toml")).unwrap()));
    }
    for (name, text) in &sites {
        let value: serde_json::Value = toml::from_str(text).unwrap();
        let errors: Vec<String> =
            validator.iter_errors(&value).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(errors.is_empty(), "{name}: {errors:?}");
    }
    // and it refuses what the program refuses
    for (from, to) in
        [("kind = ", "kindd = "), ("\"02:00:00\"", "\"2h\""), ("\"0-7\"", "\"a\""), ("\"rejected\"", "\"refused\"")]
    {
        let value: serde_json::Value = toml::from_str(&sites_text("frontier").replacen(from, to, 1)).unwrap();
        assert!(!validator.is_valid(&value), "{to}");
    }
}

fn sites_text(name: &str) -> String {
    builtin_text(name).unwrap()
}

#[test]
fn the_documentations_table_is_current() {
    let path = root().join("docs/reference/sites.md");
    let text = fs::read_to_string(&path).unwrap();
    let (begin, end) = ("<!-- shardscale sites --markdown -->\n", "<!-- end -->");
    let (before, rest) = text.split_once(begin).unwrap();
    let (_, after) = rest.split_once(end).unwrap();
    let table = out(&shardscale(root(), &["sites", "--markdown"]));
    assert_current(&path, &format!("{before}{begin}{table}{end}{after}"));
}

/// What would run, end a word or end a line if it came into a script as it is.
const HOSTILE: [&str; 3] =
    ["x\ntouch pwned", "a'b\"c$(touch pwned)`touch pwned`;touch pwned #", "\u{1b}[2J\rtouch pwned"];

/// Places of all texts of a file, as ways down to them.
fn texts(value: &Value, way: &mut Vec<String>, found: &mut Vec<Vec<String>>) {
    let mut below = |word: String, value: &Value| {
        way.push(word);
        texts(value, way, found);
        way.pop();
    };
    match value {
        Value::String(_) => found.push(way.clone()),
        Value::Table(table) => table.iter().for_each(|(key, value)| below(key.clone(), value)),
        Value::Array(values) => values.iter().enumerate().for_each(|(i, value)| below(i.to_string(), value)),
        _ => {}
    }
}

fn set(value: &mut Value, way: &[String], text: &str) {
    match (value, way) {
        (value, []) => *value = Value::String(text.to_owned()),
        (Value::Table(table), [key, rest @ ..]) => set(&mut table[key.as_str()], rest, text),
        (Value::Array(values), [i, rest @ ..]) => set(&mut values[i.parse::<usize>().unwrap()], rest, text),
        _ => unreachable!("a way leads to a text"),
    }
}

/// A way without the names of rows: texts that are treated alike.
fn shape(way: &[String]) -> String {
    let named = |word: &String| word.parse::<usize>().is_ok();
    let depth = if ["facts", "sources", "ask"].contains(&way[0].as_str()) { 1 } else { usize::MAX };
    way.iter()
        .enumerate()
        .map(|(i, word)| if i == depth || named(word) { "*" } else { word })
        .collect::<Vec<_>>()
        .join(".")
}

#[test]
fn hostile_text_in_any_place_of_a_site_file_is_refused_or_harmless() {
    // texts of one shape go through the same templates at sites with the same scheduler and launcher
    let mut tried = HashSet::new();
    for name in builtin_names() {
        let table: Table = toml::from_str(&builtin_text(&name).unwrap()).unwrap();
        let mut ways = Vec::new();
        texts(&Value::Table(table.clone()), &mut Vec::new(), &mut ways);
        assert!(ways.len() > 30, "{name} has {} texts", ways.len());
        let templates = format!("{} {}", table["scheduler"]["kind"], table["launch"]["launcher"]);
        for way in &ways {
            for hostile in HOSTILE {
                let mut wrong = Value::Table(table.clone());
                set(&mut wrong, way, hostile);
                let text = toml::to_string(&wrong).unwrap();
                let line = !hostile.chars().any(char::is_control);
                let passes = check_text(&text).problems.is_empty();
                assert!(line || !passes, "{name}: {way:?} takes a line break");
                // lines of the environment are bash by definition
                if passes && way[0] != "environment" && tried.insert(format!("{templates} {}", shape(way))) {
                    renders_harmless(&name, way, &text, hostile);
                }
            }
        }
    }
    assert!(tried.len() > 40, "only {} were tried", tried.len());
}

/// The scripts of a site file: none, or bash in which `hostile` stands in quotes and comments alone.
fn renders_harmless(name: &str, way: &[String], text: &str, hostile: &str) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("site.toml"), text).unwrap();
    let made = shardscale(
        folder.path(),
        &["gen", "--site=./site.toml", "--repeats=1", "--tensor-bytes=1KiB", "--client=/opt/client"],
    );
    if !made.status.success() {
        return;
    }
    let quoted = format!("'{}'", hostile.replace('\'', r"'\''"));
    let mut scripts: Vec<PathBuf> =
        fs::read_dir(folder.path().join("out")).unwrap().map(|entry| entry.unwrap().path()).collect();
    scripts.retain(|path| path.extension().is_some_and(|extension| extension == "sh"));
    scripts.sort();
    // one script of each deployment
    for script in [scripts.first().unwrap(), scripts.last().unwrap()] {
        let bash = fs::read_to_string(script).unwrap();
        for line in bash.lines() {
            let comment = line.starts_with('#') && !line.starts_with("#SBATCH") && !line.starts_with("#PBS");
            assert!(comment || !line.replace(&quoted, "").contains("touch pwned"), "{name}: {way:?}: {line}");
        }
        let syntax = Command::new("bash").arg("-n").arg(script).output().unwrap();
        assert!(syntax.status.success(), "{name}: {way:?}: {}", err(&syntax));
    }
}
