//! The plain wire against a real Valkey, which Debian 12 does not have: by hand only, with the program that $VALKEY_SERVER names
//! (docs/reference/store.md says where one comes from).
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{Redis, Run, cluster_of, samples};

fn program() -> String {
    std::env::var("VALKEY_SERVER").expect("VALKEY_SERVER names a valkey-server")
}

#[test]
#[ignore = "needs a valkey-server, named by VALKEY_SERVER"]
fn every_byte_comes_back_over_tcp_over_a_socket_and_from_a_cluster() {
    let one = Redis::of(&program(), &[]);
    let shards = cluster_of(&program());
    let addresses = [one.address(), format!("unix://{}", one.socket().display()), shards[0].address()];
    for (address, dtype) in addresses.iter().zip(["float32", "int8", "float64"]) {
        let attempt = tempfile::tempdir().unwrap();
        let run = Run::new(3, "1KiB,64KiB,4MiB").attempt(attempt.path()).arg("--address", address).flag("--verify");
        run.arg("--dtype", dtype).arg("--tensors", 4).arg("--pipeline", 4).arg("--iterations", 50).succeed();
        let file = samples(attempt.path());
        let contents = file.contents().unwrap();
        let meta = contents.meta.as_ref().unwrap();
        assert!(contents.ended && meta.server.starts_with("valkey "), "{}", meta.server);
        assert_eq!(contents.series.len(), 3 * 2 * 3, "ranks x ops x sizes at {address}");
        println!("{}: {address}, {dtype}: 3 ranks, every byte as it was put", meta.server);
    }
}
