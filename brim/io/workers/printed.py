"""What a worker prints: the last of it is kept, and told of once a second at most. Decides; reads nothing."""

from __future__ import annotations

from dataclasses import dataclass, field

TAIL_BYTES = 4096
TELL_S = 1.0


@dataclass(eq=False, slots=True)
class Printed:
    """The output of one worker.

    >>> printed = Printed()
    >>> printed.add(b"one"), printed.due(5.0), printed.due(5.5)
    (None, ('one', 0), None)
    >>> printed.add(b"two"), printed.due(5.5), printed.wait_s(5.5), printed.due(6.0)
    (None, None, 0.5, ('two', 0))
    """

    _tail: bytearray = field(default_factory=bytearray)
    _untold: int = 0  # bytes since it was told of
    _told_at: float = float("-inf")

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
        return max(0.0, self._told_at + TELL_S - now) if self._untold else float("inf")

    def due(self, now: float) -> tuple[str, int] | None:
        """What was printed since it was told of, and how many bytes before that are left out; None for later."""
        if not self._untold or now < self._told_at + TELL_S:
            return None
        kept = min(self._untold, len(self._tail))
        told = self._text(kept), self._untold - kept
        self._untold, self._told_at = 0, now
        return told

    def _text(self, size: int) -> str:
        return self._tail[len(self._tail) - size :].decode(errors="replace").strip()
