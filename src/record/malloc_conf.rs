//! Options of the servers' allocator, jemalloc, as MALLOC_CONF takes them: `dirty_decay_ms:-1,background_thread:true`.

/// Reads a list of `name:value` pairs.
///
/// jemalloc itself skips what it does not understand with a line on stderr, so that a typing error would be measured.
pub fn parse(text: &str) -> Result<Vec<(String, String)>, String> {
    let wrong = || {
        format!(
            "{text:?} is no list of allocator options; write NAME:VALUE,NAME:VALUE such as dirty_decay_ms:-1,muzzy_decay_ms:0"
        )
    };
    let plain = |part: &str, more: &str| {
        !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c))
    };
    let pair = |pair: &str| {
        let (name, value) = pair.split_once(':').ok_or_else(wrong)?;
        if !plain(name, "_") || !plain(value, "_-.|") {
            return Err(wrong());
        }
        Ok((name.to_owned(), value.to_owned()))
    };
    text.split(',').map(pair).collect()
}

/// Checks without keeping: for flags and study files, which keep the text.
pub fn check(text: &str) -> Result<String, String> {
    parse(text).map(|_| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_read_and_everything_else_is_refused() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            parse("dirty_decay_ms:-1,background_thread:true"),
            Ok(vec![pair("dirty_decay_ms", "-1"), pair("background_thread", "true")])
        );
        for wrong in
            ["", "dirty_decay_ms", "a:", ":1", "a:1,", "a:1 ,b:2", "a:$(reboot)", "a:1;b", "a:'1'", "a=1", "a:1\nb:2"]
        {
            assert!(parse(wrong).unwrap_err().contains("dirty_decay_ms:-1"), "{wrong}");
        }
    }
}
