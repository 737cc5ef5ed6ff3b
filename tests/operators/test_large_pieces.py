"""What a kernel made far larger than it should goes downstream by parts that own their memory."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
from kit import FakeStage, run_operator

from brim.operators.transform import Transform
from brim.sizes import KIB, held_bytes


@dataclass
class Jumping:
    """A kernel that heeds no size: small rows as they are, each large one 100 times."""

    def push(self, batch, piece_bytes):
        yield pa.concat_batches([batch] * (1 if batch["x"][0].as_py() < 30_000 else 100))

    def finish(self, piece_bytes):
        return iter(())


def test_a_piece_that_is_far_too_large_is_sent_in_parts():
    """Nobody could foresee it, and as a whole it would have to pass as one row that is too large."""
    stage = FakeStage(batch_bytes=64 * KIB)
    given = [pa.record_batch({"x": pa.array(range(at, at + 5_000))}) for at in range(0, 60_000, 5_000)]
    out = run_operator(Transform(Jumping), given, stage=stage)
    assert max(held_bytes(piece) for piece in out.batches) <= 2 * stage.batch_bytes
    assert len(out.table()) == 30_000 + 30_000 * 100
    assert stage.memory.peak > 3_900_000  # the truth was lent when it was there


def test_a_single_row_goes_as_it_is():
    stage = FakeStage(batch_bytes=KIB)
    given = pa.record_batch({"x": ["·" * 9_000]})

    @dataclass
    class Same(Jumping):
        def push(self, batch, piece_bytes):
            yield batch

    assert run_operator(Transform(Same), [given], stage=stage).batches == [given]
