"""DownloadWindow: the rows of a download under way, and who of them gets memory next. It decides, it never waits.

    [assembled: done, for the next batch]  head ─ row ─ row ─ … ─ row      in the order of rows
                                             │
      wants bytes ──► lent ──► reading ──► done ──► assembled ──► sent, repaid

Rules of this file
- Bytes are lent in the order of rows. A row whose size is not known yet (its answer is not here) may be overtaken, but
  only by rows that get theirs at once.
- The head never waits for rows behind it: when memory is short, the batch begun is sent as it is, then the last rows
  that hold bytes lose them (they are fetched again), then the head itself starts over with a loan that may come from
  the reserve for oversize rows.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from enum import Enum

import anyio
import pyarrow as pa

from brim.arrow_pool import arrow_pool
from brim.operators.protocol import Loan
from brim.sizes import held_bytes


@dataclass(eq=False, slots=True)
class Source:
    """A batch that was read and whose rows are not all sent."""

    batch: pa.RecordBatch
    left: int
    weight: int
    row_bytes: int

    @classmethod
    def of(cls, batch: pa.RecordBatch) -> Source:
        rows = batch.num_rows
        return cls(batch, rows, held_bytes(batch), batch.nbytes // rows if rows else 0)


@dataclass(eq=False, slots=True)
class Row:
    """One URL on its way.

    `want` is what its body is to be given, None before anything is known of it; `least` is what it certainly needs.
    """

    source: Source
    index: int
    url: str | None
    want: int | None = None
    least: int = 0
    loan: Loan | None = None
    body: pa.Buffer | None = None
    length: int = 0
    error: Exception | None = None
    done: bool = False
    refused: Exception | None = None
    scope: anyio.CancelScope | None = None
    bell: anyio.Event = field(default_factory=anyio.Event)

    @property
    def last(self) -> bool:
        return bool(self.index == self.source.batch.num_rows - 1)

    @property
    def weight(self) -> int:
        """About what the row adds to a batch."""
        return self.length + self.source.row_bytes

    @property
    def capacity(self) -> int:
        return int(self.body.size) if self.body is not None else 0

    @property
    def unmet(self) -> bool:
        """Whether it wants bytes that were not lent to it."""
        if self.done or self.want is None:
            return False
        return self.body is None or self.capacity < self.want

    def take(self, loan: Loan | None) -> None:
        """Own `loan`, and have a body as large; what is there already moves over."""
        assert self.want is not None
        body = pa.allocate_buffer(self.want, memory_pool=arrow_pool(), resizable=True)
        if self.body is not None and self.length:
            memoryview(body).cast("B")[: self.length] = memoryview(self.body)[: self.length].cast("B")
        self.drop()
        self.loan, self.body = loan, body
        self.bell.set()

    def write(self, start: int, piece: bytes) -> None:
        """Put `piece` where it belongs."""
        end = start + len(piece)
        assert self.body is not None
        memoryview(self.body).cast("B")[start:end] = piece
        self.length = end

    def finish(self) -> None:
        """Every byte is there; memory beyond them goes back."""
        if self.body is not None and self.length < self.body.size:
            self.body.resize(self.length, shrink_to_fit=True)
        self.done = True

    def fail(self, error: Exception) -> None:
        self.drop()
        self.length = 0
        self.error = error
        self.done = True

    def drop(self) -> None:
        """Let bytes and loan go."""
        self.body = None
        if self.loan is not None:
            self.loan.repay()
            self.loan = None


class Otherwise(Enum):
    """What to do when a row's bytes are not there at once."""

    PAUSE = "wait until more is known of the rows before it"
    ASK = "wait for memory"
    FLUSH = "send the batch begun"
    EVICT = "take the bytes of the last row that holds some"


@dataclass(frozen=True, slots=True)
class Lend:
    """Lend `row` what it wants, if it is there; else do `otherwise`. `victim` is whom to evict."""

    row: Row
    otherwise: Otherwise
    victim: Row | None = None


@dataclass(eq=False, slots=True)
class DownloadWindow:
    """Rows that are not sent: those of the batch begun (`assembled`), then those under way (`rows`)."""

    batch_bytes: int
    rows: deque[Row] = field(default_factory=deque)
    assembled: list[Row] = field(default_factory=list)
    assembled_bytes: int = 0

    def decide(self) -> Lend | None:
        """Who gets bytes next, None when nobody wants any."""
        sure = True
        for row in self.rows:
            if row.unmet:
                return self._lend(row, sure=sure)
            sure = sure and (row.done or row.want is not None)
        return None

    def _lend(self, row: Row, *, sure: bool) -> Lend:
        if not sure:
            return Lend(row, Otherwise.PAUSE)
        if row is not self.rows[0]:
            return Lend(row, Otherwise.ASK)
        if self.assembled:
            return Lend(row, Otherwise.FLUSH)
        holder = next((other for other in reversed(self.rows) if other.loan is not None), None)
        return Lend(row, Otherwise.ASK) if holder is None else Lend(row, Otherwise.EVICT, holder)

    def next_done(self) -> Row | None:
        """The head, if it is done."""
        return self.rows[0] if self.rows and self.rows[0].done else None

    def assemble(self, row: Row) -> None:
        """Move the head to the batch begun."""
        assert row is self.rows.popleft()
        self.assembled.append(row)
        self.assembled_bytes += row.weight

    def full_before(self, row: Row) -> bool:
        """Whether the batch begun has to be sent without `row`."""
        if not self.assembled:
            return False
        return row.source is not self.assembled[0].source or self.assembled_bytes + row.weight > self.batch_bytes

    def full(self) -> bool:
        """Whether the batch begun has to be sent as it is."""
        return bool(self.assembled) and (self.assembled[-1].last or self.assembled_bytes >= self.batch_bytes)

    def release(self) -> None:
        """The batch begun was built: its rows are let go, the next one begins."""
        for row in self.assembled:
            row.drop()
        self.assembled, self.assembled_bytes = [], 0

    def close(self) -> None:
        """Let everything go."""
        for row in (*self.assembled, *self.rows):
            row.drop()
