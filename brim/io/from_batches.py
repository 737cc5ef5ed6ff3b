"""From batches: any iterable of batches as a source, pulled when there is room for one more.

Input    none
Output   the items' rows in batches of at most `batch_bytes`, each checked against the schema
Order    kept
Holds    one item as the caller made it, and the piece cut from it
Fails    with what the iterable raises, and with `SchemaMismatch` naming the item's number
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import anyio
import pyarrow as pa

from brim.errors import PlanError, SchemaMismatch
from brim.events import Resource
from brim.io.files.columns import check_selection
from brim.io.files.corrupt_input import reading
from brim.io.files.normalise import check_fields, plain_schema
from brim.io.files.pieces import plain_pieces
from brim.operators.expressions.tree import Tree
from brim.operators.protocol import Inbox, Operator, Outbox, Stage
from brim.sizes import apart

Items = Iterable[Any] | AsyncIterable[Any] | Callable[[], Iterable[Any] | AsyncIterable[Any]]


def batches_source(items: Items, schema: pa.Schema, *, trusted: bool = False) -> BatchesSource:
    """Batches, tables or dictionaries of arrays, from an iterable, an async iterable, or a function that gives one.

    An iterator can be read once; a list, an object that can be iterated anew, or a function any number of times.
    `PlanError` when `items` is none of these.
    """
    if not isinstance(schema, pa.Schema):
        raise PlanError("from_batches: schema= is a pyarrow.Schema")
    if not (callable(items) or hasattr(items, "__iter__") or hasattr(items, "__aiter__")):
        raise PlanError(f"from_batches takes an iterable or an async iterable, not {type(items).__name__}")
    if isinstance(items, pa.Table | pa.RecordBatch | Mapping | str | bytes):
        raise PlanError(f"from_batches takes an iterable of batches, not one {type(items).__name__}; use from_arrow")
    plain = plain_schema(schema)
    return BatchesSource("from_batches", items, plain, plain, trusted)


@dataclass(frozen=True, slots=True)
class BatchesSource:
    """See `batches_source`; `whole` is what the items have, `schema` what is selected of it."""

    name: str
    items: Items
    whole: pa.Schema
    schema: pa.Schema
    trusted: bool = False
    limit: int | None = None

    @property
    def place(self) -> str:
        return type(self.items).__name__ if not callable(self.items) else getattr(self.items, "__name__", "a function")

    @property
    def one_shot(self) -> bool:
        return hasattr(self.items, "__next__") or hasattr(self.items, "__anext__")

    @property
    def rows(self) -> int | None:
        return None

    def with_columns(self, names: tuple[str, ...]) -> BatchesSource:
        names = check_selection(names, self.schema, self.name)
        return replace(self, schema=pa.schema([self.schema.field(name) for name in names]))

    def with_limit(self, rows: int) -> BatchesSource:
        return replace(self, limit=rows if self.limit is None else min(rows, self.limit))

    def with_filters(self, predicates: tuple[Tree, ...]) -> BatchesSource:  # noqa: ARG002 - nothing to leave out
        return self

    def operator(self) -> Operator:
        return FromBatches(self)


@dataclass(frozen=True, slots=True)
class FromBatches:
    """Pull the items of `source` one by one; its iterator is closed however the run ends."""

    source: BatchesSource

    def window_bytes(self, batch_bytes: int) -> int:  # noqa: ARG002 - nothing is pulled ahead
        return 0

    def floor_bytes(self, batch_bytes: int) -> int:
        """An item of about a batch, its decoded copy, and a piece."""
        return 3 * batch_bytes

    async def run(self, inboxes: Sequence[Inbox], outbox: Outbox, stage: Stage) -> None:
        assert not inboxes, "a source reads no stage"
        wanted = self.source.limit
        pull = await _open(self.source.items, stage)
        try:
            number = 0
            while (wanted is None or wanted > 0) and (item := await pull.next()) is not _END:
                cut = self._cut(item, number, stage.batch_bytes)
                del item
                while (piece := await stage.threads.run(next, cut, None)) is not None:
                    await outbox.send(piece)
                    wanted = None if wanted is None else wanted - piece.num_rows
                number += 1
        finally:
            with anyio.CancelScope(shield=True):
                await pull.close()

    def _cut(self, item: Any, number: int, batch_bytes: int) -> Iterator[pa.RecordBatch]:
        place = f"{self.source.name}, item {number}"
        for batch in _as_batches(item, self.source.whole, place):
            check_fields(batch.schema, self.source.whole, place)
            if not self.source.trusted:
                with reading(self.source.name, f"item {number}"):
                    batch.validate(full=True)
            yield from plain_pieces(apart(batch), self.source.schema, batch_bytes)


_END: Any = object()


@dataclass(eq=False, slots=True)
class _SyncPull:
    """A plain iterator, pulled in a thread: it may block as long as it likes."""

    iterator: Iterator[Any]
    stage: Stage

    async def next(self) -> Any:
        with self.stage.waiting(Resource.NO_INPUT):
            return await self.stage.threads.wait(next, self.iterator, _END)

    async def close(self) -> None:
        if (close := getattr(self.iterator, "close", None)) is not None:
            await self.stage.threads.wait(close)


@dataclass(eq=False, slots=True)
class _AsyncPull:
    """An async iterator, pulled on the loop."""

    iterator: AsyncIterator[Any]
    stage: Stage

    async def next(self) -> Any:
        with self.stage.waiting(Resource.NO_INPUT):
            return await anext(self.iterator, _END)

    async def close(self) -> None:
        if (close := getattr(self.iterator, "aclose", None)) is not None:
            await close()


async def _open(items: Items, stage: Stage) -> _SyncPull | _AsyncPull:
    """A fresh iterator of `items`; functions and `iter` are the caller's code too, so they run in a thread."""
    made = await stage.threads.wait(items) if callable(items) else items
    if inspect.isawaitable(made):
        made = await made
    if isinstance(made, AsyncIterable):
        return _AsyncPull(aiter(made), stage)
    if not isinstance(made, Iterable):
        raise SchemaMismatch("from_batches", "a function that gives an iterable", type(made).__name__)
    return _SyncPull(await stage.threads.wait(iter, made), stage)


def _as_batches(item: Any, schema: pa.Schema, place: str) -> Iterator[pa.RecordBatch]:
    """The batches that `item` is."""
    if isinstance(item, pa.RecordBatch):
        yield item
    elif isinstance(item, pa.Table):
        yield from item.to_batches()
    elif isinstance(item, Mapping):
        yield _from_columns(item, schema, place)
    elif hasattr(item, "__arrow_c_stream__"):
        yield from pa.RecordBatchReader.from_stream(item)
    elif hasattr(item, "__arrow_c_array__"):
        yield pa.record_batch(item)
    else:
        raise SchemaMismatch(place, "a batch, a table or a dictionary of arrays", type(item).__name__)


def _from_columns(item: Mapping[str, Any], schema: pa.Schema, place: str) -> pa.RecordBatch:
    arrays = []
    for field in schema:
        if field.name not in item:
            raise SchemaMismatch(f"{place}, column {field.name!r}", str(field.type), "no such column")
        arrays.append(_as_array(item[field.name], field, place))
    try:
        return pa.RecordBatch.from_arrays(arrays, schema=schema)
    except ValueError as error:  # of which pyarrow's own is one kind
        raise SchemaMismatch(place, "columns of one length", str([len(array) for array in arrays])) from error


def _as_array(values: Any, field: pa.Field, place: str) -> pa.Array:
    if isinstance(values, pa.ChunkedArray):
        values = values.combine_chunks()
    try:
        return values.cast(field.type) if isinstance(values, pa.Array) else pa.array(values, field.type)
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        raise SchemaMismatch(f"{place}, column {field.name!r}", str(field.type), str(error)) from error
