//! From the name of a network interface to the IPv4 address that it has on this host.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use anyhow::{Context, Result, bail};

/// Interfaces by name, each with its IPv4 addresses in the kernel's order.
type Interfaces = BTreeMap<String, Vec<Ipv4Addr>>;

/// The first IPv4 address of interface `name` on this host.
///
/// # Errors
/// An unknown name, or an interface without an IPv4 address; both messages list what this host (`host`) has.
pub fn address(name: &str, host: &str) -> Result<Ipv4Addr> {
    pick(&of_this_host().with_context(|| format!("cannot list the network interfaces of {host}"))?, name, host)
}

fn of_this_host() -> Result<Interfaces> {
    let mut interfaces = Interfaces::new();
    for entry in nix::ifaddrs::getifaddrs()? {
        let addresses = interfaces.entry(entry.interface_name).or_default();
        addresses.extend(entry.address.and_then(|address| Some(address.as_sockaddr_in()?.ip())));
    }
    Ok(interfaces)
}

fn pick(interfaces: &Interfaces, name: &str, host: &str) -> Result<Ipv4Addr> {
    let problem = match interfaces.get(name).map(|addresses| addresses.first()) {
        Some(Some(address)) => return Ok(*address),
        Some(None) => format!("interface {name:?} of {host} has no IPv4 address"),
        None => format!("{host} has no network interface {name:?}"),
    };
    bail!("{problem}; it has {}: name one with an address", describe(interfaces));
}

fn describe(interfaces: &Interfaces) -> String {
    let one = |(name, addresses): (&String, &Vec<Ipv4Addr>)| match addresses.first() {
        Some(address) => format!("{name} ({address})"),
        None => format!("{name} (no IPv4 address)"),
    };
    interfaces.iter().map(one).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_address_counts_and_errors_list_all() {
        let mut interfaces = Interfaces::new();
        interfaces.insert("hsn0".into(), vec![Ipv4Addr::new(10, 78, 0, 4), Ipv4Addr::new(10, 78, 0, 5)]);
        interfaces.insert("hsn1".into(), vec![]);
        assert_eq!(pick(&interfaces, "hsn0", "cn4").unwrap(), Ipv4Addr::new(10, 78, 0, 4));
        let listed = "it has hsn0 (10.78.0.4), hsn1 (no IPv4 address)";
        let unknown = pick(&interfaces, "ib0", "cn4").unwrap_err().to_string();
        assert!(unknown.contains("cn4 has no network interface \"ib0\"") && unknown.contains(listed), "{unknown}");
        let bare = pick(&interfaces, "hsn1", "cn4").unwrap_err().to_string();
        assert!(bare.contains("\"hsn1\" of cn4 has no IPv4 address") && bare.contains(listed), "{bare}");
    }

    #[test]
    fn loopback_is_found() {
        assert_eq!(address("lo", "here").unwrap(), Ipv4Addr::LOCALHOST);
    }
}
