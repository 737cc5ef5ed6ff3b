"""The stable order of rows by several keys. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import types

from brim.errors import PlanError
from brim.operators.keys.words import Words, following


def check_sortable(name: str, kind: pa.DataType) -> None:
    """Raise `PlanError` where values of `kind` have no order."""
    if isinstance(kind, pa.BaseExtensionType):
        return check_sortable(name, kind.storage_type)
    if types.is_dictionary(kind):
        return check_sortable(name, kind.value_type)
    if types.is_nested(kind) or kind == pa.month_day_nano_interval():
        raise PlanError(f"{name}: {kind} has no order; sort by a part of it, or by its length")
    return None


def sort_order(columns: Sequence[pa.Array], descending: Sequence[bool], nulls_first: bool) -> np.ndarray[Any, Any]:
    """The places of the rows in their order; rows that are equal in all `columns` stay in the order they have."""
    words, place, found = Words(columns, descending, nulls_first), (0, 0), []
    while place[0] < len(columns):
        if (word := words.word(place)) is not None:
            found.append(word)
        place = following(place, ended=word is None)
    return np.lexsort(found[::-1])
