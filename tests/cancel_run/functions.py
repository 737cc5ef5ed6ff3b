"""User functions of the cases: whole, and some that are inside C code for ever. Workers import them from here."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

import brim

INSIDE = "inside"
"""The file that says that a worker is inside its C call."""


def triple(ids):
    return pc.multiply(ids, 3)


def odd_raise(ids):
    if len(ids) > 1 or ids[0].as_py() % 100 == 7:
        raise ValueError("no sevens here")
    return ids


def triple_one(number):
    return 3 * number


async def triple_later(number):
    await asyncio.sleep(0.0005 * (number % 3))
    return 3 * number


async def triple_soon(ids):
    await asyncio.sleep(0)
    return pc.multiply(ids, 3)


def in_halves(batch):
    half = batch.num_rows // 2
    yield batch.slice(0, half)
    yield batch.slice(half)


class Tripler:
    """Built once in each worker."""

    def __init__(self) -> None:
        self.factor = 3

    def __call__(self, ids):
        return pc.multiply(ids, self.factor)


def sleep_in_c(folder, ids):
    return _inside(folder, ids, lambda: time.sleep(600))


def hash_in_c(folder, ids):
    """The interpreter's lock is free meanwhile."""
    return _inside(folder, ids, lambda: hashlib.pbkdf2_hmac("sha256", b"word", b"salt", 1 << 30))


def numpy_in_c(folder, ids):
    return _inside(folder, ids, lambda: np.correlate(np.ones(4_000_000), np.ones(4_000_000), "same"))


def hold_the_lock_in_c(folder, ids):
    """Nobody else runs Python in this worker, and no signal is heard."""
    return _inside(folder, ids, lambda: sum(itertools.repeat(1)))


def _inside(folder, ids, call):
    (Path(folder) / INSIDE).touch()
    call()
    return ids


def column(function, **options):
    """`function` of arrays of integers as a column function."""
    return brim.udf(function, returns=pa.int64(), **options)


def rows(function, **options):
    """`function` of an integer as a column function."""
    return brim.row_udf(function, returns=pa.int64(), **options)
