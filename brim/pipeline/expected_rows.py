"""Expected rows: how many rows each node will send, where that follows from what was declared.

Only sources that know their rows begin a count, and only what keeps, cuts or multiplies rows by a known number carries
it on: after a filter, an explode or a user function of batches nobody knows.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import assert_never

from brim.operators.user_functions.user_function import UserFunction
from brim.pipeline.materialising import Distinct, GroupBy, Join, Repartition, Sort
from brim.pipeline.nodes import (
    Aggregate,
    ApplyStep,
    Concat,
    Explode,
    Filter,
    IntoBatches,
    Limit,
    MapBatches,
    Node,
    Offset,
    Project,
    Sample,
    Scan,
    Unpivot,
    Write,
    inputs_of,
)

NOTHING: Mapping[str, int] = MappingProxyType({})


def expected_rows(node: Node, sent: Mapping[str, int] = NOTHING) -> dict[str, int | None]:
    """Rows by the id of each node in the tree, None where nobody knows.

    `sent` are the rows of nodes that have ended: these are known, whatever was declared.

    >>> from brim.io.in_memory import range_source
    >>> expected_rows(Limit("limit-2", Scan("range-1", range_source(10)), 3))
    {'range-1': 10, 'limit-2': 3}
    """
    found: dict[str, int | None] = {}
    _visit(node, found, sent)
    return found


def _visit(node: Node, found: dict[str, int | None], sent: Mapping[str, int]) -> int | None:
    below = [_visit(part, found, sent) for part in inputs_of(node)]
    known = [rows for rows in below if rows is not None]
    rows = sent.get(node.id, _rows(node, sum(known)) if len(known) == len(below) else None)
    found[node.id] = rows if found.get(node.id, rows) == rows else None  # two that differ may share an id
    return rows


def _rows(node: Node, below: int) -> int | None:
    match node:
        case Scan(source=source):
            return source.rows
        case Project() | IntoBatches() | Concat() | Repartition():
            return below
        case Sort(limit=limit):
            return below if limit is None else min(limit, below)
        case ApplyStep(step=UserFunction(on_error="drop")):
            return None
        case ApplyStep():
            return below
        case Limit(rows=rows):
            return min(rows, below)
        case Offset(rows=rows):
            return max(0, below - rows)
        case Sample(fraction=fraction):
            return round(fraction * below)
        case Unpivot(on=on):
            return below * len(on)
        case Filter() | Explode() | MapBatches() | Aggregate() | GroupBy() | Distinct() | Join() | Write():
            return None
        case _:
            assert_never(node)
