"""Foresight: what a row of images will make and take, by the size of its picture alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from brim.operators.images.steps import CHANNELS, Crop, Decode, Encode, Height, ImageStep, Resize, ToTensor, Width

ABOUT_BYTES = 24
"""The offset of a row, and the size and mode of an image."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Bytes of one row: `made` is the most it weighs in its column, `work` the most held meanwhile beside that."""

    made: int
    work: int

    @property
    def whole(self) -> int:
        """Both."""
        return self.made + self.work


def cost(todo: Sequence[tuple[ImageStep, str]], size: tuple[int, int], mode: str, work: int = 0, kept: int = 0) -> Cost:
    """What the steps `todo` make of a picture of this size and mode, whose own making takes `work` and keeps `kept`.

    With each step goes the mode in which a resize leaves its picture. An encoded file counts as its pixels.

    >>> cost([(Resize(10, 10), "RGB")], (100, 100), "RGB", 60_000).made
    324
    """
    width, height = size
    made = _weight(width, height, mode)
    for step, after in todo:
        before = kept + _held(width, height, mode)
        match step:
            case Resize():
                weighed = _held(width, height, mode) if mode in ("LA", "RGBA") else 0  # by alpha, in a copy
                between = _held(step.width, height, mode)
                width, height, mode = step.width, step.height, after or mode
                work = max(work, before + weighed + between + 2 * _held(width, height, mode))
            case Crop((x, y, most_width, most_height)):
                width, height = max(1, min(most_width, width - x)), max(1, min(most_height, height - y))
                work = max(work, before + _held(width, height, mode))
            case Encode():
                work = max(work, before + 2 * _held(width, height, mode))
            case Width() | Height():
                return Cost(ABOUT_BYTES, work)
            case Decode() | ToTensor():
                work = max(work, before + _held(width, height, mode))
        made = _weight(width, height, mode)
    return Cost(made, work)


def _weight(width: int, height: int, mode: str) -> int:
    return width * height * CHANNELS[mode] + ABOUT_BYTES


def _held(width: int, height: int, mode: str) -> int:
    """As Pillow holds it; bitmaps take no more."""
    return width * height * (1 if mode == "L" else 4)
