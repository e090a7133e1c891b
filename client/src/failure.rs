//! How a run ends when it fails: one message that names rank, host, op and server, in the attempt folder and on stderr,
//! then the end of all ranks.

use std::fmt;
use std::path::PathBuf;

use shardscale::record::attempt::ClientError;
use shardscale::record::{SCHEMA, files};

use crate::say::say;
use crate::{comm, launcher};

/// What went wrong, and during what.
#[derive(Debug)]
pub struct Failure {
    /// `put_tensor`, `connect`, `verify`, `write samples`, ...
    pub op: &'static str,
    pub endpoint: Option<String>,
    pub payload_bytes: Option<u64>,
    pub iteration: Option<u32>,
    pub cause: anyhow::Error,
}

/// Says during what an error happened.
pub trait During<T> {
    fn during(self, op: &'static str) -> Result<T, Failure>;
}

impl<T, E: Into<anyhow::Error>> During<T> for Result<T, E> {
    fn during(self, op: &'static str) -> Result<T, Failure> {
        self.map_err(|error| Failure::new(op, error))
    }
}

impl Failure {
    pub fn new(op: &'static str, cause: impl Into<anyhow::Error>) -> Failure {
        Failure { op, endpoint: None, payload_bytes: None, iteration: None, cause: cause.into() }
    }

    pub fn at(self, endpoint: impl fmt::Display) -> Failure {
        Failure { endpoint: Some(endpoint.to_string()), ..self }
    }
}

/// Who fails, and where that is written.
#[derive(Debug, Clone)]
pub struct Reporter {
    pub rank: u32,
    pub host: String,
    pub attempt: Option<PathBuf>,
    /// Whether this rank says so on stderr; off where every rank would say the same.
    pub speaks: bool,
}

impl Reporter {
    /// Makes a panic end like every other failure: without this, a rank that panics leaves the others waiting.
    pub fn catch_panics(&self) {
        let reporter = self.clone();
        std::panic::set_hook(Box::new(move |panic| {
            let cause = anyhow::anyhow!("{panic}: this is a bug in the client");
            reporter.end(&Failure::new("panic", cause));
        }));
    }

    /// Reports `failure` and ends all ranks.
    pub fn end(&self, failure: &Failure) -> ! {
        let error = ClientError {
            schema: SCHEMA,
            rank: self.rank,
            host: self.host.clone(),
            op: failure.op.to_owned(),
            endpoint: failure.endpoint.clone(),
            payload_bytes: failure.payload_bytes,
            iteration: failure.iteration,
            cause: format!("{:#}", failure.cause),
        };
        if self.speaks {
            say(&error);
        } else {
            launcher::let_the_first_speak();
        }
        // the first rank that fails is the cause, the others often only its echo
        match self.attempt.as_ref().map(|attempt| files::create_json_once(&attempt.join(ClientError::FILE), &error)) {
            // who was to speak is not there
            Some(Ok(true)) if !self.speaks => say(&error),
            Some(Err(second)) => say(format_args!("rank {} cannot leave that message: {second:#}", self.rank)),
            _ => {}
        }
        comm::abort()
    }
}
