"""Decompress: gzip, zstd and their like, one value after another.

Input    batches with a binary column
Output   the same rows, with the column decompressed as `large_binary`, in pieces of about `piece_bytes`
Order    kept
Holds    one piece, and the value under way up to `max_bytes`; never a value larger than that
Fails    `CorruptInput` for a value that cannot be decompressed, `LimitExceeded` for one that would pass `max_bytes`
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa

from brim.errors import CorruptInput, LimitExceeded, PlanError, SchemaMismatch
from brim.operators.binary_column import BinaryColumn
from brim.operators.codecs import check_codec, chunks
from brim.operators.row_place import row_of_batch
from brim.sizes import MIB, owned

MAX_BYTES = 256 * MIB


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
    """

    codec: str
    column: str
    output: str
    max_bytes: int
    schema: pa.Schema

    def push(self, batch: pa.RecordBatch, piece_bytes: int) -> Iterator[pa.RecordBatch]:
        passing = batch.select([name for name in self.schema.names if name != self.output])
        made, start = BinaryColumn(), 0
        for row, value in enumerate(batch.column(self.column)):
            for chunk in self._chunks(row, value):
                made.extend(chunk)
                if row > start and made.nbytes + passing.slice(start, row - start + 1).nbytes > piece_bytes:
                    rest = made.rest()
                    piece, made = self._piece(passing.slice(start, row - start), made), rest
                    yield piece
                    del piece
                    start = row
            made.end(valid=value.is_valid)
        if start < batch.num_rows:
            yield self._piece(passing.slice(start), made)

    def finish(self, piece_bytes: int) -> Iterator[pa.RecordBatch]:  # noqa: ARG002 - nothing is left
        yield from ()

    def _chunks(self, row: int, value: pa.Scalar) -> Iterator[memoryview | pa.Buffer]:
        """The value in steps; one empty step at its beginning, so that its row is weighed before it grows."""
        yield memoryview(b"")
        place = row_of_batch(row)
        try:
            if value.is_valid:
                yield from chunks(self.codec, value.as_buffer(), self.max_bytes)
        except LimitExceeded as error:
            raise LimitExceeded(error.what, error.value, error.limit, f"{self.column}, {place}") from error
        except ValueError as error:
            raise CorruptInput(self.column, place, str(error)) from error

    def _piece(self, passing: pa.RecordBatch, column: BinaryColumn) -> pa.RecordBatch:
        """The finished column beside its rows' other columns, which are copied where a slice would pin far more."""
        passing = owned(passing) if passing.num_columns else passing
        made = column.finish()
        arrays = [made if name == self.output else passing.column(name) for name in self.schema.names]
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)
