"""The batch of rows whose bodies are there. One body is taken as it is, several are copied once into one buffer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from brim.operators.downloads.body_memory import BodyMemory
from brim.operators.downloads.window import Row
from brim.sizes import owned


def build_batch(rows: Sequence[Row], output: str, schema: pa.Schema | None) -> pa.RecordBatch:
    """The batch of consecutive `rows` of one source and their bodies as `output`, with the columns of `schema`."""
    batch = rows[0].source.batch.slice(rows[0].index, len(rows))
    if schema is None:
        schema = _with_output(batch.schema, output)
    passing = owned(batch.select([name for name in schema.names if name != output]))
    arrays = [_bodies(rows) if name == output else passing.column(name) for name in schema.names]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _with_output(schema: pa.Schema, output: str) -> pa.Schema:
    field, position = pa.field(output, pa.large_binary()), schema.get_field_index(output)
    return schema.append(field) if position < 0 else schema.set(position, field)


def _bodies(rows: Sequence[Row]) -> pa.Array:
    """The bodies of `rows`: one is taken as it is, several are copied once into one buffer."""
    lengths = np.fromiter((row.length for row in rows), np.int64, len(rows))
    offsets = np.zeros(len(rows) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    valid = np.fromiter((row.url is not None and row.error is None for row in rows), np.bool_, len(rows))
    validity = None if valid.all() else pa.py_buffer(np.packbits(valid, bitorder="little"))
    data = rows[0].body if len(rows) == 1 else _joined(rows, offsets)
    buffers = [validity, pa.py_buffer(offsets), data or pa.allocate_buffer(0)]
    return pa.Array.from_buffers(pa.large_binary(), len(rows), buffers)


def _joined(rows: Sequence[Row], offsets: np.ndarray[tuple[int], np.dtype[np.int64]]) -> pa.Buffer:
    joined = BodyMemory.of(int(offsets[-1]))
    for row, start in zip(rows, offsets.tolist(), strict=False):
        if row.body is not None:
            joined.view[start : start + row.length] = memoryview(row.body).cast("B")
    return joined.finish(joined.size)
