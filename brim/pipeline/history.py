"""History: what a run looked like over time, in a bounded number of samples, however long it was.

A sample stands for the time since the one before it; the first, for the time since the start. When there are too many,
neighbours are merged, and from then on a sample takes twice as many looks. Merging keeps what matters: counts and
seconds are totals, so their differences stay exact, and of memory and queues the most is kept, so no peak is lost.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from operator import itemgetter
from typing import Any

from brim.events import Waits
from brim.pipeline.account import Kind
from brim.pipeline.chain import Chain
from brim.pipeline.run import Run
from brim.pipeline.stage_clock import BUSY, StageClock

MOST = 240
"""Samples that are kept at most; even, so that they can be merged two by two."""

TIMES = (BUSY, Waits.INPUT, Waits.ROOM, Waits.MEMORY, Waits.OUTSIDE)
"""The order of the seconds in `Sample.times`."""

_READ = itemgetter(*TIMES)


@dataclass(frozen=True, slots=True)
class Sample:
    """A run at one moment, and the most since the sample before. Tuples have an item a stage, in the report's order.

    Attributes:
        seconds: since the start of the run.
        growth: bytes by which the process tree has grown, the most since the sample before; None until measured.
        limit: bytes that the engine's ledger could give out.
        floors: bytes of it reserved for batches and workers, of all runs.
        ahead: lent for queues and read-ahead.
        work: lent for computing.
        state: held by what sorts, joins and groups.
        oversize: lent from the reserve for large rows, to them or to computing.
        rows: sent so far.
        queue_bytes: in the queue behind each stage.
        queue_batches: so many batches.
        times: seconds so far: busy, and waiting for input, room, memory and the outside.
        doing: ``"busy"``, ``"input"``, ``"room"``, ``"memory"``, ``"ended"``, ``"waiting"`` before it starts, or what
            of the outside it waits for.
        root: the stage at the end of its wait; None where it waits for nobody.
    """

    seconds: float
    growth: int | None
    limit: int
    floors: int
    ahead: int
    work: int
    state: int
    oversize: int
    rows: tuple[int, ...]
    queue_bytes: tuple[int, ...]
    queue_batches: tuple[int, ...]
    times: tuple[tuple[float, ...], ...]
    doing: tuple[str, ...]
    root: tuple[str | None, ...]

    @property
    def used(self) -> int:
        """Bytes of the ledger that are reserved or lent."""
        return self.floors + self.ahead + self.work + self.state + self.oversize

    def to_dict(self) -> dict[str, Any]:
        """The sample as plain values, ready for JSON; times to a tenth of a millisecond."""
        times = tuple(tuple(round(seconds, 4) for seconds in stage) for stage in self.times)
        plain = {field.name: getattr(self, field.name) for field in fields(self)}
        return plain | {"seconds": round(self.seconds, 4), "times": times}


@dataclass(eq=False, slots=True)
class History:
    """The samples of one run, at most `most` of them."""

    most: int = MOST
    _samples: list[Sample] = field(default_factory=list)
    _every: int = 1
    _in_last: int = 0

    @property
    def samples(self) -> tuple[Sample, ...]:
        return tuple(self._samples)

    def add(self, sample: Sample) -> None:
        """Take a look at the run, later than the last."""
        if self._samples and self._in_last < self._every:
            self._samples[-1] = merged(self._samples[-1], sample)
            self._in_last += 1
            return
        if len(self._samples) >= self.most:
            self._halve()
        self._samples.append(sample)
        self._in_last = 1

    def _halve(self) -> None:
        pairs = zip(self._samples[::2], self._samples[1::2], strict=True)
        self._samples = [merged(earlier, later) for earlier, later in pairs]
        self._every *= 2


def merged(earlier: Sample, later: Sample) -> Sample:
    """One sample for the time of both: totals at its end, the most of memory and of each queue."""
    fuller = earlier if earlier.used > later.used else later
    grown = [sample.growth for sample in (earlier, later) if sample.growth is not None]
    return Sample(
        seconds=later.seconds,
        growth=max(grown, default=None),
        limit=fuller.limit,
        floors=fuller.floors,
        ahead=fuller.ahead,
        work=fuller.work,
        state=fuller.state,
        oversize=fuller.oversize,
        rows=later.rows,
        queue_bytes=tuple(map(max, earlier.queue_bytes, later.queue_bytes)),
        queue_batches=tuple(map(max, earlier.queue_batches, later.queue_batches)),
        times=later.times,
        doing=later.doing,
        root=later.root,
    )


def look(run: Run, chains: Mapping[int, Chain], growth: int | None) -> Sample:
    """How `run` stands now; `chains` are those of the stages that wait."""
    ledger, clock = run.world.ledger, run.consumer.clock
    queues = [queue.statistics() for queue in run.queues]
    began, now = clock.started, clock.now() if clock.ended is None else clock.ended
    return Sample(
        seconds=0.0 if began is None else now - began,
        growth=growth,
        limit=ledger.limit - ledger.cut,
        floors=ledger.floors,
        ahead=ledger.lent(Kind.AHEAD),
        work=ledger.lent(Kind.WORK),
        state=ledger.lent(Kind.STATE),
        oversize=ledger.lent(Kind.OVERSIZE) + ledger.lent(Kind.SPARE),
        rows=tuple(queue.rows for queue in queues),
        queue_bytes=tuple(queue.held_bytes for queue in queues),
        queue_batches=tuple(queue.held_batches for queue in queues),
        times=tuple(_READ(state.clock.read()) for state in run.states),
        doing=tuple(_doing(state.clock) for state in run.states),
        root=tuple(chains[i].root if i in chains else None for i in range(len(run.states))),
    )


def _doing(clock: StageClock) -> str:
    if clock.started is None:
        return "waiting"
    if clock.ended is not None:
        return "ended"
    state = clock.state
    return str(clock.resource or state) if state == Waits.OUTSIDE else str(state)
