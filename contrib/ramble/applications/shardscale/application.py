"""Ramble's definition of ShardScale.

An experiment generates scripts with `shardscale gen`, runs them one after another where Ramble's job runs, and collects them. Figures of
merit are read from `collect --jsonl` (`shardscale schema jsonl`): for each run, operation and tensor size median and p99 in us, and
the bandwidth of all operations in GB/s. `shardscale` and `shardscale-client` must be in PATH; no package manager is used.
Run with Ramble 0.5.0 and one experiment on one machine; never under a scheduler.
"""

import os

from ramble.appkit import *
from ramble.expander import Expander


class Shardscale(ExecutableApplication):
    """Scaling of an in-memory tensor store: put and unpack of tensors from MPI ranks"""

    name = "shardscale"

    tags("store", "latency", "bandwidth")

    out = os.path.join(Expander.expansion_str("experiment_run_dir"), "out")
    lines = os.path.join(Expander.expansion_str("experiment_run_dir"), "lines.jsonl")

    # files beside the log: what each step prints stays in the experiment's log
    executable("generate", f"shardscale gen --site {{site}} {{gen_flags}} --out {out}", use_mpi=False)
    executable("measure", f'for script in {out}/*.sh; do bash "$script"; done', use_mpi=False)
    # exit code 3 says that a run needs a look: its lines are there, or are not
    executable("collect", f"shardscale collect {out} --jsonl {lines} || [ $? = 3 ]", use_mpi=False)

    workload("study", executables=["generate", "measure", "collect"])

    workload_variable("site", default="local", description="Site, as `shardscale sites` lists them", workloads=["study"])
    workload_variable(
        "gen_flags",
        default="--deployment standard,colocated --transport tcp",
        description="Further flags of `shardscale gen`; without them the site's own study",
        workloads=["study"],
    )

    of_line = r'.*"run":"(?P<run>[^"]+)".*"state":"done".*"payload_bytes":(?P<bytes>\d+),"op":"(?P<op>\w+)".*'
    for key, what, units in (
        ("median_us", "median", "us"),
        ("p99_us", "p99", "us"),
        ("overlap_both_ops_gb_per_s", "bandwidth of all operations", "GB/s"),
    ):
        figure_of_merit(
            f"{{run}} {{op}} {{bytes}} B {what}",
            log_file=lines,
            fom_regex=of_line + rf'"{key}":(?P<value>[0-9.e+-]+)',
            group_name="value",
            units=units,
        )

    success_criteria("measured", mode="string", match=r'.*"state":"done"', file=lines)
