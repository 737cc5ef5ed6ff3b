"""The roster: the workers of one function, and which of them takes the next call. It starts and sends nothing.

A call goes to a worker that has none, one that has worked before if there is a choice. Where all are busy with calls
that are short, one more is sent ahead to a worker, so that it need not wait for us; not where calls yield, because they
keep their worker until all they made is taken. Such a worker does not count while what its call made has to wait for a
call that is made again: that would have to wait for it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from brim.io.workers.appetite import WORTH_RECYCLING, Appetite
from brim.io.workers.process import WorkerProcess
from brim.io.workers.request import Request

SENT_AHEAD_BELOW_S = 0.25  # calls that take longer gain nothing from one that is sent ahead, and wait for it at the end
RECENT = 0.3  # weight of the latest call in the mean time of a call
SHORT = "memory is short"


@dataclass(eq=False, slots=True)
class Roster:
    """At most `size` workers, `running_size` at the moment; `call_s` is what a call takes of late."""

    size: int
    appetite: Appetite
    workers: list[WorkerProcess] = field(default_factory=list)
    running_size: int = field(init=False)
    call_s: float | None = None

    def __post_init__(self) -> None:
        self.running_size = self.size

    def free(self, request: Request) -> WorkerProcess | None:
        """The worker that `request` goes to; None while it has to wait for one."""
        counted = self.counted()
        under_way = [call for worker in counted for call in worker.calls]
        if any(call.alone or call.large for call in (request, *under_way)) and under_way:
            return None
        ready = [worker for worker in counted if worker.ready and not worker.end_reason and not worker.retiring]
        if idle := [worker for worker in ready if not worker.calls]:
            return self._only(idle) if request.alone else min(idle, key=lambda worker: worker.memory.fresh)
        full = len(counted) == len(ready) == self.running_size and self.appetite.function.kind != "batch"
        if full and self.call_s is not None and self.call_s < SENT_AHEAD_BELOW_S:
            return next((worker for worker in ready if self._takes_ahead(worker)), None)
        return None

    def lacks(self, request: Request, waiting: int) -> bool:
        """Whether one more may be started for `request`: fewer are starting than calls are `waiting`."""
        starting = sum(not worker.ready for worker in self.workers)
        return starting < waiting and len(self.counted()) < (1 if request.alone else self.running_size)

    def took(self, busy_s: float) -> None:
        """A call took so long."""
        before = busy_s if self.call_s is None else self.call_s
        self.call_s = before + RECENT * (busy_s - before)

    def end_surplus(self, worker: WorkerProcess) -> None:
        """Let `worker` end if there are too many and it has no call."""
        living = sum(not other.end_reason for other in self.counted())
        if living > self.running_size and worker.ready and not worker.calls and not worker.end_reason:
            worker.hang_up(SHORT)

    def retire_leaking(self, worker: WorkerProcess) -> None:
        """Let `worker` get no further call if it keeps too much; one at a time."""
        if self.appetite.leaks(worker, self.size) and not any(other.retiring for other in self.workers):
            worker.retiring = True
            self.appetite.recycled_for_leaking(worker)

    def retire_full(self, worker: WorkerProcess, held_bytes: int) -> None:
        """Let `worker`, which was refused memory and holds so much, get no further call if it keeps a part of that."""
        worker.retiring = worker.retiring or worker.memory.kept(held_bytes) >= WORTH_RECYCLING

    def put_behind(self, request: Request, waiting: Iterable[Request]) -> None:
        """Note that what was asked for after `request`, which failed, may have to wait until that is made again."""
        under_way = [call for worker in self.workers for call in worker.calls]
        for call in (*under_way, *waiting):
            call.behind = call.behind or call.number > request.number

    def counted(self) -> list[WorkerProcess]:
        """All workers but those whose call waits for one that is made again."""
        return [worker for worker in self.workers if not (worker.calls and worker.calls[0].waits_for_another)]

    def loaded(self) -> int:
        """How many workers have made something, and have what first calls load."""
        return sum(not worker.memory.fresh and not worker.end_reason for worker in self.counted())

    def of(self, request: Request) -> WorkerProcess | None:
        """The worker that has `request`."""
        return next((worker for worker in self.workers if request in worker.calls), None)

    def _takes_ahead(self, worker: WorkerProcess) -> bool:
        """Whether a call may be sent ahead to it: one, and none where it may be recycled before."""
        return len(worker.calls) == 1 and not self.appetite.leaks(worker, self.size, calls=1)

    def _only(self, idle: list[WorkerProcess]) -> WorkerProcess | None:
        """The one of `idle` that holds least, once the others have ended: what they hold is for it."""
        idle.sort(key=lambda worker: worker.memory.held_bytes)
        for worker in idle[1:]:
            worker.hang_up(SHORT)
        return idle[0] if len(self.counted()) == 1 else None
