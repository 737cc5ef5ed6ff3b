"""Run book: what the events say of runs: those under way, and how those of the last minutes ended."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

KEPT_S, KEPT = 600.0, 100

_COUNTS = {
    "download.retry": ("retries", "count"),
    "row.error": ("failed_rows", "rows"),
    "spill.write": ("spilled_bytes", "bytes"),
    "spill.read": ("read_bytes", "bytes"),
}
"""Which field of an event adds to which count of its operator."""


@dataclass(eq=False, slots=True)
class RunPage:
    """One run, as its events tell.

    Attributes:
        id: as in the events.
        began: seconds since the epoch.
        stages: the ids of its stages, sources first.
        counts: by operator, then by name: retries, failed rows, bytes spilled and read back.
        ended: seconds since the epoch; None while it goes on.
        outcome: ``"ok"`` or the name of the error.
        rows: that left the last stage, which are files for a sink.
    """

    id: str
    began: float
    stages: tuple[str, ...]
    counts: dict[str, Counter[str]] = field(default_factory=dict)
    ended: float | None = None
    outcome: str = ""
    rows: int = 0

    def total(self, name: str) -> int:
        """The count called `name` over all operators."""
        return sum(counts[name] for counts in self.counts.values())


@dataclass(eq=False, slots=True)
class RunBook:
    """All runs that were told of and are not forgotten yet; what has ended is kept for ten minutes."""

    live: dict[str, RunPage] = field(default_factory=dict)
    finished: deque[RunPage] = field(default_factory=lambda: deque(maxlen=KEPT))
    restarts: Counter[str] = field(default_factory=Counter)

    def note(self, at: float, event: str, fields: Mapping[str, Any]) -> None:
        """Take in an event of the moment `at`."""
        run_id = str(fields.get("run_id", ""))
        if event == "run.start":
            self.live[run_id] = RunPage(run_id, at, tuple(map(str, fields.get("stages", ()))))
        elif event == "run.stop":
            self._end(run_id, at, fields)
        elif event == "worker.restart":
            self.restarts[str(fields.get("function", ""))] += int(fields.get("count", 1))
        elif event in _COUNTS and (page := self.live.get(run_id)) is not None:
            name, amount = _COUNTS[event]
            page.counts.setdefault(str(fields.get("operator_id", "")), Counter())[name] += int(fields.get(amount, 1))

    def forget(self, now: float) -> None:
        """Drop what has ended long ago."""
        while self.finished and now - (self.finished[0].ended or now) > KEPT_S:
            self.finished.popleft()

    def _end(self, run_id: str, at: float, fields: Mapping[str, Any]) -> None:
        page = self.live.pop(run_id, None)
        if page is not None:
            page.ended, page.outcome, page.rows = at, str(fields.get("outcome", "")), int(fields.get("rows", 0))
            self.finished.append(page)
