//! The network interfaces of this host: from a name to its address and back, and what the kernel says of each.

use std::collections::BTreeMap;
use std::net::IpAddr;

use anyhow::{Context, Result, bail};
use shardscale::record::cpus::CpuSet;
use shardscale::record::host::InterfaceFacts;

use super::Root;

/// Interfaces by name, each with its addresses that other hosts can use: IPv4 before IPv6, else in the kernel's order.
pub type Interfaces = BTreeMap<String, Vec<IpAddr>>;

/// The first address of interface `name` on this host.
///
/// # Errors
/// An unknown name, or an interface without an address; both messages list what this host (`host`) has.
pub fn address(name: &str, host: &str) -> Result<IpAddr> {
    pick(&of_this_host().with_context(|| format!("cannot list the network interfaces of {host}"))?, name, host)
}

pub fn of_this_host() -> Result<Interfaces> {
    let mut interfaces = Interfaces::new();
    for entry in nix::ifaddrs::getifaddrs()? {
        let addresses = interfaces.entry(entry.interface_name).or_default();
        let address = entry.address.and_then(|address| {
            let v4 = address.as_sockaddr_in().map(|one| IpAddr::from(one.ip()));
            // a link-local one means nothing without the interface of whoever uses it
            let v6 = address.as_sockaddr_in6().map(|one| one.ip()).filter(|ip| !ip.is_unicast_link_local());
            v4.or(v6.map(IpAddr::from))
        });
        addresses.extend(address);
    }
    interfaces.values_mut().for_each(|addresses| addresses.sort_by_key(IpAddr::is_ipv6));
    Ok(interfaces)
}

/// As [`address`], from a list.
pub fn pick(interfaces: &Interfaces, name: &str, host: &str) -> Result<IpAddr> {
    let problem = match interfaces.get(name).map(|addresses| addresses.first()) {
        Some(Some(address)) => return Ok(*address),
        Some(None) => format!("interface {name:?} of {host} has no address but link-local ones"),
        None => format!("{host} has no network interface {name:?}"),
    };
    bail!("{problem}; it has {}: name one with an address", describe(interfaces));
}

/// The interface that has `address`.
pub fn with_address(interfaces: &Interfaces, address: IpAddr) -> Option<&str> {
    interfaces.iter().find(|(_, addresses)| addresses.contains(&address)).map(|(name, _)| name.as_str())
}

/// Bytes that interface `name` has received and sent since it is there.
pub fn traffic(root: &Root, name: &str) -> Option<(u64, u64)> {
    let count = |direction: &str| root.value(&format!("sys/class/net/{name}/statistics/{direction}_bytes"));
    Some((count("rx")?, count("tx")?))
}

/// Whether `to` is in a network of interface `name`: what goes there leaves by it, or may.
pub fn reaches(name: &str, to: IpAddr) -> Result<bool> {
    let mut entries = nix::ifaddrs::getifaddrs()?.filter(|entry| entry.interface_name == name);
    Ok(entries.any(|entry| {
        let ip = |address: Option<nix::sys::socket::SockaddrStorage>| {
            let address = address?;
            let v4 = address.as_sockaddr_in().map(|one| IpAddr::from(one.ip()));
            v4.or(address.as_sockaddr_in6().map(|one| IpAddr::from(one.ip())))
        };
        ip(entry.address).zip(ip(entry.netmask)).is_some_and(|(own, mask)| same_network(own, to, mask))
    }))
}

fn same_network(one: IpAddr, other: IpAddr, mask: IpAddr) -> bool {
    match (one, other, mask) {
        (IpAddr::V4(one), IpAddr::V4(other), IpAddr::V4(mask)) => one & mask == other & mask,
        (IpAddr::V6(one), IpAddr::V6(other), IpAddr::V6(mask)) => one & mask == other & mask,
        _ => false,
    }
}

/// What the kernel says of interface `name`.
pub fn facts(root: &Root, name: &str) -> InterfaceFacts {
    let of = |file: &str| format!("sys/class/net/{name}/{file}");
    InterfaceFacts {
        name: name.to_owned(),
        state: root.text(&of("operstate")),
        // virtual interfaces say -1 or refuse to answer
        speed_mbit_per_s: root.value(&of("speed")).filter(|speed| *speed > 0).or_else(|| infiniband_speed(root, name)),
        mtu: root.value(&of("mtu")),
        numa_domain: root.value(&of("device/numa_node")),
    }
}

/// The CPUs next to interface `name`; `None` where the kernel does not tell, as of virtual ones.
pub fn cpus_near(root: &Root, name: &str) -> Option<CpuSet> {
    root.value::<CpuSet>(&format!("sys/class/net/{name}/device/local_cpulist")).filter(|cpus| !cpus.is_empty())
}

/// Those that are not down and have an address.
pub fn facts_of_usable(root: &Root, interfaces: &Interfaces) -> Vec<InterfaceFacts> {
    let addressed = interfaces.iter().filter(|(_, addresses)| !addresses.is_empty());
    addressed.map(|(name, _)| facts(root, name)).filter(|facts| facts.state.as_deref() != Some("down")).collect()
}

/// IP over InfiniBand has its speed at the adapter's port, as `200 Gb/sec (4X HDR)`.
fn infiniband_speed(root: &Root, name: &str) -> Option<u64> {
    let adapters = format!("sys/class/net/{name}/device/infiniband");
    let adapter = root.names(&adapters).into_iter().next()?;
    let ports = format!("{adapters}/{adapter}/ports");
    let port = root.names(&ports).into_iter().next()?;
    let rate = root.text(&format!("{ports}/{port}/rate"))?;
    let gigabits: f64 = rate.split_once(" Gb/sec")?.0.trim().parse().ok()?;
    Some((gigabits * 1000.0) as u64)
}

fn describe(interfaces: &Interfaces) -> String {
    let one = |(name, addresses): (&String, &Vec<IpAddr>)| match addresses.first() {
        Some(address) => format!("{name} ({address})"),
        None => format!("{name} (no address)"),
    };
    interfaces.iter().map(one).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_is_in_a_network_by_its_mask() {
        let same = |one, other, mask| same_network(ip(one), ip(other), ip(mask));
        assert!(same("10.78.0.3", "10.78.0.9", "255.255.255.0") && !same("10.78.0.3", "10.79.0.9", "255.255.255.0"));
        assert!(same("fd00::1", "fd00::2", "ffff:ffff::") && !same("10.0.0.1", "fd00::2", "ffff::"));
        assert!(reaches("lo", ip("127.0.0.9")).unwrap() && !reaches("lo", ip("10.0.0.1")).unwrap());
    }

    #[test]
    fn the_first_address_counts_and_errors_list_all() {
        let mut interfaces = Interfaces::new();
        interfaces.insert("hsn0".into(), vec![ip("10.78.0.4"), ip("fd00::4")]);
        interfaces.insert("hsn1".into(), vec![]);
        interfaces.insert("ib6".into(), vec![ip("fd00::5")]);
        assert_eq!(pick(&interfaces, "hsn0", "cn4").unwrap(), ip("10.78.0.4"));
        assert_eq!(pick(&interfaces, "ib6", "cn4").unwrap(), ip("fd00::5"));
        let listed = "it has hsn0 (10.78.0.4), hsn1 (no address), ib6 (fd00::5)";
        let unknown = pick(&interfaces, "ib0", "cn4").unwrap_err().to_string();
        assert!(unknown.contains("cn4 has no network interface \"ib0\"") && unknown.contains(listed), "{unknown}");
        let bare = pick(&interfaces, "hsn1", "cn4").unwrap_err().to_string();
        assert!(bare.contains("\"hsn1\" of cn4 has no address but link-local ones") && bare.contains(listed), "{bare}");
    }

    #[test]
    fn loopback_is_found_both_ways() {
        assert_eq!(address("lo", "here").unwrap(), ip("127.0.0.1"));
        assert_eq!(with_address(&of_this_host().unwrap(), ip("127.0.0.1")), Some("lo"));
    }

    #[test]
    fn speeds_come_from_the_driver_or_the_adapters_port() {
        let folder = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = folder.path().join("sys/class/net").join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("hsn0/speed", "200000\n");
        write("hsn0/operstate", "up\n");
        write("hsn0/device/numa_node", "3\n");
        write("eth0/speed", "-1\n");
        write("ib0/device/infiniband/mlx5_0/ports/1/rate", "200 Gb/sec (4X HDR)\n");
        let root = Root::at(folder.path());
        let hsn0 = facts(&root, "hsn0");
        assert_eq!(
            (hsn0.speed_mbit_per_s, hsn0.numa_domain, hsn0.state.as_deref()),
            (Some(200_000), Some(3), Some("up"))
        );
        assert_eq!(facts(&root, "eth0").speed_mbit_per_s, None);
        assert_eq!(facts(&root, "ib0").speed_mbit_per_s, Some(200_000));
        assert_eq!(facts(&root, "ib9"), InterfaceFacts { name: "ib9".into(), ..InterfaceFacts::default() });
    }
}
