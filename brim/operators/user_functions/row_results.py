"""The results of the rows of one call, each a value or the reason why there is none."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from brim.operators.user_functions.contract import array_of_values
from brim.operators.user_functions.failed_rows import failed_rows
from brim.operators.user_functions.piece import Piece
from brim.operators.user_functions.raised import REASON_CHARS, clean, raised, told
from brim.operators.user_functions.user_function import UserFunction

RESULT = "result"
TRACES_CHARS = 1 << 20  # of all rows of one call


class RowTimedOut(BaseException):
    """A row took longer than it may; no `Exception`, so that a function's own handlers let it pass."""


@dataclass(slots=True)
class RowResults:
    """What the `rows` rows of one call returned or raised, in any order; what was not called is null."""

    function: UserFunction
    rows: int
    values: list[Any] = field(init=False)
    _failed: list[int] = field(default_factory=list)
    _errors: list[str] = field(default_factory=list)
    _traces: list[str] = field(default_factory=list)
    _traces_chars: int = 0

    def __post_init__(self) -> None:
        self.values = [None] * self.rows

    @property
    def is_over(self) -> bool:
        """Whether a row failed for good where one ends the run, so that the rest need not be called."""
        tried_again = self.function.retries and self.function.backend != "async"  # by the operator, later
        return bool(self._failed) and self.function.on_error == "raise" and not tried_again

    def returned(self, row: int, value: Any) -> None:
        self.values[row] = value

    def raised(self, row: int, error: BaseException) -> None:
        if isinstance(error, RowTimedOut):
            self._fail(row, f"UdfTimeout: took longer than {self.function.timeout_s} s", "")
        else:
            what = raised(self.function.name, error)
            self._fail(row, told(what), what.traceback)

    def piece(self) -> Piece:
        """The column, and the rows that have no result."""
        array = self._array()
        return Piece(result_batch(array), failed_rows(self._failed, self._errors, self._traces))

    def _fail(self, row: int, reason: str, trace: str) -> None:
        self._failed.append(row)
        self._errors.append(reason)
        self._traces.append(trace if self._traces_chars + len(trace) <= TRACES_CHARS else "")
        self._traces_chars += len(self._traces[-1])

    def _array(self) -> pa.Array:
        declared = self.function.return_type
        try:
            return array_of_values(self.values, declared)
        except (pa.ArrowException, TypeError, ValueError, OverflowError):
            for row, value in enumerate(self.values):
                self._check(row, value, declared)
            return array_of_values(self.values, declared)

    def _check(self, row: int, value: Any, declared: pa.DataType) -> None:
        try:
            array_of_values([value], declared)
        except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
            found = f"returned {type(value).__qualname__} {value!r:.100}, declared {declared}"
            self._fail(row, clean(f"UdfContractError: {found}: {error}"[:REASON_CHARS]), "")
            self.values[row] = None


def result_batch(array: pa.Array) -> pa.RecordBatch:
    """The column a call made, alone."""
    return pa.RecordBatch.from_arrays([array], names=[RESULT])
