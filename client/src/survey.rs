//! What a store says of itself before the measurement: program, settings, commands, and which shard owns which slots.
//!
//! None of this is timed, so a general client library does it. It must not know ranks or MPI.

use anyhow::{Context, Result, anyhow, bail, ensure};
use redis::{ConnectionAddr, IntoConnectionInfo, RedisConnectionInfo, Value};
use serde::{Deserialize, Serialize};
use shardscale::record::product;

use crate::address::Address;
use crate::connection::Timeouts;
use crate::inquiry;
use crate::keys::{Shard, Topology};
use crate::wire::resp;

/// Settings that bear on the result.
const SETTINGS: [&str; 7] =
    ["io-threads", "io-threads-do-reads", "maxmemory", "maxmemory-policy", "save", "appendonly", LONGEST_VALUE];
/// The setting that limits a value's length.
pub const LONGEST_VALUE: &str = "proto-max-bulk-len";

/// What one server said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Survey {
    /// Program and version, such as `redis 7.0.15`.
    pub program: String,
    /// (name, value) of the settings that the server discloses.
    pub settings: Vec<(String, String)>,
    /// It offers AI.TENSORSET.
    pub tensors: bool,
    pub topology: Topology,
}

/// Asks the first of `addresses` that answers.
///
/// # Errors
/// If none answers, or if they are several servers that form no cluster.
pub fn survey(addresses: &[Address], password: Option<&str>, timeouts: Timeouts) -> Result<Survey> {
    let mut refusals = Vec::new();
    for address in addresses {
        match connect(address, password, timeouts) {
            Ok(mut connection) => return ask(&mut connection, addresses, address),
            Err(error) => refusals.push(format!("{address}: {error:#}")),
        }
    }
    bail!("no server answers: {}", refusals.join("; "))
}

/// A connection for questions, authenticated, with explicit time-outs.
pub fn connect(address: &Address, password: Option<&str>, timeouts: Timeouts) -> Result<redis::Connection> {
    let place = match address {
        Address::Tcp { host, port } => ConnectionAddr::Tcp(host.clone(), *port),
        Address::Unix(path) => ConnectionAddr::Unix(path.clone()),
        Address::Folder(path) => bail!("{} is a folder of files, and no server", path.display()),
    };
    let mut login = RedisConnectionInfo::default().set_skip_set_lib_name();
    if let Some(password) = password {
        login = login.set_password(password);
    }
    let client = redis::Client::open(place.into_connection_info()?.set_redis_settings(login))?;
    let connection = client.get_connection_with_timeout(timeouts.connect).map_err(explain)?;
    connection.set_read_timeout(Some(timeouts.reply))?;
    connection.set_write_timeout(Some(timeouts.reply))?;
    Ok(connection)
}

fn ask(connection: &mut redis::Connection, addresses: &[Address], answering: &Address) -> Result<Survey> {
    let info: String = redis::cmd("INFO").query(connection).map_err(explain)?;
    let cluster = is_cluster(&info);
    ensure!(
        cluster || addresses.len() == 1,
        "{} addresses are given, but the server at {answering} is not part of a cluster: give one, or form the cluster",
        addresses.len()
    );
    let topology = match cluster {
        true => slots(connection, answering).context("the layout of the cluster cannot be used")?,
        false => Topology::single(answering.clone()),
    };
    let settings = inquiry::settings(connection).map_err(explain)?;
    Ok(Survey {
        program: product::of_info(|name| inquiry::value(&info, name)).to_string(),
        settings: settings.into_iter().filter(|(name, _)| SETTINGS.contains(&name.as_str())).collect(),
        tensors: inquiry::has_tensors(connection).context("COMMAND INFO failed")?,
        topology,
    })
}

/// The server's own words with what can be done about them, where it said something.
fn explain(error: redis::RedisError) -> anyhow::Error {
    match error.code() {
        Some(code) => anyhow!(resp::explain(&format!("{code} {}", error.detail().unwrap_or_default()))),
        None => error.into(),
    }
}

/// Whether INFO is that of a shard of a cluster. Valkey calls the field `server_mode` where it does not play Redis, as 9.1.2 does.
fn is_cluster(info: &str) -> bool {
    ["redis_mode", "server_mode"].iter().any(|name| inquiry::value(info, name) == Some("cluster"))
}

fn slots(connection: &mut redis::Connection, answering: &Address) -> Result<Topology> {
    let answer: Value = redis::cmd("CLUSTER").arg("SLOTS").query(connection)?;
    let Value::Array(entries) = answer else { bail!("CLUSTER SLOTS answered {}", inquiry::show(&answer)) };
    let mut shards: Vec<Shard> = Vec::new();
    for entry in &entries {
        let (range, address) = slot_entry(entry, answering)
            .with_context(|| format!("CLUSTER SLOTS has the entry {}", inquiry::show(entry)))?;
        match shards.iter_mut().find(|shard| shard.address == address) {
            Some(shard) => shard.slots.push(range),
            None => shards.push(Shard { address, slots: vec![range] }),
        }
    }
    Topology::cluster(shards)
}

/// First slot, last slot, then the nodes that serve them, the owner first as [host, port, ..].
fn slot_entry(entry: &Value, answering: &Address) -> Option<((u16, u16), Address)> {
    let Value::Array(parts) = entry else { return None };
    let [Value::Int(first), Value::Int(last), Value::Array(owner), ..] = &parts[..] else { return None };
    let [host, Value::Int(port), ..] = &owner[..] else { return None };
    let host = match (host, answering) {
        (Value::BulkString(host), _) if !host.is_empty() => String::from_utf8(host.clone()).ok()?,
        // a server that does not know its own address leaves it out: it is the one that we talk to
        (Value::BulkString(_) | Value::Nil, Address::Tcp { host, .. }) => host.clone(),
        _ => return None,
    };
    let range = ((*first).try_into().ok()?, (*last).try_into().ok()?);
    Some((range, Address::Tcp { host, port: (*port).try_into().ok()? }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(host: Value, port: i64) -> Value {
        Value::Array(vec![host, Value::Int(port), Value::BulkString(b"id".to_vec()), Value::Array(vec![])])
    }

    #[test]
    fn a_shard_of_a_cluster_says_so() {
        assert!(is_cluster("redis_version:7.0.15\r\nredis_mode:cluster\r\n"));
        assert!(is_cluster("redis_version:7.2.4\r\nserver_name:valkey\r\nserver_mode:cluster\r\n"));
        assert!(!is_cluster("redis_version:7.2.4\r\nserver_mode:standalone\r\n"));
    }

    #[test]
    fn a_server_without_a_known_address_is_the_one_that_answers() {
        let answering = Address::Tcp { host: "cn1".into(), port: 1 };
        let entry = |host| Value::Array(vec![Value::Int(0), Value::Int(99), node(host, 6780)]);
        let address = |host: &str| Some(((0, 99), Address::Tcp { host: host.into(), port: 6780 }));
        assert_eq!(slot_entry(&entry(Value::BulkString(b"cn7".to_vec())), &answering), address("cn7"));
        assert_eq!(slot_entry(&entry(Value::BulkString(vec![])), &answering), address("cn1"));
        assert_eq!(slot_entry(&entry(Value::Nil), &answering), address("cn1"));
        assert_eq!(slot_entry(&Value::Int(3), &answering), None);
        assert_eq!(
            slot_entry(&Value::Array(vec![Value::Int(-1), Value::Int(0), node(Value::Nil, 1)]), &answering),
            None
        );
    }
}
