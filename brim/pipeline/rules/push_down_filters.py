"""Push down filters: rows that are not wanted go before work is done on them, and into Parquet's statistics.

>>> import pyarrow as pa
>>> from brim.io.in_memory import arrow_source
>>> from brim.pipeline.nodes import Filter, Project, Scan
>>> from brim.operators.expressions.tree import Call, Column, describe, literal
>>> scan = Scan("scan-1", arrow_source(pa.table({"a": [1]})))
>>> select = Project("select-2", scan, (("b", Column("a")),))
>>> node = Filter("filter-3", select, Call("greater", (Column("b"), literal(0))))
>>> pushed = push_down_filters(node)
>>> pushed.id, describe(pushed.input.predicate)
('select-2', 'col("a") > 0')
"""

from __future__ import annotations

from dataclasses import replace

from brim.operators.expressions.tree import Call, Column, Tree, columns_of
from brim.operators.expressions.tree import transform as transform_tree
from brim.pipeline.materialising import Distinct, Repartition, Sort
from brim.pipeline.nodes import ApplyStep, Concat, Explode, Filter, IntoBatches, Node, Project, Scan, transform


def push_down_filters(node: Node) -> Node:
    """Filter as far down as the rows allow, each part of a conjunction by itself."""
    return transform(node, _push)


def _push(node: Node) -> Node:
    if not isinstance(node, Filter):
        return node
    below = node.input
    for predicate in _conjuncts(node.predicate):
        below = _sink(node.id, predicate, below)
    return below


def _conjuncts(predicate: Tree) -> list[Tree]:
    """The parts of `a & b & c`: a row is kept when every part is true."""
    match predicate:
        case Call(function="and", arguments=(left, right)):
            return [*_conjuncts(left), *_conjuncts(right)]
        case _:
            return [predicate]


def _sink(id_: str, predicate: Tree, node: Node) -> Node:
    """`node` filtered by `predicate`, as far down as the rows allow."""
    reads = set(columns_of(predicate))
    match node:
        case Project(input=below, expressions=expressions) if _renames(reads, dict(expressions)):
            trees = dict(expressions)
            renamed = transform_tree(predicate, lambda tree: trees[tree.name] if isinstance(tree, Column) else tree)
            return replace(node, input=_sink(id_, renamed, below))
        case ApplyStep(input=below, output=output) if output not in reads:
            return replace(node, input=_sink(id_, predicate, below))
        case Explode(input=below, columns=columns) if not reads & set(columns):
            return replace(node, input=_sink(id_, predicate, below))
        case Distinct(input=below) | Repartition(input=below) | Sort(input=below, limit=None):
            return replace(node, input=_sink(id_, predicate, below))
        case IntoBatches():
            return Filter(id_, node, predicate)
        case Concat(inputs=inputs):
            return replace(node, inputs=tuple(_sink(id_, predicate, below) for below in inputs))
        case Filter(id=same, predicate=other) if same == id_:
            return replace(node, predicate=Call("and", (other, predicate)))
        case Filter(input=below):
            return replace(node, input=_sink(id_, predicate, below))
        case Scan(source=source):
            return Filter(id_, replace(node, source=source.with_filters((predicate,))), predicate)
        case _:
            return Filter(id_, node, predicate)


def _renames(reads: set[str], trees: dict[str, Tree]) -> bool:
    return all(isinstance(trees[name], Column) for name in reads)
