"""Sort: the rows of the input, in the stable order of the keys, in memory or by way of the disk, in whatever budget."""

from __future__ import annotations

import random

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kit import FakeMemory, FakeStage, run_operator

from brim.errors import CorruptInput
from brim.operators.exchange.by_range import SortKeys
from brim.operators.keys.order import sort_order
from brim.operators.sort import Sort
from brim.sizes import KIB, MIB

SCHEMA = pa.schema([("k", pa.int64()), ("t", pa.string()), ("row", pa.int64())])


def batches_of(keys, texts, size):
    table = pa.table({"k": keys, "t": texts, "row": range(len(keys))}, schema=SCHEMA)
    return table.combine_chunks().to_batches(max_chunksize=size)


def small_stage(**memory):
    given = {"window_bytes": 64 * KIB, "state_limit": 0} | memory
    return FakeStage(batch_bytes=8 * KIB, memory=FakeMemory(**given))


def sorted_rows(batches, keys, stage, limit=None):
    out = run_operator(Sort(keys, SCHEMA, limit), batches, stage=stage)
    return [row for batch in out.batches for row in batch["row"].to_pylist()]


@settings(deadline=None, max_examples=50)
@given(
    seed=st.integers(0, 10**6),
    rows=st.integers(0, 3000),
    kinds=st.sampled_from(["unique", "few", "one", "texts"]),
    descending=st.tuples(st.booleans(), st.booleans()),
    nulls_first=st.booleans(),
    state_limit=st.sampled_from([0, 30 * KIB, 1 << 30]),
    limit=st.none() | st.integers(0, 4000),
)
def test_rows_come_in_the_stable_order_of_the_keys_in_memory_or_from_disk(
    seed, rows, kinds, descending, nulls_first, state_limit, limit
):
    dice = random.Random(seed)
    most = {"unique": 10**9, "few": 5, "one": 0, "texts": 3}[kinds]
    keys = [
        dice.choice([None, dice.randint(0, most)]) if kinds == "few" else dice.randint(0, most) for _ in range(rows)
    ]
    texts = ["".join(dice.choices("ab", k=dice.randint(0, 12))) for _ in range(rows)]
    sort_keys = SortKeys(("k", "t"), descending, nulls_first)
    batches = batches_of(keys, texts, dice.randint(1, 700))
    whole = pa.Table.from_batches(batches, SCHEMA).combine_chunks()
    order = sort_order([whole[name].combine_chunks() for name in ("k", "t")], descending, nulls_first)
    stage = small_stage(state_limit=state_limit)
    found = sorted_rows(batches, sort_keys, stage, limit)
    assert found[:limit] == order.tolist()[:limit]
    assert limit is not None or len(found) == rows
    assert (stage.memory.held, stage.memory.lent) == (0, 0)
    assert not list(stage.spill.folder.rglob("*stage*"))


def test_pieces_are_about_a_batch_each_and_pin_nothing_beside_themselves():
    keys = random.Random(1).sample(range(40_000), 40_000)
    stage = FakeStage(batch_bytes=64 * KIB, memory=FakeMemory())
    out = run_operator(Sort(SortKeys(("k",), (False,)), SCHEMA), batches_of(keys, [""] * 40_000, 1000), stage=stage)
    weights = [batch.get_total_buffer_size() for batch in out.batches]
    assert max(weights) < 2 * 64 * KIB
    assert sum(weights) < 1.3 * pa.Table.from_batches(out.batches).nbytes


def test_rows_that_are_all_alike_are_more_than_memory_and_come_as_they_came():
    stage = small_stage()
    rows = 30_000
    assert sorted_rows(batches_of([7] * rows, ["same"] * rows, 500), SortKeys(("k", "t"), (True, False)), stage) == [
        *range(rows)
    ]


def test_the_rows_that_come_first_say_nothing_of_those_that_come_later():
    rows = 12_000
    keys = [7] * (rows // 2) + [1, 9, 7] * (rows // 6)
    found = sorted_rows(batches_of(keys, [""] * rows, 500), SortKeys(("k", "row"), (False, True)), small_stage())
    assert found == sorted(range(rows), key=lambda row: (keys[row], -row))


def test_only_rows_that_can_be_among_the_first_are_kept():
    rows = 200_000
    keys = random.Random(2).sample(range(rows), rows)
    stage = FakeStage(batch_bytes=256 * KIB, memory=FakeMemory(state_limit=6 * MIB))
    found = sorted_rows(batches_of(keys, [""] * rows, 4000), SortKeys(("k",), (True,)), stage, limit=10)
    assert [keys[row] for row in found[:10]] == list(range(rows - 1, rows - 11, -1))
    assert len(found) < rows // 2
    assert not stage.facts, "nothing was written"


def test_keys_that_tie_in_their_first_words_are_told_apart_by_the_others():
    prefix = "a long prefix that all of them have, longer than many words "
    texts = [f"{prefix}{number:06}" for number in random.Random(3).sample(range(20_000), 20_000)]
    found = sorted_rows(batches_of([0] * 20_000, texts, 900), SortKeys(("k", "t"), (False, False)), small_stage())
    assert [texts[row] for row in found] == sorted(texts)


def test_a_row_larger_than_a_batch_is_sorted():
    texts = ["x" * 60 * KIB, "a", "m" * 60 * KIB]
    found = sorted_rows(
        batches_of([1, 2, 3], texts, 1), SortKeys(("t",), (False,)), small_stage(window_bytes=256 * KIB)
    )
    assert found == [1, 2, 0]


class Flipped:
    """A spill file that gives one bit back wrong."""

    def __init__(self, file, block_number):
        self.file, self.left = file, block_number

    def __getattr__(self, name):
        return getattr(self.file, name)

    def read(self, block):
        self.left -= 1
        if self.left == 0:
            raise CorruptInput("spill file", "block 3")
        return self.file.read(block)


@pytest.mark.parametrize("number", [1, 3, 10])
def test_an_error_of_the_disk_ends_the_sort_and_nothing_is_left(number):
    stage = small_stage()
    opened = stage.spill.open
    stage.spill.open = lambda name, schema: Flipped(opened(name, schema), number)
    with pytest.raises(ExceptionGroup) as caught:
        sorted_rows(batches_of(range(30_000), [""] * 30_000, 500), SortKeys(("k",), (False,)), stage)
    assert caught.value.subgroup(CorruptInput) is not None
    assert stage.memory.held == 0


def test_long_texts_that_differ_at_their_ends_are_sorted_in_a_few_passes():
    texts = ["x" * 30_000 + f"{number * 7919 % 40:09}" for number in range(40)]
    stage = FakeStage(batch_bytes=8 * KIB, memory=FakeMemory(window_bytes=128 * KIB, state_limit=0))
    found = sorted_rows(batches_of([0] * 40, texts, 1), SortKeys(("t",), (False,)), stage)
    assert [texts[row] for row in found] == sorted(texts)
