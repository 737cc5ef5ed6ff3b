"""Summaries: a line a second of how a run stands: memory, rows, rates, and what was waited for. Decides only.

It is told who waited for what since last time, and says once a second what that comes to.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from brim.events import Resource
from brim.pipeline.bottleneck import slowest
from brim.pipeline.chain import Chain
from brim.pipeline.gathering import Told
from brim.pipeline.nodes import Write
from brim.pipeline.run import Run

EVERY_S = 1.0
SUMMARY = "run.summary"


@dataclass(eq=False, slots=True)
class Summaries:
    """Of one run, from look to look."""

    _told_at: float | None = None
    _rows: int = 0
    _bytes: int = 0
    _causes: Counter[tuple[str, Resource]] = field(default_factory=Counter)

    def look(self, now: float, run: Run, chains: Iterable[Chain], elapsed_s: float, growth: int | None) -> list[Told]:
        """What is to be told at `now`; `chains` are those of all that waited for the `elapsed_s` before."""
        if self._told_at is None:
            self._told_at = now
        for chain in chains:
            self._causes[chain.root, chain.reason] += elapsed_s  # type: ignore[assignment]  # seconds, not a count
        if now - self._told_at < EVERY_S:
            return []
        return [(SUMMARY, "", self._fields(now, run, growth))]

    def _fields(self, now: float, run: Run, growth: int | None) -> dict[str, Any]:
        assert self._told_at is not None
        seconds, self._told_at = now - self._told_at, now
        (rows, size), began = _done(run), run.consumer.clock.started
        operator, resource, share = slowest(self._causes) or (None, None, 0.0)
        fields = {
            "seconds": round(now - (now if began is None else began), 3),
            "rows": rows,
            "rows_per_s": round((rows - self._rows) / seconds),
            "bytes_per_s": round((size - self._bytes) / seconds),
            "queue_bytes": sum(queue.held_bytes for queue in run.queues),
            "growth": growth,
            "bottleneck": operator,
            "bottleneck_resource": None if resource is None else str(resource),
            "bottleneck_share": round(share, 3),
        }
        self._rows, self._bytes = rows, size
        self._causes.clear()
        return fields


def _done(run: Run) -> tuple[int, int]:
    """Rows and bytes that have left the last stage; those that it has taken where it is a sink."""
    last = run.plan.stages[-1]
    if isinstance(run.plan.planned, Write):
        read = [run.queues[index].statistics() for index in last.inputs]
        return sum(facts.taken_rows for facts in read), sum(facts.taken_bytes for facts in read)
    sent = run.output.statistics()
    return sent.rows, sent.bytes
