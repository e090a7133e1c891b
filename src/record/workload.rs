//! What the ranks do with their tensors in an iteration. The default is what SmartSim-Scaling's throughput test does: each
//! rank puts one float32 tensor of shape {1, n} and unpacks it, one call after the other. Where ranks have roles, see
//! [`super::aggregation`].
//!
//! Pure: sizes and counts follow from here for the client, which does it, and for `collect`, which checks it.

use serde::{Deserialize, Serialize};

use super::aggregation::Aggregation;
use super::inference::Inference;
use super::op::{Described, Op};
pub use super::spelled::{Mix, Rate, Shape};
use super::time::Time;
use super::vocabulary::{Access, Barrier, ComputeKernel, Dtype, Order, Payload, Role, Side, WorkloadKind};

/// Numbers of the ops in [`Workload::ops`], and in `samples.bin`; an inference's calls stand between the two.
pub const PUT: usize = 0;
pub const UNPACK: usize = 1;
/// Numbers of an aggregation's.
pub const PUT_DATASET: usize = 0;
pub const APPEND: usize = 1;
pub const POLL: usize = 2;
pub const GET_DATASETS: usize = 3;
pub const DELETE: usize = 4;
pub const HAND_OVER: usize = 5;
/// Their names.
pub const AGGREGATION: [Op; 6] = [
    Op::new("put_dataset"),
    Op::new("append_to_list"),
    Op::new("poll_list_length"),
    Op::new("get_datasets_from_list"),
    Op::new("delete_list"),
    Op::new("hand_over"),
];
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

/// One combination of the workload's axes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct Workload {
    /// Named as its axis is (since schema 2).
    #[serde(rename = "workload", skip_serializing_if = "is_throughput")]
    pub kind: WorkloadKind,
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
    pub compute: Time,
    pub compute_kernel: ComputeKernel,
    /// Roles; absent where all ranks do the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aggregation: Option<Aggregation>,
    /// Absent where no model runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inference: Option<Inference>,
}

fn is_throughput(kind: &WorkloadKind) -> bool {
    *kind == WorkloadKind::Throughput
}

impl Default for Workload {
    fn default() -> Self {
        Workload {
            kind: WorkloadKind::Throughput,
            dtype: Dtype::Float32,
            shape: Shape(vec![Some(1), None]),
            payload: Payload::Ramp,
            tensors: 1,
            mix: Mix { puts: 1, unpacks: 1 },
            access: Access::Own,
            order: Order::Interleaved,
            pipeline: 1,
            rate: Rate::Closed,
            compute: Time::default(),
            compute_kernel: ComputeKernel::Spin,
            aggregation: None,
            inference: None,
        }
    }
}

impl Workload {
    /// Checks what one axis alone cannot know.
    ///
    /// # Errors
    /// Axes that contradict each other, with the flags that say otherwise.
    pub fn check(&self) -> Result<(), String> {
        if let Some(aggregation) = &self.aggregation {
            return self.check_aggregation(aggregation);
        }
        if let Some(inference) = &self.inference {
            inference.check()?;
            let usual = Workload::default();
            let without_effect = [
                (self.access != usual.access, "--access"),
                (self.order != usual.order, "--order"),
                (self.pipeline != usual.pipeline, "--pipeline"),
                (self.mix != usual.mix, "--mix"),
                (self.tensors != usual.tensors, "--tensors"),
            ];
            refuse_idle(&without_effect, "an inference")?;
        }
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

    fn check_aggregation(&self, aggregation: &Aggregation) -> Result<(), String> {
        let usual = Workload::default();
        let without_effect = [
            (self.access != usual.access, "--access"),
            (self.order != usual.order, "--order"),
            (self.pipeline != usual.pipeline, "--pipeline"),
            (self.rate != usual.rate, "--rate"),
            (self.compute.is_on(), "--compute"),
            (
                self.mix.puts > 1 || self.mix.unpacks != 1,
                "--mix other than 1:1 (datasets are put in each iteration) and 0:1 (once)",
            ),
        ];
        refuse_idle(&without_effect, "an aggregation")?;
        let Aggregation { producers, consumers, .. } = aggregation;
        if !producers.is_multiple_of(*consumers) {
            return Err(format!(
                "--consumers {consumers} cannot divide the datasets of {producers} producers evenly: use a divisor of {producers}"
            ));
        }
        Ok(())
    }

    /// Checks what depends on the rest of the job.
    pub fn check_in(&self, colocated: bool, barrier: Barrier) -> Result<(), String> {
        if colocated && self.aggregation.is_some() {
            return Err("--workload aggregation needs one store for producers and consumers, a colocated one is another on each host: \
                        use --deployment standard"
                .to_owned());
        }
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
    fn check_size(&self, tensor_bytes: u64) -> Result<(), String> {
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
        if let Some(aggregation) = &self.aggregation {
            return self.ops_of_aggregation(aggregation);
        }
        let window = |number| if self.order == Order::Phases { number } else { 0 };
        let of_store = |name, tensors, number| Described { name, tensors, window: window(number), side: Side::Store };
        let mut ops = vec![of_store(OPS[PUT], 1, 0)];
        ops.extend(self.calls().iter().map(|call| of_store(*call, 0, 0)));
        // what comes out of a model has another size
        ops.push(of_store(OPS[UNPACK], u32::from(self.inference.is_none()), 1));
        if self.compute.is_on() {
            let names = if self.order == Order::Phases { &COMPUTE_IN_PHASES[..] } else { &COMPUTE };
            let of_application = |(window, name)| Described { name, tensors: 0, window, side: Side::Application };
            ops.extend((0..).zip(names.iter().copied()).map(of_application));
            ops.push(Described { name: ALONE, tensors: 0, window: 0, side: Side::Alone });
        }
        ops
    }

    /// Ops between putting and unpacking.
    pub fn calls(&self) -> &'static [Op] {
        self.inference.as_ref().map_or(&[], Inference::calls)
    }

    /// Number of the op that unpacks.
    pub fn unpack(&self) -> usize {
        UNPACK + self.calls().len()
    }

    /// Producers and consumers take turns: what an op moves is counted in the time of that op alone.
    fn ops_of_aggregation(&self, aggregation: &Aggregation) -> Vec<Described> {
        let datasets = |datasets: u32| datasets.saturating_mul(self.tensors);
        let op = |number: usize, tensors, window, side| Described { name: AGGREGATION[number], tensors, window, side };
        vec![
            op(PUT_DATASET, datasets(1), 0, Side::Store),
            op(APPEND, 0, 2, Side::Store),
            op(POLL, 0, 1, Side::Span),
            op(GET_DATASETS, datasets(aggregation.share()), 1, Side::Store),
            op(DELETE, 0, 3, Side::Store),
            op(HAND_OVER, datasets(aggregation.producers), 1, Side::Span),
        ]
    }

    /// Time that a rank is asked to compute in `iterations` iterations of a size.
    pub fn computing_ns(&self, iterations: u32) -> u64 {
        let is_due = |op: &&Described| op.side == Side::Application;
        let calls = u64::from(iterations) * self.ops().iter().filter(is_due).count() as u64;
        calls.saturating_mul(self.compute.asked_ns().unwrap_or(0))
    }

    /// Samples of op number `op` that `rank`, which has that role, takes in `iterations` iterations; none of what belongs to no size.
    pub fn samples(&self, op: usize, (rank, role): (u32, Role), iterations: u32) -> u64 {
        if self.aggregation.is_some() {
            let takes = match op {
                PUT_DATASET => role == Role::Producer && self.mix.puts > 0,
                APPEND => role == Role::Producer,
                POLL | GET_DATASETS => role.consumes(),
                DELETE | HAND_OVER => role == Role::Leader,
                _ => false,
            };
            return if takes { u64::from(iterations) } else { 0 };
        }
        if op > PUT && op < self.unpack() {
            return u64::from(iterations);
        }
        if op > self.unpack() {
            let is_due = self.ops().get(op).is_some_and(|op| op.side == Side::Application);
            return if is_due { u64::from(iterations) } else { 0 };
        }
        let a_tensor = match op {
            PUT if self.writes(rank) => self.mix.puts,
            op if op == self.unpack() && self.reads(rank) => self.mix.unpacks,
            _ => 0,
        };
        u64::from(a_tensor) * u64::from(self.tensors) * u64::from(iterations)
    }
}

fn refuse_idle(flags: &[(bool, &str)], who: &str) -> Result<(), String> {
    match flags.iter().find(|(is_given, _)| *is_given) {
        Some((_, flag)) => Err(format!("{flag} is nothing that {who} has: leave it out, or use --workload throughput")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Role = Role::Application;

    #[test]
    fn a_workload_reads_back() {
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
        assert_eq!([0, 7].map(|rank| workload.samples(PUT, (rank, ALL), 10)), [30, 30]);
        assert_eq!([0, 7].map(|rank| workload.samples(UNPACK, (rank, ALL), 10)), [60, 60]);
        workload.access = Access::ManyToOne;
        assert_eq!([0, 7].map(|rank| workload.samples(UNPACK, (rank, ALL), 10)), [60, 0]);
        workload.access = Access::OneToMany;
        assert_eq!([0, 7].map(|rank| workload.samples(PUT, (rank, ALL), 10)), [30, 0]);
    }

    #[test]
    fn ranks_compute_once_an_iteration_of_each_phase() {
        let mut workload = Workload { compute: "50ms".parse().unwrap(), tensors: 3, ..Workload::default() };
        let names = |of: &Workload| of.ops().iter().map(|op| op.name.as_str()).collect::<Vec<_>>().join(" ");
        assert_eq!(names(&workload), "put_tensor unpack_tensor compute compute_alone");
        assert_eq!([2, 3, 4].map(|op| workload.samples(op, (7, ALL), 10)), [10, 0, 0]);
        workload.order = Order::Phases;
        assert_eq!(names(&workload), "put_tensor unpack_tensor compute_puts compute_unpacks compute_alone");
        assert_eq!([2, 3, 4].map(|op| workload.samples(op, (7, ALL), 10)), [10, 10, 0]);
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

    #[test]
    fn an_aggregation_has_ops_by_role() {
        let aggregation = Aggregation { producers: 6, consumers: 2, ..Aggregation::default() };
        let workload = Workload { tensors: 4, aggregation: Some(aggregation), ..Workload::default() };
        assert_eq!(workload.check(), Ok(()));
        let ops = workload.ops();
        assert_eq!(ops.iter().map(|op| op.tensors).collect::<Vec<_>>(), [4, 0, 0, 12, 0, 24]);
        let of = |role| (0..ops.len()).map(|op| workload.samples(op, (0, role), 5)).collect::<Vec<_>>();
        assert_eq!(of(Role::Producer), [5, 5, 0, 0, 0, 0]);
        assert_eq!(of(Role::Leader), [0, 0, 5, 5, 5, 5]);
        assert_eq!(of(Role::Consumer), [0, 0, 5, 5, 0, 0]);
        assert_eq!(of(Role::Idle), [0; 6]);
        let once = Workload { mix: "0:1".parse().unwrap(), ..workload.clone() };
        assert_eq!((once.check(), once.samples(PUT_DATASET, (0, Role::Producer), 5)), (Ok(()), 0));
        for (wrong, needle) in [
            (Workload { rate: Rate::OpsPerSecond(1), ..workload.clone() }, "--rate is nothing"),
            (Workload { mix: "2:1".parse().unwrap(), ..workload.clone() }, "--mix other than"),
        ] {
            assert!(wrong.check().unwrap_err().contains(needle));
        }
        let uneven = Aggregation { producers: 5, consumers: 2, ..Aggregation::default() };
        let uneven = Workload { aggregation: Some(uneven), ..workload.clone() };
        assert!(uneven.check().unwrap_err().contains("divisor of 5"));
        assert!(workload.check_in(true, Barrier::Size).unwrap_err().contains("--deployment standard"));
    }
}
