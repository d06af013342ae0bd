# Two commands on a fresh machine: `make demo` and `make test`. Each makes .venv first if it is missing.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test lint unit races acceptance bench bench-locks bench-postgres docs bigquery-emulator clean

demo: $(READY)
	$(BIN)/gradeonce demo

# Three processes, a file of tests each, for two processors: a third of the time is spent waiting for servers, leases and
# processes. In the order of tests/conftest.py: left to itself, the plugin takes files of few tests last, and those are long.
test: $(READY) lint
	$(BIN)/pytest -n 3 --dist loadfile --no-loadscope-reorder

lint: $(READY)
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy

unit: $(READY)
	$(BIN)/pytest tests/unit

races: $(READY)
	$(BIN)/pytest tests/races

acceptance: $(READY)
	$(BIN)/pytest tests/acceptance

bigquery-emulator:
	.ci/bigquery-emulator

docs: $(READY)
	$(BIN)/python docs/generate

bench: $(READY)
	$(BIN)/python benchmarks/run.py

bench-postgres: $(READY)
	$(BIN)/python benchmarks/postgres.py

bench-locks: $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev,bench]'
	$(BIN)/python benchmarks/locks.py

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "gradeonce needs Python 3.11 or newer; name one with: make PYTHON=python3.11 demo"; exit 78; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $@

clean:
	rm -rf $(VENV) .bigquery-emulator demo-season .mypy_cache .ruff_cache .pytest_cache
