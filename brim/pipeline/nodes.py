"""What was declared: a frozen tree of nodes, each with its schema, so that mistakes surface where they are made.

A node is data: it pickles (functions by cloudpickle) and knows nothing of limits, files that are open or machines.
Its schema is computed when it is made; rules make new nodes and so check their own work.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pyarrow as pa

from brim.errors import PlanError, SchemaMismatch
from brim.io.sink import Sink
from brim.io.source import Source
from brim.operators.explode import exploded_schema
from brim.operators.expressions.evaluate import infer
from brim.operators.expressions.tree import Step, Tree
from brim.operators.unpivot import unpivoted_schema
from brim.operators.user_functions.user_function import UserFunction
from brim.pipeline.materialising import Distinct, GroupBy, Join, Repartition, Sort
from brim.pipeline.node_checks import check_columns, check_whole, set_schema

NamedTrees = tuple[tuple[str, Tree], ...]


@dataclass(frozen=True, slots=True)
class Scan:
    """Rows from outside."""

    id: str
    source: Source

    def __post_init__(self) -> None:
        if not getattr(self.source, "later", False):
            assert self.schema is not None

    @property
    def schema(self) -> pa.Schema:
        """The source's; one that was not looked at yet is now."""
        schema = self.source.schema
        if not schema.names:
            raise PlanError(f"{self.id}: {self.source.place} has no columns, and so no rows to run with")
        return schema


@dataclass(frozen=True, slots=True)
class Filter:
    """Rows for which `predicate` is true."""

    id: str
    input: Node
    predicate: Tree
    schema: pa.Schema = field(init=False)

    def __post_init__(self) -> None:
        found = infer(self.predicate, self.input.schema, self.id)
        if not pa.types.is_boolean(found):
            raise SchemaMismatch(f"{self.id}: the predicate", "bool", str(found))
        set_schema(self, self.input.schema)


@dataclass(frozen=True, slots=True)
class Project:
    """Exactly these columns, each computed from the input's."""

    id: str
    input: Node
    expressions: NamedTrees
    schema: pa.Schema = field(init=False)

    def __post_init__(self) -> None:
        names = [name for name, _ in self.expressions]
        if twice := {name for name in names if names.count(name) > 1}:
            raise PlanError(f"{self.id}: more than one column is called {sorted(twice)}; use .alias(...)")
        set_schema(
            self, pa.schema([(name, infer(tree, self.input.schema, self.id)) for name, tree in self.expressions])
        )


@dataclass(frozen=True, slots=True)
class ApplyStep:
    """A column made by a step that is an operator of its own; what goes on is exactly `columns`, `output` among them.

    The planner makes these out of projections; nobody declares one.
    """

    id: str
    input: Node
    step: Step
    arguments: tuple[str, ...]
    output: str
    columns: tuple[str, ...]
    schema: pa.Schema = field(init=False)

    def __post_init__(self) -> None:
        below = self.input.schema
        made = self.step.returns(tuple(below.field(name).type for name in self.arguments))
        output = pa.field(self.output, made)
        set_schema(self, pa.schema([output if name == self.output else below.field(name) for name in self.columns]))


@dataclass(frozen=True, slots=True)
class Limit:
    """The first `rows` rows."""

    id: str
    input: Node
    rows: int
    schema: pa.Schema = field(init=False)

    def __post_init__(self) -> None:
        check_whole(self.id, "a limit", self.rows, least=0)
        set_schema(self, self.input.schema)


@dataclass(frozen=True, slots=True)
class Offset:
    """All but the first `rows` rows."""

    id: str
    input: Node
    rows: int
    schema: pa.Schema = field(init=False)

    def __post_init__(self) -> None:
        check_whole(self.id, "an offset", self.rows, least=0)
        set_schema(self, self.input.schema)


@dataclass(frozen=True, slots=True)
class Sample:
    """About `fraction` of the rows, the same ones for the same seed."""

    id: str
    input: Node
    fraction: float
    seed: int
    schema: pa.Schema = field(init=False)

    def __post_init__(self) -> None:
        if isinstance(self.fraction, bool) or not isinstance(self.fraction, int | float) or not 0 <= self.fraction <= 1:
            raise PlanError(f"{self.id}: a fraction is a number between 0 and 1, not {self.fraction!r}")
        set_schema(self, self.input.schema)


@dataclass(frozen=True, slots=True)
class IntoBatches:
    """The same rows, at most `rows` a batch."""

    id: str
    input: Node
    rows: int
    schema: pa.Schema = field(init=False)

    def __post_init__(self) -> None:
        check_whole(self.id, "the rows of a batch", self.rows, least=1)
        set_schema(self, self.input.schema)


@dataclass(frozen=True, slots=True)
class Explode:
    """A row for each element of the lists in `columns`."""

    id: str
    input: Node
    columns: tuple[str, ...]
    schema: pa.Schema = field(init=False)

    def __post_init__(self) -> None:
        check_columns(self.id, self.columns, self.input.schema)
        set_schema(self, exploded_schema(self.input.schema, self.columns))


@dataclass(frozen=True, slots=True)
class Unpivot:
    """A row for each of the columns `on`."""

    id: str
    input: Node
    on: tuple[str, ...]
    index: tuple[str, ...]
    variable_name: str
    value_name: str
    schema: pa.Schema = field(init=False)

    def __post_init__(self) -> None:
        check_columns(self.id, (*self.on, *self.index), self.input.schema)
        set_schema(self, unpivoted_schema(self.input.schema, self.on, self.index, self.variable_name, self.value_name))


@dataclass(frozen=True, slots=True)
class Aggregate:
    """One row of aggregates over all rows."""

    id: str
    input: Node
    expressions: NamedTrees
    schema: pa.Schema = field(init=False)

    def __post_init__(self) -> None:
        set_schema(
            self, pa.schema([(name, infer(tree, self.input.schema, self.id)) for name, tree in self.expressions])
        )


@dataclass(frozen=True, slots=True)
class MapBatches:
    """What a user function makes of whole batches."""

    id: str
    input: Node
    function: UserFunction
    schema: pa.Schema = field(init=False)

    def __post_init__(self) -> None:
        if self.function.schema is not None and not self.function.schema.names:
            raise PlanError(f"{self.id}: schema has no columns, and rows without columns are none")
        set_schema(self, self.input.schema if self.function.schema is None else self.function.schema)


@dataclass(frozen=True, slots=True)
class Concat:
    """The rows of several inputs, one after another."""

    id: str
    inputs: tuple[Node, ...]
    schema: pa.Schema = field(init=False)

    def __post_init__(self) -> None:
        first = self.inputs[0].schema
        for other in self.inputs[1:]:
            if not other.schema.equals(first):
                raise SchemaMismatch(f"{self.id}: {other.id}", str(first), str(other.schema))
        set_schema(self, first)


@dataclass(frozen=True, slots=True)
class Write:
    """Rows to outside; its own rows say what was written."""

    id: str
    input: Node
    sink: Sink
    schema: pa.Schema = field(init=False)

    def __post_init__(self) -> None:
        self.sink.check(self.input.schema)
        set_schema(self, pa.schema([("path", pa.string()), ("rows", pa.int64()), ("bytes", pa.int64())]))


Node = (
    Scan
    | Filter
    | Project
    | ApplyStep
    | Limit
    | Offset
    | Sample
    | IntoBatches
    | Explode
    | Unpivot
    | Aggregate
    | GroupBy
    | Distinct
    | Repartition
    | Sort
    | Join
    | MapBatches
    | Concat
    | Write
)


def inputs_of(node: Node) -> tuple[Node, ...]:
    """The nodes that `node` reads."""
    match node:
        case Scan():
            return ()
        case Concat(inputs=inputs):
            return inputs
        case Join(left=left, right=right):
            return left, right
        case _:
            return (node.input,)


def with_inputs(node: Node, inputs: tuple[Node, ...]) -> Node:
    """`node` over other inputs; the same object when nothing changes."""
    if all(new is old for new, old in zip(inputs, inputs_of(node), strict=True)):
        return node
    match node:
        case Scan():
            return node
        case Concat():
            return replace(node, inputs=inputs)
        case Join():
            return replace(node, left=inputs[0], right=inputs[1])
        case _:
            return replace(node, input=inputs[0])


def transform(node: Node, function: Callable[[Node], Node]) -> Node:
    """`node` rebuilt from its sources up, every node replaced by `function(node)`."""
    return function(with_inputs(node, tuple(transform(below, function) for below in inputs_of(node))))


def count(node: Node) -> int:
    """How many nodes the tree has."""
    found, todo = 0, [node]
    while todo:
        found += 1
        todo.extend(inputs_of(todo.pop()))
    return found


def depth(node: Node) -> int:
    """How many nodes lie between a source and `node`, both counted."""
    deepest, todo = 0, [(node, 1)]
    while todo:
        current, level = todo.pop()
        deepest = max(deepest, level)
        todo.extend((below, level + 1) for below in inputs_of(current))
    return deepest
