"""MapImages: decode, resize, crop, encode and measure images, row by row.

Input    batches with a column of images: files, structs or tensors (`steps.py`)
Output   the same rows, with what the steps make of that column, in pieces of about `piece_bytes`
Order    kept
Holds    one piece, and of one row its file and its bitmap; the next row is read when this one is in its place
Fails    `CorruptInput` for a row that is no image, `LimitExceeded` for one that has too many pixels; with
         ``on_error="null"`` such a row is null instead, and told by `drain_failures`
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from brim.errors import CorruptInput, LimitExceeded
from brim.events import RowsFailed
from brim.operators.images.columns import Column, column_of, weight
from brim.operators.images.decode import work_bytes
from brim.operators.images.pixels import apply, read
from brim.operators.images.steps import MODES, Decode, ImageSteps, is_tensor
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
    """

    steps: ImageSteps
    column: str
    output: str
    schema: pa.Schema
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

    def work_bytes(self, batch: pa.RecordBatch) -> int:
        """The most that any row of `batch` needs while it is decoded, as the headers of the files tell."""
        first = self.steps.steps[0]
        if not isinstance(first, Decode):
            return 0
        files = (file.as_buffer() for file in batch.column(self.column) if file.is_valid)
        return max((work_bytes(file, first) for file in files), default=0)

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
        modes = _modes(self.steps, images.type)
        for row, image in enumerate(images):
            try:
                value = self._value(image, modes) if image.is_valid else None
            except (ValueError, LimitExceeded) as error:
                if not self.steps.to_null:
                    raise self._error(row, error) from error
                self._failures.append(RowsFailed(self.column, 1, str(error)))
                value = None
            yield value

    def _value(self, image: Any, modes: list[str]) -> Any:
        value = read(image)
        for step, mode in zip(self.steps.steps, modes, strict=True):
            value = apply(step, value, mode)
        return value

    def _error(self, row: int, error: ValueError | LimitExceeded) -> Exception:
        place = row_of_batch(row)
        if isinstance(error, LimitExceeded):
            return LimitExceeded(error.what, error.value, error.limit, f"{self.column}, {place}")
        return CorruptInput(self.column, place, str(error))

    def _piece(self, passing: pa.RecordBatch, column: Column) -> pa.RecordBatch:
        """The finished column beside its rows' other columns, which are copied where a slice would pin far more."""
        passing = owned(passing) if passing.num_columns else passing
        made = column.finish()
        arrays = [made if name == self.output else passing.column(name) for name in self.schema.names]
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)


def _modes(steps: ImageSteps, type_: pa.DataType) -> list[str]:
    """For each step the mode in which a resize leaves its images."""
    return [MODES[made.shape[2]] if is_tensor(made) else "" for made in list(steps.types(type_))[1:]]
