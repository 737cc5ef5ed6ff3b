"""How often an engine is looked at, on virtual time."""

from __future__ import annotations

import anyio
import orjson
from snapshots import engine, run, stage
from virtual_loop import run_virtual

from brim.pipeline.dashboard.event_tap import EventTap
from brim.pipeline.dashboard.sampler import ALONE_S, GLANCE_S, WATCHED_S, Sampler
from brim.pipeline.report import Bottleneck


class Engine:
    """One run, that waits for what `resource` says at each time. `looks` are the times at which it was asked."""

    def __init__(self, resource=lambda now: "cpu"):
        self.resource, self.looks = resource, []

    def stats(self):
        now = anyio.current_time()
        self.looks.append(now)
        found = Bottleneck("sort-2", self.resource(now), 1.0)
        return engine(run(stage(), run_id="run-1", seconds=now, bottleneck=found))


def _looks(sampler, looks):
    """Watch for so many looks; what each said."""

    async def main():
        sampler.start()
        said = []
        with sampler.watching():
            for _ in range(looks):
                await sampler.next()
                said.append(orjson.loads(sampler.latest)["runs"][0]["bottleneck"]["resource"])
        sampler.end()
        return said

    return run_virtual(main)


def test_what_is_waited_for_between_looks_is_named():
    """A look always meets the processor, which takes a tenth of the time."""
    seen = Engine(lambda now: "cpu" if now % WATCHED_S < WATCHED_S / 10 else "disk")
    assert set(_looks(Sampler(seen, EventTap()), 40)[1:]) == {"disk"}


def test_between_looks_are_glances():
    seen = Engine()
    _looks(Sampler(seen, EventTap()), 4)
    apart = [after - before for before, after in zip(seen.looks[1:], seen.looks[2:], strict=False)]
    assert min(apart) >= GLANCE_S - 1e-9
    assert max(apart) < 2 * GLANCE_S
    assert seen.looks[-1] == 4 * WATCHED_S


def test_nobody_watches():
    async def main():
        sampler.start()
        for _ in range(3):
            await sampler.next()
        sampler.end()

    seen = Engine()
    sampler = Sampler(seen, EventTap())
    run_virtual(main)
    assert seen.looks == [0, ALONE_S, 2 * ALONE_S, 3 * ALONE_S]
    assert sampler.latest is None
