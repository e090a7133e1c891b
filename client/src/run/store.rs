//! Which store the ranks measure: rank 0 (or, colocated, the first rank of each host) finds out, all ranks learn it.
//!
//! Rank 0 alone reads the attempt folder: thousands of ranks that open the same files would measure the file system.

use std::env;
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail, ensure};
use serde::{Deserialize, Serialize};
use shardscale::record::SCHEMA;
use shardscale::record::attempt::PASSWORD_FILE;
use shardscale::record::files;
use shardscale::record::folder::Folder;
use shardscale::record::keys_left::KeysLeft;
use shardscale::record::manifest::Manifest;
use shardscale::record::placement::servers_of_ranks;
use shardscale::record::product;
use shardscale::record::server::Server;
use shardscale::record::units::show_bytes;
use shardscale::record::vocabulary::{KeyPlacement, Wire};

use super::args::RunArgs;
use crate::address::{self, Address, AddressList};
use crate::comm::Comm;
use crate::connection::password_of_environment;
use crate::hosts::Hosts;
use crate::keys::{KeyMap, Shard, Topology};
use crate::survey::{LONGEST_VALUE, Survey, survey};
use crate::watch::Target;
use crate::wire::LONGEST_DESCRIPTION;

/// The store as every rank knows it.
#[derive(Clone, Serialize, Deserialize)]
pub struct Store {
    pub program: String,
    pub settings: Vec<(String, String)>,
    /// The wire to use; never `auto`.
    pub wire: Wire,
    /// Colocated: equally many for each host, in the order of hosts.
    pub shards: Vec<Shard>,
    pub colocated: bool,
    /// Of a store of files: the folder of each shard.
    folders: Vec<Folder>,
    /// Colocated: which of its host's servers a rank uses, by its place on the host.
    server_of_place: Vec<u32>,
    pub password: Option<String>,
    /// What our keys begin with, and no others. Empty in a store of the job's own; one that was given by its address may hold what
    /// is not ours, and our keys are removed from it at the end.
    pub key_prefix: String,
}

/// Where to ask, and with which password.
#[derive(Serialize, Deserialize)]
struct Contact {
    /// Standard: one or more servers of one store. Colocated: equally many for each host, in the order of hosts.
    addresses: Vec<Address>,
    password: Option<String>,
    key_prefix: String,
}

impl Store {
    /// Finds the store; every rank must call it.
    pub fn find(comm: &Comm, args: &RunArgs, hosts: &Hosts) -> Result<Store> {
        let folders = if comm.is_root() { Some(Store::of_folders(args, hosts)?) } else { None };
        if let Some(store) = comm.share(folders.as_ref())? {
            return Ok(store);
        }
        let contact = if comm.is_root() { Some(Contact::find(args, hosts)?) } else { None };
        let contact: Contact = comm.share(contact.as_ref())?;
        let host = hosts.of_rank[comm.rank() as usize];
        // a colocated server is a store by itself
        let (asked, together) = match args.colocated {
            true if hosts.first_rank(host) == Some(comm.rank()) => {
                (&contact.addresses[hosts.servers_of(host, contact.addresses.len())], 1)
            }
            false if comm.is_root() => (&contact.addresses[..], contact.addresses.len()),
            _ => (&[][..], 1),
        };
        let ask = |store: &[Address]| survey(store, contact.password.as_deref(), args.timeouts());
        let answers = asked.chunks(together.max(1)).map(ask).collect::<Result<Vec<_>>>()?;
        let store = match comm.collect(&answers)? {
            None => None,
            // of each host its first rank asked, so the answers stand in the order of hosts
            Some(answers) => Some(Store::merge(&answers.concat(), args, contact, hosts)?),
        };
        if let (Some(store), Some(attempt)) = (&store, &args.attempt) {
            check_product(&store.program, attempt)?;
        }
        comm.share(store.as_ref())
    }

    /// The folders that keepers announced in the attempt; nobody asks them anything. `None` where the store has servers.
    fn of_folders(args: &RunArgs, hosts: &Hosts) -> Result<Option<Store>> {
        let announced = args.attempt.as_deref().map_or(Ok(Vec::new()), address::announced)?;
        let keepers: Vec<&Server> = match args.colocated {
            false => announced.iter().take(1).collect(),
            true => {
                hosts.names.iter().filter_map(|host| announced.iter().find(|keeper| keeper.host == *host)).collect()
            }
        };
        let folders: Vec<Folder> = keepers.iter().filter_map(|keeper| keeper.folder.clone()).collect();
        if args.address.is_some() || folders.is_empty() {
            return Ok(None);
        }
        ensure!(
            !args.colocated || folders.len() == hosts.names.len(),
            "{} of {} hosts have a folder for their files",
            folders.len(),
            hosts.names.len()
        );
        let whole = |folder: &Folder| Topology::single(Address::Folder(folder.path.clone())).shards;
        Ok(Some(Store {
            program: keepers[0].version.clone(),
            settings: Vec::new(),
            wire: Wire::Plain,
            shards: folders.iter().flat_map(whole).collect(),
            folders,
            colocated: args.colocated,
            server_of_place: Vec::new(),
            password: None,
            key_prefix: String::new(),
        }))
    }

    /// The folders of `shards`; `None` where the store has servers.
    pub fn folders(&self, shards: &[u32]) -> Option<Vec<&Folder>> {
        (!self.folders.is_empty()).then(|| shards.iter().map(|shard| &self.folders[*shard as usize]).collect())
    }

    fn merge(answers: &[Survey], args: &RunArgs, contact: Contact, hosts: &Hosts) -> Result<Store> {
        let first = answers.first().context("nobody asked the store")?;
        if args.colocated {
            for answer in answers {
                let shard = &answer.topology.shards[0].address;
                ensure!(answer.topology.shards.len() == 1, "the colocated server {shard} is part of a cluster");
                ensure!(
                    answer.program == first.program,
                    "the colocated servers differ: {} is {}, the first is {}",
                    shard,
                    answer.program,
                    first.program
                );
            }
        }
        Ok(Store {
            program: first.program.clone(),
            settings: first.settings.clone(),
            wire: choose_wire(args.wire, answers)?,
            shards: answers.iter().flat_map(|answer| answer.topology.shards.clone()).collect(),
            folders: Vec::new(),
            colocated: args.colocated,
            server_of_place: servers_of_places(args, hosts),
            password: contact.password,
            key_prefix: contact.key_prefix,
        })
    }

    /// Refuses tensors that the servers would refuse in the middle of the sweep.
    pub fn check_sizes(&self, tensor_bytes: &[u64]) -> Result<()> {
        let limit =
            self.settings.iter().find(|(name, _)| name == LONGEST_VALUE).and_then(|(_, text)| text.parse().ok());
        let (Some(limit), Some(largest)) = (limit, tensor_bytes.iter().max()) else { return Ok(()) };
        let beside = if self.wire == Wire::RedisAi { 0 } else { LONGEST_DESCRIPTION };
        ensure!(
            largest + beside <= limit,
            "a tensor of {} does not fit the longest value that {} takes: {LONGEST_VALUE} {limit}; raise it with CONFIG SET, or \
             measure smaller tensors",
            show_bytes(*largest),
            self.program
        );
        Ok(())
    }

    /// What [`crate::watch`] is to ask.
    pub fn target(&self, args: &RunArgs) -> Target<'_> {
        // folders answer no questions
        let asked = if self.folders.is_empty() { &self.shards[..] } else { &[] };
        Target {
            shards: asked.iter().map(|shard| &shard.address).collect(),
            colocated: self.colocated,
            password: self.password.as_deref(),
            timeouts: args.timeouts(),
        }
    }

    /// Names and places keys for `rank`.
    pub fn key_map(&self, placement: KeyPlacement, hosts: &Hosts, rank: u32) -> KeyMap {
        let (shards, first_shard) = match self.colocated {
            true => {
                let own = self.own_server(hosts, rank);
                (vec![self.shards[own as usize].clone()], own)
            }
            false => (self.shards.clone(), 0),
        };
        KeyMap { topology: Topology { shards }, placement, first_shard, prefix: self.key_prefix.clone() }
    }

    /// Index of the only server that `rank` uses in a colocated store.
    pub fn own_server(&self, hosts: &Hosts, rank: u32) -> u32 {
        let here = hosts.servers_of(hosts.of_rank[rank as usize], self.shards.len());
        here.start as u32 + self.server_of_place.get(hosts.place_of(rank)).copied().unwrap_or(0)
    }

    /// Whether others use it too.
    pub fn is_shared(&self) -> bool {
        !self.key_prefix.is_empty()
    }

    /// Says in the attempt which keys of ours will be in a store that others use, so that they can be removed however the run ends.
    /// For rank 0. Colocated servers are within reach of their own hosts alone: there nobody else could remove them.
    pub fn leave_word(&self, args: &RunArgs) -> Result<()> {
        let Some(attempt) = args.attempt.as_deref().filter(|_| self.is_shared() && !self.colocated) else {
            return Ok(());
        };
        let left = KeysLeft {
            schema: SCHEMA,
            prefix: self.key_prefix.clone(),
            addresses: self.shards.iter().map(|shard| shard.address.to_text()).collect(),
            keys: args.keys,
            ranks: args.ranks,
            tensors: args.workload.key_count(),
            workload: args.workload.workload,
            lists: args.workload.producers.map_or(0, |_| args.warmup + args.iterations),
        };
        left.write(attempt)
    }
}

/// Who shares which of a host's servers, by place on the host: as the manifest's placement has it, or in blocks.
fn servers_of_places(args: &RunArgs, hosts: &Hosts) -> Vec<u32> {
    let most = (0..hosts.names.len() as u32).map(|host| hosts.of_rank.iter().filter(|of| **of == host).count()).max();
    let manifest = args.attempt.as_deref().and_then(Manifest::of_attempt);
    let placement = manifest.as_ref().and_then(|manifest| manifest.placement.as_ref());
    servers_of_ranks(placement, args.servers_per_node, most.unwrap_or(1) as u32)
}

/// Refuses a store that is another product than the run's manifest says: its figures would go by a false name.
fn check_product(program: &str, attempt: &Path) -> Result<()> {
    let Some(Manifest { job, .. }) = Manifest::of_attempt(attempt) else { return Ok(()) };
    let found = product::named(program);
    ensure!(
        found == Some(job.store),
        "the store is {program}, and the run asks for {}: {}give the address of one",
        job.store,
        found.map_or(String::new(), |found| format!("generate it with --store {found}, or "))
    );
    Ok(())
}

fn choose_wire(wanted: Wire, answers: &[Survey]) -> Result<Wire> {
    let tensors = answers.iter().all(|answer| answer.tensors);
    match wanted {
        Wire::Auto if tensors => Ok(Wire::RedisAi),
        Wire::Auto | Wire::Plain => Ok(Wire::Plain),
        Wire::RedisAi if tensors => Ok(Wire::RedisAi),
        Wire::RedisAi => bail!(
            "--wire redisai needs the command AI.TENSORSET, which {} does not have: load RedisAI, or use --wire plain",
            answers.first().map_or("the server", |answer| &answer.program)
        ),
    }
}

impl Contact {
    /// `--address`, else the servers that announced themselves in the attempt, else SSDB.
    fn find(args: &RunArgs, hosts: &Hosts) -> Result<Contact> {
        if let Some(AddressList(given)) = &args.address {
            // not the job's own store, perhaps: its password comes from the environment first
            let password = password_of_environment().map_or_else(|| password_of_attempt(args), |it| Ok(Some(it)))?;
            return Ok(Contact { addresses: for_hosts(given, args, hosts)?, password, key_prefix: new_prefix()? });
        }
        let servers = args.attempt.as_deref().map_or(Ok(Vec::new()), address::announced)?;
        if !servers.is_empty() {
            let addresses = match args.colocated {
                true => {
                    let of = |host: &String| address::on_host(&servers, host, args.servers_per_node as usize);
                    hosts.names.iter().map(of).collect::<Result<Vec<_>>>()?.concat()
                }
                false => servers.iter().map(address::from_afar).collect::<Result<_>>()?,
            };
            let password = password_of_attempt(args)?.or_else(password_of_environment);
            return Ok(Contact { addresses, password, key_prefix: String::new() });
        }
        let list = env::var(address::VARIABLE).map_err(|_| {
            anyhow!(
                "no server is known: --address is not given, {}, and the variable {} is not set",
                args.attempt.as_ref().map_or("--attempt is not given".into(), |attempt| format!(
                    "no server announced itself in {}",
                    attempt.display()
                )),
                address::VARIABLE
            )
        })?;
        let AddressList(given) =
            list.parse().map_err(|mistake: String| anyhow!("the variable {}: {mistake}", address::VARIABLE))?;
        let (addresses, password) = (for_hosts(&given, args, hosts)?, password_of_environment());
        Ok(Contact { addresses, password, key_prefix: new_prefix()? })
    }
}

/// What the keys of this run alone begin with: several may use a store at once, over several wires.
fn new_prefix() -> Result<String> {
    let mut bytes = [0; 4];
    getrandom::fill(&mut bytes).context("the operating system gave no random bytes for the names of keys")?;
    Ok(format!("shardscale:{:08x}:", u32::from_ne_bytes(bytes)))
}

/// Colocated, an address stands for a server of each host, as `127.0.0.1:6780` does.
fn for_hosts(given: &[Address], args: &RunArgs, hosts: &Hosts) -> Result<Vec<Address>> {
    if !args.colocated {
        return Ok(given.to_vec());
    }
    let wanted = args.servers_per_node;
    ensure!(
        given.len() == wanted as usize,
        "--colocated takes one address for each server of a host (--servers-per-node {wanted}), which every host resolves to its \
         own; {} are given",
        given.len()
    );
    Ok(vec![given; hosts.names.len()].concat())
}

fn password_of_attempt(args: &RunArgs) -> Result<Option<String>> {
    let Some(attempt) = &args.attempt else { return Ok(None) };
    let text = files::read_text(&attempt.join(PASSWORD_FILE))?;
    Ok(text.map(|text| text.trim_end().to_owned()).filter(|password| !password.is_empty()))
}
