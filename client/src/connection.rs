//! The data connections of a rank, one to each shard that it uses: a TCP or UNIX stream with explicit timeouts,
//! authenticated and known to answer.

use std::io::{self, ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use rustix::net::{RecvAncillaryBuffer, RecvFlags};
use socket2::{Domain, Protocol, SockAddr, SockRef, Socket, Type};

use crate::address::Address;
use crate::wire::ByteStream;
use crate::wire::resp::{self, Reply};

/// How long things may take.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// Until a TCP connection stands.
    pub connect: Duration,
    /// Without a byte going or coming within one call; up to an eighth more, see [`WAITS`].
    pub reply: Duration,
}

/// Waits that make a time-out. The kernel counts the time that a call waits in all, and not since the last byte: a call that
/// moved some bytes before the server fell silent ends with them, and only the next ones tell that nothing comes. With the whole
/// time-out in one wait a silent server would cost it twice.
const WAITS: u32 = 8;

/// Environment variable with the store's password.
const PASSWORD_VARIABLE: &str = "SHARDSCALE_PASSWORD";

/// How to connect.
#[derive(Debug, Clone, Copy)]
pub struct Dial<'a> {
    pub password: Option<&'a str>,
    pub timeouts: Timeouts,
    /// Address that TCP connections leave from; absent: the kernel chooses.
    pub source: Option<IpAddr>,
}

/// A byte stream to a server.
#[derive(Debug)]
pub enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// The password that the environment gives, if any.
pub fn password_of_environment() -> Option<String> {
    std::env::var(PASSWORD_VARIABLE).ok().filter(|password| !password.is_empty())
}

/// Connects, authenticates where there is a password, and waits until the server answers PING.
pub fn open(address: &Address, dial: Dial<'_>) -> Result<Stream> {
    let mut stream = connect(address, dial)?;
    if let Some(password) = dial.password {
        ask(&mut stream, &[b"AUTH", password.as_bytes()], "OK").context("the server refuses the password")?;
    }
    ask(&mut stream, &[b"PING"], "PONG").context("the server does not serve")?;
    Ok(stream)
}

impl Stream {
    /// The address that it leaves from; `None` for a UNIX socket.
    pub fn source(&self) -> Option<IpAddr> {
        match self {
            Stream::Tcp(stream) => Some(stream.local_addr().ok()?.ip()),
            Stream::Unix(_) => None,
        }
    }

    /// Bytes of its send and receive buffers, as the kernel says: SO_SNDBUF, SO_RCVBUF.
    pub fn buffers(&self) -> Option<(u64, u64)> {
        let socket = match self {
            Stream::Tcp(stream) => SockRef::from(stream),
            Stream::Unix(stream) => SockRef::from(stream),
        };
        Some((socket.send_buffer_size().ok()? as u64, socket.recv_buffer_size().ok()? as u64))
    }
}

fn connect(address: &Address, dial: Dial<'_>) -> Result<Stream> {
    let wait = Some(dial.timeouts.reply / WAITS);
    match address {
        Address::Unix(path) => {
            let stream = connect_unix(path, dial.timeouts.connect).context("cannot connect to the socket")?;
            stream.set_read_timeout(wait)?;
            stream.set_write_timeout(wait)?;
            Ok(Stream::Unix(stream))
        }
        Address::Folder(path) => bail!("{} is a folder of files, and no server", path.display()),
        Address::Tcp { host, port } => {
            let stream = connect_tcp(host, *port, dial)?;
            // without it a command in two segments waits for the acknowledgement of the first: 44 ms, measured
            stream.set_nodelay(true)?;
            stream.set_read_timeout(wait)?;
            stream.set_write_timeout(wait)?;
            Ok(Stream::Tcp(stream))
        }
    }
}

/// A full queue makes connect wait, without a limit unless sending has one.
fn connect_unix(path: &Path, timeout: Duration) -> io::Result<UnixStream> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_write_timeout(Some(timeout))?;
    socket.connect(&SockAddr::unix(path)?)?;
    Ok(socket.into())
}

fn connect_tcp(host: &str, port: u16, dial: Dial<'_>) -> Result<TcpStream> {
    let addresses = (host, port).to_socket_addrs().with_context(|| format!("cannot find the address of {host}"))?;
    let mut last = anyhow!("{host} has no address");
    for address in addresses {
        match connect_from(dial.source, address, dial.timeouts.connect) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = anyhow!(error).context(format!("cannot connect to {address}")),
        }
    }
    Err(last)
}

fn connect_from(source: Option<IpAddr>, to: SocketAddr, timeout: Duration) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(to), Type::STREAM, Some(Protocol::TCP))?;
    if let Some(source) = source {
        socket.bind(&SocketAddr::from((source, 0)).into())?;
    }
    socket.connect_timeout(&to.into(), timeout)?;
    Ok(socket.into())
}

/// Removes a key, whatever lies under it.
pub fn delete<S: Read + Write>(stream: &mut S, key: &str) -> Result<()> {
    match exchange(stream, &[b"DEL", key.as_bytes()])? {
        Reply::Integer(_) => Ok(()),
        Reply::Error(text) => bail!(resp::explain(&text)),
        other => bail!("the server answered {other} to DEL"),
    }
}

fn ask(stream: &mut Stream, command: &[&[u8]], due: &str) -> Result<()> {
    match exchange(stream, command)? {
        Reply::Simple(text) if text == due => Ok(()),
        Reply::Error(text) => bail!(resp::explain(&text)),
        other => bail!("the server answered {other} where {due} was due"),
    }
}

/// A short command and its reply, outside all timed sections.
fn exchange<S: Read + Write>(stream: &mut S, command: &[&[u8]]) -> Result<Reply> {
    const LONGEST: usize = 4096;
    let mut bytes = Vec::new();
    resp::push_command(&mut bytes, command);
    stream.write_all(&bytes)?;
    Ok(resp::read_reply(stream, Vec::new(), LONGEST)?.1)
}

/// Makes a call again until bytes move or [`WAITS`] waits are over. Nothing of a call that moves bytes at once changes.
fn patiently(mut call: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
    for _ in 1..WAITS {
        match call() {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            done => return done,
        }
    }
    call()
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        patiently(|| match self {
            Stream::Tcp(stream) => stream.read(buffer),
            Stream::Unix(stream) => stream.read(buffer),
        })
    }

    fn read_vectored(&mut self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        patiently(|| match self {
            Stream::Tcp(stream) => stream.read_vectored(buffers),
            Stream::Unix(stream) => stream.read_vectored(buffers),
        })
    }
}

impl Write for Stream {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        patiently(|| match self {
            Stream::Tcp(stream) => stream.write(buffer),
            Stream::Unix(stream) => stream.write(buffer),
        })
    }

    fn write_vectored(&mut self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        patiently(|| match self {
            Stream::Tcp(stream) => stream.write_vectored(buffers),
            Stream::Unix(stream) => stream.write_vectored(buffers),
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl ByteStream for Stream {
    fn fill(&mut self, parts: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        let socket = match &*self {
            Stream::Tcp(stream) => stream.as_fd(),
            Stream::Unix(stream) => stream.as_fd(),
        };
        // unlike a read it goes on until all is there: the kernel wakes and copies, and we are not asked in between
        patiently(|| {
            let received = rustix::net::recvmsg(socket, parts, &mut RecvAncillaryBuffer::default(), RecvFlags::WAITALL);
            Ok(received?.bytes)
        })
    }
}
