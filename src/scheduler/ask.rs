//! Asking programs of a scheduler or of Linux; nothing goes through a shell.

use std::ffi::OsStr;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

/// Standard output of a program.
///
/// # Errors
/// There is no such program, or it failed: with what it said.
pub fn ask(program: &str, args: &[impl AsRef<OsStr>]) -> Result<String> {
    output(Command::new(program).args(args))
}

/// The same of a command that is made already.
///
/// # Errors
/// As [`ask`].
pub fn output(command: &mut Command) -> Result<String> {
    output_of(command, Stdio::null())
}

/// The same with something to read.
///
/// # Errors
/// As [`ask`].
pub fn output_of(command: &mut Command, input: Stdio) -> Result<String> {
    // the C locale: the parsers read English
    let output = command.env("LC_ALL", "C").stdin(input).output();
    let program = command.get_program().to_string_lossy();
    let output = output.with_context(|| format!("cannot run {program}: is this a login node of the machine?"))?;
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    ensure!(output.status.success(), "{program} ended with {}: {said}", output.status);
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

pub fn words(text: &[&str]) -> Vec<String> {
    text.iter().map(|word| (*word).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_is_not_there_or_fails_says_so() {
        let error = |program: &str| ask(program, &[""; 0]).unwrap_err().to_string();
        assert!(error("shardscale-no-such-program").contains("is this a login node"));
        assert!(error("false").contains("false ended with exit status: 1"));
        assert_eq!(ask("echo", &["a"]).unwrap(), "a\n");
    }
}
