"""The build side of a join: the smaller one, as far as that is known."""

from __future__ import annotations

import pyarrow as pa

from brim.pipeline.expected_rows import expected_rows
from brim.pipeline.materialising import Join
from brim.pipeline.nodes import (
    Node,
)

OTHER_BYTES = 32
"""What a value is taken to weigh whose type has no width."""


def builds_left(node: Join) -> bool:
    """Whether the left side is built: both sizes are known, and it is the smaller. Else it is the right side."""
    left, right = (_bytes(side) for side in (node.left, node.right))
    return left is not None and right is not None and left < right


def _bytes(node: Node) -> int | None:
    """About what the rows of `node` weigh; None where nobody knows how many there are."""
    rows = expected_rows(node)[node.id]
    if rows is None:
        return None
    return rows * sum(_value_bytes(field.type) for field in node.schema)


def _value_bytes(kind: pa.DataType) -> int:
    return max(1, kind.bit_width // 8) if pa.types.is_primitive(kind) else OTHER_BYTES
