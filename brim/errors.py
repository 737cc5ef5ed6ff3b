"""Everything brim raises on purpose, by the moment it is raised.

BrimError
├── PlanError                before anything runs: what was declared cannot work
│   ├── SchemaMismatch
│   ├── UnknownColumn
│   ├── BudgetTooSmall
│   └── TooFewDevices
├── StageFailed              while running: one stage failed, what happened is its cause
├── Stalled                  while running: no stage could move; a defect of brim
├── ExpressionFailed         while running: an expression has no value for a row
├── CorruptInput             data from outside is not what it says it is
├── LimitExceeded            data from outside passes a limit that was set
├── RowTooLarge              one row does not fit in the memory that was given
├── SpillDiskFull            the spill folder's disk or quota is full
├── TransferFailed           the other side did not keep its part
│   ├── ObjectMissing
│   ├── EgressDenied
│   └── TransferTimeout
├── WorkerDied               a worker process ended without an answer
└── UdfError                 a user function raised
    ├── UdfContractError     it returned what it had not declared
    ├── UdfTimeout
    └── UdfMemoryExceeded

Fields come first, the sentence is made of them: every error pickles and can be matched by its fields.
"""

from __future__ import annotations

import difflib
import signal
from collections.abc import Iterable


class BrimError(Exception):
    """Everything brim raises on purpose."""


class PlanError(BrimError):
    """What was declared cannot work; nothing has run."""


class SchemaMismatch(PlanError, TypeError):
    """Types that do not fit where they are used."""

    def __init__(self, place: str, expected: str, found: str) -> None:
        super().__init__(place, expected, found)
        self.place = place
        self.expected = expected
        self.found = found

    def __str__(self) -> str:
        return f"{self.place}: expected {self.expected}, found {self.found}"


class UnknownColumn(PlanError, KeyError):
    """A column that is not there."""

    def __init__(self, column: str, columns: Iterable[str], place: str = "") -> None:
        self.column = column
        self.columns = tuple(columns)
        self.place = place
        super().__init__(column, self.columns, place)

    def __str__(self) -> str:
        near = difflib.get_close_matches(self.column, self.columns, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        place = f"{self.place}: " if self.place else ""
        return f"{place}no column {self.column!r} among {list(self.columns)}{hint}"


class BudgetTooSmall(PlanError):
    """The memory given is less than the pipeline needs to move one batch through; `reason` says what needs so much."""

    def __init__(self, needed_bytes: int, given_bytes: int, remedy: str = "", reason: str = "") -> None:
        super().__init__(needed_bytes, given_bytes, remedy, reason)
        self.needed_bytes = needed_bytes
        self.given_bytes = given_bytes
        self.remedy = remedy
        self.reason = reason

    def __str__(self) -> str:
        needed = -(-self.needed_bytes // (1 << 20))
        given = self.given_bytes / (1 << 20)
        remedy = f", or {self.remedy}" if self.remedy else ""
        reason = f" ({self.reason})" if self.reason else ""
        return f'memory of {given:.1f} MiB is too small{reason}: give memory="{needed}MiB"{remedy}'


class TooFewDevices(PlanError):
    """Workers that must run at once do not find devices.

    `functions` are their names and ``gpus=``, `given` the devices there are, `enough` how many would be.
    """

    def __init__(self, functions: Iterable[tuple[str, float]], given: int, enough: int, reason: str = "") -> None:
        self.functions = tuple(functions)
        self.given = given
        self.enough = enough
        self.reason = reason
        super().__init__(self.functions, given, enough, reason)

    def __str__(self) -> str:
        wanted = ", ".join(f"{name} (gpus={share:g})" for name, share in self.functions)
        several = len(self.functions) > 1
        together = f" run at once and take {sum(share for _, share in self.functions):g} together" if several else ""
        reason = f", {self.reason}" if self.reason else ""
        split = ", or split the pipeline at a file" if several else ""
        smaller = "smaller shares, or " if self.given else ""
        ways = f"give {smaller}brim.Engine(gpus={self.enough}) where the machine has them{split}"
        return f"too few GPUs for {wanted}{together}; the engine has {self.given}{reason}: {ways}"


class StageFailed(BrimError):
    """A stage failed while running; `__cause__` is what happened."""

    def __init__(self, operator: str, operator_id: str, reason: str = "") -> None:
        super().__init__(operator, operator_id, reason)
        self.operator = operator
        self.operator_id = operator_id
        self.reason = reason

    def __str__(self) -> str:
        reason = self.reason if self.__cause__ is None else f"{type(self.__cause__).__name__}: {self.__cause__}"
        return f"{self.operator} ({self.operator_id}) failed: {reason}"


class Stalled(BrimError):
    """No stage can move: a defect of brim, reported instead of hanging."""

    def __init__(self, picture: str) -> None:
        super().__init__(picture)
        self.picture = picture

    def __str__(self) -> str:
        return f"every stage waits for another; please report this picture of the run:\n{self.picture}"


class ExpressionFailed(BrimError, ValueError):
    """An expression has no value for a row: an overflow, text that is no number, a cast that does not fit."""

    def __init__(self, expression: str, reason: str, row: str = "") -> None:
        super().__init__(expression, reason, row)
        self.expression = expression
        self.reason = reason
        self.row = row

    def __str__(self) -> str:
        row = f", at {self.row}" if self.row else ""
        return f"{self.expression}: {self.reason}{row}"


class CorruptInput(BrimError):
    """Data from outside is not what it says it is."""

    def __init__(self, source: str, where: str, reason: str = "") -> None:
        super().__init__(source, where, reason)
        self.source = source
        self.where = where
        self.reason = reason

    def __str__(self) -> str:
        reason = f": {self.reason}" if self.reason else ""
        return f"{self.source}, {self.where}{reason}"


class LimitExceeded(BrimError):
    """Data from outside passes a limit; raise the limit if the data is to be trusted."""

    def __init__(self, what: str, value: float, limit: float, place: str = "") -> None:
        super().__init__(what, value, limit, place)
        self.what = what
        self.value = value
        self.limit = limit
        self.place = place

    def __str__(self) -> str:
        place = f"{self.place}: " if self.place else ""
        return f"{place}{self.what} is {self.value:,}, the limit is {self.limit:,}"


class RowTooLarge(BrimError):
    """One row needs more memory than the engine may give a single row."""

    def __init__(self, place: str, needed_bytes: int, limit_bytes: int) -> None:
        super().__init__(place, needed_bytes, limit_bytes)
        self.place = place
        self.needed_bytes = needed_bytes
        self.limit_bytes = limit_bytes

    def __str__(self) -> str:
        return (
            f"{self.place}: one row needs {self.needed_bytes:,} bytes, "
            f"the engine gives a single row {self.limit_bytes:,}; raise `memory`"
        )


class SpillDiskFull(BrimError):
    """The spill folder's disk, or its quota, is full."""

    def __init__(self, folder: str, needed_bytes: int, free_bytes: int) -> None:
        super().__init__(folder, needed_bytes, free_bytes)
        self.folder = folder
        self.needed_bytes = needed_bytes
        self.free_bytes = free_bytes

    def __str__(self) -> str:
        needed = f"{self.needed_bytes:,} bytes to write, " if self.needed_bytes else ""
        return (
            f"{self.folder}: {needed}{self.free_bytes:,} bytes left; "
            "free some disk, raise spill_limit or name another spill_dir"
        )


class TransferFailed(BrimError):
    """The other side did not keep its part; the URL is shown without user info and query."""

    def __init__(self, url: str, reason: str = "", attempts: int = 1) -> None:
        super().__init__(url, reason, attempts)
        self.url = url
        self.reason = reason
        self.attempts = attempts

    def __str__(self) -> str:
        tries = f" after {self.attempts} attempts" if self.attempts > 1 else ""
        return f"{self.url}: {self.reason}{tries}"


class ObjectMissing(TransferFailed, FileNotFoundError):
    """There is nothing at this address."""


class EgressDenied(TransferFailed, PermissionError):
    """The address is not one this engine may dial."""


class TransferTimeout(TransferFailed, TimeoutError):
    """The other side took longer than it was given."""


class WorkerDied(BrimError):
    """A worker process ended without an answer; `place` says which rows it had in hand, where that is known.

    `deaths` is how many workers of the function died one after another, where no more of them is started.
    """

    def __init__(  # noqa: PLR0917 - facts
        self, function: str, exit_code: int | None, rows: int, output: str = "", place: str = "", deaths: int = 0
    ) -> None:
        super().__init__(function, exit_code, rows, output, place, deaths)
        self.place = place
        self.function = function
        self.exit_code = exit_code
        self.rows = rows
        self.output = output
        self.deaths = deaths

    @property
    def final(self) -> bool:
        """Whether the function can be called no more."""
        return self.deaths > 0

    @property
    def signal(self) -> str | None:
        """The name of the signal that ended it, as in ``"SIGSEGV"``; None where it ended otherwise."""
        code = self.exit_code
        if code is None or code >= 0:
            return None
        return signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"

    def __str__(self) -> str:
        code = self.exit_code
        how = "unknown" if code is None else f"{self.signal}, signal {-code}" if code < 0 else f"exit code {code}"
        output = f"; it last printed:\n{self.output}" if self.output else ""
        rows = self.place or f"{self.rows} rows"
        again = f", the last of {self.deaths} in a row: no more are started" if self.deaths else ""
        return f"the worker of {self.function} died ({how}) with {rows} in hand{again}{output}"


class UdfError(BrimError):
    """A user function raised; its own traceback is in `traceback`.

    `final` says that it can be called no more: its class could not be built in a new worker.
    """

    final = False

    def __init__(self, function: str, reason: str, rows: str = "", traceback: str = "") -> None:
        super().__init__(function, reason, rows, traceback)
        self.function = function
        self.reason = reason
        self.rows = rows
        self.traceback = traceback

    def __str__(self) -> str:
        rows = f" on {self.rows}" if self.rows else ""
        trace = f"\n{self.traceback}" if self.traceback else ""
        return f"{self.function}{rows}: {self.reason}{trace}"


class UdfContractError(UdfError):
    """A user function returned what it had not declared."""


class UdfTimeout(UdfError):
    """A user function took longer than `timeout_s`."""


class UdfMemoryExceeded(UdfError):
    """A user function needs more memory than the engine can give; `peak_bytes` is the most its worker held.

    `untried` says that no call of the function has ended well before.
    """

    untried = False

    def __init__(self, function: str, reason: str, rows: str = "", traceback: str = "", peak_bytes: int = 0) -> None:
        super().__init__(function, reason, rows, traceback)
        self.args = (function, reason, rows, traceback, peak_bytes)
        self.peak_bytes = peak_bytes
