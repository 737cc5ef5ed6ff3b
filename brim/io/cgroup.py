"""Memory control groups: what the container of this process still has free, v1, v2 and hybrid, every ancestor.

A group's limit holds for all groups below it, so the tightest ancestor decides. Pages of files that nobody used lately
count as used in a group, but the kernel takes them back before it kills: they are free.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

NO_LIMIT = 1 << 62  # v1 writes its largest number, rounded to pages, where there is none


@dataclass(frozen=True, slots=True)
class Group:
    """One memory control group: its limit in bytes (None where there is none), what it uses, and idle file pages."""

    limit: int | None
    used: int
    idle_file: int

    @property
    def free(self) -> int | None:
        """Bytes until its limit; None where it has none."""
        return None if self.limit is None else max(0, self.limit - max(0, self.used - self.idle_file))


def free_in_groups(root: Path = Path("/")) -> int | None:
    """What the groups of this process leave free, the tightest of them; None where none has a limit.

    `root` is where ``proc`` and ``sys`` are; tests give a folder that looks like it.
    """
    free = [group.free for group in groups(root)]
    return min((size for size in free if size is not None), default=None)


def groups(root: Path) -> Iterator[Group]:
    """The memory groups of this process and all their ancestors that can be seen from here."""
    for version, folder in group_folders(root):
        group = _read_v2(folder) if version == 2 else _read_v1(folder)  # noqa: PLR2004 - the kernel's versions
        if group is not None:
            yield group


def group_folders(root: Path) -> Iterator[tuple[int, Path]]:
    """Where they are, each with the version of its kind, this process's own before its ancestors."""
    try:
        memberships = (root / "proc/self/cgroup").read_text().splitlines()
        mounts = (root / "proc/self/mountinfo").read_text().splitlines()
    except OSError:
        return
    for line in memberships:
        _, controllers, path = line.split(":", 2)
        version = 2 if controllers == "" else 1
        if version == 1 and "memory" not in controllers.split(","):
            continue
        yield from ((version, folder) for folder in _folders(root, mounts, version, path))


def _folders(root: Path, mounts: list[str], version: int, path: str) -> Iterator[Path]:
    """The folder of the group `path` and those of its ancestors, up to where the hierarchy is mounted."""
    for mount in mounts:
        before, _, after = mount.partition(" - ")
        inside, place = before.split()[3:5]
        kind, _, options = (after.split() + [""] * 3)[:3]
        if kind != ("cgroup2" if version == 2 else "cgroup"):  # noqa: PLR2004 - the kernel's versions
            continue
        if version == 1 and "memory" not in options.split(","):
            continue
        folder = root / place.lstrip("/")
        below = PurePosixPath(path)
        if inside != "/" and below.is_relative_to(inside):  # a container sees its own group as the root
            below = PurePosixPath("/") / below.relative_to(inside)
        for part in (below, *below.parents):
            yield folder / str(part).lstrip("/")


def _read_v2(folder: Path) -> Group | None:
    limits = [limit for name in ("memory.max", "memory.high") if (limit := _number(folder / name)) is not None]
    used = _number(folder / "memory.current")
    return None if used is None else Group(min(limits, default=None), used, _stat(folder, "inactive_file"))


def _read_v1(folder: Path) -> Group | None:
    limit, used = _number(folder / "memory.limit_in_bytes"), _number(folder / "memory.usage_in_bytes")
    if limit is None or used is None:
        return None
    return Group(None if limit >= NO_LIMIT else limit, used, _stat(folder, "total_inactive_file"))


def _number(file: Path) -> int | None:
    """The number in `file`; None where there is no such file, or it says ``max``."""
    try:
        text = file.read_text().strip()
    except OSError:
        return None
    return int(text) if text.isdigit() else None


def _stat(folder: Path, name: str) -> int:
    try:
        lines = (folder / "memory.stat").read_text().splitlines()
    except OSError:
        return 0
    return next((int(value) for key, _, value in (line.partition(" ") for line in lines) if key == name), 0)
