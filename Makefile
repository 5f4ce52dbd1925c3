# Everything that one does with this repository. `make` alone lists it.
#
#   make run UP="--api 127.0.0.1:8001"     arguments for `nostro up`
#   make bench BENCH="--modes bulk"        one run of `nostro bench` with these arguments, instead of both
#   make test TEST="-p nostro-core"        arguments for `cargo test`, instead of the whole workspace

CARGO  ?= cargo
TARGET := $(or $(CARGO_TARGET_DIR),target)
UP     ?=
BENCH  ?=
TEST   ?= --workspace --no-fail-fast
SEED   ?= 1
SOAK_SECONDS ?= 1200

.DEFAULT_GOAL := help
.PHONY: help run bench build test check soak lint tools browser postgres toolchain

help: ## List these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: postgres build ## Set up what is missing, build, and start a bank of two branches (UP="..." for its arguments)
	@$(TARGET)/release/nostro up $(UP)

bench: postgres build ## Measure what this machine carries: all modes, then a bank with history (BENCH="..." for a run of your own)
ifeq ($(strip $(BENCH)),)
	@$(TARGET)/release/nostro bench
	@$(TARGET)/release/nostro bench --modes bulk,reads --beside bulk --accounts 1000000 --history 20000000
else
	@$(TARGET)/release/nostro bench $(BENCH)
endif

build: toolchain ## Build the program nostro into target/release
	$(CARGO) build --release --locked -p nostro-cli

test: postgres toolchain tools ## Run every test that this machine can run; the others say that they are skipped
	@# most tests wait for servers rather than compute
	RUST_TEST_THREADS=$${RUST_TEST_THREADS:-4} $(CARGO) test --locked $(TEST)
	@if node -e 'process.exit(parseInt(process.versions.node) < 18 ? 1 : 0)' 2>/dev/null; then \
	  node --test crates/nostro-console/tests/*.test.mjs; \
	else \
	  echo "skipped: the console's scripts, as node 18 or later is not installed"; \
	fi
	@# cargo shows nothing of a test that passes, so what a test skips is said here as well
	@for tool in node_modules/.bin/newman venv/bin/schemathesis chromedriver; do \
	  test -x target/tools/$$tool || command -v $${tool##*/} >/dev/null || \
	    echo "skipped: the test that runs $${tool##*/}, as it is not installed (make tools, make browser)"; \
	done

check: lint test ## lint and test: what a change must pass

soak: postgres toolchain ## What takes long: every crash point times every fault, the whole model, and SOAK_SECONDS of torture
	NOSTRO_SOAK=1 $(CARGO) test --locked -p nostro-cli --test walk -- --nocapture
	NOSTRO_SOAK=1 $(CARGO) test --locked -p nostro-commit --test model -- --nocapture --test-threads 2
	$(CARGO) build --release --locked -p nostro-cli -p nostro-torture
	$(TARGET)/release/nostro-torture --seed $(SEED) --seconds $(SOAK_SECONDS) --servers 2

lint: toolchain ## Formatting, lints, documentation, licences, shell scripts
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="-Dwarnings -Arustdoc::private_intra_doc_links" $(CARGO) doc --workspace --no-deps --document-private-items --locked
	@if $(CARGO) deny --version >/dev/null 2>&1; then \
	  $(CARGO) deny --locked check; \
	else \
	  echo "skipped: cargo deny, as it is not installed (cargo install --locked cargo-deny)"; \
	fi
	@if command -v shellcheck >/dev/null; then \
	  shellcheck .ci/run docker/make-secrets script/*; \
	else \
	  echo "skipped: shellcheck, as it is not installed"; \
	fi

browser: ## Install Chromium and its driver, in which the console is tested
	@script/browser

tools: ## Install what some tests use of other languages (newman, schemathesis) into target/tools
	@script/tools

postgres: ## Install PostgreSQL where it is missing, and print where it is
	@script/postgres

toolchain: ## Check for cargo and a C compiler, and install the latter where it is missing
	@script/toolchain
