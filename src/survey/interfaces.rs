//! Network interfaces of this machine over which nodes could talk, from /sys/class/net and `ip`.

use std::path::Path;

use crate::scheduler::ask::ask as ask_program;

/// An interface that is up and has an IPv4 address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub name: String,
    /// NUMA domain next to its device, as Linux numbers domains; absent for virtual devices and where Linux does not know.
    pub numa: Option<u32>,
}

/// Asks `ip` for the interfaces and Linux where each device sits.
pub fn ask() -> Vec<Found> {
    let names = parse(&ask_program("ip", &["-br", "-4", "addr"]).unwrap_or_default());
    names.into_iter().map(|name| Found { numa: numa_node(Path::new("/sys/class/net"), &name), name }).collect()
}

/// Reads the answer to `ip -br -4 addr`: NAME STATE ADDRESS..., one a line; the loopback is left out.
fn parse(text: &str) -> Vec<String> {
    let interface = |line: &str| {
        let mut words = line.split_whitespace();
        // a VLAN or a container's end is shown as name@peer
        let name = words.next()?.split('@').next()?.to_owned();
        let state = words.next()?;
        let plain = name.len() <= 15 && name.chars().all(|c| c.is_ascii_alphanumeric() || ".-_".contains(c));
        (state != "DOWN" && words.next().is_some() && name != "lo" && plain).then_some(name)
    };
    text.lines().filter_map(interface).collect()
}

fn numa_node(net: &Path, name: &str) -> Option<u32> {
    // -1: Linux does not know
    std::fs::read_to_string(net.join(name).join("device/numa_node")).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interfaces_that_are_up_and_have_an_address() {
        let text = "lo               UNKNOWN        127.0.0.1/8 \nifb0             DOWN           \n\
                    eth0             UP             192.0.2.2/24 metric 100\nhsn0@if5         UP             10.78.0.1/24\nib0 DOWN 10.0.0.1/8\n";
        assert_eq!(parse(text), ["eth0", "hsn0"]);
        assert_eq!(parse("").len(), 0);
    }

    #[test]
    fn the_domain_next_to_a_device() {
        let net = tempfile::tempdir().unwrap();
        let device = |name: &str, text: &str| {
            std::fs::create_dir_all(net.path().join(name).join("device")).unwrap();
            std::fs::write(net.path().join(name).join("device/numa_node"), text).unwrap();
        };
        device("hsn0", "3\n");
        device("eth0", "-1\n");
        assert_eq!(["hsn0", "eth0", "veth"].map(|name| numa_node(net.path(), name)), [Some(3), None, None]);
    }
}
