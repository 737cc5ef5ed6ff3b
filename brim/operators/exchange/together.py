"""Several batches as one."""

from __future__ import annotations

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
