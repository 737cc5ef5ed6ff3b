"""Event tap: keeps the last few hundred events, and lets any number of readers follow them, each at his own pace.

    engine ── tell ──► │ 41 │ 42 │ 43 │ … │ 440 │       the oldest falls out when another comes
                              ▲            ▲
                           a slow       a quick reader: each remembers the number of the last event he saw

Nothing is kept for a reader, so one that is slow, or gone without a word, costs nothing and waits for nothing: he
misses the oldest events, and is told how many.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from brim.pipeline.dashboard.run_book import RunBook
from brim.pipeline.metrics.totals import Totals

KEPT = 400
SHOWN_ANYWAY = ("run.summary",)  # would push out the rest, and says what every look at the engine does
TEXT_MAX, ITEMS_MAX = 1000, 50


@dataclass(frozen=True, slots=True)
class Told:
    """One event: its number, from 1 on, when it was told in seconds since the epoch, and what it says."""

    number: int
    at: float
    event: str
    fields: Mapping[str, Any]


@dataclass(eq=False, slots=True)
class EventTap:
    """The last `kept` events of an engine, and what they say of its runs.

    `tell` may be called on the engine's loop only; it never waits. An instance can be given as ``on_event``, too.
    """

    kept: int = KEPT
    now: Callable[[], float] = time.time
    last: int = 0
    book: RunBook = field(default_factory=RunBook)
    totals: Totals = field(default_factory=Totals)
    _events: deque[Told] = field(init=False)

    def __post_init__(self) -> None:
        self._events = deque(maxlen=self.kept)

    def tell(self, event: str, fields: Mapping[str, Any]) -> None:
        """Keep an event; long texts and lists are cut."""
        if event in SHOWN_ANYWAY:
            return
        self.totals.on_event({"event": event, **fields})
        self.last += 1
        at = self.now()
        self.book.note(at, event, fields)
        self._events.append(Told(self.last, at, event, {name: _cut(value) for name, value in fields.items()}))

    def __call__(self, event: Mapping[str, Any]) -> None:
        """As `tell`, for an event in one dictionary."""
        self.tell(str(event["event"]), {name: value for name, value in event.items() if name != "event"})

    def since(self, number: int) -> tuple[list[Told], int]:
        """The events after the one of that `number`, and how many of them are not kept any more."""
        if number > self.last:  # of another engine, before a restart
            number = 0
        first = self.last - len(self._events) + 1
        missed = max(0, first - number - 1)
        return list(islice(self._events, max(0, number - first + 1), None)), missed


def _cut(value: Any) -> Any:
    """`value` in at most some hundred characters or some dozen items."""
    if isinstance(value, str):
        return value if len(value) <= TEXT_MAX else value[:TEXT_MAX] + "…"
    if isinstance(value, list | tuple):
        items = [_cut(item) for item in value[:ITEMS_MAX]]
        return [*items, "…"] if len(value) > ITEMS_MAX else items
    return value if isinstance(value, int | float | None) else _cut(str(value))
