# Every target sets itself up: a machine with python3 >= 3.11 and make is enough.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
BENCH_VENV := .venv-bench
BENCH_READY := $(BENCH_VENV)/.ready
WORKLOADS ?= w1
ROUNDS ?= 3
TREES ?= 10000
N ?= 20000
FIRST ?= 0
PROCESSES ?= 2
PIPELINES ?= 500
SECONDS ?= 60
MOST ?= 200
MEASURING := $(patsubst %,tests/test_%.py,hungry_functions in_a_memory_group benchmarks command_line embedding service_run)

.PHONY: setup demo test soak check format bench bench-speed cgroup materialise large transport sweep cost bench-page \
	bench-all docs laws plans hard leaks chaos service cancel clean

setup: $(READY)

$(READY): pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable . --group dev
	touch $(READY)

demo: $(READY)
	$(BIN)/brim demo --memory 256MiB

# Files of tests are shared out to PROCESSES processes; what measures memory or time then has the machine to itself.
test: $(READY)
	$(BIN)/python -m pytest --numprocesses $(PROCESSES) --dist loadfile --no-loadscope-reorder $(MEASURING:%=--ignore=%)
	$(BIN)/python -m pytest $(MEASURING)

# What takes minutes and gigabytes of disk: a row group of 3 GiB under 256 MiB.
soak: $(READY)
	$(BIN)/python -m pytest -m soak --timeout 900

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# The laws of every run over TREES trees drawn by seed, from FIRST on; a seed that breaks one is shown with its command.
laws: $(READY)
	cd tests && ../$(BIN)/python -m laws --trees $(TREES) --first $(FIRST) --processes $(PROCESSES)

# N random plans from FIRST on, each with little memory and with more, against DuckDB; PLANS="--faults" for disks that fail.
plans: $(READY)
	cd tests && ../$(BIN)/python -m plans --plans $(N) --first $(FIRST) --processes $(PROCESSES) $(PLANS)

# One key for nearly all rows, a list and strings as large as they can be, ten million groups: within 256 MiB each.
hard: $(READY)
	cd tests && ../$(BIN)/python -m plans.hard

# What is left of PIPELINES pipelines in one process, a third cancelled, a third failing: nothing, and 10 MiB at most.
leaks: $(READY)
	cd tests && ../$(BIN)/python -m leak_run --pipelines $(PIPELINES)

# Fifty clients on one engine of 512 MiB for SECONDS: errors, memory of the process tree, times alone and under load.
service: $(READY)
	cd tests && ../$(BIN)/python -m service_run --seconds $(SECONDS) --clients 50

# Each operator cancelled at its k-th await, once and twice, for k up to MOST: nothing swallowed, nothing left, how long.
cancel: $(READY)
	cd tests && ../$(BIN)/python -m cancel_run --most $(MOST)

# A worker killed every 200 ms for SECONDS: no row is lost, doubled or wrong, and recovery is measured.
chaos: $(READY)
	cd tests && ../$(BIN)/python -m chaos_run --seconds $(SECONDS)

# brim beside its peers; WORKLOADS="w1 w10" ROUNDS=5, or BENCH="--memory 256MiB --cgroup 600MB" for more options.
bench: $(BENCH_READY)
	$(BENCH_VENV)/bin/python -m benchmarks speed $(WORKLOADS) --rounds $(ROUNDS) $(BENCH)

# The figures of docs/reference/benchmarks.md; each target keeps its results in benchmarks/results.
bench-speed: $(BENCH_READY)
	$(BENCH_VENV)/bin/python -m benchmarks speed w1 w2 w3 w4 w5 w5-words w6 w7 w8 w9 w10 --rounds 5 --once ray \
		--json benchmarks/results/speed.json $(BENCH)
	$(BENCH_VENV)/bin/python -m benchmarks speed w12 --rounds 1 --timeout 900 \
		--json benchmarks/results/speed.json $(BENCH)

cgroup: $(BENCH_READY)
	$(BENCH_VENV)/bin/python -m benchmarks survive --json benchmarks/results/survive.json $(BENCH)

# W7, W8, W9 in cgroups of 512 MB and 1 GB beside DuckDB and Polars, Daft without limits; about a quarter of an hour.
materialise: $(BENCH_READY)
	$(BENCH_VENV)/bin/python -m benchmarks materialise --json benchmarks/results/materialise.json $(BENCH)

# By hand: 10 GB sorted and joined within 512 MiB; 30 GB of disk for minutes, 8 GB of data stay in build/bench.
large: $(BENCH_READY)
	$(BENCH_VENV)/bin/python -m benchmarks large --json benchmarks/results/large.json $(BENCH)

sweep: $(BENCH_READY)
	$(BENCH_VENV)/bin/python -m benchmarks sweep --json benchmarks/results/sweep.json $(BENCH)

cost: $(BENCH_READY)
	$(BENCH_VENV)/bin/python -m benchmarks cost --json benchmarks/results/cost.json $(BENCH)

transport: $(BENCH_READY)
	$(BENCH_VENV)/bin/python -m benchmarks transport --json benchmarks/results/transport.json $(BENCH)

bench-page: $(BENCH_READY)
	$(BENCH_VENV)/bin/python -m benchmarks page

bench-all: cgroup materialise bench-speed transport sweep cost bench-page

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
