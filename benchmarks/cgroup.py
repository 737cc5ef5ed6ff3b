"""A memory cgroup of a given size (v1 or v2) in which one engine runs, to see whether the kernel kills it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

ROOT = Path("/sys/fs/cgroup")
_GONE_S = 2.0


@dataclass(frozen=True, slots=True)
class Cgroup:
    """A folder of the kernel's; what is started with `entering` lives in it."""

    folder: Path

    def entering(self, command: list[str]) -> list[str]:
        """`command`, moved into the cgroup before its first instruction."""
        return ["/bin/sh", "-c", f'echo $$ > "{self.folder}/cgroup.procs" && exec "$@"', "sh", *command]

    def kills(self) -> int:
        """Processes that the kernel killed for want of memory."""
        for name in ("memory.events", "memory.oom_control"):
            with suppress(OSError):
                facts = dict(line.split() for line in (self.folder / name).read_text().splitlines())
                return int(facts.get("oom_kill", 0))
        return 0

    def members(self) -> list[int]:
        """The processes that live in it now."""
        with suppress(OSError):
            return [int(line) for line in (self.folder / "cgroup.procs").read_text().split()]
        return []


def why_not() -> str:
    """Why no memory cgroup can be made here; empty where one can."""
    try:
        with memory_cgroup(1 << 30):
            return ""
    except OSError as reason:
        return f"no memory cgroup can be made here: {reason}"


@contextmanager
def memory_cgroup(limit: int) -> Iterator[Cgroup]:
    """A new cgroup of `limit` bytes without swap; raises OSError where none can be made."""
    one = (ROOT / "memory").is_dir()
    folder = (ROOT / "memory" if one else ROOT) / f"brim-bench-{uuid4().hex[:8]}"
    folder.mkdir()
    try:
        if not one and not (folder / "memory.max").exists():
            raise OSError(f"{ROOT}: the memory controller is not enabled for new cgroups")
        names = ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes") if one else ("memory.max", "memory.swap.max")
        (folder / names[0]).write_text(str(limit))
        with suppress(OSError):  # kernels without swap accounting
            (folder / names[1]).write_text(str(limit if one else 0))
        yield Cgroup(folder)
    finally:
        _remove(folder)


def _remove(folder: Path) -> None:
    deadline = time.monotonic() + _GONE_S
    while time.monotonic() < deadline:
        with suppress(OSError):
            folder.rmdir()
            return
        time.sleep(0.02)
