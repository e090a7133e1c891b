//! A connection to one server, for what precedes and follows the measurement: never used while ranks measure.

use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context, Result};
use redis::{ConnectionAddr, IntoConnectionInfo, RedisConnectionInfo};
use shardscale::record::server::Server;

/// Longest wait for one connection or one reply.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Where and how a server is reached.
pub struct Link {
    pub address: ConnectionAddr,
    pub password: String,
}

impl Link {
    /// The way to `server` from host `here`: its TCP address, else its socket.
    ///
    /// Sockets and loopback addresses serve their own host alone: on another one the same address would be another server.
    pub fn to(server: &Server, here: &str, password: &str) -> Option<Link> {
        let leaves_host = |address: &str| address.parse::<IpAddr>().map_or(true, |ip| !ip.is_loopback());
        let address = match (&server.address, server.port, &server.socket) {
            (Some(address), Some(port), _) if server.host == here || leaves_host(address) => {
                ConnectionAddr::Tcp(address.clone(), port)
            }
            (_, _, Some(socket)) if server.host == here => ConnectionAddr::Unix(socket.clone()),
            _ => return None,
        };
        Some(Link { address, password: password.to_owned() })
    }

    /// Connects, authenticates and sees a PONG.
    pub fn open(&self) -> Result<redis::Connection> {
        let settings = RedisConnectionInfo::default().set_password(&self.password);
        self.address
            .clone()
            .into_connection_info()
            .map(|info| info.set_redis_settings(settings))
            .and_then(redis::Client::open)
            .and_then(|client| client.get_connection_with_timeout(TIMEOUT))
            .and_then(|mut connection| {
                connection.set_read_timeout(Some(TIMEOUT))?;
                connection.set_write_timeout(Some(TIMEOUT))?;
                redis::cmd("PING").exec(&mut connection)?;
                Ok(connection)
            })
            .with_context(|| format!("no answer from {}", self.address))
    }

    /// Asks the server to end without saving. It ends by closing the connection, so that no reply means success.
    pub fn shut_down(&self) -> Result<()> {
        let mut connection = self.open()?;
        match redis::cmd("SHUTDOWN").arg("NOSAVE").exec(&mut connection) {
            Err(error) if !error.is_io_error() => {
                Err(error).with_context(|| format!("{} refuses to shut down", self.address))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_and_sockets_serve_their_own_host_alone() {
        let server = |address: &str| Server {
            schema: 1,
            index: 0,
            local_index: Some(0),
            host: "cn2".into(),
            address: Some(address.into()),
            port: Some(6780),
            socket: Some("/tmp/socket".into()),
            folder: None,
            ifname: "lo".into(),
            pid: 1,
            cpus: "0".into(),
            version: "redis 7.0.15".into(),
            in_force: None,
            bus: None,
            exit: None,
        };
        assert!(Link::to(&server("127.0.0.1"), "cn2", "x").is_some());
        assert!(Link::to(&server("127.0.0.1"), "cn1", "x").is_none());
        assert!(Link::to(&server("10.78.0.2"), "cn1", "x").is_some());
    }
}
