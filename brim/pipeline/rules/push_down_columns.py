"""Push down columns: a column that nobody reads is not read, not computed and not carried along.

>>> import pyarrow as pa
>>> from brim.io.in_memory import arrow_source
>>> from brim.pipeline.nodes import Project, Scan
>>> from brim.operators.expressions.tree import Column
>>> scan = Scan("scan-1", arrow_source(pa.table({"a": [1], "b": [2]})))
>>> push_down_columns(Project("select-2", scan, (("b", Column("b")),))).input.schema.names
['b']
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pyarrow as pa

from brim.operators.expressions.tree import Column, columns_of
from brim.pipeline.materialising import Distinct, GroupBy, Join, Repartition, Sort
from brim.pipeline.nodes import (
    Aggregate,
    ApplyStep,
    Concat,
    Explode,
    Filter,
    MapBatches,
    NamedTrees,
    Node,
    Project,
    Scan,
    Unpivot,
    Write,
)


def push_down_columns(node: Node) -> Node:
    """Read, compute and carry only the columns that somebody reads."""
    return _prune(node, set(node.schema.names))


def _prune(node: Node, needed: set[str]) -> Node:
    """`node` with at least the columns `needed`, in the order it has them; never without any, or rows were lost."""
    needed = needed or {_cheapest(node.schema)}
    match node:
        case Scan(source=source):
            names = _ordered(source.schema, needed)
            return node if names == tuple(source.schema.names) else replace(node, source=source.with_columns(names))
        case Project(input=below, expressions=expressions):
            kept = tuple((name, tree) for name, tree in expressions if name in needed)
            return replace(node, input=_prune(below, _read(kept)), expressions=kept)
        case Aggregate(input=below, expressions=expressions):
            kept = tuple((name, tree) for name, tree in expressions if name in needed)
            return replace(node, input=_prune(below, _read(kept)), expressions=kept)
        case Filter(input=below, predicate=predicate):
            return replace(node, input=_prune(below, needed | set(columns_of(predicate))))
        case ApplyStep():
            return _prune_step(node, needed)
        case Sort(input=below, by=by) | Repartition(input=below, by=by):
            return replace(node, input=_prune(below, needed | set(by)))
        case GroupBy(input=below, keys=keys, expressions=expressions):
            kept = tuple((name, tree) for name, tree in expressions if name in needed)
            return replace(node, input=_prune(below, _read((*keys, *kept))), expressions=kept)
        case Distinct(input=below):
            return replace(node, input=_exactly(below, set(below.schema.names)))
        case Join():
            return _prune_join(node, needed)
        case Explode(input=below, columns=columns):
            return replace(node, input=_prune(below, needed | set(columns)))
        case Unpivot(input=below, on=on, index=index):
            return replace(node, input=_exactly(below, {*on, *index}))
        case MapBatches(input=below) | Write(input=below):
            return replace(node, input=_prune(below, set(below.schema.names)))
        case Concat(inputs=inputs):
            return replace(node, inputs=tuple(_exactly(below, needed) for below in inputs))
        case _:
            return replace(node, input=_prune(node.input, needed))


def _prune_join(node: Join, needed: set[str]) -> Node:
    """What is needed of each side. A name that gets the suffix must go on to get it."""
    spec = node.spec
    left = {name for name in spec.left if name in needed} | set(spec.left_on) or {_cheapest(node.left.schema)}
    right = {name for name, new in spec.right if new in needed} | set(spec.right_on) or {_cheapest(node.right.schema)}
    renamed = {name for name, new in spec.right if new != name and name in right}
    return replace(node, left=_exactly(node.left, left | renamed), right=_exactly(node.right, right))


def _prune_step(node: ApplyStep, needed: set[str]) -> Node:
    drops_rows = getattr(node.step, "on_error", None) == "drop"
    if node.output not in needed and not drops_rows:
        return _prune(node.input, needed)
    columns = _ordered(node.schema, needed | {node.output})
    return replace(node, input=_prune(node.input, {*columns, *node.arguments} - {node.output}), columns=columns)


def _exactly(node: Node, needed: set[str]) -> Node:
    """`node` with the columns `needed` and no others, where several inputs must agree."""
    names = _ordered(node.schema, needed)
    pruned = _prune(node, needed)
    if tuple(pruned.schema.names) == names:
        return pruned
    return Project(f"{node.id}.columns", pruned, tuple((name, Column(name)) for name in names))


def _read(expressions: NamedTrees) -> set[str]:
    return {name for _, tree in expressions for name in columns_of(tree)}


def _ordered(schema: pa.Schema, names: Iterable[str]) -> tuple[str, ...]:
    wanted = set(names)
    return tuple(name for name in schema.names if name in wanted)


def _cheapest(schema: pa.Schema) -> str:
    """The column that costs least to carry when only the number of rows matters."""
    fixed = [field.name for field in schema if pa.types.is_primitive(field.type)]
    return str((fixed or schema.names)[0])
