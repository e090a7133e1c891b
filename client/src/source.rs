//! From what `--source` names to the address that a rank's connections leave from.

use std::net::IpAddr;

use anyhow::{Context, Result};

use crate::node::interface;

/// `source` is an address of this host, or the name of an interface that has one.
///
/// # Errors
/// An interface that this host does not have, or has without an address; the message lists what it has.
pub fn resolve(source: &str) -> Result<IpAddr> {
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
        assert_eq!(resolve("lo").unwrap().to_string(), "127.0.0.1");
        assert_eq!(resolve("::1").unwrap().to_string(), "::1");
        let error = format!("{:#}", resolve("hsn9").unwrap_err());
        assert!(error.contains("\"hsn9\""), "{error}");
    }
}
