"""Merge selections: a projection that only picks columns is done by what is below it, and needs no stage of its own.

>>> import pyarrow as pa
>>> from brim.io.in_memory import arrow_source
>>> from brim.operators.expressions.tree import Column
>>> from brim.pipeline.nodes import Project, Scan
>>> scan = Scan("scan-1", arrow_source(pa.table({"a": [1], "b": [2]})))
>>> merged = merge_selections(Project("select-2", scan, (("b", Column("b")), ("a", Column("a")))))
>>> merged.id, merged.schema.names
('scan-1', ['b', 'a'])
"""

from __future__ import annotations

from dataclasses import replace

from brim.operators.expressions.tree import Column
from brim.pipeline.nodes import ApplyStep, NamedTrees, Node, Project, Scan, transform


def merge_selections(node: Node) -> Node:
    """Give every selection to the scan, step or projection right below it."""
    return transform(node, _merge)


def _merge(node: Node) -> Node:
    if not isinstance(node, Project) or (names := _picked(node.expressions)) is None:
        return node
    match node.input:
        case Scan(source=source) as scan:
            return replace(scan, source=source.with_columns(names))
        case ApplyStep(output=output) as step if output in names:
            return replace(step, columns=names)
        case Project(expressions=expressions) as below:
            trees = dict(expressions)
            return replace(below, expressions=tuple((name, trees[name]) for name in names))
        case below:
            return below if tuple(below.schema.names) == names else node


def _picked(expressions: NamedTrees) -> tuple[str, ...] | None:
    """The names of the columns picked, None where one is renamed or computed."""
    if all(tree == Column(name) for name, tree in expressions):
        return tuple(name for name, _ in expressions)
    return None
