"""Pipeline: what users declare. Immutable and lazy: every method returns a new one, nothing runs before it is told to.

A method is short: make a node, wrap it. Nodes check themselves when they are made, so a mistake is raised on its line.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Unpack

import pyarrow as pa

from brim.errors import PlanError, UnknownColumn
from brim.io.csv.write_csv import csv_sink
from brim.io.json.write_json import json_sink
from brim.io.parquet.write_parquet import parquet_sink
from brim.io.sink import Sink
from brim.io.write_arrow import arrow_sink
from brim.io.write_files import files_sink
from brim.operators.expressions.aggregates import refuse_aggregates
from brim.operators.expressions.tree import Column, has_aggregate
from brim.operators.joins.kind import How
from brim.pandas_later import load_pandas_later
from brim.pipeline import running
from brim.pipeline.batches import Batches
from brim.pipeline.blocking import BlockingBatches
from brim.pipeline.explain import explain
from brim.pipeline.expr import Expr, WhenThen, tree_of
from brim.pipeline.given import aggregates, check_place, named_trees, names_of
from brim.pipeline.joined import joined
from brim.pipeline.later_source import needs_look
from brim.pipeline.materialising import Distinct, GroupBy, Repartition
from brim.pipeline.nodes import (
    Aggregate,
    Concat,
    Explode,
    Filter,
    IntoBatches,
    Limit,
    MapBatches,
    NamedTrees,
    Node,
    Offset,
    Project,
    Sample,
    Unpivot,
    Write,
    count,
)
from brim.pipeline.report import Report
from brim.pipeline.running import Settings
from brim.pipeline.sorted_by import sorted_by
from brim.pipeline.udf import declare

if TYPE_CHECKING:
    from brim.pipeline.engine import Engine

PathLike = str | Path


@dataclass(frozen=True, slots=True)
class GroupedRows:
    """Rows of a pipeline by keys, on their way to `agg`."""

    pipeline: Pipeline
    keys: NamedTrees

    def agg(self, *exprs: Expr, **named: Any) -> Pipeline:
        """A row for each group: its keys, then these aggregates. No order is promised."""
        id_ = self.pipeline._id("group_by")  # noqa: SLF001 - one builder
        return Pipeline(GroupBy(id_, self.pipeline.node, self.keys, aggregates(exprs, named)))


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Pipeline:
    """Rows on their way from a source, through steps, perhaps to a sink. Made by `read_parquet` and its siblings."""

    node: Node

    def __post_init__(self) -> None:
        load_pandas_later()  # before the first literal is checked

    @property
    def schema(self) -> pa.Schema:
        """The names and types of the columns, known before anything runs."""
        return self.node.schema

    @property
    def columns(self) -> list[str]:
        """The names of the columns."""
        return list(self.node.schema.names)

    # Columns

    def select(self, *exprs: str | Expr | WhenThen, **named: Any) -> Pipeline:
        """Exactly these columns: names, expressions, or expressions given a name.

        Example:
            ``p.select("id", col("price") * 2, total=col("price") * col("count"))``
        """
        return self._project("select", named_trees(exprs, named))

    def with_columns(self, *exprs: Expr | WhenThen, **named: Any) -> Pipeline:
        """All columns, and these beside or instead of them; each expression reads the columns that came in only."""
        trees = named_trees(exprs, named)
        names = [name for name, _ in trees]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise PlanError(f"with_columns: more than one column is called {twice}; use .alias(...)")
        made = dict(trees)
        kept = [(name, made.pop(name, Column(name))) for name in self.columns]
        return self._project("with_columns", (*kept, *made.items()))

    def drop(self, *columns: str) -> Pipeline:
        """All columns but these."""
        self._check(columns, "drop")
        return self._project("drop", tuple((name, Column(name)) for name in self.columns if name not in columns))

    def rename(self, names: Mapping[str, str]) -> Pipeline:
        """All columns, some under a new name: ``{"old": "new"}``."""
        self._check(tuple(names), "rename")
        return self._project("rename", tuple((names.get(name, name), Column(name)) for name in self.columns))

    # Rows

    def filter(self, *predicates: Expr | WhenThen) -> Pipeline:
        """The rows for which every predicate is true; null is not true."""
        if not predicates:
            raise PlanError("filter takes at least one predicate")
        pipeline = self
        for predicate in predicates:
            refuse_aggregates(tree_of(predicate), "filter")
            pipeline = Pipeline(Filter(pipeline._id("filter"), pipeline.node, tree_of(predicate)))
        return pipeline

    def limit(self, rows: int) -> Pipeline:
        """The first `rows` rows; what is above it is not read further than that needs."""
        return Pipeline(Limit(self._id("limit"), self.node, rows))

    def head(self, rows: int = 5) -> Pipeline:
        """The first `rows` rows."""
        return self.limit(rows)

    def offset(self, rows: int) -> Pipeline:
        """All but the first `rows` rows."""
        return Pipeline(Offset(self._id("offset"), self.node, rows))

    def sample(self, fraction: float, *, seed: int | None = None) -> Pipeline:
        """About `fraction` of the rows, chosen by `seed` (drawn now when None), whatever the batches are."""
        seed = secrets.randbits(32) if seed is None else seed
        return Pipeline(Sample(self._id("sample"), self.node, fraction, seed))

    # Shape

    def explode(self, *columns: str) -> Pipeline:
        """A row for each element of the lists in `columns`; an empty or null list gives one row with null."""
        return Pipeline(Explode(self._id("explode"), self.node, columns))

    def unpivot(
        self,
        on: str | Sequence[str],
        *,
        index: str | Sequence[str] = (),
        variable_name: str = "variable",
        value_name: str = "value",
    ) -> Pipeline:
        """From wide to long: a row for each of the columns `on`, with its name and value, beside those of `index`."""
        id_ = self._id("unpivot")
        return Pipeline(Unpivot(id_, self.node, names_of(on), names_of(index), variable_name, value_name))

    def into_batches(self, rows: int) -> Pipeline:
        """The same rows, at most `rows` a batch; brim goes below it when memory asks."""
        return Pipeline(IntoBatches(self._id("into_batches"), self.node, rows))

    def repartition(self, parts: int, *, by: str | Sequence[str] = ()) -> Pipeline:
        """The same rows in so many parts, one after another; rows that are equal in the columns `by` are in one part.

        Without `by` rows are dealt out in turns. What does not fit in memory goes through the spill folder.
        """
        return Pipeline(Repartition(self._id("repartition"), self.node, parts, names_of(by)))

    # Whole batches

    def map_batches(
        self,
        function: Callable[..., Any],
        *,
        schema: pa.Schema | None = None,
        batch_size: int | None = None,
        concurrency: int | None = None,
        backend: Literal["process", "thread", "async"] | None = None,
        memory: int | str | None = None,
        gpus: float = 0,
        on_error: Literal["raise", "drop"] = "raise",
        retries: int = 0,
        timeout_s: float | None = None,
    ) -> Pipeline:
        """What `function` makes of each record batch: a batch, a table, or a generator of them.

        Each piece of a generator is sent on before the next is asked for. `schema` is that of the result, None where
        it is the input's. The other options are those of `udf`.
        """
        declared = declare(
            function,
            "batch",
            schema=schema,
            batch_size=batch_size,
            concurrency=concurrency,
            backend=backend,
            memory=memory,
            gpus=gpus,
            on_error=on_error,
            retries=retries,
            timeout_s=timeout_s,
        )
        return Pipeline(MapBatches(self._id("map_batches"), self.node, declared))

    # Combine and materialise

    def concat(self, *others: Pipeline) -> Pipeline:
        """The rows of this pipeline, then those of each of the `others`; their schemas must agree."""
        for other in others:
            if not isinstance(other, Pipeline):
                raise PlanError(f"concat takes pipelines, not {type(other).__name__}; use from_arrow(...) for a table")
        nodes = (self.node, *(other.node for other in others))
        for node in nodes:
            check_place(node)
        return Pipeline(Concat(f"concat-{1 + sum(map(count, nodes))}", nodes))

    def join(
        self,
        other: Pipeline,
        on: str | Sequence[str] | None = None,
        *,
        left_on: str | Sequence[str] | None = None,
        right_on: str | Sequence[str] | None = None,
        how: How = "inner",
        suffix: str = "_right",
    ) -> Pipeline:
        """Rows of this pipeline (left) and of `other` (right) whose keys are equal. Null equals nothing, NaN is NaN.

        Args:
            other: the right side.
            on: key columns that both sides have; they are one column of the result.
            left_on: key columns of this pipeline, where those of `other` are called differently. Both go on.
            right_on: those of `other`, in the same order.
            how: "inner" for pairs only; "left", "right" and "full" also for rows of that side, or of both, without a
                match, beside nulls; "semi" and "anti" for rows of the left side with, or without, a match; "cross" for
                every pair.
            suffix: for columns of the right side, keys apart, whose name the left side has too.

        No order is promised. The smaller side is held in memory, as far as that is known; what does not fit goes
        through the spill folder.

        Raises:
            PlanError: the keys are not of one type, or names would be there twice.
        """
        return joined(self, other, on, (left_on, right_on), how, suffix)

    def sort(
        self,
        by: str | Expr | Sequence[str | Expr],
        *more: str | Expr,
        descending: bool | Sequence[bool] = False,
        nulls_first: bool = False,
    ) -> Pipeline:
        """All rows in the order of one or several columns or expressions; equal rows stay in the order they came in.

        Args:
            by: what to sort by, the most important first.
            more: further keys.
            descending: from large to small, for all keys or one by one.
            nulls_first: nulls before all values instead of after them, whatever the direction. NaN is the largest
                number.

        What does not fit in memory goes through the spill folder. With `limit` or `head` after it only so many rows
        are kept.

        Raises:
            PlanError: a key has a type without an order, such as a list.
        """
        keys = [by] if isinstance(by, str | Expr) else list(by)
        return sorted_by(self, [*keys, *more], descending, nulls_first)

    def group_by(self, *keys: str | Expr, **named: Any) -> GroupedRows:
        """Rows with equal keys, to be made one row each: ``p.group_by("city").agg(col("price").mean())``.

        Keys are columns or expressions of any type. Nulls are a group, and so are all NaN.
        """
        trees = named_trees(keys, named)
        if not trees:
            raise PlanError("group_by takes at least one key; for one row of all use agg(...)")
        for _, tree in trees:
            refuse_aggregates(tree, "group_by")
        return GroupedRows(self, trees)

    def distinct(self) -> Pipeline:
        """Each row once, by all columns, of any type; which of equal rows stays, and in what order, is not promised."""
        return Pipeline(Distinct(self._id("distinct"), self.node))

    def agg(self, *exprs: Expr, **named: Any) -> Pipeline:
        """One row of aggregates over all rows: ``p.agg(col("price").sum(), n=col("id").count())``."""
        return Pipeline(Aggregate(self._id("agg"), self.node, aggregates(exprs, named)))

    # Sinks

    def write_parquet(self, path: PathLike, **options: Any) -> Pipeline:
        """Write Parquet: one file where `path` ends in ``.parquet``, else a folder of files.

        Options: `mode`, `partition_by`, and those of `brim.io.parquet.write_parquet.parquet_sink`.
        """
        return self._write(parquet_sink(path, **options))

    def write_csv(self, path: PathLike, **options: Any) -> Pipeline:
        """Write CSV: one file where `path` ends in ``.csv``, else a folder of files."""
        return self._write(csv_sink(path, **options))

    def write_json(self, path: PathLike, **options: Any) -> Pipeline:
        """Write JSON lines: one file where `path` ends in ``.jsonl``, else a folder of files."""
        return self._write(json_sink(path, **options))

    def write_arrow(self, path: PathLike, **options: Any) -> Pipeline:
        """Write Arrow IPC: one file where `path` ends in ``.arrow``, else a folder of files."""
        return self._write(arrow_sink(path, **options))

    def write_files(self, folder: PathLike, *, name: str, data: str, **options: Any) -> Pipeline:
        """Write a file a row: the bytes of column `data` named by column `name`. Options: `mode`, `storage`."""
        return self._write(files_sink(folder, name=name, data=data, **options))

    # Look

    def explain(self, *, analyze: Report | None = None, **settings: Unpack[Settings]) -> str:
        """What was declared and what will run, side by side, and how the memory is divided.

        With `analyze`, the report of a run of it, what happened stands beside both.
        """
        return explain(self.node, running.limits_of_settings(settings), analyze)

    def show(self, rows: int = 10) -> None:
        """Print the first `rows` rows."""
        running.show(self, rows)

    def count_rows(self, **settings: Unpack[Settings]) -> int:
        """How many rows there are. Blocks; every row is read, its columns as few as can be."""
        return self.run_blocking(**settings).rows

    def to_pandas(self, **settings: Unpack[Settings]) -> Any:
        """All rows as a pandas frame. Blocks."""
        return self.collect_blocking(**settings).to_pandas()

    def to_pydict(self, **settings: Unpack[Settings]) -> dict[str, list[Any]]:
        """All rows as lists of Python values by column. Blocks."""
        return dict(self.collect_blocking(**settings).to_pydict())

    async def resolve(self, *, engine: Engine | None = None) -> Pipeline:
        """The same pipeline, with sources in object stores looked at, so that their columns are known.

        In a running event loop; elsewhere the first step that needs the columns looks by itself. With `engine` its
        connections and options are used.
        """
        return Pipeline(await running.resolve(self, engine))

    def __repr__(self) -> str:
        if needs_look(self.node):
            return f"<Pipeline {self.node.id}: columns not looked at yet>"
        columns = ", ".join(f"{field.name}: {field.type}" for field in self.schema)
        return f"<Pipeline {self.node.id}: {columns}>"

    def _repr_html_(self) -> str:
        return running.as_html(self)

    # Running

    async def run(self, *, engine: Engine | None = None, **settings: Unpack[Settings]) -> Report:
        """Run to the end and say how it went; rows that no sink takes are counted and dropped.

        Takes what `Engine` takes, or an open `engine` to run in; and for the run `weight`, its part of memory and
        threads beside others, and `max_memory`, the most of the engine's memory it may have.
        """
        return await running.run(self, engine, settings)

    async def collect(self, *, engine: Engine | None = None, **settings: Unpack[Settings]) -> pa.Table:
        """Run to the end and give all rows as a table, which is yours: it is not counted against `memory`."""
        return await running.collect(self, engine, settings)

    def stream(self, *, engine: Engine | None = None, **settings: Unpack[Settings]) -> Batches:
        """Run while reading: ``async with p.stream(memory="512MiB") as batches: async for batch in batches: …``."""
        return running.stream(self, engine, settings)

    def run_blocking(self, **settings: Unpack[Settings]) -> Report:
        """`run`, for programs without an event loop."""
        return running.run_blocking(self, settings)

    def collect_blocking(self, **settings: Unpack[Settings]) -> pa.Table:
        """`collect`, for programs without an event loop."""
        return running.collect_blocking(self, settings)

    def stream_blocking(self, **settings: Unpack[Settings]) -> BlockingBatches:
        """`stream`, for programs without an event loop: ``with p.stream_blocking() as batches: for batch in …``."""
        return running.stream_blocking(self, settings)

    def _id(self, name: str) -> str:
        check_place(self.node)
        return f"{name}-{1 + count(self.node)}"

    def _project(self, name: str, expressions: NamedTrees) -> Pipeline:
        for column, tree in expressions:
            if has_aggregate(tree):
                raise PlanError(f"{name}: {column!r} makes one row of many; use .agg(...)")
        if not expressions:
            raise PlanError(f"{name} leaves no column")
        return Pipeline(Project(self._id(name), self.node, expressions))

    def _write(self, sink: Sink) -> Pipeline:
        id_ = self._id(sink.name)
        sink.check_target()
        return Pipeline(Write(id_, self.node, sink))

    def _check(self, columns: Sequence[str], method: str) -> None:
        for name in columns:
            if name not in self.columns:
                raise UnknownColumn(name, self.columns, method)
