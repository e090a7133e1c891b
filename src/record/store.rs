//! `store.json`: what the store said of itself before the first and after the last measured size, and what that means.
//!
//! Rank 0 (colocated: the first rank of each host) asks every shard before the first sample and after each size, outside
//! all timed sections; the file is replaced each time, so that what a killed run leaves is judged too.
//!
//! Field names are those of INFO and CLUSTER INFO, values are the server's own words.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::manifest::Manifest;
use super::vocabulary::DbFrom;
use super::{module, product};

/// Name of the file in an attempt directory.
pub const FILE: &str = "store.json";

/// (name, value), as a server discloses them.
pub type Fields = BTreeMap<String, String>;

/// Fields of INFO and CLUSTER INFO that are kept; a server that does not know one leaves it out.
pub const FIELDS: &[&str] = &[
    // server
    "redis_version",
    "valkey_version",
    "dragonfly_version",
    "garnet_version",
    "kvrocks_version",
    "mvcc_depth",
    "server_threads",
    "run_id",
    "process_id",
    "uptime_in_seconds",
    "multiplexing_api",
    "mem_allocator",
    "io_threads_active",
    "io_threaded_reads_processed",
    "io_threaded_writes_processed",
    // memory
    "used_memory",
    "used_memory_rss",
    "used_memory_peak",
    "maxmemory",
    "maxmemory_policy",
    "mem_fragmentation_ratio",
    "active_defrag_running",
    "evicted_keys",
    "evicted_clients",
    "expired_keys",
    // persistence
    "loading",
    "rdb_bgsave_in_progress",
    "rdb_last_save_time",
    "rdb_saves",
    "aof_enabled",
    "aof_rewrites",
    "total_forks",
    // clients and traffic
    "connected_clients",
    "rejected_connections",
    "total_connections_received",
    "total_commands_processed",
    "total_error_replies",
    "total_net_input_bytes",
    "total_net_output_bytes",
    "keyspace_hits",
    "keyspace_misses",
    // replication and cluster
    "role",
    "connected_slaves",
    "cluster_state",
    "cluster_current_epoch",
    "cluster_known_nodes",
    "cluster_slots_assigned",
    // cost
    "used_cpu_sys",
    "used_cpu_user",
    "used_cpu_sys_main_thread",
    "used_cpu_user_main_thread",
];

/// Settings that are asked for with CONFIG GET; a server that does not know one leaves it out.
pub const SETTINGS: &[&str] = &[
    "io-threads",
    "io-threads-do-reads",
    "server-threads",
    "maxmemory",
    "maxmemory-policy",
    "maxclients",
    "tcp-backlog",
    "tcp-keepalive",
    "timeout",
    "save",
    "appendonly",
    "appendfsync",
    "activedefrag",
    "lazyfree-lazy-server-del",
    "hz",
    "proto-max-bulk-len",
    "client-output-buffer-limit",
    "cluster-node-timeout",
    "jemalloc-bg-thread",
    "disable-thp",
];

/// Settings whose value follows from a node and not from what was asked for.
const MAY_DIFFER: &[&str] = &["maxclients", "tcp-backlog"];

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreRecord {
    pub schema: u32,
    /// Tensor sizes that were measured when `after` was asked.
    pub sizes_done: u32,
    pub shards: Vec<ShardRecord>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardRecord {
    /// As the client addressed it.
    pub address: String,
    /// Colocated: whose it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Product and version, such as `redis 7.0.15`; absent in records of earlier versions, and where INFO is not permitted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// Modules that it has loaded, as [`module::listed`] writes them; absent in records of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modules: Option<Vec<String>>,
    /// What was in force when the measurement began.
    pub settings: Fields,
    pub before: Fields,
    #[serde(default, skip_serializing_if = "Fields::is_empty")]
    pub after: Fields,
}

impl ShardRecord {
    fn name(&self) -> String {
        match &self.host {
            Some(host) => format!("{} on {host}", self.address),
            None => self.address.clone(),
        }
    }

    /// By how much a counter grew; `None` where it was not disclosed both times.
    pub fn growth(&self, field: &str) -> Option<u64> {
        let read = |fields: &Fields| fields.get(field)?.parse::<u64>().ok();
        Some(read(&self.after)?.saturating_sub(read(&self.before)?))
    }

    /// Why `found` does not meet `asked`. A setting that a server does not disclose is not met; records of earlier versions do not
    /// tell whether it did.
    fn unmet(&self, found: Option<&str>, asked: &str) -> Option<String> {
        match found {
            Some(found) => (found != asked).then(|| format!("{found} instead of {asked}")),
            None => self.server.is_some().then(|| format!("not disclosed, {asked} were asked for")),
        }
    }

    fn changed(&self, field: &str) -> Option<(&str, &str)> {
        let (before, after) = (self.before.get(field)?, self.after.get(field)?);
        (before != after).then_some((before.as_str(), after.as_str()))
    }

    /// Something says `wanted` of `field`, before or after.
    fn said(&self, field: &str, wanted: impl Fn(&str) -> bool) -> Option<&str> {
        [&self.before, &self.after]
            .into_iter()
            .filter_map(|fields| fields.get(field))
            .map(String::as_str)
            .find(|it| wanted(it))
    }
}

impl StoreRecord {
    /// Why the figures are not those of the store that was to be measured: it evicted, persisted, failed over or restarted.
    ///
    /// Each reason is a sentence that names how many shards it concerns and one of them.
    pub fn spoiled(&self) -> Vec<String> {
        type Reason = (&'static str, fn(&ShardRecord) -> Option<String>);
        const REASONS: &[Reason] = &[
            ("restarted", |shard| shard.changed("run_id").map(|_| "its run_id changed".to_owned())),
            ("evicted keys", |shard| grew(shard, "evicted_keys", "keys")),
            ("wrote its data to disk", persisted),
            ("was loading its data", |shard| shard.said("loading", |it| it != "0").map(|_| "loading".to_owned())),
            ("is no primary", |shard| shard.said("role", |it| it != "master").map(|role| format!("role {role}"))),
            ("changed its role", |shard| shard.changed("role").map(|(from, to)| format!("from {from} to {to}"))),
            ("saw a failover or another change of the cluster", |shard| {
                let (from, to) = shard.changed("cluster_current_epoch")?;
                Some(format!("cluster_current_epoch {from} became {to}"))
            }),
            ("belonged to a cluster that was not whole", |shard| {
                shard.said("cluster_state", |it| it != "ok").map(|state| format!("cluster_state {state}"))
            }),
        ];
        REASONS.iter().filter_map(|(what, look)| self.count(what, look)).collect()
    }

    /// What does not spoil the figures and should be known.
    pub fn notes(&self) -> Vec<String> {
        type Note = (&'static str, fn(&ShardRecord) -> Option<String>);
        const NOTES: &[Note] = &[
            ("refused connections", |shard| grew(shard, "rejected_connections", "")),
            ("let keys expire", |shard| grew(shard, "expired_keys", "keys")),
            ("answered with errors", |shard| grew(shard, "total_error_replies", "")),
            ("has replicas, which receive every put_tensor too", |shard| {
                shard.said("connected_slaves", |it| it != "0").map(|count| format!("connected_slaves {count}"))
            }),
            ("defragmented its memory", |shard| {
                shard.said("active_defrag_running", |it| it != "0").map(|it| format!("active_defrag_running {it}"))
            }),
            ("may evict keys", |shard| {
                let limited = shard.settings.get("maxmemory").is_some_and(|bytes| bytes != "0");
                let policy = shard.settings.get("maxmemory-policy").filter(|policy| *policy != "noeviction")?;
                limited.then(|| format!("maxmemory-policy {policy}"))
            }),
            ("does not tell what it did", |shard| shard.before.is_empty().then(|| "INFO is not permitted".to_owned())),
        ];
        let mut notes: Vec<String> = NOTES.iter().filter_map(|(what, look)| self.count(what, look)).collect();
        notes.extend(self.unequal());
        notes
    }

    /// Where what was in force is not what the manifest asked for.
    pub fn contradictions(&self, manifest: &Manifest) -> Vec<String> {
        let job = &manifest.job;
        let product = |shard: &ShardRecord| {
            let server = shard.server.as_ref().filter(|server| product::named(server) != Some(job.store))?;
            Some(format!("{server} instead of {}", job.store))
        };
        let product = self.count("is another product", product);
        if job.db_from == DbFrom::Running {
            // nobody of ours set it: what it runs with stands in the record
            return product.into_iter().collect();
        }
        let threads =
            |shard: &ShardRecord| shard.unmet(threads(&shard.settings, &shard.before), &job.io_threads.to_string());
        let limit = |shard: &ShardRecord| {
            shard.unmet(shard.settings.get("maxmemory").map(String::as_str), &job.maxmemory.0.to_string())
        };
        let modules = |shard: &ShardRecord| {
            let loaded = shard.modules.as_ref()?;
            let missing = module::missing(&job.load_module, loaded);
            let loaded = if loaded.is_empty() { "none".to_owned() } else { loaded.join(", ") };
            (!missing.is_empty()).then(|| format!("{}; it has {loaded}", missing.join(", ")))
        };
        [
            product,
            self.count("runs with another number of I/O threads", threads),
            self.count("runs with another maxmemory", limit),
            self.count("has not loaded a module that was asked for", modules),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// A sentence about the shards of which `look` finds something; none where there are none.
    fn count(&self, what: &str, look: impl Fn(&ShardRecord) -> Option<String>) -> Option<String> {
        let mut found = self.shards.iter().filter_map(|shard| Some((shard, look(shard)?)));
        let (first, how) = found.next()?;
        Some(match found.count() {
            0 => format!("shard {} {what} ({how})", first.name()),
            more => format!("shard {} {what} ({how}), and so did {more} more of {}", first.name(), self.shards.len()),
        })
    }

    /// Settings in which shards differ.
    fn unequal(&self) -> Option<String> {
        let first = self.shards.first()?;
        let differs = |(name, value): &(&String, &String)| {
            !MAY_DIFFER.contains(&name.as_str())
                && self.shards.iter().any(|other| other.settings.get(*name).is_some_and(|it| it != *value))
        };
        let names: Vec<_> = first.settings.iter().filter(differs).map(|(name, _)| name.as_str()).collect();
        (!names.is_empty()).then(|| format!("shards differ in their settings: {}", names.join(", ")))
    }
}

/// Threads that serve clients, from `settings` and the fields of INFO. KeyDB tells of them in INFO alone, where they are what runs
/// and not what was asked for.
pub fn threads<'a>(settings: &'a Fields, info: &'a Fields) -> Option<&'a str> {
    let set = ["io-threads", "server-threads"].iter().find_map(|name| settings.get(*name));
    info.get("server_threads").or(set).map(String::as_str)
}

fn grew(shard: &ShardRecord, field: &str, unit: &str) -> Option<String> {
    let more = shard.growth(field).filter(|more| *more > 0)?;
    Some(format!("{field} grew by {more} {unit}").trim_end().to_owned())
}

/// Whether something was written to disk, or was on its way.
fn persisted(shard: &ShardRecord) -> Option<String> {
    if shard.said("aof_enabled", |it| it != "0").is_some() {
        return Some("aof_enabled: every put_tensor goes to a file".to_owned());
    }
    if shard.said("rdb_bgsave_in_progress", |it| it != "0").is_some() {
        return Some("rdb_bgsave_in_progress".to_owned());
    }
    if let Some(how) = ["rdb_saves", "aof_rewrites", "total_forks"].iter().find_map(|field| grew(shard, field, "")) {
        return Some(how);
    }
    // servers before Redis 7 do not count their saves
    shard.changed("rdb_last_save_time").map(|_| "rdb_last_save_time changed".to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::manifest::example;
    use super::super::vocabulary::Store;
    use super::*;

    fn fields(pairs: &[(&str, &str)]) -> Fields {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    const CALM: &[(&str, &str)] = &[
        ("run_id", "a1"),
        ("evicted_keys", "0"),
        ("aof_enabled", "0"),
        ("rdb_bgsave_in_progress", "0"),
        ("loading", "0"),
        ("rdb_saves", "3"),
        ("rdb_last_save_time", "100"),
        ("total_forks", "3"),
        ("role", "master"),
        ("cluster_state", "ok"),
        ("cluster_current_epoch", "3"),
        ("connected_slaves", "0"),
        ("rejected_connections", "2"),
    ];

    fn shard(address: &str, before: &[(&str, &str)], after: &[(&str, &str)]) -> ShardRecord {
        let with = |more: &[(&str, &str)]| CALM.iter().chain(more).map(|(n, v)| ((*n).into(), (*v).into())).collect();
        ShardRecord { address: address.into(), before: with(before), after: with(after), ..ShardRecord::default() }
    }

    fn record(shards: Vec<ShardRecord>) -> StoreRecord {
        StoreRecord { schema: 1, sizes_done: 1, shards }
    }

    #[test]
    fn a_calm_store_spoils_nothing_whatever_it_did_before() {
        let calm = record(vec![shard("a:1", &[], &[]), shard("b:1", &[], &[])]);
        assert_eq!((calm.spoiled(), calm.notes()), (vec![], vec![]));
    }

    #[test]
    fn each_way_of_spoiling_is_named_with_a_shard() {
        let cases: &[(&[(&str, &str)], &str)] = &[
            (&[("evicted_keys", "12")], "shard a:1 evicted keys (evicted_keys grew by 12 keys)"),
            (&[("rdb_saves", "4")], "shard a:1 wrote its data to disk (rdb_saves grew by 1)"),
            (&[("rdb_last_save_time", "200")], "shard a:1 wrote its data to disk (rdb_last_save_time changed)"),
            (&[("total_forks", "4")], "shard a:1 wrote its data to disk (total_forks grew by 1)"),
            (
                &[("aof_enabled", "1")],
                "shard a:1 wrote its data to disk (aof_enabled: every put_tensor goes to a file)",
            ),
            (&[("rdb_bgsave_in_progress", "1")], "shard a:1 wrote its data to disk (rdb_bgsave_in_progress)"),
            (&[("run_id", "b2")], "shard a:1 restarted (its run_id changed)"),
            (&[("loading", "1")], "shard a:1 was loading its data (loading)"),
            (
                &[("cluster_current_epoch", "4")],
                "shard a:1 saw a failover or another change of the cluster (cluster_current_epoch 3 became 4)",
            ),
            (&[("cluster_state", "fail")], "shard a:1 belonged to a cluster that was not whole (cluster_state fail)"),
        ];
        for (after, reason) in cases {
            assert_eq!(record(vec![shard("b:1", &[], &[]), shard("a:1", &[], after)]).spoiled(), [*reason]);
        }
        let demoted = record(vec![shard("a:1", &[], &[("role", "slave")])]);
        assert_eq!(demoted.spoiled().len(), 2, "{:?}", demoted.spoiled());
    }

    #[test]
    fn many_shards_are_counted() {
        let evicted = |address: &str| shard(address, &[], &[("evicted_keys", "1")]);
        let many = record(vec![evicted("a:1"), shard("b:1", &[], &[]), evicted("c:1"), evicted("d:1")]);
        let text = "shard a:1 evicted keys (evicted_keys grew by 1 keys), and so did 2 more of 4";
        assert_eq!(many.spoiled(), [text]);
    }

    #[test]
    fn a_killed_run_is_judged_by_what_is_there() {
        let unfinished = ShardRecord { after: Fields::new(), ..shard("a:1", &[], &[]) };
        assert_eq!(record(vec![unfinished]).spoiled(), Vec::<String>::new());
        let persistent = ShardRecord { after: Fields::new(), ..shard("a:1", &[("aof_enabled", "1")], &[]) };
        assert_eq!(record(vec![persistent]).spoiled().len(), 1);
    }

    #[test]
    fn notes_name_refused_connections_unequal_settings_and_silence() {
        let mut shards = vec![shard("a:1", &[], &[("rejected_connections", "9")]), shard("b:1", &[], &[])];
        shards[0].settings = fields(&[("io-threads", "4"), ("maxclients", "10")]);
        shards[1].settings = fields(&[("io-threads", "1"), ("maxclients", "20")]);
        let silent = ShardRecord { address: "c:1".into(), host: Some("cn3".into()), ..ShardRecord::default() };
        shards.push(silent);
        let notes = record(shards).notes();
        assert_eq!(
            notes,
            [
                "shard a:1 refused connections (rejected_connections grew by 7)",
                "shard c:1 on cn3 does not tell what it did (INFO is not permitted)",
                "shards differ in their settings: io-threads",
            ]
        );
    }

    #[test]
    fn io_threads_are_held_against_the_manifest() {
        let mut other = shard("a:1", &[], &[]);
        other.settings = fields(&[("io-threads", "8")]);
        let found = record(vec![other]).contradictions(&example());
        assert_eq!(found, ["shard a:1 runs with another number of I/O threads (8 instead of 1)"]);
        let mut limited = shard("a:1", &[], &[]);
        limited.settings = fields(&[("io-threads", "1"), ("maxmemory", "1024")]);
        let found = record(vec![limited]).contradictions(&example());
        assert_eq!(found, ["shard a:1 runs with another maxmemory (1024 instead of 0)"]);
        let mut running = example();
        running.job.db_from = DbFrom::Running;
        let mut other = shard("a:1", &[], &[]);
        other.settings = fields(&[("io-threads", "8")]);
        assert_eq!(record(vec![other]).contradictions(&running), Vec::<String>::new());
        let mut keydb = shard("a:1", &[], &[]);
        keydb.settings = fields(&[("server-threads", "1")]);
        assert_eq!(record(vec![keydb]).contradictions(&example()), Vec::<String>::new());
    }

    #[test]
    fn what_a_server_does_not_disclose_is_not_met() {
        let mut asked = example();
        asked.job.io_threads = 8;
        // KeyDB 6.3.4 answers CONFIG GET server-threads with nothing, and runs fewer threads than asked for on a node of few CPUs
        asked.job.store = Store::KeyDb;
        let mut keydb = shard("a:1", &[("server_threads", "2")], &[]);
        (keydb.server, keydb.settings) = (Some("keydb 6.3.4".into()), fields(&[("maxmemory", "0")]));
        let found = record(vec![keydb.clone()]).contradictions(&asked);
        assert_eq!(found, ["shard a:1 runs with another number of I/O threads (2 instead of 8)"]);
        keydb.before.remove("server_threads");
        let found = record(vec![keydb.clone()]).contradictions(&asked);
        assert_eq!(found, ["shard a:1 runs with another number of I/O threads (not disclosed, 8 were asked for)"]);
        keydb.server = None;
        assert_eq!(record(vec![keydb]).contradictions(&asked), Vec::<String>::new(), "a record of an earlier version");
    }

    #[test]
    fn modules_and_mixed_products_are_held_against_the_manifest() {
        let mut asked = example();
        asked.job.load_module = vec!["redisai.so THREADS_PER_QUEUE 2".into()];
        let server = |address: &str, name: &str, modules: &[&str]| ShardRecord {
            server: Some(name.into()),
            modules: Some(modules.iter().map(|module| (*module).to_owned()).collect()),
            settings: fields(&[("io-threads", "1"), ("maxmemory", "0")]),
            ..shard(address, &[], &[])
        };
        let good = server("a:1", "redis 7.0.15", &["ai 10207"]);
        assert_eq!(record(vec![good.clone()]).contradictions(&asked), Vec::<String>::new());
        let mixed = record(vec![good, server("b:1", "valkey 9.1.2", &[])]);
        let due = [
            "shard b:1 is another product (valkey 9.1.2 instead of redis)",
            "shard b:1 has not loaded a module that was asked for (redisai.so THREADS_PER_QUEUE 2; it has none)",
        ];
        assert_eq!(mixed.contradictions(&asked), due);
        asked.job.db_from = DbFrom::Running;
        assert_eq!(mixed.contradictions(&asked), due[..1], "whoever started it: the manifest names the product");
    }
}
