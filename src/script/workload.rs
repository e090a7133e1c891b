//! The workload as flags of the client.

use crate::record::workload::Workload;

/// Flags of the client for what is not its default, so that the usual script stays short.
pub fn words(workload: &Workload) -> Vec<String> {
    let usual = Workload::default();
    let Workload { dtype, shape, payload, tensors, mix, access, order, pipeline, rate } = workload;
    let flags = [
        (*dtype != usual.dtype, "--dtype", dtype.to_string()),
        (*shape != usual.shape, "--shape", shape.to_string()),
        (*payload != usual.payload, "--payload", payload.to_string()),
        (*tensors != usual.tensors, "--tensors", tensors.to_string()),
        (*mix != usual.mix, "--mix", mix.to_string()),
        (*access != usual.access, "--access", access.to_string()),
        (*order != usual.order, "--order", order.to_string()),
        (*pipeline != usual.pipeline, "--pipeline", pipeline.to_string()),
        (*rate != usual.rate, "--rate", rate.to_string()),
    ];
    let unusual = flags.into_iter().filter(|(unusual, ..)| *unusual);
    unusual.flat_map(|(_, flag, value)| [flag.to_owned(), value]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_unusual_is_said() {
        assert!(words(&Workload::default()).is_empty());
        let workload = Workload { tensors: 4, mix: "1:9".parse().unwrap(), ..Workload::default() };
        assert_eq!(words(&workload), ["--tensors", "4", "--mix", "1:9"]);
    }
}
