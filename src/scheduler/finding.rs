//! What is wrong with a script: the rule that it breaks, and where.

use std::fmt;

/// What to look for, why it matters, and what to do instead.
#[derive(Debug, PartialEq, Eq)]
pub struct Rule {
    pub name: &'static str,
    pub why: &'static str,
    pub remedy: &'static str,
}

/// A rule that a script breaks.
#[derive(Debug, PartialEq, Eq)]
pub struct Finding {
    /// Counts from 1; 0 speaks of the file as a whole.
    pub line: usize,
    pub rule: &'static Rule,
    /// What stands there.
    pub what: String,
}

impl Finding {
    pub fn new(line: usize, rule: &'static Rule, what: impl Into<String>) -> Finding {
        Finding { line, rule, what: what.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Finding { line, rule, what } = self;
        write!(f, "{line}: {}: {what}", rule.name)?;
        [rule.why, rule.remedy].iter().filter(|text| !text.is_empty()).try_for_each(|text| write!(f, "\n    {text}"))
    }
}
