"""Columns as numpy arrays and back, for aggregates."""

from __future__ import annotations

import pyarrow as pa
from pyarrow import compute as pc
from pyarrow import types

from brim.arrow_pool import arrow_pool
from brim.operators.groups.grouping import Array


def taken(values: pa.Array, rows: Array) -> pa.Array:
    """The values at `rows`, null where a row is -1."""
    missing = rows < 0
    places = pa.array(rows, mask=missing) if missing.any() else pa.array(rows)
    return pc.take(values, places, memory_pool=arrow_pool())


def as_integers(values: pa.Array) -> pa.Array:
    """Integers, booleans or times as integers; nothing is copied but for booleans."""
    kind = values.type
    if types.is_integer(kind):
        return values
    if types.is_boolean(kind) or types.is_null(kind):
        return pc.cast(values, pa.uint8())
    return values.view(pa.int32() if kind.bit_width <= 32 else pa.int64())  # noqa: PLR2004 - bits


def from_integers(integers: pa.Array, kind: pa.DataType) -> pa.Array:
    """What `as_integers` makes, as `kind` again."""
    if types.is_boolean(kind) or types.is_null(kind):
        return pc.cast(integers, kind)
    return integers if integers.type == kind else integers.view(kind)
