"""Crops: as many JPEG files as wanted, cut from a handful of photographs.

The photographs and their licences are in `photographs/`. Crop `number` of a seed is always the same picture.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from importlib.resources import files

import numpy as np
from PIL import Image

NAMES = ("astronaut", "camera", "chelsea", "coffee", "hubble_deep_field", "rocket")
SIZES = ((640, 480), (800, 600), (960, 720), (1280, 960))
QUALITY = 90
_LEAST_SHARE = 0.6


def crops(count: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """`count` files, each with a name that sorts by its number.

    >>> [name for name, _ in crops(2, seed=7)]
    ['000.jpg', '001.jpg']
    """
    for number in range(count):
        yield f"{number:03}.jpg", crop(number, seed)


def crop(number: int, seed: int) -> bytes:
    """One file: a part of one of the photographs, mirrored half of the time, in one of `SIZES`."""
    draw = np.random.default_rng([seed, number])
    picture = _photograph(NAMES[number % len(NAMES)])
    width, height = SIZES[draw.integers(len(SIZES))]
    part_width = draw.uniform(_LEAST_SHARE, 1.0) * min(picture.width, picture.height * width / height)
    part_height = part_width * height / width
    left, top = draw.uniform(0, picture.width - part_width), draw.uniform(0, picture.height - part_height)
    box = (left, top, left + part_width, top + part_height)
    part = picture.resize((width, height), Image.Resampling.BICUBIC, box=box)
    if draw.integers(2):
        part = part.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    file = io.BytesIO()
    part.save(file, "JPEG", quality=QUALITY)
    return file.getvalue()


def _photograph(name: str) -> Image.Image:
    with Image.open(io.BytesIO((files("brim.demo") / "photographs" / f"{name}.jpg").read_bytes())) as picture:
        picture.load()
        return picture
