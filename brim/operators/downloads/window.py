"""DownloadWindow: the rows of a download under way, and who of them gets memory next. It decides, it never waits.

    [assembled: done, for the next batch]  head ─ row ─ row ─ … ─ row      in the order of rows
                                             │
      wants bytes ──► lent ──► reading ──► done ──► assembled ──► sent, repaid

Rules of this file
- Bytes are lent in the order of rows. A row whose size is not known yet (its answer is not here) may be overtaken, but
  only by rows that get theirs at once.
- The head never waits for rows behind it: when memory is short, the batch begun is sent as it is, then the last rows
  that hold bytes lose them (one that is done goes to disk, others are fetched again), then it gets a loan that may come
  from the reserve for oversize rows.
- A body whose size nobody told grows with loans that are there at once; where they are not it goes to disk
  (`spool.py`) and comes back with a size like any other.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from enum import Enum

import anyio
import pyarrow as pa

from brim.operators.downloads.body_memory import BodyMemory
from brim.operators.downloads.spool import Spool
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
    memory: BodyMemory | None = None
    body: pa.Buffer | None = None
    length: int = 0
    error: Exception | None = None
    done: bool = False
    refused: Exception | None = None
    scope: anyio.CancelScope | None = None
    spool: Spool | None = None
    bell: anyio.Event | None = None

    @property
    def last(self) -> bool:
        return bool(self.index == self.source.batch.num_rows - 1)

    @property
    def weight(self) -> int:
        """About what the row adds to a batch."""
        return self.length + self.source.row_bytes

    @property
    def capacity(self) -> int:
        return self.memory.size if self.memory is not None else 0

    @property
    def unmet(self) -> bool:
        """Whether it wants bytes that were not lent to it."""
        return self.memory is None and self.want is not None and not self.done

    def take(self, loan: Loan) -> None:
        """Own `loan`, and memory of that size; what is there already moves over."""
        assert self.want is not None
        memory = BodyMemory.of(self.want)
        if self.memory is not None and self.length:
            memory.view[: self.length] = self.memory.view[: self.length]
        self.drop()
        self.loan, self.memory = loan, memory
        if self.bell is not None:
            self.bell.set()

    def arrived(self, start: int, count: int) -> None:
        """`count` bytes lie behind those that were there; they belong at `start`, which may be before that."""
        if start != self.length and self.memory is not None:
            self.memory.view[start : start + count] = self.memory.view[self.length : self.length + count]
        self.length = start + count

    def write(self, start: int, piece: memoryview) -> None:
        """Put `piece` where it belongs."""
        assert self.memory is not None
        self.length = start + len(piece)
        self.memory.view[start : self.length] = piece

    def finish(self) -> None:
        """Every byte is there; memory beyond them goes back."""
        if self.memory is not None:
            shorter = self.length < self.memory.size
            self.body, self.memory = self.memory.finish(self.length), None
            if shorter and self.loan is not None:
                self.loan.settle(self.length)
        self.done = True

    def fail(self, error: Exception) -> None:
        self.forget()
        self.length = 0
        self.error = error
        self.done = True

    def forget(self) -> None:
        """Let everything go, what lies on disk too."""
        self.drop()
        if self.spool is not None:
            self.spool.close()
            self.spool = None

    def part_with_loan(self) -> Loan | None:
        """The loan of the body, which goes on with it."""
        loan, self.loan = self.loan, None
        return loan

    def drop(self) -> None:
        """Let bytes and loan go."""
        self.memory = self.body = None
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
    wanting: bool = False

    def want(self, row: Row, size: int) -> None:
        """`row` wants `size` bytes, and has none."""
        row.want, self.wanting = size, True

    def decide(self) -> Lend | None:
        """Who gets bytes next, None when nobody wants any."""
        if not self.wanting:
            return None
        sure = True
        for row in self.rows:
            if row.unmet:
                return self._lend(row, sure=sure)
            sure = sure and (row.done or row.want is not None)
        self.wanting = False
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
            row.forget()
        self.assembled, self.assembled_bytes = [], 0

    def close(self) -> None:
        """Let everything go."""
        for row in (*self.assembled, *self.rows):
            row.forget()
