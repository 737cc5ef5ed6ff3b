"""Evaluation: what an expression makes of a batch, and which type it will have.

Both are one walk over the tree. `infer` walks with columns of no rows, so the types are pyarrow's own answer and cannot
differ from what `evaluate` makes later; what is an operator of its own (`Apply`) declares its type.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
from pyarrow import compute as pc

from brim.errors import BrimError, ExpressionFailed, PlanError, SchemaMismatch, UnknownColumn
from brim.operators.expressions.aggregates import aggregate_spec, check_aggregated, refuse_aggregates, takes
from brim.operators.expressions.cast import cast
from brim.operators.expressions.choose import choose
from brim.operators.expressions.function import Values, plain, spread
from brim.operators.expressions.functions import FUNCTIONS, apply_function
from brim.operators.expressions.promotion import is_weak, meet
from brim.operators.expressions.tree import (
    Aggregate,
    Alias,
    Apply,
    Call,
    Cast,
    Column,
    Literal,
    Tree,
    When,
    columns_of,
    describe,
    has_aggregate,
)

_SHOWN = 60  # characters of a value in an error


def evaluate(tree: Tree, batch: pa.RecordBatch) -> pa.Array:
    """The values of `tree`, one for each row of `batch`.

    Raises `ExpressionFailed`, which names the first row that has no value (an overflow, text that is no number).
    """
    evaluation = _Evaluation(batch.schema, batch)
    try:
        return spread(evaluation.value(tree), batch.num_rows)
    except ExpressionFailed as failure:
        raise _with_row(failure, tree, batch) from failure.__cause__


def infer(tree: Tree, schema: pa.Schema, place: str = "") -> pa.DataType:
    """The type of `tree` over batches of `schema`.

    Raises `UnknownColumn`, or `SchemaMismatch` that names the expression and the types it was given, after `place`; a
    `PlanError` where an aggregate stands beside a column that is not aggregated.
    """
    if has_aggregate(tree):
        check_aggregated(tree, place=place or "agg")
    return _Evaluation(schema, None, place).value(tree).type


@dataclass(frozen=True, slots=True)
class _Evaluation:
    """One walk; without a batch, over columns of no rows."""

    schema: pa.Schema
    batch: pa.RecordBatch | None
    place: str = ""

    @property
    def rows(self) -> int:
        return 0 if self.batch is None else int(self.batch.num_rows)

    def value(self, tree: Tree) -> Values:
        """An array of all rows, or a scalar that stands for it."""
        match tree:
            case Column(name=name):
                return self._column(name)
            case Literal(value=value):
                return value
            case Alias(argument=argument):
                return self.value(argument)
            case Call():
                return self._call(tree)
            case Cast():
                return self._cast(tree)
            case When():
                return self._when(tree)
            case Aggregate():
                return self._aggregate(tree)
            case Apply():
                return self._apply(tree)

    def _column(self, name: str) -> pa.Array:
        index = self.schema.get_field_index(name)
        if index < 0:
            raise UnknownColumn(name, self.schema.names, self.place)
        return pa.nulls(0, self.schema.field(index).type) if self.batch is None else self.batch.column(index)

    def _call(self, tree: Call) -> Values:
        function = FUNCTIONS.get(tree.function)
        if function is None:
            raise PlanError(f"{self.place}: there is no function {tree.function!r}")
        values = [plain(self.value(argument)) for argument in tree.arguments]
        with self._named(tree, values, function.takes):
            return apply_function(function, values, list(tree.arguments), dict(tree.options))

    def _cast(self, tree: Cast) -> Values:
        value = plain(self.value(tree.argument))
        with self._named(tree, [value], f"a type that can be cast to {tree.type}"):
            return cast(value, tree.type, strict=tree.strict)

    def _when(self, tree: When) -> Values:
        tests = [self._test(test) for test, _ in tree.branches]
        leaves = [*(value for _, value in tree.branches), tree.otherwise]
        values = [self._branch(leaf, tests, index) for index, leaf in enumerate(leaves)]
        with self._named(tree, values, "branches of types that meet"):
            return choose(tests, meet(values, leaves))

    def _test(self, tree: Tree) -> pa.Array:
        test = spread(self.value(tree), self.rows)
        with self._named(tree, [test], "a condition"):
            return cast(test, pa.bool_()) if pa.types.is_null(test.type) else _must_be_boolean(test)

    def _branch(self, tree: Tree, tests: list[pa.Array], index: int) -> Values:
        """A branch on all rows or, when it has no value on some, on those alone where it is taken."""
        try:
            return plain(self.value(tree))
        except ExpressionFailed:
            if self.batch is None:
                raise
        taken = pc.indices_nonzero(_taken(tests, index))
        part = self.batch.select(list(columns_of(tree))).take(taken)
        values = spread(replace(self, batch=part, schema=part.schema).value(tree), len(taken))
        source = np.full(self.rows, -1)
        source[taken.to_numpy()] = np.arange(len(taken))
        return values.take(pa.array(source, mask=source < 0))

    def _aggregate(self, tree: Aggregate) -> pa.Array:
        if self.batch is not None:
            raise AssertionError(f"an aggregate where rows are computed: {describe(tree)}")
        if tree.argument is None:
            return pa.nulls(0, aggregate_spec(tree, pa.null()).returns)
        refuse_aggregates(tree.argument, self.place or describe(tree))
        value = plain(self.value(tree.argument))
        with self._named(tree, [value], takes(tree)):
            return pa.nulls(0, aggregate_spec(tree, value.type).returns)

    def _apply(self, tree: Apply) -> pa.Array:
        if self.batch is not None:
            raise AssertionError(f"a step that the planner should have split out: {describe(tree)}")
        types = tuple(self.value(argument).type for argument in tree.arguments)
        with self._named(tree, [pa.nulls(0, kind) for kind in types], ""):
            return pa.nulls(0, tree.step.returns(types))

    @contextmanager
    def _named(self, tree: Tree, values: list[Values], wanted: str) -> Iterator[None]:
        """Make what pyarrow raises an error that names the expression."""
        try:
            yield
        except (BrimError, MemoryError):
            raise
        except (pa.ArrowException, TypeError, ValueError, OverflowError, LookupError) as error:
            if self.batch is not None and isinstance(error, pa.ArrowException | ValueError | OverflowError):
                raise ExpressionFailed(describe(tree), str(error)) from error
            place = f"{self.place}: {describe(tree)}" if self.place else describe(tree)
            if isinstance(error, TypeError | NotImplementedError):
                raise SchemaMismatch(place, wanted or str(error), _written(tree, values)) from error
            raise PlanError(f"{place}: {error}") from error


def _must_be_boolean(test: pa.Array) -> pa.Array:
    if not pa.types.is_boolean(test.type):
        raise TypeError(f"a condition is boolean, not {test.type}")
    return test


def _taken(tests: list[pa.Array], index: int) -> pa.Array:
    """Where the branch at `index` is taken; the one after the last test is `otherwise`."""
    taken = pa.repeat(pa.scalar(value=True), len(tests[0]))
    for test in tests[:index]:
        taken = pc.and_not(taken, pc.fill_null(test, fill_value=False))
    return pc.and_(taken, pc.fill_null(tests[index], fill_value=False)) if index < len(tests) else taken


def _written(tree: Tree, values: list[Values]) -> str:
    """What was given, each with its type: `col("a") of type string and 1`."""
    match tree:
        case Call(arguments=arguments) | Apply(arguments=arguments):
            parts: tuple[Tree, ...] = arguments
        case Cast(argument=argument):
            parts = (argument,)
        case Aggregate(argument=argument) if argument is not None:
            parts = (argument,)
        case When(branches=branches, otherwise=otherwise):
            parts = (*(value for _, value in branches), otherwise)
        case _:
            parts = (tree,)
    said = [
        describe(part) if is_weak(part) else f"{describe(part)} of type {value.type}"
        for part, value in zip(parts, values, strict=True)
    ]
    return " and ".join(said)


def _with_row(failure: ExpressionFailed, tree: Tree, batch: pa.RecordBatch) -> ExpressionFailed:
    """The failure of the first row that fails by itself, with its values; found by halving."""
    names = list(columns_of(tree))
    if not names or batch.num_rows == 0:
        return failure
    row = batch.select(names)
    while row.num_rows > 1:
        half = row.num_rows // 2
        row = row.slice(0, half) if _failure(tree, row.slice(0, half)) else row.slice(half)
    alone = _failure(tree, row)
    if alone is None:
        return failure
    shown = ", ".join(f"{name}={_short(row.column(name)[0])}" for name in names)
    return ExpressionFailed(alone.expression, alone.reason, shown)


def _failure(tree: Tree, batch: pa.RecordBatch) -> ExpressionFailed | None:
    try:
        _Evaluation(batch.schema, batch).value(tree)
    except ExpressionFailed as failure:
        return failure
    return None


def _short(value: pa.Scalar) -> str:
    text = repr(value.as_py())
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."
