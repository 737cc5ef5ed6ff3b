"""Bitmap: pixels that lie in one buffer, row by row, channels innermost.

Between two steps an image is a bitmap or an image of Pillow's; each step takes both and makes what costs it least.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image

from brim.operators.images.steps import CHANNELS


@dataclass(frozen=True, slots=True, eq=False)
class Bitmap:
    """`height` rows of `width` pixels of `mode`; `data` is any buffer of exactly so many bytes.

    `padded` are pixels of ``"RGB"`` in four bytes, of which the last means nothing; as Pillow has them.
    """

    data: Any
    width: int
    height: int
    mode: str
    padded: bool = False

    @property
    def size(self) -> tuple[int, int]:
        """Width and height, as Pillow's images have it."""
        return self.width, self.height

    @property
    def rows(self) -> np.ndarray[Any, np.dtype[np.uint8]]:
        """A view as an array of [height, width, channels]."""
        channels = CHANNELS[self.mode]
        pixels = np.frombuffer(self.data, np.uint8).reshape(self.height, self.width, 4 if self.padded else channels)
        return pixels[:, :, :channels]


Picture = Bitmap | Image.Image


@dataclass(slots=True)
class Scratch:
    """Memory for one picture at a time, used again and again: the pages of a new buffer cost more than to write it."""

    _memory: bytearray = field(default_factory=bytearray)

    def memory(self, size: int) -> memoryview:
        """`size` bytes, good until the next call."""
        if size > len(self._memory):
            self._memory = bytearray(size)
        return memoryview(self._memory)[:size]


def bitmap_of(picture: Picture) -> Bitmap:
    """`picture`, whose mode is one of the four, as a bitmap without padding."""
    if isinstance(picture, Bitmap):
        return packed(picture) if picture.padded else picture
    return Bitmap(picture.tobytes(), picture.width, picture.height, picture.mode)


def packed(bitmap: Bitmap) -> Bitmap:
    """A copy of `bitmap` without padding."""
    return Bitmap(np.ascontiguousarray(bitmap.rows).data, bitmap.width, bitmap.height, bitmap.mode)


def image_of(picture: Picture) -> Image.Image:
    """`picture` as an image of Pillow's."""
    if isinstance(picture, Bitmap):
        lies = "RGBX" if picture.padded else picture.mode
        return Image.frombuffer(picture.mode, picture.size, picture.data, "raw", lies, 0, 1)
    return picture
