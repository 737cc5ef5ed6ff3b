"""Nodes that materialise: what comes out depends on rows that come last, so all are kept, in memory or on disk."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pyarrow as pa

from brim.errors import PlanError
from brim.operators.expressions.evaluate import infer
from brim.operators.expressions.tree import Column, Tree
from brim.operators.groups.group_batch import GroupBatch
from brim.operators.joins.kind import How, JoinKeys, JoinSpec, join_spec
from brim.operators.keys.order import check_sortable
from brim.operators.repartition import PARTS_MOST
from brim.pipeline.node_checks import check_columns, check_whole, set_schema

if TYPE_CHECKING:
    from brim.pipeline.nodes import Node


@dataclass(frozen=True, slots=True)
class GroupBy:
    """A row for each group of rows with equal `keys`: these, then the results of `expressions`."""

    id: str
    input: Node
    keys: tuple[tuple[str, Tree], ...]
    expressions: tuple[tuple[str, Tree], ...]
    schema: pa.Schema = field(init=False)

    def __post_init__(self) -> None:
        names = [name for name, _ in (*self.keys, *self.expressions)]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise PlanError(f"{self.id}: more than one column is called {twice}; use .alias(...)")
        for _, tree in self.keys:
            infer(tree, self.input.schema, self.id)
        set_schema(self, self.group.schema_out)

    @property
    def group(self) -> GroupBatch:
        """How rows are grouped."""
        return GroupBatch(self.keys, self.expressions, self.input.schema)


@dataclass(frozen=True, slots=True)
class Distinct:
    """Rows, each once."""

    id: str
    input: Node
    schema: pa.Schema = field(init=False)

    def __post_init__(self) -> None:
        set_schema(self, self.input.schema)

    @property
    def group(self) -> GroupBatch:
        """Rows are groups of their own."""
        return GroupBatch(tuple((name, Column(name)) for name in self.schema.names), (), self.schema)


@dataclass(frozen=True, slots=True)
class Repartition:
    """The same rows in `parts`, one after another; by the hash of `by`, or in turns."""

    id: str
    input: Node
    parts: int
    by: tuple[str, ...] = ()
    schema: pa.Schema = field(init=False)

    def __post_init__(self) -> None:
        check_whole(self.id, "the number of parts", self.parts, least=1)
        if self.parts > PARTS_MOST:
            raise PlanError(f"{self.id}: at most {PARTS_MOST:,} parts, not {self.parts:,}")
        check_columns(self.id, self.by, self.input.schema)
        set_schema(self, self.input.schema)


@dataclass(frozen=True, slots=True)
class Sort:
    """The same rows in the order of `by`; only the first `limit` where no more are wanted."""

    id: str
    input: Node
    by: tuple[str, ...]
    descending: tuple[bool, ...]
    nulls_first: bool = False
    limit: int | None = None
    schema: pa.Schema = field(init=False)

    def __post_init__(self) -> None:
        check_columns(self.id, self.by, self.input.schema)
        for name in self.by:
            check_sortable(f"{self.id}: {name}", self.input.schema.field(name).type)
        set_schema(self, self.input.schema)


@dataclass(frozen=True, slots=True)
class Join:
    """Rows of `left` and `right` whose keys are equal."""

    id: str
    left: Node
    right: Node
    how: How
    keys: JoinKeys
    suffix: str = "_right"
    schema: pa.Schema = field(init=False)

    def __post_init__(self) -> None:
        check_columns(self.id, self.keys.left, self.left.schema)
        check_columns(self.id, self.keys.right, self.right.schema)
        set_schema(self, self.spec.schema)

    @property
    def spec(self) -> JoinSpec:
        """What is joined with what, and the columns that come of it."""
        return join_spec(self.id, self.how, self.left.schema, self.right.schema, self.keys, self.suffix)
