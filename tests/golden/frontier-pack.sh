#!/bin/bash
#SBATCH --job-name=pack-colocated-n4x48-db8-mask-lo-tcp-r1
#SBATCH --nodes=32
#SBATCH --time=02:00:00
#SBATCH --partition=batch
#SBATCH --account=abc123
#SBATCH --exclusive
#SBATCH --no-requeue
#SBATCH --output=/scratch/me/out/pack-colocated-n4x48-db8-mask-lo-tcp-r1/job-%j.log
pack_dir=/scratch/me/out/pack-colocated-n4x48-db8-mask-lo-tcp-r1
out=/scratch/me/out
client=${SHARDSCALE_CLIENT:-/opt/shardscale/shardscale-client}
# pack-colocated-n4x48-db8-mask-lo-tcp-r1: 4 permutations, one after another, on 32 nodes at most
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

# --- one attempt, one folder; where all is measured there is nothing to do
attempt=$("$client" begin --run-dir "$pack_dir" --job "$SLURM_JOB_ID" --queue "$(squeue --me --noheader --format=%A 2> /dev/null)") || exit 1
[ -n "$attempt" ] || exit 0

mark() { printf '%(%s)T %s\n' -1 "$*" >> "$attempt/status"; }
stage=script working='' longest=0 bad=0
# shellcheck disable=SC2317 # the trap calls it
finish() { # however the job ends: the running permutation ends itself, and says how far it came
  rc=$?
  trap '' TERM INT
  trap - EXIT
  if [ -n "$working" ]; then
    kill -TERM "$working" 2> /dev/null
    wait "$working"
    mark run-ended "$name" "rc=$?"
  fi
  if [ "$rc" -eq 0 ]; then mark 'done'; else mark failed "$stage" "rc=$rc"; fi
  exit "$rc"
}
trap finish EXIT
trap 'stage=terminated; exit 143' TERM INT

# --- nodes
mapfile -t nodes < <(scontrol show hostnames "$SLURM_JOB_NODELIST")

# --- one permutation: on the first CLIENTS nodes, its database on DBS nodes from number DB_AT; ended after SECONDS
run() { # run NAME SECONDS CLIENTS DBS DB_AT
  name=$1
  local seconds=$2 clients=$3 dbs=$4 at=$5 left began rc
  if [ "${SHARDSCALE_RERUN:-}" != 1 ] && grep -qs ' done$' "$out/$name"/attempt-*/status; then
    mark run-skipped "$name" measured
    return
  fi
  if [ $((clients + dbs)) -gt "${#nodes[@]}" ]; then
    mark run-left "$name" "needs $((clients + dbs)) nodes, the job has ${#nodes[@]}"
    bad=1
    return
  fi
  [ $((at + dbs)) -le "${#nodes[@]}" ] || at=$((${#nodes[@]} - dbs))
  left=$((${SHARDSCALE_WALLTIME_S:-7200} - SECONDS - 60)) # the reserve: a run that is ended needs time to end well
  if [ "$left" -le 0 ] || [ "$left" -lt "$longest" ]; then
    mark run-left "$name" "$left s are left, the longest run so far took $longest s"
    bad=1
    return
  fi
  [ "$seconds" -le "$left" ] || seconds=$left
  mark run-started "$name"
  began=$SECONDS
  SHARDSCALE_NODES="${nodes[*]:0:clients} ${nodes[*]:at:dbs}" timeout --kill-after=60 "$seconds" bash "$out/$name/job.sh" &
  working=$!
  wait "$working"
  rc=$? working=''
  mark run-ended "$name" "rc=$rc"
  [ $((SECONDS - began)) -le "$longest" ] || longest=$((SECONDS - began))
  [ "$rc" -eq 0 ] || bad=1
  [ "$rc" -eq 0 ] || { # a run that was killed may have left steps, which would disturb the next
    squeue --noheader --steps --job="$SLURM_JOB_ID" --format=%i | grep -vE '\.(batch|extern)$' | xargs --no-run-if-empty scancel
  }
}

# --- the permutations, in an order drawn from seed 1 within each repeat
stage=runs
export SHARDSCALE_PACK="$pack_dir"
run colocated-n16x48-db8-mask-lo-tcp-r1 1800 16 0 16
run colocated-n4x48-db8-mask-lo-tcp-r1 1800 4 0 4
run colocated-n8x48-db8-mask-lo-tcp-r1 1800 8 0 8
run colocated-n32x48-db8-mask-lo-tcp-r1 1800 32 0 32
exit "$bad"
