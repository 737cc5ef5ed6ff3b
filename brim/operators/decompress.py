"""Decompress: gzip, zstd and their like, one value after another.

Input    batches with a binary column
Output   the same rows, with the column decompressed as `large_binary`, in pieces of about `piece_bytes`
Order    kept
Holds    one piece, and the value under way up to `max_bytes`; never a value larger than that
Fails    `CorruptInput` for a value that cannot be decompressed, `LimitExceeded` for one that would pass `max_bytes`,
         `RowTooLarge` for one that would take more memory than a row may
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import pyarrow as pa

from brim.errors import CorruptInput, LimitExceeded, PlanError, RowTooLarge, SchemaMismatch
from brim.operators.binary_column import BinaryColumn
from brim.operators.binary_values import values_of
from brim.operators.codecs import check_codec
from brim.operators.decompressors import Space, fill
from brim.operators.frames import likely_size, told_size, window_bytes
from brim.operators.protocol import Foreseen
from brim.operators.row_place import row_of_batch
from brim.sizes import MIB, owned

MAX_BYTES = 256 * MIB
_GUESS = 4
_END_BYTES = 64


@dataclass(frozen=True, slots=True)
class Decompress:
    """What `.bin.decompress` declares: a value that would grow beyond `max_bytes` is a `LimitExceeded`."""

    codec: str
    max_bytes: int = MAX_BYTES

    def __post_init__(self) -> None:
        check_codec(self.codec)
        if self.max_bytes < 1:
            raise PlanError(f"bin.decompress: max_bytes is positive, not {self.max_bytes}")

    @property
    def name(self) -> str:
        """As `explain` shows it."""
        return f"decompress.{self.codec}"

    def returns(self, types: tuple[pa.DataType, ...]) -> pa.DataType:
        """`large_binary`; `SchemaMismatch` unless the one type in `types` is binary."""
        (type_,) = types
        if not (pa.types.is_binary(type_) or pa.types.is_large_binary(type_)):
            raise SchemaMismatch("bin.decompress", "binary", str(type_))
        return pa.large_binary()


@dataclass(frozen=True, slots=True)
class DecompressColumn:
    """A stateless kernel: `output` becomes `column`, decompressed.

    Attributes:
        codec: one of `CODECS`.
        column: where the compressed values are.
        output: the column to append, or to replace where the batch has it.
        max_bytes: the most a value may decompress to.
        schema: what comes out; columns of the input that it lacks are left out.
        most_bytes: what a row may take, its value included; more is refused.
    """

    codec: str
    column: str
    output: str
    max_bytes: int
    schema: pa.Schema
    most_bytes: int | None = None

    def push(self, batch: pa.RecordBatch, piece_bytes: int) -> Iterator[pa.RecordBatch]:
        passing = batch.select([name for name in self.schema.names if name != self.output])
        values = list(values_of(batch.column(self.column)))
        likely = [self._room(value) for value in values]
        made, start = _column(likely, piece_bytes), 0

        def space(most: int) -> memoryview:
            return made.space(most)

        def full(row: int, more: int) -> bool:
            if row == start:
                return False
            return bool(made.nbytes + more + passing.slice(start, row - start + 1).nbytes > piece_bytes)

        for row, value in enumerate(values):
            if full(row, likely[row] or 0):
                piece, made = self._piece(passing.slice(start, row - start), made), _column(likely[row:], piece_bytes)
                yield piece
                del piece
                start = row
            for size in self._steps(row, value, space):
                made.grow(size)
                if full(row, 0):
                    rest = made.rest()
                    piece, made = self._piece(passing.slice(start, row - start), made), rest
                    yield piece
                    del piece
                    start = row
            made.end(valid=value is not None)
        if start < batch.num_rows:
            yield self._piece(passing.slice(start), made)

    def finish(self, piece_bytes: int) -> Iterator[pa.RecordBatch]:  # noqa: ARG002 - nothing is left
        yield from ()

    def within(self, row_bytes: int) -> DecompressColumn:
        """This kernel, refusing values that would take more than `row_bytes`."""
        return replace(self, most_bytes=row_bytes)

    def foresee(self, batch: pa.RecordBatch) -> Foreseen:
        """What the frames of the values in `batch` tell of pushing it; where they tell nothing, a guess."""
        made, largest, work = 0, 0, 0
        for value in values_of(batch.column(self.column)):
            window, likely = self._window(value), self._likely(value)
            if not self._fits(likely or 0, window):
                continue
            packed = len(_view(value))
            made += _GUESS * packed if likely is None else likely
            largest, work = max(largest, packed if likely is None else likely), max(work, window)
        passing = batch.select([name for name in self.schema.names if name != self.output]).nbytes
        return Foreseen(passing + made + 8 * batch.num_rows, largest, work)

    def _likely(self, value: pa.Buffer | None) -> int | None:
        """What `value` will decompress to, as far as that is known and allowed."""
        size = likely_size(self.codec, _view(value)) if value is not None else 0
        return None if size is None else min(size, self.max_bytes)

    def _room(self, value: pa.Buffer | None) -> int | None:
        """The memory to have ready for `value`, where it is known; none where it will be refused."""
        likely = self._likely(value)
        return likely if self._fits(likely or 0, self._window(value)) else 0

    def _window(self, value: pa.Buffer | None) -> int:
        """What decompressing `value` takes beside the value."""
        return window_bytes(self.codec, _view(value)) if value is not None else 0

    def _fits(self, made: int, window: int) -> bool:
        return self.most_bytes is None or made + window <= self.most_bytes

    def _steps(self, row: int, value: pa.Buffer | None, space: Space) -> Iterator[int]:
        """The sizes of the steps in which the value is written; a null has none."""
        if value is None:
            return
        place, window, whole = row_of_batch(row), self._window(value), self._likely(value) or 0
        try:
            if (told_size(self.codec, _view(value)) or 0) <= self.max_bytes:  # `fill` says so where it is not
                self._check(row, whole, window)
            whole = 0
            for size in fill(self.codec, value, space, self.max_bytes):
                whole += size
                self._check(row, whole, window)
                yield size
        except LimitExceeded as error:
            raise LimitExceeded(error.what, error.value, error.limit, f"{self.column}, {place}") from error
        except ValueError as error:
            raise CorruptInput(self.column, place, str(error)) from error

    def _check(self, row: int, made: int, window: int) -> None:
        if self.most_bytes is not None and not self._fits(made, window):
            raise RowTooLarge(f"{self.column}, {row_of_batch(row)}", made + window, self.most_bytes)

    def _piece(self, passing: pa.RecordBatch, column: BinaryColumn) -> pa.RecordBatch:
        """The finished column beside its rows' other columns, which are copied where a slice would pin far more."""
        passing = owned(passing) if passing.num_columns else passing
        made = column.finish()
        arrays = [made if name == self.output else passing.column(name) for name in self.schema.names]
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)


def _column(likely: list[int | None], piece_bytes: int) -> BinaryColumn:
    """A column with room for values of these sizes, as many as go into a piece, and for the step that finds the end.

    A column of values whose sizes are not known grows.
    """
    column, sizes = BinaryColumn(), [size for size in likely if size is not None]
    if sizes and len(sizes) == len(likely):
        column.reserve(max(sizes[0], min(sum(sizes), piece_bytes)) + _END_BYTES)
    return column


def _view(value: pa.Buffer | None) -> memoryview:
    return memoryview(b"" if value is None else value).cast("B")
