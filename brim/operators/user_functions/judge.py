"""Judge: call a user function on a part of a batch until each of its rows has a result, or is known to have none.

call ─► fails ─► tried again (`retries`) ─► fails ─► on_error="raise": raised
else: halved until the row is found
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from brim import errors
from brim.errors import UdfError, WorkerDied
from brim.events import Resource
from brim.operators.protocol import Call, Caller, Stage
from brim.operators.user_functions.attempts import may_try_again, wait_to_try_again
from brim.operators.user_functions.blame import Blame
from brim.operators.user_functions.failed_rows import failed_rows, moved
from brim.operators.user_functions.piece import Piece
from brim.operators.user_functions.rate_limit import TokenBucket
from brim.operators.user_functions.row_results import RESULT
from brim.operators.user_functions.user_function import UserFunction


@dataclass(eq=False, slots=True)
class Judge:
    """Calls of `function` in one stage. `bucket` spreads them in time."""

    function: UserFunction
    caller: Caller
    stage: Stage
    bucket: TokenBucket | None = None

    @classmethod
    def of(cls, function: UserFunction, caller: Caller, stage: Stage) -> Judge:
        """A judge that keeps the function's rate, where calls on the loop do not keep it themselves."""
        rate = None if function.backend == "async" else function.rate_limit
        return cls(function, caller, stage, None if rate is None else TokenBucket(rate))

    async def column(self, arguments: pa.RecordBatch, first_row: int) -> Piece:
        """The column for `arguments`, null where a row failed, and which rows did.

        `first_row` is the place of the first row in the stage's input, for errors. Raises `UdfError` and its kinds
        where rows may not fail, and `WorkerDied`.
        """
        if self.function.on_error == "raise":
            (piece,) = await self._attempts(arguments, first_row)
            if piece.failed is not None:
                raise self._row_error(piece.failed, first_row)
            return piece
        blame, failed = await self._blamed(arguments, first_row)
        parts = {row: pa.nulls(1, self.function.return_type) for row, _ in blame.blamed}
        for start, (piece,) in blame.done:
            parts[start] = piece.batch[RESULT]
            if piece.failed is not None:
                failed.append(moved(piece.failed, range(start, start + piece.batch.num_rows)))
        column = _concat([parts[start] for start in sorted(parts)])
        batch = pa.RecordBatch.from_arrays([column], names=[RESULT])
        return Piece(batch, pa.concat_batches(failed).sort_by("row") if failed else None)

    async def batches(
        self, batch: pa.RecordBatch, first_row: int
    ) -> tuple[list[pa.RecordBatch], pa.RecordBatch | None]:
        """All that the function makes of `batch`, and the rows that failed and were left out."""
        if self.function.on_error == "raise":
            return [piece.batch for piece in await self._attempts(batch, first_row)], None
        blame, failed = await self._blamed(batch, first_row)
        return [piece.batch for _, pieces in blame.done for piece in pieces], failed[0] if failed else None

    async def next_piece(self, call: Call, first_row: int, rows: int) -> Piece | None:
        """The next piece of a call that is made once; its errors name the rows."""
        try:
            return await call.next_piece()
        except (UdfError, WorkerDied) as error:
            raise self._placed(error, first_row, rows) from error

    async def _blamed(
        self, arguments: pa.RecordBatch, first_row: int
    ) -> tuple[Blame[list[Piece]], list[pa.RecordBatch]]:
        """The parts of `arguments` that came out well, and the record of the rows that make a call fail, if any."""
        blame: Blame[list[Piece]] = Blame(arguments.num_rows)
        traces: list[str] = []
        while (part := blame.part) is not None:
            start, stop = part
            again = stop - start in (1, arguments.num_rows)  # parts in between only narrow the search
            rows = arguments.slice(start, stop - start)
            try:
                blame.succeeded(await self._attempts(rows, first_row + start, again=again))
            except UdfError as error:
                blame.failed(_text(error))
                if stop - start == 1:
                    traces.append(error.traceback)
        record = failed_rows([row for row, _ in blame.blamed], [reason for _, reason in blame.blamed], traces)
        return blame, [] if record is None else [record]

    async def _attempts(self, arguments: pa.RecordBatch, first_row: int, *, again: bool = True) -> list[Piece]:
        """All pieces of a call, tried again where it failed, or where rows of it did."""
        retries, attempt = self.function.retries if again else 0, 1
        pieces: list[Piece] = []
        rows: Any = None  # those that are called again; None is all of them
        while True:
            try:
                made = await self._call(arguments if rows is None else arguments.take(pa.array(rows)))
            except (UdfError, WorkerDied) as error:
                tries = self.function.retries if isinstance(error, WorkerDied) else retries  # a death tells of no row
                if not may_try_again(error, attempt, tries):
                    raise self._placed(error, first_row, arguments.num_rows) from error
                reason = str(error)
            else:
                pieces = made if rows is None else [_replaced(pieces[0], rows, *made)]
                failed = pieces[0].failed if pieces else None
                if failed is None or attempt > retries or self.function.backend == "async":
                    return pieces  # on the loop each row was tried again by itself
                rows, reason = failed["row"].to_numpy(), failed["error"][0].as_py()
            await wait_to_try_again(self.function, attempt, reason, self.stage)
            attempt += 1

    async def _call(self, arguments: pa.RecordBatch) -> list[Piece]:
        await self.wait_for_rate(arguments.num_rows)
        call, pieces = self.caller.call(arguments), []
        while (piece := await call.next_piece()) is not None:
            pieces.append(piece)
        return pieces

    async def wait_for_rate(self, rows: int) -> None:
        """Wait until one more call may begin, or `rows` more of a row function."""
        if self.bucket is not None:
            calls = rows if self.function.kind == "row" else 1
            with self.stage.waiting(Resource.WORKERS):
                await self.stage.clock.sleep(self.bucket.take(self.stage.clock.now(), calls))

    def _placed(self, error: UdfError | WorkerDied, first_row: int, rows: int) -> UdfError | WorkerDied:
        where = f"row {first_row:,}" if rows == 1 else f"rows {first_row:,} to {first_row + rows - 1:,}"
        where = f"{where} of its input"
        if isinstance(error, WorkerDied):
            return WorkerDied(error.function, error.exit_code, error.rows, error.output, error.place or where)
        return type(error)(error.function, error.reason, error.rows or where, error.traceback)

    def _row_error(self, failed: pa.RecordBatch, first_row: int) -> UdfError:
        place = int(np.argmin(failed["row"].to_numpy()))
        first = failed.slice(place, 1).to_pylist()[0]
        kind, _, reason = first["error"].partition(": ")
        known = getattr(errors, kind, None) if kind.startswith("Udf") else None
        where = f"row {first_row + first['row']:,} of its input"
        if known is None:
            return UdfError(self.function.name, first["error"], where, first["traceback"])
        made: UdfError = known(self.function.name, reason, where, first["traceback"])
        return made


def _replaced(piece: Piece, rows: Any, again: Piece) -> Piece:
    """`piece` with its `rows` as they came out `again`."""
    column, late = piece.batch[RESULT], again.batch[RESULT]
    places = np.arange(len(column))
    places[rows] = len(column) + np.arange(len(rows))
    both = _concat([column, late]).take(pa.array(places))
    failed = None if again.failed is None else moved(again.failed, rows)
    return Piece(pa.RecordBatch.from_arrays([both], names=[RESULT]), failed)


def _concat(arrays: list[pa.Array]) -> pa.Array:
    return arrays[0] if len(arrays) == 1 else pa.concat_arrays(arrays)


def _text(error: UdfError) -> str:
    return error.reason if type(error) is UdfError else f"{type(error).__name__}: {error.reason}"
