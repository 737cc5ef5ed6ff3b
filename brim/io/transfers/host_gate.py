"""HostGate: when a request to a host may go out. One gate an engine, so that all its tasks obey what one was told.

    Host (decides)                           HostGate (waits)
      ready(now) -> None | seconds | Turn      try_enter(host) ─► request ─► leave(host)
      throttled(now, seconds)                     └─ no ─► wait(host), and again

- An answer with Retry-After closes the host to everybody until then. Afterwards it opens slowly: one request, and with
  each success room for one more at once; so the first second after a pause is not the next reason for one.
- Retries are paid from a purse a host: it begins with `PURSE_FLOOR`, a success puts `PURSE_SHARE` in, so that a host
  that fails now and then is asked again and one that is down is hardly asked more often than there are objects.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass, field
from random import Random

import anyio

from brim.io.transfers.transfer import RETRY_AFTER_MOST_S
from brim.operators.protocol import Clock

PURSE_FLOOR = 10.0
PURSE_SHARE = 0.5
PURSE_MOST = 100.0
HOSTS_MOST = 4096
JITTER_MOST_S = 1.0


@dataclass(frozen=True, slots=True)
class Turn:
    """Wait until somebody leaves."""


@dataclass(eq=False, slots=True)
class Host:
    """What is known of one host."""

    most: float = math.inf
    active: int = 0
    closed_until: float = -math.inf
    room: float = math.inf
    purse: float = PURSE_FLOOR

    def ready(self, now: float) -> float | Turn | None:
        """None to go, a time to wait, or that it is not one's turn."""
        if now < self.closed_until:
            return self.closed_until - now
        return None if self.active < min(self.most, self.room) else Turn()

    def throttled(self, now: float, seconds: float) -> None:
        """The host asks to be left alone for `seconds`; with 0 it only asks for less at once."""
        self.closed_until = max(self.closed_until, now + min(seconds, RETRY_AFTER_MOST_S))
        self.room = 1 if seconds > 0 else max(1, min(self.room, self.active) // 2)

    def succeeded(self) -> None:
        self.purse = min(PURSE_MOST, self.purse + PURSE_SHARE)
        self.room += 1

    def pay(self) -> bool:
        """Take a retry out of the purse, if there is one."""
        if self.purse < 1:
            return False
        self.purse -= 1
        return True


@dataclass(eq=False, slots=True)
class HostGate:
    """All hosts of an engine. `most` is the number of requests at once to one host."""

    clock: Clock
    random: Random
    most: float = math.inf
    _hosts: OrderedDict[str, Host] = field(default_factory=OrderedDict)
    _left: dict[str, anyio.Event] = field(default_factory=dict)

    def try_enter(self, name: str) -> bool:
        """Count a request to `name` until `leave`, if it may go out now; say whether it may."""
        host = self._host(name)
        ready = host.ready(self.clock.now()) is None
        host.active += ready
        return ready

    async def wait(self, name: str) -> None:
        """Wait until it is worth to try again."""
        reason = self._host(name).ready(self.clock.now())
        if isinstance(reason, Turn):
            await self._left.setdefault(name, anyio.Event()).wait()
        elif reason is not None:
            await self.clock.sleep(reason + self.random.uniform(0.0, min(JITTER_MOST_S, reason / 4)))

    def leave(self, name: str) -> None:
        """The request is over, well or not."""
        self._host(name).active -= 1
        self._wake(name)

    def succeeded(self, name: str) -> None:
        self._host(name).succeeded()
        self._wake(name)

    def throttled(self, name: str, seconds: float) -> None:
        self._host(name).throttled(self.clock.now(), seconds)

    def may_retry(self, name: str) -> bool:
        return self._host(name).pay()

    def _wake(self, name: str) -> None:
        if (left := self._left.pop(name, None)) is not None:
            left.set()

    def _host(self, name: str) -> Host:
        host = self._hosts.get(name)
        if host is None:
            host = self._hosts[name] = Host(self.most)
            self._forget()
        self._hosts.move_to_end(name)
        return host

    def _forget(self) -> None:
        """Drop hosts nobody asked for a long time, so that a crawl of many stays small."""
        now = self.clock.now()
        for name in list(self._hosts)[: max(0, len(self._hosts) - HOSTS_MOST)]:
            host = self._hosts[name]
            if not host.active and host.closed_until <= now and name not in self._left:
                del self._hosts[name]
