"""GroupBatch: the groups of one batch: their keys and the states of their aggregates, as a batch.

    rows ── states ──► keys, states ─┐  (cut, dealt out by key, put together: all but the order of a key's rows is free)
    rows ── states ──► keys, states ─┴─ merged ──► keys, states (a row a group) ── final ──► keys, results

Equal keys are as in `keys.codes`: nulls are a group, -0.0 and 0.0 are one, all NaN are one. A key's value is that of
the first row that has it. Groups come in the order in which they first appear.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from brim.errors import ExpressionFailed
from brim.operators.expressions.cast import cast
from brim.operators.expressions.evaluate import evaluate, infer
from brim.operators.expressions.function import plain
from brim.operators.expressions.tree import Aggregate, Column, Tree, describe, transform, walk
from brim.operators.groups.columns import taken
from brim.operators.groups.grouped_spec import GroupedSpec, grouped_spec
from brim.operators.groups.grouping import Grouping
from brim.operators.keys.codes import encode

Named = tuple[tuple[str, Tree], ...]


@dataclass(frozen=True)
class GroupBatch:
    """Pure functions over batches: `keys` (one at least) and `aggregates` are (name, tree) over rows of `schema`.

    The tree of an aggregate may combine several, and keys by their names; the same aggregate is computed once.
    `states_schema` has the keys, then the columns of all states under names that no key has; `schema_out` the keys,
    then the results. What cannot be computed, or does not fit its type, is an `ExpressionFailed`.
    """

    keys: Named
    aggregates: Named
    schema: pa.Schema
    states_schema: pa.Schema = field(init=False)
    schema_out: pa.Schema = field(init=False)
    _parts: tuple[_Part, ...] = field(init=False)
    _outer: Named = field(init=False)

    def __post_init__(self) -> None:
        nodes = dict.fromkeys(node for _, tree in self.aggregates for node in walk(tree) if isinstance(node, Aggregate))
        prefix = _unlike([name for name, _ in self.keys])
        parts = tuple(_Part.of(node, f"{prefix}{place}", self.schema) for place, node in enumerate(nodes))
        keys = [pa.field(name, infer(tree, self.schema)) for name, tree in self.keys]
        met = pa.schema([*keys, *((part.name, part.spec.returns) for part in parts)])
        outer = tuple((name, _outer(tree, parts)) for name, tree in self.aggregates)
        made = {
            "states_schema": pa.schema([*keys, *(column for part in parts for column in part.fields())]),
            "schema_out": pa.schema([*keys, *((name, infer(tree, met)) for name, tree in outer)]),
            "_parts": parts,
            "_outer": outer,
        }
        for name, value in made.items():
            object.__setattr__(self, name, value)

    @property
    def is_additive(self) -> bool:
        """Whether all states are merged by adding their columns."""
        return all(part.spec.additive for part in self._parts)

    def states(self, batch: pa.RecordBatch, *, group: bool = True) -> pa.RecordBatch:
        """The groups of these rows, each with its states; without `group` every row becomes one, at little cost."""
        keys = [evaluate(tree, batch) for _, tree in self.keys]
        groups = _grouping(keys) if group else Grouping.each_row(batch.num_rows)
        met: dict[Tree | None, pa.Array] = {None: pa.nulls(batch.num_rows)}
        columns: list[pa.Array] = []
        for part in self._parts:
            argument = part.aggregate.argument
            if argument not in met:
                met[argument] = plain(evaluate(argument, batch))  # type: ignore[arg-type]
            with part.named():
                columns += part.spec.partial(met[argument], groups)
        return self._batch(_first(keys, groups), columns, self.states_schema)

    def merged(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """States of one row a group, of those in `batch`, whose rows stand in the order of the rows they came from."""
        keys, states = self._split(batch)
        groups = _grouping(keys)
        if groups.alone:
            return batch
        columns: list[pa.Array] = []
        for part, own in states:
            with part.named():
                columns += part.spec.merge(own, groups)
        return self._batch(_first(keys, groups), columns, self.states_schema)

    def final(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The results of states that have one row a group."""
        keys, states = self._split(batch)
        met = dict(zip(self.states_schema.names, keys, strict=False))
        for part, own in states:
            with part.named():
                met[part.name] = part.spec.final(own)
        rows = pa.RecordBatch.from_arrays(list(met.values()), names=list(met))
        results = [
            cast(evaluate(tree, rows), self.schema_out.field(len(keys) + place).type)
            for place, (_, tree) in enumerate(self._outer)
        ]
        return self._batch(keys, results, self.schema_out)

    def _split(self, batch: pa.RecordBatch) -> tuple[list[pa.Array], list[tuple[_Part, list[pa.Array]]]]:
        """The keys of a batch of states, and the states of each aggregate."""
        columns = iter(batch.columns)
        keys = [next(columns) for _ in self.keys]
        return keys, [(part, [next(columns) for _ in part.spec.state]) for part in self._parts]

    @staticmethod
    def _batch(keys: list[pa.Array], columns: list[pa.Array], schema: pa.Schema) -> pa.RecordBatch:
        return pa.RecordBatch.from_arrays([*keys, *columns], schema=schema)


@dataclass(frozen=True, slots=True)
class _Part:
    """One aggregate, and the name of its result; its states have names that begin so."""

    aggregate: Aggregate
    name: str
    spec: GroupedSpec

    @classmethod
    def of(cls, aggregate: Aggregate, name: str, schema: pa.Schema) -> _Part:
        infer(aggregate, schema)  # raises what the aggregate does not take, and says where
        argument = aggregate.argument
        kind = pa.null() if argument is None else plain(pa.nulls(0, infer(argument, schema))).type
        return cls(aggregate, name, grouped_spec(aggregate, kind))

    def fields(self) -> list[pa.Field]:
        return [pa.field(f"{self.name}.{place}", kind) for place, kind in enumerate(self.spec.state)]

    @contextmanager
    def named(self) -> Iterator[None]:
        """Let what does not fit name the aggregate."""
        try:
            yield
        except (pa.ArrowInvalid, pa.ArrowCapacityError) as error:
            raise ExpressionFailed(describe(self.aggregate), str(error)) from error


def _grouping(keys: list[pa.Array]) -> Grouping:
    return Grouping(encode(keys))


def _first(keys: list[pa.Array], groups: Grouping) -> list[pa.Array]:
    """The keys of the groups."""
    return keys if groups.alone else [taken(key, groups.first) for key in keys]


def _unlike(names: list[str]) -> str:
    """A prefix that none of `names` has.

    >>> _unlike(["state", "_state "])
    'state '
    """
    prefix = "state "
    while any(name.startswith(prefix) for name in names):
        prefix = f"_{prefix}"
    return prefix


def _outer(tree: Tree, parts: tuple[_Part, ...]) -> Tree:
    """`tree` with every aggregate replaced by the column that holds its result."""
    places: dict[Any, Tree] = {part.aggregate: Column(part.name) for part in parts}
    return transform(tree, lambda node: places.get(node, node) if isinstance(node, Aggregate) else node)
