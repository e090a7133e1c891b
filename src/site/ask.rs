//! Values that only the user knows, and where they stand in the file's lines.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A value that only the user knows.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    /// What it is and how a user finds it out.
    pub question: String,
    /// What such a value looks like.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub example: Option<String>,
    /// Taken where the user gives none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// Without it no script is written; else the lines that need it are left out, and a note says so.
    #[serde(default)]
    pub refuse: bool,
}

/// The first `{name}` of small letters, digits and `_`, with what stands before and behind it; bash's `${NAME}` is none.
pub fn placeholder(text: &str) -> Option<(&str, &str, &str)> {
    let mut from = 0;
    loop {
        let open = from + text[from..].find('{')?;
        let inside = &text[open + 1..];
        let length = inside.find(|c: char| !is_name_char(c))?;
        if length > 0 && inside[length..].starts_with('}') && !text[..open].ends_with('$') {
            return Some((&text[..open], &inside[..length], &inside[length + 1..]));
        }
        from = open + 1;
    }
}

/// Names of all placeholders of `text`, in order.
pub fn placeholders(mut text: &str) -> Vec<&str> {
    let mut names = Vec::new();
    while let Some((_, name, rest)) = placeholder(text) {
        names.push(name);
        text = rest;
    }
    names
}

/// Whether a placeholder's name may have it.
pub fn is_name_char(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_small_words_in_braces() {
        assert_eq!(placeholder("-A {account} -q x"), Some(("-A ", "account", " -q x")));
        for none in ["${account}", "{Account}", "{}", "a {b", "{ a; }", "${#a[@]}"] {
            assert_eq!(placeholder(none), None, "{none:?}");
        }
        assert_eq!(placeholders("a {b} {c_1}{b} ${d}"), ["b", "c_1", "b"]);
    }
}
