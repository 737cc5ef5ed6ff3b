"""Pool: the open connections of an engine, kept for the next request to the same server.

Whoever takes one holds a place of the engine's, so those in use are counted elsewhere; here it is seen to that they and
the idle ones together are never more than `most`: the one idle the longest is closed for a new one.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import anyio

from brim.io.transfers.http1.connection import Connection
from brim.io.transfers.http1.dial import Dialler

IDLE_S = 15.0

Origin = tuple[str, int, bool]
"""Host, port, and whether it is spoken to by TLS."""


@dataclass(eq=False, slots=True)
class Pool:
    """Connections by origin, the one used last first."""

    dialler: Dialler
    most: int
    _idle: dict[Origin, deque[Connection]] = field(default_factory=dict)
    _open: int = 0

    def kept(self, origin: Origin) -> Connection | None:
        """An idle connection to `origin`, if there is one."""
        idle = self._idle.get(origin)
        while idle:
            connection = idle.pop()
            if connection.reusable and anyio.current_time() - connection.pooled_since < IDLE_S:
                return connection
            self.drop(connection)
        return None

    async def connect(self, origin: Origin) -> Connection:
        """A new connection to `origin`; `OSError` where there is none to be had."""
        self._make_room()
        self._open += 1
        try:
            host, port, tls = origin
            return await self.dialler.dial(host, port, tls=tls)
        except BaseException:
            self._open -= 1
            raise

    def give_back(self, origin: Origin, connection: Connection) -> None:
        """Keep `connection` for the next request where that can be, else close it."""
        if not connection.reusable:
            self.drop(connection)
            return
        connection.pooled_since = anyio.current_time()
        self._idle.setdefault(origin, deque()).append(connection)

    def drop(self, connection: Connection) -> None:
        """Close `connection`, which is in nobody's hand."""
        self._open -= 1
        connection.close()

    def close(self) -> None:
        """Close what is idle."""
        for idle in self._idle.values():
            while idle:
                self.drop(idle.pop())
        self._idle.clear()

    def _make_room(self) -> None:
        """Close idle connections, the oldest first, so that one more is not one too many."""
        while self._open >= self.most and (kept := [idle for idle in self._idle.values() if idle]):
            self.drop(min(kept, key=lambda idle: idle[0].pooled_since).popleft())
        self._idle = {origin: idle for origin, idle in self._idle.items() if idle} if self._idle else {}
