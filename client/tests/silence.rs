//! A server that falls silent in the middle of a payload is given up after the reply time-out, and not after twice that.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::process::Command;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use common::{Redis, Run, client_error, end_of, wait_for};
use shardscale::record::files;
use shardscale::record::progress::Progress;
use shardscale::record::vocabulary::{Dtype, Wire};
use shardscale_client::address::Address;
use shardscale_client::connection::{self, Dial, Timeouts};
use shardscale_client::wire::{self, Tensor};

const TIMEOUT: Duration = Duration::from_millis(1600);
/// The time-out, an eighth more, and what a busy machine takes; twice the time-out would be more.
const AT_MOST: Duration = Duration::from_millis(2700);

const PAYLOAD: usize = 32 << 20;

trait Socket: Read + Write + Send {}
impl<T: Read + Write + Send> Socket for T {}

/// Answers PING; then takes `takes` bytes of what comes, sends `answer`, and says nothing more until `over` is dropped.
fn serve(mut socket: impl Socket, (takes, answer): (usize, &[u8]), over: &Receiver<()>) {
    let mut buffer = vec![0; 1 << 20];
    let greeted = socket.read(&mut buffer).unwrap();
    assert!(buffer[..greeted].ends_with(b"PING\r\n"));
    socket.write_all(b"+PONG\r\n").unwrap();
    let mut taken = 0;
    while taken < takes {
        taken += socket.read(&mut buffer[..(takes - taken).min(1 << 20)]).unwrap();
    }
    socket.write_all(answer).unwrap();
    let _ = over.recv_timeout(4 * AT_MOST);
}

/// The server on a TCP and on a UNIX socket, one after the other; `exchange` is timed with each.
fn silent(takes: usize, answer: &[u8], exchange: impl Fn(&mut connection::Stream) -> anyhow::Result<()> + Sync) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let unix = UnixListener::bind(&path).unwrap();
    let addresses =
        [Address::Tcp { host: "127.0.0.1".into(), port: tcp.local_addr().unwrap().port() }, Address::Unix(path)];
    let exchange = &exchange;
    thread::scope(|scope| {
        let (tcp_client, tcp_over) = channel();
        let (unix_client, unix_over) = channel();
        scope.spawn(move || serve(tcp.accept().unwrap().0, (takes, answer), &tcp_over));
        scope.spawn(move || serve(unix.accept().unwrap().0, (takes, answer), &unix_over));
        for (address, client) in addresses.iter().zip([tcp_client, unix_client]) {
            scope.spawn(move || {
                let _client: Sender<()> = client;
                let timeouts = Timeouts { connect: TIMEOUT, reply: TIMEOUT };
                let mut stream = connection::open(address, Dial { password: None, timeouts, source: None }).unwrap();
                let start = Instant::now();
                let error = format!("{:#}", exchange(&mut stream).unwrap_err());
                let took = start.elapsed();
                assert!(error.contains("--reply-timeout"), "{address}: {error}");
                assert!((TIMEOUT..AT_MOST).contains(&took), "{address}: given up after {took:?}");
            });
        }
    });
}

fn tensor() -> Tensor {
    Tensor { dtype: Dtype::Uint8, dimensions: vec![PAYLOAD as u64], payload_bytes: PAYLOAD }
}

#[test]
fn a_put_of_which_a_part_is_taken() {
    let payload = vec![1; PAYLOAD];
    // the second is all but the end of the command
    for takes in [1 << 20, PAYLOAD] {
        silent(takes, b"", |stream| wire::put(Wire::Plain, "key", &tensor()).exchange(stream, &payload));
    }
}

#[test]
fn a_get_of_which_a_part_comes() {
    // the head as SET would have stored it
    let mut head = format!("${}\r\nSHT1", 16 + PAYLOAD).into_bytes();
    head.extend([8, 1, 0, 0]);
    head.extend((PAYLOAD as u64).to_le_bytes());
    for part in [0, 5, 3 << 20, PAYLOAD] {
        let answer = [&head[..], &vec![1; part]].concat();
        let answer = if part == 0 { &answer[..10] } else { &answer };
        silent(1, answer, |stream| wire::get(Wire::Plain, "key", &tensor()).exchange(stream, &mut vec![0; PAYLOAD]));
    }
}

#[test]
fn a_real_server_is_stopped_in_the_middle_of_a_run() {
    let signal =
        |name: &str, pid: u32| assert!(Command::new("kill").args([name, &pid.to_string()]).status().unwrap().success());
    for (uds, depth) in [(false, 1), (false, 4), (true, 1), (true, 4)] {
        let redis = Redis::start(&[]);
        let attempt = tempfile::tempdir().unwrap();
        let address = if uds { format!("unix://{}", redis.socket().display()) } else { redis.address() };
        let run = Run::new(1, "32MiB").attempt(attempt.path()).arg("--address", address).arg("--iterations", 100_000);
        let mut running =
            run.arg("--tensors", depth).arg("--pipeline", depth).arg("--reply-timeout", 4).arg("--warmup", 0).start();
        wait_for("the loop", || {
            let progress: Option<Progress> = files::read_json(&attempt.path().join("progress.json")).unwrap();
            progress.is_some_and(|progress| progress.running.is_some_and(|at| at.iteration > 0))
        });
        signal("-STOP", redis.process.0.id());
        let start = Instant::now();
        let status = end_of(&mut running);
        let took = start.elapsed();
        // it must be awake to be ended
        signal("-CONT", redis.process.0.id());
        assert!(!status.success());
        let error = client_error(attempt.path());
        assert!(error.cause.contains("--reply-timeout"), "{error}");
        assert!(["put_tensor", "unpack_tensor"].contains(&error.op.as_str()), "{error}");
        assert_eq!(error.payload_bytes, Some(32 << 20));
        assert!((3.9..7.8).contains(&took.as_secs_f64()), "uds {uds}, depth {depth}: ended after {took:?}");
    }
}
