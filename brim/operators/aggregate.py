"""AggregateAll: one row of aggregates over all rows.

Input    batches of any size
Output   exactly one row, when the input has ended; also for an input without rows
Order    kept: `first`, `last` and `list` follow the order of the input
Holds    a state for each aggregate: a few numbers, save for `count_distinct` (the different values) and `list` (all)
Fails    with `ExpressionFailed` when a value cannot be computed, or a sum does not fit its type
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from brim.errors import ExpressionFailed
from brim.operators.expressions.aggregates import SMALL_STATES, AggregateSpec, State, aggregate_spec
from brim.operators.expressions.cast import cast
from brim.operators.expressions.evaluate import evaluate, infer
from brim.operators.expressions.function import plain
from brim.operators.expressions.tree import Aggregate, Column, Tree, describe, transform, walk


def folds(expressions: tuple[tuple[str, Tree], ...]) -> bool:
    """Whether all aggregates keep a few numbers or one value, so that states of many batches weigh nothing."""
    nodes = [node for _, tree in expressions for node in walk(tree)]
    return all(node.function in SMALL_STATES for node in nodes if isinstance(node, Aggregate))


@dataclass(slots=True)
class AggregateAll:
    """A kernel: `expressions` are (name, tree) over batches of `schema`; a tree may combine several aggregates."""

    expressions: tuple[tuple[str, Tree], ...]
    schema: pa.Schema
    _parts: list[_Part] = field(init=False)

    def __post_init__(self) -> None:
        aggregates = [node for _, tree in self.expressions for node in walk(tree) if isinstance(node, Aggregate)]
        self._parts = [_Part.of(aggregate, self.schema) for aggregate in dict.fromkeys(aggregates)]

    def push(self, batch: pa.RecordBatch, piece_bytes: int) -> Iterator[pa.RecordBatch]:  # noqa: ARG002 - no output yet
        self.merge(self.states(batch))
        return iter(())

    def states(self, batch: pa.RecordBatch) -> list[State]:
        """The state of each aggregate over `batch` alone; nothing of this kernel changes."""
        return [part.state_of(batch) for part in self._parts]

    def merged(self, left: list[State], right: list[State]) -> list[State]:
        """The states of the rows of `left` followed by those of `right`; both may be used up."""
        return [part.spec.merge(*states) for part, *states in zip(self._parts, left, right, strict=True)]

    def merge(self, states: list[State]) -> None:
        """Take rows whose states are known."""
        for part, state in zip(self._parts, states, strict=True):
            part.state = part.spec.merge(part.state, state)

    def finish(self, piece_bytes: int) -> Iterator[pa.RecordBatch]:  # noqa: ARG002 - one row is never cut
        results = pa.RecordBatch.from_arrays([part.result() for part in self._parts], names=self._names())
        results = results if self._parts else pa.RecordBatch.from_pylist([{"": None}])
        places = {part.aggregate: Column(name) for part, name in zip(self._parts, self._names(), strict=True)}
        made = {
            name: cast(evaluate(_outer(tree, places), results), infer(tree, self.schema))
            for name, tree in self.expressions
        }
        yield pa.RecordBatch.from_pydict(made)

    def state_bytes(self) -> int:
        """Bytes that the states keep alive; arrays shared by two states count twice."""
        return sum(part.state_bytes() for part in self._parts)

    def _names(self) -> list[str]:
        return [str(place) for place in range(len(self._parts))]


@dataclass(slots=True)
class _Part:
    """One aggregate and what it has met."""

    aggregate: Aggregate
    spec: AggregateSpec
    state: State

    @classmethod
    def of(cls, aggregate: Aggregate, schema: pa.Schema) -> _Part:
        kind = pa.null() if aggregate.argument is None else plain(pa.nulls(0, infer(aggregate.argument, schema))).type
        spec = aggregate_spec(aggregate, kind)
        return cls(aggregate, spec, spec.partial(pa.nulls(0, kind)))

    def state_of(self, batch: pa.RecordBatch) -> State:
        argument = self.aggregate.argument
        values = pa.nulls(batch.num_rows) if argument is None else plain(evaluate(argument, batch))
        return self.spec.partial(values)

    def result(self) -> pa.Array:
        try:
            return pa.repeat(self.spec.final(self.state), 1)
        except pa.ArrowInvalid as error:
            raise ExpressionFailed(describe(self.aggregate), str(error)) from error

    def state_bytes(self) -> int:
        return sum(part.get_total_buffer_size() for part in self.state) if isinstance(self.state, list) else 0


def _outer(tree: Tree, places: dict[Aggregate, Column]) -> Tree:
    """`tree` with every aggregate replaced by the column that holds its result."""

    def placed(node: Tree) -> Any:
        return places[node] if isinstance(node, Aggregate) else node

    return transform(tree, placed)
