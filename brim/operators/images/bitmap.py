"""Bitmap: pixels that lie in one buffer, row by row, channels innermost.

Between two steps an image is a bitmap or an image of Pillow's; each step takes both and makes what costs it least.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from brim.operators.images.steps import CHANNELS


@dataclass(frozen=True, slots=True, eq=False)
class Bitmap:
    """`height` rows of `width` pixels of `mode`; `data` is any buffer of exactly so many bytes."""

    data: Any
    width: int
    height: int
    mode: str

    @property
    def size(self) -> tuple[int, int]:
        """Width and height, as Pillow's images have it."""
        return self.width, self.height

    @property
    def rows(self) -> np.ndarray[Any, np.dtype[np.uint8]]:
        """A view as an array of [height, width, channels]."""
        return np.frombuffer(self.data, np.uint8).reshape(self.height, self.width, CHANNELS[self.mode])


Picture = Bitmap | Image.Image


def bitmap_of(picture: Picture) -> Bitmap:
    """`picture` as a bitmap; its mode is one of the four."""
    if isinstance(picture, Bitmap):
        return picture
    return Bitmap(picture.tobytes(), picture.width, picture.height, picture.mode)


def image_of(picture: Picture) -> Image.Image:
    """`picture` as an image of Pillow's."""
    if isinstance(picture, Bitmap):
        return Image.frombuffer(picture.mode, picture.size, picture.data, "raw", picture.mode, 0, 1)
    return picture
