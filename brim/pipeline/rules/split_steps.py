"""Split steps: what waits, calls Python or inflates inside an expression becomes a node of its own.

>>> import pyarrow as pa
>>> from brim.operators.decompress import Decompress
>>> from brim.operators.expressions.tree import Apply, Column
>>> from brim.io.in_memory import arrow_source
>>> from brim.pipeline.nodes import Project, Scan
>>> scan = Scan("scan-1", arrow_source(pa.table({"body": [b""]})))
>>> node = Project("select-2", scan, (("text", Apply(Decompress("gzip"), (Column("body"),))),))
>>> split = split_steps(node)
>>> split.expressions, split.input.id
((('text', Column(name='text')),), 'select-2.decompress.gzip')
"""

from __future__ import annotations

from dataclasses import replace

from brim.operators.expressions.tree import Apply, Column, Tree, applies_in, name_of
from brim.operators.expressions.tree import transform as transform_tree
from brim.pipeline.nodes import Aggregate, ApplyStep, Filter, NamedTrees, Node, Project, transform


def split_steps(node: Node) -> Node:
    """Make a node of each step inside an expression."""
    return transform(node, _split)


def _split(node: Node) -> Node:
    match node:
        case Project(expressions=expressions) | Aggregate(expressions=expressions):
            below, trees = _extract(node, tuple(tree for _, tree in expressions))
            named = tuple((name, tree) for (name, _), tree in zip(expressions, trees, strict=True))
            return node if below is node.input else replace(node, input=below, expressions=named)
        case Filter(predicate=predicate):
            below, (tree,) = _extract(node, (predicate,))
            if below is node.input:
                return node
            return Project(node.id, replace(node, input=below, predicate=tree), _same(node.schema.names))
        case _:
            return node


def _extract(node: Project | Aggregate | Filter, trees: tuple[Tree, ...]) -> tuple[Node, tuple[Tree, ...]]:
    """The node's input with a column for each step in `trees`, and the trees reading those columns instead."""
    below = node.input
    made: dict[Tree, Tree] = {}

    def read_made(tree: Tree) -> Tree:
        return made.get(tree, tree)

    # Inner steps are met first, and trees are rewritten from the leaves up: an outer step is looked up as it reads
    # once the inner ones are columns.
    for step in dict.fromkeys(step for tree in trees for step in applies_in(tree)):
        rewritten = transform_tree(step, read_made)
        if not isinstance(rewritten, Apply):
            continue
        below, arguments = _as_columns(node.id, below, rewritten.arguments)
        output = _fresh(below, _wanted_name(node, step))
        id_ = f"{node.id}.{step.step.name}" + (f"-{len(made) + 1}" if made else "")
        below = ApplyStep(id_, below, rewritten.step, arguments, output, (*below.schema.names, output))
        made[rewritten] = Column(output)
    return below, tuple(transform_tree(tree, read_made) for tree in trees)


def _as_columns(id_: str, below: Node, arguments: tuple[Tree, ...]) -> tuple[Node, tuple[str, ...]]:
    """`below` with a column for each argument that is not one already, and the columns' names."""
    names: list[str] = []
    added: list[tuple[str, Tree]] = []
    for argument in arguments:
        if isinstance(argument, Column):
            names.append(argument.name)
            continue
        names.append(_fresh(below, f"{name_of(argument)}_argument", taken=[name for name, _ in added]))
        added.append((names[-1], argument))
    if added:
        below = Project(f"{id_}.arguments", below, (*_same(below.schema.names), *added))
    return below, tuple(names)


def _wanted_name(node: Project | Aggregate | Filter, step: Apply) -> str:
    """The name the user gave to what `step` makes, where that is a column by itself."""
    expressions: NamedTrees = () if isinstance(node, Filter) else node.expressions
    for name, tree in expressions:
        if tree == step:
            return name
    return step.step.name


def _fresh(below: Node, name: str, taken: list[str] | None = None) -> str:
    used = {*below.schema.names, *(taken or ())}
    while name in used:
        name = f"_{name}"
    return name


def _same(names: list[str]) -> NamedTrees:
    return tuple((name, Column(name)) for name in names)
