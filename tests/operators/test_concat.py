"""Concat: one input after another, and none before its turn."""

import anyio
import pyarrow as pa
import pytest
from kit import Collected, FakeStage, Feed, drive, run_operator

from brim.operators.concat import Concat
from brim.operators.protocol import ReaderGone


def batches(*numbers):
    return [pa.record_batch({"n": [n]}) for n in numbers]


def test_inputs_follow_each_other():
    out = run_operator(Concat(), batches(1, 2), [], batches(3), batches(4, 5))
    assert out.table().column("n").to_pylist() == [1, 2, 3, 4, 5]


def test_no_input_is_nothing():
    assert run_operator(Concat()).batches == []


def test_an_input_is_not_asked_before_its_turn():
    first, second = Feed(batches(1, 2, 3)), Feed(batches(4))

    async def main():
        with pytest.raises(ReaderGone):
            await Concat().run([first, second], Collected(limit=2), FakeStage())

    anyio.run(main)
    assert first.taken == 3
    assert second.taken == 0


def test_a_reader_that_has_gone_ends_it():
    out = anyio.run(lambda: drive(Concat(), batches(1, 2), batches(3), limit=1))
    assert out.table().column("n").to_pylist() == [1]


def test_it_holds_one_batch():
    assert Concat().floor_bytes(1000) == 1000
    assert Concat().window_bytes(1000) == 0
