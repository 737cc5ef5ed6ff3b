"""Which part a row belongs to. Pure; what is decided here never depends on how much memory there is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

import pyarrow as pa

from brim.operators.exchange.cut import Ids


class Partitioning(Protocol):
    """Divides rows into `parts`; rows that have to meet are in the same one."""

    @property
    def parts(self) -> int: ...

    def ids(self, batch: pa.RecordBatch, first_row: int) -> Ids:
        """The part of each row, from 0; `first_row` is how many rows came before this batch."""


class Divider(Protocol):
    """Finds partitionings for rows that were seen."""

    def first(self, batches: Sequence[pa.RecordBatch], parts: int) -> Partitioning:
        """How to divide rows like these into about so many parts."""

    def finer(self, before: Partitioning, batches: Iterable[pa.RecordBatch], parts: int) -> Partitioning | None:
        """How to divide one part of `before`, which are these rows, again; None where they cannot be divided."""
