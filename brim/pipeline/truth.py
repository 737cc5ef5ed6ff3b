"""Truth: looks at what the process tree really holds, and lets the ledger follow.

    growth ──► drift (beyond what is accounted for)    the pool is smaller by it
           └─► pressure (percent of the memory)        from 85: nothing more is lent ahead
                                                       from 90: allocators give pages back
                                                       from 95: half of the workers, and none that holds more than
                                                                it was lent; far more, from 88

Ten times a second, fifty times from 85 % on. Whatever it finds, floors remain, so no run is stopped for good.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

import anyio
from anyio.abc import TaskGroup

from brim.operators.protocol import Clock
from brim.pipeline.allot import pad_bytes
from brim.pipeline.drift import Drift
from brim.pipeline.ledger import Ledger
from brim.pipeline.pressure import Level, Pressure
from brim.pipeline.tree_looks import Alarm, TreeBytes
from brim.sizes import MIB

LOOK_S, LOOK_UNDER_PRESSURE_S = 0.1, 0.02
GIVE_BACK_S = 0.5  # between two calls, because giving back costs the page faults of taking again
HALVE_S = 1.0  # what a worker holds is gone only when its call has ended
RESTORE_S = 10.0  # a worker that ends and starts again costs more than one that is missing
ALARM_PERCENT = 88
WORKERS_PERCENT = 80  # what calls may fill: what a process leaves behind is seen a moment late
ALONE_PERCENT = 90  # what one may that is alone
WORTH_ENDING = 8 * MIB  # beyond what was lent: estimates are not exact
FAR_MORE = 4  # a part of the memory in so many
TELL_S = 1.0
WORTH_TELLING = 32  # a change of the drift by a part of the memory in so many


class Looks(Protocol):
    """How the tree is looked at."""

    def peek(self) -> int:
        """What it holds, at once."""

    async def look(self, seconds: float = 0.0, alarm: Alarm | None = None) -> TreeBytes:
        """What it holds at the end of so many seconds, and the most in between."""

    def soon(self) -> None:
        """Let the look that is under way end now."""


class Actions(Protocol):
    """What is done about it."""

    async def give_back(self) -> None:
        """Let allocators return free pages."""

    def halve_workers(self) -> None: ...

    def end_hungriest(self, least_bytes: int, *, gone: bool) -> None:
        """End the worker that holds most beyond what it was lent, if that is as much as `least_bytes`.

        What the kernel allows it counts as lent where memory is not `gone`.
        """

    def restore_workers(self) -> None: ...

    def held_workers(self) -> AbstractContextManager[None]:
        """Let no worker go on computing during the block. From any thread."""


@dataclass(eq=False, slots=True)
class Truth:
    """The growth of the tree since the engine was opened, and what follows from it.

    Attributes:
        memory: bytes by which the tree may grow.
        start: what it held when the engine was opened.
        looks: at the tree.
        busy: whether runs are under way; only then are short peaks looked for.
        kept: bytes of results the caller holds; they are the caller's, and subtracted.
        tell: told of `memory.drift` and `memory.shrink`.
        on_look: told, at every look, by how much the tree had grown, and the most since the look before.
    """

    memory: int
    start: int
    ledger: Ledger
    clock: Clock
    looks: Looks
    busy: Callable[[], bool]
    actions: Actions
    kept: Callable[[], int]
    tell: Callable[[str, dict[str, Any]], None]
    on_look: Callable[[int, int], None]
    growth: int = 0
    peak: int = 0
    _taken: anyio.Event = field(default_factory=anyio.Event)
    _drift: Drift = field(default_factory=Drift)
    _pressure: Pressure = field(init=False)
    _told_level: Level = Level.CALM
    _told_level_at: float = float("-inf")
    _told_cut: int = 0
    _told_at: float = float("-inf")
    _gave_back_at: float = float("-inf")
    _halved_at: float = float("-inf")
    _giving_back: bool = False

    def __post_init__(self) -> None:
        self._pressure = Pressure(self.memory)

    async def watch(self) -> None:
        """Look, and act, for ever."""
        async with anyio.create_task_group() as tasks:
            while True:
                seconds = LOOK_S if self._pressure.level is Level.CALM else LOOK_UNDER_PRESSURE_S
                self._take(await self.looks.look(seconds, self._alarm() if self.busy() else None))
                self._taken.set()
                self._taken = anyio.Event()
                self._act(tasks)

    def free_bytes(self, alone: bool) -> int:
        """By how much workers may still grow, or one that computes `alone`."""
        percent = ALONE_PERCENT if alone else WORKERS_PERCENT
        return self.start + self.kept() + self.memory * percent // 100 - self.looks.peek()

    def _alarm(self) -> Alarm:
        """What is told at once, and not at the next look: a worker may take all memory meanwhile."""
        start = self.start + self.kept()
        alarmed = lambda tree: self._alarmed(tree - start)  # noqa: E731
        return Alarm(start + self.memory * ALARM_PERCENT // 100, alarmed, self.actions.held_workers)

    def _alarmed(self, growth: int) -> None:
        """End a worker that holds far more than it may, or more than it was lent where memory is nearly gone."""
        gone = growth * 100 >= self.memory * Level.FEWER_WORKERS
        self.actions.end_hungriest(WORTH_ENDING if gone else max(WORTH_ENDING, self.memory // FAR_MORE), gone=gone)

    async def look_now(self) -> None:
        """Follow what the tree holds now."""
        self.looks.soon()
        await self._taken.wait()

    def _take(self, seen: TreeBytes) -> None:
        kept, now = self.kept(), self.clock.now()
        self.growth, peak = seen.now - self.start - kept, seen.peak - self.start - kept
        self.peak = max(self.peak, peak)
        self.on_look(self.growth, peak)
        cut = self._drift.look(now, self.growth, self.ledger.used + pad_bytes(self.memory))
        level = self._pressure.look(self.growth)
        self.ledger.adjust(cut=cut, ahead_paused=level >= Level.PAUSE_SOURCES)
        self._tell_level(now, level)
        self._tell_drift(now)

    def _tell_level(self, now: float, level: Level) -> None:
        """Tell of a level that was reached, once a second at most: allocators make a tree flap about a threshold."""
        if level > self._told_level and now - self._told_level_at >= TELL_S:
            self._told_level_at = now
            self.tell("memory.shrink", self._fields(level=int(level)))
        elif level >= self._told_level:
            return
        self._told_level = level

    def _tell_drift(self, now: float) -> None:
        """Tell of a drift that changed by much, once a second at most."""
        if abs(self.ledger.cut - self._told_cut) * WORTH_TELLING > self.memory and now - self._told_at >= TELL_S:
            self._told_cut, self._told_at = self.ledger.cut, now
            self.tell("memory.drift", self._fields(drift=self.ledger.cut))

    def _fields(self, **fields: int) -> dict[str, Any]:
        ledger = self.ledger
        return {
            "run_id": "",
            "operator": "",
            "operator_id": "",
            **fields,
            "growth": self.growth,
            "memory": self.memory,
            "ledger_used": ledger.used,
            "ledger_limit": ledger.limit - ledger.cut,
        }

    def _act(self, tasks: TaskGroup) -> None:
        level, now = self._pressure.level, self.clock.now()
        if level >= Level.GIVE_BACK and now - self._gave_back_at >= GIVE_BACK_S and not self._giving_back:
            self._gave_back_at, self._giving_back = now, True
            self.ledger.ask_back()
            tasks.start_soon(self._give_back)
        if level >= Level.FEWER_WORKERS and now - self._halved_at >= HALVE_S:
            self._halved_at = now
            self.actions.halve_workers()
        elif level is Level.CALM and now - self._halved_at >= RESTORE_S:
            self.actions.restore_workers()

    async def _give_back(self) -> None:
        """Takes milliseconds, in which a worker may take all memory: the tree is looked at meanwhile."""
        try:
            await self.actions.give_back()
        finally:
            self._giving_back = False
