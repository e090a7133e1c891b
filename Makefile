# What a person types first. `make demo` shows the whole thing on this machine, `make test` is what a change must pass.

.PHONY: build check demo docs install lint setup-test test test-lib test-units

# Open MPI refuses to start processes for root unless told that this is meant
ifeq ($(shell id -u),0)
export OMPI_ALLOW_RUN_AS_ROOT = 1
export OMPI_ALLOW_RUN_AS_ROOT_CONFIRM = 1
endif

SCRIPTS = $(wildcard tests/*.sh tests/slurm/*.sh tests/flux/*.sh benches/*.sh contrib/*.sh) .ci/run

build:
	cargo build --release --locked --workspace

# `make build` first, on the machine whose MPI the client is to use; site files and templates are inside the program
PREFIX ?= /usr/local
install:
	install -D -m 755 target/release/shardscale $(DESTDIR)$(PREFIX)/bin/shardscale
	install -D -m 755 target/release/shardscale-client $(DESTDIR)$(PREFIX)/bin/shardscale-client
	target/release/shardscale man $(DESTDIR)$(PREFIX)/share/man/man1
	install -d $(DESTDIR)$(PREFIX)/share/bash-completion/completions $(DESTDIR)$(PREFIX)/share/zsh/site-functions $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d $(DESTDIR)$(PREFIX)/share/doc/shardscale
	target/release/shardscale completions bash > $(DESTDIR)$(PREFIX)/share/bash-completion/completions/shardscale
	target/release/shardscale completions zsh > $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_shardscale
	target/release/shardscale completions fish > $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/shardscale.fish
	install -m 644 README.md CHANGELOG.md LICENSE $(DESTDIR)$(PREFIX)/share/doc/shardscale
	cd docs && find . -type f -exec install -D -m 644 {} $(abspath $(DESTDIR)$(PREFIX))/share/doc/shardscale/docs/{} \;

# the documentation as a site, every link of it followed; cargo is all that it needs
docs:
	SHARDSCALE_BOOK=target/book cargo test --locked --workspace --test book
	@echo "Open target/book/index.html in a browser."

demo:
	tests/setup.sh --demo
	$(MAKE) build
	tests/demo.sh

# the inner loop: what needs no server, scheduler, browser or MPI launch, in about a minute once it is built; the longest begin
CHECKS = cache check baseline book collect directives gen_compute history manual old_records schedulers size smartsim statistics \
  study trace verdict
check:
	cargo fmt --all --check
	cargo test --locked --workspace --lib $(CHECKS:%=--test %) --no-run
	$(MAKE) --jobs=$(TEST_JOBS) --output-sync=target --keep-going $(CHECKS:%=test-%) test-lib

setup-test:
	tests/setup.sh --test

lint: setup-test
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- --deny warnings
	shellcheck -x -P SCRIPTDIR $(SCRIPTS)
	RUSTDOCFLAGS="--deny warnings" cargo doc --locked --workspace --no-deps --document-private-items
	cargo package --workspace --locked --offline --no-verify --allow-dirty

# Tests wait more than they work: for jobs of a cluster, for time-outs. So some test programs run side by side, each Slurm cluster
# in networks of its own. The longest begin, so that none of them is left alone in the end. A program's output comes when it has
# ended. One alone: cargo test --workspace --test NAME.
TEST_JOBS ?= 4
LONGEST = faults slurm mpich local browser queue campaign packs security pbs binding
TESTS = $(LONGEST) $(filter-out $(LONGEST),$(sort $(basename $(notdir $(wildcard tests/*.rs client/tests/*.rs)))))

# examples are built by clippy alone
test: lint
	cargo test --locked --workspace --lib --bins --tests --no-run
	$(MAKE) --jobs=$(TEST_JOBS) --output-sync=target --keep-going $(TESTS:%=test-%) test-units

test-units: test-lib
	cargo test --locked --workspace --bins
	MAKEFLAGS= cargo test --locked --workspace --doc

test-lib:
	cargo test --locked --workspace --lib

test-%:
	cargo test --locked --workspace --test $*
