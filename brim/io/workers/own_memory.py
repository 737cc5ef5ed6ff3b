"""What a process holds for itself: anonymous and shared memory, read from /proc; 0 where there is none."""

from __future__ import annotations

from pathlib import Path

from brim.sizes import KIB

_PROC = Path("/proc/self")


def base_bytes() -> int:
    """Anonymous and shared memory of this process, shared pages in proportion (Pss)."""
    return _sum(_PROC / "smaps_rollup", ("Pss_Anon:", "Pss_Shmem:"))


def reset_peak() -> None:
    """Let the peak begin anew, where the kernel can."""
    try:
        (_PROC / "clear_refs").write_text("5")
    except OSError:
        return


def peak_bytes() -> int:
    """The most memory of its own since `reset_peak`: the peak of all pages, less the file's and the shared of now."""
    status = _PROC / "status"
    return max(0, _sum(status, ("VmHWM:",)) - _sum(status, ("RssFile:", "RssShmem:")))


def _sum(file: Path, names: tuple[str, ...]) -> int:
    try:
        lines = file.read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * KIB for line in lines if line.startswith(names))
