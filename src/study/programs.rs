//! Which server programs are run: one path where a study has one product, `redis=PATH,valkey=PATH` where it has several.

use std::fmt;
use std::str::FromStr;

use crate::record::vocabulary::{Store, schema_of_text};

/// Server programs, by product or for the only one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Programs {
    One(String),
    By(Vec<(Store, String)>),
}

impl Programs {
    /// The program of `store`, where one was named.
    pub fn of(&self, store: Store) -> Option<&str> {
        match self {
            Programs::One(path) => Some(path),
            Programs::By(list) => list.iter().find(|(product, _)| *product == store).map(|(_, path)| path.as_str()),
        }
    }

    /// Each program has its product beside it.
    pub fn by_product(&self) -> bool {
        matches!(self, Programs::By(_))
    }

    /// One program cannot be several products.
    ///
    /// # Errors
    /// It is to be that; `what` is the flag or key that named it.
    pub fn check(&self, what: &str, stores: &[Store]) -> Result<(), String> {
        let Programs::One(path) = self else { return Ok(()) };
        if stores.len() < 2 {
            return Ok(());
        }
        let list = |text: &dyn Fn(&Store) -> String| stores.iter().map(text).collect::<Vec<_>>();
        Err(format!(
            "{what} {path:?} names one program, and the study has the stores {}: name one each, {}",
            list(&Store::to_string).join(", "),
            list(&|store| format!("{store}=PATH")).join(",")
        ))
    }
}

impl fmt::Display for Programs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Programs::One(path) => f.write_str(path),
            Programs::By(list) => {
                f.write_str(&list.iter().map(|(store, path)| format!("{store}={path}")).collect::<Vec<_>>().join(","))
            }
        }
    }
}

impl FromStr for Programs {
    type Err = String;

    fn from_str(text: &str) -> Result<Programs, String> {
        let named = |part: &str| {
            let (store, path) = part.split_once('=')?;
            Some((store.parse::<Store>().ok()?, path.to_owned()))
        };
        let is_named = |part: &str| named(part).is_some();
        if text.is_empty() {
            return Err("the path of a server program is empty: leave it out, and PATH is searched".to_owned());
        }
        if !text.split(',').next().is_some_and(is_named) {
            return Ok(Programs::One(text.to_owned()));
        }
        let wrong = || {
            format!(
                "{text:?} is neither one path nor a list STORE=PATH,STORE=PATH, each store once; stores: {}",
                Store::NAMES.join(", ")
            )
        };
        let list: Vec<(Store, String)> = text.split(',').map(named).collect::<Option<_>>().ok_or_else(wrong)?;
        let twice = list.iter().enumerate().any(|(at, (store, _))| list[..at].iter().any(|(other, _)| other == store));
        if twice || list.iter().any(|(_, path)| path.is_empty()) { Err(wrong()) } else { Ok(Programs::By(list)) }
    }
}

crate::record::vocabulary::as_text!(Programs);

schema_of_text!(Programs, "^.+$", "path of the server program, or STORE=PATH,STORE=PATH for several products");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_program_is_one_product() {
        let both = [Store::Redis, Store::KeyDb];
        let one: Programs = "/opt/a=b/redis-server".parse().unwrap();
        assert_eq!(
            (one.of(Store::KeyDb), one.check("--store-server", &both[..1])),
            (Some("/opt/a=b/redis-server"), Ok(()))
        );
        let error = one.check("--store-server", &both).unwrap_err();
        assert!(error.contains("stores redis, keydb: name one each, redis=PATH,keydb=PATH"), "{error}");
        let by: Programs = "redis=/a,keydb=b".parse().unwrap();
        assert_eq!((by.of(Store::Redis), by.of(Store::Valkey), by.check("", &both)), (Some("/a"), None, Ok(())));
        assert_eq!(by.to_string().parse(), Ok(by));
        for wrong in ["redis=a,b", "redis=a,redis=b", "redis=", ""] {
            assert!(wrong.parse::<Programs>().is_err(), "{wrong}");
        }
    }
}
