"""Join: what a nested loop over both inputs finds, whichever side is built, in memory or by way of the disk."""

from __future__ import annotations

import random

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kit import FakeMemory, FakeStage, run_operator

from brim.operators.joins.join import Join
from brim.operators.joins.kind import HOWS, JoinKeys, join_spec
from brim.sizes import KIB

LEFT = pa.schema([("k", pa.int64()), ("a", pa.string())])
RIGHT = pa.schema([("k", pa.int64()), ("b", pa.int64())])


def rows_of(dice, schema, rows, keys):
    made = []
    for row in range(rows):
        key = None if dice.random() < 0.05 else dice.randrange(keys)
        made.append({"k": key, schema.names[1]: row if schema is RIGHT else f"row {row}"})
    return made


def by_hand(how, left, right):
    pairs = [
        (one, other)
        for one in left
        for other in right
        if how == "cross" or (one["k"] is not None and one["k"] == other["k"])
    ]
    met_left, met_right = {id(one) for one, _ in pairs}, {id(other) for _, other in pairs}
    if how in ("semi", "anti"):
        return [one for one in left if (id(one) in met_left) == (how == "semi")]
    if how == "cross":
        return [{"k": one["k"], "a": one["a"], "k_right": other["k"], "b": other["b"]} for one, other in pairs]
    found = [{"k": one["k"], "a": one["a"], "b": other["b"]} for one, other in pairs]
    if how in ("left", "full"):
        found += [{**one, "b": None} for one in left if id(one) not in met_left]
    if how in ("right", "full"):
        found += [{"k": other["k"], "a": None, "b": other["b"]} for other in right if id(other) not in met_right]
    return found


def joined(how, left, right, stage, builds_left, size=70):
    keys = JoinKeys((), ()) if how == "cross" else JoinKeys(("k",), ("k",))
    spec = join_spec("join-3", how, LEFT, RIGHT, keys, "_right")
    inputs = [
        pa.Table.from_pylist(rows, schema=schema).to_batches(max_chunksize=size)
        for rows, schema in ((left, LEFT), (right, RIGHT))
    ]
    out = run_operator(Join(spec, LEFT, RIGHT, builds_left), *inputs, stage=stage)
    assert all(batch.schema == spec.schema for batch in out.batches)
    return [row for batch in out.batches for row in batch.to_pylist()]


def alike(found, wanted):
    return sorted(map(repr, found)) == sorted(map(repr, wanted))


@pytest.mark.parametrize("builds_left", [False, True])
@pytest.mark.parametrize("how", HOWS)
@settings(deadline=None, max_examples=12)
@given(
    seed=st.integers(0, 10**6),
    sizes=st.tuples(st.integers(0, 150), st.integers(0, 150)),
    keys=st.sampled_from([1, 7, 200]),
    memory=st.sampled_from(["in memory", "by parts", "on disk"]),
)
def test_rows_are_those_of_a_nested_loop(how, builds_left, seed, sizes, keys, memory):
    dice = random.Random(seed)
    left, right = rows_of(dice, LEFT, sizes[0], keys), rows_of(dice, RIGHT, sizes[1], keys)
    given = {
        "in memory": FakeMemory(),
        "by parts": FakeMemory(window_bytes=8 * KIB),
        "on disk": FakeMemory(window_bytes=8 * KIB, state_limit=0),
    }[memory]
    stage = FakeStage(batch_bytes=1 * KIB, memory=given)
    assert alike(joined(how, left, right, stage, builds_left), by_hand(how, left, right))
    assert (given.held, given.lent) == (0, 0)


@pytest.mark.parametrize("how", ["inner", "left", "right", "full", "semi", "anti"])
@pytest.mark.parametrize("builds_left", [False, True])
def test_one_key_that_is_more_than_memory_is_joined_in_chunks_of_the_build_side(how, builds_left):
    left = [{"k": 1, "a": f"{row}"} for row in range(150)] + [{"k": 2, "a": "alone"}]
    right = [{"k": 1, "b": row} for row in range(100)] + [{"k": 3, "b": -1}]
    stage = FakeStage(batch_bytes=512, memory=FakeMemory(window_bytes=1 * KIB, state_limit=0))
    found = joined(how, left, right, stage, builds_left, size=20)
    assert alike(found, by_hand(how, left, right))


def test_the_probe_side_is_not_asked_for_anything_before_the_build_side_has_ended():
    asked = []

    class Box:
        def __init__(self, name, batches):
            self.name, self.batches = name, list(batches)

        def __aiter__(self):
            return self

        async def __anext__(self):
            asked.append(self.name)
            if not self.batches:
                raise StopAsyncIteration
            return self.batches.pop(0)

    import anyio
    from kit import Collected

    spec = join_spec("join-3", "inner", LEFT, RIGHT, JoinKeys(("k",), ("k",)), "_right")
    rows = [pa.record_batch({"k": [1], "a": ["x"]}, LEFT)] * 3, [pa.record_batch({"k": [1], "b": [2]}, RIGHT)] * 2

    async def main():
        boxes = [Box("left", rows[0]), Box("right", rows[1])]
        await Join(spec, LEFT, RIGHT).run(boxes, Collected(), FakeStage())

    anyio.run(main)
    assert asked == ["right"] * 3 + ["left"] * 4


@pytest.mark.parametrize("how", ["semi", "anti"])
@pytest.mark.parametrize("builds_left", [False, True])
def test_rows_of_one_key_on_both_sides_are_told_apart_without_going_through_all_pairs(how, builds_left):
    left = pa.table({"k": [1] * 60_000 + [2], "a": ["x"] * 60_001}, schema=LEFT)
    right = pa.table({"k": [1] * 60_000, "b": range(60_000)}, schema=RIGHT)
    spec = join_spec("join-3", how, LEFT, RIGHT, JoinKeys(("k",), ("k",)), "_right")
    out = run_operator(Join(spec, LEFT, RIGHT, builds_left), left.to_batches(), right.to_batches(), stage=FakeStage())
    assert sum(batch.num_rows for batch in out.batches) == (60_000 if how == "semi" else 1)
