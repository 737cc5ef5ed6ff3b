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
from brim.operators.images.bitmap import Picture, Scratch
from brim.operators.images.jpeg import (
    JpegHeader,
    decode_jpeg,
    is_jpeg,
    lean_jpeg,
    read_jpeg_header,
    scaled_size,
    short_way,
)
from brim.operators.images.orientation import as_stored, orientation, upright
from brim.operators.images.steps import CHANNELS, MAX_PIXELS, Decode
from brim.sizes import MIB

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
_BYTES_A_PIXEL = 4  # as Pillow keeps every mode but "L"
_READ_BYTES = 3 * MIB // 2  # what Pillow reads of a file at once, and its decoder's own
_WEBP_BYTES = 12  # what libwebp keeps of each pixel while the file is open
_COEFFICIENT_BYTES = 6  # at most, what libjpeg keeps of each pixel of a progressive file until its last scan
_NEAREST = {"1": "L", "La": "LA", "I": "L", "F": "L", "PA": "RGBA", "RGBa": "RGBA"}


@dataclass(frozen=True, slots=True)
class Outlook:
    """What decoding a file will make and take, as its header tells: nothing has been decoded.

    Attributes:
        view: the file.
        whole: width and height of the file.
        size: those of the picture to be made, as the file stores it, before it is turned upright.
        mode: of the picture to be made, or one that takes as much.
        work_bytes: the most to be held at once beside the file, the pixels included.
        kept_bytes: the part of them that stays while the picture does, for Pillow keeps the file open.
        turned: the orientation, 1 to 8; where that is known before the pixels are.
        jpeg: the header of a JPEG file that may go the short way.
        image: the file, opened by Pillow, where it may not.
    """

    view: memoryview
    whole: tuple[int, int]
    size: tuple[int, int]
    mode: str
    work_bytes: int
    kept_bytes: int
    turned: int
    jpeg: JpegHeader | None
    image: ImageFile | None

    @property
    def upright_size(self) -> tuple[int, int]:
        """Width and height of the picture as it will come out."""
        return as_stored(self.size, self.turned)


def decode(file: pa.Buffer, step: Decode) -> Picture:
    """The pixels of `file` in one of the four modes, the right way up.

    Raises:
        LimitExceeded: the header tells of more than `step.max_pixels`; nothing was decoded.
        ValueError: the file cannot be read as an image.
    """
    return upright(*decode_stored(look(file, step), step))


def decode_stored(outlook: Outlook, step: Decode, scratch: Scratch | None = None) -> tuple[Picture, int]:
    """The pixels as the file stores them, and the orientation by which they will be upright; fails as `decode`.

    They may lie in `scratch`.
    """
    made = decode_jpeg(outlook.view, outlook.jpeg, outlook.mode, outlook.size, scratch) if outlook.jpeg else None
    if made is not None:
        return made, outlook.turned
    image, turned = (outlook.image, outlook.turned) if outlook.image else _open(outlook.view)
    _scale(image, turned, step)
    try:
        image.load()
        return plain(image, step.mode), turned or _told(image)
    except Exception as error:
        raise _failure(error) from error


def look(file: pa.Buffer, step: Decode) -> Outlook:
    """What `decode` will make of `file` and take for it; it fails as `decode` where the header shows that."""
    view = memoryview(file).cast("B")
    header = read_jpeg_header(view) if is_jpeg(view) else None
    if header is None or not short_way(header, step.mode):
        return _look_with_pillow(view, header, step)
    whole = header.width, header.height
    _check(whole, step)
    size = scaled_size(*whole, step.scale_to and as_stored(step.scale_to, header.turned))
    mode = step.mode or header.mode
    pixel = _BYTES_A_PIXEL if mode != "L" and step.scale_to else CHANNELS[mode]
    turning = 2 * _BYTES_A_PIXEL if header.turned > 1 and not step.scale_to else 0
    work = (pixel + turning) * size[0] * size[1] + header.coefficients
    return Outlook(view, whole, size, mode, work, 0, header.turned, header, None)


def _look_with_pillow(view: memoryview, header: JpegHeader | None, step: Decode) -> Outlook:
    image, turned = _open(view)
    whole = image.size
    _check(whole, step)
    waiting = 0
    if header is not None:
        waiting = header.coefficients
    elif "progressive" in image.info:
        waiting = _COEFFICIENT_BYTES * image.width * image.height
    _scale(image, turned, step)
    pixels = image.width * image.height
    kept = len(view) + min(len(view), _READ_BYTES) + (_WEBP_BYTES * pixels if isinstance(image, WebPImageFile) else 0)
    work = kept + waiting + _copies(image, turned, step) * _BYTES_A_PIXEL * pixels
    mode = step.mode or (image.mode if image.mode in CHANNELS else "RGBA")
    return Outlook(view, whole, image.size, mode, work, kept, turned, None, image)


def _copies(image: ImageFile, turned: int, step: Decode) -> int:
    """How many pictures of full size there are at once: two while one is converted, or turned before it is resized."""
    converted = image.mode != (step.mode or image.mode) or image.mode not in CHANNELS
    maybe_turned = isinstance(image, TiffImageFile) or (turned != 1 and step.scale_to is None)
    return 2 if converted or maybe_turned else 1


def _check(whole: tuple[int, int], step: Decode) -> None:
    pixels = whole[0] * whole[1]
    if pixels > step.max_pixels:
        raise LimitExceeded("image pixels", pixels, step.max_pixels)


def _open(view: memoryview) -> tuple[ImageFile, int]:
    """The file opened by Pillow, its header read, and its orientation, 0 where that is not known yet.

    `ValueError` when it is no image that can be read.
    """
    plugin = next((plugin for magic, plugin in _FORMATS if view[: len(magic)] == magic), None)
    if plugin is None:
        raise ValueError(_what_else(bytes(view[:64])))
    stream, turned = lean_jpeg(view) if plugin is JpegImageFile else (io.BytesIO(view), 0)
    try:
        return plugin(stream), turned
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


def _scale(image: ImageFile, turned: int, step: Decode) -> None:
    """Let libjpeg decode to the least of 1/8, 1/4 or 1/2 that is not below `scale_to`, and grey alone where asked."""
    image.draft(step.mode, step.scale_to and as_stored(step.scale_to, turned))


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
