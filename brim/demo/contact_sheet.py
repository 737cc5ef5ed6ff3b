"""Contact sheet: many small images on one page."""

from __future__ import annotations

from os import PathLike
from typing import Any

import numpy as np
import pyarrow as pa
from PIL import Image

GAP = 4
PAPER, MISSING = 255, 225


def contact_sheet(tensors: Any, path: str | PathLike[str], columns: int = 10) -> None:
    """Write `tensors` as a PNG file at `path`, `columns` images beside each other.

    Args:
        tensors: uint8 images of one size: an Arrow array (or chunked array) of tensors, whose nulls are left grey, or
            a numpy array [image, height, width, channel].
        path: where the file goes; one that is there is replaced.
        columns: images in a row.
    """
    images = _images(tensors)
    height, width = next((image.shape[:2] for image in images if image is not None), (1, 1))
    columns = max(1, min(columns, len(images)))
    rows = max(1, -(-len(images) // columns))
    shape = rows * (height + GAP) + GAP, columns * (width + GAP) + GAP, 3
    sheet = np.full(shape, PAPER, np.uint8)
    for place, image in enumerate(images):
        top, left = GAP + place // columns * (height + GAP), GAP + place % columns * (width + GAP)
        sheet[top : top + height, left : left + width] = MISSING if image is None else image[:, :, :3]
    Image.fromarray(sheet).save(path, "PNG")


def _images(tensors: Any) -> list[Any]:
    """The images one by one; None where there is none."""
    if isinstance(tensors, np.ndarray):
        return list(tensors)
    chunks = tensors.chunks if isinstance(tensors, pa.ChunkedArray) else [tensors]
    return [scalar.to_numpy() if scalar.is_valid else None for chunk in chunks for scalar in chunk]
