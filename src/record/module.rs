//! Modules of a server: as a run asks for them, `redisai.so THREADS_PER_QUEUE 2`, and as the server lists them.

/// A loaded module in words: `ai 10207`, and behind it the file's name and the arguments where the server tells them, as Redis does
/// from 7 on: `ai 10207 (redisai.so THREADS_PER_QUEUE 2)`.
pub fn listed(name: &str, version: &str, path: Option<&str>, args: &[&str]) -> String {
    let origin = path.map(|path| format!(" ({})", [&[file_name(path)], args].concat().join(" ")));
    format!("{name} {version}{}", origin.unwrap_or_default())
}

/// Those of `asked` that are not among `loaded`, which holds texts of [`listed`]. Servers that tell no files are believed where they
/// have as many modules as were asked for: names of modules are not names of files.
pub fn missing<'a>(asked: &'a [String], loaded: &[String]) -> Vec<&'a str> {
    let origin = |text: &'_ String| Some(text.split_once(" (")?.1.strip_suffix(')')?.to_owned());
    let origins: Vec<String> = loaded.iter().filter_map(origin).collect();
    let believed = origins.is_empty() && loaded.len() >= asked.len();
    let is_missing = |module: &&String| !believed && !origins.contains(&as_listed(module));
    asked.iter().filter(is_missing).map(String::as_str).collect()
}

/// What was asked for as a server that tells files would list it.
fn as_listed(asked: &str) -> String {
    let mut words = asked.split_whitespace();
    let file = words.next().map(file_name);
    file.into_iter().chain(words).collect::<Vec<_>>().join(" ")
}

/// Name of the file of a module that is asked for.
pub fn file(asked: &str) -> &str {
    file_name(asked.split_whitespace().next().unwrap_or_default())
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_is_found_by_its_file_and_its_arguments() {
        let asked = ["/opt/redisai.so THREADS_PER_QUEUE 2".to_owned(), "b.so".to_owned()];
        let ai = listed("ai", "10207", Some("/lib/redisai.so"), &["THREADS_PER_QUEUE", "2"]);
        assert_eq!(ai, "ai 10207 (redisai.so THREADS_PER_QUEUE 2)");
        assert_eq!(missing(&asked, &[ai.clone(), listed("b", "1", Some("b.so"), &[])]), Vec::<&str>::new());
        // Valkey 9 lists its own interpreter as a module
        assert_eq!(missing(&asked, &[ai, listed("lua", "1", Some("lua"), &[])]), ["b.so"]);
        let other_args = listed("ai", "10207", Some("redisai.so"), &["THREADS_PER_QUEUE", "1"]);
        assert_eq!(missing(&asked[..1], &[other_args]), [asked[0].as_str()]);
        // Redis 6 tells names and versions
        assert_eq!(missing(&asked, &[listed("ai", "1", None, &[]), listed("bf", "2", None, &[])]), Vec::<&str>::new());
        assert_eq!(missing(&asked, &[listed("ai", "1", None, &[])]).len(), 2);
    }
}
