#!/bin/bash
# demo.sh -- the main job on this machine, for real: generate, run, collect. `make demo` builds and calls it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
bin=${CARGO_TARGET_DIR:-target}/release

"$bin/shardscale" gen --site local --store redis,files --workload throughput,aggregation --out out/demo
# measured again each time: earlier attempts stay beside the new one
SHARDSCALE_RERUN=1 bash out/demo/*.sh
"$bin/shardscale" collect out/demo
echo "Open $PWD/out/demo/report/report.html in a browser."
