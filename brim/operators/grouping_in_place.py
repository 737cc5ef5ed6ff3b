"""Grouping in place: groups by place as long as there is memory for them, and all the other rows by the exchange.

Whoever needs the memory gets it: what was added up becomes states like others, which the exchange writes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import anyio
import pyarrow as pa

from brim.operators.beside import beside
from brim.operators.groups.group_batch import GroupBatch
from brim.operators.groups.in_place_groups import Arrived, InPlaceGroups
from brim.operators.protocol import Holding, Stage

Add = Callable[[pa.RecordBatch], Awaitable[None]]


@asynccontextmanager
async def open_in_place(group: GroupBatch, stage: Stage, add: Add) -> AsyncIterator[InPlace]:
    """Groups in place, whose states go to `add` when others need their memory."""
    in_place = InPlace(stage, add, stage.memory.holding(), InPlaceGroups.of(group))
    try:
        async with beside(in_place.give_back_when_asked):
            yield in_place
    finally:
        in_place.holding.let_go()


@dataclass(eq=False, slots=True)
class InPlace:
    """See `open_in_place`."""

    stage: Stage
    add: Add
    holding: Holding
    _groups: InPlaceGroups | None
    _turn: anyio.Lock = field(default_factory=anyio.Lock)

    async def take(self, batch: pa.RecordBatch) -> bool:
        """Take the rows of `batch`, if their keys have places or get them; say whether."""
        if self._groups is None:
            return False
        async with self._turn:
            if self._groups is None:
                return False
            arrived, done = await self.stage.threads.run(_take, self._groups, batch, self.holding.size)
            if arrived.room is None or done:
                return done
            more = max(0, arrived.needs - self.holding.size)
            if self.holding.grow(more) and await self.stage.threads.run(self._groups.add, arrived):
                return True
            await self._give_back()
            return False

    async def pop(self) -> pa.RecordBatch | None:
        """The states of some groups, all of whose rows were taken; None when there are no more."""
        async with self._turn:
            groups = self._groups
            return None if groups is None else await self.stage.threads.run(groups.pop, self.stage.batch_bytes)

    async def give_back(self) -> None:
        """Let `add` have all that is here; from then on nothing is taken."""
        async with self._turn:
            await self._give_back()

    async def give_back_when_asked(self) -> None:
        """For ever: do so when others need the memory."""
        while True:
            await self.holding.asked()
            await self.give_back()

    async def _give_back(self) -> None:
        groups, self._groups = self._groups, None
        while groups is not None:
            states = await self.stage.threads.run(groups.pop, self.stage.batch_bytes)
            if states is None:
                break
            await self.add(states)
            del states
        del groups
        self.holding.let_go()


def _take(groups: InPlaceGroups, batch: pa.RecordBatch, held: int) -> tuple[Arrived, bool]:
    """Add the rows of `batch` if no more is needed than is `held`; say whether they were. Blocking."""
    arrived = groups.arrived(batch)
    return arrived, arrived.room is not None and arrived.needs <= held and groups.add(arrived)
