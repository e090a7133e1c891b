//! Recipes of other installers say what Cargo.toml says, and are what their languages read. None of them is run here.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

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
    let recipes = ["spack/packages/shardscale/package.py", "contrib/shardscale-0.1.0-gompi-2025b.eb"];
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
