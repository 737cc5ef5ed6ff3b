"""The smaller side of a join is built, where both are known; else the right one."""

from __future__ import annotations

import pytest

import brim
from brim import col
from brim.pipeline.build_side import builds_left

SMALL, LARGE = brim.range(10), brim.range(1000)
TEXTS = brim.from_pydict({"id": list(range(400)), "text": ["x"] * 400})


@pytest.mark.parametrize(
    ("left", "right", "is_left"),
    [
        (SMALL, LARGE, True),
        (LARGE, SMALL, False),
        (SMALL, SMALL, False),
        (LARGE, TEXTS, True),  # 400 texts are taken to weigh more than 1,000 numbers
        (SMALL.filter(col("id") > 3), LARGE, False),  # nobody knows how many are left
        (SMALL, LARGE.filter(col("id") > 3), False),
    ],
)
def test_the_smaller_side_is_built_where_both_are_known(left, right, is_left):
    joined = left.join(right, "id")
    assert builds_left(joined.node) is is_left
    side = "left" if is_left else "right"
    assert f"inner on id, the {side} side is built" in joined.explain(memory="256MiB")
