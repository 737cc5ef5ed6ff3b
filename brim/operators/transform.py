"""Transform: the one bridge from kernels to an operator.

Input    batches of any size, cut by real bytes so that what the kernel makes of them fits
Output   the kernel's pieces, each sent before the next is asked for
Order    kept
Holds    the batch just read, and for each call under way its input and one piece; the second and further calls on loan
Fails    with what the kernel raises; a row's place in its batch becomes its place in the input
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa

from brim.errors import CorruptInput, LimitExceeded
from brim.operators.inflation import Inflation
from brim.operators.ordered import Ordered
from brim.operators.protocol import Inbox, Kernel, KernelFactory, Loan, Outbox, Stage
from brim.operators.row_place import in_input
from brim.sizes import owned


@dataclass(frozen=True, slots=True)
class Transform:
    """Drive a kernel: read, push in a thread, send each piece before asking for the next.

    Attributes:
        open_kernel: makes the kernel of a run.
        stateless: `push` depends on its batch alone, so several calls may be under way at once.
    """

    open_kernel: KernelFactory
    stateless: bool = False

    def window_bytes(self, batch_bytes: int) -> int:
        return 2 * batch_bytes

    def floor_bytes(self, batch_bytes: int) -> int:
        return batch_bytes + self.window_bytes(batch_bytes)

    async def run(self, inboxes: Sequence[Inbox], outbox: Outbox, stage: Stage) -> None:
        (inbox,) = inboxes
        kernel = self.open_kernel()
        if self.stateless and stage.threads.count > 1:
            await _run_window(kernel, inbox, outbox, stage)
        else:
            await _run_one_by_one(kernel, inbox, outbox, stage)


async def _run_one_by_one(kernel: Kernel, inbox: Inbox, outbox: Outbox, stage: Stage) -> None:
    inflation, rows = Inflation(stage.batch_bytes), 0
    async for batch in inbox:
        for part in inflation.cut(batch):
            call = _Call(kernel.push(part, stage.batch_bytes), part.nbytes, rows)
            rows += part.num_rows
            await _send_all(call, outbox, stage)
            _tell_failures(kernel, stage)
            inflation.learn(call.read_bytes, call.made_bytes)
            if getattr(kernel, "done", False):
                return
    await _send_all(_Call(kernel.finish(stage.batch_bytes), 0, rows), outbox, stage)


async def _send_all(call: _Call, outbox: Outbox, stage: Stage) -> None:
    while (piece := await stage.threads.run(call.next_piece)) is not None:
        await outbox.send(piece)


async def _run_window(kernel: Kernel, inbox: Inbox, outbox: Outbox, stage: Stage) -> None:
    """Several calls under way, their results in order; a call behind the head makes its first piece only."""
    inflation, rows = Inflation(stage.batch_bytes), 0

    async def make_first_piece(call: _Call) -> None:
        call.ready = await stage.threads.run(call.next_piece)

    async def send_pieces(call: _Call) -> None:
        while (piece := call.ready) is not None:
            call.ready = None
            await outbox.send(piece)
            await make_first_piece(call)
        call.end()
        _tell_failures(kernel, stage)
        inflation.learn(call.read_bytes, call.made_bytes)

    async with Ordered(stage.threads.count, make_first_piece, send_pieces) as window:
        async for batch in inbox:
            for part in inflation.cut(batch):
                await window.slot()
                loan = await stage.memory.ahead(part.nbytes + inflation.output_bytes(part.nbytes))
                window.add(_Call(kernel.push(part, stage.batch_bytes), part.nbytes, rows, loan=loan))
                rows += part.num_rows


def _tell_failures(kernel: Kernel, stage: Stage) -> None:
    """Rows a kernel made null or left out, as the user asked."""
    drain = getattr(kernel, "drain_failures", None)
    for failure in drain() if drain else ():
        stage.tell(failure)


@dataclass(eq=False, slots=True)
class _Call:
    """One push of a kernel, drawn piece by piece; its loan is repaid when the last piece is sent."""

    pieces: Iterator[pa.RecordBatch]
    read_bytes: int
    first_row: int
    made_bytes: int = 0
    ready: pa.RecordBatch | None = None
    loan: Loan | None = None

    def next_piece(self) -> pa.RecordBatch | None:
        try:
            for piece in self.pieces:
                if piece.num_rows:
                    own = owned(piece)
                    self.made_bytes += own.nbytes
                    return own
        except (CorruptInput, LimitExceeded) as error:
            raise in_input(error, self.first_row) from error.__cause__
        return None

    def end(self) -> None:
        if self.loan is not None:
            self.loan.repay()
