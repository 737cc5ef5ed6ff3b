"""Same values: equal numbers for equal values of any type, found without what is tested."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import compute as pc
from pyarrow import types

NULL, ZERO = -1, 0


def codes(array: pa.Array) -> Any:
    """A number for each value: -1 for null, equal ones for equal values; all NaN are one, as are both zeros."""
    kind = array.type
    if isinstance(kind, pa.BaseExtensionType):
        return codes(array.storage)
    if types.is_null(kind):
        return np.full(len(array), NULL)
    valid = array.is_valid().to_numpy(zero_copy_only=False)
    return np.where(valid, _values(array), NULL)


def _values(array: pa.Array) -> Any:
    """As `codes`; whatever number for nulls."""
    kind = array.type
    if types.is_floating(kind):
        return _distinct(
            np.nan_to_num(
                array.cast(pa.float64()).fill_null(0).to_numpy(), nan=1.2345e-300, posinf=np.inf, neginf=-np.inf
            )
            + 0.0
        )
    if types.is_struct(kind):
        fields = [codes(array.field(number)) for number in range(kind.num_fields)]
        return _distinct(np.stack(fields, axis=1), axis=0)
    if types.is_nested(kind):
        return _lists(array)
    return array.dictionary_encode().indices.fill_null(NULL).to_numpy().astype(np.int64)


def _lists(array: pa.Array) -> Any:
    """Lists are equal whose values are, one by one."""
    kind = array.type
    if types.is_map(kind):
        inner, lengths = pa.StructArray.from_arrays([array.keys, array.items], ["key", "value"]), np.diff(array.offsets)
        starts = array.offsets.to_numpy()[:-1]
    else:
        lengths = pc.fill_null(pc.list_value_length(array), 0).to_numpy().astype(np.int64)
        inner, starts = array.flatten(), np.cumsum(lengths) - lengths
    values = codes(inner)
    if len(lengths) and (lengths == lengths[0]).all() and len(values) == len(lengths) * lengths[0]:
        return _distinct(values.reshape(len(lengths), -1), axis=0) if lengths[0] else np.zeros(len(lengths), np.int64)
    known: dict[bytes, int] = {}
    bounds = zip(starts.tolist(), (starts + lengths).tolist(), strict=True)
    return np.array([known.setdefault(values[start:end].tobytes(), len(known)) for start, end in bounds], np.int64)


def _distinct(values: Any, axis: int | None = None) -> Any:
    if not values.size:
        return np.zeros(len(values), np.int64)
    return np.unique(values, axis=axis, return_inverse=True)[1].reshape(-1)
