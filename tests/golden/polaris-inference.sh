#!/bin/bash
#PBS -N colocated-n10x24-db8-mask-lo-tcp-inference-resnet50_512b-pre_e635-pre_process_3ch_ffe9-gpu-gpus4-tpq2-shape224x224xN-r1
#PBS -l select=10:ncpus=64:mpiprocs=1:system=polaris
#PBS -l walltime=00:30:00
#PBS -q prod
#PBS -l place=scatter
#PBS -l filesystems=home:eagle
#PBS -k doe
#PBS -j oe
#PBS -o /scratch/me/out/colocated-n10x24-db8-mask-lo-tcp-inference-resnet50_512b-pre_e635-pre_process_3ch_ffe9-gpu-gpus4-tpq2-shape224x224xN-r1/
run_dir=/scratch/me/out/colocated-n10x24-db8-mask-lo-tcp-inference-resnet50_512b-pre_e635-pre_process_3ch_ffe9-gpu-gpus4-tpq2-shape224x224xN-r1
client=${SHARDSCALE_CLIENT:-/opt/shardscale/shardscale-client}
# colocated-n10x24-db8-mask-lo-tcp-inference-resnet50_512b-pre_e635-pre_process_3ch_ffe9-gpu-gpus4-tpq2-shape224x224xN-r1
# 10 client nodes x 24 ranks; a server of 8 CPUs on every client node; tcp over lo
#   node: 32 cores in 4 NUMA domains, 2 hardware threads each
#   NUMA 0        0-7 | DB DB DB DB DB DB DB DB |
#   NUMA 1       8-15 |  0  1  2  3  4  5  6  7 |
#   NUMA 2      16-23 |  8  9 10 11 12 13 14 15 |
#   NUMA 3      24-31 | 16 17 18 19 20 21 22 23 |
#   DB = 8 cores   0-23 = 24 ranks x 1 core   .. = 0 idle
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
[ "${#nodes[@]}" -eq 10 ] || { "$client" give-up --attempt "$attempt" "the job has ${#nodes[@]} nodes and needs 10"; exit 1; }
store_nodes=("${nodes[@]}") client_nodes=("${nodes[@]}")

# --- store: one server on each application node, over TCP
stage=store
mark store-starting
printf '%s\n' "${store_nodes[@]}" > "$attempt/store.hosts"
mpiexec --hostfile "$attempt/store.hosts" --np 10 --ppn 1 \
  --cpu-bind list:0-7 \
  "$client" serve --attempt "$attempt" --server redis-server --ifname lo --port 6780 \
  --io-threads 1 --load-module '/lus/me/redisai.so THREADS_PER_QUEUE 2' --scratch /tmp > "$attempt/store.log" 2>&1 &
store=$!
"$client" await-store --attempt "$attempt" --servers 10 --watch-pid "$store" --timeout 120 &
working=$!
wait "$working" || { sleep 2; exit 1; } # a TERM that is on its way here too is the reason to record
mark store-ready

# --- client: 240 MPI ranks, all tensor sizes in one launch
stage=client
mark client-started
printf '%s\n' "${client_nodes[@]}" > "$attempt/client.hosts"
mpiexec --hostfile "$attempt/client.hosts" --np 240 --ppn 24 \
  --cpu-bind list:8:9:10:11:12:13:14:15:16:17:18:19:20:21:22:23:24:25:26:27:28:29:30:31 \
  "$client" run --attempt "$attempt" --ranks 240 --colocated \
  --tensor-bytes 602112 --iterations 100 --warmup 10 \
  --barrier size --wire auto --keys hash --workload inference --model '/lus/it'\''s/resnet50.pt' --script /lus/me/pre.txt --function pre_process_3ch --device gpu --devices 4 --shape 224x224xN > "$attempt/client.log" 2>&1 &
working=$!
wait "$working"
rc=$? working=''
mark client-ended "rc=$rc"
[ "$rc" -eq 0 ] || { tail -n 5 "$attempt/client.log" >&2; sleep 2; } # a TERM that is on its way here too is the reason to record
exit "$rc"
