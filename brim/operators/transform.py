"""Transform: the one bridge from kernels to an operator.

Input    batches of any size; small ones that wait are joined, large ones cut by real bytes so that what the kernel
         makes of them, and takes for it, fits
Output   the kernel's pieces, each sent before the next is asked for; small ones of one call are joined
Order    kept
Holds    the batch just read; for each call under way one piece, and the batch once more where the next is read
         meanwhile, on loan; what computing takes, on loan
Fails    with what the kernel raises; a row's place in its batch becomes its place in the input
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from brim.arrow_pool import allocated_bytes, arrow_pool
from brim.errors import CorruptInput, LimitExceeded, RowTooLarge
from brim.operators.coalesce import Coalesce
from brim.operators.inflation import Inflation
from brim.operators.ordered import Ordered
from brim.operators.protocol import ForeseeingKernel, Foreseen, Inbox, Kernel, KernelFactory, Loan, Outbox, Stage
from brim.operators.row_place import in_input
from brim.sizes import KIB, MIB, cut, held_bytes, owned

SMALL_SHARE, SMALL_BYTES = 4, MIB
"""A batch below this part of `batch_bytes`, and below so much, costs more to pass on than to copy."""

AT_ONCE_BYTES = 32 * KIB
"""Numbers are taken of so much in less time than a thread costs; a call that finishes reads nothing."""

UNCOUNTED_BYTES = 64 * KIB
"""What a call may take without asking: lists of buffers, scalars, the ends of pages."""


@dataclass(frozen=True, slots=True)
class Transform:
    """Drive a kernel: read, push in a thread, send each piece before asking for the next.

    Attributes:
        open_kernel: makes the kernel of a run.
        stateless: `push` depends on its batch alone, so several calls may be under way at once.
        joins: small batches may be joined; not where the user asked for batches of few rows.
        makes_pieces: a call makes something of its batch; not where it only takes note of a few numbers.
        keeps: the kernel may have something left at the end; else it is not asked, which costs a turn of a thread.
        inflates: the kernel may make more bytes than it reads.
    """

    open_kernel: KernelFactory
    stateless: bool = False
    joins: bool = True
    makes_pieces: bool = True
    keeps: bool = True
    inflates: bool = True

    def window_bytes(self, batch_bytes: int) -> int:
        return (2 if self.makes_pieces else 1) * batch_bytes

    def floor_bytes(self, batch_bytes: int) -> int:
        return batch_bytes + self.window_bytes(batch_bytes)

    async def run(self, inboxes: Sequence[Inbox], outbox: Outbox, stage: Stage) -> None:
        (inbox,) = inboxes
        kernel, several = self.open_kernel(), stage.threads.count if self.stateless else 1
        foreseeing = kernel.within(stage.memory.row_limit) if isinstance(kernel, ForeseeingKernel) else None
        kernel = foreseeing or kernel
        work_limit = max(stage.batch_bytes, stage.memory.work_limit // stage.threads.count)
        small = min(SMALL_BYTES, stage.batch_bytes // SMALL_SHARE) if self.joins else 0
        inflation = Inflation(stage.batch_bytes, work_limit, inflates=self.inflates)
        at_once = -1 if self.makes_pieces else AT_ONCE_BYTES
        bridge = _Bridge(kernel, foreseeing, outbox, stage, inflation, small, at_once)
        window = Ordered(several, bridge.make_first, bridge.send)
        try:
            async with window:
                async for batch in inbox:
                    await bridge.push(bridge.joined(batch, inbox), window)
                    if getattr(kernel, "done", False):
                        return
                if self.keeps:
                    await bridge.finish(window)
        finally:
            for call in window.left:
                call.close()


@dataclass(eq=False, slots=True)
class _Bridge:
    """One run of a kernel."""

    kernel: Kernel
    foreseeing: ForeseeingKernel | None  # the same, asked once: such a check of a protocol is slow
    outbox: Outbox
    stage: Stage
    inflation: Inflation
    small_bytes: int
    at_once_bytes: int = -1  # calls that read no more are made on the loop
    rows: int = 0

    def joined(self, batch: pa.RecordBatch, inbox: Inbox) -> pa.RecordBatch:
        """`batch`, and where it is small, the small ones behind it that are there already: 2 MiB are copied at most."""
        batches, size = [batch], held_bytes(batch)
        while size < self.small_bytes and (more := inbox.take_nowait(self.small_bytes)) is not None:
            batches.append(more)
            size += held_bytes(more)
        return batch if len(batches) == 1 else pa.concat_batches(batches, memory_pool=arrow_pool())

    async def push(self, batch: pa.RecordBatch, window: Ordered[_Call]) -> None:
        """Begin calls for all of `batch`.

        The batch in hand is paid by the stage's floor, until the next is read; then the loan of its last part pays,
        because that ends last. A batch larger than the floor, and that of a kernel with state, is not left before its
        calls have ended.
        """
        start, pays = 0, held_bytes(batch)
        alone = window.limit == 1 or pays > 2 * self.stage.batch_bytes
        while start < batch.num_rows:
            await self.inflation.place(window)
            part, foreseen = await self._part(batch.slice(start))
            last = start + part.num_rows >= batch.num_rows
            call = await self._call(part, foreseen, pays if last and not alone else 0)
            if self.inflation.unsettled and call.loan is not None:  # while the loan was waited for
                call.loan.repay()
                window.leave()
                continue
            call.pieces = self._joining(call.measured(self.kernel.push(part, self.stage.batch_bytes)))
            start += part.num_rows
            self.rows += part.num_rows
            window.add(call)
            if (alone and last) or window.limit == 1:
                await window.idle()
            if getattr(self.kernel, "done", False):
                return

    async def finish(self, window: Ordered[_Call]) -> None:
        """Ask the kernel for what is left, when all calls have ended."""
        await window.idle()
        await window.slot()
        call = _Call(0, 0, self.rows, None)
        call.pieces = self._joining(self.kernel.finish(self.stage.batch_bytes))
        window.add(call)

    async def _part(self, batch: pa.RecordBatch) -> tuple[pa.RecordBatch, Foreseen | None]:
        """The first rows of `batch` that a call should get, and what they will take, where that can be known."""
        part = self.inflation.first(batch)
        if self.foreseeing is None:
            return part, None
        foreseen = await self.stage.threads.run(self.foreseeing.foresee, part)
        while part.num_rows > 1 and foreseen.made_bytes > 2 * self.stage.batch_bytes:
            part = part.slice(0, max(1, part.num_rows * self.stage.batch_bytes // foreseen.made_bytes))
            foreseen = await self.stage.threads.run(self.foreseeing.foresee, part)
        return part, foreseen

    async def _call(self, part: pa.RecordBatch, foreseen: Foreseen | None, pays: int) -> _Call:
        """A call of `part`, once there is memory for `pays` bytes of input, what it makes and what it takes."""
        read = part.nbytes
        made, work = self.inflation.output_bytes(read), self.inflation.work_bytes(read)
        if foreseen is not None:
            made = foreseen.held_bytes(self.stage.batch_bytes)
            work = max(0, work - made)
        loan = await self.stage.memory.ahead(pays + made)
        return _Call(read, part.num_rows, self.rows, loan, pays, made, work)

    def _joining(self, pieces: Iterator[pa.RecordBatch]) -> Generator[pa.RecordBatch, None, None]:
        """`pieces`, none of which pins much more than itself, small ones joined."""
        joined = Coalesce(self.small_bytes)
        for piece in pieces:
            if piece.num_rows:
                own = joined.push(owned(piece), self.stage.batch_bytes)
                del piece  # sent and dropped, it must not lie beside the next one in the making
                yield from own
        yield from joined.finish(self.stage.batch_bytes)

    async def make_first(self, call: _Call) -> None:
        """Make the first piece, and as many more as the loan of the call pays for."""
        await self._draw(call)

    async def send(self, call: _Call) -> None:
        """Send the pieces of the call at the head, before more are made."""
        while call.ready:
            await self._send(call.ready.popleft())
            if not call.ready and not call.ended:
                await self._draw(call)
        self._learn(call)
        if call.loan is not None:
            call.loan.repay()

    async def _send(self, piece: pa.RecordBatch) -> None:
        """Send `piece`; one that a kernel made far too large goes by copies of its parts, as its loan covers it."""
        limit = self.stage.batch_bytes
        if piece.num_rows == 1 or held_bytes(piece) <= 2 * limit:
            await self.outbox.send(piece)
            return
        for part in cut(piece, limit):
            await self.outbox.send(await self.stage.threads.run(owned, part))

    async def _draw(self, call: _Call) -> None:
        if call.read_bytes <= self.at_once_bytes:
            with self.stage.working():
                call.draw()
        elif call.work_bytes:
            with await self.stage.memory.work(call.work_bytes):
                await self.stage.threads.run(call.draw)
        else:
            await self.stage.threads.run(call.draw)
        held = sum(held_bytes(piece) for piece in call.ready)
        if call.loan is not None and (fact := self.inflation.overshot(call.output_bytes, held)) is not None:
            call.loan.settle(call.input_bytes + held)
            self.stage.tell(fact)
            self._tell_resized()

    def _learn(self, call: _Call) -> None:
        self.inflation.learn(call.read_bytes, call.made_bytes, call.rows, call.took_bytes)
        self._tell_resized()
        drain = getattr(self.kernel, "drain_failures", None)
        for failure in drain() if drain else ():
            self.stage.tell(failure)

    def _tell_resized(self) -> None:
        if (fact := self.inflation.resized()) is not None:
            self.stage.tell(fact)


@dataclass(eq=False, slots=True)
class _Call:
    """One push of a kernel, drawn piece by piece; its loan is repaid when the last piece is sent."""

    read_bytes: int
    rows: int
    first_row: int
    loan: Loan | None
    input_bytes: int = 0
    output_bytes: int = 0
    work_bytes: int = 0
    made_bytes: int = 0
    took_bytes: int = 0
    ended: bool = False
    pieces: Generator[pa.RecordBatch, None, None] = field(init=False)
    ready: deque[pa.RecordBatch] = field(default_factory=deque)

    def close(self) -> None:
        """Let go of everything now, and not when the garbage collector finds it: the loan is about to be repaid."""
        self.pieces.close()
        self.ready.clear()

    def draw(self) -> None:
        """Make a piece, and more of them as long as they should fit into what was lent for the output."""
        made = 0
        try:
            for piece in self.pieces:
                self.ready.append(piece)
                made += piece.nbytes
                if made + piece.nbytes > self.output_bytes:
                    break
            else:
                self.ended = True
        except (CorruptInput, LimitExceeded, RowTooLarge) as error:
            raise in_input(error, self.first_row) from error.__cause__
        self.made_bytes += made

    def measured(self, pieces: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """`pieces`, with a note of the most that making one of them took beside itself."""
        before = allocated_bytes()
        for piece in pieces:
            self.took_bytes = max(self.took_bytes, allocated_bytes() - before - piece.nbytes - UNCOUNTED_BYTES)
            yield piece
            del piece
            before = allocated_bytes()
        self.took_bytes = max(self.took_bytes, allocated_bytes() - before - UNCOUNTED_BYTES)
