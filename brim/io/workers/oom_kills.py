"""Kills by the kernel for want of memory, as it counts them: of this process's memory cgroup, else of the machine.

A worker that dies by SIGKILL looks the same whoever sent it; the counter tells.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from brim.io.cgroup import group_folders


@dataclass(eq=False, slots=True)
class OomKills:
    """The counters, and what they said last."""

    root: Path = Path("/")
    _last: int = field(init=False)

    def __post_init__(self) -> None:
        self._last = self._read()

    def happened(self) -> bool:
        """Whether the kernel has killed since the last time this was asked."""
        before, self._last = self._last, self._read()
        return self._last > before

    def _read(self) -> int:
        for version, folder in group_folders(self.root):
            if (count := _count(folder / ("memory.events" if version == 2 else "memory.oom_control"))) is not None:  # noqa: PLR2004
                return count
        return _count(self.root / "proc/vmstat") or 0


def _count(file: Path) -> int | None:
    """The value of the line `oom_kill N`, if `file` has one."""
    try:
        lines = [line.split() for line in file.read_text().splitlines()]
    except OSError:
        return None
    return next((int(words[1]) for words in lines if words[:1] == ["oom_kill"]), None)
