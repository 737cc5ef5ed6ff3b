"""Commit: files that appear whole or not at all.

Everything is written to a hidden folder beside the target, synced, and renamed at the end. What is left of a writer
that was killed is removed by the next one that writes to the same target: the folder is locked while its owner lives.

    create, overwrite a folder    the hidden folder takes the target's name
    append to a folder            each file is linked into it under a name that is not taken
    create, overwrite a file      the one file takes the target's name
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from errno import ENOTEMPTY
from pathlib import Path

from brim.errors import BrimError, PlanError, TransferFailed
from brim.events import Resource
from brim.io.blocking import blocked_on
from brim.io.sink import Mode

_HIDDEN, _OLD = ".part", ".old"


@dataclass(frozen=True, slots=True)
class Target:
    """Where files are to appear.

    Attributes:
        path: a file, or a folder of files.
        is_file: which of the two.
        suffix: of the files; a folder that holds others is not overwritten. Empty for any.
    """

    path: Path
    is_file: bool
    mode: Mode
    suffix: str
    writer: str

    @property
    def place(self) -> str:
        """The path, for people."""
        return str(self.path) if self.is_file else f"{self.path}/"

    @property
    def held_bytes(self) -> int:
        """What a file that is written holds beside its encoder: nothing, the system writes it."""
        return 0

    def check(self) -> None:
        """Raise `PlanError` when the target is in the way of `mode`."""
        if self.mode not in ("create", "append", "overwrite"):
            raise PlanError(f'{self.writer}: mode is "create", "append" or "overwrite", not {self.mode!r}')
        if self.is_file and self.mode == "append":
            raise PlanError(f'{self.writer}: mode="append" adds files; name a folder instead of {self.path}')
        if self.is_file and self.path.is_dir():
            raise PlanError(f"{self.writer}: {self.path} is a folder")
        if not self.is_file and self.path.exists() and not self.path.is_dir():
            raise PlanError(f"{self.writer}: {self.path} is a file, and a folder is to be written")
        above = next((folder for folder in self.path.absolute().parents if folder.exists()), None)
        if above is not None and not above.is_dir():
            raise PlanError(f"{self.writer}: {self.path} would lie below {above}, which is a file")
        if self.mode == "create" and self.path.exists() and (self.is_file or any(self.path.iterdir())):
            modes = 'mode="overwrite"' if self.is_file else 'mode="overwrite" or mode="append"'
            raise PlanError(f"{self.writer}: {self.path} exists; use {modes}, or another path")
        if self.mode == "overwrite" and not self.is_file:
            self._check_folder()

    def _check_folder(self) -> None:
        if self.path.is_symlink() or os.path.ismount(self.path):
            raise PlanError(f"{self.writer}: {self.path} cannot be replaced; name a folder below it")
        for _, _, names in os.walk(self.path):
            for name in names:
                if not name.startswith((".", "_")) and not name.lower().endswith(self.suffix):
                    raise PlanError(
                        f"{self.writer}: {self.path} holds {name}, which overwriting would remove; "
                        "name a folder of its own"
                    )


@dataclass(eq=False, slots=True)
class Staging:
    """The hidden folder of one writer; every method blocks."""

    target: Target
    token: str
    folder: Path = field(init=False)
    _lock: int = field(init=False, default=-1)

    def open(self) -> None:
        """Make the folder, and remove what dead writers have left."""
        place = self._parent
        with writing(str(self.target.path)):
            if place.is_dir():
                self._sweep(place)  # which may put the target back, so it comes before the check
            self.target.check()
            place.mkdir(parents=True, exist_ok=True)
            self.folder = place / f"{self._stem}{self.token}{_HIDDEN}"
            self.folder.mkdir()
            self._lock = os.open(self.folder, os.O_RDONLY)
            with suppress(OSError):  # a file system without locks: leftovers are then left alone
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def commit(self, files: list[Path]) -> list[Path]:
        """Make `files`, relative to the folder and synced, visible; where they are now."""
        with writing(str(self.target.path)):
            if self.target.is_file:
                self._commit_file(files[0])
                return [self.target.path]
            if self.target.mode == "append":
                self._commit_into(files)
            else:
                self._commit_folder()
        return [self.target.path / file for file in files]

    def discard(self) -> None:
        """Remove the folder with all that is in it; harmless after `commit`."""
        if self._lock < 0:
            return
        shutil.rmtree(self.folder, ignore_errors=True)
        os.close(self._lock)
        self._lock = -1

    def _sweep(self, place: Path) -> None:
        """Remove what dead writers to the target left; put back what one had moved aside when it died."""
        names = re.compile(re.escape(self._stem) + rf"[0-9a-f]{{16}}({re.escape(_OLD)})?{re.escape(_HIDDEN)}")
        found = filter(None, map(names.fullmatch, os.listdir(place)))  # noqa: PTH208 - names alone: the folder may be full
        for match in sorted(found, key=lambda match: match[0]):
            left = place / match[0]
            if match[1] and not self.target.path.exists():
                os.rename(left, self.target.path)  # noqa: PTH104 - one name for the three ways
            else:
                _remove_if_dead(left)

    @property
    def _parent(self) -> Path:
        return self.target.path if self.target.mode == "append" else self.target.path.parent

    @property
    def _stem(self) -> str:
        return "." if self.target.mode == "append" else f".{self.target.path.name}."

    def _commit_file(self, file: Path) -> None:
        _sync(self.folder)
        if self.target.mode == "create":
            _link_new(self.folder / file, self.target.path)
        else:
            os.replace(self.folder / file, self.target.path)  # noqa: PTH105 - see above
        _sync(self.target.path.parent)

    def _commit_into(self, files: list[Path]) -> None:
        for file in files:
            place = self.target.path / file
            place.parent.mkdir(parents=True, exist_ok=True)
            _link_new(self.folder / file, place)
        for folder in {self.target.path, *((self.target.path / file).parent for file in files)}:
            _sync(folder)

    def _commit_folder(self) -> None:
        for where, _, _ in os.walk(self.folder):
            _sync(Path(where))
        target = self.target.path
        old = target.with_name(f"{self._stem}{self.token}{_OLD}{_HIDDEN}")
        if self.target.mode == "overwrite" and target.exists():
            os.rename(target, old)  # noqa: PTH104 - see above
        try:
            os.rename(self.folder, target)  # noqa: PTH104 - takes the place of an empty folder, and of no other
        except OSError as error:
            if old.exists():
                os.rename(old, target)  # noqa: PTH104 - as it was
            if error.errno == ENOTEMPTY:
                raise FileExistsError(str(target)) from error
            raise
        _sync(target.parent)
        shutil.rmtree(old, ignore_errors=True)


@contextmanager
def writing(place: str) -> Iterator[None]:
    """Name the place of what the file system refuses."""
    try:
        yield
    except BrimError:
        raise
    except FileExistsError as error:
        raise TransferFailed(place, "something else has been written there meanwhile") from error
    except OSError as error:
        raise TransferFailed(place, error.strerror or str(error)) from error


def sync_file(path: Path) -> int:
    """Wait until the file is on disk; its size in bytes."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        with blocked_on(Resource.DISK):
            os.fsync(descriptor)
        return os.fstat(descriptor).st_size
    finally:
        os.close(descriptor)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with blocked_on(Resource.DISK):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _link_new(file: Path, place: Path) -> None:
    """Give `file` the name `place`; `FileExistsError` when it is taken."""
    try:
        os.link(file, place)
    except (PermissionError, NotImplementedError):  # a file system without links
        if place.exists():
            raise FileExistsError(str(place)) from None
        os.rename(file, place)  # noqa: PTH104 - see above


def _remove_if_dead(folder: Path) -> None:
    """Remove a hidden folder whose owner holds no lock on it any more."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return
    else:
        shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(descriptor)
