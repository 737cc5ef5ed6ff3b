"""The contract of a user function: what it returned, made the Arrow data it declared, or a `UdfContractError`.

Arrays, chunked arrays, NumPy and torch arrays, pandas and Polars series, and lists are taken. Another type is cast
where the kind of value stays the same (numbers to numbers that fit, text to text); text is never read as a number.
Everything is validated in full, because native code can return arrays that are no valid Arrow data.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from brim.errors import UdfContractError

_LISTS = (
    pa.types.is_list,
    pa.types.is_large_list,
    pa.types.is_fixed_size_list,
    pa.types.is_list_view,
    pa.types.is_large_list_view,
)
_NUMBERS = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal)
_FAMILIES = (
    _NUMBERS,
    (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view),
    (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_fixed_size_binary, pa.types.is_binary_view),
    (pa.types.is_date,),
    (pa.types.is_time,),
    (pa.types.is_duration,),
)


def checked_array(name: str, value: Any, declared: pa.DataType, rows: int) -> pa.Array:
    """`value`, which function `name` returned for `rows` rows, as an array of the declared type.

    >>> checked_array("f", [1, None], pa.int8(), 2).type
    DataType(int8)
    >>> checked_array("f", pa.array([1, 2]), pa.string(), 2)
    Traceback (most recent call last):
    brim.errors.UdfContractError: f: returned int64, declared string
    """
    array = as_declared(name, _as_array(name, value, declared), declared)
    if len(array) != rows:
        raise UdfContractError(name, f"returned {len(array):,} values for {rows:,} rows; one for each row is declared")
    return array


def checked_batches(name: str, value: Any, schema: pa.Schema) -> list[pa.RecordBatch]:
    """`value`, one piece of what function `name` returned, as batches of the declared schema."""
    table = _as_table(name, value)
    if sorted(table.column_names) != sorted(schema.names):
        raise UdfContractError(name, f"returned columns {table.column_names}, declared {schema.names}")
    return [
        pa.RecordBatch.from_arrays(
            [as_declared(name, batch[field.name], field.type) for field in schema], schema=schema
        )
        for batch in table.to_batches()
    ]


def as_declared(name: str, array: pa.Array, declared: pa.DataType) -> pa.Array:
    """`array` cast to `declared` and validated."""
    try:
        array.validate(full=True)
        if array.type.equals(declared):
            return array
        if _keeps_meaning(array.type, declared):
            return _cast(array, declared)
    except (pa.ArrowException, ValueError) as error:
        raise UdfContractError(name, f"returned {array.type}, declared {declared}: {error}") from error
    raise UdfContractError(name, f"returned {array.type}, declared {declared}")


def array_of_values(values: Sequence[Any], declared: pa.DataType) -> pa.Array:
    """Python values, one for each row, as an array of the declared type; pyarrow's errors where they do not fit."""
    if isinstance(declared, pa.FixedShapeTensorType):
        flat = [None if value is None else _flat(value, declared) for value in values]
        return pa.ExtensionArray.from_storage(declared, pa.array(flat, declared.storage_type))
    if isinstance(declared, pa.ExtensionType):
        return pa.ExtensionArray.from_storage(declared, pa.array(values, declared.storage_type))
    if pa.types.is_integer(declared) and any(isinstance(value, float | np.floating) for value in values):
        return pa.array(values, pa.float64()).cast(declared)  # pyarrow would cut the fraction off
    return pa.array(values, declared)


def _flat(value: Any, declared: pa.FixedShapeTensorType) -> Any:
    array = np.asarray(value)
    if list(array.shape) != list(declared.shape):
        raise pa.ArrowInvalid(f"an array of shape {array.shape} where {tuple(declared.shape)} is declared")
    return array.ravel()


def _as_array(name: str, value: Any, declared: pa.DataType) -> pa.Array:
    if isinstance(value, pa.Array):
        return value
    if isinstance(value, pa.ChunkedArray):
        return value.combine_chunks()
    if value is None or isinstance(value, str | bytes | dict | pa.Scalar):
        raise UdfContractError(name, f"returned {_kind_of(value)}; an array of {declared} is declared")
    try:
        if hasattr(value, "__arrow_c_array__") or hasattr(value, "__arrow_array__") or _is_series(value):
            return pa.array(value)
        if hasattr(value, "__arrow_c_stream__"):
            return pa.chunked_array(value).combine_chunks()
        if hasattr(value, "__array__"):
            return _from_numpy(np.asarray(value), declared)
        return array_of_values(list(value), declared)
    except (pa.ArrowException, AttributeError, TypeError, ValueError, OverflowError) as error:
        raise UdfContractError(name, f"returned {_kind_of(value)}, declared {declared}: {error}") from error


def _from_numpy(value: np.ndarray[Any, Any], declared: pa.DataType) -> pa.Array:
    """An array of one dimension is a column; of more, one list or tensor for each row."""
    if value.ndim == 1:
        return pa.array(value)
    if value.ndim == 0:
        raise ValueError("an array of no dimension is one value")
    shape = value.shape[1:]
    if isinstance(declared, pa.FixedShapeTensorType) and list(shape) != list(declared.shape):
        raise ValueError(f"rows of shape {shape} where {tuple(declared.shape)} is declared")
    if value.ndim > 2 and not isinstance(declared, pa.FixedShapeTensorType):  # noqa: PLR2004 - a matrix
        raise ValueError(f"rows of {value.ndim - 1} dimensions need a tensor type, as pa.fixed_shape_tensor")
    return pa.FixedSizeListArray.from_arrays(pa.array(np.ascontiguousarray(value).ravel()), int(np.prod(shape)))


def _as_table(name: str, value: Any) -> pa.Table:
    if isinstance(value, pa.Table):
        return value
    if isinstance(value, pa.RecordBatch):
        return pa.Table.from_batches([value])
    try:
        if isinstance(value, dict):
            return pa.table(value)
        if hasattr(value, "__arrow_c_stream__"):
            return pa.table(value)
        if hasattr(value, "to_records") and hasattr(value, "iloc"):  # a data frame of pandas older than the protocol
            return pa.Table.from_pandas(value, preserve_index=False)
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise UdfContractError(name, f"returned {_kind_of(value)}: {error}") from error
    raise UdfContractError(name, f"returned {_kind_of(value)}; a record batch, a table or a dict of arrays is expected")


def _keeps_meaning(found: pa.DataType, declared: pa.DataType) -> bool:
    """Whether a cast changes how a value is stored, not what it says."""
    if found.equals(declared) or pa.types.is_null(found):
        return True
    if pa.types.is_dictionary(found):
        return _keeps_meaning(found.value_type, declared)
    if isinstance(declared, pa.BaseExtensionType):
        return _keeps_meaning(found, declared.storage_type)
    if pa.types.is_timestamp(found) and pa.types.is_timestamp(declared):
        return bool((found.tz is None) == (declared.tz is None))
    if _is_one(found, _LISTS) and _is_one(declared, _LISTS):
        return _keeps_meaning(found.value_type, declared.value_type)
    if pa.types.is_map(found) and pa.types.is_map(declared):
        return _keeps_meaning(found.key_type, declared.key_type) and _keeps_meaning(found.item_type, declared.item_type)
    if pa.types.is_struct(found) and pa.types.is_struct(declared):
        same = [field.name for field in found] == [field.name for field in declared]
        return same and all(_keeps_meaning(a.type, b.type) for a, b in zip(found, declared, strict=True))
    return any(_is_one(found, family) and _is_one(declared, family) for family in _FAMILIES)


def _cast(array: pa.Array, declared: pa.DataType) -> pa.Array:
    if isinstance(declared, pa.BaseExtensionType):
        return pa.ExtensionArray.from_storage(declared, _cast(array, declared.storage_type))
    return array if array.type.equals(declared) else array.cast(declared, safe=True)


def _is_one(type_: pa.DataType, tests: Sequence[Any]) -> bool:
    return any(test(type_) for test in tests)


def _is_series(value: Any) -> bool:
    return hasattr(value, "dtype") and hasattr(value, "iloc")


def _kind_of(value: Any) -> str:
    """What a function returned instead, in words.

    >>> _kind_of(5), _kind_of(None)
    ('a value of type int', 'nothing (None)')
    """
    if value is None:
        return "nothing (None)"
    return f"a value of type {type(value).__module__}.{type(value).__qualname__}".replace("builtins.", "")
