//! The command line as Markdown, from the description that `--help` is made from.

use std::fmt::Write;

use clap::{Arg, Command};

/// A section for the program and one for each of its commands.
pub fn markdown(mut program: Command) -> String {
    program.build();
    let mut text = String::new();
    section(&program, &mut text);
    text
}

fn section(command: &Command, text: &mut String) {
    let name = command.get_bin_name().unwrap_or(command.get_name());
    let about = command.get_long_about().or(command.get_about()).map(ToString::to_string).unwrap_or_default();
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ");
    write!(text, "\n## {name}\n\n{}\n\n```text\n{usage}\n```\n", sentence(&about)).unwrap();
    let heading = |arg: &Arg| arg.get_help_heading().unwrap_or("Options").to_owned();
    let args: Vec<&Arg> = command.get_arguments().filter(|arg| is_worth_a_line(arg)).collect();
    let mut headings: Vec<String> = Vec::new();
    for arg in &args {
        if !headings.contains(&heading(arg)) {
            headings.push(heading(arg));
        }
    }
    for of in headings {
        write!(text, "\n### {of} {{#{}}}\n", slug(&format!("{name} {of}"))).unwrap();
        for arg in args.iter().filter(|arg| heading(arg) == of) {
            write!(text, "\n`{}`\n: {}\n", spelled(arg), described(arg)).unwrap();
        }
    }
    for command in command.get_subcommands().filter(|command| command.get_name() != "help") {
        section(command, text);
    }
}

/// Flags that every command has are said once, at the head of the page.
fn is_worth_a_line(arg: &Arg) -> bool {
    !arg.is_hide_set() && !["help", "version", "color"].contains(&arg.get_id().as_str())
}

fn spelled(arg: &Arg) -> String {
    let takes_value = arg.get_action().takes_values();
    let names: Vec<&str> = arg.get_value_names().unwrap_or_default().iter().map(|name| name.as_str()).collect();
    let value = if takes_value { format!("<{}>", names.join("> <")) } else { String::new() };
    match arg.get_long() {
        Some(long) => format!("--{long} {value}").trim_end().to_owned(),
        None => value,
    }
}

fn described(arg: &Arg) -> String {
    let takes_value = arg.get_action().takes_values();
    let help = arg.get_long_help().or(arg.get_help()).map(ToString::to_string).unwrap_or_default();
    let mut parts = vec![sentence(&help)];
    let defaults: Vec<String> =
        arg.get_default_values().iter().map(|value| format!("`{}`", value.to_string_lossy())).collect();
    if takes_value && !defaults.is_empty() && !arg.is_hide_default_value_set() {
        parts.push(format!("Default: {}.", defaults.join(", ")));
    }
    let values: Vec<String> = arg
        .get_possible_values()
        .iter()
        .map(|value| match value.get_help() {
            Some(help) => format!("`{}` ({help})", value.get_name()),
            None => format!("`{}`", value.get_name()),
        })
        .collect();
    if takes_value && !values.is_empty() {
        parts.push(format!("Values: {}.", values.join(", ")));
    }
    parts.extend(arg.get_visible_aliases().into_iter().flatten().map(|alias| format!("Also `--{alias}`.")));
    parts.extend(arg.get_env().map(|variable| format!("Variable: `{}`.", variable.to_string_lossy())));
    parts.join(" ").replace('\n', "\n  ")
}

/// Help ends without a full stop; what looks like markup there is none.
fn sentence(help: &str) -> String {
    let help = super::literal(help.trim());
    if help.ends_with(['.', ':']) { help } else { format!("{help}.") }
}

fn slug(text: &str) -> String {
    let kept = text.chars().filter(|c| c.is_alphanumeric() || " -".contains(*c)).collect::<String>();
    kept.to_lowercase().split_whitespace().collect::<Vec<_>>().join("-")
}
