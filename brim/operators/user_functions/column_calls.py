"""Column calls: the run that MapArrays and MapRows share, a window of calls whose columns are sent in order."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import pyarrow as pa

from brim.events import RowsFailed
from brim.operators.inflation import Inflation
from brim.operators.ordered import Ordered
from brim.operators.protocol import Inbox, Loan, Outbox, Stage
from brim.operators.user_functions.call_parts import CallParts, inflation_of
from brim.operators.user_functions.dead_letters import DeadLetters, Letters
from brim.operators.user_functions.failed_rows import letters, why, without
from brim.operators.user_functions.judge import Judge
from brim.operators.user_functions.piece import Piece
from brim.operators.user_functions.pieces import pieces_of
from brim.operators.user_functions.row_results import RESULT
from brim.operators.user_functions.user_function import UserFunction


@dataclass(frozen=True, slots=True)
class ColumnCalls:
    """What is called on which columns, and the schema with the column it makes."""

    function: UserFunction
    arguments: tuple[str, ...]
    output: str
    schema: pa.Schema
    dead_letters: DeadLetters | None

    async def run(self, inboxes: Sequence[Inbox], outbox: Outbox, stage: Stage, *, spread: bool = False) -> None:
        """Read to the end. With `spread` a batch is shared by all calls that may be under way."""
        (inbox,) = inboxes
        async with AsyncExitStack() as stack:
            caller = await stack.enter_async_context(stage.workers.open(self.function, stage))
            kept = None
            if self.dead_letters is not None:
                kept = await stack.enter_async_context(self.dead_letters.open(self.function.name, stage))
            inflation = inflation_of(caller, stage)
            parts = CallParts(inflation, self.function.batch_size, caller.window if spread else 1)
            judge = Judge.of(self.function, caller, stage, inflation)
            run = _Run(self, outbox, stage, judge, inflation, kept)
            async with Ordered(caller.window, run.work, run.send) as window:
                async for batch in inbox:
                    for part in parts.of(batch):
                        await run.add(part, window)
                for part in parts.rest():
                    await run.add(part, window)


@dataclass(eq=False, slots=True)
class _Call:
    """A part of a batch on its way: `made` is its column once it is there."""

    batch: pa.RecordBatch
    first_row: int
    loan: Loan
    argument_bytes: int
    lent_bytes: int
    made: Piece | None = None
    output: pa.RecordBatch | None = None


@dataclass(eq=False, slots=True)
class _Run:
    """One run of `ColumnCalls`."""

    calls: ColumnCalls
    outbox: Outbox
    stage: Stage
    judge: Judge
    inflation: Inflation
    kept: Letters | None
    rows: int = 0
    under_way: dict[_Call, None] = field(default_factory=dict)

    async def add(self, part: pa.RecordBatch, window: Ordered[_Call]) -> None:
        """Begin the calls of `part`, once there is a place in the window, and memory for what a call holds.

        That is the arguments once more, in the memory a worker shares, and the batch with its new column. What was
        learned meanwhile cuts `part` again.
        """
        while part.num_rows:
            await self.inflation.place(window)
            head = self.inflation.first(part)
            arguments, output = self._arguments(head).nbytes, self.inflation.output_bytes(head.nbytes)
            loan = await self.stage.memory.ahead(arguments + output)
            if self.inflation.unsettled:
                loan.repay()
                window.leave()
                continue
            call = _Call(head, self.rows, loan, arguments, output)
            self.under_way[call] = None
            window.add(call)
            self.rows += head.num_rows
            part = part.slice(head.num_rows)

    async def work(self, call: _Call) -> None:
        row_bytes = call.batch.nbytes / max(1, call.batch.num_rows)
        call.made = await self.judge.column(self._arguments(call.batch), call.first_row, row_bytes)
        call.output = self._assembled(call.batch, call.made.batch[RESULT])
        self._weigh(call, call.output.nbytes)

    async def send(self, call: _Call) -> None:
        assert call.made is not None
        assert call.output is not None
        output, call.output = call.output, None
        if call.made.failed is not None:
            await self._tell_failed(call.batch, call.made.failed)
            if self.calls.function.on_error == "drop":
                output = without(output, call.made.failed)
        call.made = None
        async for piece in pieces_of(output, self.stage):
            await self.outbox.send(piece)
        self.under_way.pop(call, None)
        call.loan.repay()

    def _weigh(self, call: _Call, made_bytes: int) -> None:
        """Learn from what a call made. Where that is more than was lent, take the truth at once, for others too.

        Calls that were begun with it cannot be cut any more, so what they are about to make is taken now.
        """
        read = call.batch.nbytes
        overshot = self.inflation.overshot(call.lent_bytes, made_bytes)
        self.inflation.learn(read, made_bytes, call.batch.num_rows)
        if overshot is not None:
            self.stage.tell(overshot)
            for other in self.under_way:
                expected = made_bytes if other is call else other.batch.nbytes * made_bytes // max(1, read)
                if expected > other.lent_bytes:
                    other.lent_bytes = expected
                    other.loan.settle(other.argument_bytes + expected)
        if (fact := self.inflation.resized()) is not None:
            self.stage.tell(fact)

    async def _tell_failed(self, batch: pa.RecordBatch, failed: pa.RecordBatch) -> None:
        self.stage.tell(RowsFailed(self.calls.function.name, failed.num_rows, why(failed)))
        if self.kept is not None:
            await self.kept.keep(letters(batch, failed))

    def _arguments(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Only what the function is given, by position."""
        columns = [batch[name] for name in self.calls.arguments]
        return pa.RecordBatch.from_arrays(columns, names=[str(place) for place in range(len(columns))])

    def _assembled(self, batch: pa.RecordBatch, column: pa.Array) -> pa.RecordBatch:
        output, schema = self.calls.output, self.calls.schema
        columns = [column if field.name == output else batch[field.name] for field in schema]
        return pa.RecordBatch.from_arrays(columns, schema=schema)
