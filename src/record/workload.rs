//! What the ranks do with their tensors in an iteration. The default is what SmartSim-Scaling's throughput test does: each
//! rank puts one float32 tensor of shape {1, n} and unpacks it, one call after the other.
//!
//! Pure: sizes and counts follow from here for the client, which does it, and for `collect`, which checks it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::compute::Compute;
use super::op::{Described, Op};
use super::vocabulary::{Access, Barrier, ComputeKernel, Dtype, Order, Payload, Side, schema_of_text};

/// Numbers of the ops in [`Workload::ops`], and in `samples.bin`.
pub const PUT: usize = 0;
pub const UNPACK: usize = 1;
/// Their names.
pub const OPS: [Op; 2] = [Op::new("put_tensor"), Op::new("unpack_tensor")];
/// What ranks compute between iterations; in phases each phase has an op of its own. Their numbers follow those of the tensors.
const COMPUTE: [Op; 1] = [Op::new("compute")];
const COMPUTE_IN_PHASES: [Op; 2] = [Op::new("compute_puts"), Op::new("compute_unpacks")];
/// The same before the store has traffic; the last op.
const ALONE: Op = Op::new("compute_alone");

/// Most commands that a rank may have in flight: their parts fit one vectored system call (1024 parts on Linux).
pub const MOST_IN_FLIGHT: u32 = 64;
/// Most tensors of a rank.
pub const MOST_TENSORS: u32 = 1024;
/// Most puts, and unpacks, of a tensor in an iteration.
const MOST_OF_MIX: u32 = 1000;
/// Most dimensions of a tensor.
const MOST_DIMENSIONS: usize = 8;

/// One combination of the workload's axes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct Workload {
    pub dtype: Dtype,
    pub shape: Shape,
    pub payload: Payload,
    /// Tensors that a rank puts or unpacks in an iteration, each with a key of its own.
    pub tensors: u32,
    pub mix: Mix,
    pub access: Access,
    pub order: Order,
    /// Commands of one op that a rank sends before it waits for the reply to the first: 1 is none ahead.
    pub pipeline: u32,
    pub rate: Rate,
    /// How long a rank computes after each iteration.
    pub compute: Compute,
    pub compute_kernel: ComputeKernel,
}

/// Dimensions, of which one is free and takes what the tensor's size leaves: written `1xN`, `N`, `64x64xN`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Shape(Vec<Option<u64>>);

/// Puts and unpacks of each tensor in an iteration: written `1:1`, `1:9`, `1:0` (write only), `0:1` (read only).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Mix {
    pub puts: u32,
    pub unpacks: u32,
}

/// When a rank starts an op: `closed`, when the one before has ended, or so many a second, whether or not it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rate {
    Closed,
    OpsPerSecond(u32),
}

impl Default for Workload {
    fn default() -> Self {
        Workload {
            dtype: Dtype::Float32,
            shape: Shape(vec![Some(1), None]),
            payload: Payload::Ramp,
            tensors: 1,
            mix: Mix { puts: 1, unpacks: 1 },
            access: Access::Own,
            order: Order::Interleaved,
            pipeline: 1,
            rate: Rate::Closed,
            compute: Compute::default(),
            compute_kernel: ComputeKernel::Spin,
        }
    }
}

impl Workload {
    /// Checks what one axis alone cannot know.
    ///
    /// # Errors
    /// Axes that contradict each other, with the flags that say otherwise.
    pub fn check(&self) -> Result<(), String> {
        let ahead = self.tensors; // ops of an iteration are sent ahead, not those of the next
        if self.pipeline > ahead {
            return Err(format!(
                "--pipeline {} needs as many tensors in an iteration, there are {ahead}: add --tensors {}",
                self.pipeline, self.pipeline
            ));
        }
        if self.rate != Rate::Closed && self.pipeline > 1 {
            return Err("--rate starts each op at its own time, --pipeline several at once: use one of them".into());
        }
        Ok(())
    }

    /// Checks what depends on the rest of the job.
    pub fn check_in(&self, colocated: bool, barrier: Barrier) -> Result<(), String> {
        if colocated && self.access != Access::Own {
            return Err(format!(
                "--access {} needs one store for all ranks, a colocated one is another on each host",
                self.access
            ));
        }
        if barrier == Barrier::Iteration && self.rate != Rate::Closed {
            return Err(
                "--rate starts ops at their own times, --barrier iteration when all ranks are there: use one of them"
                    .to_owned(),
            );
        }
        Ok(())
    }

    /// Checks that tensors of `tensor_bytes` bytes exist in this dtype and shape.
    ///
    /// SmartSim-Scaling truncates other sizes silently and then reports the size that it did not send.
    pub fn check_size(&self, tensor_bytes: u64) -> Result<(), String> {
        if tensor_bytes == 0 || !tensor_bytes.is_multiple_of(self.step()) {
            let below = self.size_below(tensor_bytes);
            return Err(format!(
                "{tensor_bytes} bytes are not a positive number of {} elements of {} bytes in the shape {}; {below} would be",
                self.dtype,
                self.dtype.bytes(),
                self.shape
            ));
        }
        Ok(())
    }

    /// As [`Workload::check_size`] for a list; the message has the list that would pass.
    pub fn check_sizes(&self, tensor_bytes: &[u64]) -> Result<(), String> {
        let wrong: Vec<u64> = tensor_bytes.iter().copied().filter(|bytes| self.check_size(*bytes).is_err()).collect();
        match wrong[..] {
            [] => return Ok(()),
            [one] if tensor_bytes.len() == 1 => return self.check_size(one),
            _ => {}
        }
        let mut right: Vec<u64> = Vec::with_capacity(tensor_bytes.len());
        for bytes in tensor_bytes.iter().map(|bytes| self.size_below(*bytes)) {
            if !right.contains(&bytes) {
                right.push(bytes);
            }
        }
        let list = |sizes: &[u64], between: &str| sizes.iter().map(u64::to_string).collect::<Vec<_>>().join(between);
        Err(format!(
            "tensors of {} bytes are not a positive number of {} elements of {} bytes in the shape {}; this list would do: \
             --tensor-bytes {}",
            list(&wrong, ", "),
            self.dtype,
            self.dtype.bytes(),
            self.shape,
            list(&right, ",")
        ))
    }

    /// Bytes that a tensor's size must be a multiple of.
    fn step(&self) -> u64 {
        self.dtype.bytes().saturating_mul(self.shape.fixed())
    }

    /// The largest size up to `bytes` that passes; the smallest of all where there is none.
    fn size_below(&self, bytes: u64) -> u64 {
        (bytes / self.step()).max(1).saturating_mul(self.step())
    }

    /// Dimensions of a tensor of `tensor_bytes` bytes, a size that [`Workload::check_size`] has passed.
    pub fn dimensions(&self, tensor_bytes: u64) -> Vec<u64> {
        let free = tensor_bytes / self.dtype.bytes() / self.shape.fixed();
        self.shape.0.iter().map(|dimension| dimension.unwrap_or(free)).collect()
    }

    /// Whether `rank` puts tensors.
    pub fn writes(&self, rank: u32) -> bool {
        rank == 0 || self.access != Access::OneToMany
    }

    /// Whether `rank` unpacks tensors.
    pub fn reads(&self, rank: u32) -> bool {
        rank == 0 || self.access != Access::ManyToOne
    }

    /// The timed steps, in the order of their numbers.
    pub fn ops(&self) -> Vec<Described> {
        let window = |number| if self.order == Order::Phases { number } else { 0 };
        let of_store = |(number, name)| Described { name, tensors: 1, window: window(number), side: Side::Store };
        let mut ops: Vec<Described> = (0..).zip(OPS).map(of_store).collect();
        if self.compute.is_on() {
            let names = if self.order == Order::Phases { &COMPUTE_IN_PHASES[..] } else { &COMPUTE };
            let of_application = |(window, name)| Described { name, tensors: 0, window, side: Side::Application };
            ops.extend((0..).zip(names.iter().copied()).map(of_application));
            ops.push(Described { name: ALONE, tensors: 0, window: 0, side: Side::Alone });
        }
        ops
    }

    /// Time that a rank is asked to compute in `iterations` iterations of a size.
    pub fn computing_ns(&self, iterations: u32) -> u64 {
        let calls: u64 = (OPS.len()..self.ops().len()).map(|op| self.samples(op, 0, iterations)).sum();
        calls.saturating_mul(self.compute.asked_ns().unwrap_or(0))
    }

    /// Samples of op number `op` that `rank` takes in `iterations` iterations; none of what belongs to no size.
    pub fn samples(&self, op: usize, rank: u32, iterations: u32) -> u64 {
        if op >= OPS.len() {
            let is_due = self.ops().get(op).is_some_and(|op| op.side == Side::Application);
            return if is_due { u64::from(iterations) } else { 0 };
        }
        let a_tensor = match op {
            PUT if self.writes(rank) => self.mix.puts,
            UNPACK if self.reads(rank) => self.mix.unpacks,
            _ => 0,
        };
        u64::from(a_tensor) * u64::from(self.tensors) * u64::from(iterations)
    }
}

impl Shape {
    /// Product of the dimensions that are given.
    fn fixed(&self) -> u64 {
        self.0.iter().flatten().fold(1, |product: u64, dimension| product.saturating_mul(*dimension))
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts: Vec<_> = self.0.iter().map(|it| it.map_or("N".to_owned(), |it| it.to_string())).collect();
        f.write_str(&texts.join("x"))
    }
}

impl FromStr for Shape {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let one = |part: &str| match part.trim() {
            "N" | "n" => Some(None),
            number => number.parse::<u64>().ok().filter(|number| *number > 0).map(Some),
        };
        let dimensions: Option<Vec<_>> = text.split('x').map(one).collect();
        dimensions
            .filter(|list| list.len() <= MOST_DIMENSIONS && list.iter().filter(|it| it.is_none()).count() == 1)
            .map(Shape)
            .ok_or_else(|| {
                format!("{text:?} is no shape; write 1 to {MOST_DIMENSIONS} dimensions, one of them N: 1xN, N, 64x64xN")
            })
    }
}

impl fmt::Display for Mix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.puts, self.unpacks)
    }
}

impl FromStr for Mix {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |part: &str| part.trim().parse().ok().filter(|number| *number <= MOST_OF_MIX);
        text.split_once(':')
            .and_then(|(puts, unpacks)| Some(Mix { puts: number(puts)?, unpacks: number(unpacks)? }))
            .filter(|mix| mix.puts + mix.unpacks > 0)
            .ok_or_else(|| {
                format!(
                    "{text:?} is no mix; write PUTS:UNPACKS of each iteration, at most {MOST_OF_MIX}: 1:1, 1:9, 0:1"
                )
            })
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Rate::Closed => f.write_str("closed"),
            Rate::OpsPerSecond(rate) => rate.fmt(f),
        }
    }
}

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.trim() {
            "closed" => Ok(Rate::Closed),
            number => number
                .parse()
                .ok()
                .filter(|rate| *rate > 0)
                .map(Rate::OpsPerSecond)
                .ok_or_else(|| format!("{text:?} is no rate; write closed, or ops a second from 1 upwards")),
        }
    }
}

/// Serialised as it is typed.
macro_rules! as_text {
    ($name:ident) => {
        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(from)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

as_text!(Shape);
as_text!(Mix);
schema_of_text!(Shape, "^([0-9]+x)*[Nn](x[0-9]+)*$", "dimensions, one of them N: 1xN, N, 64x64xN");
schema_of_text!(Mix, "^[0-9]+:[0-9]+$", "puts and unpacks of each tensor in an iteration: 1:1, 1:9, 0:1");

/// A rate is a number where it is one, so that conditions and reports can compare it.
impl Serialize for Rate {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Rate::Closed => to.serialize_str("closed"),
            Rate::OpsPerSecond(rate) => to.serialize_u32(*rate),
        }
    }
}

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Spelling {
            Number(u32),
            Text(String),
        }
        match Spelling::deserialize(from)? {
            Spelling::Number(number) => number.to_string().parse(),
            Spelling::Text(text) => text.parse(),
        }
        .map_err(serde::de::Error::custom)
    }
}

impl schemars::JsonSchema for Rate {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Rate".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "anyOf": [{ "const": "closed" }, { "type": "integer", "minimum": 1 }] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_read_back_and_wrong_ones_are_explained() {
        for text in ["1xN", "N", "64x64xN", "Nx3"] {
            assert_eq!(text.parse::<Shape>().unwrap().to_string(), text);
        }
        for wrong in ["", "1", "NxN", "0xN", "axN", "1xxN", "1x1x1x1x1x1x1x1xN"] {
            assert!(wrong.parse::<Shape>().unwrap_err().contains("64x64xN"), "{wrong}");
        }
        assert_eq!("1:9".parse::<Mix>().unwrap().to_string(), "1:9");
        for wrong in ["", "1", "0:0", "-1:1", "1:1001", "a:b"] {
            assert!(wrong.parse::<Mix>().unwrap_err().contains("1:9"), "{wrong}");
        }
        for wrong in ["", "0", "-1", "open"] {
            assert!(wrong.parse::<Rate>().unwrap_err().contains("write closed"), "{wrong}");
        }
        let workload = Workload { rate: Rate::OpsPerSecond(5), ..Workload::default() };
        let text = serde_json::to_string(&workload).unwrap();
        assert!(text.contains(r#""shape":"1xN","payload":"ramp","tensors":1,"mix":"1:1""#), "{text}");
        assert!(text.contains(r#""rate":5"#), "{text}");
        assert_eq!(serde_json::from_str::<Workload>(&text).unwrap(), workload);
        assert_eq!(serde_json::from_str::<Workload>("{}").unwrap(), Workload::default());
    }

    #[test]
    fn sizes_are_whole_in_dtype_and_shape() {
        let mut workload = Workload::default();
        assert_eq!(workload.dimensions(1024), [1, 256]);
        assert!(workload.check_size(1022).unwrap_err().contains("1020 would be"));
        assert!(workload.check_size(0).unwrap_err().contains("4 would be"));
        workload.shape = "16x2xN".parse().unwrap();
        workload.dtype = Dtype::Float64;
        assert_eq!(workload.check_size(512), Ok(()));
        assert_eq!(workload.dimensions(512), [16, 2, 2]);
        assert!(workload.check_size(100).unwrap_err().contains("256 would be"));
    }

    #[test]
    fn who_takes_how_many_samples() {
        let mut workload = Workload { tensors: 3, mix: Mix { puts: 1, unpacks: 2 }, ..Workload::default() };
        assert_eq!([0, 7].map(|rank| workload.samples(PUT, rank, 10)), [30, 30]);
        assert_eq!([0, 7].map(|rank| workload.samples(UNPACK, rank, 10)), [60, 60]);
        workload.access = Access::ManyToOne;
        assert_eq!([0, 7].map(|rank| workload.samples(UNPACK, rank, 10)), [60, 0]);
        workload.access = Access::OneToMany;
        assert_eq!([0, 7].map(|rank| workload.samples(PUT, rank, 10)), [30, 0]);
    }

    #[test]
    fn ranks_compute_once_an_iteration_of_each_phase() {
        let mut workload = Workload { compute: "50ms".parse().unwrap(), tensors: 3, ..Workload::default() };
        let names = |of: &Workload| of.ops().iter().map(|op| op.name.as_str()).collect::<Vec<_>>().join(" ");
        assert_eq!(names(&workload), "put_tensor unpack_tensor compute compute_alone");
        assert_eq!([2, 3, 4].map(|op| workload.samples(op, 7, 10)), [10, 0, 0]);
        workload.order = Order::Phases;
        assert_eq!(names(&workload), "put_tensor unpack_tensor compute_puts compute_unpacks compute_alone");
        assert_eq!([2, 3, 4].map(|op| workload.samples(op, 7, 10)), [10, 10, 0]);
        assert_eq!(workload.ops().iter().map(|op| op.window).collect::<Vec<_>>(), [0, 1, 0, 1, 0]);
        assert_eq!((workload.computing_ns(10), Workload::default().computing_ns(10)), (1_000_000_000, 0));
    }

    #[test]
    fn axes_that_contradict_each_other_are_refused() {
        assert_eq!(Workload::default().check(), Ok(()));
        let deep = Workload { pipeline: 4, ..Workload::default() };
        assert!(deep.check().unwrap_err().contains("add --tensors 4"));
        let open = Workload { pipeline: 4, tensors: 4, rate: Rate::OpsPerSecond(9), ..Workload::default() };
        assert!(open.check().unwrap_err().contains("use one of them"));
    }
}
