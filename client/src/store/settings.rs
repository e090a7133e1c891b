//! How a server shall be set: the flags of `serve` beside address and CPUs, and whether the running server obeys.

use anyhow::{Result, bail};
use shardscale::record::malloc_conf::MallocConf;
use shardscale::record::store::Fields;
use shardscale::record::units::parse_bytes;

/// Policies of all servers; `noeviction` is the only one that keeps what was put.
const POLICIES: [&str; 8] = [
    "noeviction",
    "allkeys-lru",
    "allkeys-lfu",
    "allkeys-random",
    "volatile-lru",
    "volatile-lfu",
    "volatile-random",
    "volatile-ttl",
];

#[derive(Debug, Clone, clap::Args)]
pub struct Settings {
    /// Threads of the server that read and write
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=128))]
    pub io_threads: u32,
    /// Whether those threads also read: yes or no; without it, yes where there are several. Redis 8 and Valkey 8 ignore it and read
    #[arg(long, value_name = "YESNO", value_parser = ["yes", "no"])]
    pub io_threads_do_reads: Option<String>,
    /// Most memory for data, such as 64GiB; 0 sets no limit
    #[arg(long, value_name = "BYTES", default_value = "0", value_parser = parse_bytes)]
    pub maxmemory: u64,
    /// What the server does at that limit; every other policy than noeviction drops tensors, which makes a run invalid
    #[arg(long, value_name = "POLICY", default_value = "noeviction", value_parser = POLICIES)]
    pub maxmemory_policy: String,
    /// Options of the server's allocator jemalloc, such as dirty_decay_ms:-1 (keep freed memory)
    #[arg(long, value_name = "NAME:VALUE+..", default_value_t = MallocConf::default())]
    pub malloc_conf: MallocConf,
    /// Bytes of the longest value that it takes; without it, what the run's tensors need
    #[arg(long, value_name = "BYTES", value_parser = parse_bytes)]
    pub longest_value: Option<u64>,
    /// Module that the server loads: its path and, in the same word, its arguments, such as "redisai.so THREADS_PER_QUEUE 2"; can be
    /// given several times
    #[arg(long, value_name = "FILE [ARG..]")]
    pub load_module: Vec<String>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            io_threads: 1,
            io_threads_do_reads: None,
            maxmemory: 0,
            maxmemory_policy: POLICIES[0].to_owned(),
            malloc_conf: MallocConf::default(),
            longest_value: None,
            load_module: Vec::new(),
        }
    }
}

impl Settings {
    /// Holds the threads that run against those that were asked for.
    ///
    /// # Errors
    /// Another number, or none that the server tells: a run under the name of a setting that is not in force would be a false one.
    pub fn check_threads(&self, found: Option<&str>) -> Result<()> {
        let asked = self.io_threads;
        match found {
            Some(found) if found == asked.to_string() => Ok(()),
            Some(found) => bail!(
                "--io-threads {asked} is not in force, the server runs with {found}: does the node have as many CPUs? KeyDB starts \
                 no more threads than that"
            ),
            None => {
                bail!("the server does not tell with how many threads it runs, and --io-threads {asked} asks for them")
            }
        }
    }

    /// Holds the allocator's options in force against those that were asked for.
    ///
    /// # Errors
    /// An option with another value, or with none that the allocator tells, for the same reason.
    pub fn check_malloc(&self, allocator: &str, in_force: &Fields) -> Result<()> {
        for (name, asked) in self.malloc_conf.options() {
            match in_force.get(name) {
                Some(value) if value == asked => {}
                Some(value) => bail!(
                    "--malloc-conf {name}:{asked} is not in force, the allocator ({allocator}) runs with {name}:{value}: \
                     is the value one that it admits?"
                ),
                None if !allocator.starts_with("jemalloc") => bail!(
                    "--malloc-conf {name}:{asked} needs a server with the allocator jemalloc, this one has {allocator}: \
                     build it with MALLOC=jemalloc, or leave the option out"
                ),
                None => bail!(
                    "the allocator ({allocator}) does not tell whether --malloc-conf {name}:{asked} is in force: is that an option \
                     of it? Leave it out otherwise"
                ),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_option_that_is_not_in_force_is_refused() {
        let settings = Settings { malloc_conf: "dirty_decay_ms:-1+no_such:1".parse().unwrap(), ..Settings::default() };
        let fields = |value: &str| Fields::from([("dirty_decay_ms".to_owned(), value.to_owned())]);
        let error = settings.check_malloc("jemalloc-5.3.0", &fields("-1")).unwrap_err().to_string();
        assert!(error.contains("does not tell whether --malloc-conf no_such:1"), "{error}");
        let error = settings.check_malloc("jemalloc-5.3.0", &fields("10000")).unwrap_err().to_string();
        assert!(error.contains("runs with dirty_decay_ms:10000"), "{error}");
        let error = settings.check_malloc("libc", &Fields::new()).unwrap_err().to_string();
        assert!(error.contains("this one has libc"), "{error}");
    }

    #[test]
    fn threads_that_do_not_run_are_refused() {
        let settings = Settings { io_threads: 8, ..Settings::default() };
        assert!(settings.check_threads(Some("8")).is_ok());
        let error = settings.check_threads(Some("2")).unwrap_err().to_string();
        assert!(error.starts_with("--io-threads 8 is not in force, the server runs with 2"), "{error}");
        assert!(settings.check_threads(None).unwrap_err().to_string().contains("does not tell"));
    }
}
