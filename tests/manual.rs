//! What `shardscale` says of itself to shells and to man.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;
use std::process::Command;

const PROGRAM: &str = env!("CARGO_BIN_EXE_shardscale");

#[test]
fn a_real_bash_completes_commands_flags_and_values() {
    let folder = tempfile::tempdir().unwrap();
    // as bash does: it splits the words at `=`, finds the registered function, and takes COMPREPLY
    let complete = |words: &str| {
        let line = format!(
            "source <(shardscale completions bash); COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); \
             [[ $(complete -p shardscale) =~ -F\\ ([^ ]+) ]]; \
             \"${{BASH_REMATCH[1]}}\" shardscale \"${{COMP_WORDS[-1]}}\" \"${{COMP_WORDS[-2]}}\" 2> /dev/null; echo \"${{COMPREPLY[*]}}\""
        );
        let path = std::env::var("PATH").unwrap();
        let path = format!("{}:{path}", Path::new(PROGRAM).parent().unwrap().display());
        let mut bash = Command::new("bash");
        bash.args(["--norc", "-c", &line]).env("PATH", path).env_remove("SHARDSCALE_CONFIG").current_dir(&folder);
        let output = bash.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    assert_eq!(complete("shardscale col"), "collect");
    assert_eq!(complete("shardscale gen --shards-per"), "--shards-per-node");
    assert_eq!(complete("shardscale gen --file-cache d"), "direct drop");
    assert_eq!(complete("shardscale schema re"), "rehearse");
    // what depends on the line: sites, studies, interfaces, queues, what a site asks for
    assert_eq!(complete("shardscale gen --site lumi"), "lumi-c lumi-g");
    assert_eq!(complete("shardscale sites show front"), "frontera frontier");
    assert_eq!(complete("shardscale gen --study smartsim-inference-c"), "smartsim-inference-colocated");
    assert_eq!(
        complete("shardscale gen --site frontier --net-ifname hsn0,h"),
        "hsn0,hsn0 hsn0,hsn1 hsn0,hsn2 hsn0,hsn3"
    );
    assert_eq!(complete("shardscale gen --site = polaris --queue de"), "debug debug-scaling");
    assert_eq!(complete("shardscale gen --site polaris --set f"), "filesystems=");
    assert_eq!(complete("shardscale gen --queue d"), "", "no site, no queues");
    // a site file, where no site has such a name, and runs
    fs::write(folder.path().join("mine.toml"), "").unwrap();
    assert_eq!(complete("shardscale gen --site mi"), "mine.toml");
    let made = ["gen", "--site=local", "--deployment=standard", "--client=/bin/true", "--client-nodes=1"];
    assert!(Command::new(PROGRAM).args(made).current_dir(&folder).output().unwrap().status.success());
    assert!(complete("shardscale submit out --only stand").starts_with("standard-n1x"));
    assert_eq!(complete("shardscale collect o"), "out/");
    for shell in ["zsh", "fish", "elvish", "powershell"] {
        let script = Command::new(PROGRAM).args(["completions", shell]).output().unwrap();
        let text = String::from_utf8_lossy(&script.stdout).into_owned();
        assert!(text.contains("SHARDSCALE_COMPLETE") && !text.contains("target/"), "{shell}: {text}");
    }
}

#[test]
fn every_command_has_a_man_page() {
    let folder = tempfile::tempdir().unwrap();
    let pages = folder.path().join("man1");
    assert!(Command::new(PROGRAM).arg("man").arg(&pages).status().unwrap().success());
    for (page, text) in [
        ("shardscale.1", "scales on a supercomputer"),
        ("shardscale-gen.1", "shards\\-per\\-node"),
        ("shardscale-collect.1", "baseline"),
        ("shardscale-sites-new.1", "site"),
    ] {
        let found = fs::read_to_string(pages.join(page)).unwrap_or_default();
        assert!(found.contains(text), "{page}: {found}");
    }
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let output = Command::new(PROGRAM).arg("man").arg(file.join("pages")).output().unwrap();
    assert!(!output.status.success() && String::from_utf8_lossy(&output.stderr).contains("cannot make"));
}

#[test]
fn colours_are_as_asked_whatever_stdout_is() {
    let coloured = |args: &[&str], variable: Option<(&str, &str)>| {
        let mut gen_ = Command::new(PROGRAM);
        gen_.args(["gen", "--site=frontier", "--account=a", "--dry-run", "--client-nodes=2", "--out=/nowhere"])
            .args(args);
        for name in ["NO_COLOR", "CLICOLOR_FORCE", "CLICOLOR"] {
            gen_.env_remove(name);
        }
        let output = gen_.envs(variable).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout.contains(&0x1b)
    };
    assert!(!coloured(&[], None), "a pipe");
    assert!(coloured(&["--color=always"], None) && coloured(&[], Some(("CLICOLOR_FORCE", "1"))));
    assert!(coloured(&["--color=always"], Some(("NO_COLOR", "1"))), "a flag is nearer than a variable");
    assert!(!coloured(&["--color=never"], Some(("CLICOLOR_FORCE", "1"))));
}

#[test]
fn the_long_version_says_what_was_built_with_what() {
    let said = |args: &[&str]| String::from_utf8(Command::new(PROGRAM).args(args).output().unwrap().stdout).unwrap();
    let short = said(&["version"]);
    assert_eq!((short.as_str(), short.lines().count()), (said(&["--version"]).as_str(), 1));
    let long = said(&["version", "--long"]);
    assert!(long.starts_with(&short), "{long}");
    let fact = |name: &str| long.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().trim().to_owned();
    let git = Command::new("git").args(["rev-parse", "HEAD"]).current_dir(env!("CARGO_MANIFEST_DIR")).output();
    let head =
        git.ok().filter(|output| output.status.success()).map(|output| String::from_utf8(output.stdout).unwrap());
    let commit = fact("commit");
    assert_eq!(commit.trim_end_matches("-modified"), head.as_deref().unwrap_or("unknown").trim(), "{long}");
    assert!(fact("rustc").starts_with("rustc 1.") && fact("target").contains("linux"), "{long}");
    assert!(["debug", "release"].contains(&fact("profile").as_str()) && fact("features") == "none", "{long}");
}

#[test]
fn whoever_stops_reading_is_told_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let made = ["gen", "--site=local", "--client=/bin/true", "--client-nodes=1"];
    let run = |args: &[&str]| {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut program = Command::new(PROGRAM);
        let output = program.args(args).stdout(writer).current_dir(&folder).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    assert_eq!(run(&made).0, Some(141));
    assert!(fs::read_dir(folder.path().join("out")).unwrap().count() > 1, "the scripts are there all the same");
    for args in [
        &["gen", "--site=local", "--client=/bin/true", "--dry-run"][..],
        &["submit", "out", "--dry-run"],
        &["status", "out"],
        &["collect", "out"],
        &["sites"],
        &["sites", "show", "frontier"],
        &["schema", "site"],
        &["completions", "bash"],
        &["version"],
    ] {
        let (code, said) = run(args);
        assert!(code == Some(141) && !said.contains("pipe") && !said.contains("panicked"), "{args:?}: {code:?} {said}");
    }
    // an error of its own is told as ever
    let (code, said) = run(&["status", "nowhere"]);
    assert!(code == Some(1) && said.contains("nowhere"), "{code:?} {said}");
}
