"""Trial: one case, run whole, then cancelled at each of many awaits, once or twice; what must hold is checked each time."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any

import anyio
from plans.trial import least_memory

import brim

from .case import Case
from .figures import Figures, Stop
from .functions import INSIDE
from .left import check_idle, check_nothing_left, look, nobody_told
from .places import Place, places
from .step_loop import StepLoop
from .world import World

LIMIT_S = 30.0
LOOKS, LOOK_S = 10, 0.01
"""A run whose calls never return comes to no further await, so it is cancelled some looks after a worker is inside."""


@dataclass
class Trial:
    """The runs of `case` on one loop."""

    case: Case
    world: World
    loop: StepLoop
    figures: Figures
    memory: int = 0
    none: int = 0
    wrote: int = 0

    async def main(self, most: int, **wanted: Any) -> None:
        """Run it whole, then cancelled at each of its `places`."""
        with nobody_told(self.loop) as told:
            self._prepare()
            await self._whole()
            gc.collect()
            gc.freeze()
            before = look(self.world.spill)
            awaits = most if self.case.endless else self.figures.awaits
            left = places(self.case.name, awaits, most=most, **wanted)
            while some := [*islice(left, self.case.runs_an_engine)]:
                await self._with_engine(some)
                await check_nothing_left(before, self.world.spill)
                assert not told, f"nobody was told: {told}"

    def _prepare(self) -> None:
        """Import and start what the case needs, and find out what memory that is the least for it."""
        self._renew()
        pipeline = self.case.make(self.world)
        self.memory = self.case.memory or least_memory(pipeline, self.case.batch_bytes)

    async def _whole(self) -> None:
        """The first run loads what it loads; the second is the measure."""
        if self.case.endless:
            return
        for _ in range(2):
            self._renew()
            self.none = self._written()
            async with self._opened() as engine:
                batches = self._stream(engine)
                self.loop.count_anew()
                self.figures.rows = await read(batches)
                self.figures.awaits = self.loop.steps
                self.figures.spilled = batches.report.spilled_bytes
            self.wrote = self._written()
        assert self.figures.rows, "the case makes no rows"
        assert not self.case.spills or self.figures.spilled, "the case does not spill"
        assert self.case.target is None or self.wrote != self.none, "the case writes nothing"

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[brim.Engine | None]:
        """An engine; none where each run has its own."""
        if self.case.owned:
            yield None
            return
        async with brim.Engine(max_runs=1, **self._settings()) as engine:
            yield engine

    def _settings(self) -> dict[str, Any]:
        return {
            "memory": self.memory,
            "batch_bytes": self.case.batch_bytes,
            "spill_dir": self.world.spill,
            "threads": 2,
            "processes": 2,
            "storage": {self.world.s3.root[:5]: self.world.s3.storage} if self.case.stores else None,
        }

    async def _with_engine(self, some: Sequence[Place]) -> None:
        async with self._opened() as engine:
            for place in some:
                await self._one(place, engine)

    def _stream(self, engine: brim.Engine | None) -> Any:
        pipeline = self.case.make(self.world)
        return pipeline.stream(**self._settings()) if engine is None else pipeline.stream(engine=engine)

    async def _one(self, place: Place, engine: brim.Engine | None) -> None:
        self._renew()
        batches = self._stream(engine)
        self.loop.count_anew()
        task = self.loop.create_task(read(batches))
        stop = Stop(task, self.world.out / INSIDE)
        self.loop.before(place.at, stop.cancel)
        if place.again:
            self.loop.before(place.at + place.again, stop.cancel)
        if self.case.endless:
            self._look_inside(stop, place.at % LOOKS, again=place.again > 0)
        _, late = await asyncio.wait([task], timeout=LIMIT_S)
        try:
            assert not late, f"has not ended within {LIMIT_S} s: {task.get_stack()}"
            self._judge(stop, engine)
        except AssertionError as error:
            raise AssertionError(f"cancelled at await {place.at}, again {place.again} later: {error}") from error

    def _look_inside(self, stop: Stop, looks: int, *, again: bool) -> None:
        if stop.sent:
            return
        looks -= stop.inside.exists()
        if looks >= 0:
            self.loop.call_later(LOOK_S, lambda: self._look_inside(stop, looks, again=again))
            return
        stop.cancel()
        if again:
            self.loop.call_soon(stop.cancel)

    def _judge(self, stop: Stop, engine: brim.Engine | None) -> None:
        """The cancellation was not swallowed, and nothing is left of the run."""
        figures, task = self.figures, stop.task
        figures.runs += 1
        if stop.sent:
            assert task.cancelled(), f"the cancellation was swallowed: {task}"
            figures.cancelled += 1
            figures.twice += stop.sent > 1
            (figures.stops_in_c if stop.in_c else figures.stops).append(stop.took)
        else:
            assert task.result() == figures.rows, f"{task.result()} rows instead of {figures.rows}"
            figures.whole += 1
        if engine is not None:
            check_idle(engine)
        assert not self.world.readers, "an iterator was not closed"
        written = self._written()
        due = {self.none, self.wrote} if stop.sent else {self.wrote}
        assert written in due, f"{written} rows were written, neither none nor all ({self.none}, {self.wrote})"

    def _renew(self) -> None:
        self.world.renew()
        if self.case.target is not None:
            self.case.target.prepare(self.world)

    def _written(self) -> int:
        return 0 if self.case.target is None else self.case.target.rows(self.world)


async def read(batches: Any) -> int:
    """The consumer: how many rows there are."""
    rows = 0
    async with batches:
        async for batch in batches:
            rows += batch.num_rows
    return rows


def try_case(case: Case, world: World, **wanted: Any) -> Figures:
    """Run the trial of `case` on a loop of its own, at the `places` that are wanted; what breaks is in the figures."""
    figures, loops = Figures(case), list[StepLoop]()

    def make_loop() -> StepLoop:
        loops.append(StepLoop())
        return loops[-1]

    async def main() -> None:
        await Trial(case, world, loops[-1], figures).main(**wanted)

    try:
        anyio.run(main, backend_options={"loop_factory": make_loop})
    except Exception as error:
        figures.broken.append(f"{type(error).__name__}: {error}")
    finally:
        gc.unfreeze()
    return figures
