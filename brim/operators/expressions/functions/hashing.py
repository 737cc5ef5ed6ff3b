"""Hashes of values: 64 bits that depend on the value and a seed alone, vectorised in numpy.

The mixer is splitmix64 (Steele, Lea and Flood, Fast Splittable Pseudorandom Number Generators, 2014). Bytes are taken
eight at a time, the last word filled with zeros, and their number is mixed in, so that no padding collides. They are
good for sampling and partitioning, and no protection against values that somebody chose to collide.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import compute as pc
from pyarrow import types

from brim.operators.expressions.function import Function, Values, entry, to_numpy
from brim.operators.expressions.promotion import is_bytes, is_text

FUNCTIONS: dict[str, Function] = {}
Words = np.ndarray[Any, np.dtype[np.uint64]]
_STEP = np.uint64(0x9E3779B97F4A7C15)
_NULL = np.uint64(0xD1B54A32D192ED03)
_WORD = 8


@entry(FUNCTIONS, "hash", "values that are no lists or structs")
def hash_values(values: Values, seed: int = 0) -> pa.Array:
    """64 bits that depend on the value and `seed` alone; of a null too. 0.0 and -0.0 hash alike, as all NaN do.

    >>> call("hash", ["a", None, "a"])[0] == call("hash", ["a"])[0]
    True
    """
    start = np.uint64(seed & 0xFFFFFFFFFFFFFFFF) * np.ones(len(values), np.uint64)
    with np.errstate(over="ignore"):
        hashed = _hashed(values, _mixed(start))
    hashed[to_numpy(pc.is_null(values), null=False)] = _mixed(start[:1] ^ _NULL)[0] if len(values) else _NULL
    return pa.array(hashed)


def _mixed(words: Words) -> Words:
    mixed = words + _STEP
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def _hashed(values: pa.Array, state: Words) -> Words:
    kind = values.type
    if is_text(kind) or is_bytes(kind):
        return _hashed_bytes(pc.cast(values, pa.large_binary()), state)
    if types.is_decimal(kind):
        return _hashed_bytes(pc.cast(pc.cast(values, pa.string()), pa.large_binary()), state)
    if types.is_null(kind):
        return state
    return _mixed(state ^ _words(values))


def _words(values: pa.Array) -> Words:
    kind = values.type
    if types.is_floating(kind):
        floats = to_numpy(pc.cast(values, pa.float64())) + 0.0  # -0.0 becomes 0.0
        return np.where(np.isnan(floats), np.nan, floats).view(np.uint64)
    if types.is_temporal(kind):
        whole = pa.int32() if kind.bit_width == 32 else pa.int64()  # noqa: PLR2004 - bits
        values = pc.cast(values, whole)
    if types.is_boolean(values.type):
        values = pc.cast(values, pa.int8())
    numbers = to_numpy(values)
    return numbers.astype(np.uint64 if types.is_unsigned_integer(values.type) else np.int64).view(np.uint64)


def _hashed_bytes(values: pa.Array, state: Words) -> Words:
    """Word by word over all rows at once; rows that have ended drop out."""
    _, offsets, data = values.buffers()
    bounds = np.frombuffer(offsets, np.int64, len(values) + 1, values.offset * _WORD)
    starts, lengths = bounds[:-1], np.diff(bounds)
    octets = np.concatenate([np.frombuffer(data or b"", np.uint8), np.zeros(_WORD, np.uint8)])
    state = _mixed(state ^ lengths.astype(np.uint64))
    rows = np.flatnonzero(lengths)
    place = 0
    while len(rows):
        taken = np.minimum(lengths[rows] - place, _WORD)
        window = octets[(starts[rows] + place)[:, None] + np.arange(_WORD)]
        window[np.arange(_WORD) >= taken[:, None]] = 0
        state[rows] = _mixed(state[rows] ^ window.view("<u8").ravel())
        place += _WORD
        rows = rows[lengths[rows] > place]
    return state
