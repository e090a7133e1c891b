#!/bin/bash
run_dir=/scratch/me/out/colocated-n1x4-db1-none-lo-uds-r1
client=${SHARDSCALE_CLIENT:-/opt/shardscale/shardscale-client}
# colocated-n1x4-db1-none-lo-uds-r1
# 1 client node x 4 ranks; a server of 1 CPU on every client node; uds over lo
# Made by `shardscale gen --site local`: change the study or the site and generate again, rather than editing.

# --- `bash out/*.sh` runs this script with the others as arguments: all run, one after another
if [ $# -gt 0 ]; then
  failed=0 current=''
  trap '[ -z "$current" ] || { kill -TERM "$current"; wait "$current"; } 2> /dev/null; exit 143' TERM INT
  for script in "$0" "$@"; do
    echo "shardscale: $script" >&2
    bash "$script" &
    current=$!
    wait "$current" || failed=1
  done
  exit "$failed"
fi

# --- environment of site local
# a laptop or a container: more ranks than cores, perhaps as root (names for Open MPI 4, then for 5)
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
export OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_MCA_hwloc_base_binding_policy=none OMPI_MCA_mpi_yield_when_idle=1
export PRTE_MCA_rmaps_default_mapping_policy=:oversubscribe PRTE_MCA_hwloc_default_binding_policy=none

set -u # not before the environment: many modules read variables that nobody set
"$client" --version > /dev/null || { echo "shardscale: $client does not start; build it, load its MPI, or set SHARDSCALE_CLIENT" >&2; exit 1; }

# --- one attempt, one folder; a run that was measured is left alone
attempt=$("$client" begin --run-dir "$run_dir" --job "$HOSTNAME:$$") || exit 1
[ -n "$attempt" ] || exit 0

mark() { printf '%(%s)T %s\n' -1 "$*" >> "$attempt/status"; }
stage=script store='' working=''
# shellcheck disable=SC2317 # the trap calls it
finish() { # however the job ends: stop ranks and servers, say how it went
  rc=$?
  trap '' TERM INT
  trap - EXIT
  [ -z "$working" ] || kill -TERM "$working" 2> /dev/null
  if [ -n "$store" ]; then
    "$client" stop-store --attempt "$attempt" --timeout 20
    kill -TERM "$store" 2> /dev/null
    wait "$store"
  fi
  rm -f "$attempt/password"
  "$client" end --attempt "$attempt" --stage "$stage" --rc "$rc" # done, or failed and why
  exit "$?"
}
trap finish EXIT
trap 'stage=terminated; exit 143' TERM INT

# --- nodes
nodes=(localhost)
[ "${#nodes[@]}" -eq 1 ] || { "$client" give-up --attempt "$attempt" "the job has ${#nodes[@]} nodes and needs 1"; exit 1; }
store_nodes=("${nodes[@]}") client_nodes=("${nodes[@]}")

# --- store: one server on each application node, over a UNIX socket
stage=store
mark store-starting
printf '%s slots=1\n' "${store_nodes[@]}" > "$attempt/store.hosts"
mpirun --hostfile "$attempt/store.hosts" -n 1 --bind-to none \
  "$client" serve --attempt "$attempt" --server redis-server --ifname lo --port 6780 --uds \
  --io-threads 1 --scratch /tmp > "$attempt/store.log" 2>&1 &
store=$!
"$client" await-store --attempt "$attempt" --servers 1 --watch-pid "$store" --timeout 120 &
working=$!
wait "$working" || { sleep 2; exit 1; } # a TERM that is on its way here too is the reason to record
mark store-ready

# --- client: 4 MPI ranks, all tensor sizes in one launch
stage=client
mark client-started
printf '%s slots=4\n' "${client_nodes[@]}" > "$attempt/client.hosts"
mpirun --hostfile "$attempt/client.hosts" -n 4 --bind-to none \
  "$client" run --attempt "$attempt" --ranks 4 --colocated \
  --tensor-bytes 1024,16384,65536,262144,1048576 --iterations 100 --warmup 10 \
  --barrier size --wire auto --keys hash > "$attempt/client.log" 2>&1 &
working=$!
wait "$working"
rc=$? working=''
mark client-ended "rc=$rc"
[ "$rc" -eq 0 ] || { tail -n 5 "$attempt/client.log" >&2; sleep 2; } # a TERM that is on its way here too is the reason to record
exit "$rc"
