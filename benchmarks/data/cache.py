"""The cache folder: a data set is made once, under a temporary name, and counts only when it is whole."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path


def made(cache: Path, name: str, make: Callable[[Path], None]) -> Path:
    """The folder `name` in `cache`; `make` fills it where it is not there yet.

    `name` has to tell seed and size, since a folder that exists is never made again.
    """
    folder = cache / name
    if folder.is_dir():
        return folder
    unfinished = cache / f".{name}.{os.getpid()}"
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    make(unfinished)
    unfinished.rename(folder)
    return folder
