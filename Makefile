# Everything a person does with this repository. `make` alone lists it.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# One target folder a machine, so that dependencies are built once.
export CARGO_TARGET_DIR ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/mangrove/target

CARGO := cargo
NEXTEST := $(CARGO) nextest run --profile ci

.PHONY: help setup run test lint doc audit size package sim mutants trials fuzz bench soak

help: ## List what there is
	@sed -nE 's/^([a-z]+):.*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

setup: ## Install what is missing: compilers, linker, test runner
	@.ci/setup

run: setup ## Build, and run a node in HOME_FOLDER=~/.local/share/mangrove until Ctrl-C
	@$(CARGO) build --release --package mangrove-cli
	@"$$CARGO_TARGET_DIR/release/mangrove" run $(if $(HOME_FOLDER),--home "$(HOME_FOLDER)")

test: ## Run every check, as CI does
	@.ci/setup tests
	@echo "== format" && $(CARGO) fmt --all --check
	@echo "== lint" && $(CARGO) clippy --workspace --all-targets --quiet -- -D warnings
	@echo "== rules of the house" && $(NEXTEST) --package mangrove-tidy
	@echo "== simulation" && SECONDS=20 $(CARGO) run --quiet --package mangrove-sim --bin campaign | tail -n 3
	@echo "== documentation tests" && $(CARGO) test --workspace --doc --quiet
	@echo "== tour of the README" && $(NEXTEST) --package mangrove-cli tour::
	@echo "== all tests" && $(NEXTEST) --workspace

lint: setup ## Format, then lint and report the sizes of files and functions
	@$(CARGO) fmt --all
	@$(CARGO) clippy --workspace --all-targets -- -D warnings
	@$(CARGO) run --quiet --package mangrove-tidy

doc: setup ## Write generated pages and kept outputs anew, and build the API documentation
	@MANGROVE_BLESS=1 $(NEXTEST) --workspace documents:: snapshots::
	@RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps

audit: ## Check licences, sources and duplicates of dependencies, and spelling
	@$(CARGO) deny --all-features check bans licenses sources
	@typos

size: setup ## Print the release binary's size and how fast it starts
	@$(CARGO) build --release --package mangrove-cli
	@.ci/size "$$CARGO_TARGET_DIR/release/mangrove"

package: setup ## Build the package for Debian and Ubuntu
	@.ci/package

sim: setup ## Simulate clusters: SEEDS=1000, SEED=123 to replay one, BUG=NAME to plant one
	@$(CARGO) run --quiet --package mangrove-sim --bin campaign

mutants: setup ## Plant mutations of the runtime: each must turn its test red
	@.ci/mutants

fuzz: setup ## Fuzz every decoder, each for SECONDS_EACH=60 (needs the nightly compiler)
	@cargo fuzz --version >/dev/null 2>&1 || $(CARGO) install --quiet --locked cargo-fuzz
	@for target in $$(cargo +nightly fuzz list --fuzz-dir protocol/fuzz); do \
	  echo "== $$target"; \
	  cargo +nightly fuzz run --fuzz-dir protocol/fuzz --target-dir "$$CARGO_TARGET_DIR/fuzz" \
	    "$$target" -- -max_total_time=$${SECONDS_EACH:-60} -max_len=65536 -print_final_stats=1; \
	done

bench: setup ## Measure the protocol, the store, the network and the runtime, in release
	@$(CARGO) bench --package mangrove-protocol --package mangrove-store --package mangrove-network --package mangrove-node --benches

trials: setup ## Kill and cut the power of a writing store TRIALS=1000 times, and nodes KILLS=500 times
	@TRIALS=$${TRIALS:-1000} $(CARGO) nextest run --profile trials --package mangrove-store crashes:: power::
	@MANGROVE_KILL_CYCLES=$${KILLS:-500} MANGROVE_KILL_ACKS=1000 \
	  $(CARGO) nextest run --profile trials --package mangrove-cluster --no-capture killed_again_and_again

soak: ## Says so while it does not exist
	@echo "make $@: there is nothing to run yet" >&2; exit 1
