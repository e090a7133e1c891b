//! The axis `malloc_conf`: options of the servers' allocator, jemalloc, in the one spelling of flags, study files, manifests
//! and reports: `default`, or `dirty_decay_ms:-1+muzzy_decay_ms:0`. A comma, as MALLOC_CONF has it, separates values of the axis.

use std::fmt;
use std::str::FromStr;

use super::vocabulary::schema_of_text;

/// Longest text that stands in a permutation's name as it is.
const LONGEST_IN_NAME: usize = 40;

/// Options as (name, value), in the order given; none for the allocator's own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MallocConf(Vec<(String, String)>);

impl MallocConf {
    /// The allocator's own options.
    const DEFAULT: &'static str = "default";

    pub fn is_default(&self) -> bool {
        self.0.is_empty()
    }

    pub fn options(&self) -> &[(String, String)] {
        &self.0
    }

    /// As the environment variable MALLOC_CONF takes it; `None` for the allocator's own.
    pub fn variable(&self) -> Option<String> {
        (!self.is_default()).then(|| self.joined(":", ","))
    }

    /// Short, and of characters that schedulers accept in a job's name.
    pub fn short(&self) -> String {
        match self.joined(".", "+") {
            text if text.len() <= LONGEST_IN_NAME => text,
            text => format!("{:08x}", crc32fast::hash(text.as_bytes())),
        }
    }

    fn joined(&self, within: &str, between: &str) -> String {
        self.0.iter().map(|(name, value)| format!("{name}{within}{value}")).collect::<Vec<_>>().join(between)
    }
}

impl fmt::Display for MallocConf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&if self.is_default() { Self::DEFAULT.to_owned() } else { self.joined(":", "+") })
    }
}

impl FromStr for MallocConf {
    type Err = String;

    /// jemalloc itself skips what it does not understand with a line on stderr, so that a typing error would be measured.
    fn from_str(text: &str) -> Result<Self, String> {
        if text == Self::DEFAULT {
            return Ok(Self::default());
        }
        let wrong = || {
            format!(
                "{text:?} is no setting of the allocator; write {} or NAME:VALUE+NAME:VALUE such as \
                 dirty_decay_ms:-1+muzzy_decay_ms:0",
                Self::DEFAULT
            )
        };
        let plain = |part: &str, more: &str| {
            !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c))
        };
        let pair = |pair: &str| {
            let (name, value) = pair.split_once(':').ok_or_else(wrong)?;
            if !plain(name, "_") || !plain(value, "_-.") {
                return Err(wrong());
            }
            Ok((name.to_owned(), value.to_owned()))
        };
        text.split('+').map(pair).collect::<Result<_, _>>().map(MallocConf)
    }
}

super::vocabulary::as_text!(MallocConf);

schema_of_text!(
    MallocConf,
    r"^(default|[A-Za-z0-9_]+:[A-Za-z0-9_.-]+(\+[A-Za-z0-9_]+:[A-Za-z0-9_.-]+)*)$",
    "default, or options of the server's allocator such as dirty_decay_ms:-1+muzzy_decay_ms:0"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_read_back_and_become_the_variable() {
        let two: MallocConf = "dirty_decay_ms:-1+background_thread:true".parse().unwrap();
        assert_eq!(two.to_string(), "dirty_decay_ms:-1+background_thread:true");
        assert_eq!(two.variable().as_deref(), Some("dirty_decay_ms:-1,background_thread:true"));
        let default: MallocConf = "default".parse().unwrap();
        assert_eq!((default.variable(), default.to_string().as_str()), (None, "default"));
    }

    #[test]
    fn everything_else_is_refused() {
        for wrong in
            ["", "dirty_decay_ms", "a:", ":1", "a:1+", "a:1,b:2", "a:$(reboot)", "a:1;b", "a:'1'", "a=1", "a:1\nb:2"]
        {
            assert!(wrong.parse::<MallocConf>().unwrap_err().contains("dirty_decay_ms:-1"), "{wrong}");
        }
    }

    #[test]
    fn names_stay_short() {
        let short = |text: &str| text.parse::<MallocConf>().unwrap().short();
        assert_eq!(short("dirty_decay_ms:-1"), "dirty_decay_ms.-1");
        assert_eq!(short("dirty_decay_ms:-1+muzzy_decay_ms:0"), "dirty_decay_ms.-1+muzzy_decay_ms.0");
        assert_eq!(short("dirty_decay_ms:-1+muzzy_decay_ms:0+background_thread:true").len(), 8);
    }
}
