"""Places: where the runs of a case are cancelled."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

SECOND_WITHIN = 12
BEYOND = 5
"""Awaits are counted to a few more than a whole run has, so that some runs end by themselves."""


@dataclass(frozen=True)
class Place:
    """Where a run is cancelled: before its `at`-th await, and again so many awaits later; 0 is not."""

    at: int
    again: int = 0


def places(
    name: str, awaits: int, *, most: int, spread: int, ways: Sequence[str], few: int | None = None
) -> Iterator[Place]:
    """Every await up to `most`, and `spread` of those after, of a run that has `awaits`; for each of the `ways`.

    With `few` so many of all these, drawn by `name`.
    """
    last = awaits + BEYOND
    rest = range(most + 1, last + 1)
    later = [rest[len(rest) * i // spread] for i in range(min(spread, len(rest)))]
    ats = [*range(1, min(most, last) + 1), *later]
    if few is not None:
        ats = sorted(Random(name).sample(ats, min(few, len(ats))))
    for way in ways:
        for at in ats:
            yield Place(at, Random(f"{name} {at}").randint(1, SECOND_WITHIN) if way == "twice" else 0)
