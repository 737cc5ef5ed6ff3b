"""The stable order of rows by several keys. Pure.

The words of the keys (`words`) are taken one after another, each for the rows that the words before left alike. What
is sorted is one number of 64 bits a row: the run of alike rows, as many bits of the word as fit, and the row's place,
so that no two are equal, the sort is stable, and no order is looked up in another.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from pyarrow import compute as pc
from pyarrow import types

from brim.errors import PlanError
from brim.operators.keys.key_words import FixedWords, key_words
from brim.operators.keys.sort_words import Refinement
from brim.operators.keys.views import Places, decoded

_LONG_WORDS = 64
"""Rows that are alike in so many words of a string have pyarrow compare them: words would be thousands."""


def check_sortable(name: str, kind: pa.DataType) -> None:
    """Raise `PlanError` where values of `kind` have no order."""
    if isinstance(kind, pa.BaseExtensionType):
        return check_sortable(name, kind.storage_type)
    if types.is_dictionary(kind) or types.is_run_end_encoded(kind):
        return check_sortable(name, kind.value_type)
    if types.is_nested(kind) or types.is_interval(kind):
        raise PlanError(f"{name}: {kind} has no order; sort by a part of it, or by its length")
    return None


def sort_order(columns: Sequence[pa.Array], descending: Sequence[bool], nulls_first: bool) -> Places:
    """The places of the rows in their order; rows that are equal in all `columns` stay in the order they have.

    Numbers go by value, NaN after all of them (first when descending) and -0.0 with 0.0; strings by their bytes; False
    before True; nulls where `nulls_first` says, whatever the direction. It takes up to 50 bytes a row while it sorts by
    numbers and 100 by strings, the result included.
    """
    rows = Refinement(len(columns[0]))
    for column, down in zip(columns, descending, strict=True):
        key, number = key_words(column, nulls_first, down), 0
        while key.has(number) and rows.alike and (word := key.word(number, rows.rows)) is not None:
            if number == _LONG_WORDS:
                return _by_comparing(columns, descending, nulls_first)
            rows.refine(word)
            del word
            number += 1
    return rows.order


def _by_comparing(columns: Sequence[pa.Array], descending: Sequence[bool], nulls_first: bool) -> Places:
    """The order by pyarrow's comparisons, for long strings that begin alike; of other keys it compares the words."""
    parts: list[tuple[pa.Array, str]] = []
    for column, down in zip(columns, descending, strict=True):
        key = key_words(column, nulls_first, down)
        if isinstance(key, FixedWords):
            parts += [(pa.array(word), "ascending") for word in key.words]
            continue
        column = decoded(column)  # noqa: PLW2901 - as it is compared
        if column.null_count:
            parts.append(((pc.is_valid if nulls_first else pc.is_null)(column), "ascending"))
        parts.append((column, "descending" if down else "ascending"))
    names = [str(number) for number in range(len(parts))]
    batch = pa.RecordBatch.from_arrays([part for part, _ in parts], names)
    order = pc.sort_indices(batch, sort_keys=[(name, way) for name, (_, way) in zip(names, parts, strict=True)])
    return np.asarray(order.to_numpy(), np.int64)
