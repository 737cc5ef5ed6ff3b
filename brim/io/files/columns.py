"""Columns: a selection by name, checked."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from brim.errors import PlanError, UnknownColumn


def check_selection(names: Sequence[str], schema: pa.Schema, reader: str) -> tuple[str, ...]:
    """`names` when each is a column of `schema`, and named once."""
    if isinstance(names, str):
        raise PlanError(f"{reader}: columns= is a list of names; write columns=[{names!r}]")
    for name in names:
        if name not in schema.names:
            raise UnknownColumn(name, schema.names, reader)
    if len(set(names)) != len(names):
        raise PlanError(f"{reader}: a column is selected twice in {list(names)}")
    return tuple(names)
