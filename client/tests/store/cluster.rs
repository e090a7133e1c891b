//! Clusters of one, two and three shards.

use std::collections::BTreeSet;
use std::process::Command;

use shardscale::record::bus::BusTrial;
use shardscale::record::server::Server;

use super::lab::{Lab, client, connect, finish, free_ports};

fn forms(shards: u16) {
    let mut lab = Lab::new();
    let attempt = lab.attempt();
    let port = free_ports(shards);
    let mut servers = Vec::new();
    for index in 0..shards {
        let (_, server) = lab.started(&attempt, index.into(), port + index, &["--cluster"]);
        servers.push(server);
    }
    let said = lab.await_store(&attempt, shards.into(), &["--cluster", "--timeout", "60"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.stderr.starts_with(&format!("a cluster of {shards} serves")), "{said:?}");
    for index in 0..u32::from(shards) {
        let trial = Server::read(&attempt, index).unwrap().unwrap().bus;
        assert_eq!(trial, Some(BusTrial { unreached: None }), "every shard tried the buses of the others");
    }

    let mut epochs = BTreeSet::new();
    for server in &servers {
        let mut connection = connect(&attempt, server);
        // each row: first slot, last slot, then nodes as (address, port, id, ..)
        let rows: Vec<(u32, u32, redis::Value)> = redis::cmd("CLUSTER").arg("SLOTS").query(&mut connection).unwrap();
        assert_eq!(rows.len(), usize::from(shards));
        assert_eq!(rows.iter().map(|(first, last, _)| last - first + 1).sum::<u32>(), 16_384);
        for (_, _, node) in rows {
            let (address, port) = address(&node);
            assert!(servers.iter().any(|s| s.address.as_ref() == Some(&address) && s.port == Some(port)));
        }
        let info: String = redis::cmd("CLUSTER").arg("INFO").query(&mut connection).unwrap();
        epochs.insert(info.lines().find(|line| line.starts_with("cluster_my_epoch")).unwrap().to_owned());
    }
    assert_eq!(epochs.len(), usize::from(shards), "{epochs:?}");
    let said = lab.await_store(&attempt, shards.into(), &["--cluster"]);
    assert_eq!(said.code, Some(0), "a cluster that is formed stays as it is: {said:?}");

    let said = lab.stop_store(&attempt);
    assert_eq!(said.code, Some(0), "{said:?}");
    for number in 0..usize::from(shards) {
        assert_eq!(lab.ended(number), Some(0), "{}", lab.log(number));
    }
}

fn address(node: &redis::Value) -> (String, u16) {
    let redis::Value::Array(parts) = node else { panic!("{node:?} is no node") };
    let text = redis::from_redis_value(parts[0].clone()).unwrap();
    (text, redis::from_redis_value(parts[1].clone()).unwrap())
}

#[test]
fn one_shard() {
    forms(1);
}

#[test]
fn two_shards() {
    forms(2);
}

#[test]
fn three_shards() {
    forms(3);
}

#[test]
fn a_server_that_is_no_shard_is_named() {
    let mut lab = Lab::new();
    let attempt = lab.attempt();
    let (_, server) = lab.started(&attempt, 0, free_ports(1), &[]);
    let said = lab.await_store(&attempt, 1, &["--cluster", "--timeout", "5"]);
    assert_eq!(said.code, Some(1));
    assert!(said.stderr.contains(&format!("shard 0 on {} cannot join the cluster", server.host)), "{said:?}");
}

/// The loopback of a network namespace, without its IPv4 address.
#[test]
fn an_interface_with_ipv6_alone_carries_a_cluster() {
    const SCRIPT: &str = r#"
        ip link set lo up && ip addr del 127.0.0.1/8 dev lo || exit 9
        for index in 0 1; do
            "$CLIENT" serve --attempt "$ATTEMPT" --ifname lo --port $((6780 + index)) --index $index --cluster --scratch "$SCRATCH" &
        done
        "$CLIENT" await-store --attempt "$ATTEMPT" --servers 2 --cluster --timeout 60
        rc=$?
        "$CLIENT" stop-store --attempt "$ATTEMPT"
        wait
        exit $rc"#;
    let lab = Lab::new();
    let attempt = lab.attempt();
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--net", "bash", "-c", SCRIPT]).env("CLIENT", client(&[]).get_program());
    command.env("ATTEMPT", &attempt).env("SCRATCH", lab.scratch());
    let said = finish(command);
    assert!(said.code == Some(0) && said.stderr.contains("a cluster of 2 serves"), "{said:?}");
    assert_eq!(Server::read(&attempt, 1).unwrap().unwrap().address.as_deref(), Some("::1"));
}
