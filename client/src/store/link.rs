//! A connection to one server, for what precedes and follows the measurement: never used while ranks measure.

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
    /// The way to `server` from host `here`: its TCP address, else its socket where that is on this host.
    pub fn to(server: &Server, here: &str, password: &str) -> Option<Link> {
        let address = match (&server.address, server.port, &server.socket) {
            (Some(address), Some(port), _) => ConnectionAddr::Tcp(address.clone(), port),
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

/// The value of `field` in a text of `name:value` lines, as INFO and CLUSTER INFO return it.
pub fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_info() {
        let info = "# Server\r\nredis_version:7.0.15\r\nredis_version_extra:x\r\n";
        assert_eq!(field(info, "redis_version"), Some("7.0.15"));
        assert_eq!(field(info, "valkey_version"), None);
    }
}
