# make run       a virtual environment, shipper in it, the agent with its embedded endpoint on agent.yaml
# make test      what the tests need, then lint, types and tests
# make bench     the throughput report (by hand, not in CI)

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
CONFIG ?= agent.yaml
JOBS ?= 2

.PHONY: run test lint types unit bench clean

$(VENV)/.installed: pyproject.toml
	$(PYTHON) packaging/require_python.py
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

$(VENV)/.installed-dev: pyproject.toml $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev,speed]'
	touch $@

run: $(VENV)/.installed
	$(BIN)/shipper run -c $(CONFIG)

test: lint types unit

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.installed-dev
	$(BIN)/mypy

unit: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal

bench: $(VENV)/.installed-dev
	$(BIN)/python -m tests.benchmarks.report

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
