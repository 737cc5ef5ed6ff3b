"""The main program of a worker process: build one function, then call it on what the engine sends, until it hangs up.

It dies with the engine: the kernel kills it when the engine's thread is gone (Linux), and a thread of its own watches
the channel, whatever the function does.
"""

from __future__ import annotations

import atexit
import ctypes
import faulthandler
import gc
import os
import select
import signal
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from types import FrameType
from typing import Any, NoReturn

import cloudpickle

from brim.errors import UdfError
from brim.io.allocators import give_back
from brim.io.workers.blocking_channel import BlockingChannel
from brim.io.workers.data_limit import DataLimit
from brim.io.workers.messages import Alive, Finished, Invoke, Made, Message, Next, Raised, Ready, Start, Stop
from brim.io.workers.own_memory import OwnMemory, base_bytes, be_killed_first, own_memory, reset_peak
from brim.io.workers.payload import Payload, read_bytes
from brim.io.workers.segment_reader import SegmentReader
from brim.operators.user_functions.apply_function import Applied
from brim.operators.user_functions.piece import Piece
from brim.operators.user_functions.raised import raised
from brim.operators.user_functions.row_results import RowTimedOut
from brim.operators.user_functions.user_function import UserFunction
from brim.pandas_later import load_pandas_later
from brim.sizes import MIB

_PR_SET_PDEATHSIG = 1
LAST_SECONDS = 0.5  # between the engine's end of the channel closing and our own end
WORTH_GIVING_BACK = 8 * MIB  # of what allocators may keep; giving back costs the page faults of taking again
ALIVE_SHARE = 4  # messages that rows move on, in the time one row may take


def main(descriptor: str, engine: str) -> None:
    """Serve the engine, process `engine`, on the inherited socket `descriptor`."""
    die_with(int(engine))
    load_pandas_later()
    live(socket.socket(fileno=int(descriptor)))


def live(connection: socket.socket) -> NoReturn:
    """Serve the engine at the other end of `connection`, and leave."""
    faulthandler.enable()
    be_killed_first()
    connection.set_inheritable(False)
    threading.Thread(target=_watch, args=(connection,), daemon=True).start()
    with suppress(BrokenPipeError, ConnectionResetError):  # the engine is gone
        _Worker(BlockingChannel(connection)).serve()
    _leave()


def _leave() -> NoReturn:
    """End without taking the interpreter apart, which takes longer than many a run; exit functions are run."""
    with suppress(Exception):
        atexit._run_exitfuncs()  # noqa: SLF001 - there is no public way to run what user code registered
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(0)


def die_with(parent: int) -> None:
    """Let the kernel kill this process when its parent dies; that may have died before."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def _watch(connection: socket.socket) -> None:
    """End the process soon after the engine has hung up, even while the function computes."""
    hang_up = getattr(select, "POLLRDHUP", 0) | select.POLLHUP | select.POLLERR
    poll = select.poll()
    poll.register(connection.fileno(), hang_up)
    while not any(event & hang_up for _, event in poll.poll()):
        pass
    time.sleep(LAST_SECONDS)
    os._exit(1)


@dataclass(eq=False, slots=True)
class _Worker:
    """One function and the calls that were sent ahead."""

    channel: BlockingChannel
    folder: str | None = None
    waiting: deque[tuple[Invoke, int]] = field(default_factory=deque)
    current: int = 0
    lowest_bytes: int = 0
    data_limit: DataLimit | None = None
    segments: SegmentReader = field(default_factory=SegmentReader)

    def serve(self) -> None:
        """Build, then call until the engine hangs up."""
        first = self.channel.receive()
        if first is None:
            return
        start, (descriptor,) = first
        assert isinstance(start, Start)
        self.folder = start.folder
        try:
            applied = self._build(read_bytes(descriptor))
        except BaseException as error:  # noqa: BLE001 - whatever importing and constructing may raise
            self.channel.send(_failure(0, raised("the function", error)))
            return
        gc.collect()
        if start.most_bytes is not None:
            self.data_limit = DataLimit.beyond_now(start.most_bytes)
            self.data_limit.apply()
        self.lowest_bytes = own_memory().held_bytes
        self.channel.send(Ready(base_bytes(), self.lowest_bytes))
        while (work := self._next_work()) is not None:
            self._call(applied, *work)
            self.segments.end()

    def _build(self, data: bytes) -> Applied:
        function: UserFunction = cloudpickle.loads(data)  # our own engine's bytes, over an inherited descriptor
        limit: Callable[[], AbstractContextManager[None]] = nullcontext
        if function.kind == "row" and function.timeout_s is not None:
            signal.signal(signal.SIGALRM, _time_out)
            limit = _RowLimit(function.timeout_s, self._tell_alive).entered
        return Applied(function, function.build(), limit)

    def _next_work(self) -> tuple[Invoke, int] | None:
        """The next call, sent ahead or awaited."""
        while not self.waiting:
            if (message := self.channel.receive(self._rest)) is None:
                return None
            self._sort(*message)
        return self.waiting.popleft()

    def _rest(self) -> None:
        """Let go of what is kept only for the next call."""
        self.segments.forget()
        give_back()

    def _sort(self, message: Message, fds: list[int]) -> None:
        """Keep a call for later; a `Stop` of a call that has ended, or that waits, needs no answer."""
        if isinstance(message, Invoke):
            self.waiting.append((message, fds[0]))

    def _call(self, applied: Applied, invoke: Invoke, descriptor: int) -> None:
        self.current = invoke.call
        pieces = applied.pieces(self.segments.read(descriptor), invoke.piece_bytes)
        try:
            self._send_pieces(invoke, pieces)
        except UdfError as error:
            failure = _failure(invoke.call, error)
        except (BrokenPipeError, ConnectionResetError):
            raise
        except BaseException as error:  # noqa: BLE001 - such as KeyboardInterrupt or an OSError of the payload
            failure = _failure(invoke.call, raised(applied.function.name, error))
        else:
            return
        pieces.close()  # with the error and its frames gone, what they referred to is no part of what is held
        self.channel.send(replace(failure, held_bytes=own_memory().held_bytes))

    def _send_pieces(self, asked: Invoke | Next, pieces: Generator[Piece, None, None]) -> None:
        """Make and send a piece, each time one is asked for."""
        call = asked.call
        while True:
            reset_peak()
            started = time.perf_counter()
            with self._allowed(asked.allowed_bytes):
                piece = next(pieces, None)
            if piece is None:
                self.channel.send(Finished(call, self.segments.release()))
                return
            busy_s = time.perf_counter() - started
            with ExitStack() as stack:
                payloads = [stack.enter_context(closing(payload)) for payload in self._written(piece)]
                last = piece.last
                del piece  # what it weighs here is no part of what the worker holds
                memory = self._memory()
                read = last and self._is_read(pieces)
                made = Made(call, last, busy_s, memory.peak_bytes, memory.held_bytes, read)
                self.channel.send(made, [payload.fd for payload in payloads])
            if last or (wanted := self._wanted(call)) is None:
                return
            asked = wanted

    def _allowed(self, grow_bytes: int | None) -> AbstractContextManager[None]:
        """A block in which the process may grow by so much."""
        limit = self.data_limit
        return nullcontext() if limit is None or grow_bytes is None else limit.lowered(grow_bytes)

    def _is_read(self, pieces: Generator[Piece, None, None]) -> bool:
        """Whether nobody refers to the batch of the call any more, once it has made its last piece."""
        pieces.close()
        return self.segments.release()

    def _written(self, piece: Piece) -> Iterator[Payload]:
        for batch in (piece.batch, piece.failed):
            if batch is not None:
                payload = Payload.create(self.folder)
                payload.write(batch)
                yield payload

    def _memory(self) -> OwnMemory:
        """What the process holds after a call. Where that is much more than before, allocators give back first."""
        memory = own_memory()
        if memory.held_bytes > self.lowest_bytes + WORTH_GIVING_BACK:
            give_back()
            memory = OwnMemory(own_memory().held_bytes, memory.peak_bytes)
        self.lowest_bytes = min(self.lowest_bytes, memory.held_bytes)
        return memory

    def _wanted(self, call: int) -> Next | None:
        """Wait until the next piece of `call` is asked for; None when it is not wanted any more."""
        while (message := self.channel.receive()) is not None:
            match message[0]:
                case Next(call=asked) as following if asked == call:
                    return following
                case Stop(call=stopped) if stopped == call:
                    return None
            self._sort(*message)
        return None

    def _tell_alive(self) -> None:
        self.channel.send(Alive(self.current))


@dataclass(eq=False, slots=True)
class _RowLimit:
    """Interrupts a row that takes longer than `timeout_s`, and tells now and then that rows move on."""

    timeout_s: float
    tell_alive: Callable[[], None]
    told_at: float = 0.0

    @contextmanager
    def entered(self) -> Iterator[None]:
        if (now := time.monotonic()) - self.told_at > self.timeout_s / ALIVE_SHARE:
            self.told_at = now
            self.tell_alive()
        signal.setitimer(signal.ITIMER_REAL, self.timeout_s)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)


def _failure(call: int, error: UdfError) -> Raised:
    return Raised(call, type(error).__name__, error.reason, error.traceback, own_memory().peak_bytes)


def _time_out(_signal: int, _frame: FrameType | None) -> Any:
    raise RowTimedOut
