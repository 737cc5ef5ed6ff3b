"""Repartition: every row once, in its part, the parts one after another."""

from __future__ import annotations

import anyio
import pyarrow as pa
import pytest
from kit import FakeMemory, FakeStage, RealThreads, run_operator

from brim.operators.repartition import Repartition
from brim.sizes import KIB

SCHEMA = pa.schema([("k", pa.int64()), ("row", pa.int64())])


def run(parts, by, rows, state_limit, **given):
    table = pa.table({"k": [row % 50 for row in range(rows)], "row": range(rows)}, schema=SCHEMA)
    stage = FakeStage(batch_bytes=8 * KIB, memory=FakeMemory(window_bytes=32 * KIB, state_limit=state_limit), **given)
    return run_operator(Repartition(parts, by, SCHEMA), table.to_batches(max_chunksize=700), stage=stage).batches


@pytest.mark.parametrize("state_limit", [0, 1 << 30])
@pytest.mark.parametrize("parts", [1, 3, 300])
def test_rows_of_equal_keys_are_in_one_part_and_parts_follow_each_other(parts, state_limit):
    batches = run(parts, ("k",), 20_000, state_limit)
    assert sorted(row for batch in batches for row in batch["row"].to_pylist()) == list(range(20_000))
    seen, before = [], set()
    for batch in batches:
        now = set(batch["k"].to_pylist())
        if not now & before:
            seen.append(now)
        else:
            seen[-1] |= now
        before = seen[-1]
    assert len(seen) <= parts
    assert sum(map(len, seen)) == 50, "no key is in two parts"


@pytest.mark.parametrize("state_limit", [0, 1 << 30])
def test_without_keys_rows_are_dealt_out_in_turns(state_limit):
    rows = [row for batch in run(3, (), 5000, state_limit) for row in batch["row"].to_pylist()]
    assert rows == [*range(0, 5000, 3), *range(1, 5000, 3), *range(2, 5000, 3)]


def test_turns_are_those_of_the_input_though_batches_are_divided_at_once():
    class LateThreads(RealThreads):
        """The first of two calls ends after the second."""

        async def run(self, function, *arguments):
            self.calls = getattr(self, "calls", 0) + 1
            if self.calls % 2:
                await anyio.lowlevel.checkpoint()
                await anyio.wait_all_tasks_blocked()
            return await super().run(function, *arguments)

    rows = [row for batch in run(3, (), 5000, 1 << 30, threads=LateThreads()) for row in batch["row"].to_pylist()]
    assert rows == [*range(0, 5000, 3), *range(1, 5000, 3), *range(2, 5000, 3)]
