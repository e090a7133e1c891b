#!/bin/bash
# up.sh -- bring up a virtual Slurm cluster on this machine; README.md beside it tells what it offers.
#   NODES=8 SOCKETS=2 CORES=32 THREADS=1 tests/slurm/up.sh     nodes that claim 2 x 32 CPUs each
#   TRUE_CPUS=1 tests/slurm/up.sh                              nodes with this machine's CPUs, really bound
#   TRUE_CPUS=1 CGROUPS=1 tests/slurm/up.sh                    and jobs that share a node are confined to the CPUs that they got
set -euo pipefail
. "$(dirname "$0")/common.sh"
die() { echo "up.sh: $*" >&2; exit 1; }

TRUE_CPUS=${TRUE_CPUS:-0}
if [ "$TRUE_CPUS" = 1 ]; then SOCKETS=1 CORES=$(nproc --all) THREADS=1; fi
NODES=${NODES:-8} SOCKETS=${SOCKETS:-2} CORES=${CORES:-32} THREADS=${THREADS:-1}
MEMORY_MB=${MEMORY_MB:-256000}         # claimed, not checked
SELECT=${SELECT:-CR_Core}               # CR_Core_Memory: jobs and steps are given memory too
SLURMD_TIMEOUT_S=${SLURMD_TIMEOUT_S:-20} # after which a silent node is down
read -ra FEATURES <<<"${FEATURES:-}"   # of the nodes in turn, for --constraint; cpu where there is none
CGROUPS=${CGROUPS:-0}                  # 1: task/cgroup keeps each job on the CPUs that it got
SHARED=${SHARED:-$ROOT}                # visible in the nodes although /tmp is private
begun=$(date +%s%N)

[ "$(id -u)" = 0 ] || die "needs root, for namespaces and interfaces: sudo $0"
for program in munged slurmctld slurmd sinfo srun ip unshare gcc; do
  command -v $program >/dev/null || die "$program is missing: tests/setup.sh --test installs it"
done
unshare --net --uts --mount --pid --fork true 2>/dev/null ||
  die "the kernel grants no namespaces here; a container needs --privileged"
[ "$CGROUPS" = 0 ] || has_cpusets || die "CGROUPS=1 needs the cpuset controller of cgroup v1, which this kernel has given to v2"
((NODES >= 1 && NODES <= 200)) || die "NODES=$NODES is not within 1 to 200"
[[ $RUN != *[[:space:]]* ]] || die "RUN=$RUN has a blank, which slurm.conf does not admit"
socket=$RUN/munge/sock
[ ${#socket} -le 107 ] || die "$socket is too long for a socket: set RUN to a shorter path"

# --- one cluster at a time ---------------------------------------------------------------------------------------
# making the bridge is the lock; its alias says who holds it: the pid of an up.sh and the state folder
claim() { ip link add "$MGT" type bridge 2>/dev/null && ip link set "$MGT" alias "$$ $RUN"; }
if ! claim; then
  sleep 0.2 # for the alias of one that has just begun
  read -r holder folder < <(cat "/sys/class/net/$MGT/ifalias" 2>/dev/null) || true
  ! grep -qa up.sh "/proc/${holder:-none}/cmdline" 2>/dev/null || die "another up.sh is at work (pid $holder, $folder)"
  ! is "$(cat "${folder:-/nowhere}/pid/slurmctld" 2>/dev/null || echo 0)" slurmctld ||
    die "a cluster is up already: . $folder/env.sh to use it, RUN=$folder $LAB/down.sh to end it"
  echo "up.sh: clearing away what is left of a cluster in ${folder:-an unknown folder}" >&2
  RUN=${folder:-$RUN} "$LAB/down.sh"
  claim || die "cannot make the bridge $MGT"
fi
clear_after_failure() {
  [ "$1" = 0 ] && return
  echo "up.sh: failed, clearing away; logs are in $RUN/log" >&2
  "$LAB/down.sh" || true
}
trap 'clear_after_failure $?' EXIT
# processes of an earlier cluster in this folder whose bridge is gone; the bridge that was just claimed stays
for file in "$RUN"/pid/cn*; do [ ! -e "$file" ] || stop "$file" unshare KILL; done
stop "$RUN/pid/slurmctld" slurmctld TERM
stop "$RUN/pid/munged" munged TERM

rm -rf "$RUN"
mkdir -p "$RUN"/{state,log,munge,pid,node}
chmod 755 "$RUN"
chmod 700 "$RUN/state" "$RUN/munge"
[ -e /etc/hosts ] || die "there is no /etc/hosts to cover in the nodes"
printf '%s=%q\n' SHARED "$SHARED" SOCKETS "$SOCKETS" CORES "$CORES" THREADS "$THREADS" CGROUPS "$CGROUPS" >"$RUN/node.env"
[ "$TRUE_CPUS" = 1 ] || gcc -O1 -shared -fPIC -o "$RUN/fakecpu.so" "$LAB/fakecpu.c"

# --- configuration -----------------------------------------------------------------------------------------------
{
  cat <<EOF
ClusterName=vslurm
SlurmctldHost=login0(10.77.0.254)
SlurmUser=root
SlurmctldPort=16817
SlurmdPort=16818
AuthType=auth/munge
AuthInfo=socket=$RUN/munge/sock
StateSaveLocation=$RUN/state
SlurmdSpoolDir=$RUN/node/%n/spool
SlurmctldPidFile=$RUN/pid/slurmctld
SlurmdPidFile=$RUN/node/%n/slurmd.pid
SlurmctldLogFile=$RUN/log/slurmctld.log
SlurmdLogFile=$RUN/log/slurmd-%n.log
MailProg=/bin/true
# without CGROUPS no cgroups, which containers often have no say in: the nodes' pid namespaces clean up
ProctrackType=proctrack/linuxproc
TaskPlugin=task/affinity$([ "$CGROUPS" = 0 ] || echo ,task/cgroup)
JobAcctGatherType=jobacct_gather/linux
MpiDefault=pmix
MpiParams=ports=20000-29999
# believe the declared hardware
SlurmdParameters=config_overrides
SelectType=select/cons_tres
SelectTypeParameters=$SELECT
SchedulerType=sched/backfill
# quick decisions, quick ends
SchedulerParameters=batch_sched_delay=1,sched_interval=2,bf_interval=2
KillWait=5
MinJobAge=3600
ReturnToService=2
EnforcePartLimits=ALL
SlurmctldTimeout=60
SlurmdTimeout=$SLURMD_TIMEOUT_S
InactiveLimit=0
UnkillableStepTimeout=30
PropagateResourceLimits=NONE
JobCompType=jobcomp/filetxt
JobCompLoc=$RUN/log/jobcomp.txt
EOF
  for i in $(seq "$NODES"); do
    echo "NodeName=cn$i NodeAddr=10.77.0.$i Sockets=$SOCKETS CoresPerSocket=$CORES ThreadsPerCore=$THREADS" \
      "RealMemory=$MEMORY_MB Feature=${FEATURES[i - 1]:-cpu} State=UNKNOWN"
  done
  cat <<EOF
PartitionName=compute Nodes=ALL Default=YES MaxTime=24:00:00 DefaultTime=00:30:00 OverSubscribe=EXCLUSIVE
PartitionName=shared Nodes=ALL Default=NO MaxTime=24:00:00 DefaultTime=00:30:00 OverSubscribe=NO
EOF
} >"$RUN/slurm.conf"
# slurmd looks for the version of cgroups even where nothing uses them, and refuses to start in a node's fresh /sys
printf '%s\n' CgroupPlugin=cgroup/v1 "ConstrainCores=$([ "$CGROUPS" = 0 ] && echo no || echo yes)" >"$RUN/cgroup.conf"
# with Slurm 22.05's default fence, one run in six over TCP died in MPI_Init; the ring is sound
echo "PMIxCollFence=ring" >"$RUN/mpi.conf"
: >"$RUN/plugstack.conf"
{
  printf '%s\n' "127.0.0.1 localhost" "10.77.0.254 login0"
  for i in $(seq "$NODES"); do printf '%s\n' "10.77.0.$i cn$i" "10.78.0.$i cn$i-hsn"; done
} >"$RUN/hosts"
printf 'export SLURM_CONF=%q\n' "$RUN/slurm.conf" >"$RUN/env.sh"
# shellcheck source=/dev/null
. "$RUN/env.sh"

# --- networks, controller, nodes ---------------------------------------------------------------------------------
ip link set "$MGT" up
ip addr add 10.77.0.254/24 dev "$MGT"
for bridge in "$HSN" "$HSN1"; do ip link add "$bridge" up type bridge; done

(umask 077 && head -c 1024 /dev/urandom >"$RUN/munge/key")
# --force: the state folder may lie below folders of another user, as in a checkout used with sudo
munged --force --key-file="$RUN/munge/key" --socket="$RUN/munge/sock" --pid-file="$RUN/pid/munged" \
  --log-file="$RUN/log/munged.log" --seed-file="$RUN/munge/seed" --origin=127.0.0.1 2>"$RUN/log/munged.start"
# a host name and an /etc/hosts of its own, so that the machine keeps its
# shellcheck disable=SC2016 # expanded in there
unshare --uts --mount bash -c 'hostname login0; mount --bind "$0/hosts" /etc/hosts; exec slurmctld -f "$0/slurm.conf" -c' "$RUN"
for i in $(seq "$NODES"); do "$LAB/node.sh" "$i"; done

for _ in $(seq 300); do
  idle=$(sinfo -h -p compute -t idle -o %D 2>/dev/null | awk '{ n += $1 } END { print n + 0 }') || idle=0
  [ "$idle" = "$NODES" ] && break
  sleep 0.1
done
if [ "$idle" != "$NODES" ]; then
  sinfo -N >&2 || true
  die "only $idle of $NODES nodes are idle after 30 s"
fi
echo "up: $NODES nodes idle after $((($(date +%s%N) - begun) / 1000000)) ms; . $RUN/env.sh"
