"""Functions that want more memory than there is, in real runs: slowed, recycled or ended, and the tree stays within.

Each test runs a whole engine with real worker processes, and measures the tree by itself every two milliseconds.
"""

from __future__ import annotations

import gc
from dataclasses import dataclass
from typing import Any

import anyio
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hungry import (
    HUNGRY,
    ID,
    by_rows,
    by_square,
    careless,
    fixed,
    greedy,
    huge,
    hungry_row,
    lazy,
    leaking,
    leaking_batches,
    many_small,
    model_in_call,
    model_too_large,
    reserving,
    some_hungry,
    thrice,
    yielding,
)
from tree_watch import tree_watched

import brim
from brim import col
from brim.errors import StageFailed, UdfMemoryExceeded, WorkerDied
from brim.sizes import MIB

INEXACT_SHARE = 16
"""What may be seen beyond the memory, for the watch counts too much at times: a process that ends in full until the last
of it is free, and one that was just forked with what it shares. The groups of test_in_a_memory_group.py are exact."""

SCHEMA = pa.schema([(ID, pa.int64()), ("made", pa.int64())])


@dataclass
class Ran:
    """What became of a run: its rows or its error, by how much the tree grew, and what was told."""

    table: pa.Table | None
    error: BaseException | None
    growth: int
    events: list[dict[str, Any]]

    def count(self, event: str, **fields: Any) -> int:
        """How many events there were of a kind, with these fields."""
        found = [e for e in self.events if e["event"] == event and fields.items() <= e.items()]
        return len(found)

    def times(self, action: str) -> int:
        """How often this was done about the memory of a worker."""
        return sum(event.get(action, 0) for event in self.events if event["event"] == "worker.memory")

    @property
    def workers(self) -> int:
        return self.count("worker.start")


def ran(pipeline: brim.Pipeline, memory: int, *, processes: int = 2) -> Ran:
    """Run it in an engine of its own with `memory` bytes, which the tree may not exceed, whatever comes of it."""
    events: list[dict[str, Any]] = []

    async def main() -> pa.Table:
        limits = {"memory": memory, "processes": processes, "max_runs": 1, "on_event": events.append}
        async with brim.Engine(**limits) as engine, engine.stream(pipeline) as batches:
            made = [batch async for batch in batches]
        return pa.Table.from_batches(made) if made else None

    gc.collect()
    table, error = None, None
    with tree_watched() as watch:
        try:
            table = anyio.run(main)
        except StageFailed as failed:
            error = failed.__cause__
    most = memory + memory // INEXACT_SHARE
    assert watch.growth <= most, f"grew by {watch.growth / MIB:.1f} MiB of {memory / MIB:.0f}"
    return Ran(table, error, watch.growth, events)


def mapped(function: Any, rows: int, **options: Any) -> brim.Pipeline:
    """Each id and what `function` makes of it."""
    made = brim.udf(function, returns=pa.int64(), **options)
    return brim.range(rows).with_columns(made=made(col(ID)))


def check_whole(outcome: Ran, rows: int) -> None:
    """Every row is there once, in order, with its result."""
    assert outcome.error is None, outcome.error
    assert outcome.table is not None
    assert outcome.table[ID].to_pylist() == list(range(rows))
    assert outcome.table["made"].equals(pc.multiply(outcome.table[ID], 2))


def test_a_function_that_leaks_fifty_megabytes_a_batch_has_its_workers_recycled():
    outcome = ran(mapped(leaking, 12_000, batch_size=1000), 256 * MIB)
    check_whole(outcome, 12_000)
    assert outcome.times("recycled") >= 2
    assert outcome.count("worker.restart", cause="recycled") >= 1
    assert all(event["deaths"] == 0 for event in outcome.events if event["event"] == "worker.restart")


def test_what_takes_memory_by_the_row_gets_fewer_rows_than_it_asked_for():
    outcome = ran(mapped(by_rows, 12_000, batch_size=100_000), 256 * MIB)
    check_whole(outcome, 12_000)
    (first, *_) = [event for event in outcome.events if event["event"] == "batch.resize"]
    assert first["rows"] < 2000, "it asked for 100,000, which would be 10 GB"
    assert outcome.times("killed") <= 2


def test_what_takes_memory_by_the_square_of_its_rows_gets_few_rows():
    outcome = ran(mapped(by_square, 20_000, batch_size=20_000), 256 * MIB)
    check_whole(outcome, 20_000)
    assert outcome.count("batch.resize") >= 1
    assert outcome.times("killed") <= 3


def test_what_needs_three_times_what_it_declared_is_called_by_fewer_workers():
    outcome = ran(mapped(thrice, 12_000, memory="50MB", batch_size=1000), 256 * MIB)
    check_whole(outcome, 12_000)
    assert outcome.times("killed") <= 3


def test_what_is_loaded_in_the_first_call_is_no_leak():
    outcome = ran(mapped(lazy, 40_000, batch_size=1000), 256 * MIB)
    check_whole(outcome, 40_000)
    assert outcome.workers <= 3
    assert (outcome.times("recycled"), outcome.times("killed")) == (0, 0)


def test_a_model_that_is_loaded_in_the_first_call_and_fits_once_is_loaded_by_one_worker():
    outcome = ran(mapped(model_in_call, 40_000, batch_size=1000), 256 * MIB)
    check_whole(outcome, 40_000)
    assert outcome.workers <= 2
    assert outcome.times("killed") <= 1


def test_a_model_that_cannot_fit_is_said_to_be_loaded_in_the_first_call():
    outcome = ran(mapped(model_too_large, 20_000, batch_size=1000), 256 * MIB)
    assert isinstance(outcome.error, UdfMemoryExceeded)
    assert "in its first call" in outcome.error.reason
    assert "load what it keeps in `__init__`" in outcome.error.reason
    assert outcome.error.peak_bytes > 100 * MIB
    assert outcome.times("killed") <= 12, "of 20 batches, no row of which fits"


def test_what_takes_the_same_whatever_it_gets_keeps_its_batches():
    outcome = ran(mapped(fixed, 100_000, batch_size=5000), 192 * MIB)
    check_whole(outcome, 100_000)
    assert outcome.times("killed") == 0
    calls = sum(event.get("calls", 0) for event in outcome.events if event["event"] == "udf.calls")
    assert calls <= 60, "it is no use to give it fewer rows"


def test_one_allocation_that_cannot_fit_fails_at_its_line_and_costs_nothing():
    outcome = ran(mapped(huge, 4000, batch_size=1000), 256 * MIB)
    assert isinstance(outcome.error, UdfMemoryExceeded)
    assert "MemoryError" in outcome.error.reason
    assert "np.ones(1000 * MB // 8)" in outcome.error.traceback
    assert outcome.growth < 128 * MIB


def test_many_small_allocations_that_cannot_fit_end_the_run_with_what_its_worker_held():
    outcome = ran(mapped(many_small, 2000, batch_size=64), 256 * MIB)
    assert isinstance(outcome.error, UdfMemoryExceeded)
    assert outcome.error.peak_bytes > 100 * MIB
    assert "give the engine more memory" in outcome.error.reason
    assert "np.ones" in outcome.error.traceback, "the line that asked for what was not there"
    assert outcome.times("killed") < 5, "two that begin before anything is known"


def test_native_code_that_ignores_that_memory_is_short_is_ended():
    outcome = ran(mapped(careless, 64, batch_size=32), 256 * MIB)
    assert isinstance(outcome.error, UdfMemoryExceeded | WorkerDied), "it writes where no memory is"
    assert outcome.count("worker.restart", cause="SIGSEGV") >= 1


def test_what_reserves_more_than_it_uses_is_let_go_on():
    outcome = ran(mapped(reserving, 4000, batch_size=1000), 256 * MIB)
    check_whole(outcome, 4000)
    assert outcome.times("killed") == 0


def test_what_reserves_much_and_uses_it_is_ended_and_limited_from_then_on():
    outcome = ran(mapped(greedy, 64, batch_size=32), 256 * MIB)
    assert isinstance(outcome.error, UdfMemoryExceeded)
    assert outcome.times("killed") >= 1


@pytest.mark.parametrize("on_error", ["null", "drop"])
def test_a_hungry_row_costs_itself_and_its_neighbours_keep_their_results(on_error, tmp_path):
    pipeline = mapped(some_hungry, 640, batch_size=16, on_error=on_error, dead_letter=tmp_path)
    outcome = ran(pipeline, 192 * MIB)
    assert outcome.error is None, outcome.error
    made = dict(zip(outcome.table[ID].to_pylist(), outcome.table["made"].to_pylist(), strict=True))
    null = {300: None} if on_error == "null" else {}
    assert made == {row: 2 * row for row in range(640) if row != 300} | null
    letters = pq.read_table(tmp_path).to_pylist()
    assert [letter[ID] for letter in letters] == [300]
    assert "UdfMemoryExceeded" in letters[0]["error"]
    assert outcome.times("killed") < 3, "it fails at its line"


def test_hungry_rows_of_a_row_function_fail_by_themselves(tmp_path):
    function = brim.row_udf(hungry_row, returns=pa.int64(), on_error="null", dead_letter=tmp_path)
    outcome = ran(brim.range(640).with_columns(made=function(col(ID))), 192 * MIB)
    assert outcome.error is None, outcome.error
    made = outcome.table["made"].to_pylist()
    assert made == [None if row in HUNGRY else 2 * row for row in range(640)]
    letters = pq.read_table(tmp_path).to_pylist()
    assert sorted(letter[ID] for letter in letters) == list(HUNGRY)
    assert all(letter["error"].startswith("UdfMemoryExceeded") for letter in letters)
    assert outcome.workers <= 2


@pytest.mark.parametrize("function", [leaking_batches, yielding])
def test_functions_of_whole_batches_stay_within_memory_too(function):
    pipeline = brim.range(10_000).map_batches(function, schema=SCHEMA, batch_size=1000)
    outcome = ran(pipeline, 256 * MIB)
    check_whole(outcome, 10_000)


def test_a_leak_in_one_call_after_another_in_a_single_worker_is_let_go_between_them():
    outcome = ran(mapped(leaking, 8000, batch_size=1000, concurrency=1), 192 * MIB)
    check_whole(outcome, 8000)
    assert outcome.times("recycled") + outcome.times("killed") >= 2


def test_what_lacks_memory_at_every_row_costs_no_workers():
    outcome = ran(mapped(many_small, 500, batch_size=1, on_error="null"), 160 * MIB)
    assert outcome.error is None, outcome.error
    assert outcome.table["made"].null_count == 500
    assert outcome.times("killed") == 0, "each fails at its line"
