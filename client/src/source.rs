//! From what `--source` names to the address that a rank's connections leave from.

use std::net::Ipv4Addr;

use anyhow::{Context, Result};

/// `source` is an IPv4 address of this host, or the name of an interface that has one.
///
/// # Errors
/// An interface that this host does not have, or has without an IPv4 address; the message lists what it has.
pub fn resolve(source: &str) -> Result<Ipv4Addr> {
    if let Ok(address) = source.parse() {
        return Ok(address);
    }
    let entries = nix::ifaddrs::getifaddrs().context("cannot list the network interfaces")?;
    let of =
        |entry: nix::ifaddrs::InterfaceAddress| Some((entry.interface_name, entry.address?.as_sockaddr_in()?.ip()));
    let known: Vec<(String, Ipv4Addr)> = entries.filter_map(of).collect();
    known.iter().find(|(name, _)| name == source).map(|(_, address)| *address).with_context(|| {
        let list: Vec<_> = known.iter().map(|(name, address)| format!("{name} ({address})")).collect();
        format!("--source {source:?} is no interface of this host with an IPv4 address; it has {}", list.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_and_an_address_are_understood() {
        assert_eq!(resolve("lo").unwrap(), Ipv4Addr::LOCALHOST);
        assert_eq!(resolve("127.0.0.9").unwrap(), Ipv4Addr::new(127, 0, 0, 9));
        let error = resolve("hsn9").unwrap_err().to_string();
        assert!(error.contains("\"hsn9\"") && error.contains("lo (127.0.0.1)"), "{error}");
    }
}
