"""Laws: what holds of every run, checked over trees of stages drawn by seed, on virtual time.

    seed ──► draw.py: a case (tree, budget, faults) and the rows it must make ──► trial.py: run and judge it
             streams.py  parts.py  outside.py                                     watched.py: the ledger, at every step

`python -m laws --trees 10000` (in `tests/`, or `make laws`) runs many; `python -m laws --seed 7` one, and shows it.
"""
