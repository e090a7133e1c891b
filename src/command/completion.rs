//! What a shell is told while a user types: commands, flags and words, and values that depend on what stands on the line already:
//! sites, studies, a site's interfaces and queues, runs of a folder.
//!
//! The shell's script asks this program, with [`ASKED`] in its environment. That interface and the script belong to one version of
//! the program. Whatever cannot be read offers nothing: a completion says no errors.

use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::{Command, CommandFactory};
use clap_complete::engine::{
    ArgValueCandidates, ArgValueCompleter, CompletionCandidate, PathCompleter, ValueCompleter,
};
use clap_complete::env::Shells;
use clap_complete::{CompleteEnv, Shell};
use shardscale::record::manifest;
use shardscale::site::{self, Site};
use shardscale::study::StudyFile;

use crate::cli::Cli;

/// The variable that tells a question of the shell from a command.
const ASKED: &str = "SHARDSCALE_COMPLETE";
const PROGRAM: &str = "shardscale";

/// Answers the shell and ends, if it is the shell that asks.
pub fn answer() {
    CompleteEnv::with_factory(command).var(ASKED).complete();
}

/// Prints the script that a shell sources. It calls the program by its name: a path would be that of the build.
pub fn print_script(shell: Shell) -> Result<()> {
    let name = shell.to_string();
    let shells = Shells::builtins();
    let completer = shells.completer(&name).with_context(|| format!("there are no completions for {name}"))?;
    let mut script = Vec::new();
    completer.write_registration(ASKED, PROGRAM, PROGRAM, PROGRAM, &mut script)?;
    std::io::stdout().lock().write_all(&script).context("cannot write to stdout")
}

/// The command line with its values.
fn command() -> Command {
    let names = ArgValueCompleter::new(|typed: &OsStr| or_file(typed, sites()));
    let studies = ArgValueCompleter::new(|typed: &OsStr| or_file(typed, StudyFile::builtin_names()));
    let of_site =
        |values: fn(&Site) -> Vec<String>| ArgValueCandidates::new(move || candidates(site().as_ref().map(values)));
    Cli::command()
        .mut_subcommand("gen", |gen_| {
            gen_.mut_arg("site", |arg| arg.add(names.clone()))
                .mut_arg("study", |arg| arg.add(studies))
                .mut_arg("net_ifname", |arg| arg.add(of_site(interfaces)))
                .mut_arg("colocated_ifname", |arg| arg.add(of_site(interfaces)))
                .mut_arg("queue", |arg| arg.add(of_site(queues)))
                .mut_arg("db_queue", |arg| arg.add(of_site(queues)))
                .mut_arg("set", |arg| arg.add(of_site(asks)))
        })
        .mut_subcommand("submit", |submit| submit.mut_arg("only", |arg| arg.add(ArgValueCandidates::new(runs))))
        .mut_subcommand("sites", |sites| {
            sites
                .mut_subcommand("show", |show| show.mut_arg("site", |arg| arg.add(names.clone())))
                .mut_subcommand("check", |check| check.mut_arg("site", |arg| arg.add(names)))
        })
}

fn candidates(values: impl IntoIterator<Item = Vec<String>>) -> Vec<CompletionCandidate> {
    values.into_iter().flatten().map(CompletionCandidate::new).collect()
}

/// The names that go on as `typed` does, and files.
fn or_file(typed: &OsStr, names: Vec<String>) -> Vec<CompletionCandidate> {
    let typed_text = typed.to_string_lossy();
    let mut all: Vec<_> =
        names.into_iter().filter(|name| name.starts_with(&*typed_text)).map(CompletionCandidate::new).collect();
    // names first, and files where no name fits: a folder has many
    if all.is_empty() {
        let is_toml = |path: &Path| path.is_dir() || path.extension().is_some_and(|extension| extension == "toml");
        all = PathCompleter::any().filter(is_toml).complete(typed);
    }
    all
}

fn sites() -> Vec<String> {
    site::names(config().as_deref()).unwrap_or_default()
}

/// The site that the line names.
fn site() -> Option<Site> {
    site::load(value_of("--site")?.to_str()?, config().as_deref()).ok()
}

fn config() -> Option<PathBuf> {
    value_of("--config").or_else(|| std::env::var_os("SHARDSCALE_CONFIG")).map(PathBuf::from)
}

/// What stands behind a flag on the line. bash takes `--flag=value` for three words.
fn value_of(flag: &str) -> Option<OsString> {
    let words: Vec<OsString> = std::env::args_os().collect();
    let joined = words.iter().find_map(|word| word.to_str()?.strip_prefix(flag)?.strip_prefix('='));
    let behind = || {
        let at = words.iter().position(|word| word == flag)?;
        words[at + 1..].iter().find(|word| *word != "=").cloned()
    };
    joined.map(OsString::from).or_else(behind)
}

fn interfaces(site: &Site) -> Vec<String> {
    let all = site.nodes.iter().flat_map(|node| &node.interfaces).map(|interface| interface.name.clone());
    sorted(all)
}

fn queues(site: &Site) -> Vec<String> {
    sorted(site.queues.iter().map(|queue| queue.name.clone()))
}

fn asks(site: &Site) -> Vec<String> {
    site.ask.keys().map(|name| format!("{name}=")).collect()
}

fn sorted(names: impl Iterator<Item = String>) -> Vec<String> {
    let mut names: Vec<String> = names.collect();
    names.sort();
    names.dedup();
    names
}

/// Runs of the folder that the line names, or of `out`.
fn runs() -> Vec<CompletionCandidate> {
    let mut words = std::env::args_os().skip(1).map(PathBuf::from);
    let folder = words.rfind(|word| word.is_dir()).unwrap_or_else(|| PathBuf::from("out"));
    let entries = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let names = entries.filter(|entry| entry.path().join(manifest::FILE).is_file()).map(|entry| entry.file_name());
    candidates([sorted(names.filter_map(|name| name.into_string().ok()))])
}
