"""Download: the bodies of a column of URLs, as a new column.

Input    batches with a column of URLs (string)
Output   the same rows with the bodies (large_binary) as the last column, or in place of one of that name; batches are
         cut so that they weigh `batch_bytes`, a single row apart. A null URL has a null body
Order    kept
Holds    batches read ahead (less than `batch_bytes` beyond the one whose rows come next), the batch that is built, and
         bodies under way: the bytes of a body are borrowed before they are read
Fails    at the turn of the row that failed, with `TransferFailed`, or `LimitExceeded` beyond `max_bytes`; with
         ``on_error="null"`` such a row is null and told. `RowTooLarge` when a body does not fit in memory at all

Tasks of a run: one reads batches and starts rows, one a row fetches, one lends memory in the order of rows
(`download_window` decides), and the stage's own builds batches and sends them. A row that has to wait for memory lets
its connection go after `IDLE_S`, so that nobody waits for a connection that waits for memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import anyio
import numpy as np
import pyarrow as pa
from anyio.abc import TaskGroup

from brim.errors import LimitExceeded, PlanError, RowTooLarge, SchemaMismatch, TransferFailed
from brim.events import Resource, RowsFailed
from brim.operators.download_window import DownloadWindow, Lend, Otherwise, Row, Source
from brim.operators.protocol import Body, Inbox, Outbox, Stage, TransferOptions
from brim.operators.safe_url import safe_url
from brim.sizes import KIB, owned

IDLE_S = 1.0
LOOKAHEAD = 8
FIRST_BYTES = 256 * KIB


@dataclass(frozen=True, slots=True)
class Download:
    """How `.url.download()` fetches: what was declared.

    Attributes:
        max_connections: transfers at once, exactly; the engine's own limit caps it.
        max_bytes: the most a body may weigh; None is what memory allows.
        on_error: whether a row that cannot be fetched fails the run or becomes null.
        timeout_s: seconds an attempt may take while brim is ready to read; None is without end.
        retries: attempts after the first, for what is worth trying again.
        headers: sent with each request of `http` and `https`, as (name, value); never to another origin.
    """

    max_connections: int = 32
    max_bytes: int | None = None
    on_error: Literal["raise", "null"] = "raise"
    timeout_s: float | None = 60.0
    retries: int = 3
    headers: tuple[tuple[str, str], ...] = ()
    name: ClassVar[str] = "download"

    def __post_init__(self) -> None:
        if self.max_connections < 1:
            raise PlanError(f"max_connections is at least 1, not {self.max_connections}")
        if self.max_bytes is not None and self.max_bytes < 0:
            raise PlanError(f"max_bytes is not negative, as {self.max_bytes} is")
        if self.on_error not in ("raise", "null"):
            raise PlanError(f'on_error is "raise" or "null", not {self.on_error!r}')
        if self.timeout_s is not None and self.timeout_s <= 0:
            raise PlanError(f"timeout_s is positive, not {self.timeout_s}")
        if self.retries < 0:
            raise PlanError(f"retries is not negative, as {self.retries} is")

    def returns(self, types: tuple[pa.DataType, ...]) -> pa.DataType:
        """`large_binary` for a column of strings."""
        if len(types) != 1 or not (pa.types.is_string(types[0]) or pa.types.is_large_string(types[0])):
            found = ", ".join(map(str, types)) or "nothing"
            raise SchemaMismatch("download", "a column of URLs (string)", found)
        return pa.large_binary()


@dataclass(frozen=True, slots=True)
class DownloadColumn:
    """Fetch the URLs in `column` and put the bodies into `output`. `max_connections` is capped by the planner."""

    step: Download
    column: str
    output: str
    max_connections: int

    def floor_bytes(self, batch_bytes: int) -> int:
        """Two batches of input, the window, and the batch that is built."""
        return 3 * batch_bytes + self.window_bytes(batch_bytes)

    def window_bytes(self, batch_bytes: int) -> int:
        """One batch of bodies being built, and as much under way."""
        return 2 * batch_bytes

    async def run(self, inboxes: Sequence[Inbox], outbox: Outbox, stage: Stage) -> None:
        """Read the inbox to its end."""
        (inbox,) = inboxes
        window = DownloadWindow(stage.batch_bytes)
        try:
            async with anyio.create_task_group() as tasks:
                run = _Run(self, stage, window, tasks)
                tasks.start_soon(run.feed, inbox)
                tasks.start_soon(run.lend)
                await run.send(outbox)
                tasks.cancel_scope.cancel()
        finally:
            window.close()


@dataclass(eq=False, slots=True)
class _Slot:
    """A place among the operator's connections, held by one row at a time or by none."""

    slots: anyio.Semaphore
    held: bool = False

    async def take(self) -> None:
        if not self.held:
            await self.slots.acquire()
            self.held = True

    def free(self) -> None:
        if self.held:
            self.held = False
            self.slots.release()


@dataclass(eq=False, slots=True)
class _Run:
    """One run of a `DownloadColumn`."""

    operator: DownloadColumn
    stage: Stage
    window: DownloadWindow
    tasks: TaskGroup
    slots: anyio.Semaphore = field(init=False)
    lookahead: anyio.Semaphore = field(init=False)
    options: TransferOptions = field(init=False)
    changed: anyio.Event = field(default_factory=anyio.Event)
    input_bytes: int = 0
    input_ended: bool = False
    short: bool = False
    asked: Lend | None = None
    asking: anyio.CancelScope | None = None
    flush_wanted: bool = False
    idle: list[anyio.CancelScope] = field(default_factory=list)
    wanting: int = 0

    def __post_init__(self) -> None:
        step = self.operator.step
        self.slots = anyio.Semaphore(self.operator.max_connections)
        self.lookahead = anyio.Semaphore(LOOKAHEAD * self.operator.max_connections)
        self.options = TransferOptions(step.retries, step.timeout_s, step.headers, restarts=True, tell=self.stage.tell)

    def change(self) -> None:
        """Something is different now: wake who waits for that; a wait for memory that is no longer right ends."""
        self.changed.set()
        self.changed = anyio.Event()
        if self.asking is not None and self.window.decide() != self.asked:
            self.asking.cancel()

    # reading batches, starting rows

    async def feed(self, inbox: Inbox) -> None:
        async for batch in inbox:
            source = Source.of(batch)
            self.input_bytes += source.weight
            await self._start_rows(source)
            if not source.left:
                self.input_bytes -= source.weight
            while self.input_bytes > self.stage.batch_bytes:
                await self.changed.wait()
        self.input_ended = True
        self.change()

    async def _start_rows(self, source: Source) -> None:
        urls = source.batch.column(self.operator.column)
        for index in range(source.batch.num_rows):
            row = Row(source, index, urls[index].as_py())
            await self.lookahead.acquire()
            self.window.rows.append(row)
            if row.url is None:
                row.finish()
                self.change()
                continue
            while self.short or self.wanting:  # more answers would only wait for memory
                await self.changed.wait()
            slot = _Slot(self.slots)
            await slot.take()
            self.tasks.start_soon(self._fetch, row, slot)

    # fetching

    async def _fetch(self, row: Row, slot: _Slot) -> None:
        """Fetch until the row is done; when it is evicted it starts over, bytes first."""
        while not row.done:
            row.length = 0
            with anyio.CancelScope() as row.scope:
                try:
                    await self._attempt(row, slot)
                except (TransferFailed, LimitExceeded, RowTooLarge) as error:
                    row.fail(error)
                finally:
                    slot.free()
                    if not row.done:
                        row.drop()
                    self.change()

    async def _attempt(self, row: Row, slot: _Slot) -> None:
        assert row.url is not None
        await self._lent(row)
        await self._connect(slot)
        try:
            store = self.stage.stores.store(row.url)
        except PlanError as error:
            raise TransferFailed(safe_url(row.url), str(error)) from None
        async with store.open(row.url, self.options) as body:
            await self._need(row, body, slot, body.size or 0, self._first_bytes() if body.size is None else 0)
            async for start, piece in body:
                if (end := start + len(piece)) > row.capacity:
                    await self._need(row, body, slot, end, self._grown(row.capacity))
                row.write(start, piece)
        row.finish()

    def _first_bytes(self) -> int:
        return min(FIRST_BYTES, self.stage.memory.window_bytes, self._grown(FIRST_BYTES))

    def _grown(self, capacity: int) -> int:
        most = self.operator.step.max_bytes
        return 2 * capacity if most is None else min(2 * capacity, most)

    async def _need(self, row: Row, body: Body, slot: _Slot, least: int, better: int) -> None:
        """Come back when `least` bytes, or `better`, are lent to `row`; after a while without its connection."""
        most = self.operator.step.max_bytes
        if most is not None and least > most:
            raise LimitExceeded("the size of a body", least, most, safe_url(row.url or ""))
        row.least = least
        row.want = max(least, better, row.want or 0)
        self.change()
        await self._lent_soon(row)
        if row.unmet:
            body.park()
            slot.free()
            await self._lent(row)
            await self._connect(slot)

    async def _lent_soon(self, row: Row) -> None:
        """Wait for memory with a connection in hand, as long as nobody who has memory wants that."""
        with anyio.move_on_after(0 if self.wanting else IDLE_S) as idle:
            self.idle.append(idle)
            try:
                await self._lent(row)
            finally:
                if idle in self.idle:
                    self.idle.remove(idle)

    async def _connect(self, slot: _Slot) -> None:
        """Take a connection for a row that has its memory, if need be from one that waits for memory."""
        if self.idle and not slot.held and not self.slots.value:
            self.idle.pop().cancel()
        self.wanting += 1
        try:
            await slot.take()
        finally:
            self.wanting -= 1
            self.change()

    async def _lent(self, row: Row) -> None:
        while row.unmet:
            if row.refused is not None:
                raise row.refused
            row.bell = anyio.Event()
            await row.bell.wait()

    # lending, in the order of rows

    async def lend(self) -> None:
        while True:
            lend = self.window.decide()
            if lend is None:
                await self._relax()
            elif (loan := self.stage.memory.try_ahead(lend.row.want or 0)) is not None:
                lend.row.take(loan)
            else:
                self.short = True
                await self._make_room(lend)

    async def _relax(self) -> None:
        if self.short:
            self.short = False
            self.change()
        await self.changed.wait()

    async def _make_room(self, lend: Lend) -> None:
        match lend.otherwise:
            case Otherwise.PAUSE:
                await self.changed.wait()
            case Otherwise.FLUSH:
                self.flush_wanted = True
                self.change()
                await self.changed.wait()
            case Otherwise.EVICT:
                assert lend.victim is not None
                await self._evict(lend.victim)
            case Otherwise.ASK:
                await self._ask(lend)

    async def _evict(self, row: Row) -> None:
        if row.done:
            row.drop()
            row.done = False
            self.tasks.start_soon(self._fetch, row, _Slot(self.slots))
            return
        row.scope.cancel()
        while row.loan is not None and not row.done:
            await self.changed.wait()

    async def _ask(self, lend: Lend) -> None:
        """Wait for memory for a row, as long as it is the one that comes next."""
        self.asked = lend
        try:
            with anyio.CancelScope() as self.asking:
                loan = await self.stage.memory.ahead(lend.row.want or 0)
                lend.row.take(loan)
        except RowTooLarge as error:
            await self._refuse(lend.row, error)
        finally:
            self.asked = self.asking = None

    async def _refuse(self, row: Row, error: RowTooLarge) -> None:
        """`row` cannot have what it wants: less may do while its size is not known, else it fails."""
        if row.least <= error.limit_bytes < (row.want or 0):
            row.want = error.limit_bytes
            return
        row.refused = RowTooLarge(safe_url(row.url or ""), error.needed_bytes, error.limit_bytes)
        row.bell.set()
        while row.unmet:
            await self.changed.wait()

    # building batches, sending them

    async def send(self, outbox: Outbox) -> None:
        while True:
            if (row := self.window.next_done()) is not None:
                await self._settle(row, outbox)
            elif self.flush_wanted:
                await self._flush(outbox)
            elif self.window.rows and not self.window.rows[0].unmet:
                with self.stage.waiting(Resource.CONNECTIONS):
                    await self.changed.wait()
            elif self.window.rows or not self.input_ended:
                await self.changed.wait()
            else:
                return

    async def _settle(self, row: Row, outbox: Outbox) -> None:
        """The head is done: put it into the batch begun."""
        fatal = row.error is not None and (self.operator.step.on_error == "raise" or isinstance(row.error, RowTooLarge))
        if fatal or self.window.full_before(row):
            await self._flush(outbox)
        if row.error is not None:
            if fatal:
                raise row.error
            self.stage.tell(RowsFailed("download", 1, str(row.error)))
        self.window.assemble(row)
        self.lookahead.release()
        if self.window.full():
            await self._flush(outbox)
        else:
            self.change()

    async def _flush(self, outbox: Outbox) -> None:
        """Send the batch begun. Its floor pays for it from now on, or the queue's lane for oversize rows."""
        self.flush_wanted = False
        rows = self.window.assembled
        if not rows:
            return
        batch = await self.stage.threads.run(_build, rows, self.operator.output)
        self.window.release()
        source = rows[0].source
        source.left -= len(rows)
        if not source.left:
            self.input_bytes -= source.weight
        self.change()
        await outbox.send(batch)


def _build(rows: Sequence[Row], output: str) -> pa.RecordBatch:
    """The batch of consecutive `rows` of one source, with their bodies."""
    batch = owned(rows[0].source.batch.slice(rows[0].index, len(rows)))
    field_ = pa.field(output, pa.large_binary())
    position = batch.schema.get_field_index(output)
    if position < 0:
        return batch.append_column(field_, _bodies(rows))
    return batch.set_column(position, field_, _bodies(rows))


def _bodies(rows: Sequence[Row]) -> pa.Array:
    """The bodies of `rows`: one is taken as it is, several are copied once into one buffer."""
    lengths = np.fromiter((row.length for row in rows), np.int64, len(rows))
    offsets = np.zeros(len(rows) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    valid = np.fromiter((row.url is not None and row.error is None for row in rows), np.bool_, len(rows))
    validity = None if valid.all() else pa.array(valid).buffers()[1]
    data = rows[0].body if len(rows) == 1 else _joined(rows, offsets)
    buffers = [validity, pa.py_buffer(offsets), data or pa.allocate_buffer(0)]
    return pa.Array.from_buffers(pa.large_binary(), len(rows), buffers)


def _joined(rows: Sequence[Row], offsets: np.ndarray[tuple[int], np.dtype[np.int64]]) -> pa.Buffer:
    joined = pa.allocate_buffer(int(offsets[-1]))
    view = memoryview(joined).cast("B")
    for row, start in zip(rows, offsets.tolist(), strict=False):
        if row.body is not None:
            view[start : start + row.length] = memoryview(row.body).cast("B")
    return joined
