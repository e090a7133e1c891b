# Sourced by the scripts of the Flux lab: where it keeps its state.
# shellcheck shell=bash

LAB=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
ROOT=$(cd "$LAB/../.." && pwd)
RUN=${RUN:-$ROOT/target/flux-lab}
MGT=flbr-mgt # bridges; that the first exists says that hosts are up
HSN=flbr-hsn
export LAB ROOT RUN MGT HSN
