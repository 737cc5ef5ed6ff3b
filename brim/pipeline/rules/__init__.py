"""The table of contents of the planner's rules: `Node` to `Node`, in this order.

A rule is one file with one function and one doctest. It keeps the schema and the rows, or it is wrong; one property
test says so for all of them.
"""

from __future__ import annotations

from collections.abc import Callable

from brim.pipeline.nodes import Node
from brim.pipeline.rules.merge_selections import merge_selections
from brim.pipeline.rules.push_down_columns import push_down_columns
from brim.pipeline.rules.push_down_filters import push_down_filters
from brim.pipeline.rules.push_down_limits import push_down_limits
from brim.pipeline.rules.scale_image_decode import scale_image_decode
from brim.pipeline.rules.split_steps import split_steps

Rule = Callable[[Node], Node]

RULES: tuple[Rule, ...] = (
    split_steps,
    scale_image_decode,
    push_down_filters,
    push_down_limits,
    push_down_columns,
    merge_selections,
)
