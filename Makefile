# Everything is set up here: a fresh machine needs Python 3.11 or newer, and nothing else.
#   make demo          the main job on real arrays, and a classifier trained with a generated gradient
#   make test          ruff, mypy --strict, the tests, the doctests
#   make bench-quick   the benchmarks, at their smallest, against the peers that can be installed
#   make bench         the benchmarks

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test lint bench bench-quick clean

demo: $(VENV)/demo.stamp
	$(BIN)/python notebooks/demo.py

test: lint
	$(BIN)/python -m pytest -n auto

lint: $(VENV)/test.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench-quick: $(VENV)/bench.stamp
	$(BIN)/python benchmarks/bench_derive.py --quick
	$(BIN)/python benchmarks/bench_small.py --quick
	$(BIN)/python benchmarks/bench_structure.py --quick
	$(BIN)/python benchmarks/bench_numba.py --quick
	$(BIN)/python benchmarks/bench_peers.py --quick --threads 1

bench: $(VENV)/bench.stamp
	$(BIN)/python benchmarks/bench_derive.py
	$(BIN)/python benchmarks/bench_first.py
	$(BIN)/python benchmarks/bench_small.py
	$(BIN)/python benchmarks/bench_structure.py
	$(BIN)/python benchmarks/bench_bundle_adjustment.py
	$(BIN)/python benchmarks/bench_numba.py
	$(BIN)/python benchmarks/bench_peers.py

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "einsumdiff needs Python 3.11 or newer: make PYTHON=python3.12 ..." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/demo.stamp: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[demo]'
	@touch $@

$(VENV)/test.stamp: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test,lint]'
	@touch $@ $(VENV)/demo.stamp

$(VENV)/bench.stamp: pyproject.toml | $(BIN)/python
	$(BIN)/python benchmarks/install_peers.py
	@touch $@

clean:
	rm -rf $(VENV) benchmarks/results build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
