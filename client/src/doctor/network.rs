//! The network: the interface for servers, queues of connections, the port.

use std::net::{IpAddr, Ipv4Addr, TcpListener};

use shardscale::record::host::{HostFacts, InterfaceFacts};

use super::Args;
use super::finding::Finding;
use crate::limits::BACKLOG_WANTED;
use crate::node::Root;
use crate::node::interface::{self, Interfaces};
use crate::store::config::BUS_OFFSET;

/// Whether `ifname` can carry a run; without a name, what there is.
pub fn check_interface(root: &Root, interfaces: &Interfaces, ifname: Option<&str>) -> Vec<Finding> {
    let Some(name) = ifname else {
        let usable = interface::facts_of_usable(root, interfaces);
        let one = |facts: &InterfaceFacts| {
            let addresses = interfaces.get(&facts.name).into_iter().flatten();
            format!("{} ({})", facts.name, addresses.map(IpAddr::to_string).collect::<Vec<_>>().join(" "))
        };
        let list: Vec<_> = usable.iter().map(one).collect();
        return vec![Finding::ok("interfaces", format!("{}; name one with --ifname", list.join(", ")))];
    };
    let what = format!("interface {name}");
    match interface::pick(interfaces, name, "this node") {
        Err(error) => {
            vec![Finding::bad(&what, format!("{error:#}"), "name one of these, or ask why it is not configured")]
        }
        Ok(address) => vec![judge(&what, address, &interface::facts(root, name))],
    }
}

fn judge(what: &str, address: IpAddr, facts: &InterfaceFacts) -> Finding {
    let state = facts.state.as_deref().unwrap_or("unknown");
    let speed = match facts.speed_mbit_per_s {
        Some(speed) => format!("{} Gbit/s", speed as f64 / 1000.0),
        None => "speed not told by its driver".to_owned(),
    };
    let mtu = facts.mtu.map(|mtu| format!(", MTU {mtu}")).unwrap_or_default();
    let domain = facts.numa_domain.map(|domain| format!(", at NUMA domain {domain}")).unwrap_or_default();
    let found = format!("{address}, {state}, {speed}{mtu}{domain}");
    match (state, facts.speed_mbit_per_s) {
        ("down" | "lowerlayerdown", _) => {
            Finding::bad(what, found, "it is down: name another one, or have this node drained and repaired")
        }
        (_, Some(speed)) if speed < 10_000 => Finding::warn(
            what,
            found,
            "this is a slow network, often that of the management: name the fast one (hsn0, ib0)",
        ),
        _ => Finding::ok(what, found),
    }
}

/// Queues of connections that are not accepted yet.
pub fn check_queues(facts: &HostFacts, ranks: Option<u32>) -> Vec<Finding> {
    let wanted = ranks.unwrap_or(BACKLOG_WANTED).min(BACKLOG_WANTED);
    let judge = |what: &str, queue: Option<u32>, wanted: u32, name: &str| match queue {
        None => Finding::ok(what, "not told by this kernel"),
        Some(queue) if queue < wanted => Finding::warn(
            what,
            format!("{queue}, for {} ranks", ranks.unwrap_or(wanted)),
            format!(
                "ranks connect in turns, so that this works; for other clients ask for `sysctl -w {name}={wanted}`"
            ),
        ),
        Some(queue) => Finding::ok(what, queue.to_string()),
    };
    vec![
        judge("somaxconn", facts.somaxconn, wanted, "net.core.somaxconn"),
        judge("tcp_max_syn_backlog", facts.tcp_max_syn_backlog, wanted.min(1024), "net.ipv4.tcp_max_syn_backlog"),
    ]
}

/// Whether TCP sends as soon as it may.
pub fn check_congestion_control(facts: &HostFacts) -> Finding {
    let what = "congestion control";
    match (facts.pacing(), &facts.tcp_congestion_control) {
        (Some(found), _) => Finding::warn(
            what,
            found,
            "compare over TCP only with runs under bbr, use UNIX sockets on a node, or ask for `sysctl -w \
             net.ipv4.tcp_congestion_control=cubic`",
        ),
        (None, Some(name)) => Finding::ok(what, name.as_str()),
        (None, None) => Finding::ok(what, "not told by this kernel"),
    }
}

/// Whether a server could take the port, and the cluster bus its own.
pub fn check_port(root: &Root, interfaces: &Interfaces, args: &Args) -> Finding {
    let what = format!("port {}", args.port);
    let address = args.ifname.as_deref().and_then(|name| interfaces.get(name)?.first().copied());
    let address = address.unwrap_or(Ipv4Addr::LOCALHOST.into());
    let Some(bus) = args.port.checked_add(BUS_OFFSET) else {
        let highest = u16::MAX - BUS_OFFSET;
        return Finding::bad(&what, "leaves no port for the cluster bus", format!("give a --port up to {highest}"));
    };
    for port in [args.port, bus] {
        if let Err(error) = TcpListener::bind((address, port)) {
            let remedy =
                format!("give another --port, or end what holds it (`ss -ltnp` names it): {port} on {address}");
            return Finding::bad(&what, format!("port {port} cannot be used: {error}"), remedy);
        }
    }
    let found = format!("free on {address}, and {bus} for the cluster bus");
    match ephemeral(root).filter(|range| range.contains(&args.port) || range.contains(&bus)) {
        Some(range) => Finding::warn(
            &what,
            format!("{found}; the kernel gives {}-{} to connections", range.start(), range.end()),
            "a connection may hold it at the wrong moment: give a port below that range",
        ),
        None => Finding::ok(&what, found),
    }
}

/// Ports that the kernel takes for outgoing connections.
fn ephemeral(root: &Root) -> Option<std::ops::RangeInclusive<u16>> {
    let text = root.text("proc/sys/net/ipv4/ip_local_port_range")?;
    let mut numbers = text.split_whitespace().map(str::parse);
    Some(numbers.next()?.ok()?..=numbers.next()?.ok()?)
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;
    use crate::node::root;

    fn interfaces() -> Interfaces {
        Interfaces::from([
            ("hsn0".to_owned(), vec![Ipv4Addr::new(10, 78, 0, 4).into()]),
            ("eth0".to_owned(), vec![Ipv4Addr::new(10, 0, 0, 4).into()]),
            ("hsn1".to_owned(), vec![]),
        ])
    }

    #[test]
    fn an_interface_is_up_fast_slow_down_or_missing() {
        let (_folder, up) = root(&[
            ("sys/class/net/hsn0/operstate", "up\n"),
            ("sys/class/net/hsn0/speed", "200000\n"),
            ("sys/class/net/hsn0/mtu", "9000\n"),
            ("sys/class/net/eth0/operstate", "up\n"),
            ("sys/class/net/eth0/speed", "1000\n"),
        ]);
        let check = |root: &Root, name: &str| check_interface(root, &interfaces(), Some(name)).remove(0);
        let fast = check(&up, "hsn0");
        assert_eq!((fast.level, fast.found.as_str()), (Level::Ok, "10.78.0.4, up, 200 Gbit/s, MTU 9000"));
        assert_eq!(check(&up, "eth0").level, Level::Warn);
        let missing = check(&up, "ib0");
        assert!(missing.level == Level::Bad && missing.found.contains("it has eth0 (10.0.0.4), hsn0"), "{missing:?}");
        assert!(check(&up, "hsn1").found.contains("has no address but link-local ones"));
        let (_folder, down) = root(&[("sys/class/net/hsn0/operstate", "down\n")]);
        assert_eq!(check(&down, "hsn0").level, Level::Bad);
        let all = &check_interface(&up, &interfaces(), None)[0];
        assert!(all.found.starts_with("eth0 (10.0.0.4), hsn0 (10.78.0.4)"), "{all:?}");
    }

    #[test]
    fn pacing_is_warned_of() {
        let level = |name: Option<&str>| {
            let facts = HostFacts { tcp_congestion_control: name.map(str::to_owned), ..HostFacts::default() };
            check_congestion_control(&facts).level
        };
        assert_eq!([level(Some("bbr")), level(Some("cubic")), level(None)], [Level::Warn, Level::Ok, Level::Ok]);
    }

    #[test]
    fn short_queues_warn_where_ranks_are_more() {
        let facts = HostFacts { somaxconn: Some(128), tcp_max_syn_backlog: Some(2048), ..HostFacts::default() };
        let levels = |ranks| check_queues(&facts, ranks).iter().map(|finding| finding.level).collect::<Vec<_>>();
        assert_eq!(levels(None), [Level::Warn, Level::Ok]);
        assert_eq!(levels(Some(100)), [Level::Ok, Level::Ok]);
    }
}
