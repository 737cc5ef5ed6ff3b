"""From batches."""

from __future__ import annotations

import threading

import anyio
import pyarrow as pa
import pytest
from kit import FakeStage, RealThreads, drive, run_operator

from brim.errors import PlanError, SchemaMismatch
from brim.events import Resource
from brim.io.from_batches import batches_source
from brim.sizes import KIB, held_bytes

SCHEMA = pa.schema([("x", pa.int64())])


def batch(*values):
    return pa.record_batch({"x": pa.array(values, pa.int64())})


def values_of(source, **options):
    stage = FakeStage(**options)
    batches = run_operator(source.operator(), stage=stage).batches
    return pa.Table.from_batches(batches, schema=source.schema)["x"].to_pylist()


def test_items_of_every_kind_are_taken():
    items = [batch(1), pa.table({"x": [2]}), {"x": [3]}, {"x": pa.array([4], pa.int8())}, batch()]
    source = batches_source(items, SCHEMA)
    assert values_of(source) == [1, 2, 3, 4]
    assert values_of(source) == [1, 2, 3, 4]
    assert not source.one_shot


def test_iterators_are_read_once_and_functions_give_new_ones():
    async def numbers():
        for i in range(3):
            yield batch(i)

    assert batches_source(numbers(), SCHEMA).one_shot
    assert batches_source(iter([batch(1)]), SCHEMA).one_shot
    source = batches_source(numbers, SCHEMA)
    assert not source.one_shot
    assert values_of(source) == values_of(source) == [0, 1, 2]
    assert values_of(batches_source(lambda: (batch(i) for i in range(3)), SCHEMA)) == [0, 1, 2]


def test_large_items_are_cut():
    source = batches_source([pa.table({"x": range(100_000)})], SCHEMA)
    batches = run_operator(source.operator(), stage=FakeStage(batch_bytes=64 * KIB)).batches
    assert max(map(held_bytes, batches)) <= 2 * 64 * KIB
    assert pa.Table.from_batches(batches)["x"].to_pylist() == list(range(100_000))


@pytest.mark.parametrize(
    ("item", "found"),
    [
        ({"x": ["a"]}, "column 'x': expected int64"),
        ({"y": [1]}, "no such column"),
        (pa.table({"x": [1.5]}), "expected int64, found double"),
        ([1], "expected a batch, a table or a dictionary of arrays, found list"),
        (None, "found NoneType"),
    ],
)
def test_an_item_that_does_not_fit_is_named_by_its_number(item, found):
    source = batches_source([batch(1), item], SCHEMA)
    with pytest.raises(SchemaMismatch, match=f"from_batches, item 1.*{found}"):
        values_of(source)


def test_what_is_no_iterable_is_refused():
    for items in (3, batch(1), {"x": [1]}, "text"):
        with pytest.raises(PlanError):
            batches_source(items, SCHEMA)
    with pytest.raises(PlanError, match="schema="):
        batches_source([], None)


def test_an_error_of_the_iterable_passes():
    def broken():
        yield batch(1)
        raise KeyError("gone")

    with pytest.raises(KeyError, match="gone"):
        values_of(batches_source(broken, SCHEMA))


class Watched:
    """An iterator that says when it was closed, and in which thread it was pulled."""

    def __init__(self):
        self.closed = 0
        self.threads = set()

    def __iter__(self):
        return self

    def __next__(self):
        self.threads.add(threading.get_ident())
        return batch(1)

    def close(self):
        self.closed += 1


def test_a_sync_iterator_is_pulled_in_a_thread_and_closed_at_an_early_end():
    items = Watched()
    stage = FakeStage(threads=RealThreads())
    run_operator(batches_source(items, SCHEMA).operator(), stage=stage, limit=3)
    assert items.closed == 1
    assert threading.get_ident() not in items.threads
    assert set(stage.waits) == {Resource.NO_INPUT}
    items = Watched()
    out = run_operator(batches_source(items, SCHEMA).with_limit(2).operator())
    assert (len(out.batches), items.closed) == (2, 1)


def test_an_async_iterator_is_closed_on_cancellation():
    closed = []

    async def endless():
        try:
            while True:
                yield batch(1)
                await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.lowlevel.checkpoint()
            closed.append(True)

    async def main():
        with anyio.move_on_after(0.05) as scope:
            await drive(batches_source(endless(), SCHEMA).operator())
        assert scope.cancelled_caught

    anyio.run(main)
    assert closed == [True]
