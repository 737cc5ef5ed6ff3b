"""Casts as users of Polars know them: a float loses its fraction, a time its finer units, text is parsed.

What does not fit (an integer out of range, NaN as an integer, text that is no number) raises when the cast is strict,
and is null when it is not.
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa
from pyarrow import compute as pc
from pyarrow import types

from brim.operators.expressions.function import HELD_ROWS
from brim.operators.expressions.promotion import is_text

_WHOLE = r"^\s*[+-]?[0-9]+\s*$"
_DECIMAL = r"^\s*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?\s*$|^\s*[+-]?(?i:nan|inf|infinity)\s*$"


def cast(values: Any, to: pa.DataType, *, strict: bool = True) -> Any:
    """An array or a scalar as type `to`.

    >>> cast(pa.array([1.9, None]), pa.int64()).to_pylist()
    [1, None]
    >>> cast(pa.array(["7", "seven"]), pa.int8(), strict=False).to_pylist()
    [7, None]
    """
    if values.type == to:
        return values
    if isinstance(values, pa.Scalar):
        return cast(pa.repeat(values, 1), to, strict=strict)[0]
    if isinstance(to, pa.BaseExtensionType):
        return pa.ExtensionArray.from_storage(to, cast(values, to.storage_type, strict=strict))
    if isinstance(values, pa.ExtensionArray):
        return cast(values.storage, to, strict=strict)
    prepared = _prepared(values, to)
    return _strictly(prepared, to) if strict else _leniently(_likely(prepared, to), to)


def _strictly(values: pa.Array, to: pa.DataType) -> pa.Array:
    options = pc.CastOptions(
        to,
        allow_float_truncate=not types.is_floating(values.type),  # integers may round to the nearest float
        allow_time_truncate=True,
        allow_decimal_truncate=True,
    )
    return pc.cast(values, options=options)


def _prepared(values: pa.Array, to: pa.DataType) -> pa.Array:
    """`values` in a type from which there is a kernel to `to`."""
    kind = values.type
    if types.is_floating(kind) and types.is_integer(to):
        return pc.trunc(values)
    if is_text(kind) and (types.is_integer(to) or types.is_floating(to) or types.is_decimal(to)):
        trimmed = pc.utf8_trim_whitespace(values)
        if not types.is_integer(to):
            return trimmed
        return pc.replace_substring_regex(trimmed, pattern=r"^\+([0-9.])", replacement=r"\1")
    if types.is_integer(kind) and types.is_date32(to):
        return pc.cast(values, pa.int32())
    if types.is_date32(kind) and types.is_integer(to):
        return pc.cast(values, pa.int32())
    if (types.is_boolean(kind) or types.is_integer(kind)) and types.is_decimal(to):
        whole = pc.cast(values, pa.int8()) if types.is_boolean(kind) else values
        return pc.cast(pc.cast(whole, pa.decimal128(20, 0)), pa.decimal256(20 + max(0, to.scale), to.scale))
    return values


def _likely(values: pa.Array, to: pa.DataType) -> pa.Array:
    """`values` with nulls for text that is certainly no number, so that the search for misfits is short."""
    if not is_text(values.type) or not (types.is_integer(to) or types.is_floating(to) or types.is_decimal(to)):
        return values
    pattern = _WHOLE if types.is_integer(to) else _DECIMAL
    return pc.if_else(pc.match_substring_regex(values, pattern), values, pa.scalar(None, values.type))


def _leniently(values: pa.Array, to: pa.DataType) -> pa.Array:
    """The cast by halves: a part that fits is cast at once, a single value that does not is null."""
    parts: list[pa.Array] = []
    waiting = [values.slice(start, HELD_ROWS) for start in range(0, len(values), HELD_ROWS)][::-1]
    while waiting:
        part = waiting.pop()
        try:
            parts.append(_strictly(part, to))
        except pa.ArrowInvalid:
            if len(part) == 1:
                parts.append(pa.nulls(1, to))
                continue
            half = len(part) // 2
            waiting += [part.slice(half), part.slice(0, half)]
    return pa.concat_arrays(parts) if parts else _strictly(values, to)
