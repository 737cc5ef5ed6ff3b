"""Calls in worker processes: the batch is written into a payload, the pool finds a worker, the reply is mapped."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

import anyio
import pyarrow as pa

from brim.errors import UdfTimeout
from brim.events import Resource
from brim.io.workers.messages import Finished, Made, Raised
from brim.io.workers.payload import read_batch
from brim.io.workers.pool import Pool
from brim.io.workers.request import Reply, Request
from brim.io.workers.user_errors import error_of
from brim.operators.protocol import Stage
from brim.operators.user_functions.piece import Piece
from brim.sizes import KIB

WRITTEN_ON_LOOP = 256 * KIB  # takes less time than a thread costs
LATE_S = 0.1  # to read what has come while the loop stood still
ROW_GRACE = 2.0  # a worker interrupts a row itself; only one that cannot be interrupted is waited for this much longer


@dataclass(eq=False, slots=True)
class ProcessCaller:
    """Calls of one stage."""

    pool: Pool
    stage: Stage
    calls: set[ProcessCall] = field(default_factory=set)

    @property
    def window(self) -> int:
        """Calls for all workers, and as many more to be sent ahead; a call that yields keeps its worker."""
        return self.pool.size if self.pool.function.kind == "batch" else 2 * self.pool.size

    def call(self, batch: pa.RecordBatch, work_bytes: int = 0, *, alone: bool = False) -> ProcessCall:
        stage = self.stage
        request = self.pool.request(
            batch.num_rows, stage.batch_bytes, stage.memory, work_bytes, batch.nbytes, alone=alone
        )
        made = ProcessCall(self, request, batch)
        self.calls.add(made)
        return made

    def close(self) -> None:
        """Leave the calls that have not ended."""
        for call in list(self.calls):
            call.leave()


@dataclass(eq=False, slots=True)
class ProcessCall:
    """One call, in its place in the line since it was made."""

    caller: ProcessCaller
    request: Request
    batch: pa.RecordBatch | None

    async def next_piece(self) -> Piece | None:
        if self not in self.caller.calls:
            return None
        try:
            await self._ask()
            reply, fds = await self._reply()
        except BaseException:
            self.leave()
            raise
        return self._take(reply, fds)

    def leave(self) -> None:
        """Nothing more of it is wanted."""
        if self in self.caller.calls:
            self.caller.calls.remove(self)
            self.caller.pool.abandon(self.request)

    async def _ask(self) -> None:
        if self.batch is None:
            pool, request = self.caller.pool, self.request
            if (wanted := pool.wanted_bytes(request)) > 0:
                request.lend(await self.caller.stage.memory.work(wanted))
            pool.ask_next(request)
            return
        pool, keep_bytes = self.caller.pool, 2 * self.caller.stage.batch_bytes
        payload = self.request.payload = pool.segments.take(self.batch, keep_bytes, pool.household.folder)
        batch, self.batch = self.batch, None
        if batch.nbytes < WRITTEN_ON_LOOP:
            payload.write(batch)
        else:
            await self.caller.stage.threads.run(payload.write, batch)
        self.request.written = True
        pool.go()

    async def _reply(self) -> Reply:
        stage, timeout_s = self.caller.stage, self.caller.pool.function.timeout_s
        while (wanted := await self._turn()) is not None:
            self.caller.pool.lend(self.request, await stage.memory.work(wanted))
        with stage.working():
            return await (self.request.reply() if timeout_s is None else self._reply_within(timeout_s))

    async def _turn(self) -> int | None:
        pool = self.caller.pool
        short = pool.lacks_room or pool.running_size < pool.wanted  # with more memory it would begin
        with self.caller.stage.waiting(Resource.MEMORY if short else Resource.WORKERS):
            return await self.request.turn()

    async def _reply_within(self, timeout_s: float) -> Reply:
        """The reply, as long as the call moves on; each piece, and each row, has its own time.

        The loop may have stood still, with the whole process: what came meanwhile is read before the time is up.
        """
        pool, clock = self.caller.pool, self.caller.stage.clock
        limit_s = timeout_s if pool.function.kind != "row" else timeout_s * ROW_GRACE
        late = False
        while (left_s := self.request.moved_at + limit_s - clock.now()) > 0 or not late:
            late = left_s <= 0
            with anyio.move_on_after(max(left_s, LATE_S)):
                return await self.request.reply()
        pool.kill(self.request, f"took longer than {timeout_s} s")
        raise UdfTimeout(pool.function.name, f"took longer than {timeout_s} s")

    def _take(self, reply: Made | Finished | Raised, fds: list[int]) -> Piece | None:
        if not isinstance(reply, Made) or reply.last:
            self.caller.calls.discard(self)
        if isinstance(reply, Raised):
            raise error_of(self.caller.pool.function.name, reply)
        if not isinstance(reply, Made):
            return None
        batch, *failed = _batches(fds)
        return Piece(batch, failed[0] if failed else None, self.request.took_bytes)


def _batches(fds: list[int]) -> list[pa.RecordBatch]:
    """The batches of the payloads, all of which are closed."""
    batches = []
    try:
        while fds:
            batch = read_batch(fds.pop(0))
            batch.validate()
            batches.append(batch)
    finally:
        for fd in fds:
            os.close(fd)
    return batches
