"""Several batches as one."""

from __future__ import annotations

from collections.abc import Collection

import pyarrow as pa

from brim.arrow_pool import arrow_pool
from brim.operators.exchange.nulls import nulls


def together(schema: pa.Schema, batches: list[pa.RecordBatch]) -> pa.RecordBatch:
    """`batches` of `schema`, which are let go, as one batch; for a moment both are there."""
    if not batches:
        return pa.RecordBatch.from_arrays([nulls(0, field.type) for field in schema], schema=schema)
    whole = batches[0] if len(batches) == 1 else pa.concat_batches(batches, memory_pool=arrow_pool())
    batches.clear()
    return whole


class Columns:
    """Some columns of `batches`, which are let go: each is put together when it is taken, and let go itself."""

    def __init__(self, schema: pa.Schema, batches: list[pa.RecordBatch], keep: Collection[str]) -> None:
        self.schema = schema
        self._parts = {name: [batch[name] for batch in batches] for name in keep}
        batches.clear()

    def take(self, name: str) -> pa.Array:
        """One of them, once."""
        parts = self._parts.pop(name)
        if not parts:
            return nulls(0, self.schema.field(name).type)
        return parts[0] if len(parts) == 1 else pa.concat_arrays(parts, memory_pool=arrow_pool())
