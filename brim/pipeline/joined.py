"""Joined: the node of a join."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from brim.errors import PlanError
from brim.operators.joins.kind import How, JoinKeys
from brim.pipeline.given import check_place, names_of
from brim.pipeline.materialising import Join
from brim.pipeline.nodes import count

if TYPE_CHECKING:
    from brim.pipeline.builder import Pipeline

Names = str | Sequence[str] | None


def joined(left: Pipeline, right: Pipeline, on: Names, keys: tuple[Names, Names], how: How, suffix: str) -> Pipeline:  # noqa: PLR0917 - the arguments of `join`
    """`left` joined with `right` on columns that both have, or on `keys` of each."""
    pipeline = type(left)
    if not isinstance(right, pipeline):
        raise PlanError(f"join takes a pipeline, not {type(right).__name__}; use from_arrow(...) for a table")
    if on is not None and keys != (None, None):
        raise PlanError("join takes on=, or left_on= and right_on=, not both")
    mine, theirs = keys if on is None else (on, on)
    both = JoinKeys(*(() if side is None else names_of(side) for side in (mine, theirs)))
    for node in (left.node, right.node):
        check_place(node)
    id_ = f"join-{1 + count(left.node) + count(right.node)}"
    return pipeline(Join(id_, left.node, right.node, how, both, suffix))
