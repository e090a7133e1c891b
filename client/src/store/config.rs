//! The configuration text of one server: from what is wanted to directives, nothing else.
//!
//! It reaches the server on its standard input: the password is then in no argument list, no environment and no file.
//! Directives are those of Redis 6 and later; Valkey keeps them, KeyDB names its threads otherwise.

use std::fmt::Write;
use std::net::IpAddr;
use std::path::PathBuf;

use shardscale::record::vocabulary::Store;

use super::settings::Settings;

/// Longest path of a UNIX socket on Linux, in bytes: 108 with the closing zero.
pub const MAX_SOCKET_PATH_BYTES: usize = 107;

/// Distance from a server's port to that of its cluster bus; fixed by the servers.
pub const BUS_OFFSET: u16 = 10_000;

/// Bytes of the longest value that servers take unless they are told otherwise: `proto-max-bulk-len`.
const USUAL_LONGEST_VALUE: u64 = 512 << 20;

/// Where a server listens for clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listen {
    Tcp {
        address: IpAddr,
        port: u16,
        /// A shard of a cluster, with a bus beside the port.
        cluster: bool,
    },
    /// The socket alone; no port is open.
    Socket,
}

/// Everything that the directives are made from.
#[derive(Debug, Clone)]
pub struct Config {
    pub product: Store,
    pub listen: Listen,
    /// Private folder on this node; the server runs in it.
    pub scratch: PathBuf,
    /// Its supervisor always speaks to it here; clients do where `listen` says so.
    pub socket: PathBuf,
    pub password: String,
    pub max_clients: u64,
    pub backlog: u32,
    pub settings: Settings,
}

impl Config {
    pub fn text(&self) -> String {
        let mut text = String::new();
        let mut line = |directive: &str, value: &str| {
            // writing to a String cannot fail
            let _ = writeln!(text, "{directive} {value}");
        };
        match self.listen {
            Listen::Socket => line("port", "0"),
            Listen::Tcp { address, port, cluster } => {
                // this address alone: whoever is on another network of the node does not even reach the password prompt
                line("bind", &address.to_string());
                line("port", &port.to_string());
                if cluster {
                    line("cluster-enabled", "yes");
                    line("cluster-config-file", "nodes.conf");
                    line("cluster-announce-ip", &address.to_string());
                }
            }
        }
        line("protected-mode", "yes");
        line("requirepass", &quote(&self.password));
        // no masterauth: there are no replicas, and the bus has no password; a stranger's server that takes the slots over it is
        // taken for a master, and would be told this
        line("unixsocket", &quote(&self.socket.to_string_lossy()));
        line("unixsocketperm", "700");
        line("dir", &quote(&self.scratch.to_string_lossy()));
        line("save", "\"\"");
        line("appendonly", "no");
        line("daemonize", "no");
        line("loglevel", "notice");
        line("logfile", "\"\"");
        line("maxclients", &self.max_clients.to_string());
        line("tcp-backlog", &self.backlog.to_string());
        line("maxmemory", &self.settings.maxmemory.to_string());
        line("maxmemory-policy", &self.settings.maxmemory_policy);
        if let Some(bytes) = self.settings.longest_value.filter(|bytes| *bytes > USUAL_LONGEST_VALUE) {
            line("proto-max-bulk-len", &bytes.to_string());
            // a command in flight is held as a whole, and the usual limit is 1 GiB
            line("client-query-buffer-limit", &(2 * bytes).to_string());
        }
        let threads = self.settings.io_threads;
        match self.product {
            Store::KeyDb => line("server-threads", &threads.to_string()),
            // no server program says that it is files
            Store::Redis | Store::Valkey | Store::Files => {
                line("io-threads", &threads.to_string());
                // threads that only write leave half of put_tensor to the main thread
                let read = if threads > 1 { "yes" } else { "no" };
                line("io-threads-do-reads", self.settings.io_threads_do_reads.as_deref().unwrap_or(read));
            }
        }
        for module in &self.settings.load_module {
            line("loadmodule", &module.split_whitespace().map(quote).collect::<Vec<_>>().join(" "));
        }
        text
    }
}

/// A value in double quotes, with the escapes that the servers' parser knows.
fn quote(value: &str) -> String {
    let mut quoted = String::from("\"");
    for byte in value.bytes() {
        match byte {
            b'"' | b'\\' => quoted.extend(['\\', char::from(byte)]),
            b' '..=b'~' => quoted.push(char::from(byte)),
            // writing to a String cannot fail
            _ => drop(write!(quoted, "\\x{byte:02x}")),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(listen: Listen) -> Config {
        Config {
            product: Store::Redis,
            listen,
            scratch: "/tmp/a b".into(),
            socket: "/tmp/a b/s".into(),
            password: "abc".into(),
            max_clients: 100,
            backlog: 128,
            settings: Settings { io_threads: 4, ..Settings::default() },
        }
    }

    #[test]
    fn modules_have_arguments_and_products_their_own_threads() {
        let mut keydb = config(Listen::Socket);
        keydb.product = Store::KeyDb;
        keydb.settings.load_module = vec!["/opt/redisai.so THREADS_PER_QUEUE 2".into()];
        let text = keydb.text();
        assert!(text.contains("\nloadmodule \"/opt/redisai.so\" \"THREADS_PER_QUEUE\" \"2\"\n"), "{text}");
        assert!(text.contains("\nserver-threads 4\n") && !text.contains("io-threads"), "{text}");
        let text = config(Listen::Socket).text();
        assert!(text.contains("\nio-threads 4\n") && !text.contains("server-threads"), "{text}");
    }

    #[test]
    fn a_shard_listens_on_its_address_alone() {
        let text = config(Listen::Tcp { address: "10.0.0.1".parse().unwrap(), port: 6780, cluster: true }).text();
        assert!(text.starts_with("bind 10.0.0.1\nport 6780\ncluster-enabled yes\n"), "{text}");
        assert!(text.contains("\nrequirepass \"abc\"\n") && !text.contains("masterauth"), "{text}");
        assert!(text.contains("\ndir \"/tmp/a b\"\nsave \"\"\nappendonly no\ndaemonize no\n"), "{text}");
    }

    #[test]
    fn a_socket_opens_no_port() {
        let text = config(Listen::Socket).text();
        assert!(text.starts_with("port 0\n") && !text.contains("bind") && !text.contains("cluster"), "{text}");
    }

    #[test]
    fn keydb_has_threads_of_another_name() {
        let text = Config { product: Store::KeyDb, ..config(Listen::Socket) }.text();
        assert!(text.contains("\nserver-threads 4\n") && !text.contains("io-threads"), "{text}");
    }

    #[test]
    fn settings_become_directives() {
        let settings = Settings {
            io_threads: 4,
            io_threads_do_reads: Some("no".into()),
            maxmemory: 1 << 30,
            maxmemory_policy: "allkeys-lru".into(),
            load_module: vec!["/opt/redisai.so".into()],
            ..Settings::default()
        };
        let large = Settings { longest_value: Some(1 << 30), ..settings.clone() };
        let large = Config { settings: large, ..config(Listen::Socket) }.text();
        assert!(large.contains("proto-max-bulk-len 1073741824\nclient-query-buffer-limit 2147483648\n"), "{large}");
        let text = Config { settings, ..config(Listen::Socket) }.text();
        assert!(!text.contains("proto-max-bulk-len"), "{text}");
        assert!(text.contains("\nmaxmemory 1073741824\nmaxmemory-policy allkeys-lru\n"), "{text}");
        assert!(text.ends_with("\nio-threads-do-reads no\nloadmodule \"/opt/redisai.so\"\n"), "{text}");
    }

    #[test]
    fn odd_paths_are_quoted() {
        assert_eq!(quote("a \"b\" \\ c\n"), r#""a \"b\" \\ c\x0a""#);
        assert_eq!(quote("é"), r#""\xc3\xa9""#);
    }
}
