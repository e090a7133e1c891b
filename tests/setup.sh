#!/bin/bash
# setup.sh --demo | --test -- install what a demonstration or the tests need and this machine lacks.
# Says what and why before it does; does nothing where all is there. Installs with apt, as root or through sudo. Rust,
# git, make and a network are taken for granted.
set -euo pipefail

die() { echo "setup.sh: $*" >&2; exit 1; }
has() { # has PROGRAM..: all of them
  local program
  for program in "$@"; do command -v "$program" >/dev/null 2>&1 || return 1; done
}
any() { compgen -G "$1" >/dev/null; } # any PATTERN: a file of that name exists

missing=() # packages
need() {   # need 'REASON' PACKAGE..: remembers packages
  local reason=$1
  shift
  missing+=("$@")
  echo "setup.sh: missing, $reason: $*" >&2
}

# --- what is missing ---------------------------------------------------------------------------------------------
has_libclang() { # the C interface; libclang-cpp, which comes with other things, is no substitute
  local folder
  [ -z "${LIBCLANG_PATH:-}" ] || return 0
  for folder in '/usr/lib/llvm-*/lib' '/usr/lib*' '/usr/lib/*'; do
    any "$folder/libclang.so*" && return
    any "$folder/libclang-[0-9]*.so*" && return
  done
  return 1
}

has_clang_headers() { # without them bindgen ends with: stddef.h not found
  [ -n "${LIBCLANG_PATH:-}" ] || any '/usr/lib*/llvm*/lib/clang/*/include/stddef.h' ||
    any '/usr/lib*/clang/*/include/stddef.h'
}

has_c() { has gcc && [ -e /usr/include/stdio.h ]; }

demo_needs() {
  has_c || need "to link, and to compile for MPI" gcc libc6-dev
  has mpicc mpirun || need "the client is an MPI program" libopenmpi-dev openmpi-bin
  has_libclang || need "the MPI bindings are made from mpi.h" libclang1-14
  has_clang_headers || need "the MPI bindings are made from mpi.h" libclang-common-14-dev
  has redis-server redis-cli || need "the store" redis-server redis-tools
}

test_needs() {
  # Open MPI stays the default: Debian gives it the higher priority in update-alternatives
  has mpicc.mpich mpiexec.mpich || need "the client is also built and run with MPICH" mpich libmpich-dev
  has slurmctld slurmd srun || need "job scripts are run on a virtual cluster" slurm-wlm
  has munged || need "the virtual cluster's authentication" munge
  has ip || need "the virtual cluster's networks" iproute2
  has ps || need "the virtual cluster's processes" procps
  has shellcheck || need "every script is linted" shellcheck
  has python3 || need "the Python lines of the documentation read samples" python3
  has strace || need "the system calls of a timed operation are counted" strace
  has chromium || need "the report is opened in a browser" chromium
  any '/usr/share/fonts/truetype/*/*.ttf' || need "the browser draws text" fonts-dejavu-core
}

rust_needs() {
  local component
  has cargo || die "there is no cargo: install Rust from https://rustup.rs"
  for component in "$@"; do
    cargo "${component/rustfmt/fmt}" --version >/dev/null 2>&1 && continue
    has rustup || die "the Rust component $component is missing: install it as you installed Rust"
    echo "setup.sh: missing, code is checked with it: Rust component $component" >&2
    rustup component add "$component"
  done
}

# --- installing --------------------------------------------------------------------------------------------------
# Debian starts a service when its package is installed: neither redis nor Slurm shall run on this machine for us. The
# policy is in force while apt works; one that was there before comes back.
POLICY=/usr/sbin/policy-rc.d

restore_policy() {
  rm -f "$POLICY"
  [ ! -e "$POLICY.before-setup" ] || mv "$POLICY.before-setup" "$POLICY"
}

install_packages() {
  [ ! -e "$POLICY" ] || mv "$POLICY" "$POLICY.before-setup"
  trap restore_policy EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
  printf '#!/bin/sh\nexit 101\n' >"$POLICY"
  chmod 755 "$POLICY"
  export DEBIAN_FRONTEND=noninteractive
  apt-get install --yes --no-install-recommends -o Dpkg::Use-Pty=0 "$@" </dev/null >&2
}

as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  elif [ "${CI:-}" = true ] || [ ! -t 0 ]; then
    sudo --non-interactive "$@"
  else
    sudo "$@"
  fi
}

# Clang 14 is that of Debian 12; where apt offers another one, its newest
choose_clang() {
  local newest
  ! apt-cache show libclang1-14 >/dev/null 2>&1 || return 0
  newest=$(apt-cache pkgnames libclang1- | grep -oE '^libclang1-[0-9]+$' | grep -oE '[0-9]+$' | sort -n | tail -n 1)
  [ -z "$newest" ] || missing=("${missing[@]//-14/-$newest}")
}

by_hand() { die "$1; install by hand: ${missing[*]}"; }

install_missing() {
  ((${#missing[@]})) || return 0
  has apt-get || by_hand "this is no Debian, where packages may have other names"
  [ "$(id -u)" = 0 ] || has sudo || by_hand "neither root nor sudo"
  echo "setup.sh: apt-get update, then installing with apt: ${missing[*]}" >&2
  as_root apt-get update -qq </dev/null >&2 || by_hand "apt-get update failed"
  choose_clang
  as_root bash "$0" --install "${missing[@]}" || by_hand "apt-get install failed"
}

case ${1:-} in
--install) # as root, by ourselves
  shift
  install_packages "$@"
  ;;
--demo)
  rust_needs
  demo_needs
  install_missing
  ;;
--test)
  rust_needs rustfmt clippy
  demo_needs
  test_needs
  install_missing
  ;;
*) die "say --demo or --test" ;;
esac
