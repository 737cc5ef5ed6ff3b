"""What methods of a pipeline are given: columns, expressions and names, as trees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from brim.errors import PlanError
from brim.operators.expressions.tree import Column, Tree, has_aggregate, name_of
from brim.pipeline.expr import tree_of
from brim.pipeline.nodes import NamedTrees, Node, Write, depth

DEPTH_MOST = 200


def named_trees(exprs: tuple[Any, ...], named: Mapping[str, Any]) -> NamedTrees:
    """(name, tree) of what `select` and its siblings take: a string among `exprs` is a column's name."""
    trees: list[Tree] = [Column(expr) if isinstance(expr, str) else tree_of(expr) for expr in exprs]
    return (*((name_of(tree), tree) for tree in trees), *((name, tree_of(value)) for name, value in named.items()))


def aggregates(exprs: tuple[Any, ...], named: Mapping[str, Any]) -> NamedTrees:
    """(name, tree) of what `agg` takes."""
    trees = named_trees(exprs, named)
    if not trees:
        raise PlanError("agg takes at least one aggregate, such as col(...).sum()")
    for name, tree in trees:
        if not has_aggregate(tree):
            raise PlanError(f"agg: {name!r} is no aggregate; use .sum(), .count(), .mean() and the like")
    return trees


def names_of(names: str | Sequence[str]) -> tuple[str, ...]:
    """One name, or several, as a tuple."""
    return (names,) if isinstance(names, str) else tuple(names)


def check_place(below: Node) -> None:
    """Refuse a node above a sink, and a tree too deep to be planned."""
    if isinstance(below, Write):
        raise PlanError(f"{below.id}: a sink is the last node of a pipeline")
    if depth(below) >= DEPTH_MOST:
        raise PlanError(f"{below.id}: a pipeline has at most {DEPTH_MOST} steps in a row; join filters with &")
