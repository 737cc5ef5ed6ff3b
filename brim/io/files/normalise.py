"""Normalise: one plain type a column, whatever the file held.

Dictionaries, run-end encodings and views are decoded, every field may be null, metadata is dropped: so all batches of
all files of a source have one schema, and the schema says so before anything is read.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from brim.errors import SchemaMismatch

_T = pa.types


def plain_type(kind: pa.DataType) -> pa.DataType:
    """`kind` without dictionaries and views, at every depth.

    >>> plain_type(pa.list_(pa.dictionary(pa.int8(), pa.string_view())))
    ListType(list<item: string>)
    """
    if _T.is_dictionary(kind) or _T.is_run_end_encoded(kind):
        return plain_type(kind.value_type)
    if _T.is_string_view(kind):
        return pa.string()
    if _T.is_binary_view(kind):
        return pa.binary()
    if _T.is_struct(kind):
        return pa.struct([plain_field(kind.field(i)) for i in range(kind.num_fields)])
    if _T.is_map(kind):
        return pa.map_(plain_type(kind.key_type), plain_type(kind.item_type), kind.keys_sorted)
    if _T.is_fixed_size_list(kind):
        return pa.list_(plain_type(kind.value_type), kind.list_size)
    if _T.is_large_list(kind) or _T.is_large_list_view(kind):
        return pa.large_list(plain_type(kind.value_type))
    if _T.is_list(kind) or _T.is_list_view(kind):
        return pa.list_(plain_type(kind.value_type))
    return kind


def plain_field(field: pa.Field) -> pa.Field:
    """A nullable field of the plain type, without metadata."""
    return pa.field(field.name, plain_type(field.type))


def plain_schema(schema: pa.Schema) -> pa.Schema:
    """The schema that batches of `schema` are given by `conform`."""
    return pa.schema([plain_field(field) for field in schema])


def check_fields(found: pa.Schema, wanted: pa.Schema, place: str, like: str = "") -> None:
    """Raise `SchemaMismatch` unless `found` has every field of `wanted`, of its type once both are plain.

    `place` is where `found` comes from; `like` says where `wanted` does.
    """
    origin = f" as in {like}" if like else ""
    for field in wanted:
        indices = found.get_all_field_indices(field.name)
        if len(indices) != 1:
            seen = "no such column" if not indices else f"{len(indices)} columns of this name"
            raise SchemaMismatch(f"{place}, column {field.name!r}", f"{field.type}{origin}", seen)
        kind = plain_type(found.field(indices[0]).type)
        if kind != field.type:
            raise SchemaMismatch(f"{place}, column {field.name!r}", f"{field.type}{origin}", str(kind))


def conform(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """The columns of `schema` from `batch`, decoded to its types."""
    if batch.schema.equals(schema, check_metadata=True):
        return batch
    if not len(schema):
        return batch.select([])
    columns = [decode(batch.column(batch.schema.get_field_index(field.name)), field.type) for field in schema]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def decode(array: pa.Array, kind: pa.DataType) -> pa.Array:
    """`array` as the plain type `kind`."""
    if array.type.equals(kind):
        return array
    if _T.is_dictionary(array.type):
        return decode(array.dictionary_decode(), kind)
    if _T.is_run_end_encoded(array.type):
        return decode(pc.run_end_decode(array), kind)
    return _decode_nested(array, kind) if _miscast(array.type) else array.cast(kind)


def _miscast(kind: pa.DataType) -> bool:
    """Whether `cast` makes invalid arrays of `kind` (pyarrow 26): of list views, and below nulls of fixed lists."""
    if _T.is_list_view(kind) or _T.is_large_list_view(kind) or _T.is_fixed_size_list(kind):
        return True
    return any(_miscast(kind.field(i).type) for i in range(kind.num_fields))


def _decode_nested(array: pa.Array, kind: pa.DataType) -> pa.Array:
    """As `cast`, level by level."""
    if _T.is_struct(kind):
        fields = [kind.field(i) for i in range(kind.num_fields)]
        children = [decode(array.field(i), field.type) for i, field in enumerate(fields)]
        return pa.StructArray.from_arrays(children, fields=fields, mask=array.is_null())
    if _T.is_list(kind) or _T.is_large_list(kind):
        lengths = pc.fill_null(pc.list_value_length(array), 0).to_numpy(zero_copy_only=False)
        offsets = np.concatenate(([0], np.cumsum(lengths, dtype=np.int64)))
        lists = pa.LargeListArray if _T.is_large_list(kind) else pa.ListArray
        width = pa.int64() if _T.is_large_list(kind) else pa.int32()
        values = decode(array.flatten(), kind.value_type)
        return lists.from_arrays(pa.array(offsets, width), values, type=kind, mask=array.is_null())
    if _T.is_fixed_size_list(kind):
        size = kind.list_size
        values = decode(array.values.slice(array.offset * size, len(array) * size), kind.value_type)
        return pa.FixedSizeListArray.from_arrays(values, type=kind, mask=array.is_null())
    raise SchemaMismatch("list views", "inside structs and lists", str(array.type))
