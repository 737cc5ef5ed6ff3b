"""Decode: from the bytes of one image file to pixels.

Only the formats in `_FORMATS` are read, told by their first bytes: a file that another plugin of Pillow would take is
refused. Their classes are called directly, because `Image.open` warns of large images, a warning is an error in some
hosts, and the limit here is an error anyway. Nothing of Pillow that the whole process shares is changed. What may still
warn is a TIFF file with odd tags; where warnings are errors, that file cannot be read.

A failure of any kind is a `ValueError` that says what is wrong with the file; the caller knows where it came from.
"""

from __future__ import annotations

import io
import math
import re
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from PIL import Image
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from brim.errors import LimitExceeded
from brim.operators.images.orientation import lean_jpeg, lies_on_its_side, orientation, upright
from brim.operators.images.steps import CHANNELS, MAX_PIXELS, Decode

_FORMATS: tuple[tuple[bytes, type[ImageFile]], ...] = (
    (b"\xff\xd8\xff", JpegImageFile),
    (b"\x89PNG\r\n\x1a\n", PngImageFile),
    (b"RIFF", WebPImageFile),
    (b"GIF8", GifImageFile),
    (b"II*\0", TiffImageFile),
    (b"MM\0*", TiffImageFile),
    (b"II+\0", TiffImageFile),
    (b"MM\0+", TiffImageFile),
    (b"BM", BmpImageFile),
)
_BYTES_A_PIXEL = 4  # as Pillow keeps every mode but "L"; twice while an image is converted, turned or copied out
_COEFFICIENT_BYTES = 6  # what libjpeg keeps of each pixel of a progressive file until its last scan
_NEAREST = {"1": "L", "La": "LA", "I": "L", "F": "L", "PA": "RGBA", "RGBa": "RGBA"}


@dataclass(frozen=True, slots=True)
class Header:
    """An image file whose header has been read, and no more."""

    image: ImageFile
    turned: int

    @property
    def pixels(self) -> int:
        """Width times height."""
        return self.image.width * self.image.height


def decode(file: pa.Buffer, step: Decode) -> Image.Image:
    """The pixels of `file` in one of the four modes, the right way up.

    Raises:
        LimitExceeded: the header tells of more than `step.max_pixels`; nothing was decoded.
        ValueError: the file cannot be read as an image.
    """
    header = read_header(file)
    if header.pixels > step.max_pixels:
        raise LimitExceeded("image pixels", header.pixels, step.max_pixels)
    _scale(header, step)
    try:
        header.image.load()
        return upright(plain(header.image, step.mode), header.turned or _told(header.image))
    except Exception as error:
        raise _failure(error) from error


def work_bytes(file: pa.Buffer, step: Decode) -> int:
    """The bytes that `decode` needs for `file` at once, its pixels included; 0 where it would fail at the header."""
    try:
        header = read_header(file)
    except (ValueError, LimitExceeded):
        return 0
    whole = header.pixels
    if whole > step.max_pixels:
        return 0
    _scale(header, step)
    waiting = _COEFFICIENT_BYTES * whole if "progressive" in header.image.info else 0
    return len(file) + 2 * _BYTES_A_PIXEL * header.pixels + waiting


def read_header(file: pa.Buffer) -> Header:
    """What the header of `file` tells; `ValueError` when it is no image that can be read."""
    view = memoryview(file).cast("B")
    plugin = next((plugin for magic, plugin in _FORMATS if view[: len(magic)] == magic), None)
    if plugin is None:
        raise ValueError(_what_else(bytes(view[:64])))
    stream, turned = lean_jpeg(view) if plugin is JpegImageFile else (io.BytesIO(view), 0)
    try:
        return Header(plugin(stream), turned)
    except Exception as error:
        raise _failure(error) from error


def plain(image: Image.Image, mode: str | None) -> Image.Image:
    """`image` in `mode`, or in the one of the four modes that is nearest to its own.

    16 bits become 8 by their upper half; other numbers are clipped to 0 to 255.
    """
    if image.mode == mode or (mode is None and image.mode in CHANNELS):
        return image
    if image.mode.startswith("I;16"):
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode == "P":
        image = image.convert("RGBA" if "transparency" in image.info else "RGB")
    elif image.mode not in CHANNELS:
        image = image.convert(_NEAREST.get(image.mode, "RGB"))
    image.info.pop("transparency", None)  # a key colour; Pillow would look for it, or warn
    return image if mode in (None, image.mode) else image.convert(mode)


def _scale(header: Header, step: Decode) -> None:
    """Let libjpeg decode to the least of 1/8, 1/4 or 1/2 that is not below `scale_to`, and grey alone where asked."""
    size = step.scale_to
    if size is not None and lies_on_its_side(header.turned):
        size = size[1], size[0]
    header.image.draft(step.mode, size)


def _told(image: Image.Image) -> int:
    """The orientation in the EXIF data of a PNG or WebP file. TIFF files are turned by Pillow."""
    exif = image.info.get("exif")
    return orientation(exif) if isinstance(exif, bytes) else 1


def _failure(error: Exception) -> Exception:
    """What Pillow's `error` means. Its plugins raise anything on hostile files; only memory is not the file's fault."""
    if isinstance(error, MemoryError):
        return error
    if isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning):
        known = re.search(r"\d+", str(error))
        return LimitExceeded("image pixels", int(known[0]) if known else math.inf, MAX_PIXELS)
    return ValueError(f"not a readable image: {str(error) or type(error).__name__}")


def _what_else(start: bytes) -> str:
    if not start:
        return "not an image: no bytes"
    if start.lstrip().startswith(b"<"):
        return "not an image: HTML or XML"
    return f"not an image of a known format (JPEG, PNG, WebP, GIF, TIFF, BMP): it begins with {start[:8]!r}"
