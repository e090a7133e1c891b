//! A small server in the test's own process: it answers RedisAI's commands and SET/GET as documented, and can be told to misbehave at
//! a given command. Its models and scripts are stand-ins too: texts, and answers that a real RedisAI 1.2.7 gave.

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{IpAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{sleep, spawn};
use std::time::Duration;

/// What it does to the n-th timed command (put or get), counted from 0 over all connections.
#[derive(Debug, Clone, Copy)]
pub enum Mischief {
    None,
    /// Flips a bit of the payload at this byte, in every get from the n-th command on.
    Corrupt {
        from: u32,
        byte: usize,
    },
    /// Answers late.
    Slow {
        at: u32,
        by: Duration,
    },
    /// Refuses with this error.
    Refuse {
        at: u32,
        error: &'static str,
    },
    /// Forgets the key.
    Forget {
        at: u32,
    },
    /// Never answers.
    Hang {
        at: u32,
    },
    /// Cuts the reply in the middle and closes.
    Close {
        at: u32,
    },
}

/// The commands that are counted.
const TIMED: [&str; 6] = ["SET", "GET", "AI.TENSORSET", "AI.TENSORGET", "AI.SCRIPTRUN", "AI.MODELEXECUTE"];

/// What a file of a model must begin with here.
pub const MODEL: &str = "model";
/// Elements that the model wants at least, and what it gives.
const LEAST: usize = 4;
const OUTPUT: [usize; 2] = [1, 10];

pub struct StandIn {
    pub port: u16,
    state: Arc<State>,
}

struct State {
    tensors: bool,
    mischief: Mischief,
    timed: AtomicU32,
    values: Mutex<HashMap<Vec<u8>, Value>>,
    peers: Mutex<Vec<IpAddr>>,
}

/// What a key has: a string where there is no dtype.
#[derive(Clone)]
struct Value {
    dtype: String,
    dimensions: Vec<usize>,
    bytes: Vec<u8>,
}

impl StandIn {
    /// Serves until the test program ends; `tensors` says whether it knows AI.TENSORSET.
    pub fn start(tensors: bool, mischief: Mischief) -> StandIn {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(State {
            tensors,
            mischief,
            timed: AtomicU32::new(0),
            values: Mutex::default(),
            peers: Mutex::default(),
        });
        let shared = state.clone();
        spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = shared.clone();
                state.peers.lock().unwrap().push(stream.peer_addr().unwrap().ip());
                spawn(move || state.serve(&stream));
            }
        });
        StandIn { port, state }
    }

    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Addresses from which connections came.
    pub fn peers(&self) -> Vec<IpAddr> {
        self.state.peers.lock().unwrap().clone()
    }

    /// Puts and gets that arrived.
    pub fn timed_commands(&self) -> u32 {
        self.state.timed.load(Ordering::SeqCst)
    }
}

impl State {
    fn serve(&self, stream: &TcpStream) -> io::Result<()> {
        let mut input = BufReader::new(stream);
        loop {
            let command = read_command(&mut input)?;
            let name = String::from_utf8_lossy(&command[0]).to_uppercase();
            if !TIMED.contains(&name.as_str()) {
                self.small_talk(&name, &command, stream)?;
                continue;
            }
            let number = self.timed.fetch_add(1, Ordering::SeqCst);
            let mut reply = self.answer(&name, &command, number);
            match self.mischief {
                Mischief::Slow { at, by } if at == number => sleep(by),
                Mischief::Hang { at } if at == number => sleep(Duration::from_secs(3600)),
                Mischief::Close { at } if at == number => {
                    reply.truncate(reply.len() / 2);
                    (&*stream).write_all(&reply)?;
                    return stream.shutdown(std::net::Shutdown::Both);
                }
                _ => {}
            }
            (&*stream).write_all(&reply)?;
        }
    }

    fn small_talk(&self, name: &str, command: &[Vec<u8>], mut stream: &TcpStream) -> io::Result<()> {
        let info = "redis_version:7.0.15\r\nredis_mode:standalone\r\nexecutable:stand-in\r\n";
        match name {
            "PING" => stream.write_all(b"+PONG\r\n"),
            "INFO" => stream.write_all(&bulk(info.as_bytes())),
            "DEL" => {
                let there = self.values.lock().unwrap().remove(&command[1]).is_some();
                stream.write_all(format!(":{}\r\n", u8::from(there)).as_bytes())
            }
            "AI.MODELSTORE" | "AI.SCRIPTSET" => stream.write_all(&self.program(name, command)),
            "COMMAND" if self.tensors => stream.write_all(b"*1\r\n*3\r\n$12\r\nai.tensorset\r\n:-1\r\n*0\r\n"),
            "COMMAND" => stream.write_all(b"*1\r\n*-1\r\n"),
            _ => stream.write_all(format!("-ERR unknown command, with {} arguments\r\n", command.len() - 1).as_bytes()),
        }
    }

    fn answer(&self, name: &str, command: &[Vec<u8>], number: u32) -> Vec<u8> {
        if let Mischief::Refuse { at, error } = self.mischief
            && at == number
        {
            return format!("-{error}\r\n").into_bytes();
        }
        let mut values = self.values.lock().unwrap();
        if matches!(self.mischief, Mischief::Forget { at } if at == number) {
            values.remove(&command[1]);
        }
        match (name, command) {
            ("SET", [_, key, bytes]) => {
                let value = Value { dtype: String::new(), dimensions: Vec::new(), bytes: bytes.clone() };
                values.insert(key.clone(), value);
                b"+OK\r\n".to_vec()
            }
            ("AI.TENSORSET", [_, key, dtype, dimensions @ .., word, blob]) if word == b"BLOB" => {
                let dtype = String::from_utf8_lossy(dtype).into_owned();
                let dimensions: Vec<usize> =
                    dimensions.iter().map(|it| String::from_utf8_lossy(it).parse().unwrap()).collect();
                let Some(width) = width(&dtype) else { return b"-ERR invalid data type\r\n".to_vec() };
                if blob.len() != dimensions.iter().product::<usize>() * width {
                    return b"-ERR data length does not match tensor shape and type\r\n".to_vec();
                }
                values.insert(key.clone(), Value { dtype, dimensions, bytes: blob.clone() });
                b"+OK\r\n".to_vec()
            }
            ("GET", [_, key]) => {
                values.get(key).map_or(b"$-1\r\n".to_vec(), |value| bulk(&self.corrupted(&value.bytes, number)))
            }
            ("AI.TENSORGET", [_, key, meta, word]) if meta == b"META" && word == b"BLOB" => match values.get(key) {
                None => b"-ERR tensor key is empty or in a different shard\r\n".to_vec(),
                Some(value) => {
                    let mut reply = b"*6\r\n$5\r\ndtype\r\n".to_vec();
                    reply.extend(bulk(value.dtype.as_bytes()));
                    reply.extend(format!("$5\r\nshape\r\n*{}\r\n", value.dimensions.len()).bytes());
                    value.dimensions.iter().for_each(|it| reply.extend(format!(":{it}\r\n").bytes()));
                    reply.extend(b"$4\r\nblob\r\n");
                    reply.extend(bulk(&self.corrupted(&value.bytes, number)));
                    reply
                }
            },
            ("AI.TENSORGET", [_, key, meta]) if meta == b"META" => match values.get(key) {
                None => b"-ERR tensor key is empty or in a different shard\r\n".to_vec(),
                Some(value) => {
                    let mut reply = b"*4\r\n$5\r\ndtype\r\n".to_vec();
                    reply.extend(bulk(value.dtype.as_bytes()));
                    reply.extend(format!("$5\r\nshape\r\n*{}\r\n", value.dimensions.len()).bytes());
                    value.dimensions.iter().for_each(|it| reply.extend(format!(":{it}\r\n").bytes()));
                    reply
                }
            },
            ("AI.SCRIPTRUN", [_, script, function, _, input, _, output]) => {
                let Some(source) = values.get(script) else { return b"-ERR script key is empty\r\n".to_vec() };
                let head = format!("def {}(", String::from_utf8_lossy(function));
                if !String::from_utf8_lossy(&source.bytes).contains(&head) {
                    return format!("-Function does not exist: {}\r\n", String::from_utf8_lossy(function)).into_bytes();
                }
                let Some(tensor) = values.get(input).cloned() else { return EMPTY.to_vec() };
                values.insert(output.clone(), tensor);
                b"+OK\r\n".to_vec()
            }
            ("AI.MODELEXECUTE", [_, model, _, _, input, _, _, output, _, _]) => {
                if !values.contains_key(model) {
                    return b"-ERR model key is empty\r\n".to_vec();
                }
                let Some(tensor) = values.get(input) else { return EMPTY.to_vec() };
                if tensor.dimensions.iter().product::<usize>() < LEAST {
                    return b"-The following operation failed in the TorchScript interpreter. Traceback of TorchScript\r\n".to_vec();
                }
                let bytes = vec![0; OUTPUT.iter().product::<usize>() * 4];
                values.insert(output.clone(), Value { dtype: "FLOAT".into(), dimensions: OUTPUT.to_vec(), bytes });
                b"+OK\r\n".to_vec()
            }
            _ => b"-ERR wrong number of arguments\r\n".to_vec(),
        }
    }

    /// Stores a model or a script.
    fn program(&self, name: &str, command: &[Vec<u8>]) -> Vec<u8> {
        let text = |at: usize| String::from_utf8_lossy(&command[at]).into_owned();
        let (device, bytes) = (text(if name == "AI.MODELSTORE" { 3 } else { 2 }), command.last().unwrap().clone());
        match name {
            "AI.MODELSTORE" if text(2) != "TORCH" => return b"-ERR Could not load backend\r\n".to_vec(),
            _ if device.starts_with("GPU") => return b"-GPU requested but Torch couldn't find CUDA\r\n".to_vec(),
            "AI.MODELSTORE" if !bytes.starts_with(MODEL.as_bytes()) => {
                return b"-istream reader failed: getting the current position.\r\n".to_vec();
            }
            _ => {}
        }
        let value = Value { dtype: String::new(), dimensions: Vec::new(), bytes };
        self.values.lock().unwrap().insert(command[1].clone(), value);
        b"+OK\r\n".to_vec()
    }

    fn corrupted(&self, value: &[u8], number: u32) -> Vec<u8> {
        let mut value = value.to_vec();
        if let Mischief::Corrupt { from, byte } = self.mischief
            && number >= from
        {
            value[byte] ^= 0x40;
        }
        value
    }
}

const EMPTY: &[u8] = b"-ERR tensor key is empty or in a different shard\r\n";

/// Bytes of an element, by RedisAI's names.
fn width(dtype: &str) -> Option<usize> {
    let widths = [
        ("DOUBLE", 8),
        ("INT64", 8),
        ("FLOAT", 4),
        ("INT32", 4),
        ("INT16", 2),
        ("UINT16", 2),
        ("INT8", 1),
        ("UINT8", 1),
    ];
    widths.into_iter().find(|(name, _)| *name == dtype).map(|(_, width)| width)
}

fn bulk(bytes: &[u8]) -> Vec<u8> {
    [format!("${}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}

fn read_command(input: &mut impl BufRead) -> io::Result<Vec<Vec<u8>>> {
    let count = read_length(input, '*')?;
    (0..count)
        .map(|_| {
            let mut bytes = vec![0; read_length(input, '$')? + 2];
            input.read_exact(&mut bytes)?;
            bytes.truncate(bytes.len() - 2);
            Ok(bytes)
        })
        .collect()
}

fn read_length(input: &mut impl BufRead, kind: char) -> io::Result<usize> {
    let mut line = String::new();
    input.read_line(&mut line)?;
    let length = line.strip_prefix(kind).and_then(|rest| rest.trim_end().parse().ok());
    length.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))
}
