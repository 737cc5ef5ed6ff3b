"""MapBatches: whole batches made of whole batches by a user function, which may yield as many as it likes.

Input    batches of any size; with `batch_size` gathered and cut to at most that many rows a call
Output   batches of `schema`, each piece sent before the next is asked for
Order    kept
Holds    what is gathered, the batch just read, and for each call under way its input once more and one piece; the
         second and further calls on loan. Where a call may be made again (`retries`, `on_error="drop"`) its pieces are
         kept until it has ended, because what was sent cannot be taken back
Fails    with UdfError and its kinds, or WorkerDied; with `on_error="drop"`, or where the worker dies or lacks memory
         before a piece was sent, a failing batch is halved until the row is found, so the function may see a row again
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

import pyarrow as pa

from brim.errors import UdfMemoryExceeded, WorkerDied
from brim.events import RowsFailed
from brim.operators.inflation import Inflation
from brim.operators.ordered import Ordered
from brim.operators.protocol import Call, Inbox, Loan, Outbox, Stage
from brim.operators.user_functions.call_parts import CallParts, inflation_of
from brim.operators.user_functions.dead_letters import DeadLetters, Letters
from brim.operators.user_functions.failed_rows import letters, why
from brim.operators.user_functions.judge import Judge
from brim.operators.user_functions.pieces import pieces_of
from brim.operators.user_functions.user_function import UserFunction, is_generator


@dataclass(frozen=True, slots=True)
class MapBatches:
    """Call `function` on each batch; `schema` is that of what it makes."""

    function: UserFunction
    schema: pa.Schema
    dead_letters: DeadLetters | None = None

    def window_bytes(self, batch_bytes: int) -> int:
        return 2 * batch_bytes

    def floor_bytes(self, batch_bytes: int) -> int:
        gathered = batch_bytes if self.function.batch_size is not None else 0
        return batch_bytes + gathered + self.window_bytes(batch_bytes)

    async def run(self, inboxes: Sequence[Inbox], outbox: Outbox, stage: Stage) -> None:
        (inbox,) = inboxes
        async with AsyncExitStack() as stack:
            caller = await stack.enter_async_context(stage.workers.open(self.function, stage))
            kept = None
            if self.dead_letters is not None:
                kept = await stack.enter_async_context(self.dead_letters.open(self.function.name, stage))
            parts = CallParts(inflation_of(caller, stage), self.function.batch_size)
            judge = Judge.of(self.function, caller, stage, parts.inflation)
            yields = is_generator(self.function.function)
            run = _Run(self.function, outbox, stage, judge, parts.inflation, kept, yields)
            async with Ordered(caller.window, run.work, run.send) as window:
                async for batch in inbox:
                    for part in parts.of(batch):
                        await run.add(part, window)
                for part in parts.rest():
                    await run.add(part, window)


@dataclass(eq=False, slots=True)
class _Part:
    """A part of a batch and what became of it: pieces that are there, and the call that makes more."""

    batch: pa.RecordBatch
    first_row: int
    loan: Loan
    lent_bytes: int
    call: Call | None
    ready: list[pa.RecordBatch]
    failed: pa.RecordBatch | None = None
    made_bytes: int = 0


@dataclass(eq=False, slots=True)
class _Run:
    """One run of `MapBatches`."""

    function: UserFunction
    outbox: Outbox
    stage: Stage
    judge: Judge
    inflation: Inflation
    kept: Letters | None
    yields: bool
    rows: int = 0

    async def add(self, batch: pa.RecordBatch, window: Ordered[_Part]) -> None:
        """Begin the calls of `batch` once there is a place in the window and memory for their input and a piece.

        What was learned meanwhile cuts `batch` again.
        """
        while batch.num_rows:
            await self.inflation.place(window)
            head = self.inflation.first(batch)
            lent = self.inflation.output_bytes(head.nbytes)
            loan = await self.stage.memory.ahead(head.nbytes + lent)
            if self.inflation.unsettled:
                loan.repay()
                window.leave()
                continue
            if not self._may_repeat:
                await self.judge.wait_for_rate(head.num_rows)
            # a call that yields keeps its worker between pieces, so calls take their places in the order of their
            # batches
            work = self.inflation.work_bytes(head.nbytes)
            call = None if self._may_repeat else self.judge.caller.call(head, work)
            window.add(_Part(head, self.rows, loan, lent, call, []))
            self.rows += head.num_rows
            batch = batch.slice(head.num_rows)

    @property
    def _may_repeat(self) -> bool:
        return self.function.on_error == "drop" or self.function.retries > 0

    async def work(self, part: _Part) -> None:
        """The first piece, or all of them where the call may have to be made again."""
        if part.call is None:
            part.ready, part.failed = await self.judge.batches(part.batch, part.first_row)
            self._weigh(part)
            return
        try:
            await self._next(part)
        except (WorkerDied, UdfMemoryExceeded) as error:  # nothing of it was sent: it can be called again
            part.call = None
            part.ready, part.failed = await self.judge.batches(part.batch, part.first_row, error)
            self._weigh(part)

    async def send(self, part: _Part) -> None:
        while part.ready:
            batch = part.ready.pop(0)
            part.made_bytes += batch.nbytes
            async for piece in pieces_of(batch, self.stage):
                await self.outbox.send(piece)
            del batch
            if part.call is not None:
                await self._next(part)
        self._learn(part)
        if part.failed is not None:
            self.stage.tell(RowsFailed(self.function.name, part.failed.num_rows, why(part.failed)))
            if self.kept is not None:
                await self.kept.keep(letters(part.batch, part.failed))
        part.loan.repay()

    async def _next(self, part: _Part) -> None:
        assert part.call is not None
        rows = part.batch.num_rows
        piece = await self.judge.next_piece(part.call, part.first_row, rows, part.batch.nbytes / max(1, rows))
        if piece is None:
            part.call = None
        else:
            part.ready.append(piece.batch)
            self._weigh(part)

    def _weigh(self, part: _Part) -> None:
        """Take the truth at once where more is there than was lent: it was not cut small enough.

        By the bytes that are seen, because a function may well return a slice of its input, which is paid already.
        """
        held = sum(batch.nbytes for batch in part.ready)
        if (fact := self.inflation.overshot(part.lent_bytes, held)) is not None:
            part.lent_bytes = held
            part.loan.settle(part.batch.nbytes + held)
            self.stage.tell(fact)

    def _learn(self, part: _Part) -> None:
        """Take note of all that a call made; where it does not yield, that was there at once in the function."""
        if not self.yields and (overshot := self.inflation.overshot(part.lent_bytes, part.made_bytes)) is not None:
            self.stage.tell(overshot)
        self.inflation.learn(part.batch.nbytes, part.made_bytes, part.batch.num_rows)
        if (fact := self.inflation.resized()) is not None:
            self.stage.tell(fact)
