"""JSON schema: the types of sampled rows, merged.

    null + X -> X        int + float -> float        lists and structs element by element, field by field
    only null -> string  (as Polars and DuckDB do)   integers beyond 63 bits -> uint64

Anything else that does not merge is `SchemaMismatch` with the column's path, and asks for a `schema`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from brim.errors import LimitExceeded, SchemaMismatch

COLUMNS_MAX = 10_000

_INT_MAX = (1 << 63) - 1
_ATOMS = {bool: "boolean", int: "integer", float: "number", str: "string"}
_TYPES = {"boolean": pa.bool_(), "integer": pa.int64(), "number": pa.float64(), "string": pa.string()}


class Conflict(Exception):
    """Two values of one column have types that do not merge."""

    def __init__(self, path: str, kept: str, met: str) -> None:
        super().__init__(path, kept, met)
        self.path, self.kept, self.met = path, kept, met


@dataclass(slots=True)
class Shape:
    """What has been seen of one column: an atom's name, or the shapes below a list or a struct."""

    kind: str = "null"
    large: bool = False
    fields: dict[str, Shape] = field(default_factory=dict)

    def type(self) -> pa.DataType:
        """The Arrow type of what has been seen."""
        if self.kind == "object":
            return pa.struct([(name, shape.type()) for name, shape in self.fields.items()])
        if self.kind == "array":
            return pa.list_(self.fields[""].type())
        if self.kind == "integer" and self.large:
            return pa.uint64()
        return _TYPES.get(self.kind, pa.string())


@dataclass(slots=True)
class Sampled:
    """The shape of all rows that were met; `columns` counts the names at every depth."""

    place: str
    root: Shape = field(default_factory=lambda: Shape("object"))
    columns: int = 0

    def add(self, row: dict[str, Any]) -> None:
        """Merge one row; `Conflict` when it does not fit those before it."""
        self._merge_object(self.root, row, "")

    def schema(self) -> pa.Schema:
        return pa.schema([(name, shape.type()) for name, shape in self.root.fields.items()])

    def _merge(self, shape: Shape, value: Any, path: str) -> None:
        if value is None:
            return
        kind = "object" if isinstance(value, dict) else "array" if isinstance(value, list) else _ATOMS[type(value)]
        shape.kind = _meet(shape.kind, kind, path)
        if kind == "integer" and value > _INT_MAX:
            shape.large = True
        if kind == "object":
            self._merge_object(shape, value, path)
        elif kind == "array":
            below = shape.fields.setdefault("", Shape())
            for element in value:
                self._merge(below, element, f"{path}[]")

    def _merge_object(self, shape: Shape, value: dict[str, Any], path: str) -> None:
        for name, below in value.items():
            known = shape.fields.get(name)
            if known is None:
                self.columns += 1
                if self.columns > COLUMNS_MAX:
                    raise LimitExceeded(
                        "the number of columns, nested ones counted", self.columns, COLUMNS_MAX, self.place
                    )
                known = shape.fields[name] = Shape()
            self._merge(known, below, f"{path}.{name}" if path else name)


def _meet(kept: str, met: str, path: str) -> str:
    if kept in ("null", met):
        return met
    if {kept, met} == {"integer", "number"}:
        return "number"
    raise Conflict(path, kept, met)


def conflict_error(conflict: Conflict, place: str) -> SchemaMismatch:
    """The error of a conflict met at `place`."""
    return SchemaMismatch(
        f"{place}, column {conflict.path!r}", f"{conflict.kept} as in the lines before (or give schema=)", conflict.met
    )


def merged_schema(rows: Iterable[dict[str, Any]], place: str) -> pa.Schema:
    """The schema of `rows`.

    >>> merged_schema([{"a": 1, "b": [None]}, {"a": 2.5, "b": [{"c": None}]}], "rows").types
    [DataType(double), ListType(list<item: struct<c: string>>)]
    """
    sampled = Sampled(place)
    for row in rows:
        try:
            sampled.add(row)
        except Conflict as conflict:
            raise conflict_error(conflict, place) from None
    return sampled.schema()
