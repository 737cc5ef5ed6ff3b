"""Quota: how many bytes all spill files of an engine may have on disk, counted as they are written and freed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(eq=False, slots=True)
class Quota:
    """Bytes of `measure()`, which is called once, when it is first needed. May be used in several threads.

    >>> quota = Quota(lambda: 100)
    >>> quota.take(60), quota.take(60), quota.used
    (True, False, 60)
    >>> quota.give_back(60); quota.free
    100
    """

    measure: Callable[[], int]
    _used: int = 0
    _limit: int | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def used(self) -> int:
        return self._used

    @property
    def limit(self) -> int:
        with self._lock:
            return self._measured()

    @property
    def free(self) -> int:
        with self._lock:
            return self._measured() - self._used

    def fix(self) -> None:
        """Measure the limit now, if it is not known yet."""
        with self._lock:
            self._measured()

    def take(self, size: int) -> bool:
        """Count `size` bytes more if that many are left; whether they were."""
        with self._lock:
            if self._used + size > self._measured():
                return False
            self._used += size
            return True

    def give_back(self, size: int) -> None:
        with self._lock:
            self._used -= size
            assert self._used >= 0, "more came back than was taken"

    def _measured(self) -> int:
        if self._limit is None:
            self._limit = self.measure()
        return self._limit
