"""Gathering: facts that may come thousands of times a second, made into at most one event a second of each kind.

The first is told at once; those within a second after it are told together, with their number and their sums. Decides
only: it returns what is to be told.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

EVERY_S = 1.0

Told = tuple[str, str, dict[str, Any]]
"""An event's name, the operator's id, and its fields."""


@dataclass(eq=False, slots=True)
class _Kind:
    told_at: float
    count: int = 0
    fields: dict[str, Any] = field(default_factory=dict)
    sums: dict[str, int] = field(default_factory=dict)


@dataclass(eq=False, slots=True)
class Gathering:
    """What was told of each kind of event of each operator, and what is still to be told."""

    _kinds: dict[tuple[str, str], _Kind] = field(default_factory=dict)

    def add(self, now: float, event: str, operator_id: str, sums: dict[str, int], **fields: Any) -> list[Told]:
        """Take a fact whose `sums` add up; what is to be told at once."""
        kind = self._kinds.get((event, operator_id))
        if kind is None:
            self._kinds[event, operator_id] = _Kind(now)
            return [(event, operator_id, {"count": 1, **sums, **fields})]
        kind.count += 1
        kind.fields = fields
        for name, value in sums.items():
            kind.sums[name] = kind.sums.get(name, 0) + value
        return self.due(now)

    def due(self, now: float) -> list[Told]:
        """What has waited for a second."""
        late = [key for key, kind in self._kinds.items() if kind.count and now - kind.told_at >= EVERY_S]
        return [self._tell(key, now) for key in late]

    def rest(self, now: float) -> list[Told]:
        """All that has not been told: the run has ended."""
        return [self._tell(key, now) for key in list(self._kinds) if self._kinds[key].count]

    def _tell(self, key: tuple[str, str], now: float) -> Told:
        kind = self._kinds[key]
        fields = {"count": kind.count, **kind.sums, **kind.fields}
        self._kinds[key] = _Kind(now)
        return (*key, fields)
