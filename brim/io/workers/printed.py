"""What a worker prints: the last of it is kept, and told of once a second at most. Decides; reads nothing."""

from __future__ import annotations

from dataclasses import dataclass, field

TAIL_BYTES = 4096
TELL_S = 1.0


@dataclass(eq=False, slots=True)
class Printed:
    """The output of one worker.

    >>> printed = Printed()
    >>> printed.add(b"one"), printed.due(5.0), printed.add(b" two"), printed.due(5.5), printed.wait_s(5.5)
    (None, None, None, None, 0.5)
    >>> printed.due(6.0)
    ('one two', 0)
    """

    _tail: bytearray = field(default_factory=bytearray)
    _untold: int = 0
    _since: float | None = None  # when the first byte that is untold was seen

    @property
    def tail(self) -> str:
        """The last of it."""
        return self._text(len(self._tail))

    def add(self, data: bytes) -> None:
        """It has printed `data`."""
        self._tail += data
        self._untold += len(data)
        del self._tail[:-TAIL_BYTES]

    def wait_s(self, now: float) -> float:
        """How long until there is something to tell, if nothing more is printed."""
        return float("inf") if self._since is None else max(0.0, self._since + TELL_S - now)

    def due(self, now: float) -> tuple[str, int] | None:
        """What was printed in the last second, and how many bytes before that are left out; None for later."""
        if self._since is None and self._untold:
            self._since = now
        return self.rest() if self._since is not None and now >= self._since + TELL_S else None

    def rest(self) -> tuple[str, int] | None:
        """As `due`, but at once."""
        if not self._untold:
            return None
        kept = min(self._untold, len(self._tail))
        told = self._text(kept), self._untold - kept
        self._untold, self._since = 0, None
        return told

    def _text(self, size: int) -> str:
        return self._tail[len(self._tail) - size :].decode(errors="replace").strip()
