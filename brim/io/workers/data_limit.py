"""The data limit of a process: what it may allocate before the kernel refuses it more (RLIMIT_DATA, Linux 4.7 and on).

Counted is private memory that may be written, whether it is in use or not: so what allocators keep mapped and unused
from call to call, beyond what there was at first, may be taken again for a small part only.
"""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from brim.io.workers.own_memory import data_and_held_bytes

AGAIN_SHARE = 16  # what may be taken again of what is mapped, as a part of what may be taken at all


@dataclass(frozen=True, slots=True)
class DataLimit:
    """Allocations beyond `most_bytes` in all fail, with an error that names the line, before the kernel kills.

    `unused_bytes` is what was mapped and not in use at first.
    """

    most_bytes: int
    unused_bytes: int = 0

    @classmethod
    def beyond_now(cls, grow_bytes: int) -> DataLimit:
        """So much beyond what the process has allocated now."""
        data, held = data_and_held_bytes()
        return cls(data + grow_bytes, max(0, data - held))

    def apply(self) -> None:
        """Let it hold from now on, where the system can; no higher than the process may go."""
        with suppress(OSError, ValueError):
            _, hard = resource.getrlimit(resource.RLIMIT_DATA)
            most = self.most_bytes if hard == resource.RLIM_INFINITY else min(self.most_bytes, hard)
            resource.setrlimit(resource.RLIMIT_DATA, (most, hard))

    @contextmanager
    def lowered(self, grow_bytes: int) -> Iterator[None]:
        """Within the block the process may grow by `grow_bytes`, and no further than this limit."""
        data, held = data_and_held_bytes()
        if data:
            unused = min(data - held, self.unused_bytes + grow_bytes // AGAIN_SHARE)
            DataLimit(min(self.most_bytes, held + unused + grow_bytes)).apply()
        try:
            yield
        finally:
            self.apply()
