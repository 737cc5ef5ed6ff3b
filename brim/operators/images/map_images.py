"""MapImages: decode, resize, crop, encode and measure images, row by row.

Input    batches with a column of images: files, structs or tensors (`steps.py`)
Output   the same rows, with what the steps make of that column, in pieces of about `piece_bytes`
Order    kept
Holds    one piece, and of one row its file and its bitmap; the next row is read when this one is in its place
Fails    `CorruptInput` for a row that is no image, `LimitExceeded` for one that has too many pixels, `RowTooLarge` for
         one that would take more memory than a row may; with ``on_error="null"`` such a row is null instead, and told
         by `drain_failures`
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import pyarrow as pa

from brim.errors import CorruptInput, LimitExceeded, RowTooLarge
from brim.events import RowsFailed
from brim.operators.images.bitmap import Bitmap
from brim.operators.images.columns import Column, column_of, weight
from brim.operators.images.decode import Outlook, look
from brim.operators.images.foresight import Cost, cost
from brim.operators.images.pixels import actions, reader_of, with_modes
from brim.operators.images.steps import Decode, ImageStep, ImageSteps, is_tensor
from brim.operators.protocol import Foreseen
from brim.operators.row_place import row_of_batch
from brim.sizes import owned


@dataclass(frozen=True, slots=True)
class MapImages:
    """A stateless kernel: `output` becomes `steps` of `column`.

    Attributes:
        steps: what is done to each row.
        column: where the images are.
        output: the column to append, or to replace where the batch has it.
        schema: what comes out; columns of the input that it lacks are left out.
        most_bytes: what a row may take, its value included; more is refused before it is taken.
    """

    steps: ImageSteps
    column: str
    output: str
    schema: pa.Schema
    most_bytes: int | None = None
    _failures: deque[RowsFailed] = field(default_factory=deque, init=False, repr=False, compare=False)

    def push(self, batch: pa.RecordBatch, piece_bytes: int) -> Iterator[pa.RecordBatch]:
        passing = batch.select([name for name in self.schema.names if name != self.output])
        open_column, most = self._columns(passing, piece_bytes)
        start, size, column = 0, 0, open_column(min(most, batch.num_rows))
        for row, value in enumerate(self._values(batch.column(self.column))):
            more = weight(value) + (self._slot_bytes if value is None else 0)
            whole = size + more + passing.slice(start, row - start + 1).nbytes
            if row > start and (row - start == most or whole > piece_bytes):
                piece = self._piece(passing.slice(start, row - start), column)
                del column
                yield piece
                del piece
                start, size, column = row, 0, open_column(min(most, batch.num_rows - row))
            column.append(value)
            size += more
        if start < batch.num_rows:
            yield self._piece(passing.slice(start), column)

    def finish(self, piece_bytes: int) -> Iterator[pa.RecordBatch]:  # noqa: ARG002 - nothing is left
        yield from ()

    def drain_failures(self) -> list[RowsFailed]:
        """The rows that became null since the last call, one fact each."""
        drained = []
        while self._failures:
            drained.append(self._failures.popleft())
        return drained

    def within(self, row_bytes: int) -> MapImages:
        """This kernel, refusing rows that would take more than `row_bytes`."""
        return replace(self, most_bytes=row_bytes)

    def foresee(self, batch: pa.RecordBatch) -> Foreseen:
        """What the headers of the files in `batch`, or the sizes of its images, tell of pushing it."""
        images = batch.column(self.column)
        costs = [cost for cost in self._costs(images) if self.most_bytes is None or cost.whole <= self.most_bytes]
        passing = batch.select([name for name in self.schema.names if name != self.output]).nbytes
        made = sum(cost.made for cost in costs) + self._slot_bytes * (len(images) - len(costs))
        largest = max((cost.made for cost in costs), default=0)
        return Foreseen(passing + made, largest, max((cost.work for cost in costs), default=0))

    def _costs(self, images: pa.Array) -> Iterator[Cost]:
        """Of each row that can be read as far as its header."""
        todo, at = with_modes(self.steps, images.type), reader_of(images)
        for row in range(len(images)):
            with suppress(ValueError, LimitExceeded):
                if (value := at(row)) is not None:
                    yield self._cost(value, todo)

    def _cost(self, value: Any, todo: list[tuple[ImageStep, str]]) -> Cost:
        first, _ = todo[0]
        if isinstance(first, Decode):
            return _cost_of_file(look(value, first), todo)
        return cost(todo, value.size, value.mode)

    def _check(self, size: tuple[int, int], found: Cost) -> None:
        if self.most_bytes is not None and found.whole > self.most_bytes:
            raise RowTooLarge(f"an image of {size[0]:,} x {size[1]:,} pixels", found.whole, self.most_bytes)

    def _columns(self, passing: pa.RecordBatch, piece_bytes: int) -> tuple[Callable[[int], Column], int]:
        """What makes the output column of a piece, and the most rows of a piece."""
        type_ = self.schema.field(self.output).type
        row_bytes = passing.nbytes // max(1, passing.num_rows) + self._slot_bytes
        return column_of(type_), max(1, piece_bytes // max(1, row_bytes))

    @property
    def _slot_bytes(self) -> int:
        """What a row takes that has no image: in a tensor as much as one that has."""
        type_ = self.schema.field(self.output).type
        return int(type_.storage_type.list_size) if is_tensor(type_) else 0

    def _values(self, images: pa.Array) -> Iterator[Any]:
        """What the steps make of each row, None for null."""
        at, made_of = reader_of(images), self._opened(images.type)
        for row in range(len(images)):
            try:
                value = None if (read := at(row)) is None else made_of(read)
            except (ValueError, LimitExceeded, RowTooLarge) as error:
                if not self.steps.to_null:
                    raise self._error(row, error) from error
                self._failures.append(RowsFailed(self.column, 1, str(error)))
                value = None
            yield value

    def _opened(self, type_: pa.DataType) -> Callable[[Any], Any]:
        """What makes the value of what `reader_of` gives of a column of `type_`; for one thread."""
        todo = with_modes(self.steps, type_)

        def check(outlook: Outlook) -> None:
            self._check(outlook.whole, _cost_of_file(outlook, todo))

        functions = actions(self.steps, type_, check)

        def made_of(value: Any) -> Any:
            if isinstance(value, Bitmap):
                self._check(value.size, cost(todo, value.size, value.mode))
            for function in functions:
                value = function(value)
            return value

        return made_of

    def _error(self, row: int, error: ValueError | LimitExceeded | RowTooLarge) -> Exception:
        place = f"{self.column}, {row_of_batch(row)}"
        if isinstance(error, LimitExceeded):
            return LimitExceeded(error.what, error.value, error.limit, place)
        if isinstance(error, RowTooLarge):
            return RowTooLarge(f"{place}: {error.place}", error.needed_bytes, error.limit_bytes)
        return CorruptInput(self.column, row_of_batch(row), str(error))

    def _piece(self, passing: pa.RecordBatch, column: Column) -> pa.RecordBatch:
        """The finished column beside its rows' other columns, which are copied where a slice would pin far more."""
        passing = owned(passing) if passing.num_columns else passing
        made = column.finish()
        arrays = [made if name == self.output else passing.column(name) for name in self.schema.names]
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)


def _cost_of_file(outlook: Outlook, todo: list[tuple[ImageStep, str]]) -> Cost:
    """Of decoding, which is the first step, and all after it."""
    return cost(todo[1:], outlook.upright_size, outlook.mode, outlook.work_bytes, outlook.kept_bytes)
