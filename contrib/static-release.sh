#!/bin/bash
# static-release.sh TARGET FOLDER -- build `shardscale` (gen and collect; no MPI) as a static program for a musl target, such as
# x86_64-unknown-linux-musl, and pack it with man pages, completions and documentation into FOLDER/shardscale-VERSION-TARGET.tar.gz.
# Needs the target (rustup target add) and musl-gcc (Debian: musl-tools). The release workflow runs it; so can anybody.
set -euo pipefail
target=${1:?a target} folder=$(realpath -m "${2:?a folder}")
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export CARGO_PROFILE_RELEASE_STRIP=${CARGO_PROFILE_RELEASE_STRIP:-symbols}
cargo build --release --locked --package shardscale --bin shardscale --target "$target"
program=${CARGO_TARGET_DIR:-target}/$target/release/shardscale
# a program that asks for a loader is not static
! readelf --program-headers "$program" | grep -q INTERP || { echo "static-release.sh: $program is not static" >&2; exit 1; }
name=shardscale-$("$program" --version | cut -d' ' -f2)-$target
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
mkdir -p "$stage/$name"/{bin,share/man/man1,share/completions,share/doc} "$folder"
cp "$program" "$stage/$name/bin/"
cp -r README.md CHANGELOG.md LICENSE docs "$stage/$name/share/doc/"
"$program" man "$stage/$name/share/man/man1"
for shell in bash zsh fish; do "$program" completions $shell >"$stage/$name/share/completions/shardscale.$shell"; done
tar -C "$stage" --sort=name --owner=0 --group=0 --numeric-owner -czf "$folder/$name.tar.gz" "$name"
(cd "$folder" && sha256sum "$name.tar.gz" >"$name.tar.gz.sha256")
echo "$folder/$name.tar.gz"
