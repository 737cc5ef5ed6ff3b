"""Choosing: for each row the value of the first test that holds, of values of any type."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from pyarrow import compute as pc

from brim.operators.expressions.function import Values, spread


def choose(tests: list[pa.Array], values: list[Values]) -> pa.Array:
    """`values` are of one type, and one more than `tests`: the last is for rows for which none of them holds."""
    kind, rows = values[0].type, len(tests[0])
    if isinstance(kind, pa.BaseExtensionType):
        stored = [spread(value, rows).storage for value in values]
        return pa.ExtensionArray.from_storage(kind, choose(tests, stored))
    if has_extension(kind):  # Arrow can only take of lists of tensors
        places = [pa.array(np.arange(place * rows, (place + 1) * rows)) for place in range(len(values))]
        return pa.concat_arrays([spread(value, rows) for value in values]).take(choose(tests, places))
    if pa.types.is_nested(kind):
        values = [spread(value, rows) for value in values]
    return pc.case_when(pc.make_struct(*tests), *values)


def has_extension(kind: pa.DataType) -> bool:
    """Whether `kind` is an extension type or has one inside."""
    inner = (kind.field(place).type for place in range(kind.num_fields))
    return isinstance(kind, pa.BaseExtensionType) or any(map(has_extension, inner))
