# Everything runs in .venv, which any target makes when it is missing or out of date.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
JOBS ?= 2
SECONDS ?= 600

.PHONY: help install demo check test soak lint format golden clean

help:
	@echo "make demo    the whole story with real parts: a report, an outage, a resume, a crash"
	@echo "make check   lint, types and the quick tests: a developer's own loop"
	@echo "make test    lint, types and every test"
	@echo "make bench   how fast stepfast is on this machine, beside the targets: one table, about three minutes"
	@echo "make bench-peers   stepfast and other durable engines on the same work: one table, about four minutes"
	@echo "make soak    simulation, then kill -9 under load, for SECONDS=600 each"
	@echo "make format  let ruff mend what it can"
	@echo "make clean   remove the environment and what demo and tests have left"

install: .venv/ready

.venv/ready: pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "stepfast needs Python 3.11 or newer: set PYTHON=/path/to/python3"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch .venv/ready

demo: .venv/ready
	$(BIN)/python -m demo

lint: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

check: lint
	$(BIN)/python -m pytest -n $(JOBS) -m "not slow"

test: lint
	$(BIN)/python -m pytest -n $(JOBS)

soak: .venv/ready
	$(BIN)/python -m tests.simulation.test_simulation --seconds $(SECONDS)
	$(BIN)/python -m tests.soak --seconds $(SECONDS)

format: .venv/ready
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf .venv .stepfast .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

.PHONY: bench bench-peers

bench: .venv/ready
	$(BIN)/python -m bench

bench-peers: .venv/ready
	$(BIN)/python -m bench.peers
