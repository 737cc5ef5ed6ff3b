"""Run many trees: `python -m laws --trees 10000`; one and its picture: `python -m laws --seed 7` (in `tests/`)."""

# ruff: noqa: T201 - it prints what it does

from __future__ import annotations

import argparse
import sys
import time
import traceback
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field

from .draw import draw
from .trial import check_monotone, check_repeated, judge

CHUNK = 250


@dataclass
class Tally:
    """How many trees were run, what became of them, and which broke a law."""

    trees: int = 0
    runs: int = 0
    ends: dict[str, int] = field(default_factory=dict)
    broken: list[int] = field(default_factory=list)
    changes: int = 0
    passes: int = 0
    deaths: int = 0

    def add(self, other: Tally) -> None:
        self.trees += other.trees
        self.runs += other.runs
        self.changes += other.changes
        self.passes += other.passes
        self.deaths += other.deaths
        self.broken += other.broken
        for end, count in other.ends.items():
            self.ends[end] = self.ends.get(end, 0) + count


def check_seed(seed: int, tally: Tally, *, mortal: bool = True) -> None:
    """Every law for one seed; a few are run again, as they were and with more memory."""
    case = draw(seed, mortal=mortal)
    outcome = judge(case)
    end = "cancelled" if outcome.cancelled else "whole"
    if outcome.error is not None:
        end = type(outcome.error.__cause__ or outcome.error).__name__
    tally.trees += 1
    tally.runs += 1
    tally.changes += outcome.ledger.changes
    tally.passes += outcome.passes
    tally.deaths += outcome.workers.deaths
    tally.ends[end] = tally.ends.get(end, 0) + 1
    if seed % 16 == 1:
        check_repeated(case, outcome)
        tally.runs += 1
    if seed % 16 == 2 and case.cancel_at is None:
        check_monotone(case, outcome)
        tally.runs += 3


def check_seeds(first: int, count: int) -> Tally:
    """The laws for `count` seeds from `first`; what breaks one is shown with the command that repeats it."""
    tally = Tally()
    for seed in range(first, first + count):
        try:
            check_seed(seed, tally)
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            tally.broken.append(seed)
            last = traceback.format_exception_only(_leaf(error))[-1].strip()[:600]
            print(f"seed {seed} breaks a law: {last}\n  again: cd tests; python -m laws --seed {seed}", flush=True)
    return tally


def _leaf(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trees", type=int, default=1_000)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--seed", type=int, help="this one only, shown")
    parser.add_argument("--immortal", action="store_true", help="drawn as before workers died by more than one call")
    wanted = parser.parse_args()
    if wanted.seed is not None:
        print(draw(wanted.seed, mortal=not wanted.immortal))
        check_seed(wanted.seed, tally := Tally(), mortal=not wanted.immortal)
        print(tally)
        return 0
    started, tally = time.monotonic(), Tally()
    starts = range(wanted.first, wanted.first + wanted.trees, CHUNK)
    with ProcessPoolExecutor(wanted.processes) as processes:
        left = [processes.submit(check_seeds, at, min(CHUNK, starts.stop - at)) for at in starts]
        for number, done in enumerate(as_completed(left), 1):
            tally.add(done.result())
            if number % 20 == 0 or number == len(left):
                took = time.monotonic() - started
                print(f"{tally.trees:,} trees, {took:.0f} s, {len(tally.broken)} broken; {tally.ends}", flush=True)
    print(f"{tally.runs:,} runs, {tally.passes:,} passes, {tally.changes:,} changes of a ledger, each checked")
    print(f"{tally.deaths:,} workers died")
    print(f"{1000 * (time.monotonic() - started) / tally.trees:.1f} ms a tree in {wanted.processes} processes")
    return 1 if tally.broken else 0


if __name__ == "__main__":
    sys.exit(main())
