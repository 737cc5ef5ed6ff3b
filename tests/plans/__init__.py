"""Plans: pipelines drawn by seed, run in much and in little memory, and compared with DuckDB.

    seed ──► draw.py: tables, a pipeline over them, and the rows DuckDB makes ──► trial.py: run at several budgets
             kinds.py  tables.py  steps.py  aggregates.py  predicates.py          compare.py: the same rows

`python -m plans --plans 20000` (in `tests/`, or `make plans N=20000`) runs many; `python -m plans --seed 7` one.
"""
