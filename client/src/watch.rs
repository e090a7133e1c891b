//! Watches the store during a run: asks every shard before the first sample and after each size, never while one is timed.
//!
//! Rank 0 asks; of a colocated store the first rank of each host asks those of its host. Rank 0 keeps the record.

use std::path::PathBuf;

use anyhow::{Context, Result};
use redis::Connection;
use shardscale::record::product;
use shardscale::record::store::{self, Fields, ShardRecord, StoreRecord};
use shardscale::record::{SCHEMA, files};

use crate::address::Address;
use crate::comm::Comm;
use crate::connection::Timeouts;
use crate::hosts::Hosts;
use crate::say::say;
use crate::{inquiry, survey};

/// The store that is watched.
pub struct Target<'a> {
    /// All shards; of a colocated store equally many for each host, in the order of hosts.
    pub shards: Vec<&'a Address>,
    pub colocated: bool,
    pub password: Option<&'a str>,
    pub timeouts: Timeouts,
}

/// This rank's part in it, and on rank 0 the record.
pub struct Watch {
    asked: Vec<(u32, Connection)>,
    record: Option<StoreRecord>,
    attempt: Option<PathBuf>,
}

impl Watch {
    /// Connects and takes the first look; every rank must call it. `attempt` is where the record goes, if anywhere.
    pub fn start(comm: &Comm, hosts: &Hosts, target: &Target<'_>, attempt: Option<PathBuf>) -> Result<Watch> {
        let host = hosts.of_rank[comm.rank() as usize];
        let mine = match target.colocated {
            true if hosts.first_rank(host) == Some(comm.rank()) => hosts.servers_of(host, target.shards.len()),
            false if comm.is_root() => 0..target.shards.len(),
            _ => 0..0,
        };
        let connect = |shard: usize| {
            let connection = survey::connect(target.shards[shard], target.password, target.timeouts)?;
            Ok((shard as u32, connection))
        };
        let mut asked = mine.map(connect).collect::<Result<Vec<_>>>()?;
        let settings = each(&mut asked, inquiry::settings)?;
        let before = each(&mut asked, inquiry::fields)?;
        let modules = each(&mut asked, inquiry::modules)?;
        let parts = comm.collect(&(settings, before, modules))?;
        let record = parts.filter(|_| !target.shards.is_empty()).map(|parts| first_look(parts, target, hosts));
        let mut watch = Watch { asked, record, attempt };
        watch.write()?;
        Ok(watch)
    }

    /// Looks again; every rank must call it, when all have measured `sizes_done` sizes.
    pub fn look(&mut self, comm: &Comm, sizes_done: usize) -> Result<()> {
        let parts = comm.collect(&each(&mut self.asked, inquiry::fields)?)?;
        let (Some(parts), Some(record)) = (parts, &mut self.record) else { return Ok(()) };
        record.sizes_done = sizes_done as u32;
        for (shard, fields) in parts.into_iter().flatten() {
            record.shards[shard as usize].after = fields;
        }
        self.write()
    }

    /// Says on rank 0's stderr what the record means; who reads no report should know it too.
    pub fn warn(&self) {
        let Some(record) = &self.record else { return };
        for reason in record.spoiled() {
            say(format_args!("THIS RUN IS NOT VALID: {reason}"));
        }
        for note in record.notes() {
            say(format_args!("note: {note}"));
        }
    }

    fn write(&mut self) -> Result<()> {
        match (&self.record, &self.attempt) {
            (Some(record), Some(attempt)) => files::replace_json(&attempt.join(store::FILE), record),
            _ => Ok(()),
        }
    }
}

/// What each asked server answers.
fn each<T>(
    asked: &mut [(u32, Connection)],
    question: impl Fn(&mut Connection) -> redis::RedisResult<T>,
) -> Result<Vec<(u32, T)>> {
    let answer = |(shard, connection): &mut (u32, Connection)| {
        Ok((*shard, question(connection).with_context(|| format!("shard {shard} does not answer"))?))
    };
    asked.iter_mut().map(answer).collect()
}

/// Settings, fields and modules as one rank heard them, by shard.
type Part = (Vec<(u32, Fields)>, Vec<(u32, Fields)>, Vec<(u32, Vec<String>)>);

fn first_look(parts: Vec<Part>, target: &Target<'_>, hosts: &Hosts) -> StoreRecord {
    let describe = |(index, address): (usize, &&Address)| ShardRecord {
        address: address.to_string(),
        host: target.colocated.then(|| hosts.names[index * hosts.names.len() / target.shards.len()].clone()),
        ..ShardRecord::default()
    };
    let mut shards: Vec<ShardRecord> = target.shards.iter().enumerate().map(describe).collect();
    for (settings, before, modules) in parts {
        settings.into_iter().for_each(|(shard, fields)| shards[shard as usize].settings = fields);
        for (shard, fields) in before {
            let told = |name: &str| fields.get(name).map(String::as_str);
            shards[shard as usize].server = (!fields.is_empty()).then(|| product::of_info(told).to_string());
            shards[shard as usize].before = fields;
        }
        modules.into_iter().for_each(|(shard, modules)| shards[shard as usize].modules = Some(modules));
    }
    StoreRecord { schema: SCHEMA, sizes_done: 0, shards }
}
