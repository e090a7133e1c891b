//! How text stands on a terminal. Knows nothing of what it says.

use textwrap::core::display_width;

/// Columns of all tables.
pub const WIDTH: usize = 100;

/// An item of a list: control characters replaced, as many lines as it needs, none wider than [`WIDTH`].
pub fn item(text: &str) -> String {
    let options = textwrap::Options::new(WIDTH).initial_indent("- ").subsequent_indent("  ");
    textwrap::fill(&plain(text), options) + "\n"
}

/// Without control characters, which would steer the terminal.
pub fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{FFFD}' } else { c }).collect()
}

/// At most `width` columns; the middle gives way, since names differ at their ends.
pub fn cut(text: &str, width: usize) -> String {
    if display_width(text) <= width {
        return text.to_owned();
    }
    let chars: Vec<char> = text.chars().collect();
    let mut keep = chars.len();
    loop {
        let head: String = chars[..keep / 2].iter().collect();
        let tail: String = chars[chars.len() - keep.div_ceil(2)..].iter().collect();
        let shown = format!("{head}…{tail}");
        if keep == 0 || display_width(&shown) <= width {
            return shown;
        }
        keep -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_give_way_in_the_middle() {
        assert_eq!(cut("standard-n4", 11), "standard-n4");
        assert_eq!(cut("standard-n4x48-db16", 11), "stand…-db16");
        assert!(display_width(&cut("長い名前の実行ファイル", 10)) <= 10);
    }

    #[test]
    fn a_name_cannot_steer_the_terminal() {
        assert_eq!(plain("a\x1b[2Jb\n"), "a\u{FFFD}[2Jb\u{FFFD}");
    }
}
