#!/bin/bash
#SBATCH --job-name=standard-n4x48-db3x8-mask-hsn0-tcp-aggregation-ct8-t4-r1
#SBATCH --nodes=8
#SBATCH --time=00:30:00
#SBATCH --partition=batch
#SBATCH --account=abc123
#SBATCH --exclusive
#SBATCH --no-requeue
#SBATCH --output=/scratch/me/out/standard-n4x48-db3x8-mask-hsn0-tcp-aggregation-ct8-t4-r1/job-%j.log
run_dir=/scratch/me/out/standard-n4x48-db3x8-mask-hsn0-tcp-aggregation-ct8-t4-r1
client=${SHARDSCALE_CLIENT:-/opt/shardscale/shardscale-client}
# standard-n4x48-db3x8-mask-hsn0-tcp-aggregation-ct8-t4-r1
# 4 client nodes x 48 producers, 1 consumer of 8 threads on 1 node; 3 shards of 8 CPUs on nodes of their own; tcp over hsn0
#   client node: 64 cores in 4 NUMA domains and 8 L3 groups, 2 hardware threads each
#   NUMA 0       0-15 | ##  0  1  2  3  4  5  6 | ##  7  8  9 10 11 12 13 |
#   NUMA 1      16-31 | ## 14 15 16 17 18 19 20 | ## 21 22 23 24 25 26 27 |
#   NUMA 2      32-47 | ## 28 29 30 31 32 33 34 | ## 35 36 37 38 39 40 41 |
#   NUMA 3      48-63 | ## 42 43 44 45 46 47 .. | ## .. .. .. .. .. .. .. |
#   0-47 = 48 ranks x 1 core   ## = 8 reserved   .. = 8 idle
#   DB node: 64 cores in 4 NUMA domains and 8 L3 groups, 2 hardware threads each
#   NUMA 0       0-15 | ## DB DB DB DB DB DB DB | ## DB .. .. .. .. .. .. |
#   NUMA 1      16-31 | ## .. .. .. .. .. .. .. | ## .. .. .. .. .. .. .. |
#   NUMA 2      32-47 | ## .. .. .. .. .. .. .. | ## .. .. .. .. .. .. .. |
#   NUMA 3      48-63 | ## .. .. .. .. .. .. .. | ## .. .. .. .. .. .. .. |
#   DB = 8 cores   ## = 8 reserved   .. = 48 idle
# Made by `shardscale gen --site frontier`: change the study or the site and generate again, rather than editing.

# --- `sbatch out/*.sh` submits this script with the others as arguments: each becomes a job of its own
submit() ( # submit SCRIPT [JOB]: prints ID or ID;CLUSTER; JOB, the database of this client, must have started first
  account=${SLURM_JOB_ACCOUNT-} conf=${SLURM_CONF-}
  unset "${!SLURM_@}" "${!SBATCH_@}" "${!SRUN_@}" "${!PMI_@}" "${!PMIX_@}" # of this job or of the submitting shell: sbatch would take them for options
  [ -z "$conf" ] || export SLURM_CONF="$conf"
  db=${2-} db=${db%%;*}
  SHARDSCALE_DB_JOB=$db sbatch --parsable ${account:+"--account=$account"} ${db:+"--dependency=after:$db"} "$1"
)
for script in "$@"; do
  if grep -qs ' done$' "${script%.sh}"/attempt-*/status; then continue; fi
  submit "$script" || echo "shardscale: $script was not submitted; submit it by hand from a login node" >&2
done

# --- environment of site frontier
module load PrgEnv-gnu cray-mpich

set -u # not before the environment: many modules read variables that nobody set
"$client" --version > /dev/null || { echo "shardscale: $client does not start; build it, load its MPI, or set SHARDSCALE_CLIENT" >&2; exit 1; }

# --- each step says all that it wants: what the submitting shell, or this job's own directives, hold for srun is none of it
unset "${!SRUN_@}" "${!PMI_@}" "${!PMIX_@}" SLURM_{NNODES,NPROCS,NTASKS,NTASKS_PER_{CORE,GPU,NODE,SOCKET,TRES},CPUS_PER_{TASK,GPU},TRES_{PER_TASK,BIND}} \
  SLURM_{MEM_PER_{CPU,GPU,NODE},MEM_BIND{,_LIST,_PREFER,_TYPE,_VERBOSE},CPU_BIND{,_LIST,_TYPE,_VERBOSE},CORE_SPEC,THREAD_SPEC} \
  SLURM_{DISTRIBUTION,DIST_PLANESIZE,EXACT,EXCLUSIVE,OVERLAP,OVERCOMMIT,WHOLE,SPREAD_JOB,USE_MIN_NODES,CONSTRAINT,GRES_FLAGS} \
  SLURM_{TIMELIMIT,WAIT,KILL_BAD_EXIT,IMMEDIATE,EXPORT_ENV,WORKING_DIR,REMOTE_CWD,LABELIO,OPEN_MODE,STD{IN,OUT,ERR}MODE,UNBUFFEREDIO}
# --- one attempt, one folder; a run that was measured is left alone
attempt=$("$client" begin --run-dir "$run_dir" --job "$SLURM_JOB_ID" --queue "$(squeue --me --noheader --format=%A 2> /dev/null)") || exit 1
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
mapfile -t nodes < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
[ "${#nodes[@]}" -eq 8 ] || { "$client" give-up --attempt "$attempt" "the job has ${#nodes[@]} nodes and needs 8"; exit 1; }
client_nodes=("${nodes[@]:0:5}") store_nodes=("${nodes[@]:5}")

# --- store: 3 shards, one a node
stage=store
mark store-starting
srun --nodelist="$(IFS=,; echo "${store_nodes[*]}")" --nodes=3 --ntasks=3 --ntasks-per-node=1 \
  --overlap --mem=0 --cpu-bind=mask_cpu:0x2fe \
  "$client" serve --attempt "$attempt" --server redis-server --ifname hsn0 --port 6780 --cluster \
  --io-threads 1 --scratch /tmp > "$attempt/store.log" 2>&1 &
store=$!
"$client" await-store --attempt "$attempt" --servers 3 --cluster --watch-pid "$store" --timeout 120 &
working=$!
wait "$working" || { sleep 2; exit 1; } # a TERM that is on its way here too is the reason to record
mark store-ready

# --- client: 240 MPI ranks, all tensor sizes in one launch
stage=client
mark client-started
srun --nodelist="$(IFS=,; echo "${client_nodes[*]}")" --nodes=5 --ntasks=240 --ntasks-per-node=48 --kill-on-bad-exit \
  --overlap --mem=0 --cpu-bind=mask_cpu:0x2,0x4,0x8,0x10,0x20,0x40,0x80,0x200,0x400,0x800,0x1000,0x2000,0x4000,0x8000,0x20000,0x40000,0x80000,0x100000,0x200000,0x400000,0x800000,0x2000000,0x4000000,0x8000000,0x10000000,0x20000000,0x40000000,0x80000000,0x200000000,0x400000000,0x800000000,0x1000000000,0x2000000000,0x4000000000,0x8000000000,0x20000000000,0x40000000000,0x80000000000,0x100000000000,0x200000000000,0x400000000000,0x800000000000,0x2000000000000,0x4000000000000,0x8000000000000,0x10000000000000,0x20000000000000,0x40000000000000 \
  "$client" run --attempt "$attempt" --ranks 240 \
  --tensor-bytes 1024,8192,16384,32768,65536,131072,262144,524288,1024000,2048000,4096000 --iterations 100 --warmup 10 \
  --barrier size --wire auto --keys hash --workload aggregation --producers 192 --consumer-threads 8 --tensors 4 > "$attempt/client.log" 2>&1 &
working=$!
wait "$working"
rc=$? working=''
mark client-ended "rc=$rc"
[ "$rc" -eq 0 ] || { tail -n 5 "$attempt/client.log" >&2; sleep 2; } # a TERM that is on its way here too is the reason to record
exit "$rc"
