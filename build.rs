//! Notes what the program is built from and with, for `version --long`. No date and no path: equal sources make equal programs.

use std::env::var;
use std::process::Command;

/// What the program is made of. A path that is missing here would make Cargo run this at every build.
const SOURCES: [&str; 6] = ["src", "templates", "site-configs", "Cargo.toml", "Cargo.lock", "build.rs"];

fn main() {
    for path in SOURCES.iter().filter(|path| std::fs::exists(path).unwrap_or_default()) {
        println!("cargo:rerun-if-changed={path}");
    }
    let of = |name: &str| var(name).unwrap_or_default();
    let mut features: Vec<String> = std::env::vars()
        .filter_map(|(name, _)| Some(name.strip_prefix("CARGO_FEATURE_")?.to_lowercase().replace('_', "-")))
        .collect();
    features.sort();
    let rustc = said_by(&of("RUSTC"), &["--version"]).unwrap_or_else(|| "unknown".to_owned());
    for (name, value) in [
        ("COMMIT", commit().unwrap_or_else(|| "unknown".to_owned())),
        ("TARGET", of("TARGET")),
        ("PROFILE", of("PROFILE")),
        ("RUSTC", rustc),
        ("FEATURES", features.join(" ")),
    ] {
        println!("cargo:rustc-env=SHARDSCALE_{name}={value}");
    }
}

/// The commit that is checked out, marked where the sources differ from it; `None` where these sources are no checkout.
fn commit() -> Option<String> {
    // an unpacked archive may lie inside a checkout of something else
    git(&["ls-files", "--error-unmatch", "Cargo.toml"])?;
    let commit = git(&["rev-parse", "HEAD"])?;
    // HEAD names a branch, whose commit stands in a file of its own or, once packed, among all others
    let branch = git(&["symbolic-ref", "--quiet", "HEAD"]);
    for name in ["HEAD", "packed-refs"].into_iter().chain(branch.as_deref()) {
        let file = git(&["rev-parse", "--git-path", name])?;
        if std::fs::exists(&file).unwrap_or_default() {
            println!("cargo:rerun-if-changed={file}");
        }
    }
    let changes = git(&[&["status", "--porcelain", "--untracked-files=no", "--"][..], &SOURCES].concat())?;
    Some(if changes.is_empty() { commit } else { format!("{commit}-modified") })
}

fn git(args: &[&str]) -> Option<String> {
    // a build beside somebody's own git takes no lock from it
    said_by("git", &[&["--no-optional-locks"][..], args].concat())
}

fn said_by(program: &str, args: &[&str]) -> Option<String> {
    let output = Command::new(program).args(args).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}
