"""Pieces: a batch cut to what may be in hand at once. Copies, so it is for threads."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from brim.sizes import cut, held_bytes, owned


def pieces(batch: pa.RecordBatch, piece_bytes: int) -> Iterator[pa.RecordBatch]:
    """`batch` in slices of about `piece_bytes`, none of which keeps the others alive; made one by one."""
    if held_bytes(batch) <= piece_bytes:
        if batch.num_rows:
            yield batch
        return
    yield from map(owned, cut(batch, piece_bytes))
