"""Project: compute columns from columns.

Input    batches of any size
Output   one batch for each batch read, of exactly the declared schema
Order    kept
Holds    the batch just read and what is computed from it
Fails    with `ExpressionFailed` when an expression has no value for a row
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa

from brim.operators.expressions.cast import cast
from brim.operators.expressions.evaluate import evaluate
from brim.operators.expressions.tree import Tree


@dataclass(frozen=True, slots=True)
class Project:
    """A kernel without state: `expressions` are (name, tree) in the order of the fields of `schema`."""

    expressions: tuple[tuple[str, Tree], ...]
    schema: pa.Schema

    def push(self, batch: pa.RecordBatch, piece_bytes: int) -> Iterator[pa.RecordBatch]:  # noqa: ARG002 - see Output
        if batch.num_rows:
            columns = [
                cast(evaluate(tree, batch), field.type)
                for (_, tree), field in zip(self.expressions, self.schema, strict=True)
            ]
            yield pa.RecordBatch.from_arrays(columns, schema=self.schema)

    def finish(self, piece_bytes: int) -> Iterator[pa.RecordBatch]:  # noqa: ARG002 - nothing is kept back
        return iter(())
