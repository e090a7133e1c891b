//! Getting values into bash and into schedulers' directives without their becoming code.

use std::io::Write;

/// Quotes `text` as one word of bash; a word that needs no quotes gets none, so that scripts stay readable.
///
/// It is the escape function of all script templates: what a template inserts is quoted unless it is marked safe.
pub fn quote(text: &str, to: &mut dyn Write) -> std::io::Result<()> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_./:=,+@%-".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return to.write_all(text.as_bytes());
    }
    // inside single quotes bash knows no special character but the single quote itself
    write!(to, "'{}'", text.replace('\'', r"'\''"))
}

/// `text` as one word of bash; see [`quote`].
pub fn shell_word(text: &str) -> String {
    let mut word = Vec::new();
    // a Vec takes whatever is written into it
    let _ = quote(text, &mut word);
    String::from_utf8_lossy(&word).into_owned()
}

/// Passes a value into a directive, where no shell and no quoting is at work.
///
/// # Errors
/// A character that schedulers read differently or that could end the line.
pub fn directive(text: &str) -> Result<&str, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || " _./:=,+@%-[]*&|\"".contains(c);
    match text.chars().find(|c| !plain(*c)) {
        None => Ok(text),
        Some(c) => Err(format!(
            "{text:?} has {c:?}, which a scheduler's directive cannot hold; allowed: letters, digits, blank and _ . / : = , + @ % - [ ] * & | \""
        )),
    }
}

/// Passes a value that is one word of a directive, such as an account: a blank in it would begin another word.
///
/// # Errors
/// As [`directive`], and a character that makes no plain word.
pub fn directive_word(text: &str) -> Result<&str, String> {
    directive(text)?;
    match text.chars().find(|c| " []*&|\"".contains(*c)) {
        None => Ok(text),
        Some(c) => Err(format!(
            "{text:?} has {c:?}, which a scheduler's directive cannot hold inside a value; allowed: letters, digits and _ . / : = , + @ % -"
        )),
    }
}

/// A folder as one word of bash: quoted, but for the variables that it names as `$NAME` or `${NAME}`, which must be set.
pub fn folder(text: &str) -> String {
    let mut word = String::new();
    let mut rest = text;
    while let Some((before, name, after)) = variable(rest) {
        if !before.is_empty() {
            word.push_str(&shell_word(before));
        }
        word.push_str(&format!("\"${{{name}:?}}\""));
        rest = after;
    }
    if !rest.is_empty() || word.is_empty() {
        word.push_str(&shell_word(rest));
    }
    word
}

/// The first variable of `text`, with what stands before and behind it.
fn variable(text: &str) -> Option<(&str, &str, &str)> {
    let mut from = 0;
    loop {
        let at = from + text[from..].find('$')?;
        let inside = &text[at + 1..];
        let (inside, braced) = inside.strip_prefix('{').map_or((inside, false), |inside| (inside, true));
        let length = inside.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(inside.len());
        let (name, after) = inside.split_at(length);
        let after = if braced { after.strip_prefix('}') } else { Some(after) };
        match after {
            Some(after) if name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') => {
                return Some((&text[..at], name, after));
            }
            _ => from = at + 1,
        }
    }
}

/// Makes a value fit a comment: one line.
pub fn comment(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::process::Command;

    fn quoted(text: &str) -> String {
        let mut out = Vec::new();
        quote(text, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn plain_words_stay_plain() {
        assert_eq!(quoted("/lustre/out/standard-n4x48"), "/lustre/out/standard-n4x48");
        assert_eq!(quoted(""), "''");
        assert_eq!(quoted("a b"), "'a b'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted("$(id)`id`"), "'$(id)`id`'");
        assert_eq!(quoted("~root"), "'~root'");
    }

    #[test]
    fn directives_refuse_what_would_end_or_change_them() {
        assert_eq!(directive("-l select=2:ncpus=64"), Ok("-l select=2:ncpus=64"));
        for hostile in ["x\n#SBATCH -A y", "a#b", "$HOME", "`id`", "a;b", "a'b", "a\\b"] {
            assert!(directive(hostile).is_err(), "{hostile:?}");
        }
    }

    #[test]
    fn a_word_of_a_directive_has_no_blank() {
        assert_eq!(directive_word("home:eagle,grand"), Ok("home:eagle,grand"));
        for wrong in ["a b", "a\"", "a|b", "$HOME"] {
            assert!(directive_word(wrong).unwrap_err().contains("a scheduler's directive cannot hold"), "{wrong:?}");
        }
    }

    #[test]
    fn a_folder_keeps_its_variables_and_nothing_else_of_bash() {
        assert_eq!(folder("/tmp"), "/tmp");
        assert_eq!(folder("$TMPDIR"), "\"${TMPDIR:?}\"");
        assert_eq!(folder("/mnt/bb/${USER}/a b"), "/mnt/bb/\"${USER:?}\"'/a b'");
        for hostile in ["/$(id)", "/`id`", "/${x:-$(id)}", "/$1", "/a$", "/${", "/'$(id)"] {
            let output = Command::new("bash").args(["-c", &format!("printf %s {}", folder(hostile))]).output().unwrap();
            assert_eq!(String::from_utf8_lossy(&output.stdout), hostile);
        }
        let run = |value: &str| {
            let mut command = Command::new("bash");
            command.args(["-c", &format!("printf %s {}", folder("$SHARDSCALE_X/a"))]).env("SHARDSCALE_X", value);
            command.output().unwrap()
        };
        assert_eq!(String::from_utf8_lossy(&run("/t $(id)").stdout), "/t $(id)/a");
        assert!(!run("").status.success(), "an empty variable must not become the root folder");
    }

    #[test]
    fn a_comment_stays_on_its_line() {
        assert_eq!(comment("a\nrm -rf b\r\u{1b}[0m"), "a rm -rf b  [0m");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn bash_reads_back_what_was_quoted(text in "[^\\x00]{0,40}") {
            let script = format!("printf %s {}", quoted(&text));
            let output = Command::new("bash").args(["-c", &script]).output().unwrap();
            prop_assert_eq!(String::from_utf8_lossy(&output.stdout), text);
        }
    }
}
