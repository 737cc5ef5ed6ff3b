"""Pieces: what a call made, cut to what a batch may weigh, each a copy, because a slice would pin the whole."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pyarrow as pa

from brim.operators.protocol import Stage
from brim.sizes import cut, owned


async def pieces_of(batch: pa.RecordBatch, stage: Stage) -> AsyncIterator[pa.RecordBatch]:
    """`batch` in pieces of about `batch_bytes`, of which one exists at a time."""
    for piece in cut(batch, stage.batch_bytes):
        yield piece if piece.num_rows == batch.num_rows else await stage.threads.run(owned, piece)
