"""A pool: the worker processes of one user function, and the line of calls before them.

    call ──► line (in order) ──► worker: running, and one call sent ahead where calls are short ──► reply

Calls begin in the order they were made, each once what it should take is lent. A worker that dies takes the call it
was computing with it (`WorkerDied`, or `UdfMemoryExceeded` where it died of that); what was only sent ahead goes to
another. Workers are started when calls wait for them, one after another up to `size`. One that keeps more and more is
recycled between two calls.
What decides here is synchronous; that workers are started, listened to and ended is `lives`.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from dataclasses import InitVar, dataclass, field
from functools import partial

from brim.errors import UdfMemoryExceeded, WorkerDied
from brim.events import Fact
from brim.io.process_tree import anonymous_tree_bytes
from brim.io.workers.allowance import Allowance, Room
from brim.io.workers.appetite import Appetite
from brim.io.workers.devices import Place, misplaced
from brim.io.workers.lives import RECYCLED, STARVED, Household, Lives
from brim.io.workers.messages import Alive, Finished, Invoke, Made, Message, Next, Raised, Stop
from brim.io.workers.process import WorkerFacts, WorkerProcess
from brim.io.workers.request import Request, is_last
from brim.io.workers.roster import Roster
from brim.io.workers.segments import Segments
from brim.io.workers.telling import Telling
from brim.operators.protocol import Clock, Loan, Memory
from brim.operators.user_functions.user_function import UserFunction

LOOK_AGAIN_S = 0.1  # at what a first call takes
ROOM_AGAIN_S = 0.02  # at what others have given back
CRASHES = ("SIGSEGV", "SIGABRT", "SIGBUS")  # of native code that does not look whether it got the memory it asked for
ABANDONED_S = 5.0  # what a call nobody waits for may still take before its worker is ended


@dataclass(eq=False, slots=True)
class Pool:
    """The workers of `function`, at most `size`, `wanted` with memory for all; so many wait for it to be `measured`."""

    function: UserFunction
    pickled: bytes
    size: int
    household: Household
    places: InitVar[tuple[Place, ...]] = ()
    measured: int = 0
    wanted: int = 1
    waiting: deque[Request] = field(default_factory=deque)
    segments: Segments = field(default_factory=Segments)
    used_at: float = field(init=False)
    lives: Lives = field(init=False)
    _appetite: Appetite = field(init=False)
    _allowance: Allowance = field(default_factory=Allowance)
    _roster: Roster = field(init=False)
    _telling: Telling = field(init=False)
    _numbers: int = 0
    lacks_room: bool = False
    _later: bool = False

    def __post_init__(self, places: tuple[Place, ...]) -> None:
        self._appetite, self._telling = Appetite(self.function, self.household.memory), Telling(self.function.name)
        self._roster, self.used_at = Roster(self.size, self._appetite), self.clock.now()
        self.lives = Lives(self.function, self.pickled, self.household, self, self._roster, self._telling, places)

    @property
    def clock(self) -> Clock:
        return self.household.clock

    @property
    def workers(self) -> list[WorkerProcess]:
        return self._roster.workers

    @property
    def running_size(self) -> int:
        """How many workers there may be at the moment: fewer while memory is short."""
        return self._roster.running_size

    @property
    def facts(self) -> tuple[WorkerFacts, ...]:
        """What is known of each worker that lives."""
        return tuple(worker.facts for worker in self.workers)

    @property
    def is_idle(self) -> bool:
        return self._telling.tell is None

    def enter(self, tell: Callable[[Fact], None]) -> None:
        """Serve a stage, with a clean slate."""
        self._telling.tell = tell
        self.lives.forgive()
        for worker in self.workers:
            self._telling.started(worker)

    def leave(self) -> None:
        """Serve nobody; the workers stay."""
        for worker in self.workers:
            worker.tell_rest(partial(self._telling.output, worker))
        self._telling.tell, self.used_at = None, self.clock.now()
        self.segments.clear()

    def resize(self, size: int, running_size: int | None = None) -> None:
        """Have at most `size` workers from now on, and `running_size` for the time being."""
        self.size = self._roster.size = size
        self.throttle(size if running_size is None else running_size)

    def move(self, places: tuple[Place, ...]) -> None:
        """Have workers at `places` from now on: those that sit elsewhere end."""
        self.lives.places = places
        staying = [worker for worker in self.workers if not worker.end_reason] if self.function.gpus else []
        for index in misplaced([worker.devices for worker in staying], places):
            staying[index].hang_up("its device is needed")

    def throttle(self, size: int) -> None:
        """Have at most `size` workers for the time being; those that are too many end when they have no call."""
        self._roster.running_size = size
        for worker in list(self.workers):
            self._roster.end_surplus(worker)
        self.go()

    def request(
        self, rows: int, piece_bytes: int, memory: Memory, work_bytes: int, read_bytes: int, *, alone: bool = False
    ) -> Request:
        """A place in the line for a call of `rows` rows; it begins once its payload is there and `go` is said."""
        self._numbers += 1
        request = Request(self._numbers, rows, piece_bytes, memory, work_bytes, alone, read_bytes)
        self.waiting.append(request)
        return request

    def go(self) -> None:
        """Hand out what can begin, and start a worker for what cannot."""
        if self.lives.failed is not None:
            while self.waiting:
                self.waiting.popleft().answer(self.lives.failed)
        while self.waiting and self.waiting[0].written:
            request = self.waiting[0]
            worker = self._free_worker(request)
            if worker is None or not self._has_loan(worker, request) or not self._has_room(worker, request):
                return
            self._send(worker, self.waiting.popleft())

    def wanted_bytes(self, request: Request) -> int:
        """What has to be lent for the next piece of `request`: of what it should take, the part its worker lacks."""
        return self._appetite.wanted(request, self._roster.of(request), self.running_size)

    def _has_loan(self, worker: WorkerProcess, request: Request) -> bool:
        """Whether `request` has what it should take; if not it is asked for, and `go` is said when it is there.

        Nobody waits for what is only sent ahead: it would hold its loan for as long as the call before it.
        """
        wanted = self._appetite.wanted(request, worker, self.running_size)
        if request.loan is None and wanted:
            request.loan = request.memory.try_work(wanted)
            if request.loan is None and not worker.calls:
                request.want(wanted)
        return request.loan is not None or not wanted

    def lend(self, request: Request, loan: Loan) -> None:
        """`loan` is what `request` waited for.

        It goes back where `request` cannot begin now: its worker is gone, or it is not the head. Others may need it.
        """
        request.lend(loan)
        self.go()
        if request in self.waiting:
            request.repay()

    def ask_next(self, request: Request) -> None:
        """Let the worker of `request` make its next piece."""
        worker = self._roster.of(request)
        if worker is None:
            if not request.has_reply:  # or why it has no worker is said already
                request.answer(WorkerDied(self.function.name, None, request.rows))
            return
        request.moved_at, request.paused = self.clock.now(), False
        self._allow(worker, request)
        self._appetite.begin(worker, request.moved_at)
        worker.post(Next(request.number, request.allowed_bytes))

    def abandon(self, request: Request) -> None:
        """Nobody waits for `request` any more: its worker may finish it, within limits."""
        request.abandon()
        worker = self._roster.of(request)
        if worker is None:
            if request in self.waiting:
                self.waiting.remove(request)
                self.go()
            return
        worker.post(Stop(request.number))
        if self.function.kind == "batch" and request.paused:
            self._ended(worker, request)
        elif not self.lives.closing:
            self.household.tasks.start_soon(self._end_abandoned, worker, request)

    def kill(self, request: Request, reason: str) -> None:
        """End the worker that computes `request`."""
        if (worker := self._roster.of(request)) is not None:
            worker.calls.remove(request)
            worker.kill(reason)

    def hang_up(self, reason: str) -> None:
        """Let all workers end by themselves; nobody is served."""
        for worker in self.workers:
            worker.hang_up(reason)

    def kill_rest(self) -> None:
        """End the workers whose task never began, because it was cancelled first."""
        for worker in self.workers:
            worker.end_now()

    def starve(self, worker: WorkerProcess, held_bytes: int) -> None:
        """End `worker`, which holds `held_bytes` where it was lent less: its call is made again with fewer rows.

        There is one worker less from now on.
        """
        worker.starved_bytes = held_bytes
        worker.kill(STARVED)
        self._have_one_less()
        self._telling.memory(worker, "killed", held_bytes, self.running_size)
        self._allowance.starved()

    def _have_one_less(self) -> None:
        self.resize(max(1, self.size - 1), max(1, self.running_size - 1))

    def recycle_idle(self, least_bytes: int) -> None:
        """Recycle the workers that keep so much more than after their first call, each when it has no call."""
        for worker in list(self.workers):
            if worker.memory.leaked_bytes >= least_bytes:
                worker.retiring = True
                self._retire(worker)

    def _free_worker(self, request: Request) -> WorkerProcess | None:
        """The worker for `request`, or None: one is started, or something has to end first."""
        if wait_s := self._alone_s():
            self._go_in(wait_s)
            return None
        request.large = self._appetite.is_large(request, self.running_size)
        if (worker := self._roster.free(request)) is None:
            self._start_more(request)
        elif (
            worker.memory.fresh
            and (loaded := self._roster.loaded())
            and not self._appetite.has_room_to_load(request.memory)
        ):
            self.resize(loaded, min(loaded, self.running_size))
            return None
        return worker

    def _alone_s(self) -> float:
        """Seconds for which the first call is left alone, and more while it takes more than its loan."""
        busy = [worker for worker in self.workers if worker.calls]
        wait_s = self._appetite.alone_for(self.clock.now()) if busy else 0.0
        if not wait_s and not self._appetite.known:
            over = any(worker.memory.overdraft(anonymous_tree_bytes(worker.facts.pid)) for worker in busy)
            return LOOK_AGAIN_S if over else 0.0
        return wait_s

    def _start_more(self, request: Request) -> None:
        """Start a worker for `request` where there may be one more, and fewer are starting than are waited for."""
        if self._roster.lacks(request, len(self.waiting)):
            if wait_s := self.lives.wait_s():
                self._go_in(wait_s)
            else:
                self.lives.start()

    def _go_in(self, wait_s: float) -> None:
        """Go on in so many seconds."""
        if not self._later and not self.lives.closing:
            self._later = True
            self.household.tasks.start_soon(self._go_later, wait_s)

    async def _go_later(self, wait_s: float) -> None:
        await self.clock.sleep(wait_s)
        self._later = False
        self.go()

    def _send(self, worker: WorkerProcess, request: Request) -> None:
        assert request.payload is not None
        worker.calls.append(request)
        worker.post(Invoke(request.number, request.piece_bytes, request.allowed_bytes), [request.payload.fd])
        if worker.calls[0] is request:
            self._begin(worker)

    def _has_room(self, worker: WorkerProcess, request: Request) -> bool:
        """Whether `worker` finds the memory for `request`; if not, `go` is said when others have given back some."""
        lent_bytes, room = self._allow(worker, request)
        known = self._appetite.is_known_soon(self.clock.now())
        self.lacks_room = self._allowance.has_to_wait(lent_bytes, room, known=known)
        if self.lacks_room:
            self._go_in(ROOM_AGAIN_S)
            return False
        if self._allowance.is_short(lent_bytes, room):
            worker.retiring = self._appetite.finds_room_afresh(request, worker, self.running_size, room.free_bytes)
            self._retire(worker)
        return not worker.retiring

    def _allow(self, worker: WorkerProcess, request: Request) -> tuple[int, Room]:
        """Set by how much `worker` may grow in `request`; what that should take, and the room there is."""
        if self.function.gpus:
            return 0, Room(0, self.household.memory)  # a device's driver reserves at will
        lent_bytes = (self.function.memory or 0) + (0 if request.loan is None else request.loan.size)
        alone = request.alone or request.large or not self._appetite.known
        room = self.household.room(worker, alone)
        request.allowed_bytes = self._allowance.of(lent_bytes, room)
        request.allowed_all = alone and not room.others_compute
        return lent_bytes, room

    def _begin(self, worker: WorkerProcess) -> None:
        """The first call of `worker` is computed now."""
        now = self.clock.now()
        worker.calls[0].begin(now)
        self._appetite.begin(worker, now)

    def hear(self, worker: WorkerProcess, message: Message, fds: list[int]) -> None:
        """`worker` says this, of its running call if that is not long over."""
        match message:
            case Made() | Finished() | Raised() if worker.calls and worker.calls[0].number == message.call:
                self._answer(worker, message, fds)
                return
            case Alive(call=call) if worker.calls and worker.calls[0].number == call:
                worker.calls[0].moved_at = self.clock.now()
        for fd in fds:
            os.close(fd)

    def _answer(self, worker: WorkerProcess, message: Made | Finished | Raised, fds: list[int]) -> None:
        request = worker.calls[0]
        last = is_last(message)
        if isinstance(message, Made):
            self._learn(worker, request, message)
            request.paused = not last
        abandoned = request.abandoned
        if isinstance(message, Raised):
            self._roster.put_behind(request, self.waiting)
        if isinstance(message, Raised) and message.kind == UdfMemoryExceeded.__name__:
            if request.allowed_all:
                self._allowance.failed(request.allowed_bytes, message.peak_bytes - worker.memory.held_bytes)
            self._roster.retire_full(worker, message.held_bytes)
            request.answer(self._appetite.refused(worker, request, message))
        else:
            request.answer((message, fds))
        if last or abandoned:
            self._ended(worker, request)
        else:
            self.go()

    def _learn(self, worker: WorkerProcess, request: Request, made: Made) -> None:
        worker.facts.calls += 1
        worker.facts.busy_s += made.busy_s
        self._appetite.learn(worker, request, made)
        self._roster.took(made.busy_s)
        self._roster.retire_leaking(worker)
        self.lives.restarts.succeeded()

    def _ended(self, worker: WorkerProcess, request: Request) -> None:
        """`request` has had its last reply: its worker goes on with what was sent ahead."""
        worker.calls.remove(request)
        if worker.calls and not worker.end_reason:  # else it may end before that, and nobody is to blame for it
            self._begin(worker)
        self._retire(worker)
        self._roster.end_surplus(worker)
        self.go()

    def _retire(self, worker: WorkerProcess) -> None:
        """Recycle a worker that is to get no further call, once it has none."""
        if worker.retiring and not worker.calls and not worker.end_reason:
            self._telling.memory(worker, RECYCLED, worker.memory.held_bytes, self.running_size)
            worker.hang_up(RECYCLED)

    async def _end_abandoned(self, worker: WorkerProcess, request: Request) -> None:
        await self.clock.sleep(ABANDONED_S)
        if request in worker.calls:
            worker.kill("its call was left")

    def lost(self, worker: WorkerProcess, died: WorkerDied) -> None:
        """`worker` has ended: what it computed is lost, what it was sent ahead goes to another.

        Where the kernel killed it there is one worker less from now on, as where brim did.
        """
        calls = list(worker.calls)
        if calls and calls[0].begun:
            self._roster.put_behind(calls[0], self.waiting)
            if died.signal in CRASHES and calls[0].allowed_all:
                self._allowance.failed(calls[0].allowed_bytes, 0)
            calls.pop(0).answer(self._appetite.exceeded(worker) if worker.starved_bytes else died)
        for call in calls:
            call.repay()
        if back := [call for call in calls if not call.abandoned]:
            self._put_back(back)
        if worker.killed_by_kernel:
            self._have_one_less()

    def _put_back(self, calls: list[Request]) -> None:
        """Let `calls` be the first in the line again; who was its head has to wait, and may keep no loan."""
        for request in self.waiting:
            request.repay()
        self.waiting.extendleft(reversed(calls))
