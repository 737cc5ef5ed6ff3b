"""Pieces: a batch cut to what may be in hand at once. Copies, so it is for threads."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from brim.io.files.normalise import conform
from brim.sizes import cut, held_bytes, owned

_PROBE_ROWS = 256


def pieces(batch: pa.RecordBatch, piece_bytes: int) -> Iterator[pa.RecordBatch]:
    """`batch` in slices of about `piece_bytes`, none of which keeps the others alive; made one by one."""
    if held_bytes(batch) <= piece_bytes:
        if batch.num_rows:
            yield batch
        return
    yield from map(owned, cut(batch, piece_bytes))


def plain_pieces(batch: pa.RecordBatch, schema: pa.Schema, piece_bytes: int) -> Iterator[pa.RecordBatch]:
    """`batch` as `schema` has it, in pieces; a batch that must be decoded is decoded a few rows at a time.

    A dictionary counts whole in every slice, so slices do not say what their rows decode to: a small probe does.
    """
    if all(batch.schema.field(item.name).type.equals(item.type) for item in schema):
        yield from pieces(conform(batch, schema), piece_bytes)
        return
    start, rows = 0, _PROBE_ROWS
    while start < batch.num_rows:
        part = conform(batch.slice(start, rows), schema)
        start += part.num_rows
        rows = max(1, int(piece_bytes * part.num_rows / max(1, part.nbytes)))
        yield from pieces(part, piece_bytes)
