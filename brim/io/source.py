"""Source: what a reader declares. A frozen, picklable specification; `operator()` makes what runs."""

from __future__ import annotations

from typing import Literal, Protocol, Self

import pyarrow as pa

from brim.operators.expressions.tree import Tree
from brim.operators.protocol import Operator

OnError = Literal["raise", "skip"]


class Source(Protocol):
    """Rows from outside: files, tables, iterables.

    The planner pushes columns, limits and filters down; each gives another source and leaves this one as it is.
    """

    @property
    def name(self) -> str:
        """As the user calls it: ``read_parquet``."""

    @property
    def place(self) -> str:
        """Where the rows come from, for people: a path, or ``3 files under data/``."""

    @property
    def schema(self) -> pa.Schema:
        """What every batch looks like: the selected columns, dictionaries and views decoded."""

    @property
    def one_shot(self) -> bool:
        """Whether it can be read only once."""

    @property
    def rows(self) -> int | None:
        """How many rows there are, where that is known before reading; filters and limits not counted."""

    def with_columns(self, names: tuple[str, ...]) -> Self:
        """Only these columns, in this order; `UnknownColumn` when one is not there."""

    def with_limit(self, rows: int) -> Self:
        """Stop once `rows` rows have been sent; a few more may come."""

    def with_filters(self, predicates: tuple[Tree, ...]) -> Self:
        """Leave out what surely fails one of `predicates`; the filter itself stays in the plan."""

    def operator(self) -> Operator:
        """The stage that reads it."""
