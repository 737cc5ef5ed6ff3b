"""JPEG files of 1280 x 853, on average 139 kB each: seeded crops of the demo's photographs, with a little grain.

The photographs are small, so their crops are scaled up; without grain such a picture is smoother, and its file
smaller, than what a camera makes. A thousand of them weigh 139 MB.
"""

from __future__ import annotations

import io
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.data.cache import made
from brim.demo.crops import NAMES
from brim.demo.crops import __file__ as crops_file

WIDTH, HEIGHT = 1280, 853
QUALITY = 83
GRAIN = 2.5
_LEAST_SHARE = 0.6


def photographs(folder: Path, count: int, seed: int) -> Path:
    """A folder of `count` files `000000.jpg`, `000001.jpg`, ..."""
    return made(folder, f"photographs-{count}-{seed}", partial(_write, count, seed))


def photograph(number: int, seed: int) -> bytes:
    """File `number` of a seed: always the same."""
    draw = np.random.default_rng([seed, number])
    picture = _original(NAMES[number % len(NAMES)])
    width = draw.uniform(_LEAST_SHARE, 1.0) * min(picture.width, picture.height * WIDTH / HEIGHT)
    height = width * HEIGHT / WIDTH
    left, top = draw.uniform(0, picture.width - width), draw.uniform(0, picture.height - height)
    box = (left, top, left + width, top + height)
    part = np.asarray(picture.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC, box=box), dtype=np.float32)
    grain = draw.standard_normal((HEIGHT, WIDTH, 1), dtype=np.float32) * GRAIN
    grained = Image.fromarray(np.clip(part + grain, 0, 255).astype(np.uint8))
    file = io.BytesIO()
    grained.save(file, "JPEG", quality=QUALITY)
    return file.getvalue()


def _write(count: int, seed: int, folder: Path) -> None:
    with ProcessPoolExecutor() as pool:
        bodies = pool.map(partial(photograph, seed=seed), range(count), chunksize=16)
        for number, body in enumerate(bodies):
            (folder / f"{number:06}.jpg").write_bytes(body)


@cache
def _original(name: str) -> Image.Image:
    path = Path(crops_file).parent / "photographs" / f"{name}.jpg"
    with Image.open(path) as picture:
        return picture.convert("RGB")
