"""Monotone: a plan that runs with a memory runs with every larger one."""

from __future__ import annotations

from pathlib import Path
from random import Random

import anyio
import duckdb

from brim.errors import BudgetTooSmall, RowTooLarge
from brim.sizes import KIB, MIB

from .compare import check
from .draw import draw
from .relation import Relation
from .trial import MUCH, PAD, Budget, cause_of, folders, least_memory, run, small_budgets, told

LEDGERS = (1.05, 1.1, 1.3, 1.6, 2.0, 3.0, 5.0, 8.0, 20.0)
"""Multiples of the least ledger, between a memory that is too small and the least, and one that is large."""


def ladder(relation: Relation, random: Random) -> list[Budget]:
    """Twelve budgets with one size of batches, half of the plans with what is derived from the memory."""
    batch = small_budgets(relation, random)[0].batch_bytes if random.random() < 0.5 else None
    least, threads = least_memory(relation.pipeline, batch), random.choice([1, 2])
    ledger = max(least - PAD, 64 * KIB)
    memories = [least - MIB, least, *(int(PAD + ledger * factor) for factor in LEDGERS), MUCH]
    return [Budget(memory, batch, threads) for memory in memories]


async def climb(relation: Relation, random: Random, folder: Path) -> list[str]:
    """What becomes of the plan at each budget; from the first that is enough, each has to be."""
    expected, ends, enough = relation.expected(), [], None
    for budget in ladder(relation, random):
        outcome = await run(relation.pipeline, budget, folder)
        with told(f"at {budget}"):
            cause = cause_of(outcome.error)
            if outcome.error is None:
                check(relation, expected, outcome.table)
                enough = enough or budget
            else:
                assert isinstance(cause, BudgetTooSmall | RowTooLarge), f"{type(cause).__name__}: {outcome.error}"
                assert enough is None, f"{outcome.error}, but {enough} was enough"
        ends.append("whole" if cause is None else type(cause).__name__)
    return ends


def check_monotone(seed: int, con: duckdb.DuckDBPyConnection) -> list[str]:
    """The ends of the plan of `seed`, from little memory to much."""
    with folders() as (files, spill):
        return anyio.run(climb, draw(seed, con, files), Random(f"memory {seed}"), spill)
