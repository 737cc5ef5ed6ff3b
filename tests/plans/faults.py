"""Faults: a plan with little memory on a disk that fails, or cancelled somewhere; its rows, or an error that says why."""

from __future__ import annotations

import asyncio
import errno
import gc
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

import anyio
import duckdb
import pyarrow as pa
from faulty_disk import FaultyDisk
from leaks import nothing_left

import brim
from brim.errors import BrimError, CorruptInput, RowTooLarge, SpillDiskFull
from brim.io.spill.disk import RealDisk

from .compare import check, check_part
from .draw import draw
from .relation import Relation
from .trial import LIMIT_S, Budget, Outcome, cause_of, check_given_back, folders, small_budgets, told

FAULTS = (*("full", "broken write", "broken read", "flipped bit", "cut block") * 2, "cancelled", "left early")
DUE = {
    "full": (SpillDiskFull,),
    "broken write": (OSError,),
    "broken read": (CorruptInput,),
    "flipped bit": (CorruptInput,),
    "cut block": (CorruptInput,),
    "cancelled": (),
    "left early": (),
    "none": (),
}


class CountingLoop(asyncio.SelectorEventLoop):
    """The loop, whose passes are counted; `on_pass` is called before each with its number."""

    def __init__(self, on_pass: Callable[[int], None]) -> None:
        super().__init__()
        self.passes, self.on_pass = 0, on_pass

    def _run_once(self) -> None:
        self.passes += 1
        self.on_pass(self.passes)
        super()._run_once()


@dataclass(frozen=True)
class Fault:
    """What happens, at the how manieth write, read, pass of the loop or batch; 0 is never."""

    kind: str
    at: int

    @property
    def disk(self) -> FaultyDisk:
        match self.kind:
            case "full":
                return FaultyDisk(failing_writes={self.at: errno.ENOSPC})
            case "broken write":
                return FaultyDisk(failing_writes={self.at: errno.EIO})
            case "broken read":
                return FaultyDisk(failing_reads={self.at: errno.EIO})
            case "flipped bit":
                return FaultyDisk(flipped_reads=(self.at,))
            case "cut block":
                return FaultyDisk(cut_reads=(self.at,))
            case _:
                return FaultyDisk()


@dataclass
class Suffering:
    """One run with a fault."""

    pipeline: brim.Pipeline
    budget: Budget
    fault: Fault
    folder: Path
    disk: FaultyDisk
    scope: anyio.CancelScope | None = None
    passes: int = 0
    begun_at: int = 0

    def on_pass(self, number: int) -> None:
        self.passes = number
        if self.scope is not None and self.fault.kind == "cancelled" and number - self.begun_at == self.fault.at:
            self.scope.cancel()

    async def main(self) -> Outcome:
        budget, outcome = self.budget, Outcome()
        settings = {"batch_bytes": budget.batch_bytes, "threads": budget.threads, "spill_dir": self.folder}
        engine, batches = brim.Engine(budget.memory, max_runs=1, **settings), []
        with anyio.fail_after(LIMIT_S):
            async with engine:
                put_disk(engine, self.disk)
                self.begun_at = self.passes
                with anyio.CancelScope() as self.scope:
                    try:
                        await self._read(engine, batches)
                    except BrimError as error:
                        outcome.error = _without_frames(error)
                self.passes -= self.begun_at
                outcome.cancelled, self.scope = self.scope.cancelled_caught, None
                check_given_back(engine)
        outcome.table = pa.Table.from_batches(batches, self.pipeline.schema)
        return outcome

    async def _read(self, engine: brim.Engine, kept: list[pa.RecordBatch]) -> None:
        async with engine.stream(self.pipeline) as batches:
            async for batch in batches:
                kept.append(_copied(batch))
                if self.fault.kind == "left early" and len(kept) == self.fault.at:
                    return


def _without_frames(error: BaseException) -> BaseException:
    """`error`, whose tracebacks no longer hold what stages had in hand."""
    link: BaseException | None = error
    while link is not None:
        link.__traceback__, link.__context__ = None, None
        link = link.__cause__
    return error


def _copied(batch: pa.RecordBatch) -> pa.RecordBatch:
    """A copy that holds no file: a row that was larger than a batch may lie in a mapped one as long as it is kept."""
    return pa.ipc.read_record_batch(batch.serialize(), batch.schema)


def put_disk(engine: brim.Engine, disk: RealDisk) -> None:
    """Let `engine`, which has just been opened, spill to `disk`."""
    spill = engine._shared.world.spill
    spill.disk = disk
    for folder in spill.folders:
        folder.disk = disk


def suffer(pipeline: brim.Pipeline, budget: Budget, fault: Fault, folder: Path) -> tuple[Suffering, Outcome]:
    """Run `pipeline` with a fault, and check that nothing is left of it."""
    suffering = Suffering(pipeline, budget, fault, folder, fault.disk)
    with nothing_left(folder):
        outcome = anyio.run(suffering.main, backend_options={"loop_factory": lambda: CountingLoop(suffering.on_pass)})
    return suffering, outcome


def judge(relation: Relation, expected: pa.Table, fault: Fault, outcome: Outcome, *, ends_early: bool) -> str:
    """Check that the run made its rows, or some of them and an error that was due; what became of it, in a word."""
    if outcome.error is None and not ends_early and not outcome.cancelled:
        check(relation, expected, outcome.table)
        return "whole"
    check_part(relation, expected, outcome.table)
    cause = cause_of(outcome.error)
    if cause is not None:
        assert isinstance(cause, (*DUE[fault.kind], RowTooLarge)), f"{type(cause).__name__}: {outcome.error}"
        return type(cause).__name__
    return "cancelled" if outcome.cancelled else "left early"


def check_faults(seed: int, con: duckdb.DuckDBPyConnection, count: int = 3) -> list[str]:
    """Run the plan of `seed` as it is, then with `count` faults; what became of each."""
    random, ends = Random(f"faults {seed}"), []
    with folders() as (files, spill):
        relation = draw(seed, con, files)
        expected, budget = relation.expected(), small_budgets(relation, random)[0]
        gc.freeze()
        none = Fault("none", 0)
        whole, outcome = suffer(relation.pipeline, budget, none, spill)
        if isinstance(cause_of(outcome.error), RowTooLarge):
            return ["RowTooLarge"]
        judge(relation, expected, none, outcome, ends_early=False)
        for _ in range(count):
            fault = draw_fault(random, whole, outcome)
            with told(f"at {budget}, {fault}"):
                _, suffered = suffer(relation.pipeline, budget, fault, spill)
                early = fault.kind == "left early" and suffered.error is None
                ends.append(f"{fault.kind}: {judge(relation, expected, fault, suffered, ends_early=early)}")
    return ends


def draw_fault(random: Random, whole: Suffering, outcome: Outcome) -> Fault:
    """A fault that the run without any has a place for."""
    places = {"full": whole.disk.writes, "broken write": whole.disk.writes, "cancelled": whole.passes, "left early": 4}
    kind = random.choice([kind for kind in FAULTS if places.get(kind, whole.disk.reads)] or ["cancelled"])
    return Fault(kind, random.randrange(1, places.get(kind, whole.disk.reads) + 1))
