"""JSON columns: Python values of parsed JSON into Arrow arrays, by a declared type, strictly.

`pa.array` alone is too kind to data from outside: it cuts 1.5 to 1 for an integer column, spells the text "abc" out
into a list, and reads true as 1.0. So every level is checked before it is built; the check is one set of types.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain
from typing import Any

import numpy as np
import pyarrow as pa

from brim.io.json.json_types import carried_as_text

_T = pa.types
_NAMES = {dict: "object", list: "array", str: "string", int: "integer", float: "number", bool: "boolean"}
_NAMES[type(None)] = "null"


class Misfit(Exception):
    """A value is not of its column's type."""

    def __init__(self, path: str, expected: str, found: str) -> None:
        super().__init__(path, expected, found)
        self.path, self.expected, self.found = path, expected, found

    def __str__(self) -> str:
        return f"column {self.path!r}: expected {self.expected}, found {self.found}"


def build_batch(rows: list[dict[str, Any]], schema: pa.Schema) -> pa.RecordBatch:
    """`rows` as a batch; keys that `schema` does not have are left out, those that a row lacks are null."""
    arrays = [build([row.get(item.name) for row in rows], item.type, item.name) for item in schema]
    if not arrays:
        return pa.RecordBatch.from_arrays([pa.nulls(len(rows))], ["rows"]).select([])
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def build(values: list[Any], kind: pa.DataType, path: str) -> pa.Array:
    """One array of `values`; `Misfit` names the first path that does not fit."""
    found = set(map(type, values)) - {type(None)}
    try:
        return _build(values, kind, path, found)
    except (pa.ArrowException, OverflowError, ValueError, TypeError) as error:
        raise Misfit(path, str(kind), " ".join(str(error).split())) from error


def _build(values: list[Any], kind: pa.DataType, path: str, found: set[type]) -> pa.Array:
    if _T.is_struct(kind):
        _allow(found, {dict}, kind, path)
        return _struct(values, kind, path)
    if _T.is_map(kind):
        _allow(found, {dict}, kind, path)
        return _map(values, kind, path)
    if _T.is_fixed_size_list(kind):
        _allow(found, {list}, kind, path)
        return _fixed_list(values, kind, path)
    if _T.is_list(kind) or _T.is_large_list(kind):
        _allow(found, {list}, kind, path)
        return _list(values, kind, path)
    if carried_as_text(kind):
        if _T.is_decimal(kind):
            values = [str(value) if type(value) in (int, float) else value for value in values]
            found = found - {int, float}
        _allow(found, {str}, kind, path)
        return _from_text(values, kind)
    return _atoms(values, kind, path, found)


def _from_text(values: list[Any], kind: pa.DataType) -> pa.Array:
    if _T.is_time(kind):  # which pyarrow casts text to by way of a timestamp only
        moments = [None if value is None else f"1970-01-01 {value}" for value in values]
        return pa.array(moments, pa.string()).cast(pa.timestamp(kind.unit)).cast(kind)
    return pa.array(values, pa.string()).cast(kind)


def _atoms(values: list[Any], kind: pa.DataType, path: str, found: set[type]) -> pa.Array:
    if _T.is_floating(kind):
        _allow(found, {int, float}, kind, path)
        if int in found:
            values = [float(value) if type(value) is int else value for value in values]
        return pa.array(values, pa.float64()).cast(kind, safe=False)
    if _T.is_integer(kind):
        _allow(found, {int}, kind, path)
    elif _T.is_boolean(kind):
        _allow(found, {bool}, kind, path)
    elif _T.is_null(kind):
        _allow(found, set(), kind, path)
    else:
        _allow(found, {str}, kind, path)
    return pa.array(values, kind)


def _struct(values: list[Any], kind: pa.DataType, path: str) -> pa.Array:
    absent = [value is None for value in values]
    get: Callable[[Any, str], Any] = lambda value, name: None if value is None else value.get(name)  # noqa: E731
    fields = [kind.field(i) for i in range(kind.num_fields)]
    children = [build([get(value, item.name) for value in values], item.type, f"{path}.{item.name}") for item in fields]
    if not fields:
        return pa.array([None if none else {} for none in absent], kind)
    return pa.StructArray.from_arrays(children, fields=fields, mask=_absent(values))


def _list(values: list[Any], kind: pa.DataType, path: str) -> pa.Array:
    elements = list(chain.from_iterable(value for value in values if value))
    below = build(elements, kind.value_type, f"{path}[]")
    large = _T.is_large_list(kind)
    make = pa.LargeListArray if large else pa.ListArray
    return make.from_arrays(_offsets(values, large=large), below, type=kind, mask=_absent(values))


def _fixed_list(values: list[Any], kind: pa.DataType, path: str) -> pa.Array:
    size = kind.list_size
    wrong = next((value for value in values if value is not None and len(value) != size), None)
    if wrong is not None:
        raise Misfit(path, str(kind), f"array of {len(wrong)}")
    elements = list(chain.from_iterable([None] * size if value is None else value for value in values))
    below = build(elements, kind.value_type, f"{path}[]")
    return pa.FixedSizeListArray.from_arrays(below, type=kind, mask=_absent(values))


def _map(values: list[Any], kind: pa.DataType, path: str) -> pa.Array:
    keys = list(chain.from_iterable(value.keys() for value in values if value))
    items = list(chain.from_iterable(value.values() for value in values if value))
    below = build(items, kind.item_type, f"{path}[]")
    made = pa.MapArray.from_arrays(_offsets(values, large=False), pa.array(keys, kind.key_type), below, type=kind)
    absent = _absent(values)
    return (
        made
        if not any(value is None for value in values)
        else pa.array(
            [None if none else pairs for none, pairs in zip(absent.to_pylist(), made.to_pylist(), strict=True)], kind
        )
    )


def _offsets(values: list[Any], *, large: bool) -> pa.Array:
    lengths = np.fromiter((len(value) if value else 0 for value in values), np.int64, len(values))
    return pa.array(np.concatenate(([0], np.cumsum(lengths))), pa.int64() if large else pa.int32())


def _absent(values: list[Any]) -> pa.Array:
    return pa.array([value is None for value in values], pa.bool_())


def _allow(found: set[type], allowed: set[type], kind: pa.DataType, path: str) -> None:
    if not found <= allowed:
        raise Misfit(path, str(kind), " and ".join(sorted(_NAMES.get(bad, bad.__name__) for bad in found - allowed)))
