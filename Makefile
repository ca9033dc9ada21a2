# Needs python3 >= 3.11 and make. Everything else is installed into .venv from requirements.lock,
# hash-checked; `make demo` and `make test` also use mvn, Java and Docker where they are there.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DOCS := .venv-docs
AXE := tests/page/axe
PEERS := .venv-peers
STREAM_PEERS := .venv-stream-peers
PEERS_STAMP := $(PEERS)/.installed
PEERS_LISTS := $(addprefix benchmarks/comparison/,peers.txt peers-alone.txt peers-imports.txt)
PEERS_PIP := $(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check

.PHONY: help install axe demo demo-live test check chaos fuzz mutants bench quality comparison plots dashboards reference docs dist lock clean

help:
	@echo "make install    everything into $(VENV), hash-checked"
	@echo "make demo       337,000 real flights through a real Kafka: drift found, explained, resolved"
	@echo "make demo-live  a synthetic model at 5,000 events/s that changes after 30 s"
	@echo "make test       every test; integration tests on a real broker where one can be had"
	@echo "make axe        what judges the pages' accessibility in the tests; by npm, hash-checked"
	@echo "make check      ruff and mypy --strict"
	@echo "make chaos      workers killed, frozen and cut off from a real broker: nothing lost, nothing invented"
	@echo "make fuzz       a million mutated inputs to every reader of bytes; two to ten minutes"
	@echo "make mutants    the code changed in one place at a time: does a test notice? half an hour"
	@echo "make bench      speed and memory, with the peers beside them; half an hour; resumable"
	@echo "make quality    the statistical gates in full, some 75 minutes on one core; resumable"
	@echo "make comparison driftstream beside seven libraries, in an environment of their own; an hour; resumable"
	@echo "make plots      draw the plots of docs/ from the stored results"
	@echo "make dashboards write the Grafana dashboards anew"
	@echo "make reference  write docs/reference anew, from the code"
	@echo "make docs       the documentation as a site, with search, into build/docs"
	@echo "make dist       wheel and source distribution, into dist"
	@echo "make lock       rewrite requirements.lock from pyproject.toml"
	@echo "make clean      remove $(VENV), $(PEERS), $(DOCS), $(AXE)/node_modules and caches"

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; ok = sys.version_info >= (3, 11); \
	  ok or print("driftstream needs Python 3.11 or later; $(PYTHON) is", sys.version.split()[0] + ".", \
	  "Choose another: make PYTHON=python3.12"); sys.exit(not ok)'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	  echo "$(PYTHON) cannot make a virtual environment. On Debian or Ubuntu: apt-get install python3-venv"; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

install: $(STAMP)

demo: $(STAMP)
	@$(BIN)/driftstream demo flights

demo-live: $(STAMP)
	@$(BIN)/driftstream demo live

# All of them in three parts side by side, or what PYTEST_ARGS names.
# REQUIRE_JIT: a test that an optimisation fires fails, instead of passing on the slow path.
test: $(STAMP)
	DRIFTSTREAM_REQUIRE_JIT=1 $(BIN)/python -m $(if $(PYTEST_ARGS),pytest $(PYTEST_ARGS),tests)

$(AXE)/node_modules/.package-lock.json: $(AXE)/package-lock.json
	npm ci --prefix $(AXE) --ignore-scripts --no-audit --no-fund --silent
	@touch $@

axe: $(AXE)/node_modules/.package-lock.json

# All three speak, also after one has failed.
check: $(STAMP)
	@status=0; for tool in "ruff check ." "ruff format --check ." mypy; do \
	  echo "$$tool"; $(BIN)/$$tool || status=1; done; exit $$status

# make chaos SEED=7 EVENTS=500000 plays one run again; CHAOS_ARGS for python -m tests.chaos --help.
fuzz: $(STAMP)
	@$(BIN)/python -m tests.fuzz $(FUZZ_ARGS)

chaos: $(STAMP)
	@$(BIN)/python -m tests.chaos $(if $(SEED),--seeds $(SEED)) $(if $(EVENTS),--events $(EVENTS)) $(CHAOS_ARGS)

# MUTANTS_ARGS: stream/stage2 --number 50 --seed 7; python -m tests.mutants --help.
mutants: $(STAMP)
	@$(BIN)/python -m tests.mutants $(MUTANTS_ARGS)

# Quix Streams and Bytewax want another confluent-kafka; without them the bench goes on.
$(STREAM_PEERS)/.installed: benchmarks/peers/requirements.txt
	@test -x $(STREAM_PEERS)/bin/python || $(PYTHON) -m venv $(STREAM_PEERS)
	$(STREAM_PEERS)/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

# BENCH_ARGS: --only W1,parts or --resume or --quick; python -m benchmarks --help.
bench: $(STAMP)
	@$(MAKE) --no-print-directory $(STREAM_PEERS)/.installed || echo "going on without Quix Streams and Bytewax"
	@$(BIN)/python -m benchmarks $(BENCH_ARGS)

quality: $(STAMP)
	@$(BIN)/python -m benchmarks.gates

# The peers want other versions of things than driftstream does, so they get their own environment.
$(PEERS_STAMP): $(PEERS_LISTS) pyproject.toml
	@test -x $(PEERS)/bin/python || $(PYTHON) -m venv $(PEERS)
	$(PEERS_PIP) -e '.[worker]' -r benchmarks/comparison/peers.txt
	$(PEERS_PIP) --no-deps -r benchmarks/comparison/peers-alone.txt
	$(PEERS_PIP) -r benchmarks/comparison/peers-imports.txt
	@touch $@

comparison: $(PEERS_STAMP)
	@$(PEERS)/bin/python -m benchmarks.quality $(COMPARISON_ARGS)

plots: $(STAMP)
	@$(BIN)/python -m benchmarks.plots

reference: $(STAMP)
	$(BIN)/python docs/reference/generate.py

# The builder of the site wants other versions of things than driftstream does.
$(DOCS)/.installed: docs/site/requirements.txt
	@test -x $(DOCS)/bin/python || $(PYTHON) -m venv $(DOCS)
	$(DOCS)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

docs: $(DOCS)/.installed
	@NO_MKDOCS_2_WARNING=1 $(DOCS)/bin/mkdocs build --strict
	@echo "open build/docs/index.html"

dashboards: $(STAMP)
	$(BIN)/python deploy/grafana/generate.py

dist: $(STAMP)
	@rm -rf dist
	$(BIN)/python -m hatchling build

# Old pins are kept where they still fit; remove requirements.lock first to upgrade everything.
lock: $(STAMP)
	$(BIN)/python .ci/lock.py

clean:
	rm -rf $(VENV) $(DOCS) $(PEERS) $(STREAM_PEERS) $(AXE)/node_modules .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist
