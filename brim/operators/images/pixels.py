"""Pixels: what each step does to one picture, and how a picture lies in a column."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import partial
from typing import Any, assert_never

import numpy as np
import pyarrow as pa

from brim.operators.binary_values import value_at
from brim.operators.images.bitmap import Bitmap, Picture, bitmap_of, image_of
from brim.operators.images.decode import Outlook, decode_stored, look, plain
from brim.operators.images.orientation import as_stored, upright
from brim.operators.images.resize import Resizer
from brim.operators.images.steps import (
    CHANNELS,
    MODES,
    Crop,
    Decode,
    Encode,
    Height,
    ImageStep,
    ImageSteps,
    Resize,
    ToTensor,
    Width,
    is_encoded,
    is_tensor,
)

_JPEG_MODES = ("L", "RGB")


def reader_of(images: pa.Array) -> Callable[[int], Any]:
    """A function from a row of a column of images to its file (a buffer) or picture, in place; None for null.

    It raises `ValueError` for a struct whose fields do not fit together.
    """
    if is_encoded(images.type):
        return value_at(images)
    return _tensor_at(images) if is_tensor(images.type) else _struct_at(images)


def _tensor_at(images: pa.Array) -> Callable[[int], Bitmap | None]:
    height, width, channels = images.type.shape
    storage, size = images.storage, height * width * channels
    values, valid = storage.values, images.is_valid().to_pylist()
    data, first = values.buffers()[1], values.offset + storage.offset * size

    def at(row: int) -> Bitmap | None:
        return _bitmap(data.slice(first + row * size, size), height, width, MODES[channels]) if valid[row] else None

    return at


def _struct_at(images: pa.Array) -> Callable[[int], Bitmap | None]:
    valid, data = images.is_valid().to_pylist(), value_at(images.field("data"))
    heights, widths, modes = (images.field(name).to_pylist() for name in ("height", "width", "mode"))

    def at(row: int) -> Bitmap | None:
        if not valid[row]:
            return None
        found, height, width, mode = data(row), heights[row], widths[row], modes[row]
        if found is None or mode not in CHANNELS or not height or not width or height < 1 or width < 1:
            raise ValueError(f"not a decoded image: {width} x {height} pixels of mode {mode!r}")
        if found.size != height * width * CHANNELS[mode]:
            raise ValueError(f"not a decoded image: {found.size} bytes for {width} x {height} pixels of mode {mode!r}")
        return _bitmap(found, height, width, mode)

    return at


def actions(steps: ImageSteps, type_: pa.DataType, check: Callable[[Outlook], None]) -> list[Callable[[Any], Any]]:
    """Functions to be called one after the other on what `reader_of` gives of a column of `type_`.

    They take and give pictures, encoded files (buffers) or numbers, and keep a buffer: one list for each thread. A
    decode and the resize after it are one, so that a picture is turned upright when it is small. `check` is called
    before a file is decoded, and may raise.

    Raises, when called:
        ValueError: the image cannot be read, or has no pixel in the box.
        LimitExceeded: the image is larger than its decode allows.
    """
    resizer, todo = Resizer(), with_modes(steps, type_)
    made: list[Callable[[Any], Any]] = []
    while todo:
        match todo:
            case [(Decode() as decode, _), (Resize(width, height), mode), *todo]:
                made.append(_resized_decode(decode, resizer, (width, height, mode), check))
            case _:
                made.append(_action(*todo.pop(0), resizer, check))
    return made


def with_modes(steps: ImageSteps, type_: pa.DataType) -> list[tuple[ImageStep, str]]:
    """Each step with the mode in which a resize leaves its images, "" where that is not known."""
    modes = [MODES[made.shape[2]] if is_tensor(made) else "" for made in list(steps.types(type_))[1:]]
    return list(zip(steps.steps, modes, strict=True))


def _action(step: ImageStep, mode: str, resizer: Resizer, check: Callable[[Outlook], None]) -> Callable[[Any], Any]:
    match step:
        case Decode():
            return partial(_decode, check, step)
        case Resize(width, height):
            return lambda picture: resizer.resize(picture, width, height, mode)
        case Crop(box):
            return lambda picture: crop(picture, *box)
        case Encode():
            return lambda picture: encode(picture, step)
        case Width():
            return lambda picture: picture.width
        case Height():
            return lambda picture: picture.height
        case ToTensor():
            return lambda picture: picture
        case _:
            assert_never(step)


def _decode(check: Callable[[Outlook], None], step: Decode, file: Any) -> Picture:
    outlook = look(file, step)
    check(outlook)
    return upright(*decode_stored(outlook, step))


def _resized_decode(
    step: Decode, resizer: Resizer, resize: tuple[int, int, str], check: Callable[[Outlook], None]
) -> Callable[[Any], Picture]:
    width, height, mode = resize

    def decode_and_resize(file: Any) -> Picture:
        outlook = look(file, step)
        check(outlook)
        picture, turned = decode_stored(outlook, step, resizer.scratch)
        return upright(resizer.resize(picture, *as_stored((width, height), turned), mode), turned)

    return decode_and_resize


def crop(picture: Picture, x: int, y: int, width: int, height: int) -> Picture:
    """The part of the box that lies in `picture`."""
    if x >= picture.width or y >= picture.height:
        raise ValueError(f"no pixel of an image of {picture.width} x {picture.height} lies in the box at ({x}, {y})")
    right, lower = min(x + width, picture.width), min(y + height, picture.height)
    if isinstance(picture, Bitmap):
        part = np.ascontiguousarray(picture.rows[y:lower, x:right])
        return Bitmap(part.data, right - x, lower - y, picture.mode)
    return picture.crop((x, y, right, lower))


def encode(picture: Picture, step: Encode) -> memoryview:
    """The bytes of `picture` as a file."""
    image, file = image_of(picture), io.BytesIO()
    if step.format == "jpeg":
        image = plain(image, "L" if image.mode == "LA" else image.mode if image.mode in _JPEG_MODES else "RGB")
    elif image.mode == "LA" and step.format in ("webp", "bmp", "gif"):
        image = plain(image, "RGBA")
    image.save(file, step.format.upper(), **({} if step.quality is None else {"quality": step.quality}))
    return file.getbuffer()


def pixels(picture: Picture) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """The bytes of `picture`, row by row, channels innermost."""
    return np.frombuffer(bitmap_of(picture).data, np.uint8)


def _bitmap(data: pa.Buffer, height: int, width: int, mode: str) -> Bitmap:
    return Bitmap(memoryview(data).cast("B"), width, height, mode)
