"""Run many plans: `python -m plans --plans 20000`; one, shown: `python -m plans --seed 7` (in `tests/`)."""

# ruff: noqa: T201 - it prints what it does

from __future__ import annotations

import argparse
import sys
import time
import traceback
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb

from .draw import draw
from .faults import check_faults
from .monotone import check_monotone
from .trial import Tally, check_seed

CHUNK = 100


def connect() -> duckdb.DuckDBPyConnection:
    """DuckDB, as little of it as there is."""
    return duckdb.connect(config={"threads": 1})


def check_seeds(first: int, count: int, how: str = "plain") -> Tally:
    """The plans of `count` seeds from `first`; what goes wrong is shown with the command that repeats it."""
    tally, con = Tally(), connect()
    for seed in range(first, first + count):
        try:
            check_one(seed, con, tally, how)
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            tally.broken.append(seed)
            again = f"python -m plans --seed {seed}" + ("" if how == "plain" else f" --{how}")
            print(f"seed {seed}: {_last(error)}\n  again: cd tests; {again}", flush=True)
    return tally


def check_one(seed: int, con: duckdb.DuckDBPyConnection, tally: Tally, how: str) -> None:
    """The plan of `seed` as it is, with faults, or at twelve budgets."""
    if how == "plain":
        check_seed(seed, con, tally)
        return
    tally.plans += 1
    ends = check_faults(seed, con) if how == "faults" else check_monotone(seed, con)
    tally.ends.update(ends)
    tally.runs += len(ends)


def _last(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return traceback.format_exception_only(error)[-1].strip()[:900]


def show(seed: int) -> None:
    """The plan of `seed`, in words."""
    with TemporaryDirectory() as folder:
        relation = draw(seed, connect(), Path(folder))
        print("\n".join(relation.said))
        print(f"ordered: {relation.ordered}, by {[key.name for key in relation.keys]}, any {relation.most}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plans", type=int, default=300)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--seed", type=int, help="this one only, shown")
    parser.add_argument(
        "--faults", action="store_const", dest="how", const="faults", default="plain", help="fail, cancel"
    )
    parser.add_argument("--monotone", action="store_const", dest="how", const="monotone", help="at twelve budgets each")
    wanted = parser.parse_args()
    if wanted.seed is not None:
        show(wanted.seed)
        check_one(wanted.seed, connect(), tally := Tally(), wanted.how)
        print(tally)
        return 0
    started, tally = time.monotonic(), Tally()
    starts = range(wanted.first, wanted.first + wanted.plans, CHUNK)
    with ProcessPoolExecutor(wanted.processes) as processes:
        left = [processes.submit(check_seeds, at, min(CHUNK, starts.stop - at), wanted.how) for at in starts]
        for done in as_completed(left):
            tally.add(done.result())
            print(f"{tally.plans:,} plans, {time.monotonic() - started:.0f} s, {len(tally.broken)} broken", flush=True)
    took, spilled = time.monotonic() - started, f"{tally.plans_spilled:,} of them spilled {tally.spilled:,} bytes"
    print(f"{tally.runs:,} runs of {tally.plans:,} plans; {spilled}; {tally.too_large:,} ended in RowTooLarge")
    print(f"steps: {dict(tally.steps.most_common())}; ends: {dict(tally.ends.most_common())}")
    print(
        f"{1000 * took / max(1, tally.plans):.0f} ms a plan in {wanted.processes} processes; broken: {sorted(tally.broken)}"
    )
    return 1 if tally.broken else 0


if __name__ == "__main__":
    sys.exit(main())
