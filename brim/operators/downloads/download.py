"""Download: the bodies of a column of URLs, as a new column.

Input    batches with a column of URLs (string)
Output   the same rows with the bodies (large_binary) as the last column, or in place of one of that name; batches are
         cut so that they weigh `batch_bytes`, a single row apart. A null URL has a null body
Order    kept
Holds    batches read ahead (less than `batch_bytes` beyond the one whose rows come next), the batch that is built, and
         bodies under way: the bytes of a body are borrowed before they are read
Fails    at the turn of the row that failed, with `TransferFailed`, or `LimitExceeded` beyond `max_bytes`; with
         ``on_error="null"`` such a row is null and told. `RowTooLarge` when a body does not fit in memory at all

Tasks of a run: one reads batches and starts rows (`feed`), one a row fetches (`fetch.py`), one lends memory in
the order of rows (`lender.py`), and the stage's own builds batches and sends them (`send`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import anyio
import pyarrow as pa
from anyio.abc import TaskGroup

from brim.errors import PlanError, RowTooLarge, SchemaMismatch
from brim.events import Resource, RowsFailed
from brim.operators.downloads.batch import build_batch
from brim.operators.downloads.connection_pace import ROUND_S, START, ConnectionPace
from brim.operators.downloads.fetch import Fetcher, Place
from brim.operators.downloads.lender import Lender
from brim.operators.downloads.places import Places
from brim.operators.downloads.spool import SPOOL_BYTES, SPOOLS, Spool
from brim.operators.downloads.window import DownloadWindow, Row, Source
from brim.operators.lightly import lightly
from brim.operators.protocol import Inbox, Outbox, Stage, TransferOptions
from brim.sizes import KIB

LOOKAHEAD = 8
URLS = 256
CONNECTION_BYTES = 256 * KIB


@dataclass(frozen=True, slots=True)
class Download:
    """How `.url.download()` fetches: what was declared.

    Attributes:
        max_connections: the most transfers at once; the engine's own limit caps it.
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
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)  # tokens, often
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
    """Fetch the URLs in `column` and put the bodies into `output`. `max_connections` is capped by the planner.

    What comes out has `schema`, columns of the input that it lacks are left out; without one all of them go on.
    """

    step: Download
    column: str
    output: str
    max_connections: int
    schema: pa.Schema | None = None

    def floor_bytes(self, batch_bytes: int) -> int:
        """Two batches of input, the window, the batch that is built, and what connections hold apart from bodies."""
        return 3 * batch_bytes + self.window_bytes(batch_bytes) + self._connection_bytes()

    def _connection_bytes(self) -> int:
        """Windows of bodies on their way to disk, and what the kernel keeps for the connections a run begins with."""
        return SPOOLS * SPOOL_BYTES + min(START, self.max_connections) * CONNECTION_BYTES

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
                tasks.start_soon(lightly, run.feed, inbox)
                tasks.start_soon(lightly, run.lender.run)
                tasks.start_soon(lightly, run.pace)
                await run.send(outbox)
                tasks.cancel_scope.cancel()
        finally:
            window.close()


@dataclass(eq=False, slots=True)
class _Run:
    """One run of a `DownloadColumn`: reads batches, and sends batches."""

    operator: DownloadColumn
    stage: Stage
    window: DownloadWindow
    tasks: TaskGroup
    lender: Lender = field(init=False)
    fetcher: Fetcher = field(init=False)
    places: Places = field(init=False)
    lookahead: anyio.Semaphore = field(init=False)
    ready: Row | None = None
    input_bytes: int = 0
    input_ended: bool = False

    def __post_init__(self) -> None:
        step, stage = self.operator.step, self.stage
        self.places = Places(ConnectionPace(self.operator.max_connections))
        options = TransferOptions(
            step.retries,
            step.timeout_s,
            step.headers,
            restarts=True,
            tell=stage.tell,
            throttled=self._slow_down,
            owner=stage.owner,
        )
        self.lender = Lender(stage.memory, self.window, self._put_down, self._restart, self._short)
        self.fetcher = Fetcher(stage, self.lender, self.places, options, step.max_bytes)
        self.lookahead = anyio.Semaphore(LOOKAHEAD * self.operator.max_connections, fast_acquire=True)

    async def _put_down(self, row: Row) -> None:
        """Write down a body that is whole, because its memory is wanted."""
        row.spool = Spool(self.stage)
        if row.body is not None:
            await row.spool.write(0, memoryview(row.body).cast("B"))
            row.spool.ended()

    def _restart(self, row: Row) -> None:
        self.tasks.start_soon(lightly, self._work, row, Place(self.places))

    def _slow_down(self) -> None:
        self.places.pace.throttled(self.stage.clock.now())

    def _short(self) -> None:
        """Bodies wait for memory: fewer at once, but one is asked for while another is received."""
        self.places.pace.throttled(self.stage.clock.now(), least=2)

    async def pace(self) -> None:
        """Let the number of connections follow what they bring, while more of them are wanted."""
        places, clock = self.places, self.stage.clock
        while True:
            if not places.wanted and self.ready is None:
                await self.lender.wait()
                continue
            if places.pace.tick(clock.now(), in_use=places.taken, answering=places.answering, wanted=True):
                places.call()
                self.lender.change()
            await clock.sleep(ROUND_S)

    async def feed(self, inbox: Inbox) -> None:
        async for batch in inbox:
            source = Source.of(batch)
            self.input_bytes += source.weight
            await self._start_rows(source)
            if not source.left:
                self.input_bytes -= source.weight
            while self.input_bytes > self.stage.batch_bytes:
                await self.lender.wait()
        self.input_ended = True
        self.lender.change()

    async def _start_rows(self, source: Source) -> None:
        urls = source.batch.column(self.operator.column)
        for begin in range(0, len(urls), URLS):
            for index, url in enumerate(urls.slice(begin, URLS).to_pylist(), begin):
                await self._start(Row(source, index, url))

    async def _start(self, row: Row) -> None:
        try:
            self.lookahead.acquire_nowait()
        except anyio.WouldBlock:
            await self.lookahead.acquire()
        self.window.rows.append(row)
        if len(self.window.rows) == 1:
            self.lender.change()  # what is waited for is another thing now
        if row.url is None:
            row.finish()
            self.lender.change()
            return
        while not self.fetcher.begin(row):
            await self.lender.wait()
        self.ready = row
        if not self.places.free:
            self.lender.change()  # the pace looks at how many are wanted; once, or the lender and this wake each other
        while self.ready is row:
            if self.places.try_take():
                self.ready = None
                self.tasks.start_soon(lightly, self._work, row, Place(self.places, held=True))
            else:
                await self.lender.wait()

    async def _work(self, row: Row, place: Place) -> None:
        """Fetch one row after another, as long as there is one that is ready and its place may be kept."""
        while True:
            await self.fetcher.fetch(row, place)
            if self.ready is None or not place.keep():
                place.free()
                return
            row, self.ready = self.ready, None

    async def send(self, outbox: Outbox) -> None:
        while True:
            if (row := self.window.next_done()) is not None:
                await self._settle(row, outbox)
            elif self.lender.flush_wanted:
                await self._flush(outbox)
            elif self.window.rows and not self.window.rows[0].unmet:
                with self.stage.waiting(self._lacking()):
                    await self.lender.wait()
            elif self.window.rows or not self.input_ended:
                await self.lender.wait()
            else:
                return

    def _lacking(self) -> Resource:
        """What would bring the next row sooner: another connection, or a server and a line that are faster."""
        all_in_use = self.places.pace.limit == self.places.pace.most and not self.places.free
        wanted = self.ready is not None or self.places.wanted
        return Resource.CONNECTIONS if all_in_use and wanted else Resource.NETWORK

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
            self.lender.change()

    async def _flush(self, outbox: Outbox) -> None:
        """Send the batch begun. Its floor pays for it from now on; a single large body keeps its loan."""
        self.lender.flush_wanted = False
        rows = self.window.assembled
        if not rows:
            return
        batch = await self.stage.threads.run(build_batch, rows, self.operator.output, self.operator.schema)
        loan = rows[0].part_with_loan() if len(rows) == 1 else None
        self.window.release()
        source = rows[0].source
        source.left -= len(rows)
        if not source.left:
            self.input_bytes -= source.weight
        self.lender.change()
        sending = outbox.send(batch, loan)
        del batch  # once on disk, no frame may keep it in memory
        await sending
