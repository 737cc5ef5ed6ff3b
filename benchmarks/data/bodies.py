"""Large bodies to download: one file of random bytes, which the web server gives under many addresses."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.data.cache import made

NAME = "body.bin"


def body(cache: Path, size: int, seed: int) -> Path:
    """A folder with `body.bin`, `size` random bytes."""
    return made(cache, f"body-{size}-{seed}", partial(_write, size, seed))


def _write(size: int, seed: int, folder: Path) -> None:
    (folder / NAME).write_bytes(np.random.default_rng(seed).bytes(size))
