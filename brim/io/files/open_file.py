"""Open file: the one place where readers open what they read: a file of this machine, or an object of a store.

Readers are told a path and open it in a thread, perhaps many times. Who runs them says once, around the run, what opens
paths that are URLs of stores; that goes with the run into its tasks and threads, and into no other run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import BinaryIO, Protocol

from brim.errors import PlanError
from brim.io.object_stores.objects import StoredObject

_URL = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]+://")


class Opener(Protocol):
    """Opens objects of stores, for threads: every call blocks."""

    def open(self, url: str) -> BinaryIO:
        """The object at `url` as a file, of which little is held at a time; `ObjectMissing` when there is none."""

    def size(self, url: str) -> int:
        """How many bytes the object has."""

    def find(self, url: str, suffixes: tuple[str, ...]) -> Iterator[list[StoredObject]]:
        """The objects meant by a URL, a folder's or a glob, some at a time in the order of the store."""


_OPENER: ContextVar[Opener | None] = ContextVar("brim_opener", default=None)


@contextmanager
def opening_with(opener: Opener) -> Iterator[None]:
    """Around a run: its readers open URLs of stores with `opener`."""
    token = _OPENER.set(opener)
    try:
        yield
    finally:
        _OPENER.reset(token)


def is_remote(path: str) -> bool:
    """Whether `path` is the URL of an object, and no file of this machine.

    >>> is_remote("s3://bucket/a.csv"), is_remote("data/a.csv")
    (True, False)
    """
    return _URL.match(path) is not None


def open_file(path: str) -> BinaryIO:
    """`path` opened for reading bytes."""
    return current_opener(path).open(path) if is_remote(path) else Path(path).open("rb")


def open_input(path: str) -> str | BinaryIO:
    """What pyarrow is to open: the path itself where it is one of this machine."""
    return open_file(path) if is_remote(path) else path


def file_size(path: str) -> int:
    """How many bytes `path` has."""
    return current_opener(path).size(path) if is_remote(path) else Path(path).stat().st_size


def current_opener(path: str) -> Opener:
    """What opens `path` here."""
    opener = _OPENER.get()
    if opener is None:
        raise PlanError(f"{path}: nothing here opens objects of stores; read it by a run of a pipeline")
    return opener
