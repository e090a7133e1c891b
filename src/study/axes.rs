//! The axes: what flags and site files may say of them, and what is left when all have spoken.

use anyhow::{Result, bail, ensure};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use crate::record::binding::CpuBind;
use crate::record::units::parse_tensor_bytes;
use crate::record::vocabulary::{Barrier, Deployment, Distribution, KeyPlacement, Store, Transport, Wire};

/// Values for some of the axes, from one source (flags, a site's `[study]` table). An absent one is open.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Axes {
    pub deployment: Option<Vec<Deployment>>,
    pub client_nodes: Option<Vec<u32>>,
    pub clients_per_node: Option<Vec<u32>>,
    pub client_cpus: Option<Vec<u32>>,
    pub db_nodes: Option<Vec<u32>>,
    pub db_cpus: Option<Vec<u32>>,
    pub cpu_bind: Option<Vec<CpuBind>>,
    pub distribution: Option<Vec<Distribution>>,
    pub net_ifname: Option<Vec<String>>,
    pub colocated_ifname: Option<Vec<String>>,
    pub transport: Option<Vec<Transport>>,
    pub store: Option<Vec<Store>>,
    pub io_threads: Option<Vec<u32>>,
    pub keys: Option<Vec<KeyPlacement>>,
    pub repeats: Option<u32>,
    pub wire: Option<Wire>,
    #[serde(deserialize_with = "tensor_bytes")]
    pub tensor_bytes: Option<Vec<u64>>,
    pub iterations: Option<u32>,
    pub warmup: Option<u32>,
    pub barrier: Option<Barrier>,
    pub verify: Option<bool>,
}

/// The axes when all have a value. Lists multiply; each list holds every value once, in the order given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Study {
    pub deployment: Vec<Deployment>,
    pub client_nodes: Vec<u32>,
    pub clients_per_node: Vec<u32>,
    /// Cores for each rank.
    pub client_cpus: Vec<u32>,
    /// Standard deployment only.
    pub db_nodes: Vec<u32>,
    pub db_cpus: Vec<u32>,
    pub cpu_bind: Vec<CpuBind>,
    pub distribution: Vec<Distribution>,
    /// Standard deployment only.
    pub net_ifname: Vec<String>,
    /// Colocated deployment over TCP only.
    pub colocated_ifname: Vec<String>,
    pub transport: Vec<Transport>,
    pub store: Vec<Store>,
    pub io_threads: Vec<u32>,
    pub keys: Vec<KeyPlacement>,
    pub repeats: u32,
    pub wire: Wire,
    pub tensor_bytes: Vec<u64>,
    pub iterations: u32,
    pub warmup: u32,
    pub barrier: Barrier,
    pub verify: bool,
}

/// Takes the values of the first source that has any.
macro_rules! first_of {
    ($first:expr, $second:expr; $($axis:ident),+ $(,)?) => {
        Axes { $($axis: $first.$axis.or($second.$axis),)+ }
    };
}

impl Axes {
    /// These values, and those of `fallback` for the axes that are open here.
    pub fn or(self, fallback: Axes) -> Axes {
        first_of!(self, fallback; deployment, client_nodes, clients_per_node, client_cpus, db_nodes, db_cpus, cpu_bind, distribution, net_ifname,
            colocated_ifname, transport, store, io_threads, keys, repeats, wire, tensor_bytes, iterations, warmup,
            barrier, verify)
    }

    /// Fills what is still open with the defaults that hold at every site, and checks each value by itself.
    ///
    /// # Errors
    /// An axis without values or with a value out of range: the message names the flag, the value and the range.
    pub fn resolve(self) -> Result<Study> {
        let study = Study {
            deployment: list("deployment", self.deployment, &[Deployment::Standard])?,
            client_nodes: counts("client-nodes", self.client_nodes, &[1], 1_000_000)?,
            clients_per_node: counts("clients-per-node", self.clients_per_node, &[1], 4096)?,
            client_cpus: counts("client-cpus", self.client_cpus, &[1], 4096)?,
            db_nodes: counts("db-nodes", self.db_nodes, &[3], 1000)?,
            db_cpus: counts("db-cpus", self.db_cpus, &[1], 4096)?,
            cpu_bind: list("cpu-bind", self.cpu_bind, &[CpuBind::None])?,
            distribution: list("distribution", self.distribution, &[Distribution::Packed])?,
            net_ifname: names("net-ifname", self.net_ifname)?,
            colocated_ifname: names("colocated-ifname", self.colocated_ifname)?,
            transport: list("transport", self.transport, &[Transport::Tcp])?,
            store: list("store", self.store, &[Store::Redis])?,
            io_threads: counts("io-threads", self.io_threads, &[1], 128)?,
            keys: list("keys", self.keys, &[KeyPlacement::Hash])?,
            repeats: count("repeats", self.repeats.unwrap_or(1), 1, 1000)?,
            wire: self.wire.unwrap_or(Wire::Auto),
            tensor_bytes: sizes(self.tensor_bytes)?,
            iterations: count("iterations", self.iterations.unwrap_or(100), 1, 10_000_000)?,
            warmup: count("warmup", self.warmup.unwrap_or(10), 0, 1_000_000)?,
            barrier: self.barrier.unwrap_or(Barrier::Size),
            verify: self.verify.unwrap_or(false),
        };
        // beside tcp, a uds in the list is for the colocated runs alone, as db-nodes are for the standard ones
        if study.deployment.contains(&Deployment::Standard) && !study.transport.contains(&Transport::Tcp) {
            bail!("--deployment standard needs --transport tcp: a UNIX socket does not reach another node");
        }
        Ok(study)
    }
}

/// SmartSim-Scaling's sizes for throughput tests, as the default sweep.
const DEFAULT_TENSOR_BYTES: [u64; 11] =
    [1024, 8192, 16_384, 32_768, 65_536, 131_072, 262_144, 524_288, 1_024_000, 2_048_000, 4_096_000];

fn sizes(given: Option<Vec<u64>>) -> Result<Vec<u64>> {
    const LARGEST: u64 = 512 << 20; // Redis refuses longer strings (proto-max-bulk-len)
    let sizes = list("tensor-bytes", given, &DEFAULT_TENSOR_BYTES)?;
    for bytes in &sizes {
        ensure!(*bytes <= LARGEST, "--tensor-bytes {bytes} is above {LARGEST}, the longest value that Redis takes");
    }
    Ok(sizes)
}

fn list<T: Clone + PartialEq + std::fmt::Debug>(flag: &str, given: Option<Vec<T>>, default: &[T]) -> Result<Vec<T>> {
    let values = given.unwrap_or_else(|| default.to_vec());
    ensure!(!values.is_empty(), "--{flag} has no value: give at least one, or leave it out");
    for (i, value) in values.iter().enumerate() {
        ensure!(!values[..i].contains(value), "--{flag} has {value:?} twice: use --repeats to measure a point again");
    }
    Ok(values)
}

fn counts(flag: &str, given: Option<Vec<u32>>, default: &[u32], max: u32) -> Result<Vec<u32>> {
    let values = list(flag, given, default)?;
    values.iter().try_for_each(|value| count(flag, *value, 1, max).map(|_| ()))?;
    Ok(values)
}

fn count(flag: &str, value: u32, min: u32, max: u32) -> Result<u32> {
    ensure!((min..=max).contains(&value), "--{flag} {value} is out of range; allowed: {min} to {max}");
    Ok(value)
}

fn names(flag: &str, given: Option<Vec<String>>) -> Result<Vec<String>> {
    let values = list(flag, given, &["lo".to_owned()])?;
    for name in &values {
        // the kernel's limit is 15 characters (IFNAMSIZ); the rest keeps the name usable in a permutation's name
        let fits = (1..=15).contains(&name.len());
        let plain =
            name.chars().all(|c| c.is_ascii_alphanumeric() || ".-_".contains(c)) && !name.starts_with(['-', '.']);
        ensure!(
            fits && plain,
            "--{flag} {name:?} is no interface name; allowed: 1 to 15 of the characters a-z A-Z 0-9 . _ -, such as hsn0"
        );
    }
    Ok(values)
}

/// Sizes in a site file are numbers of bytes or texts such as "8KiB".
fn tensor_bytes<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Vec<u64>>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Size {
        Bytes(u64),
        Text(String),
    }
    let sizes: Vec<Size> = Vec::deserialize(from)?;
    let parsed = sizes.into_iter().map(|size| match size {
        Size::Bytes(bytes) => parse_tensor_bytes(&bytes.to_string()),
        Size::Text(text) => parse_tensor_bytes(&text),
    });
    parsed.collect::<Result<_, _>>().map(Some).map_err(serde::de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(axes: Axes) -> String {
        axes.resolve().unwrap_err().to_string()
    }

    #[test]
    fn flags_win_over_the_site_and_the_site_over_the_defaults() {
        let site = Axes { client_nodes: Some(vec![4, 8]), iterations: Some(7), ..Axes::default() };
        let flags = Axes { client_nodes: Some(vec![16]), ..Axes::default() };
        let study = flags.or(site).resolve().unwrap();
        assert_eq!((study.client_nodes, study.iterations, study.warmup), (vec![16], 7, 10));
        assert_eq!(study.tensor_bytes, DEFAULT_TENSOR_BYTES);
    }

    #[test]
    fn values_out_of_range_name_the_flag_and_the_range() {
        let zero = error(Axes { client_nodes: Some(vec![4, 0]), ..Axes::default() });
        assert_eq!(zero, "--client-nodes 0 is out of range; allowed: 1 to 1000000");
        assert!(error(Axes { db_cpus: Some(vec![]), ..Axes::default() }).contains("--db-cpus has no value"));
        assert!(error(Axes { db_cpus: Some(vec![2, 2]), ..Axes::default() }).contains("2 twice"));
        assert!(
            error(Axes { tensor_bytes: Some(vec![1 << 30]), ..Axes::default() }).contains("--tensor-bytes 1073741824")
        );
        assert!(error(Axes { iterations: Some(0), ..Axes::default() }).contains("--iterations 0"));
    }

    #[test]
    fn an_interface_name_cannot_carry_shell() {
        for hostile in ["$(id)", "a b", "hsn0;id", "", "-x", "0123456789abcdef", "hsn0\n"] {
            let axes = Axes { net_ifname: Some(vec![hostile.to_owned()]), ..Axes::default() };
            assert!(error(axes).contains("is no interface name"), "{hostile:?}");
        }
    }

    #[test]
    fn a_socket_does_not_leave_its_node() {
        let uds = || Some(vec![Transport::Uds]);
        let standard = Axes { transport: uds(), ..Axes::default() };
        assert!(error(standard).contains("--transport tcp"));
        let both = Some(vec![Deployment::Standard, Deployment::Colocated]);
        assert!(error(Axes { transport: uds(), deployment: both, ..Axes::default() }).contains("--transport tcp"));
        let colocated = Some(vec![Deployment::Colocated]);
        assert!(Axes { transport: uds(), deployment: colocated, ..Axes::default() }.resolve().is_ok());
    }

    #[test]
    fn sizes_in_a_file_are_numbers_or_texts() {
        let axes: Axes = toml::from_str("tensor_bytes = [1024, \"8KiB\"]").unwrap();
        assert_eq!(axes.tensor_bytes, Some(vec![1024, 8192]));
        let error = toml::from_str::<Axes>("tensor_bytes = [1022]").unwrap_err().to_string();
        assert!(error.contains("1020 would be"), "{error}");
        let error = toml::from_str::<Axes>("client_node = [1]").unwrap_err().to_string();
        assert!(error.contains("client_nodes"), "an unknown key lists the known ones: {error}");
    }
}
