//! The axis `cpu_bind`: who decides on which CPUs servers and ranks run, in the one spelling of flags, study files,
//! manifests and reports.
//!
//! This module knows words and CPU sets. It must not know nodes (which CPUs exist) or launchers (how a mask is passed).

use std::fmt;
use std::str::FromStr;

use super::cpus::CpuSet;
use super::vocabulary::BindKind;

/// Who decides on which CPUs servers and ranks run.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CpuBind {
    /// `none`: nobody; the operating system moves them.
    None,
    /// `scheduler`: the scheduler or launcher, from the number of CPUs that each process asks for.
    Scheduler,
    /// `mask`: ShardScale, by explicit masks for servers and ranks.
    Mask,
    /// `mask-db`: ShardScale pins the servers and leaves the ranks free.
    MaskDb,
    /// `mask-app`: ShardScale pins the ranks and leaves the servers free.
    MaskApp,
    /// `mask:[db=0x..,]0x..,0x..`: masks from the user, one for each rank of a node. `db=` is the server's; without it the
    /// server gets CPUs that no rank has.
    Masks { db: Option<CpuSet>, ranks: Vec<CpuSet> },
    /// `map:[db=0-7,]8,9,..`: the CPU of each rank of a node, from the user.
    Map { db: Option<CpuSet>, ranks: Vec<u32> },
}

impl CpuBind {
    /// What a launcher must be able to do for it.
    pub fn kind(&self) -> BindKind {
        match self {
            CpuBind::None => BindKind::None,
            CpuBind::Scheduler => BindKind::Scheduler,
            _ => BindKind::Mask,
        }
    }

    /// Whether servers, and whether ranks, are pinned to CPUs that are known beforehand.
    pub fn pins(&self) -> (bool, bool) {
        match self {
            CpuBind::None | CpuBind::Scheduler => (false, false),
            CpuBind::MaskDb => (true, false),
            CpuBind::MaskApp => (false, true),
            CpuBind::Mask | CpuBind::Masks { .. } | CpuBind::Map { .. } => (true, true),
        }
    }

    /// Short enough for a permutation's name: the word, or the word and a checksum of the user's CPUs.
    pub fn short(&self) -> String {
        match self {
            CpuBind::Masks { .. } | CpuBind::Map { .. } => {
                let text = self.to_string();
                let word = text.split(':').next().unwrap_or_default();
                format!("{word}_{:08x}", crc32fast::hash(text.as_bytes()))
            }
            plain => plain.to_string(),
        }
    }

    /// Splits a comma-separated list of bindings: what begins with a digit or `db=` continues the `mask:` or `map:` before it.
    ///
    /// # Errors
    /// The first value that is no binding.
    pub fn parse_list(text: &str) -> Result<Vec<CpuBind>, String> {
        let mut words: Vec<String> = Vec::new();
        for part in text.split(',') {
            match words.last_mut() {
                Some(word)
                    if word.contains(':') && part.starts_with(|c: char| c.is_ascii_hexdigit()) && !is_word(part) =>
                {
                    word.push(',');
                    word.push_str(part);
                }
                _ => words.push(part.to_owned()),
            }
        }
        words.iter().map(|word| word.parse()).collect()
    }
}

const WORDS: [&str; 5] = ["none", "scheduler", "mask", "mask-db", "mask-app"];

fn is_word(text: &str) -> bool {
    WORDS.contains(&text) || text.starts_with("mask:") || text.starts_with("map:")
}

impl FromStr for CpuBind {
    type Err = String;

    fn from_str(text: &str) -> Result<CpuBind, String> {
        Ok(match text {
            "none" => CpuBind::None,
            "scheduler" => CpuBind::Scheduler,
            "mask" => CpuBind::Mask,
            "mask-db" => CpuBind::MaskDb,
            "mask-app" => CpuBind::MaskApp,
            _ => match text.split_once(':') {
                Some(("mask", masks)) => {
                    let (db, ranks) = split_db(masks)?;
                    let db = db.map(CpuSet::from_mask).transpose()?;
                    CpuBind::Masks {
                        db,
                        ranks: ranks.iter().map(|mask| CpuSet::from_mask(mask)).collect::<Result<_, _>>()?,
                    }
                }
                Some(("map", cpus)) => {
                    let (db, ranks) = split_db(cpus)?;
                    let db = db.map(|list| list.replace('+', ",").parse()).transpose()?;
                    let cpu = |text: &&str| {
                        text.parse::<u32>()
                            .map_err(|_| format!("{text:?} is no CPU number; write for example map:8,9,10"))
                    };
                    CpuBind::Map { db, ranks: ranks.iter().map(cpu).collect::<Result<_, _>>()? }
                }
                _ => {
                    return Err(format!(
                        "{text:?} is not a CPU binding; allowed: {}, mask:[db=0x..,]0x..,0x.. and map:[db=0-7,]8,9,..",
                        WORDS.join(", ")
                    ));
                }
            },
        })
    }
}

/// Splits `db=X,A,B` into X and [A, B]; ranges in the CPUs of `map:db=` use `+` where the kernel's list has a comma.
fn split_db(text: &str) -> Result<(Option<&str>, Vec<&str>), String> {
    let (db, rest) = match text.strip_prefix("db=") {
        Some(text) => {
            let (db, rest) =
                text.split_once(',').ok_or_else(|| format!("{text:?} names the server's CPUs and none of a rank"))?;
            (Some(db), rest)
        }
        None => (None, text),
    };
    let ranks: Vec<&str> = rest.split(',').collect();
    if ranks.iter().any(|rank| rank.is_empty()) {
        return Err(format!("{text:?} has an empty place where a rank's CPU should stand"));
    }
    Ok((db, ranks))
}

impl fmt::Display for CpuBind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let with_db = |word: &str, db: Option<String>, ranks: Vec<String>| {
            let db = db.map(|cpus| format!("db={cpus},")).unwrap_or_default();
            format!("{word}:{db}{}", ranks.join(","))
        };
        let text = match self {
            CpuBind::None => "none".to_owned(),
            CpuBind::Scheduler => "scheduler".to_owned(),
            CpuBind::Mask => "mask".to_owned(),
            CpuBind::MaskDb => "mask-db".to_owned(),
            CpuBind::MaskApp => "mask-app".to_owned(),
            CpuBind::Masks { db, ranks } => {
                with_db("mask", db.as_ref().map(CpuSet::to_mask), ranks.iter().map(CpuSet::to_mask).collect())
            }
            CpuBind::Map { db, ranks } => with_db(
                "map",
                db.as_ref().map(|cpus| cpus.to_list().replace(',', "+")),
                ranks.iter().map(u32::to_string).collect(),
            ),
        };
        f.pad(&text)
    }
}

super::vocabulary::schema_of_text!(
    CpuBind,
    "^(none|scheduler|mask|mask-db|mask-app|mask:.+|map:.+)$",
    "none, scheduler, mask, mask-db, mask-app, mask:[db=0x..,]0x..,0x.. or map:[db=0-7,]8,9,.."
);

super::vocabulary::as_text!(CpuBind);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_reads_back() {
        for text in [
            "none",
            "scheduler",
            "mask",
            "mask-db",
            "mask-app",
            "mask:0xf0,0xf00",
            "mask:db=0xf,0xf0,0xf00",
            "map:8,9",
            "map:db=0-3+64,8,9",
        ] {
            assert_eq!(text.parse::<CpuBind>().map(|bind| bind.to_string()).as_deref(), Ok(text));
        }
    }

    #[test]
    fn a_list_keeps_the_commas_of_masks() {
        let list = CpuBind::parse_list("none,mask:0x1,0x2,map:db=0-1,2,3,mask").unwrap();
        let texts: Vec<String> = list.iter().map(CpuBind::to_string).collect();
        assert_eq!(texts, ["none", "mask:0x1,0x2", "map:db=0-1,2,3", "mask"]);
    }

    #[test]
    fn nonsense_lists_what_is_allowed() {
        for wrong in ["nonne", "mask:", "mask:0x1,,0x2", "map:x", "mask:db=0x1", "map:1,0x2", ""] {
            assert!(CpuBind::parse_list(wrong).is_err(), "{wrong:?}");
        }
        let error = "nonne".parse::<CpuBind>().unwrap_err();
        assert!(error.contains("allowed: none, scheduler, mask, mask-db, mask-app, mask:"), "{error}");
    }

    #[test]
    fn names_are_short_and_tell_masks_apart() {
        let first: CpuBind = "mask:0x1,0x2".parse().unwrap();
        let second: CpuBind = "mask:0x2,0x1".parse().unwrap();
        assert!(first.short().starts_with("mask_") && first.short().len() == 13, "{}", first.short());
        assert_ne!(first.short(), second.short());
        assert_eq!(CpuBind::MaskApp.short(), "mask-app");
    }
}
