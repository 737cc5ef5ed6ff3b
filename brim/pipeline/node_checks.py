"""What nodes check when they are made."""

from __future__ import annotations

import pyarrow as pa

from brim.errors import PlanError, UnknownColumn


def set_schema(node: object, schema: pa.Schema) -> None:
    """Give `node` its schema."""
    object.__setattr__(node, "schema", schema)  # the one field a frozen node computes


def check_columns(id_: str, names: tuple[str, ...], schema: pa.Schema) -> None:
    """Raise `UnknownColumn` where `schema` lacks one of `names`."""
    for name in names:
        if name not in schema.names:
            raise UnknownColumn(name, schema.names, id_)


def check_whole(id_: str, what: str, value: object, *, least: int) -> None:
    """Raise `PlanError` where `value` is no whole number, or too small."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise PlanError(f"{id_}: {what} is a whole number of at least {least}, not {value!r}")
