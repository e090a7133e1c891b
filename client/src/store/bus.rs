//! Do the shards reach each other's buses? A cluster does not say: it only never forms.
//!
//! Each shard's supervisor tries, since the network between two nodes is seen from them alone; who waits for the store asks
//! for it and reads what they found. The trial is a plain connect. It goes on while the cluster forms.

use std::net::{IpAddr, SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

use anyhow::{Result, bail};
use shardscale::record::bus::{Bus, BusTrial, Shards, Unreached};
use shardscale::record::server::Server;
use shardscale::record::{SCHEMA, files};

use super::config::BUS_OFFSET;

/// Long enough for a lost packet to be sent again after 1 s.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// Asks the supervisors of `servers` to try.
pub fn ask(attempt: &Path, servers: &[Server]) -> Result<()> {
    let bus = |server: &Server| {
        let (address, port) = (server.address.clone()?, server.port?.checked_add(BUS_OFFSET)?);
        Some(Bus { index: server.index, host: server.host.clone(), address, port })
    };
    let shards = servers.iter().filter_map(bus).collect();
    files::replace_json(&attempt.join(Shards::FILE), &Shards { schema: SCHEMA, shards })
}

/// What server `own` finds; `None` while nobody asks.
pub fn answer(attempt: &Path, own: u32) -> Result<Option<BusTrial>> {
    let asked: Option<Shards> = files::read_json(&attempt.join(Shards::FILE))?;
    Ok(asked.map(|asked| trial(&asked.shards, own)))
}

/// Tries those behind `own` first: not all knock at the same door at once.
fn trial(shards: &[Bus], own: u32) -> BusTrial {
    let (before, behind): (Vec<&Bus>, Vec<&Bus>) =
        shards.iter().filter(|bus| bus.index != own).partition(|bus| bus.index < own);
    let unreached = behind.into_iter().chain(before).find_map(|bus| {
        let failed = connect(bus).err()?;
        Some(Unreached { bus: bus.clone(), cause: failed.to_string() })
    });
    BusTrial { unreached }
}

fn connect(bus: &Bus) -> std::io::Result<()> {
    let address: IpAddr = bus.address.parse().map_err(std::io::Error::other)?;
    TcpStream::connect_timeout(&SocketAddr::new(address, bus.port), CONNECT_TIMEOUT).map(drop)
}

/// # Errors
/// A shard does not reach another: which port of which node, and from where.
pub fn judge<'a>(servers: impl Iterator<Item = &'a Server>) -> Result<()> {
    let mut found: Vec<(&Unreached, Vec<&str>)> = Vec::new();
    for server in servers {
        let Some(unreached) = server.bus.as_ref().and_then(|trial| trial.unreached.as_ref()) else { continue };
        match found.iter_mut().find(|(known, _)| known.bus == unreached.bus) {
            Some((_, from)) => from.push(&server.host),
            None => found.push((unreached, vec![&server.host])),
        }
    }
    let Some((Unreached { bus, cause }, from)) = found.iter().max_by_key(|(_, from)| from.len()) else { return Ok(()) };
    let Bus { host, address, port, .. } = bus;
    let others = match found.len() {
        1 => String::new(),
        n => format!(", and {} other shards cannot be reached either", n - 1),
    };
    bail!(
        "port {port} of {host} ({address}) cannot be reached from {}: {cause}{others}; shards speak to each other over their \
         port + {BUS_OFFSET}: it must be open between the nodes (other ports: gen --db-port)",
        from.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    fn bus(index: u32, port: u16) -> Bus {
        Bus { index, host: format!("cn{index}"), address: "127.0.0.1".into(), port }
    }

    fn server(index: u32, unreached: Option<Bus>) -> Server {
        let unreached = unreached.map(|bus| Unreached { bus, cause: "connection timed out".into() });
        let record = serde_json::json!({"schema": 2, "index": index, "host": format!("cn{index}"), "ifname": "hsn0", "pid": 1,
            "cpus": "0", "version": "redis 7.0.15", "bus": BusTrial { unreached }});
        serde_json::from_value(record).unwrap()
    }

    #[test]
    fn a_closed_port_is_found_and_an_open_one_is_not() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let open = listener.local_addr().unwrap().port();
        let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let shards = [bus(0, open), bus(1, closed), bus(2, open)];
        let found = trial(&shards, 0).unreached.unwrap();
        assert_eq!((found.bus, found.cause.contains("refused")), (bus(1, closed), true), "{}", found.cause);
        assert_eq!(trial(&shards, 1), BusTrial { unreached: None }, "its own it does not try");
    }

    #[test]
    fn the_port_that_most_do_not_reach_is_named_with_all_who_do_not() {
        assert!(judge([server(0, None), server(1, None)].iter()).is_ok());
        let blocked = [server(1, Some(bus(3, 16780))), server(2, Some(bus(3, 16780))), server(3, Some(bus(1, 16780)))];
        let said = judge(blocked.iter()).unwrap_err().to_string();
        let due = "port 16780 of cn3 (127.0.0.1) cannot be reached from cn1, cn2: connection timed out, and 1 other";
        assert!(said.starts_with(due), "{said}");
    }
}
