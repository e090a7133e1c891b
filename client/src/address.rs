//! Where servers are: the notations of `--address` and SSDB, and the announcements in an attempt folder.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Result, bail, ensure};
use serde::{Deserialize, Serialize};
use shardscale::record::server::Server;

/// Environment variable with the store's addresses, as SmartRedis reads it.
pub const VARIABLE: &str = "SSDB";

/// One server's address; its text is `host:port` or the socket's path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Address {
    Tcp {
        host: String,
        port: u16,
    },
    Unix(PathBuf),
    /// A folder of files: no server at all.
    Folder(PathBuf),
}

/// Addresses as typed: `host:port,host:port`, each with an optional `tcp://`, or `unix://path`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressList(pub Vec<Address>);

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // an IPv6 address needs its brackets to be told from the port
            Address::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Address::Tcp { host, port } => write!(f, "{host}:{port}"),
            Address::Unix(path) | Address::Folder(path) => write!(f, "{}", path.display()),
        }
    }
}

impl Address {
    /// As [`AddressList`] reads it back.
    pub fn to_text(&self) -> String {
        match self {
            Address::Tcp { .. } | Address::Folder(_) => self.to_string(),
            Address::Unix(path) => format!("unix://{}", path.display()),
        }
    }
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("unix://") {
            return match path.is_empty() {
                true => Err(format!("{text:?} names no socket; write unix://PATH")),
                false => Ok(Address::Unix(path.into())),
            };
        }
        let wrong = || format!("{text:?} is no address; write HOST:PORT, tcp://HOST:PORT or unix://PATH");
        let (host, port) = text.strip_prefix("tcp://").unwrap_or(text).rsplit_once(':').ok_or_else(wrong)?;
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let port = port.parse().ok().filter(|port| *port != 0).ok_or_else(wrong)?;
        if host.is_empty() || host.contains('/') {
            return Err(wrong());
        }
        Ok(Address::Tcp { host: host.to_owned(), port })
    }
}

impl FromStr for AddressList {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.split(',').map(|part| part.trim().parse()).collect::<Result<_, _>>().map(AddressList)
    }
}

/// The servers that announced themselves in `attempt`, in the order of their index.
///
/// # Errors
/// A damaged announcement.
pub fn announced(attempt: &Path) -> Result<Vec<Server>> {
    let mut servers = Vec::new();
    while let Some(server) = Server::read(attempt, servers.len() as u32)? {
        servers.push(server);
    }
    Ok(servers)
}

/// The address at which other hosts reach `server`; its socket is the last resort, for tests on one host.
pub fn from_afar(server: &Server) -> Result<Address> {
    if let Some(folder) = &server.folder {
        return Ok(Address::Folder(folder.path.clone()));
    }
    match (&server.address, server.port, &server.socket) {
        (Some(host), Some(port), _) => Ok(Address::Tcp { host: host.clone(), port }),
        (_, _, Some(socket)) => Ok(Address::Unix(socket.clone())),
        _ => bail!("server {} on {} announced neither address and port nor a socket", server.index, server.host),
    }
}

/// The addresses of the `count` servers that run on `host`, in the order of their places there: sockets if they have some.
pub fn on_host(servers: &[Server], host: &str, count: usize) -> Result<Vec<Address>> {
    let here: Vec<&Server> = servers.iter().filter(|server| server.host == host).collect();
    let list =
        |text: fn(&Server) -> String, of: &[&Server]| of.iter().map(|it| text(it)).collect::<Vec<_>>().join(", ");
    ensure!(
        !here.is_empty(),
        "no server runs on {host}; servers run on {}",
        list(|server| server.host.clone(), &servers.iter().collect::<Vec<_>>())
    );
    ensure!(
        here.len() == count,
        "{} server(s) run on {host}, and the colocated store is to have {count} a host: {}",
        here.len(),
        list(|server| server.index.to_string(), &here)
    );
    let address = |server: &&Server| match &server.socket {
        Some(socket) => Ok(Address::Unix(socket.clone())),
        None => from_afar(server),
    };
    here.iter().map(address).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(host: &str, port: u16) -> Address {
        Address::Tcp { host: host.into(), port }
    }

    fn server(index: u32, host: &str, socket: Option<&str>) -> Server {
        Server {
            schema: 1,
            index,
            local_index: Some(0),
            host: host.into(),
            address: Some(format!("10.0.0.{index}")),
            port: Some(6780),
            socket: socket.map(Into::into),
            folder: None,
            ifname: "hsn0".into(),
            pid: 1,
            cpus: "0".into(),
            version: "redis 7.0.15".into(),
            in_force: None,
            bus: None,
            exit: None,
        }
    }

    #[test]
    fn every_notation_of_ssdb_is_read() {
        let read = |text: &str| text.parse::<AddressList>().map(|list| list.0);
        assert_eq!(read("10.0.0.1:6780"), Ok(vec![tcp("10.0.0.1", 6780)]));
        assert_eq!(read("tcp://a:1,b:2, tcp://c:3"), Ok(vec![tcp("a", 1), tcp("b", 2), tcp("c", 3)]));
        assert_eq!(read("[::1]:6780"), Ok(vec![tcp("::1", 6780)]));
        assert_eq!(read("unix:///tmp/x.sock"), Ok(vec![Address::Unix("/tmp/x.sock".into())]));
        for wrong in ["", "host", "host:", "host:0", "host:70000", ":1", "http://a:1", "unix://", "a:1,,b:2"] {
            assert!(read(wrong).unwrap_err().contains("write "), "{wrong}");
        }
    }

    #[test]
    fn an_address_reads_back() {
        for address in [tcp("cn1", 6780), tcp("fe80::1", 6780), Address::Unix("/tmp/s".into())] {
            assert_eq!(address.to_text().parse::<Address>(), Ok(address));
        }
    }

    #[test]
    fn a_rank_takes_the_server_of_its_host_socket_first() {
        let servers = [server(0, "cn1", None), server(1, "cn2", Some("/tmp/s"))];
        assert_eq!(on_host(&servers, "cn1", 1).unwrap(), [tcp("10.0.0.0", 6780)]);
        assert_eq!(on_host(&servers, "cn2", 1).unwrap(), [Address::Unix("/tmp/s".into())]);
        assert!(on_host(&servers, "cn3", 1).unwrap_err().to_string().contains("servers run on cn1, cn2"));
        let twice = [server(0, "cn1", None), server(1, "cn1", None)];
        assert_eq!(on_host(&twice, "cn1", 2).unwrap(), [tcp("10.0.0.0", 6780), tcp("10.0.0.1", 6780)]);
        let error = on_host(&twice, "cn1", 1).unwrap_err().to_string();
        assert_eq!(error, "2 server(s) run on cn1, and the colocated store is to have 1 a host: 0, 1");
    }
}
