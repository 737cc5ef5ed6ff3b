# Every target sets itself up: a machine with python3 >= 3.11 and make is enough.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
BENCH_VENV := .venv-bench
BENCH_READY := $(BENCH_VENV)/.ready
WORKLOADS ?= w1
ROUNDS ?= 3

.PHONY: setup demo test check format bench docs soak clean

setup: $(READY)

$(READY): pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable . --group dev
	touch $(READY)

demo: $(READY)
	$(BIN)/brim demo --memory 256MiB

test: $(READY)
	$(BIN)/python -m pytest

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# brim beside its peers; WORKLOADS="w1 w10" ROUNDS=5, or BENCH="--memory 256MiB --json runs.json" for more options.
bench: $(BENCH_READY)
	$(BENCH_VENV)/bin/python -m benchmarks $(WORKLOADS) --rounds $(ROUNDS) $(BENCH)

# The peers live in an environment of their own, so that tests never meet them.
$(BENCH_READY): pyproject.toml
	test -x $(BENCH_VENV)/bin/python || $(PYTHON) -m venv $(BENCH_VENV)
	$(BENCH_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	$(BENCH_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --editable . --group bench
	touch $(BENCH_READY)

format: $(READY)
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

docs: $(READY)
	$(BIN)/python docs/function_table.py
	$(BIN)/python -m pytest tests/test_docs.py tests/test_examples.py

clean:
	rm -rf $(VENV) $(BENCH_VENV) out spill .pytest_cache .hypothesis .mypy_cache .ruff_cache
