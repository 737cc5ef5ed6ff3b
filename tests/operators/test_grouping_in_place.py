"""Groups that are added up in place are given back whenever others need the memory, and nothing is lost or doubled."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field

import anyio
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st
from kit import Collected, FakeHolding, FakeMemory, FakeStage, Feed

from brim import col
from brim.operators.expressions.tree import Column
from brim.operators.group_by import GroupBy
from brim.operators.groups.group_batch import GroupBatch
from brim.pipeline.expr import tree_of
from brim.sizes import KIB

SCHEMA = pa.schema([("k", pa.int64()), ("v", pa.int64())])
AGGREGATES = (("n", tree_of(col("v").count())), ("sum", tree_of(col("v").sum())), ("mean", tree_of(col("v").mean())))
GROUP = GroupBatch((("k", Column("k")),), AGGREGATES, SCHEMA)


@dataclass
class Asking(FakeMemory):
    """Memory whose holders can all be asked for what they have."""

    holders: list[FakeHolding] = field(default_factory=list)

    def holding(self):
        self.holders.append(super().holding())
        return self.holders[-1]

    def ask(self):
        for holder in self.holders:
            if holder.size:
                holder.ask()


class AskingFeed(Feed):
    """Asks for all memory before some of its batches."""

    def __init__(self, batches, memory, when):
        super().__init__(batches)
        self.memory, self.when = memory, when

    async def __anext__(self):
        if self.taken in self.when:
            self.memory.ask()
        return await super().__anext__()


def grouped(feed, out, stage):
    anyio.run(GroupBy(GROUP).run, [feed], out, stage)


def batches_of(dice, keys, size):
    rows = dice.randrange(3000)
    table = pa.table(
        {
            "k": [None if dice.random() < 0.02 else dice.randrange(keys) for _ in range(rows)],
            "v": [None if dice.random() < 0.1 else dice.randrange(-100, 100) for _ in range(rows)],
        },
        schema=SCHEMA,
    )
    return table.to_batches(max_chunksize=size)


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 10**6),
    keys=st.sampled_from([1, 40, 3000, 100_000, 10**12]),
    size=st.integers(20, 600),
    state_limit=st.sampled_from([0, 60 * KIB, 1 << 30]),
    when=st.sets(st.integers(0, 12), max_size=2),
)
def test_every_row_is_counted_once_wherever_its_group_was(seed, keys, size, state_limit, when):
    batches = batches_of(random.Random(seed), keys, size)
    memory = Asking(window_bytes=256 * KIB, state_limit=state_limit)
    out = Collected()
    grouped(AskingFeed(batches, memory, when), out, FakeStage(batch_bytes=8 * KIB, memory=memory))
    counts, sums = Counter(), Counter()
    for row in (row for batch in batches for row in batch.to_pylist()):
        counts[row["k"]] += row["v"] is not None
        sums[row["k"]] += row["v"] or 0
    found = [row for batch in out.batches for row in batch.to_pylist()]
    assert len(found) == len({row["k"] for row in found}) == len(counts)
    for row in found:
        assert (row["n"], row["sum"]) == (counts[row["k"]], sums[row["k"]])
        assert row["mean"] == (row["sum"] / row["n"] if row["n"] else None)
    assert (memory.held, memory.lent) == (0, 0)


def test_nothing_is_written_where_the_places_fit():
    dice = random.Random(3)
    batches = pa.table({"k": [dice.randrange(5000) for _ in range(50_000)], "v": [1] * 50_000}, schema=SCHEMA)
    stage = FakeStage(batch_bytes=8 * KIB, memory=FakeMemory(window_bytes=256 * KIB, state_limit=300 * KIB))
    out = Collected()
    grouped(Feed(batches.to_batches(max_chunksize=1000)), out, stage)
    assert sum(sum(batch["n"].to_pylist()) for batch in out.batches) == 50_000
    assert not stage.facts, "5000 places of 33 bytes are less than 50,000 rows of 40"


def test_who_sends_gives_back_too_what_was_not_sent():
    """Whoever reads may wait for the memory that the places have."""

    memory = Asking(window_bytes=1 << 30)
    table = pa.table({"k": range(30_000), "v": [1] * 30_000}, schema=SCHEMA)

    class Reader(Collected):
        async def send(self, batch, loan=None):
            await super().send(batch)
            holding = [holder for holder in memory.holders if holder.size]
            if len(self.batches) != 3:
                return
            assert holding
            memory.ask()
            for holder in holding:
                while holder.size:
                    await anyio.lowlevel.checkpoint()

    out = Reader()
    grouped(Feed(table.to_batches(max_chunksize=5000)), out, FakeStage(batch_bytes=8 * KIB, memory=memory))
    assert sorted(row["k"] for batch in out.batches for row in batch.to_pylist()) == list(range(30_000))


def test_a_key_that_came_before_there_were_places_is_one_group():
    parts = [pa.array([0, 50_000]), pa.array(range(0, 60_000, 100))]
    batches = [pa.RecordBatch.from_arrays([keys, keys], schema=SCHEMA) for keys in parts]
    out = Collected()
    grouped(Feed(batches), out, FakeStage(batch_bytes=8 * KIB))
    counts = {row["k"]: row["n"] for batch in out.batches for row in batch.to_pylist()}
    assert sum(batch.num_rows for batch in out.batches) == len(counts) == 600
    assert (counts[0], counts[50_000], counts[100]) == (2, 2, 1)
