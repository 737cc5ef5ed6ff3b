"""Source bytes: what the sources of a plan decode to, where that is known and nothing on the way makes rows of it.

A plan of a few rows needs no batches that are larger than all of it, and is let in beside many others.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from brim.pipeline.materialising import Distinct, GroupBy, Repartition, Sort
from brim.pipeline.nodes import (
    Aggregate,
    Concat,
    Filter,
    IntoBatches,
    Limit,
    Node,
    Offset,
    Project,
    Sample,
    Scan,
    inputs_of,
)

_KEEP_ROWS = (Concat, Filter, IntoBatches, Limit, Offset, Project, Repartition, Sample, Sort)
_NO_MORE = (*_KEEP_ROWS, Aggregate, Distinct, GroupBy)


@runtime_checkable
class KnowsItsBytes(Protocol):
    """A source that may know what it decodes to before it is read."""

    @property
    def decoded_bytes(self) -> int | None:
        """Bytes of all rows as Arrow arrays, about; filters and limits not counted."""


def source_bytes(node: Node) -> int | None:
    """Bytes that all sources below `node` decode to; None where nobody knows, or rows may become more.

    All rules must have been followed: before that, what is downloaded or called is part of an expression.

    >>> from brim.io.in_memory import range_source
    >>> scan = Scan("range-1", range_source(10))
    >>> source_bytes(Limit("limit-2", scan, 3)), source_bytes(Concat("concat-2", (scan, scan)))
    (80, 160)
    """
    if isinstance(node, Scan):
        return node.source.decoded_bytes if isinstance(node.source, KnowsItsBytes) else None
    if not isinstance(node, _NO_MORE):
        return None
    below = [source_bytes(part) for part in inputs_of(node)]
    known = [size for size in below if size is not None]
    return sum(known) if len(known) == len(below) else None
