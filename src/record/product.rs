//! Which product a store server is: from what it says of itself, never from a path or the name of a file.

use super::vocabulary::Store;

/// The program of a product, as its packages name it; empty where there is none.
pub fn usual_program(store: Store) -> &'static str {
    match store {
        Store::Redis => "redis-server",
        Store::Valkey => "valkey-server",
        Store::KeyDb => "keydb-server",
        Store::Files => "",
    }
}

/// What a server is, as INFO or `--version` has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Absent for a product that is none of ours, though it speaks their protocol.
    pub product: Option<Store>,
    pub version: String,
    /// Its own name: that of the product, or of another.
    name: String,
}

impl std::fmt::Display for Identity {
    /// `redis 7.0.15`
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.name, self.version)
    }
}

/// From the fields of INFO. Valkey keeps `redis_version` for old clients and names itself beside it; KeyDB names itself nowhere,
/// but has fields that no other has (KeyDB 6.3.4: `server_threads` and `mvcc_depth`). Other kin give `NAME_version`.
pub fn of_info<'a>(field: impl Fn(&str) -> Option<&'a str>) -> Identity {
    let own = |name: &str| field(name).filter(|value| !value.is_empty());
    let of = |product: Store, version: &str| Identity {
        product: Some(product),
        version: version.to_owned(),
        name: product.to_string(),
    };
    let redis_version = own("redis_version").unwrap_or("of unknown version");
    if let Some(version) = own("valkey_version") {
        return of(Store::Valkey, version);
    }
    let other = ["dragonfly_version", "garnet_version", "kvrocks_version"].into_iter().find(|name| own(name).is_some());
    if let Some(name) = other {
        let version = own(name).unwrap_or_default().to_owned();
        return Identity { product: None, version, name: name.trim_end_matches("_version").to_owned() };
    }
    match own("server_threads").or(own("mvcc_depth")) {
        Some(_) => of(Store::KeyDb, redis_version),
        None => of(Store::Redis, redis_version),
    }
}

/// From the first line that the program prints for `--version`, such as `Redis server v=7.0.15 sha=..`.
pub fn of_version_line(line: &str) -> Option<Identity> {
    let (name, rest) = line.split_once(" server v=")?;
    let product = Store::ALL.iter().copied().find(|store| store.as_str().eq_ignore_ascii_case(name))?;
    let version = rest.split_whitespace().next().unwrap_or_default().to_owned();
    Some(Identity { product: Some(product), version, name: product.to_string() })
}

/// The product in a text that [`Identity`] printed; `None` for another's.
pub fn named(text: &str) -> Option<Store> {
    text.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(info: &str) -> Identity {
        of_info(|name| info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim))
    }

    #[test]
    fn a_server_is_what_it_says_and_not_where_it_lies() {
        // of real servers: Redis 7.0.15, Valkey 9.1.2, KeyDB 6.3.4
        for (info, product, text) in [
            (
                "redis_version:7.0.15\r\nexecutable:/opt/mykeydb-vs-redis/redis-server",
                Some(Store::Redis),
                "redis 7.0.15",
            ),
            ("redis_version:7.2.4\nserver_name:valkey\nvalkey_version:9.1.2", Some(Store::Valkey), "valkey 9.1.2"),
            ("redis_version:6.3.4\nexecutable:/opt/kdb\nserver_threads:2", Some(Store::KeyDb), "keydb 6.3.4"),
            ("redis_version:6.3.4\nmvcc_depth:0", Some(Store::KeyDb), "keydb 6.3.4"),
            ("redis_version:7.4.0\ndragonfly_version:df-v1.2", None, "dragonfly df-v1.2"),
        ] {
            let found = identity(info);
            assert_eq!((found.product, found.to_string().as_str()), (product, text));
            assert_eq!(named(text), product);
        }
    }

    #[test]
    fn a_program_says_what_it_is() {
        let found = of_version_line("KeyDB server v=6.3.4 sha=0:0 malloc=jemalloc-5.2.1 bits=64").unwrap();
        assert_eq!((found.product, found.to_string().as_str()), (Some(Store::KeyDb), "keydb 6.3.4"));
        assert_eq!(of_version_line("GNU coreutils 9.1"), None);
    }
}
