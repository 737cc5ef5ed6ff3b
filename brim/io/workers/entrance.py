"""Entrance: where calls of one stage wait until they may begin: for the rate, and for what their service asked for.

    enter(place) ─► call ─► leave(place's episode)     every attempt, the first and those made again
                     └────► throttled(wish)

The call with the lowest place begins first, whenever it came: one that is made again goes before those not yet begun.
A gate is that of a function in a whole engine: all its stages and runs obey what one of them was told.
The rate is kept where calls begin in truth, not where they meant to, so that a pause is not followed by a burst.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from heapq import heappop, heappush

import anyio

from brim.errors import UdfError
from brim.events import Resource, Throttled
from brim.operators.protocol import Stage
from brim.operators.user_functions.call_gate import ASKED_MOST_S, CallGate, Pause, Refused, Turn
from brim.operators.user_functions.rate_limit import TokenBucket
from brim.operators.user_functions.user_function import UserFunction

GATES_MOST = 64


@dataclass(eq=False, slots=True)
class SharedGate:
    """The gate of one function in all stages that call it."""

    gate: CallGate = field(default_factory=CallGate)
    _changed: anyio.Event | None = None  # made by who waits for it

    async def change(self) -> None:
        """Wait until a call has ended."""
        if self._changed is None:
            self._changed = anyio.Event()
        await self._changed.wait()

    def wake(self) -> None:
        """Let those look again who wait for a call to end."""
        if self._changed is not None:
            self._changed.set()
            self._changed = None


@dataclass(eq=False, slots=True)
class Gates:
    """The gates of an engine's functions, equal functions having one; those used last are kept for the next runs."""

    _gates: OrderedDict[UserFunction, SharedGate] = field(default_factory=OrderedDict)

    def of(self, function: UserFunction) -> SharedGate:
        shared = self._gates.setdefault(function, SharedGate())
        self._gates.move_to_end(function)
        if len(self._gates) > GATES_MOST:
            self._gates.popitem(last=False)  # stages that use it go on doing so
        return shared


@dataclass(eq=False, slots=True)
class Entrance:
    """The calls of `function` in `stage` that have not begun. `bucket` spreads them in time."""

    function: str
    stage: Stage
    shared: SharedGate
    bucket: TokenBucket | None = None
    _waiting: dict[int, anyio.Event] = field(default_factory=dict)
    _line: list[int] = field(default_factory=list)  # a heap of places; those that left are dropped when they are first

    @property
    def refuses(self) -> bool:
        """Whether a call that comes now fails, because its service asked for too long a wait."""
        return isinstance(self.shared.gate.ready(self.stage.clock.now()), Refused)

    async def enter(self, place: int) -> int:
        """Wait until the call at `place` may begin, and count it; its episode, for `leave`.

        Raises `UdfError` where its service asks for a longer wait than is waited for.
        """
        if not self._waiting and self._wait() is None:
            return self._begin()
        self._waiting[place] = anyio.Event()
        heappush(self._line, place)
        try:
            await self._until_ready(place)
            return self._begin()
        finally:
            del self._waiting[place]
            if (first := self._first()) is not None:
                self._waiting[first].set()

    def leave(self, episode: int, *, answered: bool) -> None:
        """The call has ended, and was not told to wait."""
        self.shared.gate.ended(episode, answered=answered)
        self.shared.wake()

    def throttled(self, asked_s: float | None, reason: str) -> Pause:
        """The call has ended: its service asks to be left alone for `asked_s`, None where it names no time."""
        pause = self.shared.gate.throttled(self.stage.clock.now(), asked_s, self.stage.random)
        self.shared.wake()
        if pause.is_news:
            self.stage.tell(Throttled(self.function, pause.seconds, reason))
        return pause

    async def _until_ready(self, place: int) -> None:
        """Wait until it is the turn of `place`, and the gate is open, and the rate allows one more."""
        while True:
            if self._first() != place:
                await self._waiting[place].wait()
                self._waiting[place] = anyio.Event()
                continue
            match self._wait():
                case None:
                    return
                case Refused(seconds):
                    wish = f"its service asks not to be called for {seconds:,.0f} s"
                    raise UdfError(self.function, f"{wish}, more than the {ASKED_MOST_S:,.0f} s that are waited for")
                case Turn():
                    with self.stage.waiting(Resource.THROTTLED):
                        await self.shared.change()
                case (seconds, resource):
                    with self.stage.waiting(resource):
                        await self.stage.clock.sleep(seconds)

    def _wait(self) -> Refused | Turn | tuple[float, Resource] | None:
        """What keeps the first call from beginning now."""
        now = self.stage.clock.now()
        ready = self.shared.gate.ready(now)
        if isinstance(ready, float):
            return ready, Resource.THROTTLED
        if ready is None and self.bucket is not None and (seconds := self.bucket.due(now)) > 0:
            return seconds, Resource.RATE_LIMIT
        return ready

    def _begin(self) -> int:
        if self.bucket is not None:
            self.bucket.take(self.stage.clock.now())
        return self.shared.gate.begun()

    def _first(self) -> int | None:
        while self._line and self._line[0] not in self._waiting:
            heappop(self._line)
        return self._line[0] if self._line else None
