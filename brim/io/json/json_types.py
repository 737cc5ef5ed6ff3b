"""JSON types: which Arrow types JSON has a place for, and what carries the others through text.

Times and decimals travel as strings; bytes, durations and maps by anything but text have no place.
"""

from __future__ import annotations

import pyarrow as pa

from brim.errors import SchemaMismatch

_T = pa.types
_PLAIN = (_T.is_boolean, _T.is_integer, _T.is_floating, _T.is_string, _T.is_large_string, _T.is_null)
_AS_TEXT = (_T.is_timestamp, _T.is_date, _T.is_time, _T.is_decimal)


def carried_as_text(kind: pa.DataType) -> bool:
    """Whether values of `kind` are strings in JSON, to be cast from and to text."""
    return any(check(kind) for check in _AS_TEXT)


def check_json(schema: pa.Schema, place: str) -> None:
    """Raise `SchemaMismatch` for a column that JSON has no place for."""
    for item in schema:
        if (bad := _unfit(item.type)) is not None:
            raise SchemaMismatch(f"{place}, column {item.name!r}", "what JSON has: numbers, text, lists, structs", bad)


def _unfit(kind: pa.DataType) -> str | None:
    if isinstance(kind, pa.BaseExtensionType):
        return str(kind)
    if _T.is_map(kind):
        return str(kind) if not _T.is_string(kind.key_type) else _unfit(kind.item_type)
    if _T.is_nested(kind):
        return next(filter(None, (_unfit(kind.field(i).type) for i in range(kind.num_fields))), None)
    return None if any(check(kind) for check in (*_PLAIN, *_AS_TEXT)) else str(kind)


def text_type(kind: pa.DataType) -> pa.DataType:
    """`kind` with string where values are carried as text, at every depth.

    >>> text_type(pa.list_(pa.date32()))
    ListType(list<item: string>)
    """
    if carried_as_text(kind):
        return pa.string()
    if _T.is_struct(kind):
        return pa.struct([(kind.field(i).name, text_type(kind.field(i).type)) for i in range(kind.num_fields)])
    if _T.is_map(kind):
        return pa.map_(kind.key_type, text_type(kind.item_type))
    if _T.is_fixed_size_list(kind):
        return pa.list_(text_type(kind.value_type), kind.list_size)
    if _T.is_large_list(kind):
        return pa.large_list(text_type(kind.value_type))
    if _T.is_list(kind):
        return pa.list_(text_type(kind.value_type))
    return kind
