# `make demo` and `make test` work on a new clone; everything else is below them.
SHELL := /bin/bash
PYTHON ?= $(shell bash .ci/python)
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
PROTOS := $(wildcard proto/signer/v1/*.proto)
JOBS ?= 2
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: help
help: ## Show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

.PHONY: demo
demo: $(INSTALLED) ## Set up, start a signer, use it as a client would, and check every step
	@$(BIN)/python -m deploy.dev.demo

.PHONY: dev
dev: $(INSTALLED) ## Run the same server in the foreground
	@$(BIN)/python -m deploy.dev.serve

.PHONY: test
test: lint unit ## Lint, types, layering, generated code, all tests, coverage

.PHONY: lint
lint: $(INSTALLED) ## ruff, mypy, import-linter, generated code
	ruff check .
	ruff format --check .
	mypy
	lint-imports
	$(BIN)/python -m deploy.dev.protos --check
	$(BIN)/python -m deploy.dev.refusals --check

.PHONY: unit
unit: $(INSTALLED) ## All tests with the coverage gates
	@bash .ci/system-packages tests
	rm -f .coverage .coverage.*
	$(BIN)/python -m pytest -n $(JOBS) --cov --cov-report= $(ARGS)
	coverage report --include='policy/*' --fail-under=100
	coverage report --include='signer/*' --fail-under=95

.PHONY: fuzz
FUZZ_SECONDS ?= 600
fuzz: $(INSTALLED) ## Fuzz every decoder, guided by coverage: make fuzz FUZZ_SECONDS=600
	$(BIN)/python -m tests.fuzz.campaign --seconds $(FUZZ_SECONDS) --jobs $(JOBS)

.PHONY: properties
properties: $(INSTALLED) ## The long campaign of the property tests of policy/
	SIGNGATE_FUZZ_EXAMPLES=100000 $(BIN)/python -m pytest -n $(JOBS) --timeout=7200 -m long tests/policy

.PHONY: oracles
oracles: $(INSTALLED) ## 10,000 generated payloads a format against other implementations
	SIGNGATE_FUZZ_EXAMPLES=10000 $(BIN)/python -m pytest -n $(JOBS) --timeout=3600 -k oracle tests/policy

.PHONY: peers
peers: $(INSTALLED) ## Record again what ethers and bitcoinjs-lib (JavaScript; they need node) make of payloads
	cd tests/peers && npm ci --ignore-scripts --no-audit --no-fund
	mkdir -p build
	set -o pipefail; $(BIN)/python -m tests.peers.payloads | node tests/peers/ethers.mjs > build/ethers.json
	set -o pipefail; $(BIN)/python -m tests.peers.psbts | node tests/peers/bitcoinjs.mjs > build/bitcoinjs.json
	mv build/ethers.json build/bitcoinjs.json tests/peers/

.PHONY: prove-long
PAIRS ?= 1000000
prove-long: $(INSTALLED) ## A million generated pairs of policies: what must hold for all of them
	SIGNGATE_COMPARE_PAIRS=5000 $(BIN)/python -m pytest -n $(JOBS) --timeout=7200 tests/policy/test_compare_properties.py
	$(BIN)/python -m tests.policy.campaign $(PAIRS)

.PHONY: chaos
chaos: $(INSTALLED) ## The long campaigns: kills under load, clients racing for the last unit
	SIGNGATE_KILLS=50 SIGNGATE_ROUNDS=1000 $(BIN)/python -m pytest --timeout=7200 -m long tests/ledger tests/end_to_end

.PHONY: faults
faults: $(INSTALLED) ## Every class of the token's errors for 5 seconds each, and tokens away for 10
	@bash .ci/system-packages tests
	SIGNGATE_FAULT_SECONDS=5 SIGNGATE_AWAY_SECONDS=10 $(BIN)/python -m pytest -n 0 \
	  tests/hsm/test_faulted.py tests/tokens/test_outages.py

.PHONY: soak
SOAK_SECONDS ?= 1800
soak: $(INSTALLED) ## Half an hour of random faults: memory, threads and descriptors stay flat
	SIGNGATE_SOAK_SECONDS=$(SOAK_SECONDS) $(BIN)/python -m pytest -n 0 tests/hsm/test_soak.py

.PHONY: loadtest
PROFILE ?= mix
loadtest: $(INSTALLED) ## Load-test a signer of its own: make loadtest PROFILE=mix
	$(BIN)/python -m loadtest run loadtest/profiles/$(PROFILE).toml \
	  --serve .dev/loadtest --slo loadtest/slo/release.toml --out build/loadtest

.PHONY: picture
PICTURE := chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --window-size=1100,1300
picture: $(INSTALLED) ## The mix, and a picture of its report for the READMEs (needs chromium)
	$(BIN)/python -m loadtest run loadtest/profiles/mix.toml \
	  --serve .dev/loadtest --slo loadtest/slo/release.toml --out build/picture
	$(PICTURE) --screenshot=loadtest/report.png build/picture/report.html

.PHONY: bench
bench: $(INSTALLED) ## Cost beside the token, as ratios: make bench, make bench ARGS=--quick
	$(BIN)/python -m loadtest.bench $(ARGS)

.PHONY: bench-ledger
bench-ledger: $(INSTALLED) ## What the ledger alone costs a request, by how many share a transaction
	$(BIN)/python -m loadtest.bench_ledger $(ARGS)

.PHONY: bench-policy
bench-policy: $(INSTALLED) ## 10,000 keys: how long they take to load, and what a decision costs
	$(BIN)/python -m loadtest.bench_policy

.PHONY: bench-pool
bench-pool: $(INSTALLED) ## The session pool beside plain loops: make bench-pool ARGS=--quick
	$(BIN)/python -m loadtest.pool $(ARGS)

.PHONY: proto
proto: $(INSTALLED) ## Generate signer/v1 from proto/
	$(BIN)/python -m deploy.dev.protos

.PHONY: refusals
refusals: $(INSTALLED) ## Write the table of refusals in deploy/docs, and the words on record, from the code
	$(BIN)/python -m deploy.dev.refusals
	$(BIN)/python -m tests.policy.payloads.recorded

.PHONY: mutate
mutate: $(INSTALLED) ## Does a test fail for each mutant of policy/: make mutate MODULES='policy.engine policy.compare*'
	SIGNGATE_PROFILE=mutants SIGNGATE_COMPARE_PAIRS=20 SIGNGATE_FUZZ_EXAMPLES=10 \
	  $(BIN)/python -m tests.mutation.campaign --jobs $(JOBS) $(ARGS) $(MODULES)

.PHONY: lock
lock: ## Resolve the locked versions again
	uv pip compile -q --universal --upgrade --generate-hashes --no-emit-index-url --no-emit-find-links \
	  --no-header --python-version 3.11 --no-strip-extras \
	  --group dev --extra loadtest --extra prove pyproject.toml -o requirements.lock

.PHONY: clean
clean: ## Remove everything that was made
	rm -rf $(VENV) .dev build *.egg-info .coverage* .mypy_cache .ruff_cache .pytest_cache

$(INSTALLED): requirements.lock pyproject.toml $(wildcard signer/hsm/*.pyx)
	@bash .ci/system-packages
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@
