//! Rules that all schedulers' directives share, and their options as words.

use super::finding::{Finding, Rule};

/// A line that is a directive, or looks like one.
#[derive(Debug, Clone, Copy)]
pub struct Directive<'a> {
    /// Counts from 1.
    pub line: usize,
    /// What stands behind the prefix, without outer blanks.
    pub text: &'a str,
    /// Spelled so that the scheduler reads it; else `# PBS`, `##PBS`, `#pbs`.
    pub exact: bool,
    /// Behind the first command, where no scheduler looks any more.
    pub late: bool,
}

/// A scheduler's words for what has a name of ours.
pub type Words = &'static [(&'static str, &'static [&'static str])];

const LATE: Rule = Rule {
    name: "late-directive",
    why: "Schedulers stop reading directives at the first command: this line is ignored in silence.",
    remedy: "Move it above the first command.",
};
pub const SPELLING: Rule = Rule {
    name: "spelled-as-comment",
    why: "Only #SBATCH, #PBS and #BSUB in capitals, with one # and no blank behind it, are directives: this line is ignored in silence.",
    remedy: "Write it as a directive, or in words if it is off on purpose.",
};
pub const VARIABLE: Rule = Rule {
    name: "variable-in-directive",
    why: "No shell reads directives: the dollar sign is taken literally.",
    remedy: "Write the value, or give it on the command line of sbatch, qsub or bsub.",
};
pub const MINUTES: Rule =
    Rule { name: "minutes-not-hours", why: "Two numbers are minutes and seconds.", remedy: "Write HH:MM:SS." };
pub const WALLTIME: Rule =
    Rule { name: "walltime", why: "The scheduler does not read this as a time.", remedy: "Write HH:MM:SS." };

/// An option of a directive line: `-N`, `--nodes`, and its value.
#[derive(Debug, PartialEq, Eq)]
pub struct Opt<'a> {
    pub line: usize,
    pub name: &'a str,
    pub value: &'a str,
}

/// The directives that the scheduler reads; `findings` gets those that it does not.
pub fn honoured<'a>(lines: &[Directive<'a>], findings: &mut Vec<Finding>) -> Vec<Directive<'a>> {
    for line in lines {
        if !line.exact {
            findings.push(Finding::new(line.line, &SPELLING, format!("{} is a comment", line.text)));
        } else if line.late {
            findings.push(Finding::new(line.line, &LATE, format!("{} stands behind the first command", line.text)));
        } else if line.text.contains('$') {
            findings.push(Finding::new(line.line, &VARIABLE, format!("{} holds a variable", line.text)));
        }
    }
    lines.iter().copied().filter(|line| line.exact && !line.late).collect()
}

/// `-N x`, `-Nx`, `--nodes=4`, `--nodes 4`, one after another; a value may be quoted with blanks in it.
pub fn options<'a>(line: &Directive<'a>) -> Vec<Opt<'a>> {
    let mut words = words(line.text).into_iter().peekable();
    let mut options = Vec::new();
    while let Some(word) = words.next() {
        let (name, attached) = if word.starts_with("--") {
            word.split_once('=').unwrap_or((word, ""))
        } else if word.starts_with('-') && word.is_char_boundary(2) && word.len() >= 2 {
            word.split_at(2)
        } else {
            (word, "")
        };
        let value = match words.peek() {
            Some(next) if attached.is_empty() && word.starts_with('-') && !next.starts_with(['-', '#']) => {
                words.next().unwrap_or_default()
            }
            _ => attached,
        };
        options.push(Opt { line: line.line, name, value: value.trim_matches(['"', '\'']) });
    }
    options
}

/// What stands behind a prefix such as `#PBS`, and whether a scheduler reads it; `None` where it is another comment.
pub fn behind<'a>(raw: &'a str, prefix: &str) -> Option<(&'a str, bool)> {
    let (line, name) = (raw.trim_start(), prefix.trim_start_matches('#'));
    if let Some(rest) = line.strip_prefix(prefix) {
        // PBS reads `#PBS-l` too; a word that only begins like it, such as #PBSPRO, is another comment
        return rest.starts_with([' ', '\t', '-']).then(|| (rest.trim(), true));
    }
    let rest = line.trim_start_matches(['#', ' ', '\t']);
    let (word, rest) = rest.split_at_checked(name.len())?;
    // prose may begin with the word: only an option behind it makes a directive that was meant
    let meant = word.eq_ignore_ascii_case(name) && rest.trim_start().starts_with('-');
    meant.then(|| (rest.trim(), false))
}

/// Words apart at blanks outside double or single quotes.
fn words(text: &str) -> Vec<&str> {
    let mut quote = None;
    let apart = |c: char| {
        match quote {
            Some(open) if c == open => quote = None,
            None if c == '"' || c == '\'' => quote = Some(c),
            _ => {}
        }
        quote.is_none() && c.is_whitespace()
    };
    text.split(apart).filter(|word| !word.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_come_apart() {
        let line = Directive {
            line: 7,
            text: "-N 4 --time=1:00 -Aabc --exclusive -C \"[A*2&B]\" --comment 'a b'",
            exact: true,
            late: false,
        };
        let seen: Vec<_> = options(&line).iter().map(|option| (option.name, option.value)).collect();
        assert_eq!(
            seen,
            [
                ("-N", "4"),
                ("--time", "1:00"),
                ("-A", "abc"),
                ("--exclusive", ""),
                ("-C", "[A*2&B]"),
                ("--comment", "a b")
            ]
        );
    }
}
