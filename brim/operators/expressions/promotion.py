"""Promotion: the type at which values of several types meet.

- Integers meet at the smallest that holds both; uint64 with a signed one at int64, checked (at decimal to be compared).
- An integer and a float meet at float64, or at float32 when the integer has at most 16 bits, as in Polars.
- A decimal and an integer meet at a decimal, a decimal and a float at float64.
- Times of one kind meet at the finer unit, a date and a timestamp at the timestamp; a zone never meets none.
- A null meets everything. A Python literal takes the type it meets, when its value fits that type.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
from pyarrow import compute as pc
from pyarrow import types

from brim.operators.expressions.tree import Literal

_SIGNED = {8: pa.int8(), 16: pa.int16(), 32: pa.int32(), 64: pa.int64()}
_UNITS = ("s", "ms", "us", "ns")
_DECIMAL_OF_INTEGERS = {8: 3, 16: 5, 32: 10, 64: 20}
_MOST_DIGITS = 38
_SMALL_INTEGER = 16


class NoCommonType(TypeError):
    """Types that do not meet; the evaluator makes a `SchemaMismatch` of it, which names the expression."""


def common_type(left: pa.DataType, right: pa.DataType) -> pa.DataType:
    """The type at which `left` and `right` meet.

    >>> str(common_type(pa.uint8(), pa.int8())), str(common_type(pa.int64(), pa.float32()))
    ('int16', 'double')
    """
    if left == right or types.is_null(right):
        return left
    if types.is_null(left):
        return right
    met = _numbers(left, right) or _texts(left, right) or _times(left, right) or _nested(left, right)
    if met is None:
        raise NoCommonType(f"{left} and {right} have no common type")
    return met


def _numbers(left: pa.DataType, right: pa.DataType) -> pa.DataType | None:
    if not (is_number(left) and is_number(right)):
        return None
    if types.is_boolean(left) or types.is_boolean(right):
        return _booleans(right if types.is_boolean(left) else left)
    if types.is_integer(left) and types.is_integer(right):
        return _integers(left, right)
    if types.is_floating(left) or types.is_floating(right):
        return _floats(left, right)
    return _decimals(_as_decimal(left), _as_decimal(right))


def _booleans(other: pa.DataType) -> pa.DataType:
    return _decimals(_as_decimal(pa.int8()), other) if types.is_decimal(other) else other


def _integers(left: pa.DataType, right: pa.DataType) -> pa.DataType:
    if types.is_signed_integer(left) == types.is_signed_integer(right):
        return left if left.bit_width >= right.bit_width else right
    signed, unsigned = (left, right) if types.is_signed_integer(left) else (right, left)
    return _SIGNED[min(64, max(signed.bit_width, 2 * unsigned.bit_width))]


def _floats(left: pa.DataType, right: pa.DataType) -> pa.DataType:
    if types.is_floating(left) and types.is_floating(right):
        return left if left.bit_width >= right.bit_width else right
    other, floating = (right, left) if types.is_floating(left) else (left, right)
    small = types.is_integer(other) and other.bit_width <= _SMALL_INTEGER
    return pa.float32() if small and floating.bit_width <= pa.float32().bit_width else pa.float64()


def _as_decimal(of: pa.DataType) -> pa.DataType:
    return of if types.is_decimal(of) else pa.decimal128(_DECIMAL_OF_INTEGERS[of.bit_width], 0)


def _decimals(left: pa.DataType, right: pa.DataType) -> pa.DataType:
    scale = max(left.scale, right.scale)
    digits = max(left.precision - left.scale, right.precision - right.scale) + scale
    if digits <= _MOST_DIGITS and max(left.bit_width, right.bit_width) <= pa.decimal128(1).bit_width:
        return pa.decimal128(digits, scale)
    return pa.decimal256(min(digits, 76), scale)


def _texts(left: pa.DataType, right: pa.DataType) -> pa.DataType | None:
    if is_text(left) and is_text(right):
        return pa.large_string()
    if is_bytes(left) and is_bytes(right):
        return pa.large_binary() if types.is_large_binary(left) or types.is_large_binary(right) else pa.binary()
    return None


def _times(left: pa.DataType, right: pa.DataType) -> pa.DataType | None:
    if types.is_date(left) and types.is_timestamp(right):
        return right if right.tz is None else None
    if types.is_timestamp(left) and types.is_date(right):
        return left if left.tz is None else None
    if types.is_date(left) and types.is_date(right):
        return pa.date64()
    if types.is_timestamp(left) and types.is_timestamp(right):
        return pa.timestamp(_finer(left, right), left.tz) if (left.tz is None) == (right.tz is None) else None
    if types.is_duration(left) and types.is_duration(right):
        return pa.duration(_finer(left, right))
    if types.is_time(left) and types.is_time(right):
        unit = _finer(left, right)
        return pa.time64(unit) if unit in ("us", "ns") else pa.time32(unit)
    return None


def _finer(left: pa.DataType, right: pa.DataType) -> str:
    return _UNITS[max(_UNITS.index(left.unit), _UNITS.index(right.unit))]


def _nested(left: pa.DataType, right: pa.DataType) -> pa.DataType | None:
    if is_list(left) and is_list(right):
        element = common_type(left.value_type, right.value_type)
        large = types.is_large_list(left) or types.is_large_list(right)
        return pa.large_list(element) if large else pa.list_(element)
    if types.is_struct(left) and types.is_struct(right) and left.names == right.names:
        pairs = zip(left, right, strict=True)
        return pa.struct([pa.field(one.name, common_type(one.type, two.type)) for one, two in pairs])
    return None


def is_number(of: pa.DataType) -> bool:
    """Integers, floats, decimals, and booleans, which count as 0 and 1."""
    return bool(
        types.is_integer(of) or types.is_floating(of) or types.is_decimal(of) or types.is_boolean(of),
    )


def is_text(of: pa.DataType) -> bool:
    """Strings of either offset width."""
    return bool(types.is_string(of) or types.is_large_string(of))


def is_bytes(of: pa.DataType) -> bool:
    """Binary of any layout."""
    return bool(types.is_binary(of) or types.is_large_binary(of) or types.is_fixed_size_binary(of))


def is_list(of: pa.DataType) -> bool:
    """Lists of any layout; maps are none."""
    return bool(types.is_list(of) or types.is_large_list(of) or types.is_fixed_size_list(of))


def adapted_type(met: pa.DataType, scalar: pa.Scalar) -> pa.DataType:
    """The type at which a column of type `met` and an untyped literal meet: the column's own where the value fits.

    >>> str(adapted_type(pa.int8(), pa.scalar(5))), str(adapted_type(pa.int8(), pa.scalar(500)))
    ('int8', 'int64')
    """
    if scalar.is_valid and is_list(scalar.type):
        return _adapted_list(met, scalar)
    if _takes_type_of(met, scalar) and _fits(scalar, met):
        return met
    return common_type(met, scalar.type)


def _adapted_list(met: pa.DataType, scalar: pa.Scalar) -> pa.DataType:
    if not is_list(met):
        return common_type(met, scalar.type)
    element = met.value_type
    for value in scalar.values:
        element = adapted_type(element, value)
    return met if element == met.value_type else pa.list_(element)


def _takes_type_of(met: pa.DataType, scalar: pa.Scalar) -> bool:
    """Whether a Python value of this kind means a value of type `met`, lossy kinds left out."""
    kind = scalar.type
    if types.is_integer(kind):
        return is_number(met) and not types.is_boolean(met)
    if types.is_floating(kind):
        return bool(types.is_floating(met))
    if types.is_decimal(kind):
        return bool(types.is_decimal(met))
    if types.is_string(kind):
        return is_text(met) or is_bytes(met) or bool(types.is_temporal(met))
    if types.is_binary(kind):
        return is_bytes(met)
    if types.is_timestamp(kind):
        return bool(types.is_timestamp(met)) and (kind.tz is None) == (met.tz is None)
    return bool(types.is_date(kind) and types.is_date(met)) or bool(types.is_duration(kind) and types.is_duration(met))


def _fits(scalar: pa.Scalar, met: pa.DataType) -> bool:
    if types.is_floating(scalar.type) or (types.is_integer(scalar.type) and types.is_floating(met)):
        return True
    try:
        cast_scalar(scalar, met)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return False
    return True


def cast_scalar(scalar: pa.Scalar, to: pa.DataType) -> pa.Scalar:
    """`scalar` as `to`, exactly, save that a float or an integer may be rounded to the nearest float."""
    rounds = bool(types.is_floating(to))
    if types.is_decimal(to) and types.is_integer(scalar.type):
        return pa.scalar(scalar.as_py(), to)
    return pc.cast(scalar, options=pc.CastOptions(to, allow_float_truncate=rounds))


def meet(values: Sequence[Any], leaves: Sequence[Any]) -> list[Any]:
    """`values` cast to the type at which all of them meet; `leaves` are their trees, to tell untyped literals."""
    strong = [value.type for value, leaf in zip(values, leaves, strict=True) if not is_weak(leaf)]
    weak = [value for value, leaf in zip(values, leaves, strict=True) if is_weak(leaf)]
    met = strong[0] if strong else weak[0].type
    for other in strong[1:]:
        met = common_type(met, other)
    for scalar in weak:
        met = adapted_type(met, scalar)
    return [cast_to(value, met) for value in values]


def is_weak(leaf: Any) -> bool:
    """Whether a tree is a literal that takes the type of what it meets."""
    return isinstance(leaf, Literal) and leaf.type is None


def cast_to(value: Any, to: pa.DataType) -> Any:
    """An array or a scalar as the wider type `to`; text that is no date, or an integer out of range, raises."""
    if value.type == to:
        return value
    if types.is_boolean(value.type) and types.is_decimal(to):
        value = pc.cast(value, pa.int8())
    if isinstance(value, pa.Scalar) and not is_list(to):
        return cast_scalar(value, to)
    return pc.cast(value, options=pc.CastOptions(to, allow_float_truncate=bool(types.is_floating(to))))
