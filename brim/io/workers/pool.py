"""A pool: the worker processes of one user function, and the line of calls before them.

    call ──► line (in order) ──► worker: running, and one call sent ahead where calls are short ──► reply

Calls begin in the order they were made. A worker that dies takes the call it was computing with it (`WorkerDied`); what
was only sent ahead goes to another. Workers are started when calls wait for them, one after another up to `size`.
What decides here is synchronous; one task a worker starts it, listens to it and ends it.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import anyio
from anyio.abc import TaskGroup

from brim.errors import BrimError, WorkerDied
from brim.events import Fact, WorkerEnded, WorkerStarted
from brim.io.workers.devices import Devices, Place, misplaced, untaken
from brim.io.workers.messages import Alive, Finished, Invoke, Made, Message, Next, Raised, Ready, Start, Stop
from brim.io.workers.payload import Payload
from brim.io.workers.process import WorkerFacts, WorkerProcess
from brim.io.workers.request import Request
from brim.io.workers.user_errors import error_of
from brim.operators.protocol import Clock
from brim.operators.user_functions.user_function import UserFunction

SENT_AHEAD_BELOW_S = 0.25  # calls that take longer gain nothing from one that is sent ahead, and wait for it at the end
ABANDONED_S = 5.0  # what a call nobody waits for may still take before its worker is ended
DEATHS_IN_A_ROW = 3  # after which no worker is started any more for this run
RECENT = 0.3  # weight of the latest call in the mean time of a call


@dataclass(eq=False, slots=True)
class Pool:
    """The workers of `function`, at most `size`. `tasks` is where they live; `tell` is whom it serves now.

    `running_size` is how many there may be at the moment: fewer while memory is short. `places` are the devices of its
    workers, `measured` is how many wait for it to be measured.
    """

    function: UserFunction
    pickled: bytes
    size: int
    folder: str | None
    clock: Clock
    tasks: TaskGroup
    devices: Devices
    places: tuple[Place, ...] = ()
    measured: int = 0
    tell: Callable[[Fact], None] | None = None
    workers: list[WorkerProcess] = field(default_factory=list)
    waiting: deque[Request] = field(default_factory=deque)
    closing: bool = False
    failed: BrimError | None = None
    base_bytes: int = 0
    running_size: int = field(init=False)
    _numbers: int = 0
    _deaths: int = 0
    _call_s: float | None = None
    _changed: anyio.Event = field(default_factory=anyio.Event)

    def __post_init__(self) -> None:
        self.running_size = self.size

    @property
    def facts(self) -> tuple[WorkerFacts, ...]:
        """What is known of each worker that lives."""
        return tuple(worker.facts for worker in self.workers)

    @property
    def is_idle(self) -> bool:
        return self.tell is None

    def enter(self, tell: Callable[[Fact], None]) -> None:
        """Serve a stage, with a clean slate."""
        self.tell, self.failed, self._deaths = tell, None, 0
        for worker in self.workers:
            self._tell_started(worker)

    def leave(self) -> None:
        """Serve nobody; the workers stay."""
        self.tell = None

    def resize(self, size: int) -> None:
        """Have at most `size` workers from now on."""
        self.size = size
        staying = [worker for worker in self.workers if not worker.end_reason] if self.function.gpus else []
        for index in misplaced([worker.devices for worker in staying], self.places):
            staying[index].hang_up("its device is needed")
        self.throttle(size)

    def throttle(self, size: int) -> None:
        """Have at most `size` workers for the time being; those that are too many end when they have no call."""
        self.running_size = size
        for worker in list(self.workers):
            self._end_surplus(worker)
        self.go()

    def _end_surplus(self, worker: WorkerProcess) -> None:
        living = sum(not worker.end_reason for worker in self.workers)
        if living > self.running_size and worker.ready and not worker.calls and not worker.end_reason:
            worker.hang_up("memory is short")

    def request(self, rows: int, piece_bytes: int) -> Request:
        """A place in the line for a call of `rows` rows; it begins once its payload is there and `go` is said."""
        self._numbers += 1
        request = Request(self._numbers, rows, piece_bytes)
        self.waiting.append(request)
        return request

    def go(self) -> None:
        """Hand out what can begin, and start a worker for what cannot."""
        if self.failed is not None:
            while self.waiting:
                self.waiting.popleft().answer(self.failed)
        while self.waiting and self.waiting[0].written:
            worker = self._free_worker()
            if worker is None:
                starting = sum(not worker.ready for worker in self.workers)
                if starting < len(self.waiting) and len(self.workers) < self.running_size:
                    self._start_worker()
                return
            self._send(worker, self.waiting.popleft())

    def ask_next(self, request: Request) -> None:
        """Let the worker of `request` make its next piece."""
        worker = self._worker_of(request)
        if worker is None:
            request.answer(WorkerDied(self.function.name, None, request.rows))
            return
        request.moved_at, request.paused = self.clock.now(), False
        worker.post(Next(request.number))

    def abandon(self, request: Request) -> None:
        """Nobody waits for `request` any more: its worker may finish it, within limits."""
        request.abandon()
        worker = self._worker_of(request)
        if worker is None:
            if request in self.waiting:
                self.waiting.remove(request)
                self.go()
            return
        worker.post(Stop(request.number))
        if self.function.kind == "batch" and request.paused:
            self._ended(worker, request)
        elif not self.closing:
            self.tasks.start_soon(self._end_abandoned, worker, request)

    def kill(self, request: Request, reason: str) -> None:
        """End the worker that computes `request`."""
        if (worker := self._worker_of(request)) is not None:
            worker.calls.remove(request)
            worker.kill(reason)

    async def ready(self) -> None:
        """Wait until a worker is ready, starting one if there is none. Raises why it cannot be."""
        while not any(worker.ready for worker in self.workers):
            if self.failed is not None:
                raise self.failed
            if not self.workers:
                self._start_worker()
            await self._changed.wait()

    def wake(self) -> None:
        """Look again at what can begin: devices have become free."""
        self._ring()
        self.go()

    def hang_up(self, reason: str) -> None:
        """Let all workers end by themselves; nobody is served."""
        for worker in self.workers:
            worker.hang_up(reason)

    def close(self) -> None:
        """Start no worker any more: the tasks of those that live are about to be cancelled."""
        self.closing = True
        for worker in self.workers:
            worker.end_reason = worker.end_reason or "stop"

    def kill_rest(self) -> None:
        """End the workers whose task never began, because it was cancelled first."""
        for worker in self.workers:
            worker.end_now()

    def _free_worker(self) -> WorkerProcess | None:
        ready = [worker for worker in self.workers if worker.ready and not worker.end_reason]
        if idle := next((worker for worker in ready if not worker.calls), None):
            return idle
        full = len(self.workers) == len(ready) == self.running_size
        if full and self._call_s is not None and self._call_s < SENT_AHEAD_BELOW_S:
            return next((worker for worker in ready if len(worker.calls) == 1), None)
        return None

    def _send(self, worker: WorkerProcess, request: Request) -> None:
        assert request.payload is not None
        worker.calls.append(request)
        worker.post(Invoke(request.number, request.piece_bytes), [request.payload.fd])
        if worker.calls[0] is request:
            request.begin(self.clock.now())

    def _worker_of(self, request: Request) -> WorkerProcess | None:
        return next((worker for worker in self.workers if request in worker.calls), None)

    def _ring(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()

    # One worker's life

    def _start_worker(self) -> None:
        if self.closing or (devices := self._take_devices()) is None:
            return
        try:
            worker = WorkerProcess.start(devices)
        except OSError as error:
            self._fail(WorkerDied(self.function.name, None, 0, f"no process could be started: {error}"))
            self.devices.give_back(devices, self.function.gpus)
        else:
            self.workers.append(worker)
            self.tasks.start_soon(self._live, worker, name=f"brim worker of {self.function.name}")

    def _take_devices(self) -> Place | None:
        """Where a new worker sits; None while those who must leave are still there."""
        if not self.function.gpus:
            return ()
        places = untaken(self.places, [worker.devices for worker in self.workers])
        devices = self.devices.take(self.function.gpus, places)
        if devices is None:
            self.devices.wanted(places, self.function.gpus)
        return devices

    async def _live(self, worker: WorkerProcess) -> None:
        """Give a worker its function, listen to it until it hangs up, end it."""
        started_at = self.clock.now()
        try:
            async with anyio.create_task_group() as tasks:
                for part in (worker.send_posted, worker.drain_output, worker.hang_up_after_exit):
                    tasks.start_soon(part)
                self._post_start(worker)
                while (received := await worker.receive()) is not None:
                    self._take(worker, *received, started_at)
                tasks.cancel_scope.cancel()
        finally:
            with anyio.CancelScope(shield=True):
                self._gone(worker, await worker.end())

    def _post_start(self, worker: WorkerProcess) -> None:
        payload = Payload.create(self.folder)
        try:
            payload.write_bytes(self.pickled)
            worker.post(Start(self.folder), [payload.fd])
        finally:
            payload.close()

    def _take(self, worker: WorkerProcess, message: Message, fds: list[int], started_at: float) -> None:
        match message:
            case Ready(base_bytes=base):
                worker.ready, worker.facts.base_bytes = True, base
                worker.facts.start_s = self.clock.now() - started_at
                self.base_bytes = max(self.base_bytes, base)
                self._tell_started(worker)
                self._ring()
                self.go()
            case Raised(call=0):
                self.failed = error_of(self.function.name, message)
                worker.end_reason = message.reason
            case Made() | Finished() | Raised() if worker.calls and worker.calls[0].number == message.call:
                self._answer(worker, message, fds)
            case Alive(call=call) if worker.calls and worker.calls[0].number == call:
                worker.calls[0].moved_at = self.clock.now()
            case _:
                for fd in fds:
                    os.close(fd)

    def _answer(self, worker: WorkerProcess, message: Made | Finished | Raised, fds: list[int]) -> None:
        request = worker.calls[0]
        last = not isinstance(message, Made) or message.last
        if isinstance(message, Made):
            self._learn(worker.facts, message)
            request.paused = not last
        abandoned = request.abandoned
        request.answer((message, fds))
        if last or abandoned:
            self._ended(worker, request)

    def _learn(self, facts: WorkerFacts, made: Made) -> None:
        facts.calls += 1
        facts.busy_s += made.busy_s
        facts.peak_bytes = max(facts.peak_bytes, made.peak_bytes)
        before = made.busy_s if self._call_s is None else self._call_s
        self._call_s = before + RECENT * (made.busy_s - before)
        self._deaths = 0

    def _ended(self, worker: WorkerProcess, request: Request) -> None:
        """`request` has had its last reply: its worker goes on with what was sent ahead."""
        worker.calls.remove(request)
        if worker.calls:
            worker.calls[0].begin(self.clock.now())
        self._end_surplus(worker)
        self.go()

    async def _end_abandoned(self, worker: WorkerProcess, request: Request) -> None:
        await self.clock.sleep(ABANDONED_S)
        if request in worker.calls:
            worker.kill("its call was left")

    def _gone(self, worker: WorkerProcess, exit_code: int | None) -> None:
        """`worker` has ended: what it computed is lost, what it was sent ahead goes to another."""
        self.workers.remove(worker)
        reason = worker.end_reason or f"exit code {exit_code}"
        self._tell(WorkerEnded(self.function.name, worker.facts.pid, reason))
        died = WorkerDied(self.function.name, exit_code, worker.calls[0].rows if worker.calls else 0, worker.output)
        self._deaths += not worker.end_reason
        if (
            self.failed is None
            and (self._deaths >= DEATHS_IN_A_ROW or not (worker.ready or worker.end_reason))
            and not self.closing
        ):
            self.failed = died
        calls = list(worker.calls)
        if calls and calls[0].begun.is_set():
            calls.pop(0).answer(died)
        self.waiting.extendleft(call for call in reversed(calls) if not call.abandoned)
        self.devices.give_back(worker.devices, self.function.gpus)
        self._ring()
        self.go()

    def _fail(self, error: BrimError) -> None:
        """Nothing can be called any more, because of `error`."""
        self.failed = error
        self._ring()
        self.go()

    def _tell_started(self, worker: WorkerProcess) -> None:
        """Once, to the first stage that is served."""
        if worker.ready and not worker.told and self.tell is not None:
            facts = worker.facts
            worker.told = True
            self.tell(WorkerStarted(self.function.name, facts.pid, facts.base_bytes, facts.start_s))

    def _tell(self, fact: Fact) -> None:
        if self.tell is not None:
            self.tell(fact)
