"""Compact: a slice of a batch without what its parent holds besides.

Arrow's IPC cuts most buffers to the rows that are shown. It does not cut dictionaries, the bytes behind views, the
values of list views, and dense unions at their beginning: a slice of ten rows would take a whole dictionary along. And
where none of an array is shown, as below lists that are all empty, it writes all offsets (pyarrow 26).
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from brim.arrow_pool import arrow_pool
from brim.io.spill.block_stream import plain_bytes
from brim.sizes import KIB

_T = pa.types

HEAD_BYTES = KIB
"""What the head of a stream takes for a column, and more."""


def compact(batch: pa.RecordBatch) -> pa.RecordBatch:
    """`batch`, cut to what it shows. Columns of dictionaries, views, list views and dense unions are copied for that.

    All of it is copied where Arrow would write twice as much as is shown.
    """
    if any(drags(field.type) for field in batch.schema):
        arrays = [compact_array(array) for array in batch]
        batch = pa.RecordBatch.from_arrays(arrays, schema=batch.schema)
    size = plain_bytes(batch, batch.schema)
    if size <= 2 * batch.nbytes + HEAD_BYTES * (8 + batch.num_columns):
        return batch
    copy = pa.concat_batches([batch.slice(0, 0), batch], memory_pool=arrow_pool())
    return copy if plain_bytes(copy, copy.schema) < size else batch


def drags(kind: pa.DataType) -> bool:
    """Whether a slice of this type takes more along than it shows.

    >>> drags(pa.list_(pa.string())), drags(pa.list_(pa.dictionary(pa.int8(), pa.string())))
    (False, True)
    """
    if isinstance(kind, pa.BaseExtensionType):
        return drags(kind.storage_type)
    if _T.is_dictionary(kind) or _is_view(kind) or _is_list_view(kind) or _is_dense(kind):
        return True
    return any(drags(kind.field(number).type) for number in range(kind.num_fields))


def compact_array(array: pa.Array) -> pa.Array:
    """`array` with nothing but what it shows, as far as pyarrow can copy its type at all."""
    kind = array.type
    if not drags(kind):
        return array
    if isinstance(kind, pa.BaseExtensionType):
        return pa.ExtensionArray.from_storage(kind, compact_array(array.storage))
    if _T.is_dictionary(kind):
        return _dictionary(array)
    if _is_view(kind):
        return _view(array)
    if _T.is_struct(kind):
        fields = [kind.field(number) for number in range(kind.num_fields)]
        children = [compact_array(array.field(number)) for number in range(kind.num_fields)]
        return pa.StructArray.from_arrays(children, fields=fields, mask=_nulls(array))
    if _is_dense(kind):
        return _dense_union(array)
    return _lists(array)


def _dictionary(array: pa.DictionaryArray) -> pa.Array:
    """With the entries that its indices use, where those are at most half."""
    used = pc.unique(array.indices).drop_null().sort()  # in order, since dictionaries may be ordered
    used = used.filter(pc.less(used, len(array.dictionary)))  # below nulls of structs there may be any number
    if 2 * len(used) > len(array.dictionary):
        return array
    entries = compact_array(array.dictionary.take(used))
    indices = pc.index_in(array.indices, used).cast(array.type.index_type)
    return pa.DictionaryArray.from_arrays(indices, entries, ordered=array.type.ordered)


def _view(array: pa.Array) -> pa.Array:
    """With bytes of its own, where those are at most half of what it keeps: views may share what they show."""
    whole = sum(buffer.size for buffer in array.buffers()[2:] if buffer is not None)
    lengths = np.frombuffer(array.buffers()[1], np.int32)[::4][array.offset : array.offset + len(array)]
    shown = int(lengths[np.asarray(array.is_valid())].sum(dtype=np.int64)) if len(array) else 0
    if 2 * shown > whole:
        return array
    plain = pa.large_string() if _T.is_string_view(array.type) else pa.large_binary()
    return array.cast(plain).cast(array.type)


def _dense_union(array: pa.UnionArray) -> pa.Array:
    with suppress(pa.ArrowNotImplementedError):  # of views
        return array.take(pa.array(np.arange(len(array))))
    return array


def _lists(array: Any) -> pa.Array:
    """Any kind of list: its own copy begins at its first value and ends with its last."""
    kind = array.type
    own = pa.concat_arrays([array.slice(0, 0), array], memory_pool=arrow_pool())
    if _T.is_map(kind):
        keys, items = compact_array(own.keys), compact_array(own.items)
        return pa.MapArray.from_arrays(own.offsets, keys, items, type=kind, mask=_nulls(own))
    if _T.is_fixed_size_list(kind):
        return pa.FixedSizeListArray.from_arrays(compact_array(own.values), type=kind, mask=_nulls(own))
    if _T.is_list(kind) or _T.is_large_list(kind):
        return type(own).from_arrays(own.offsets, compact_array(own.values), type=kind, mask=_nulls(own))
    if _is_list_view(kind):
        return type(own).from_arrays(own.offsets, own.sizes, compact_array(own.values), type=kind, mask=_nulls(own))
    return array  # sparse unions and run-end encodings of such values


def _nulls(array: pa.Array) -> pa.Array | None:
    return array.is_null() if array.null_count else None


def _is_view(kind: pa.DataType) -> bool:
    return bool(_T.is_string_view(kind) or _T.is_binary_view(kind))


def _is_dense(kind: pa.DataType) -> bool:
    return bool(_T.is_union(kind) and kind.mode == "dense")


def _is_list_view(kind: pa.DataType) -> bool:
    return bool(_T.is_list_view(kind) or _T.is_large_list_view(kind))
