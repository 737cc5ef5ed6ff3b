"""Functions that want more memory than there is. Workers import this file: it imports little."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

MB, MIB = 1_000_000, 1 << 20
ID = "id"
HUNGRY = (70, 71, 300)
KEPT: list[Any] = []


def leaking(ids: pa.Array) -> pa.Array:
    KEPT.append(np.ones(50 * MB // 8))
    return pc.multiply(ids, 2)


def by_rows(ids: pa.Array) -> pa.Array:
    """100 kB a row: twice as much for twice as many."""
    np.ones((len(ids), 12_500))
    return pc.multiply(ids, 2)


def by_square(ids: pa.Array) -> pa.Array:
    """64 bytes for each pair of rows."""
    np.ones((len(ids), len(ids) * 8))
    return pc.multiply(ids, 2)


def thrice(ids: pa.Array) -> pa.Array:
    np.ones(150 * MB // 8)
    return pc.multiply(ids, 2)


def lazy(ids: pa.Array) -> pa.Array:
    """Loads 60 MB for good when it is first called."""
    if not KEPT:
        KEPT.append(np.ones(60 * MB // 8))
    return pc.multiply(ids, 2)


def fixed(ids: pa.Array) -> pa.Array:
    np.ones(40 * MB // 8)
    return pc.multiply(ids, 2)


def huge(ids: pa.Array) -> pa.Array:
    np.ones(1000 * MB // 8)
    return ids


def many_small(ids: pa.Array) -> pa.Array:
    held = [np.ones(5 * MB // 8) for _ in range(200)]
    return pc.add(ids, len(held))


def careless(ids: pa.Array) -> pa.Array:
    """Native code that does not look whether it was given what it asked for."""
    libc = ctypes.CDLL(None)
    libc.malloc.restype = ctypes.c_void_p
    for _ in range(400):
        place = libc.malloc(ctypes.c_size_t(2 * MIB))
        libc.memset(ctypes.c_void_p(place), 1, ctypes.c_size_t(2 * MIB))
    return ids


def reserving(ids: pa.Array) -> pa.Array:
    """Asks for 400 MB, as arenas do, and uses a little of it."""
    reserved = np.empty(400 * MB, np.uint8)
    reserved[:MIB] = 1
    return pc.multiply(ids, int(2 * reserved[0]))


def greedy(ids: pa.Array) -> pa.Array:
    """The same, and then uses all."""
    reserved = np.empty(400 * MB, np.uint8)
    for start in range(0, len(reserved), MIB):
        reserved[start : start + MIB] = 1
    return pc.multiply(ids, int(2 * reserved[0]))


def some_hungry(ids: pa.Array) -> pa.Array:
    held = [np.ones(5 * MB // 8) for _ in range(200)] if pc.any(pc.is_in(ids, pa.array(HUNGRY[-1:]))).as_py() else []
    return pc.add(pc.multiply(ids, 2), len(held))


def hungry_row(row: int) -> int:
    if row in HUNGRY:
        np.ones(1000 * MB // 8)
    return 2 * row


def leaking_batches(batch: pa.RecordBatch) -> pa.RecordBatch:
    KEPT.append(np.ones(50 * MB // 8))
    return batch.append_column("made", pc.multiply(batch[ID], 2))


def yielding(batch: pa.RecordBatch) -> Any:
    """Takes 60 MB for its first piece, and keeps them to the last."""
    held = np.ones(60 * MB // 8)
    for start in range(0, batch.num_rows, 100):
        piece = batch.slice(start, 100)
        yield piece.append_column("made", pc.multiply(piece[ID], int(2 * held[start])))


def model_in_call(ids: pa.Array) -> pa.Array:
    """Loads 120 MB for good when it is first called, part by part as models are loaded, and 20 MB a call beside it."""
    while len(KEPT) < 40:
        KEPT.append(np.sort(np.random.default_rng(0).random(3 * MB // 8)))
    np.ones(20 * MB // 8)
    return pc.multiply(ids, 2)


def model_too_large(ids: pa.Array) -> pa.Array:
    """Would load 600 MB when it is first called."""
    while len(KEPT) < 200:
        KEPT.append(np.sort(np.random.default_rng(0).random(3 * MB // 8)))
    return ids


def four_hundred_at_once(ids: pa.Array) -> pa.Array:
    """400 MB for more than 100 rows, in one allocation, and hardly anything for fewer."""
    np.ones((400 if len(ids) > 100 else 1) * MB // 8)
    return pc.multiply(ids, 2)


def four_hundred_always(ids: pa.Array) -> pa.Array:
    np.ones(400 * MB // 8)
    return ids
