"""The bridge: a kernel's pieces leave one by one, in order, and nothing is held that was not lent."""

from __future__ import annotations

import gc
import threading
import weakref
from contextlib import suppress
from dataclasses import dataclass, field

import anyio
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kit import Collected, FakeMemory, FakeStage, Feed, InlineThreads, RealThreads, drive, run_operator

from brim.events import Overshot, RowsFailed
from brim.operators.protocol import Foreseen, ReaderGone
from brim.operators.transform import Transform


def rows(count, first=0):
    return pa.record_batch({"x": np.arange(first, first + count)})


@dataclass
class Times:
    """Every batch `times` times; `alive` counts pieces that were made and not yet sent."""

    times: int
    made: list[int] = field(default_factory=list)
    failures: list[RowsFailed] = field(default_factory=list)
    parts: list[list[int]] = field(default_factory=list)

    def push(self, batch, piece_bytes):
        self.parts.append(batch["x"].to_pylist())
        for _ in range(self.times):
            self.made.append(batch.num_rows)
            yield pa.concat_batches([batch])
        self.failures.append(RowsFailed("x", 1, "no"))

    def finish(self, piece_bytes):
        return iter(())

    def drain_failures(self):
        failures, self.failures = self.failures, []
        return failures


@dataclass
class Total:
    """Keeps all, and sends the sum at the end; `done` after `enough` rows."""

    enough: int = 10**9
    total: int = 0
    seen: int = 0
    done: bool = False

    def push(self, batch, piece_bytes):
        self.total += sum(batch["x"].to_pylist())
        self.seen += batch.num_rows
        self.done = self.seen >= self.enough
        return iter(())

    def finish(self, piece_bytes):
        yield pa.record_batch({"x": [self.total]})


batches = st.lists(st.integers(0, 40), max_size=8).map(
    lambda sizes: [rows(size, sum(sizes[:place])) for place, size in enumerate(sizes)]
)


@settings(max_examples=80, deadline=None)
@given(batches, st.integers(0, 4), st.integers(1, 4), st.booleans(), st.sampled_from([64, 1000, 10**6]))
def test_the_pieces_leave_in_the_order_they_are_made(given_batches, times, threads, stateless, batch_bytes):
    stage = FakeStage(batch_bytes=batch_bytes, threads=InlineThreads(threads))
    kernel = Times(times)
    out = run_operator(Transform(lambda: kernel, stateless=stateless), given_batches, stage=stage)
    got = [value for batch in out.batches for value in batch["x"].to_pylist()]
    parts = sorted(kernel.parts)  # calls under way may begin in another order than they are sent
    assert got == [value for part in parts for _ in range(times) for value in part]
    assert [value for part in parts for value in part] == list(range(sum(map(len, given_batches))))
    assert stage.memory.lent == 0


def wide():
    """One row of 800 bytes: not small beside batches of 1,000."""
    return pa.record_batch({"x": [list(range(100))]})


def test_a_piece_is_made_only_when_the_one_before_has_been_sent():
    kernel = Times(5)
    seen = []

    class Slow(Collected):
        async def send(self, batch):
            seen.append(len(kernel.made))
            await super().send(batch)

    async def main():
        await Transform(lambda: kernel).run([Feed([wide()])], Slow(), FakeStage(batch_bytes=1000))

    anyio.run(main)
    assert seen == [1, 2, 3, 4, 5]


def test_a_piece_that_was_sent_and_dropped_does_not_lie_beside_the_next_one_in_the_making():
    made, alive = [], []

    class Watched:
        def push(self, batch, piece_bytes):
            for _ in range(4):
                alive.append(sum(piece() is not None for piece in made))
                piece = pa.concat_batches([batch])
                made.append(weakref.ref(piece))
                yield piece
                del piece

        def finish(self, piece_bytes):
            return iter(())

    class Dropped:
        async def send(self, batch):
            await anyio.lowlevel.checkpoint()

    async def main():
        await Transform(Watched).run([Feed([wide()])], Dropped(), FakeStage(batch_bytes=1000))

    anyio.run(main)
    assert alive == [0, 0, 0, 0]


@pytest.mark.parametrize("end", ["fails", "cancelled"])
def test_calls_that_are_left_in_the_middle_keep_no_batch(end):
    """Not until the garbage collector comes by: their loans are repaid at once."""
    made, ended = [], []

    class Watched:
        def push(self, batch, piece_bytes):
            try:
                for _ in range(4):
                    piece = pa.concat_batches([batch])
                    made.append(weakref.ref(piece))
                    yield piece
                    del piece
            finally:
                ended.append(1)

        def finish(self, piece_bytes):
            return iter(())

    class Stuck:
        async def send(self, batch):
            del batch
            await anyio.wait_all_tasks_blocked()
            if end == "fails":
                raise ValueError
            scope.cancel()
            await anyio.sleep_forever()

    async def main():
        stage = FakeStage(threads=InlineThreads(3), batch_bytes=1000)
        with suppress(ExceptionGroup):
            await Transform(Watched, stateless=True).run([Feed([wide()] * 3)], Stuck(), stage)

    async def cancelled():
        nonlocal scope
        with anyio.CancelScope() as scope:
            await main()

    scope = None
    gc.disable()
    try:
        anyio.run(cancelled)
        assert (len(made), len(ended)) == (3, 3)
        assert [piece() for piece in made[1:]] == [None, None], "the first was on its way to the reader"
    finally:
        gc.enable()


def test_a_call_behind_the_head_makes_what_its_loan_pays_for():
    kernel = Times(9)
    made = []

    class Blocked(Collected):
        async def send(self, batch):
            await anyio.sleep(0.01)
            made.append(len(kernel.made))
            await super().send(batch)

    async def main(batch_bytes):
        made.clear()
        kernel.made.clear()
        stage = FakeStage(threads=InlineThreads(3), batch_bytes=batch_bytes)
        await Transform(lambda: kernel, stateless=True).run([Feed([wide()] * 4)], Blocked(), stage)

    anyio.run(main, 1000)
    assert made[0] == 3, "the head's first, and one each of the two behind it"
    anyio.run(main, 3200)
    assert made[0] == 3 * 3, "three of 800 bytes each"


def test_small_pieces_of_a_call_are_joined():
    out = run_operator(Transform(lambda: Times(100)), [rows(10)], stage=FakeStage(batch_bytes=3_200))
    assert [batch.num_rows for batch in out.batches] == [100] * 10
    assert out.table()["x"].to_pylist() == list(range(10)) * 100


def test_small_batches_that_wait_are_read_as_one():
    class Waiting(Feed):
        def take_nowait(self, most_bytes):
            if self.taken == len(self.batches) or self.batches[self.taken].nbytes > most_bytes:
                return None
            self.taken += 1
            return self.batches[self.taken - 1]

    async def main(sizes):
        kernel, out = Times(1), Collected()
        await Transform(lambda: kernel).run([Waiting([rows(n) for n in sizes])], out, FakeStage(batch_bytes=64_000))
        return [len(part) for part in kernel.parts]

    assert sum(anyio.run(main, [100, 200, 300, 400, 500])[:2]) == 1500, "a probe, and all the rest at once"
    assert anyio.run(main, [100, 7_999])[0] == 100, "one that is not small waits"


def test_a_kernel_with_state_is_asked_for_the_rest_at_the_end_and_is_new_in_each_run():
    operator = Transform(Total)
    for _ in range(2):
        assert run_operator(operator, [rows(4), rows(3, 4)]).table()["x"].to_pylist() == [21]


def test_a_kernel_that_has_enough_ends_the_reading():
    feed = Feed([rows(4) for _ in range(10)])

    async def main():
        out = Collected()
        await Transform(lambda: Total(enough=4)).run([feed], out, FakeStage())
        return out.batches

    assert anyio.run(main) == []
    assert feed.taken == 1


def test_several_calls_compute_at_once_in_threads():
    barrier = threading.Barrier(3)

    class Together:
        def push(self, batch, piece_bytes):
            barrier.wait(5)  # broken unless three are here at the same time
            yield batch

        def finish(self, piece_bytes):
            return iter(())

    stage = FakeStage(threads=RealThreads(3))
    out = run_operator(Transform(Together, stateless=True), [rows(1, n) for n in range(6)], stage=stage)
    assert out.table()["x"].to_pylist() == list(range(6))


def test_calls_beyond_the_window_wait_until_something_is_repaid():
    memory = FakeMemory(window_bytes=1_000, work_limit=0)
    stage = FakeStage(memory=memory, threads=InlineThreads(4), batch_bytes=1_600)
    run_operator(Transform(lambda: Times(1), stateless=True), [rows(100, n) for n in range(9)], stage=stage)
    assert memory.peak <= 1_600 + 800, "one call's input and output"
    assert memory.lent == 0


@pytest.mark.parametrize("stateless", [False, True])
def test_what_a_kernel_raises_comes_out_and_its_loans_come_back_with_the_stage(stateless):
    class Broken:
        def push(self, batch, piece_bytes):
            yield batch
            raise ValueError("no")

        def finish(self, piece_bytes):
            return iter(())

    with pytest.raises((ValueError, BaseExceptionGroup)) as failed:
        run_operator(Transform(Broken, stateless=stateless), [rows(3)])
    assert isinstance(failed.value, ValueError) or failed.group_contains(ValueError)


@pytest.mark.parametrize("stateless", [False, True])
def test_a_reader_that_leaves_ends_the_reading(stateless):
    feed = Feed([rows(1, n) for n in range(100)])

    async def main():
        with pytest.raises((ReaderGone, BaseExceptionGroup)) as left:
            await Transform(lambda: Times(1), stateless=stateless).run([feed], Collected(limit=3), FakeStage())
        assert isinstance(left.value, ReaderGone) or left.group_contains(ReaderGone)

    anyio.run(main)
    assert feed.taken < 10


def test_rows_a_kernel_left_out_are_told():
    stage = FakeStage()

    async def main():
        await drive(Transform(lambda: Times(1)), [rows(3), rows(3)], stage=stage)

    anyio.run(main)
    assert stage.facts
    assert set(stage.facts) == {RowsFailed("x", 1, "no")}


def test_a_piece_that_pins_much_more_than_itself_is_copied():
    class Few:
        def push(self, batch, piece_bytes):
            yield batch.slice(0, 1)

        def finish(self, piece_bytes):
            return iter(())

    (piece,) = run_operator(Transform(Few), [rows(1)]).batches
    assert piece.get_total_buffer_size() < 5_000
    (piece, *_) = run_operator(Transform(Few), [rows(100_000)], stage=FakeStage(batch_bytes=10**7)).batches
    assert piece.get_total_buffer_size() < 5_000


def test_what_it_says_it_holds_is_a_batch_and_its_window():
    operator = Transform(Total)
    assert operator.floor_bytes(1_000) == 1_000 + operator.window_bytes(1_000) == 3_000


@dataclass
class Foreseeing:
    """Each row makes as many bytes as it says; what was foreseen is kept."""

    row_bytes: int = 0
    seen: list[int] = field(default_factory=list)

    def within(self, row_bytes):
        return Foreseeing(row_bytes, self.seen)

    def foresee(self, batch):
        sizes = batch["x"].to_pylist()
        return Foreseen(sum(sizes), max(sizes), 7)

    def push(self, batch, piece_bytes):
        assert self.row_bytes, "asked for within the limit of a row"
        self.seen.append(sum(batch["x"].to_pylist()))
        yield pa.record_batch({"x": [b"x" * size for size in batch["x"].to_pylist()]})

    def finish(self, piece_bytes):
        return iter(())


def test_a_kernel_that_foresees_is_cut_and_paid_for_before_its_first_batch():
    kernel, memory = Foreseeing(), FakeMemory(row_limit=5_000)
    stage = FakeStage(memory=memory, batch_bytes=1_000, threads=InlineThreads(1))
    sizes = [10] * 50 + [900] * 4 + [4_000] + [0] * 5
    out = run_operator(Transform(lambda: kernel, stateless=True), [pa.record_batch({"x": sizes})], stage=stage)
    assert [len(value) for value in out.table()["x"].to_pylist()] == sizes
    assert all(made <= 2_000 or made == 4_000 for made in kernel.seen), kernel.seen
    assert 4_007 <= memory.peak <= 4_007 + 1_000
    assert memory.lent == 0
    assert not [fact for fact in stage.facts if isinstance(fact, Overshot)], "nothing was a surprise"
