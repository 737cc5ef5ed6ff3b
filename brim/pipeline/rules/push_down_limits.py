"""Push down limits: rows beyond a limit are not downloaded, decoded or read.

>>> import pyarrow as pa
>>> from brim.io.in_memory import arrow_source
>>> from brim.pipeline.nodes import Limit, Project, Scan
>>> from brim.operators.expressions.tree import Column
>>> scan = Scan("scan-1", arrow_source(pa.table({"a": [1]})))
>>> node = Limit("limit-3", Project("select-2", scan, (("b", Column("a")),)), 10)
>>> push_down_limits(node).input.id
'limit-3'
"""

from __future__ import annotations

from dataclasses import replace

from brim.pipeline.materialising import Sort
from brim.pipeline.nodes import ApplyStep, Limit, Node, Project, Scan, inputs_of, with_inputs


def push_down_limits(node: Node) -> Node:
    """From the root down, so that a limit passes everything below it in one go."""
    if isinstance(node, Limit):
        sunk = _sink(node.id, node.rows, node.input)
        return sunk if isinstance(sunk, Limit) else _below(sunk)
    return _below(node)


def _below(node: Node) -> Node:
    return with_inputs(node, tuple(push_down_limits(below) for below in inputs_of(node)))


def _sink(id_: str, rows: int, node: Node) -> Node:
    match node:
        case Project(input=below):
            return replace(node, input=_sink(id_, rows, below))
        case ApplyStep(input=below, step=step) if getattr(step, "on_error", None) != "drop":
            return replace(node, input=_sink(id_, rows, below))
        case Limit(input=below):
            return replace(node, rows=min(node.rows, rows), input=below)
        case Sort(limit=limit):
            least = rows if limit is None else min(limit, rows)
            return Limit(id_, _below(replace(node, limit=least)), rows)
        case Scan(source=source):
            return Limit(id_, replace(node, source=source.with_limit(rows)), rows)
        case _:
            return Limit(id_, _below(node), rows)
