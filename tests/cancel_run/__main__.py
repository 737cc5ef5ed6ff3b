"""Cancel runs at every await: `python -m cancel_run --most 200` (in `tests/`, or `make cancel MOST=200`).

Prints a line a case: awaits of the whole run, what became of those cancelled, and milliseconds from the cancellation to
the end of the task. `--operators join sort` takes the cases with one of the words in their name.
"""

# ruff: noqa: T201 - it prints what it finds

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence

from . import operators, sinks, sources, user_functions
from .figures import Figures
from .trial import try_case
from .world import worlds

CASES = (*operators.CASES, *sources.CASES, *sinks.CASES, *user_functions.CASES)
KINDS = tuple(dict.fromkeys(case.kind for case in CASES))
WAYS = ("once", "twice")


def quantile(values: Sequence[float], share: float) -> float:
    """The value that `share` of the values do not exceed."""
    return sorted(values)[max(0, -int(-share * len(values) // 1) - 1)]


def times(seconds: Sequence[float]) -> str:
    """p50, p99 and the most, in milliseconds."""
    if not seconds:
        return "-"
    return " / ".join(
        f"{1000 * value:.1f}" for value in (quantile(seconds, 0.5), quantile(seconds, 0.99), max(seconds))
    )


def line(figures: Figures) -> str:
    """One case."""
    said = [
        f"{figures.case.name:36} awaits {figures.awaits:5}  runs {figures.runs:4}  cancelled {figures.cancelled:4}",
        f"twice {figures.twice:4}  whole {figures.whole:4}  ms {times(figures.stops)}",
    ]
    if figures.stops_in_c:
        said.append(f"in C {len(figures.stops_in_c)}: {times(figures.stops_in_c)}")
    return "  ".join([*said, *(f"\n  BROKEN {broken}" for broken in figures.broken)])


def summary(done: Sequence[Figures]) -> str:
    """All cases of a kind together."""
    lines = []
    for kind in dict.fromkeys(figures.case.kind for figures in done):
        stops = [took for figures in done if figures.case.kind == kind for took in figures.stops]
        lines.append(f"{kind:12} {len(stops):6} cancelled  p50 / p99 / max ms: {times(stops)}")
    inside = [took for figures in done for took in figures.stops_in_c]
    lines.append(f"{'inside C':12} {len(inside):6} cancelled  p50 / p99 / max ms: {times(inside)}")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--most", type=int, default=200, help="cancel at every await up to this one")
    parser.add_argument("--spread", type=int, default=40, help="and at so many of those after it")
    parser.add_argument("--operators", nargs="*", default=[""], help="words that names of cases have; all by default")
    parser.add_argument("--kinds", nargs="*", default=KINDS, choices=KINDS)
    parser.add_argument("--ways", nargs="*", default=WAYS, choices=WAYS)
    wanted = parser.parse_args()
    started, done = time.monotonic(), list[Figures]()
    with worlds() as world:
        for case in CASES:
            if case.kind in wanted.kinds and any(word in case.name for word in wanted.operators):
                done.append(try_case(case, world, most=wanted.most, spread=wanted.spread, ways=wanted.ways))
                print(line(done[-1]), flush=True)
    print(f"\n{sum(figures.runs for figures in done):,} runs, {time.monotonic() - started:.0f} s")
    print(summary(done))
    return 1 if any(figures.broken for figures in done) or not done else 0


if __name__ == "__main__":
    sys.exit(main())
