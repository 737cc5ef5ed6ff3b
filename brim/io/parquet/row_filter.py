"""Row filter: the part of a filter that the reader applies itself, before it checks and passes on what it decoded.

Rows that nobody wants are then neither validated nor carried through a queue. The filter above stays: it does the rest,
and it says what is wrong where a predicate has no value. So only comparisons and tests of stored columns are taken,
which have a value for every row; where one fails all the same, the batch passes whole.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import reduce

import pyarrow as pa
import pyarrow.compute as pc

from brim.arrow_pool import arrow_pool
from brim.errors import BrimError
from brim.io.files.normalise import conform
from brim.io.parquet.prune import conjuncts
from brim.operators.expressions.evaluate import evaluate
from brim.operators.expressions.tree import Call, Column, Literal, Tree, columns_of, walk

_COMPARISONS = {"equal", "not_equal", "less", "less_equal", "greater", "greater_equal", "eq_missing"}
_SURE = _COMPARISONS | {"is_between", "is_in", "is_null", "is_not_null", "and", "or", "not"}


@dataclass(frozen=True, slots=True)
class RowFilter:
    """A predicate, and the columns it reads with their types."""

    predicate: Tree
    schema: pa.Schema

    def keep(self, batch: pa.RecordBatch, *, trusted: bool) -> pa.RecordBatch:
        """The rows of `batch` that pass; what the predicate reads is validated first, unless it is `trusted`."""
        read = batch.select(self.schema.names)
        if not trusted:
            read.validate(full=True)
        try:
            kept = evaluate(self.predicate, conform(read, self.schema))
        except BrimError:
            return batch
        rows = pc.sum(kept, min_count=0).as_py()
        if rows == batch.num_rows:
            return batch
        return pc.filter(batch, kept, memory_pool=arrow_pool()) if rows else batch.slice(0, 0)


def row_filter(predicates: Collection[Tree], stored: pa.Schema) -> RowFilter | None:
    """What of `predicates` can be applied to the columns `stored` of a file; None where nothing can."""
    parts = [part for predicate in predicates for part in conjuncts(predicate) if _is_sure(part, stored)]
    if not parts:
        return None
    predicate = reduce(lambda left, right: Call("and", (left, right)), parts)
    return RowFilter(predicate, pa.schema([stored.field(name) for name in dict.fromkeys(columns_of(predicate))]))


def _is_sure(predicate: Tree, stored: pa.Schema) -> bool:
    """Whether `predicate` has a value for every row, whatever it is, and costs little; nested types cost more."""
    for tree in walk(predicate):
        match tree:
            case Column(name=name) if name in stored.names and not pa.types.is_nested(stored.field(name).type):
                pass
            case Call(function=function) if function in _SURE:
                pass
            case Literal():
                pass
            case _:
                return False
    return bool(columns_of(predicate))
