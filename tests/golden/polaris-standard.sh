#!/bin/bash
#PBS -N standard-n10x24-db1x8-mask-hsn0-tcp-r1
#PBS -l select=11:ncpus=64:mpiprocs=1:system=polaris
#PBS -l walltime=00:30:00
#PBS -q prod
#PBS -A abc
#PBS -l place=scatter
#PBS -l filesystems=home:eagle
#PBS -k doe
#PBS -j oe
#PBS -o /scratch/me/out/standard-n10x24-db1x8-mask-hsn0-tcp-r1/
run_dir=/scratch/me/out/standard-n10x24-db1x8-mask-hsn0-tcp-r1
client=${SHARDSCALE_CLIENT:-/opt/shardscale/shardscale-client}
# standard-n10x24-db1x8-mask-hsn0-tcp-r1
# 10 client nodes x 24 ranks; 1 shard of 8 CPUs on nodes of their own; tcp over hsn0
#   client node: 32 cores in 4 NUMA domains, 2 hardware threads each
#   NUMA 0        0-7 |  0  1  2  3  4  5  6  7 |
#   NUMA 1       8-15 |  8  9 10 11 12 13 14 15 |
#   NUMA 2      16-23 | 16 17 18 19 20 21 22 23 |
#   NUMA 3      24-31 | .. .. .. .. .. .. .. .. |
#   0-23 = 24 ranks x 1 core   .. = 8 idle
#   DB node: 32 cores in 4 NUMA domains, 2 hardware threads each
#   NUMA 0        0-7 | DB DB DB DB DB DB DB DB |
#   NUMA 1-3     8-31 | .. 24 cores |
#   DB = 8 cores   .. = 24 idle
# Made by `shardscale gen --site polaris`: change the study or the site and generate again, rather than editing.
cd "${PBS_O_WORKDIR:-.}" || exit 1

# --- environment of site polaris
module use /soft/modulefiles
module load PrgEnv-gnu cray-mpich

set -u # not before the environment: many modules read variables that nobody set
"$client" --version > /dev/null || { echo "shardscale: $client does not start; build it, load its MPI, or set SHARDSCALE_CLIENT" >&2; exit 1; }

# --- one attempt, one folder; a run that was measured is left alone
attempt=$("$client" begin --run-dir "$run_dir" --job "$PBS_JOBID" --queue "$(qselect -u "$(id -un)" 2> /dev/null)") || exit 1
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
    "$client" stop-store --attempt "$attempt" --timeout 8
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
mapfile -t nodes < <(awk '!seen[$0]++' "$PBS_NODEFILE") # a host stands there once for each of its chunks
[ "${#nodes[@]}" -eq 11 ] || { "$client" give-up --attempt "$attempt" "the job has ${#nodes[@]} nodes and needs 11"; exit 1; }
client_nodes=("${nodes[@]:0:10}") store_nodes=("${nodes[@]:10}")

# --- store: 1 shard, one a node
stage=store
mark store-starting
printf '%s\n' "${store_nodes[@]}" > "$attempt/store.hosts"
mpiexec --hostfile "$attempt/store.hosts" --np 1 --ppn 1 \
  --cpu-bind list:0-7 \
  "$client" serve --attempt "$attempt" --server redis-server --ifname hsn0 --port 6780 \
  --io-threads 1 --scratch /tmp > "$attempt/store.log" 2>&1 &
store=$!
"$client" await-store --attempt "$attempt" --servers 1 --watch-pid "$store" --timeout 120 &
working=$!
wait "$working" || { sleep 2; exit 1; } # a TERM that is on its way here too is the reason to record
mark store-ready

# --- client: 240 MPI ranks, all tensor sizes in one launch
stage=client
mark client-started
printf '%s\n' "${client_nodes[@]}" > "$attempt/client.hosts"
mpiexec --hostfile "$attempt/client.hosts" --np 240 --ppn 24 \
  --cpu-bind list:0:1:2:3:4:5:6:7:8:9:10:11:12:13:14:15:16:17:18:19:20:21:22:23 \
  "$client" run --attempt "$attempt" --ranks 240 \
  --tensor-bytes 1024,8192,16384,32768,65536,131072,262144,524288,1024000,2048000,4096000 --iterations 100 --warmup 10 \
  --barrier size --wire auto --keys hash > "$attempt/client.log" 2>&1 &
working=$!
wait "$working"
rc=$? working=''
mark client-ended "rc=$rc"
[ "$rc" -eq 0 ] || { tail -n 5 "$attempt/client.log" >&2; sleep 2; } # a TERM that is on its way here too is the reason to record
exit "$rc"
