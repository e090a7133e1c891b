//! `clean-store`: removes what a run that failed left in a store that others use. A run that ends well has removed it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use shardscale::record::keys_left::KeysLeft;

use crate::address::AddressList;
use crate::connection::Timeouts;
use crate::connection::password_of_environment;
use crate::keys::KeyMap;
use crate::survey;

/// Longest wait for a connection, or for a reply. It runs while a job ends, which schedulers limit.
const TIMEOUTS: Timeouts = Timeouts { connect: Duration::from_secs(3), reply: Duration::from_secs(10) };
/// Commands that are sent before the replies are read.
const BATCH: usize = 1000;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Attempt folder of the run
    #[arg(long, value_name = "DIR")]
    attempt: PathBuf,
}

/// Returns when no key of the attempt is left, at once where none can be.
///
/// # Errors
/// The store does not answer or refuses; what may be left in it can be removed later in the same way.
pub fn run(args: &Args) -> Result<()> {
    let Some(left) = KeysLeft::read(&args.attempt)? else { return Ok(()) };
    remove(&left).with_context(|| {
        format!(
            "keys of the run stay in the store, all named {}*; `shardscale-client clean-store --attempt {}` removes them",
            left.prefix,
            args.attempt.display()
        )
    })?;
    KeysLeft::forget(&args.attempt)
}

fn remove(left: &KeysLeft) -> Result<()> {
    let AddressList(addresses) = left.addresses.join(",").parse().map_err(|mistake: String| anyhow!(mistake))?;
    let password = password_of_environment();
    let topology = survey::survey(&addresses, password.as_deref(), TIMEOUTS)?.topology;
    let map = KeyMap { topology, placement: left.keys, first_shard: 0, prefix: left.prefix.clone() };
    let mut of_shard: BTreeMap<u32, Vec<String>> = BTreeMap::new();
    let of_ranks = (0..left.ranks).map(|rank| map.all(left.workload, rank, left.tensors));
    let of_lists = (0..left.lists).map(|list| Ok(vec![map.list(list)?]));
    for places in of_ranks.chain(of_lists) {
        for place in places? {
            of_shard.entry(place.shard).or_default().push(place.key);
        }
    }
    for (shard, keys) in of_shard {
        let mut connection =
            survey::connect(&map.topology.shards[shard as usize].address, password.as_deref(), TIMEOUTS)?;
        for keys in keys.chunks(BATCH) {
            // one command a key: those of a shard lie in different slots
            let mut commands = redis::pipe();
            for key in keys {
                commands.cmd("DEL").arg(key).ignore();
            }
            commands.exec(&mut connection).context("the store does not remove them")?;
        }
    }
    Ok(())
}
