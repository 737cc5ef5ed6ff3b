"""What a process holds for itself: anonymous and shared memory, read from /proc; 0 where there is none."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from brim.sizes import KIB

_PROC = Path("/proc/self")
KILLED_FIRST, WORTH_LESS = 1000, 900  # as if it held so many thousandths of all memory more


@dataclass(frozen=True, slots=True)
class OwnMemory:
    """Anonymous memory of a process, in bytes: now, and the most since `reset_peak`."""

    held_bytes: int
    peak_bytes: int


def base_bytes() -> int:
    """Memory that this process alone has written: without what it shares with the template it was forked from."""
    return _sizes("smaps_rollup").get("Private_Dirty", 0)


def reset_peak() -> None:
    """Let the peak begin anew, where the kernel can."""
    try:
        (_PROC / "clear_refs").write_text("5")
    except OSError:
        return


def be_killed_first() -> None:
    """Where the kernel has to kill for want of memory let it be this process, not the engine that would call again."""
    file = _PROC / "oom_score_adj"
    with suppress(OSError, ValueError):
        file.write_text(str(min(KILLED_FIRST, int(file.read_text()) + WORTH_LESS)))


def own_memory() -> OwnMemory:
    """What the process holds, and its peak: that of all pages, less the files' and the shared of now."""
    sizes = _sizes("status")
    others = sizes.get("RssFile", 0) + sizes.get("RssShmem", 0)
    return OwnMemory(sizes.get("RssAnon", 0), max(0, sizes.get("VmHWM", 0) - others))


def data_and_held_bytes() -> tuple[int, int]:
    """Private memory of this process that may be written, which is what RLIMIT_DATA limits, and how much is in use."""
    sizes = _sizes("status")
    return sizes.get("VmData", 0), sizes.get("RssAnon", 0)


def _sizes(file: str) -> dict[str, int]:
    """The lines of `file` that say how much."""
    try:
        lines = (_PROC / file).read_text().splitlines()
    except OSError:
        return {}
    words = [line.split() for line in lines if line.endswith(" kB")]
    return {name.rstrip(":"): int(size) * KIB for name, size, *_ in words}
