//! From what `--source` names to the address that a rank's connections leave from.

use std::net::IpAddr;

use anyhow::{Context, Result};
use shardscale::record::cpus::CpuSet;
use shardscale::record::interfaces;

use crate::address::Address;
use crate::node::{self, Root, interface};

/// The address for a connection to `to`. `source` is an address of this host, the name of an interface that has one, or several names
/// (`hsn0+hsn1`). Of several, those count whose network `to` is in; of these the rank at place `place` of its host takes one that is next
/// to the cores that it may use, in turn where there are several or none is known to be. `None`: the kernel chooses, since `to` is in no
/// network of theirs.
///
/// # Errors
/// An interface that this host does not have, or has without an address; the message lists what it has.
pub fn resolve(source: &str, place: usize, to: &Address) -> Result<Option<IpAddr>> {
    if let Ok(address) = source.parse() {
        return Ok(Some(address));
    }
    let mut names: Vec<&str> = interfaces::of(source).collect();
    if names.len() > 1 {
        let to = match to {
            Address::Tcp { host, .. } => host.parse::<IpAddr>().ok(),
            Address::Unix(_) | Address::Folder(_) => None,
        };
        if let Some(to) = to {
            names.retain(|name| interface::reaches(name, to).unwrap_or(false));
        }
    }
    if names.is_empty() {
        return Ok(None);
    }
    let host = node::host_name()?;
    let name = nearest(&names, place, &Root::real(), &own_cpus());
    let address = interface::address(name, &host);
    address.map(Some).with_context(|| format!("--source {source:?} is no address of its own"))
}

fn own_cpus() -> CpuSet {
    node::affinity(std::process::id()).ok().and_then(|list| list.parse().ok()).unwrap_or_default()
}

fn nearest<'a>(all: &[&'a str], place: usize, root: &Root, cpus: &CpuSet) -> &'a str {
    let near: Vec<&str> = all
        .iter()
        .copied()
        .filter(|name| interface::cpus_near(root, name).is_some_and(|near| !cpus.is_empty() && cpus.is_subset(&near)))
        .collect();
    let choice = if near.is_empty() { all } else { &near[..] };
    choice[place % choice.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_and_an_address_are_understood() {
        let to = |host: &str| Address::Tcp { host: host.into(), port: 1 };
        let of = |source, host| resolve(source, 0, &to(host)).map(|ip| ip.map(|ip| ip.to_string()));
        assert_eq!(of("lo", "10.0.0.1").unwrap().as_deref(), Some("127.0.0.1"));
        assert_eq!(of("::1", "10.0.0.1").unwrap().as_deref(), Some("::1"));
        let error = format!("{:#}", of("hsn9", "10.0.0.1").unwrap_err());
        assert!(error.contains("\"hsn9\""), "{error}");
        assert_eq!(of("hsn9+lo", "127.0.0.7").unwrap().as_deref(), Some("127.0.0.1"));
        assert_eq!(of("hsn9+lo", "10.0.0.1").unwrap(), None, "the kernel knows better");
    }

    #[test]
    fn of_several_a_rank_takes_the_nearest_or_its_turn() {
        let files = [
            ("sys/class/net/hsn0/device/local_cpulist", "0-3\n"),
            ("sys/class/net/hsn1/device/local_cpulist", "4-7\n"),
            ("sys/class/net/hsn2/device/local_cpulist", "4-7\n"),
        ];
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let root = Root::at(folder.path());
        let of =
            |place, cpus: &str| nearest(&["hsn0", "hsn1", "hsn2"], place, &root, &cpus.parse().unwrap()).to_owned();
        assert_eq!([of(0, "1"), of(1, "1"), of(0, "5"), of(1, "5-6")], ["hsn0", "hsn0", "hsn1", "hsn2"]);
        assert_eq!([of(0, "0-7"), of(1, "0-7"), of(2, "0-7"), of(3, "0-7")], ["hsn0", "hsn1", "hsn2", "hsn0"]);
        assert_eq!(nearest(&["eth0", "eth1"], 1, &root, &"1".parse().unwrap()), "eth1");
    }
}
