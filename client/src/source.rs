//! From what `--source` names to the address that a rank's connections leave from.

use std::net::Ipv4Addr;

use anyhow::{Context, Result};

use crate::node::interface;

/// `source` is an IPv4 address of this host, or the name of an interface that has one.
///
/// # Errors
/// An interface that this host does not have, or has without an IPv4 address; the message lists what it has.
pub fn resolve(source: &str) -> Result<Ipv4Addr> {
    if let Ok(address) = source.parse() {
        return Ok(address);
    }
    let host = crate::store::host_name()?;
    interface::address(source, &host).with_context(|| format!("--source {source:?} is no address of its own"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_and_an_address_are_understood() {
        assert_eq!(resolve("lo").unwrap(), Ipv4Addr::LOCALHOST);
        assert_eq!(resolve("127.0.0.9").unwrap(), Ipv4Addr::new(127, 0, 0, 9));
        let error = format!("{:#}", resolve("hsn9").unwrap_err());
        assert!(error.contains("\"hsn9\""), "{error}");
    }
}
