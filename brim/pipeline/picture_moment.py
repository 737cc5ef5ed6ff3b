"""Moment: what a picture is drawn of. Data, and what follows from it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from brim.pipeline.bottleneck import Bottleneck, slowest
from brim.pipeline.snapshot import RunSnapshot, StageSnapshot

ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Moment:
    """What is drawn.

    Attributes:
        now: how the run stands.
        before: how it stood some seconds ago; `now` itself when there is nothing earlier.
        growth: bytes by which the process tree has grown.
        memory: bytes by which it may.
        stopped: whether the run was ended before its end.
        failed: the id of the operator that failed.
        bottleneck: what those that wait waited for most: of late, or of the whole run once it has ended.
    """

    now: RunSnapshot
    before: RunSnapshot
    growth: int
    memory: int
    stopped: bool = False
    failed: str | None = None
    bottleneck: Bottleneck | None = None


def rows_of(stage: StageSnapshot) -> int:
    """A sink's own rows are files: what it took says more."""
    return stage.rows_in if stage.writes else stage.rows_out


def bytes_of(stage: StageSnapshot) -> int:
    """Those it sent; of a sink, those it took."""
    return stage.bytes_in if stage.writes else stage.bytes_out


def lately(past: Collection[RunSnapshot]) -> Bottleneck | None:
    """The bottleneck of most looks at a run, by its part of the waiting in all of those in which somebody waited."""
    seen = [look.bottleneck for look in past if look.bottleneck is not None]
    shares = dict.fromkeys(((one.operator, one.resource) for one in seen), 0.0)
    for one in seen:
        shares[one.operator, one.resource] += one.share
    found = slowest(shares)
    if found is None:
        return None
    operator, resource, _ = found
    whole = sum(share for (one, _), share in shares.items() if one == operator)
    return Bottleneck(operator, resource, whole / len(seen))
