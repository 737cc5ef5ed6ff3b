"""Appetite: what the calls of one function take in its workers, as far as it is known, and what is lent for them.

While nothing is known the first call goes alone, for a moment at least, with a good part of what can be lent. After
that a call borrows what calls of its size took, and what they leave behind; what was declared (`memory=`) is reserved
with the worker already. A call that was made before anything was known borrows what is known when it begins.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from brim.errors import UdfMemoryExceeded
from brim.io.workers.asked import Asked
from brim.io.workers.messages import Made, Raised
from brim.io.workers.process import WorkerProcess
from brim.io.workers.request import Request
from brim.io.workers.user_errors import error_of
from brim.io.workers.worker_memory import Growth
from brim.operators.protocol import Memory
from brim.operators.user_functions.user_function import UserFunction
from brim.operators.work_estimate import FixedAndRatio
from brim.sizes import MIB, format_size

ALONE_S = 0.2  # a call that takes longer is not waited for by others, though nothing is known
KNOWN_SOON_S = 5.0  # unless there is too little beside it: who begins with that loses its worker, and a model with it
LEAST_SHARE = 2  # of the work that can be lent, for a call of which nothing is known
POOL_PARTS = 2  # what can be lent in all: as much ahead as for work
LEAK_SHARE = 8  # what workers may keep for themselves before they are recycled, of the engine's memory
LEAK_LEAST = 16 * MIB
LOAD_BEFORE = "load what it keeps in `__init__` of a class, so that it is counted before, or "
WORTH_RECYCLING = 8 * MIB  # of what a worker keeps, where memory is short
PAYS_AFTER = 20  # times what a start takes a worker has to work, or recycling it does not pay


@dataclass(eq=False, slots=True)
class Appetite:
    """Of `function`, in an engine that has `memory` for everything."""

    function: UserFunction
    memory: int
    known: bool = False
    growth: Growth = field(default_factory=Growth)
    _work: FixedAndRatio = field(default_factory=FixedAndRatio)
    _asked: Asked = field(default_factory=Asked)
    _first_at: float | None = None
    _leak_factor: int = 1

    def alone_for(self, now: float) -> float:
        """Seconds for which no second call begins."""
        if self.known or self._first_at is None:
            return 0.0
        return max(0.0, self._first_at + ALONE_S - now)

    def is_known_soon(self, now: float) -> bool:
        """Whether it is worth waiting for what the first call takes."""
        return self.known or (self._first_at is not None and now < self._first_at + KNOWN_SOON_S)

    def wanted(self, request: Request, worker: WorkerProcess | None, workers: int) -> int:
        """What has to be lent for `request` in `worker`, one of so many, beyond what is reserved for calls."""
        limit = request.memory.work_limit
        if request.alone:
            return request.memory.work_most
        if not self.known:
            return limit // max(LEAST_SHARE, workers)
        grown = 0 if worker is None else self.growth.of(fresh=worker.memory.fresh)
        read = request.read_bytes
        taken = max(request.work_bytes, self._work.bytes_for(read), self._asked.of(read))
        return max(0, taken + grown - (self.function.memory or 0))

    def is_large(self, request: Request, workers: int) -> bool:
        """Whether `request` should take more than can be lent for a call, so that two would take what is not there."""
        return self.known and self.wanted(request, None, workers) > request.memory.work_most

    def has_room_to_load(self, memory: Memory) -> bool:
        """Whether one more worker may keep what the first call of each does: it stays, beside all that is lent."""
        return self.growth.of(fresh=True) - (self.function.memory or 0) <= POOL_PARTS * memory.work_limit

    def begin(self, worker: WorkerProcess, now: float) -> None:
        """The first call of `worker` is computed now, or its next piece is."""
        loan = worker.calls[0].loan
        worker.memory.allowed_bytes = worker.calls[0].allowed_bytes or 0
        worker.memory.lent_bytes = (self.function.memory or 0) + (0 if loan is None else loan.size)
        self._first_at = now if self._first_at is None else self._first_at

    def learn(self, worker: WorkerProcess, request: Request, made: Made) -> None:
        """Take note of what a piece of `request` took, where that can be measured."""
        self.known = True
        self._asked.made(request.read_bytes)
        worker.facts.peak_bytes = max(worker.facts.peak_bytes, made.peak_bytes)
        if made.peak_bytes:
            fresh = worker.memory.fresh
            request.took_bytes, grown_bytes = worker.memory.took(made.peak_bytes, made.held_bytes)
            self.growth.learn(grown_bytes, fresh=fresh)
            self._work.learn(max(1, request.read_bytes), request.took_bytes)

    def finds_room_afresh(self, request: Request, worker: WorkerProcess, workers: int, free_bytes: int) -> bool:
        """Whether a worker that starts anew has what `worker` lacks for `request`: what it has gathered comes back.

        Only where calls after the first leave something, too: a model would only be loaded again.
        """
        gathered, growth = worker.memory.gathered_bytes, self.growth.of(fresh=True)
        needed = (self.function.memory or 0) + self.wanted(request, None, workers) + growth
        leaks = self.growth.is_known and self.growth.of(fresh=False) >= WORTH_RECYCLING
        return leaks and gathered >= WORTH_RECYCLING and free_bytes + gathered >= needed

    def leaks(self, worker: WorkerProcess, workers: int, *, calls: int = 0) -> bool:
        """Whether `worker`, one of so many, keeps too much for itself, or will after so many calls more."""
        limit = self._leak_factor * max(LEAK_LEAST, self.memory // LEAK_SHARE // workers)
        return worker.memory.leaked_bytes + calls * self.growth.of(fresh=False) > limit

    def recycled_for_leaking(self, worker: WorkerProcess) -> None:
        """Let workers keep twice as much from now on if that of `worker` came too soon after its start.

        What grows to some size and stays there, as the arena of a model, is no leak, and is built again each time.
        """
        if worker.facts.busy_s < PAYS_AFTER * worker.facts.start_s:
            self._leak_factor = 2

    def exceeded(self, worker: WorkerProcess) -> UdfMemoryExceeded:
        """What the call of a worker that was ended for its memory has come to."""
        reason = self._killed_by_kernel(worker) if worker.killed_by_kernel else self._starved(worker)
        error = UdfMemoryExceeded(self.function.name, reason, peak_bytes=worker.starved_bytes)
        error.untried = not self.known
        return error

    def _killed_by_kernel(self, worker: WorkerProcess) -> str:
        before = format_size(worker.memory.held_bytes)
        return (
            f"the kernel killed its worker, which held {before} before the call, because the machine or its cgroup had "
            f"no more memory: give the engine less than {format_size(self.memory)}, or let a row take less"
        )

    def _starved(self, worker: WorkerProcess) -> str:
        memory, held = worker.memory, worker.starved_bytes
        when = " in its first call" if memory.fresh else ""
        return (
            f"its worker held {format_size(held)}{when}, {format_size(memory.held_bytes)} of them before the call, "
            f"which was lent {format_size(memory.lent_bytes)}: {self._remedy(worker, held)}"
        )

    def refused(self, worker: WorkerProcess, request: Request, message: Raised) -> UdfMemoryExceeded:
        """What a call has come to that asked for more memory than it was allowed, and said so itself."""
        if self.known and request.allowed_bytes:
            self._asked.refused(request.read_bytes, request.allowed_bytes)
        error = error_of(self.function.name, message)
        assert isinstance(error, UdfMemoryExceeded)
        when = " in its first call" if worker.memory.fresh else ""
        error.reason += f"{when}: {self._remedy(worker, message.peak_bytes)}"
        error.untried = not self.known
        return error

    def _remedy(self, worker: WorkerProcess, held_bytes: int) -> str:
        load = LOAD_BEFORE if worker.memory.fresh else ""
        more = format_size(-(-(self.memory + held_bytes) // MIB) * MIB)
        return f"{load}give the engine more memory, {more} or so, or let a row take less"
