"""Apply a user function to a batch, wherever this code runs: a worker process or a thread.

What the function raises becomes a `UdfError` with the user's own traceback; what it returns is held to its declaration.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from brim.operators.user_functions.contract import checked_array, checked_batches
from brim.operators.user_functions.piece import Piece
from brim.operators.user_functions.raised import is_of_memory, raised
from brim.operators.user_functions.row_results import RowResults, RowTimedOut, result_batch
from brim.operators.user_functions.user_function import UserFunction
from brim.sizes import cut

ROWS_AT_ONCE, BYTES_AT_ONCE = 1024, 1 << 20  # made Python values in one step, which holds the GIL


@dataclass(frozen=True, slots=True)
class Applied:
    """A built function: `called` is the function itself or the instance of its class.

    `limit` is entered around each row, and raises what a row that takes too long raises.
    """

    function: UserFunction
    called: Callable[..., Any]
    limit: Callable[[], AbstractContextManager[None]] = nullcontext

    def pieces(self, batch: pa.RecordBatch, piece_bytes: int) -> Generator[Piece, None, None]:
        """What the function makes of `batch`: one piece of one column, or for whole batches as many as it yields."""
        match self.function.kind:
            case "array":
                yield Piece(result_batch(self._array(batch)), last=True)
            case "row":
                yield replace(self._rows(batch), last=True)
            case "batch":
                for made, last in self._batches(batch):
                    for part, is_end in marked(cut(made, piece_bytes)):
                        yield Piece(part, last=last and is_end)

    def _array(self, batch: pa.RecordBatch) -> pa.Array:
        try:
            value = self.function.arguments.call(self.called, batch.columns)
        except (Exception, SystemExit) as error:
            raise raised(self.function.name, error) from error
        return checked_array(self.function.name, value, self.function.return_type, batch.num_rows)

    def _rows(self, batch: pa.RecordBatch) -> Piece:
        results = RowResults(self.function, batch.num_rows)
        for row, given in enumerate(rows_of(batch)):
            if results.is_over:
                break
            try:
                with self.limit():
                    results.returned(row, self.function.arguments.call(self.called, given))
            except (Exception, SystemExit, RowTimedOut) as error:
                if is_of_memory(error):
                    raise raised(self.function.name, error) from error  # the row may find more when it is called alone
                results.raised(row, error)
        return results.piece()

    def _batches(self, batch: pa.RecordBatch) -> Iterator[tuple[pa.RecordBatch, bool]]:
        """What is made of `batch`, each with whether it is known to be the last."""
        name, schema = self.function.name, self.function.schema or batch.schema
        try:
            value = self.function.arguments.call(self.called, [batch])
        except (Exception, SystemExit) as error:
            raise raised(name, error) from error
        if not hasattr(value, "__next__"):
            yield from marked(made for made in checked_batches(name, value, schema) if made.num_rows)
            return
        while True:
            try:
                piece = next(value)
            except StopIteration:
                return
            except (Exception, SystemExit) as error:
                raise raised(name, error) from error
            yield from ((made, False) for made in checked_batches(name, piece, schema))


def marked(batches: Iterable[pa.RecordBatch]) -> Iterator[tuple[pa.RecordBatch, bool]]:
    """Each of `batches`, with whether it is the last.

    >>> [last for _, last in marked([pa.record_batch({"n": [1]})] * 3)]
    [False, False, True]
    """
    before = None
    for batch in batches:
        if before is not None:
            yield before, False
        before = batch
    if before is not None:
        yield before, True


def rows_of(batch: pa.RecordBatch) -> Iterator[tuple[Any, ...]]:
    """The rows of `batch` as tuples of Python values, of which few exist at once."""
    for start in range(0, batch.num_rows, ROWS_AT_ONCE):
        for part in cut(batch.slice(start, ROWS_AT_ONCE), BYTES_AT_ONCE):
            yield from zip(*(column.to_pylist() for column in part.columns), strict=True)
