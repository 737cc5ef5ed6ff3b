"""The engine's folder on disk for what does not fit in memory.

    spill_dir/brim-<random>/          0700, made at the first file, removed when the engine closes
                    owner.lock        held (flock) while the engine lives

Files have no name on systems that allow it, so that nothing is left even after kill -9; the folder itself is swept at
the next start of any engine with the same `spill_dir`, when nobody holds its lock any more.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, cast

from brim.errors import SpillDiskFull

PREFIX = "brim-"
LOCK = "owner.lock"


@dataclass(eq=False, slots=True)
class SpillFolder:
    """Files of one engine; `SpillSpace` of the operator protocol. All methods block, and may be called in threads."""

    parent: Path
    _folder: Path | None = None
    _lock: int | None = None
    _making: threading.Lock = field(default_factory=threading.Lock)

    @property
    def folder(self) -> Path:
        """The folder, made now if this is the first time it is asked for."""
        with self._making:  # stages write their first files in threads, at once
            if self._folder is None:
                with disk_errors(self.parent):
                    self._folder = self._make()
            return self._folder

    def _make(self) -> Path:
        self.parent.mkdir(parents=True, exist_ok=True)
        sweep(self.parent)
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=self.parent))
        self._lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return folder

    def create(self, name: str) -> BinaryIO:
        """A new file for writing and reading, gone when it is closed."""
        with disk_errors(self.parent):
            return cast(BinaryIO, tempfile.TemporaryFile(prefix=f"{name}-", dir=self.folder))

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
def disk_errors(folder: Path) -> Iterator[None]:
    """Turn "no space left" of the block into `SpillDiskFull`."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise SpillDiskFull(str(folder), 0, shutil.disk_usage(folder).free) from error
