# `make demo` and `make test` set up everything they need in .venv; nothing has to be installed before but Python.

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
AVALANCHE := .venv-avalanche
TOOLS := .venv-tools
SITE := import sysconfig; print(sysconfig.get_path("purelib"))
# The first Python from 3.11 to 3.13 that runs; override with `make PYTHON=/path/to/python`.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
  $$p -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null \
  && echo $$p && break; done)

.DEFAULT_GOAL := help
.PHONY: help gpu torture fuzz fuzz-guided soak client example-avalanche other-tools surroundings demo test test-crash test-slow lint format bench lock clean env

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

env: $(READY) ## set up .venv with the pinned dependencies (4.7 GB, mostly torch)

$(READY): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "nasd needs Python 3.11, 3.12 or 3.13 with venv (Debian: apt install python3-venv)"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: $(READY) ## run a whole search on the embedded digits, less than a minute
	NASD_HOME="$(CURDIR)/runs" $(BIN)/nasd run configs/digits.yaml
	@echo; echo "Look at it again:  NASD_HOME=runs $(BIN)/nasd trials --top 10 digits    Start over: rm -r runs/digits"

# Three workers on two cores: much of a test's time it waits for processes.
test: lint ## format, types, architecture, and the test suite; ten minutes
	$(BIN)/python -m pytest -n 3 --dist loadfile --durations 15

test-crash: $(READY) ## whole searches killed and compared with undisturbed ones; two minutes
	$(BIN)/python -m pytest -n 3 --dist loadfile -m 'crash and not slow'

test-slow: $(READY) ## the tests that take minutes
	$(BIN)/python -m pytest -n 2 --dist loadfile -m slow

lint: $(READY) ## ruff, mypy --strict, import-linter
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(READY) ## format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

example-avalanche: $(READY) $(AVALANCHE)/.ready ## class-incremental learning on digits with Avalanche, in an environment of its own
	PYTHONPATH="$(CURDIR):$(CURDIR)/examples" $(AVALANCHE)/bin/python -m pytest -q tests/results/test_results_avalanche.py
	rm -rf runs/avalanche
	NASD_HOME="$(CURDIR)/runs" $(BIN)/nasd run examples/avalanche.yaml
	NASD_HOME="$(CURDIR)/runs" $(BIN)/nasd embed avalanche --to runs/avalanche/exports/all-classes.zarr
	PYTHONPATH="$(CURDIR)" $(AVALANCHE)/bin/python examples/avalanche_class_incremental.py \
	  runs/avalanche/exports/all-classes.zarr --figure runs/avalanche/exports/avalanche.png

other-tools: $(READY) $(TOOLS)/.ready ## what others read of our embeddings has our values, in an environment of its own
	PYTHONPATH="$(CURDIR)" $(TOOLS)/bin/python -m pytest -q tests/results/other_tools.py

$(TOOLS)/.ready: tests/results/other_tools.lock requirements.lock | $(READY)
	$(BIN)/python -m venv --clear $(TOOLS)
	$(BIN)/python -c '$(SITE)' > "$$($(TOOLS)/bin/python -c '$(SITE)')/nasd-environment.pth"
	$(TOOLS)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r tests/results/other_tools.lock
	@touch $@

# The locks agree, so that what both name, torch above all, need not be installed twice: 1 GB instead of 6.
$(AVALANCHE)/.ready: examples/avalanche.lock requirements.lock | $(READY)
	$(BIN)/python -m venv --clear $(AVALANCHE)
	$(BIN)/python -c '$(SITE)' > "$$($(AVALANCHE)/bin/python -c '$(SITE)')/nasd-environment.pth"
	$(AVALANCHE)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r examples/avalanche.lock
	@touch $@

client: $(READY) ## the light client: the wheel, installed bare, asks a running daemon; half a minute
	$(BIN)/python -m tests.packaging.light_client

torture: $(READY) ## a search killed, stopped and starved at random instants, an hour (KILLS=1000 MINUTES=60 SEED=1 STRATEGY=qlearning EXECUTOR=ray)
	$(BIN)/python -m tests.crash.torture --strategy $(or $(STRATEGY),qlearning) --executor $(or $(EXECUTOR),processes) --kills $(or $(KILLS),1000) --minutes $(or $(MINUTES),60) --seed $(or $(SEED),1)

fuzz: $(READY) ## a million frames at the socket of a daemon that works (FRAMES=1000000)
	$(BIN)/python -m tests.daemon.fuzz --frames $(or $(FRAMES),1000000)

fuzz-guided: $(READY) .atheris/.ready ## what reads strangers' files and frames, searched by coverage (MINUTES=5 for each reader)
	PYTHONPATH=.atheris $(BIN)/python -m tests.fuzzing.guided --minutes $(or $(MINUTES),5)

.atheris/.ready: tests/fuzzing/atheris.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes --target .atheris -r tests/fuzzing/atheris.lock
	@touch $@

soak: $(READY) ## a hundred thousand trials with clients that come and go (TRIALS=100000)
	$(BIN)/python -m tests.crash.soak --trials $(or $(TRIALS),100000)

surroundings: $(READY) ## tests under nohup, LANG=C, without passwd entry, in a container, in a home of spaces and é (NAMES="nohup home")
	$(BIN)/python -m tests.surroundings $(NAMES)

bench: $(READY) ## the benchmarks in their short forms, less than six minutes
	$(BIN)/python -m benchmarks.store
	$(BIN)/python -m benchmarks.bookkeeping
	$(BIN)/python -m benchmarks.evaluator --short
	$(BIN)/python -m benchmarks.published_pipeline --samples 6000 --epochs 1 --only A
	$(BIN)/python -m benchmarks.plain_torch --samples 3000 --epochs 2 --only tiny
	$(BIN)/python -m benchmarks.gpu --out runs/gpu

# Without .venv: a machine that has a GPU for an hour has torch already, and often no package index.
gpu: ## all that has to be known of a GPU, nine minutes; gpu.md and gpu.json
	$(firstword $(wildcard $(BIN)/python) python3) -m benchmarks.gpu

lock: $(READY) ## resolve the dependencies anew into requirements.lock
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile pyproject.toml --extra daemon --group dev --universal --python-version 3.11 --generate-hashes \
	  --no-header --no-emit-index-url --upgrade -o requirements.lock

clean: ## remove .venv and caches; runs stay
	rm -rf $(VENV) .atheris $(AVALANCHE) $(TOOLS) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache dist
