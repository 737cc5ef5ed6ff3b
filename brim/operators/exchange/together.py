"""Several batches as one."""

from __future__ import annotations

import pyarrow as pa

from brim.arrow_pool import arrow_pool


def together(schema: pa.Schema, batches: list[pa.RecordBatch]) -> pa.RecordBatch:
    """`batches` of `schema`, which are let go, as one batch; for a moment both are there."""
    if not batches:
        columns = [column.combine_chunks() for column in schema.empty_table().columns]
        return pa.RecordBatch.from_arrays(columns, schema=schema)
    whole = batches[0] if len(batches) == 1 else pa.concat_batches(batches, memory_pool=arrow_pool())
    batches.clear()
    return whole
