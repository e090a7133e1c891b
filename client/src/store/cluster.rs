//! One cluster from separate shards, without replicas, from one shard up.
//!
//! redis-cli makes clusters of three and more only; two shards are a point of any sweep. The steps are those of the
//! cluster specification: each shard gets a configuration epoch and a range of slots of its own, then shard 0 meets the
//! others, then all have to agree.

use std::ops::RangeInclusive;

use anyhow::{Context, Result};
use redis::Connection;
use shardscale::record::server::Server;

use super::link::Link;
use crate::inquiry;

/// Hash slots of a cluster, fixed by its specification.
const SLOTS: u32 = 16_384;

/// A shard and the connection to it.
struct Shard<'a> {
    server: &'a Server,
    connection: Connection,
}

/// Shards that are to become a cluster.
pub struct Cluster<'a> {
    shards: Vec<Shard<'a>>,
}

impl<'a> Cluster<'a> {
    pub fn connect(servers: &'a [Server], here: &str, password: &str) -> Result<Cluster<'a>> {
        let connect = |server: &'a Server| -> Result<Shard<'a>> {
            let link = Link::to(server, here, password).context("it has no TCP address: start it without --uds")?;
            Ok(Shard { server, connection: link.open()? })
        };
        let shards = servers.iter().map(|server| {
            connect(server).with_context(|| format!("shard {} on {} cannot join", server.index, server.host))
        });
        Ok(Cluster { shards: shards.collect::<Result<_>>()? })
    }

    /// Tells the shards to become a cluster; they take a while.
    pub fn form(&mut self) -> Result<()> {
        let count = u32::try_from(self.shards.len()).context("too many shards")?;
        for (shard, number) in self.shards.iter_mut().zip(0..) {
            shard.take_slots(number, slots(number, count))?;
        }
        let (first, others) = self.shards.split_first_mut().context("no shards")?;
        for other in others {
            first.meet(other.server)?;
        }
        Ok(())
    }

    /// What the first shard that is not content lacks; `None` once the cluster is whole.
    pub fn problem(&mut self) -> Result<Option<String>> {
        let nodes = self.shards.len().to_string();
        for shard in &mut self.shards {
            let info: String = shard.ask(redis::cmd("CLUSTER").arg("INFO"))?;
            let wanted = [
                ("cluster_state", "ok"),
                ("cluster_slots_assigned", &SLOTS.to_string()),
                ("cluster_known_nodes", &nodes),
            ];
            for (name, value) in wanted {
                let found = inquiry::value(&info, name).unwrap_or("nothing");
                if found != value {
                    let Server { index, host, .. } = shard.server;
                    return Ok(Some(format!("shard {index} on {host} says {name}:{found} instead of {value}")));
                }
            }
        }
        Ok(None)
    }
}

impl Shard<'_> {
    fn ask<T: redis::FromRedisValue>(&mut self, command: &redis::Cmd) -> Result<T> {
        let Server { index, host, .. } = self.server;
        command.query(&mut self.connection).with_context(|| format!("shard {index} on {host} cannot join the cluster"))
    }

    fn take_slots(&mut self, number: u32, slots: RangeInclusive<u32>) -> Result<()> {
        // distinct epochs from the start spare the shards the settling of conflicts, one a heartbeat
        self.ask::<()>(redis::cmd("CLUSTER").arg("SET-CONFIG-EPOCH").arg(number + 1))?;
        let mut range = redis::cmd("CLUSTER");
        range.arg("ADDSLOTSRANGE").arg(*slots.start()).arg(*slots.end());
        let taken = range.query::<()>(&mut self.connection);
        match taken {
            // servers before Redis 7.0 take single slots only
            Err(error) if error.to_string().to_lowercase().contains("unknown") => {
                self.ask(redis::cmd("CLUSTER").arg("ADDSLOTS").arg(slots.collect::<Vec<_>>()))
            }
            Err(error) => Err(error).with_context(|| format!("shard {} cannot take its slots", self.server.index)),
            Ok(()) => Ok(()),
        }
    }

    fn meet(&mut self, other: &Server) -> Result<()> {
        self.ask(redis::cmd("CLUSTER").arg("MEET").arg(&other.address).arg(other.port))
    }
}

/// The slots of shard `number` of `count`: contiguous, sizes differing by one at most.
fn slots(number: u32, count: u32) -> RangeInclusive<u32> {
    number * SLOTS / count..=(number + 1) * SLOTS / count - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_slot_has_one_shard() {
        for count in [1, 2, 3, 7, 64, 16_384] {
            let all: Vec<u32> = (0..count).flat_map(|number| slots(number, count)).collect();
            assert_eq!(all, (0..SLOTS).collect::<Vec<_>>(), "{count} shards");
            let sizes: Vec<_> = (0..count).map(|number| slots(number, count).count()).collect();
            assert!(sizes.iter().max().unwrap() - sizes.iter().min().unwrap() <= 1, "{count} shards");
        }
    }
}
