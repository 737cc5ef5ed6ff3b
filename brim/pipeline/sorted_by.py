"""Sorted by: the nodes of a sort. Keys that are no columns are computed before it, and dropped after it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from brim.errors import PlanError
from brim.operators.expressions.aggregates import refuse_aggregates
from brim.operators.expressions.tree import Column
from brim.pipeline.expr import Expr, tree_of
from brim.pipeline.materialising import Sort

if TYPE_CHECKING:
    from brim.pipeline.builder import Pipeline


def sorted_by(
    pipeline: Pipeline, keys: Sequence[str | Expr], descending: bool | Sequence[bool], nulls_first: bool
) -> Pipeline:
    """`pipeline` sorted by `keys`, of which each has its direction."""
    if not keys:
        raise PlanError("sort takes at least one column")
    directions = [descending] * len(keys) if isinstance(descending, bool) else [bool(each) for each in descending]
    if len(directions) != len(keys):
        raise PlanError(f"sort: {len(keys)} keys, but {len(directions)} directions; say descending= once, or for each")
    columns, names, computed = pipeline.columns, [], {}
    for place, key in enumerate(keys):
        tree = Column(key) if isinstance(key, str) else tree_of(key)
        refuse_aggregates(tree, "sort")
        names.append(tree.name if isinstance(tree, Column) else _free_name(place, columns))
        if not isinstance(tree, Column):
            computed[names[-1]] = key
    before = pipeline.with_columns(**computed) if computed else pipeline
    node = Sort(before._id("sort"), before.node, tuple(names), tuple(directions), nulls_first)  # noqa: SLF001 - one builder
    after = type(pipeline)(node)
    return after.select(*columns) if computed else after


def _free_name(place: int, taken: Sequence[str]) -> str:
    """A name that no column has."""
    name = f"sort key {place + 1}"
    while name in taken:
        name += "'"
    return name
