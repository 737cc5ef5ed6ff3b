"""Trial: run a plan at several budgets, and judge what comes of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import anyio
import duckdb
import pyarrow as pa

import brim
from brim.errors import BrimError, BudgetTooSmall, RowTooLarge
from brim.limits import Limits
from brim.pipeline.ledger import Kind as LedgerKind
from brim.pipeline.planner import plan as make_plan
from brim.sizes import KIB, MIB

from .compare import check
from .draw import draw
from .relation import Relation

MUCH = 512 * MIB
PAD = 24 * MIB
"""What `brim.pipeline.allot` keeps apart of so little memory."""
STEP = 4 * KIB
BATCHES = (15, 60, 120)
"""How many of them the sources are, where there is little memory."""
MORE = (1.0, 1.3, 3.0)
"""Ledgers, as multiples of the least."""
LIMIT_S = 60


@dataclass(frozen=True)
class Budget:
    """What a plan is run with."""

    memory: int
    batch_bytes: int | None = None
    threads: int = 2

    def __str__(self) -> str:
        return f"memory={self.memory}, batch_bytes={self.batch_bytes}, threads={self.threads}"


@dataclass
class Tally:
    """What was run, and what became of it."""

    plans: int = 0
    runs: int = 0
    spilled: int = 0
    plans_spilled: int = 0
    rows: int = 0
    too_large: int = 0
    steps: Counter[str] = field(default_factory=Counter)
    ends: Counter[str] = field(default_factory=Counter)
    broken: list[int] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        for name in ("plans", "runs", "spilled", "plans_spilled", "rows", "too_large"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.steps += other.steps
        self.ends += other.ends
        self.broken += other.broken


@dataclass
class Outcome:
    """What a run came to."""

    table: pa.Table | None = None
    error: BaseException | None = None
    report: Any = None
    cancelled: bool = False


async def run(pipeline: brim.Pipeline, budget: Budget, folder: Path, **settings: Any) -> Outcome:
    """Run `pipeline` in an engine of its own, and check that it leaves nothing."""
    outcome = Outcome()
    engine = brim.Engine(
        budget.memory, batch_bytes=budget.batch_bytes, threads=budget.threads, max_runs=1, spill_dir=folder, **settings
    )
    with anyio.fail_after(LIMIT_S):
        async with engine:
            try:
                outcome.table, outcome.report = await _collect(engine, pipeline)
            except BrimError as error:
                outcome.error = error
            check_given_back(engine)
    left = list(folder.rglob("*"))
    assert not left, f"left in the spill folder: {left}"
    return outcome


async def _collect(engine: brim.Engine, pipeline: brim.Pipeline) -> tuple[pa.Table, Any]:
    async with engine.stream(pipeline) as batches:
        made = [batch async for batch in batches]
    return pa.Table.from_batches(made, pipeline.schema), batches.report


def check_given_back(engine: brim.Engine) -> None:
    """Nothing is lent and nobody waits."""
    ledger = engine._shared.world.ledger
    lent = {kind.name: ledger.lent(kind) for kind in LedgerKind if ledger.lent(kind)}
    assert not lent, f"still lent: {lent}"
    assert not ledger.floors, f"floors of {ledger.floors} bytes are still reserved"


def least_memory(pipeline: brim.Pipeline, batch_bytes: int | None) -> int:
    """The least that `pipeline` is planned with, to a page; and what the error names is enough."""

    def fits(memory: int) -> bool:
        try:
            make_plan(pipeline.node, Limits(memory=memory, batch_bytes=batch_bytes, max_runs=1))
        except BudgetTooSmall:
            return False
        return True

    low, high, named = 1, 2, 0
    try:
        make_plan(pipeline.node, Limits(memory=20 * MIB, batch_bytes=batch_bytes, max_runs=1))
    except BudgetTooSmall as error:
        low, high, named = 20 * MIB // STEP, error.needed_bytes // STEP, error.needed_bytes
    assert fits(named), f"it names {named:,} bytes, which is not enough"
    while low + 1 < high:
        middle = (low + high) // 2
        low, high = (low, middle) if fits(middle * STEP) else (middle, high)
    return high * STEP


def budgets(relation: Relation, random: Random) -> list[Budget]:
    """The least with small batches; and much, or a little more than the least."""
    least, *more = small_budgets(relation, random)
    return [least, random.choice([Budget(MUCH), Budget(MUCH, 8 * KIB), random.choice(more)])]


def small_budgets(relation: Relation, random: Random) -> list[Budget]:
    """The least with small batches, and more and more beyond that."""
    batch = max(512, min(64 * KIB, relation.weight // random.choice(BATCHES)))
    least = least_memory(relation.pipeline, batch)
    ledger = max(least - PAD, 64 * KIB)
    small = [Budget(int(PAD + ledger * factor), batch, random.choice([1, 2])) for factor in MORE]
    small[0] = Budget(least, batch, small[0].threads)
    return small


async def trial(relation: Relation, seed: int, folder: Path, tally: Tally) -> None:
    """Run the plan at its budgets, and compare each result with DuckDB's."""
    expected, spilled = relation.expected(), 0
    for budget in budgets(relation, Random(seed)):
        outcome = await run(relation.pipeline, budget, folder)
        tally.runs += 1
        with told(f"at {budget}"):
            if isinstance(cause := cause_of(outcome.error), RowTooLarge) and budget.memory < MUCH:
                tally.too_large += 1
                continue
            assert outcome.error is None, f"{type(cause).__name__}: {outcome.error}"
            check(relation, expected, outcome.table)
            report = outcome.report
            assert report.peak_bytes <= budget.memory, f"the ledger's peak is {report.peak_bytes:,}"
            assert report.peak_process_bytes <= budget.memory, f"the process grew by {report.peak_process_bytes:,}"
        spilled += outcome.report.spilled_bytes
    tally.spilled += spilled
    tally.plans_spilled += spilled > 0
    tally.rows += relation.rows


def cause_of(error: BaseException | None) -> BaseException | None:
    """What happened."""
    return error if error is None or error.__cause__ is None else error.__cause__


@contextmanager
def told(where: str) -> Iterator[None]:
    """Let what breaks in the block say where."""
    try:
        yield
    except AssertionError as error:
        raise AssertionError(f"{where}: {error}") from error


@contextmanager
def folders() -> Iterator[tuple[Path, Path]]:
    """A folder for files that plans read, and one to spill to."""
    with TemporaryDirectory(prefix="plans-") as made:
        files, spill = Path(made) / "files", Path(made) / "spill"
        files.mkdir()
        spill.mkdir()
        yield files, spill


def check_seed(seed: int, con: duckdb.DuckDBPyConnection, tally: Tally) -> Relation:
    """One plan: drawn, run, compared."""
    with folders() as (files, spill):
        relation = draw(seed, con, files)
        tally.plans += 1
        tally.steps.update(line.split()[0] for line in relation.said)
        anyio.run(trial, relation, seed, spill, tally)
        return relation
