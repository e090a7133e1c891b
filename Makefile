# What a person types first. `make demo` shows the whole thing on this machine, `make test` is what a change must pass.

.PHONY: build demo lint setup-test test

# Open MPI refuses to start processes for root unless told that this is meant
ifeq ($(shell id -u),0)
export OMPI_ALLOW_RUN_AS_ROOT = 1
export OMPI_ALLOW_RUN_AS_ROOT_CONFIRM = 1
endif

SCRIPTS = $(wildcard tests/*.sh tests/slurm/*.sh benches/*.sh) .ci/run

build:
	cargo build --release --locked --workspace

demo:
	tests/setup.sh --demo
	$(MAKE) build
	tests/demo.sh

setup-test:
	tests/setup.sh --test

lint: setup-test
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- --deny warnings
	shellcheck -x -P SCRIPTDIR $(SCRIPTS)
	RUSTDOCFLAGS="--deny warnings" cargo doc --locked --workspace --no-deps --document-private-items
	cargo package --workspace --locked --offline --no-verify --allow-dirty

test: lint
	cargo test --locked --workspace
