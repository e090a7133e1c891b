//! Recipes of other installers say what Cargo.toml says, and are what their languages read. The ReFrame check and the notebook read
//! what `collect` writes; they are run where `reframe` and `jupyter` are in PATH: `cargo test --test contrib -- --ignored`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

mod collect_support;

use collect_support::{DONE, Model, permutation};
use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_shardscale");
const REFRAME: &str = "contrib/reframe/shardscale.py";
const RAMBLE: &str = "contrib/ramble/applications/shardscale/application.py";
const NOTEBOOK: &str = "contrib/notebook/samples.ipynb";

fn file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

#[test]
fn recipes_name_the_versions_that_cargo_has() {
    let (version, rust) = (env!("CARGO_PKG_VERSION"), env!("CARGO_PKG_RUST_VERSION"));
    for (path, line) in [
        ("contrib/Containerfile", format!("library/rust:{rust}-bookworm")),
        ("contrib/apptainer.def", format!("From: rust:{rust}-bookworm")),
        ("spack/packages/shardscale/package.py", format!("depends_on(\"rust@{rust}:\"")),
        (".github/workflows/ci.yml", format!("cargo +{rust} check --locked")),
        (&format!("contrib/shardscale-{version}-gompi-2025b.eb"), format!("version = '{version}'")),
        ("contrib/modulefile", format!("shardscale/{version}")),
    ] {
        let text = fs::read_to_string(file(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
        assert!(text.contains(&line), "{path} should have {line}");
    }
}

#[test]
fn recipes_in_python_are_python() {
    let recipes = ["spack/packages/shardscale/package.py", "contrib/shardscale-0.2.0-gompi-2025b.eb", REFRAME, RAMBLE];
    let parse = "import ast, sys; [ast.parse(open(path).read()) for path in sys.argv[1:]]";
    let output = Command::new("python3").args(["-c", parse]).args(recipes.map(file)).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// cargo-deny refuses what it does not know; TOML is what can be checked without it.
#[test]
fn the_rules_for_crates_are_toml() {
    let rules: toml::Table = toml::from_str(&fs::read_to_string(file("deny.toml")).unwrap()).unwrap();
    assert_eq!(rules["sources"]["unknown-registry"].as_str(), Some("deny"));
    assert!(rules["licenses"]["allow"].as_array().unwrap().iter().any(|one| one.as_str() == Some("MIT")));
}

/// Two finished runs, collected with their samples; the report's JSON.
fn collected(tree: &Path) -> Value {
    for repeat in [1, 2] {
        Model::new(permutation(2, Some(3), repeat)).execute(&tree.join("out"), 1, DONE);
    }
    let args = ["collect", "out", "--parquet", "--format", "json"];
    let output = Command::new(PROGRAM).args(args).current_dir(tree).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Texts in the source that stand between `before` and `after`, in their order.
fn between<'a>(text: &'a str, before: &str, after: &str) -> Vec<&'a str> {
    text.split(before).skip(1).filter_map(|rest| rest.split_once(after)).map(|(inner, _)| inner).collect()
}

#[test]
fn the_reframe_check_reads_keys_that_a_report_has() {
    let tree = tempfile::tempdir().unwrap();
    let run = &collected(tree.path())["runs"][0];
    let size = &run["measured"]["sizes"][0];
    let text = fs::read_to_string(file(REFRAME)).unwrap();
    for (of, name) in [(run, "run['"), (size, "size['"), (&size["ops"][0], "op['")] {
        let keys = between(&text, name, "']");
        assert!(keys.len() >= 2, "{name} is read: {keys:?}");
        for key in keys {
            assert!(of.get(key).is_some(), "{name}{key}'] is not in {of}");
        }
    }
}

/// Its expression takes figures from a line, key by key in the order of the line, which Ramble has no JSON reader for.
#[test]
fn the_ramble_application_matches_lines_of_jsonl() {
    let tree = tempfile::tempdir().unwrap();
    collected(tree.path());
    let args = ["collect", "out", "--jsonl", "lines.jsonl"];
    assert!(Command::new(PROGRAM).args(args).current_dir(&tree).output().unwrap().status.success());
    let try_it = r#"
import json, re, sys
text = open(sys.argv[1]).read()
of_line = re.search(r"of_line = r'(.*)'", text)[1]
keys = re.findall(r'\("(\w+_(?:us|s))", "[\w ]+", "[\w/]+"\)', text)
assert len(keys) == 3, keys
for line in open(sys.argv[2]):
    one = json.loads(line)
    for key in keys:
        found = re.match(of_line + rf'"{key}":(?P<value>[0-9.e+-]+)', line)
        asked = one[key], one["run"], one["op"], str(one["payload_bytes"])
        if one[key] is None:
            assert not found, line
        else:
            assert (float(found["value"]), found["run"], found["op"], found["bytes"]) == asked, (key, line)
"#;
    let mut python = Command::new("python3");
    let output = python.args(["-c", try_it]).arg(file(RAMBLE)).arg(tree.path().join("lines.jsonl")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn the_notebook_is_one_and_holds_no_outputs() {
    let notebook: Value = serde_json::from_str(&fs::read_to_string(file(NOTEBOOK)).unwrap()).unwrap();
    assert_eq!(notebook["nbformat"], 4);
    for cell in notebook["cells"].as_array().unwrap().iter().filter(|cell| cell["cell_type"] == "code") {
        assert!(cell["outputs"].as_array().unwrap().is_empty() && cell["execution_count"].is_null(), "{cell}");
    }
}

#[test]
#[ignore = "needs jupyter, pandas, pyarrow and matplotlib"]
fn the_notebook_runs() {
    let tree = tempfile::tempdir().unwrap();
    collected(tree.path());
    let mut jupyter = Command::new("jupyter");
    jupyter.args(["nbconvert", "--to", "notebook", "--execute", "--output", "done.ipynb", "--output-dir"]);
    jupyter.arg(tree.path()).arg(file(NOTEBOOK)).env("SHARDSCALE_REPORT", tree.path().join("out/report"));
    let output = jupyter.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let done = fs::read_to_string(tree.path().join("done.ipynb")).unwrap();
    assert!(done.contains("image/png"), "a figure");
}

#[test]
#[ignore = "needs reframe, mpirun, redis-server and shardscale-client beside shardscale"]
fn the_reframe_check_measures() {
    let tree = tempfile::tempdir().unwrap();
    let study = ["gen", "--site=local", "--deployment=colocated", "--transport=tcp", "--clients-per-node=2"];
    let generated = Command::new(PROGRAM).args(study).args(["--iterations=100"]).current_dir(&tree).status().unwrap();
    assert!(generated.success());
    let folder = Path::new(PROGRAM).parent().unwrap().to_owned();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths([folder].into_iter().chain(std::env::split_paths(&path))).unwrap();
    let mut reframe = Command::new("reframe");
    reframe.args(["-r", "--exec-policy=serial", "-c"]).arg(file(REFRAME)).current_dir(&tree);
    let output = reframe.env("PATH", path).env("PWD", tree.path()).env("SHARDSCALE_OUT", "out").output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && said.contains("Ran 1/1 test case"), "{said}");
    assert!(said.contains("P: put_tensor_1KiB_median: ") && said.contains(" us"), "{said}");
}
