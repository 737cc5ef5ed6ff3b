"""Judge: call a user function on a part of a batch until each of its rows has a result, or is known to have none.

    call ─► raises ─► tried again (`retries`) ─► raises ─► on_error="raise": the run ends
                                                           else: halved until the row is found
        ─► its worker dies, or lacks memory ─► called again, halved, until the row is found

See `blame.py` for how often. A death or a want of memory is not an error of the function, so it is looked into whatever
`on_error` says; that decides what becomes of the row that is found.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

from brim import errors
from brim.errors import BrimError, UdfError, UdfMemoryExceeded, WorkerDied
from brim.events import Resource
from brim.operators.inflation import Inflation
from brim.operators.protocol import Call, Caller, Stage
from brim.operators.user_functions.attempts import may_try_again, wait_to_try_again
from brim.operators.user_functions.blame import Blame
from brim.operators.user_functions.failed_rows import failed_rows, moved, why
from brim.operators.user_functions.piece import Piece
from brim.operators.user_functions.raised import told
from brim.operators.user_functions.rate_limit import TokenBucket
from brim.operators.user_functions.row_results import RESULT
from brim.operators.user_functions.user_function import UserFunction
from brim.operators.user_functions.without_words import without_words


@dataclass(frozen=True, slots=True)
class _Part:
    """What one call gets, where its first row is, what a row weighs, and whether it should be called alone."""

    arguments: pa.RecordBatch
    first_row: int
    row_bytes: float
    alone: bool

    def of(self, rows: Any) -> _Part:
        return replace(self, arguments=self.arguments.take(pa.array(rows)))


@dataclass(eq=False, slots=True)
class Judge:
    """Calls of `function` in one stage; `inflation` learns what they take. `bucket` spreads them in time."""

    function: UserFunction
    caller: Caller
    stage: Stage
    inflation: Inflation
    bucket: TokenBucket | None = None

    @classmethod
    def of(cls, function: UserFunction, caller: Caller, stage: Stage, inflation: Inflation) -> Judge:
        """A judge that keeps the function's rate, where calls on the loop do not keep it themselves."""
        rate = None if function.backend == "async" else function.rate_limit
        return cls(function, caller, stage, inflation, None if rate is None else TokenBucket(rate))

    async def column(self, arguments: pa.RecordBatch, first_row: int, row_bytes: float = 0.0) -> Piece:
        """The column for `arguments`, null where a row failed, and which rows did.

        `first_row` is the place of the first row in the stage's input, for errors; `row_bytes` is what a row weighs in
        what `inflation` counts. Raises `UdfError` and its kinds where rows may not fail, and `WorkerDied`.
        """
        blame, failed = await self._blamed(arguments, first_row, row_bytes)
        if len(blame.done) == 1 and not blame.blamed:
            return blame.done[0][1][0]
        parts = {row: pa.nulls(1, self.function.return_type) for row, _ in blame.blamed}
        for start, (piece,) in blame.done:
            parts[start] = piece.batch[RESULT]
            if piece.failed is not None:
                failed.append(moved(piece.failed, range(start, start + piece.batch.num_rows)))
        column = _concat([parts[start] for start in sorted(parts)])
        batch = pa.RecordBatch.from_arrays([column], names=[RESULT])
        return Piece(batch, pa.concat_batches(failed).sort_by("row") if failed else None)

    async def batches(
        self, batch: pa.RecordBatch, first_row: int, failure: BrimError | None = None
    ) -> tuple[list[pa.RecordBatch], pa.RecordBatch | None]:
        """All that the function makes of `batch`, and the rows that failed and were left out.

        `failure` is how a call of `batch` has ended before.
        """
        row_bytes = batch.nbytes / max(1, batch.num_rows)
        blame, failed = await self._blamed(batch, first_row, row_bytes, failure)
        return [piece.batch for _, pieces in blame.done for piece in pieces], failed[0] if failed else None

    async def next_piece(self, call: Call, first_row: int, rows: int, row_bytes: float) -> Piece | None:
        """The next piece of a call that is made once; its errors name the rows."""
        try:
            piece = await call.next_piece()
        except (UdfError, WorkerDied) as error:
            if error.final:
                raise
            raise self._placed(error, first_row, rows) from error
        if piece is not None:
            self._learn(rows, row_bytes, piece.work_bytes)
        return piece

    async def _blamed(
        self, arguments: pa.RecordBatch, first_row: int, row_bytes: float, failure: BrimError | None = None
    ) -> tuple[Blame[list[Piece]], list[pa.RecordBatch]]:
        """The parts of `arguments` that came out well, and the record of the rows that make a call fail, if any."""
        blame: Blame[list[Piece]] = Blame(arguments.num_rows)
        if failure is not None:
            self._note(blame, failure)
        while (part := blame.part) is not None:
            start, stop = part
            rows = arguments.slice(start, stop - start)
            try:
                called = _Part(rows, first_row + start, row_bytes, blame.starving)
                pieces = await self._attempts(called, whole=blame.whole)
            except (UdfError, WorkerDied) as error:
                self._note(blame, error)
            else:
                blame.succeeded(pieces)
        record = _record(blame.blamed)
        return blame, [] if record is None else [record]

    def _note(self, blame: Blame[list[Piece]], error: BrimError) -> None:
        """Take note of how a call ended. Raises `error` where it blames a row that may not fail."""
        match error:
            case UdfError(final=True) | WorkerDied(final=True):
                raise error
            case WorkerDied():
                blamed = blame.died(error)
            case UdfMemoryExceeded():
                blamed = blame.starved(error, untried=error.untried)
            case _ if self.function.on_error == "raise":
                raise error
            case _:
                blamed = blame.failed(error)
        if blamed and self.function.on_error == "raise":
            raise error

    async def _attempts(self, part: _Part, *, whole: bool) -> list[Piece]:
        """All pieces of a call, tried again where it raised, or where rows of it did.

        Parts between the whole and a single row only narrow the search: they are not tried again.
        """
        retries, attempt = self.function.retries if whole or part.arguments.num_rows == 1 else 0, 1
        pieces: list[Piece] = []
        rows: Any = None  # those that are called again; None is all of them
        while True:
            try:
                made = await self._call(part if rows is None else part.of(rows))
            except (UdfError, WorkerDied) as error:
                if error.final:
                    raise
                if not may_try_again(error, attempt, retries):
                    raise self._placed(error, part.first_row, part.arguments.num_rows) from error
                reason = _why(error)
            else:
                pieces = made if rows is None else [_replaced(pieces[0], rows, *made)]
                failed = pieces[0].failed if pieces else None
                if failed is None or attempt > retries or self.function.backend == "async":
                    self._check(failed, part.first_row)  # on the loop each row was tried again by itself
                    return pieces
                rows, reason = failed["row"].to_numpy(), why(failed)
            await wait_to_try_again(self.function, attempt, reason, self.stage)
            attempt += 1

    async def _call(self, part: _Part) -> list[Piece]:
        rows = part.arguments.num_rows
        await self.wait_for_rate(rows)
        work_bytes = self.inflation.work_bytes(round(rows * part.row_bytes))
        call, pieces = self.caller.call(part.arguments, work_bytes, alone=part.alone), []
        try:
            while (piece := await call.next_piece()) is not None:
                self._learn(rows, part.row_bytes, piece.work_bytes)
                pieces.append(piece)
        except UdfMemoryExceeded:
            self._starved()
            raise
        return pieces

    def _learn(self, rows: int, row_bytes: float, work_bytes: int | None) -> None:
        if work_bytes is not None:
            self.inflation.worked(round(rows * row_bytes), work_bytes)

    def _starved(self) -> None:
        """A call found too little memory: the next ones are smaller."""
        self.inflation.halve()
        if (fact := self.inflation.resized()) is not None:
            self.stage.tell(fact)

    def _check(self, failed: pa.RecordBatch | None, first_row: int) -> None:
        """Raise what the first of the `failed` rows raised, where none may fail."""
        if failed is not None and self.function.on_error == "raise":
            raise self._row_error(failed, first_row)

    async def wait_for_rate(self, rows: int) -> None:
        """Wait until one more call may begin, or `rows` more of a row function."""
        if self.bucket is not None:
            calls = rows if self.function.kind == "row" else 1
            with self.stage.waiting(Resource.RATE_LIMIT):
                await self.stage.clock.sleep(self.bucket.take(self.stage.clock.now(), calls))

    def _placed(self, error: UdfError | WorkerDied, first_row: int, rows: int) -> UdfError | WorkerDied:
        where = f"row {first_row:,}" if rows == 1 else f"rows {first_row:,} to {first_row + rows - 1:,}"
        where = f"{where} of its input"
        match error:
            case WorkerDied():
                place = error.place or where
                return WorkerDied(error.function, error.exit_code, error.rows, error.output, place, error.deaths)
            case UdfMemoryExceeded():
                place = error.rows or where
                placed = UdfMemoryExceeded(error.function, error.reason, place, error.traceback, error.peak_bytes)
                placed.untried = error.untried
                return placed
            case _:
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


def _record(blamed: list[tuple[int, Exception]]) -> pa.RecordBatch | None:
    """The record of the rows that make a call fail."""
    errors = [error for _, error in blamed]
    traces = [error.traceback if isinstance(error, UdfError) else getattr(error, "output", "") for error in errors]
    signals = [error.signal if isinstance(error, WorkerDied) else None for error in errors]
    return failed_rows([row for row, _ in blamed], [_text(error) for error in errors], traces, signals)


def _why(error: UdfError | WorkerDied) -> str:
    """What logs say of it."""
    return without_words(_text(error), error.traceback if isinstance(error, UdfError) else "")


def _text(error: Exception) -> str:
    if isinstance(error, WorkerDied):
        return f"WorkerDied: {error.signal or f'exit code {error.exit_code}'}"
    return told(error) if isinstance(error, UdfError) else str(error)
