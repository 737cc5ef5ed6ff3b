"""The lives of the workers of one function: started, sent the function, listened to, ended; and what a death costs.

One task a worker. What it says and what its end means for its calls is the listener's, which is the pool.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

import anyio
from anyio.abc import TaskGroup

from brim.errors import BrimError, WorkerDied
from brim.io.workers.allowance import Room
from brim.io.workers.devices import Devices, Place, untaken
from brim.io.workers.messages import Message, Raised, Ready, Start
from brim.io.workers.oom_kills import OomKills
from brim.io.workers.payload import Payload
from brim.io.workers.process import WorkerProcess
from brim.io.workers.restarts import Restarts
from brim.io.workers.roster import Roster
from brim.io.workers.telling import Telling
from brim.io.workers.template import Template
from brim.io.workers.user_errors import error_of
from brim.operators.protocol import Clock
from brim.operators.user_functions.user_function import UserFunction
from brim.sizes import MIB

STACKS_BYTES = 256 * MIB  # threads of a worker reserve so much and do not use it
RECYCLED, STARVED = "recycled", "out of memory"


class Listener(Protocol):
    """Who hears of the workers."""

    def go(self) -> None:
        """Something has changed: look again at what can begin."""

    def hear(self, worker: WorkerProcess, message: Message, fds: list[int]) -> None:
        """`worker`, which is ready, says this. The descriptors are the listener's to close."""

    def lost(self, worker: WorkerProcess, died: WorkerDied) -> None:
        """`worker` has ended; its calls have no reply."""


@dataclass(frozen=True, slots=True)
class Household:
    """What all workers of an engine share. `memory` is what the engine has for everything.

    `room` is what is free now for a worker, and its share of it, all where it computes alone.
    """

    folder: str | None
    memory: int
    clock: Clock
    tasks: TaskGroup
    devices: Devices
    template: Template
    on_ready: Callable[[int, int], object] = lambda _pid, _shared_bytes: None
    room: Callable[[WorkerProcess, bool], Room] = lambda _worker, _alone: Room(0, 0)


@dataclass(eq=False, slots=True)
class Lives:
    """Of the workers of `function`, which are on `roster`; `places` are the devices they may have.

    `failed` is why none is started any more, `base_bytes` the most that one has held when it was ready.
    """

    function: UserFunction
    pickled: bytes
    household: Household
    listener: Listener
    roster: Roster
    telling: Telling
    places: tuple[Place, ...] = ()
    base_bytes: int = 0
    closing: bool = False
    failed: BrimError | None = None
    restarts: Restarts = field(default_factory=Restarts)
    _oom_kills: OomKills = field(default_factory=OomKills)
    _changed: anyio.Event = field(default_factory=anyio.Event)

    def forgive(self) -> None:
        """Forget what failed before."""
        self.failed, self.restarts = None, Restarts()
        self._oom_kills.happened()  # what was killed before was none of these workers

    def wait_s(self) -> float:
        """Seconds until a worker may be started."""
        return self.restarts.wait_s(self.household.clock.now())

    async def ready(self) -> None:
        """Wait until a worker is ready, starting one if there is none. Raises why it cannot be."""
        while not any(worker.ready for worker in self.roster.workers):
            changed = self._changed  # what changes from here on, if only while one is started, is not missed
            if self.failed is not None:
                raise self.failed
            if not self.roster.workers:
                await self.household.clock.sleep(self.wait_s())
                self.start()
            await changed.wait()

    def changed(self) -> None:
        """Let whoever waits look again."""
        self._changed.set()
        self._changed = anyio.Event()
        self.listener.go()

    def start(self) -> None:
        """Start a worker, where it finds a place."""
        if self.closing or (devices := self._take_devices()) is None:
            return
        try:
            worker = WorkerProcess.start(devices, self.household.template)
        except OSError as error:
            output, deaths = f"no process could be started: {error}", self.restarts.deaths + 1
            self.failed = WorkerDied(self.function.name, None, 0, output, deaths=deaths)  # no row is to blame
            self.household.devices.give_back(devices, self.function.gpus)
            self.changed()
        else:
            self.roster.workers.append(worker)
            self.household.tasks.start_soon(self._live, worker, name=f"brim worker of {self.function.name}")

    def close(self) -> None:
        """Start no worker any more: the tasks of those that live are about to be cancelled."""
        self.closing = True
        for worker in self.roster.workers:
            worker.end_reason = worker.end_reason or "stop"

    def _take_devices(self) -> Place | None:
        """Where a new worker sits; None while those who must leave are still there."""
        if not self.function.gpus:
            return ()
        places = untaken(self.places, [worker.devices for worker in self.roster.workers])
        devices = self.household.devices.take(self.function.gpus, places)
        if devices is None:
            self.household.devices.wanted(places, self.function.gpus)
        return devices

    async def _live(self, worker: WorkerProcess) -> None:
        """Give a worker its function, listen to it until it hangs up, end it."""
        clock = self.household.clock
        started_at = clock.now()
        tell_output = partial(self.telling.output, worker)
        try:
            await worker.begin()
            async with anyio.create_task_group() as tasks:
                for part in (worker.send_posted, worker.hang_up_after_exit):
                    tasks.start_soon(part)
                tasks.start_soon(worker.drain_output, clock.now, tell_output)
                self._post_start(worker)
                while (received := await worker.receive()) is not None:
                    self._hear(worker, *received, started_at)
                tasks.cancel_scope.cancel()
        finally:
            with anyio.CancelScope(shield=True):
                exit_code = await worker.end()
                worker.tell_rest(tell_output)
                self._gone(worker, exit_code)

    def _post_start(self, worker: WorkerProcess) -> None:
        try:
            payload = Payload.create(self.household.folder)
        except OSError as error:
            worker.give_up(error)
            return
        try:
            payload.write_bytes(self.pickled)
            # A device's driver reserves at will.
            most = None if self.function.gpus else self.household.memory + STACKS_BYTES
            worker.post(Start(self.household.folder, most), [payload.fd])
        except OSError as error:
            worker.give_up(error)
        finally:
            payload.close()

    @property
    def coming_bytes(self) -> int:
        """What the workers will hold that are not ready yet, or not started, before their calls."""
        ready = sum(worker.ready and not worker.end_reason for worker in self.roster.workers)
        return max(0, self.roster.running_size - ready) * self.base_bytes

    def _hear(self, worker: WorkerProcess, message: Message, fds: list[int], started_at: float) -> None:
        match message:
            case Ready():
                self._is_ready(worker, message, started_at)
            case Raised(call=0):
                self.failed = error_of(self.function.name, message)
                self.failed.final = True
                worker.end_reason = message.reason
                _close_all(fds)
            case _:
                self.listener.hear(worker, message, fds)

    def _is_ready(self, worker: WorkerProcess, ready: Ready, started_at: float) -> None:
        worker.ready, worker.facts.base_bytes, worker.memory.held_bytes = True, ready.base_bytes, ready.held_bytes
        worker.facts.start_s = self.household.clock.now() - started_at
        self.base_bytes = max(self.base_bytes, ready.base_bytes)
        if (template := self.household.template.process) is not None:  # it holds what the worker shares
            self.household.on_ready(template.pid, 0)
        self.household.on_ready(worker.facts.pid, max(0, ready.held_bytes - ready.base_bytes))
        self.telling.started(worker)
        self.roster.end_surplus(worker)  # there may be fewer than when it was started
        self.changed()

    def _gone(self, worker: WorkerProcess, exit_code: int | None) -> None:
        self.roster.workers.remove(worker)
        died = WorkerDied(self.function.name, exit_code, worker.calls[0].rows if worker.calls else 0, worker.output)
        self._tell_end(worker, died)
        if self.restarts.given_up and self.failed is None and not self.closing:
            self.failed = self._given_up(worker, died)
        self.listener.lost(worker, died)
        self.household.devices.give_back(worker.devices, self.function.gpus)
        self.changed()

    def _given_up(self, worker: WorkerProcess, died: WorkerDied) -> BrimError:
        """Why no worker is started any more, `worker` having been the last that died, or took too much memory."""
        deaths = self.restarts.deaths
        if not worker.starved_bytes:
            return WorkerDied(died.function, died.exit_code, died.rows, died.output, deaths=deaths)
        error = self.roster.appetite.exceeded(worker)
        error.reason += f"; it was the last of {deaths} workers that ended in a row: no more are started"
        error.final = True
        return error

    def _tell_end(self, worker: WorkerProcess, died: WorkerDied) -> None:
        """Count a death, and tell of it, or of the planned end."""
        wait_s = 0.0
        if worker.end_reason == STARVED:
            self.restarts.starved()
        if not worker.end_reason:
            wait_s = self.restarts.died(self.household.clock.now(), ready=worker.ready)
            if died.signal == "SIGKILL" and self._oom_kills.happened():
                worker.killed_by_kernel = True
                worker.starved_bytes = max(1, worker.facts.peak_bytes, worker.memory.held_bytes)  # as far as is known
                self.telling.memory(worker, "killed_by_kernel", worker.starved_bytes, self.roster.running_size)
        if worker.end_reason and worker.end_reason not in (RECYCLED, STARVED):
            self.telling.ended(worker)
            return
        reason = worker.end_reason or died.signal or f"exit code {died.exit_code}"
        self.telling.restarted(worker, reason, self.restarts.deaths, wait_s)


def _close_all(fds: list[int]) -> None:
    for fd in fds:
        os.close(fd)
