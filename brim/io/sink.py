"""Sink: what a writer declares. A frozen specification; `operator(schema)` makes what runs."""

from __future__ import annotations

from typing import Literal, Protocol

import pyarrow as pa

from brim.operators.protocol import Operator

Mode = Literal["create", "append", "overwrite"]

WRITTEN = pa.schema([("path", pa.string()), ("rows", pa.int64()), ("bytes", pa.int64())])
"""A sink's own rows: one for each file that is now there."""


class Sink(Protocol):
    """Rows to outside."""

    @property
    def name(self) -> str:
        """As the user calls it: ``write_parquet``."""

    @property
    def place(self) -> str:
        """Where the rows go, for people."""

    def check(self, schema: pa.Schema) -> None:
        """Raise `PlanError` or `SchemaMismatch` when rows of `schema` cannot be written there."""

    def check_target(self) -> None:
        """Raise `PlanError` when something is in the way of the mode. Looks at the disk; the run looks again."""

    def operator(self, schema: pa.Schema) -> Operator:
        """The stage that writes rows of `schema`."""
