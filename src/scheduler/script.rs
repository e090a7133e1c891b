//! A script's text as schedulers and bash see it: comments, directives among them, and commands.

use super::Scheduler;
use super::directive::Directive;

/// A line that is a comment.
#[derive(Debug)]
struct Comment<'a> {
    line: usize,
    text: &'a str,
    /// Behind the first command.
    late: bool,
}

/// A command with its continuation lines, without comments.
#[derive(Debug)]
pub struct Command {
    pub line: usize,
    pub text: String,
}

/// A script, taken apart.
#[derive(Debug)]
pub struct Script<'a> {
    pub text: &'a str,
    comments: Vec<Comment<'a>>,
    pub commands: Vec<Command>,
}

impl<'a> Script<'a> {
    pub fn parse(text: &'a str) -> Script<'a> {
        let mut script = Script { text, comments: Vec::new(), commands: Vec::new() };
        let mut heredoc: Option<String> = None;
        let mut open = false; // the last command goes on
        for (index, raw) in text.trim_start_matches('\u{feff}').lines().enumerate() {
            let (line, trimmed) = (index + 1, raw.trim());
            if let Some(end) = &heredoc {
                if trimmed == end {
                    heredoc = None;
                }
                continue;
            }
            if trimmed.starts_with('#') && !open {
                let late = !script.commands.is_empty();
                script.comments.push(Comment { line, text: raw, late });
                continue;
            }
            let code = without_comment(trimmed);
            heredoc = heredoc_end(code);
            let goes_on = code.strip_suffix('\\');
            let code = goes_on.unwrap_or(code).trim_end();
            match script.commands.last_mut() {
                Some(command) if open => {
                    command.text.push(' ');
                    command.text.push_str(code);
                }
                _ if code.is_empty() => {}
                _ => script.commands.push(Command { line, text: code.to_owned() }),
            }
            open = goes_on.is_some();
        }
        script
    }

    /// The directives of a scheduler, and what looks like it.
    pub fn directives(&self, scheduler: &dyn Scheduler) -> Vec<Directive<'a>> {
        let directive = |comment: &Comment<'a>| {
            let (text, exact) = scheduler.directive(comment.text)?;
            Some(Directive { line: comment.line, text, exact, late: comment.late })
        };
        self.comments.iter().filter_map(directive).collect()
    }

    /// Line where the script reads its arguments; those of its functions are other ones.
    pub fn reads_arguments(&self) -> Option<usize> {
        let mut in_function = false;
        for Command { line, text } in &self.commands {
            let opens = text.contains("()");
            in_function = (in_function || opens) && !matches!(text.as_str(), "}" | ")");
            if !in_function && ["\"$@\"", "\"$1\"", "$#", "${1"].iter().any(|word| text.contains(word)) {
                return Some(*line);
            }
            in_function &= !(opens && text.ends_with(['}', ')']));
        }
        None
    }
}

impl Command {
    /// The programs that the line calls, each with its arguments, as far as blanks and operators tell.
    pub fn calls(&self) -> impl Iterator<Item = Vec<&str>> {
        const BEFORE: [&str; 12] =
            ["exec", "if", "then", "else", "elif", "do", "while", "until", "!", "{", "time", "command"];
        self.text.split([';', '|', '(', '`']).flat_map(|part| part.split("&&")).map(|part| {
            let assigns = |word: &str| {
                word.split_once('=').is_some_and(|(name, _)| name.chars().all(|c| c.is_alphanumeric() || c == '_'))
            };
            part.split_whitespace().skip_while(|word| BEFORE.contains(word) || assigns(word)).collect()
        })
    }

    /// The line ends with `&`: it runs beside those that follow.
    pub fn in_background(&self) -> bool {
        self.text.ends_with('&') && !self.text.ends_with("&&")
    }
}

/// The code of a line: up to a `#` that begins a word outside quotes.
fn without_comment(line: &str) -> &str {
    let (mut quote, mut before) = (None, ' ');
    for (at, c) in line.char_indices() {
        match quote {
            None if c == '#' && before.is_whitespace() => return line[..at].trim_end(),
            None if (c == '\'' || c == '"') && before != '\\' => quote = Some(c),
            Some(open) if c == open && before != '\\' => quote = None,
            _ => {}
        }
        before = c;
    }
    line
}

/// The line that ends the here-document which `code` opens.
fn heredoc_end(code: &str) -> Option<String> {
    let (_, rest) = code.split_once("<<").filter(|(_, rest)| !rest.starts_with('<'))?;
    let word = rest.trim_start_matches('-').split_whitespace().next()?;
    let end: String = word.chars().filter(|c| !"'\"\\;)".contains(*c)).collect();
    end.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_').then_some(end)
}

#[cfg(test)]
mod tests {
    use super::super::pbs::Pbs;
    use super::*;

    #[test]
    fn directives_are_told_from_comments_and_late_ones_are_marked() {
        let text =
            "#!/bin/bash\n#PBS -N a\n# a remark on PBS jobs\n## PBS -q b\n#pbs -q c\n#PBS-l x=1\n\ncd /\n#PBS -q d\n";
        let seen: Vec<_> = Script::parse(text)
            .directives(&Pbs)
            .iter()
            .map(|line| (line.line, line.text, line.exact, line.late))
            .collect();
        assert_eq!(
            seen,
            [
                (2, "-N a", true, false),
                (4, "-q b", false, false),
                (5, "-q c", false, false),
                (6, "-l x=1", true, false),
                (9, "-q d", true, true)
            ]
        );
    }

    #[test]
    fn commands_are_joined_and_stripped_and_here_documents_are_no_code() {
        let text = "srun -n 2 \\\n  prog & # beside\ncat > a <<'END'\n#SBATCH -N 2\nEND\necho \"a # b\"\n";
        let script = Script::parse(text);
        assert!(script.comments.is_empty());
        let seen: Vec<_> = script.commands.iter().map(|command| (command.line, command.text.as_str())).collect();
        assert_eq!(seen, [(1, "srun -n 2 prog &"), (3, "cat > a <<'END'"), (6, "echo \"a # b\"")]);
        assert!(script.commands[0].in_background());
    }

    #[test]
    fn calls_are_found_behind_assignments_and_keywords() {
        let command = Command { line: 1, text: "if A=1 exec setsid x; then ssh y & fi".into() };
        let calls: Vec<_> = command.calls().filter_map(|call| call.first().copied()).collect();
        assert_eq!(calls, ["setsid", "ssh"]);
    }
}
