"""One folder of an engine's on disk, for what does not fit in memory.

    spill_dir/brim-<random>/          0700, made at the first file, removed when the engine closes
                    owner.lock        held (flock) while the engine lives

Files have no name on systems that allow it, so that nothing is left even after kill -9; the folder itself is swept at
the next start of any engine with the same `spill_dir`, when nobody holds its lock any more.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from brim.errors import SpillDiskFull
from brim.io.spill.disk import FULL, Disk, RealDisk

PREFIX = "brim-"
LOCK = "owner.lock"


@dataclass(eq=False, slots=True)
class SpillFolder:
    """A folder below `parent`. All methods block, may be called in threads, and raise `OSError`.

    `full` is a note of those who write: the disk had no room when it was last asked for some.
    """

    parent: Path
    disk: Disk = field(default_factory=RealDisk)
    full: bool = False
    _folder: Path | None = None
    _lock: int | None = None
    _making: threading.Lock = field(default_factory=threading.Lock)

    @property
    def folder(self) -> Path:
        """The folder, made now if this is the first time it is asked for."""
        with self._making:  # stages write their first files in threads, at once
            if self._folder is None:
                self._folder = self._make()
            return self._folder

    def _make(self) -> Path:
        self.parent.mkdir(parents=True, exist_ok=True)
        sweep(self.parent)
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=self.parent))
        self._lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return folder

    def open_nameless(self) -> int:
        """The descriptor of a new file, gone when it is closed."""
        return self.disk.open_nameless(self.folder)

    def close(self) -> None:
        """Remove the folder."""
        folder, self._folder = self._folder, None
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def sweep(parent: Path) -> None:
    """Remove folders under `parent` whose engine is gone; one whose lock is held is left alone."""
    for folder in parent.glob(f"{PREFIX}*"):
        with suppress(OSError):
            lock = os.open(folder / LOCK, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # BlockingIOError: its owner lives
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(lock)


@contextmanager
def disk_errors(folder: Path, needed_bytes: int, disk: Disk | None = None) -> Iterator[None]:
    """Turn "no space left" of the block, which writes `needed_bytes`, into `SpillDiskFull`."""
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        free = (disk or RealDisk()).free_bytes(folder)
        raise SpillDiskFull(str(folder), needed_bytes, free) from error
