"""RangedFile: an object as a file that is read at several places at once, by ranges, some bytes ahead of each.

Readers of columns read a few bytes here and a few there, each place in order. Every place that is read on gets a window
of its own, which doubles as it goes; all windows together hold `WINDOWS_BYTES`, however many there are.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

from brim.sizes import KIB, MIB

WINDOWS_BYTES = 8 * MIB
"""What an open file holds of its object, and so what its reader must have memory for."""

FIRST_BYTES = 64 * KIB
MOST_BYTES = 2 * MIB


@dataclass(eq=False, slots=True)
class _Window:
    """Bytes that were fetched, and how many were."""

    start: int
    data: memoryview
    grown: int

    @property
    def stop(self) -> int:
        return self.start + len(self.data)


@dataclass(eq=False, slots=True)
class RangedFile:
    """An object of `size` bytes; `fetch` gets the bytes from one position to another, blocking."""

    name: str
    size: int
    fetch: Callable[[int, int], memoryview]
    closed: bool = False
    _at: int = 0
    _windows: list[_Window] = field(default_factory=list)  # the one used last is the last

    def read(self, count: int = -1, /) -> bytes:
        """The next `count` bytes, all the rest when negative; fewer at the end of the object."""
        stop = self.size if count < 0 else min(self.size, self._at + count)
        parts: list[bytes] = []
        while self._at < stop:
            part = self._read_some(stop)
            parts.append(part)
            self._at += len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _read_some(self, stop: int) -> bytes:
        """Bytes from here on, at most up to `stop`."""
        window = next((window for window in self._windows if window.start <= self._at < window.stop), None)
        if window is None:
            before = next((window for window in self._windows if window.stop == self._at), None)
            ahead = FIRST_BYTES if before is None else min(2 * before.grown, self._most())
            if stop - self._at >= ahead:  # so much at once needs no window
                data = bytes(self.fetch(self._at, stop))
                self._keep(_Window(stop, memoryview(b""), ahead), before)
                return data
            window = _Window(self._at, self.fetch(self._at, min(self.size, self._at + ahead)), ahead)
            self._keep(window, before)
        begin = self._at - window.start
        return bytes(window.data[begin : begin + stop - self._at])

    def _most(self) -> int:
        """How large a window may be, so that there is room for as many as there are."""
        return max(FIRST_BYTES, min(MOST_BYTES, WINDOWS_BYTES // (2 * max(1, len(self._windows)))))

    def _keep(self, window: _Window, instead: _Window | None) -> None:
        if instead is not None:
            self._windows.remove(instead)
        self._windows.append(window)
        while sum(len(kept.data) for kept in self._windows) > WINDOWS_BYTES // 2:  # as much again is on its way
            self._windows.pop(0)
        del self._windows[: -(WINDOWS_BYTES // (2 * FIRST_BYTES))]

    def seek(self, to: int, whence: int = os.SEEK_SET, /) -> int:
        self._at = max(0, to + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self.size}[whence])
        return self._at

    def tell(self) -> int:
        return self._at

    def close(self) -> None:
        self.closed = True
        self._windows.clear()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def writable(self) -> bool:
        return False

    def flush(self) -> None:
        """Nothing is written."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
