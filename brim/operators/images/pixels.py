"""Pixels: what each step does to one image, and how an image lies in a column.

Images that shrink to about half or less are averaged by area, others interpolated (`_filter` has the figures). A
photograph of 1280 x 853 made 224 x 224 takes 2.1 ms when libjpeg decodes it to one half first, and 5 ms otherwise; that
decode changes the result less (40 dB) than another filter would (35 dB).
"""

from __future__ import annotations

import io
from typing import Any, assert_never

import numpy as np
import pyarrow as pa
from PIL import Image

from brim.operators.images.decode import decode, plain
from brim.operators.images.steps import (
    CHANNELS,
    MODES,
    Crop,
    Decode,
    Encode,
    Height,
    ImageStep,
    Resize,
    ToTensor,
    Width,
    is_encoded,
    is_tensor,
)

_JPEG_MODES = ("L", "RGB")
_BOX_FROM = 1.75


def read(scalar: Any) -> Any:
    """What a valid `scalar` of a column of images stands for: a file's buffer, or the image.

    Raises:
        ValueError: a struct whose fields do not fit together.
    """
    if is_encoded(scalar.type):
        return scalar.as_buffer()
    if is_tensor(scalar.type):
        height, width, channels = scalar.type.shape
        return _image(scalar.value.values.buffers()[1], scalar.value.values.offset, height, width, MODES[channels])
    height, width, mode = (scalar[name].as_py() for name in ("height", "width", "mode"))
    data = scalar["data"].as_buffer() if scalar["data"].is_valid else None
    if data is None or mode not in CHANNELS or not height or not width or height < 1 or width < 1:
        raise ValueError(f"not a decoded image: {width} x {height} pixels of mode {mode!r}")
    if len(data) != height * width * CHANNELS[mode]:
        raise ValueError(f"not a decoded image: {len(data)} bytes for {width} x {height} pixels of mode {mode!r}")
    return _image(data, 0, height, width, mode)


def apply(step: ImageStep, value: Any, mode: str) -> Any:
    """`value` after `step`: an image, an encoded file (a buffer) or a number; `mode` is what a resize ends in.

    Raises:
        ValueError: the image cannot be read, or has no pixel in the box.
        LimitExceeded: the image is larger than its decode allows.
    """
    match step:
        case Decode():
            return decode(value, step)
        case Resize(width, height):
            return resize(value, width, height, mode)
        case Crop(box):
            return crop(value, *box)
        case Encode():
            return encode(value, step)
        case Width():
            return value.width
        case Height():
            return value.height
        case ToTensor():
            return value
        case _:
            assert_never(step)


def resize(image: Image.Image, width: int, height: int, mode: str) -> Image.Image:
    """`image` in `width` by `height` pixels of `mode`; larger images are averaged, smaller ones interpolated."""
    if image.size != (width, height):
        image = image.resize((width, height), _filter(min(image.width / width, image.height / height)))
    return plain(image, mode)


def _filter(shrinks: float) -> Image.Resampling:
    """The resampling for an image that becomes `shrinks` times smaller.

    Measured on photographs of 1280 x 853 read at half size and made 224 x 224, against Lanczos over the whole image:
    BOX 0.57 ms and 37.3 dB, HAMMING 0.92 ms and 39.4 dB, BILINEAR 0.93 ms and 37.8 dB. BOX is uneven where several
    pixels share one, so it is for images that shrink to about half or less.
    """
    if shrinks >= _BOX_FROM:
        return Image.Resampling.BOX
    return Image.Resampling.HAMMING if shrinks > 1 else Image.Resampling.BILINEAR


def crop(image: Image.Image, x: int, y: int, width: int, height: int) -> Image.Image:
    """The part of the box that lies in `image`."""
    if x >= image.width or y >= image.height:
        raise ValueError(f"no pixel of an image of {image.width} x {image.height} lies in the box at ({x}, {y})")
    return image.crop((x, y, min(x + width, image.width), min(y + height, image.height)))


def encode(image: Image.Image, step: Encode) -> memoryview:
    """The bytes of `image` as a file."""
    file = io.BytesIO()
    if step.format == "jpeg":
        image = plain(image, "L" if image.mode == "LA" else image.mode if image.mode in _JPEG_MODES else "RGB")
    elif image.mode == "LA" and step.format in ("webp", "bmp", "gif"):
        image = plain(image, "RGBA")
    image.save(file, step.format.upper(), **({} if step.quality is None else {"quality": step.quality}))
    return file.getbuffer()


def pixels(image: Image.Image) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """The bytes of `image`, row by row, channels innermost."""
    return np.frombuffer(image.tobytes(), np.uint8)


def _image(data: pa.Buffer, offset: int, height: int, width: int, mode: str) -> Image.Image:
    view = np.frombuffer(data, np.uint8, height * width * CHANNELS[mode], offset)
    return Image.frombuffer(mode, (width, height), view, "raw", mode, 0, 1)
