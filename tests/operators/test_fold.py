"""Fold: what several calls aggregate is what one kernel would have, in the order of the batches."""

from __future__ import annotations

from itertools import zip_longest

import pyarrow as pa
import pytest

from brim.operators.aggregate import AggregateAll, folds
from brim.operators.fold import Fold
from brim.pipeline.expr import col, len_

BATCHES = [pa.record_batch({"x": [n, None, 10 * n], "s": [f"a{n}", None, f"z{n}"]}) for n in range(5)]
EXPRESSIONS = tuple(
    (expr.name, expr.tree)
    for expr in (
        col("x").sum(),
        col("x").mean().alias("mean"),
        col("x").std().alias("std"),
        col("s").max(),
        col("s").first().alias("first"),
        col("s").last().alias("last"),
        len_(),
    )
)


class Halves:
    """Each batch in two pieces, and one more at the end."""

    def push(self, batch, piece_bytes):
        yield batch.slice(0, 1)
        yield batch.slice(1)

    def finish(self, piece_bytes):
        yield BATCHES[0]


def whole(batches):
    kernel = AggregateAll(EXPRESSIONS, BATCHES[0].schema)
    for batch in batches:
        list(kernel.push(batch, 1))
    return next(kernel.finish(1)).to_pylist()


def fold():
    return Fold(Halves(), AggregateAll(EXPRESSIONS, BATCHES[0].schema))


@pytest.mark.parametrize("order", [(0, 1, 2, 3, 4), (4, 3, 2, 1, 0), (2, 0, 4, 1, 3)])
def test_calls_may_end_in_any_order(order):
    kernel = fold()
    calls = [kernel.push(batch, 1) for batch in BATCHES]
    for number in order:
        assert all(piece.num_rows == 0 for piece in calls[number])
    (row,) = kernel.finish(1)
    assert row.to_pylist() == whole([*BATCHES, BATCHES[0]])


def test_calls_may_take_turns():
    kernel = fold()
    for _ in zip_longest(*[kernel.push(batch, 1) for batch in BATCHES]):
        pass
    assert next(kernel.finish(1)).to_pylist() == whole([*BATCHES, BATCHES[0]])


def test_only_aggregates_that_keep_little_fold():
    assert folds(EXPRESSIONS)
    assert not folds((*EXPRESSIONS, ("l", (col("s").list().list.len() + len_()).tree)))
    assert not folds((("n", col("s").count_distinct().tree),))
