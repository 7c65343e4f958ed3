# make run       a virtual environment, shipper in it, the agent with its embedded endpoint on agent.yaml
# make test      what the tests need, then lint, types and tests
# make packages  a deb and an rpm in dist/, with checksums and the list of their parts: docs/packaging.md
# make package-test  the same, linted, installed, upgraded and removed, under a real systemd (as root, on Debian)
# make docs      the pages of docs/ as a site, in build/site; every warning is an error
# make bench     the throughput report (by hand, not in CI)

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
CONFIG ?= agent.yaml
JOBS ?= 2

.PHONY: run test lint types unit bench docs packages package-test clean

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

$(VENV)/.installed-docs: pyproject.toml $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[docs]'
	touch $@

docs: $(VENV)/.installed-docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --clean --quiet
	@echo build/site/index.html

build/tools/.installed: packaging/tools.lock
	$(PYTHON) packaging/require_python.py
	$(PYTHON) -m venv build/tools
	build/tools/bin/python -m pip install -qq --disable-pip-version-check --require-hashes -r packaging/tools.lock
	touch $@

packages: build/tools/.installed
	build/tools/bin/python packaging/steps/build.py

package-test: build/tools/.installed $(VENV)/.installed-dev
	packaging/suite/run $(BIN)/python

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
