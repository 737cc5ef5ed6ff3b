"""JPEG: what the segments of a file tell, and the short way from the file to its pixels.

The short way is libjpeg-turbo through simplejpeg (the extra ``images``): from the buffer that was downloaded into one
of 3 bytes a pixel, where Pillow copies the file first and takes 4. The pixels are the same, because the library is.
Only what libjpeg reads without a word goes that way: 8 bits, Huffman coding, one or three components. The rest (CMYK,
12 bits, arithmetic coding, a file that is cut short or odd) is for Pillow to read or to refuse, so outcomes and errors
are the same with and without the extra.

Segments: ITU-T T.81, annex B; EXIF data lies in APP1.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil

from brim.operators.images.bitmap import Bitmap, Scratch
from brim.operators.images.orientation import orientation
from brim.operators.images.steps import CHANNELS

try:
    import simplejpeg
except ImportError:  # the extra is not installed
    simplejpeg = None

SCALES = (8, 4, 2)
"""What libjpeg-turbo divides width and height by in vector code; its other factors take longer than whole images."""
_MAGIC = b"\xff\xd8\xff"
_BLOCK = 8
_APP1, _START_OF_SCAN = 0xE1, 0xDA
_SIMPLE = (0xC0, 0xC1, 0xC2)  # baseline, extended, progressive; Huffman coded
_COLORSPACES = {"L": "Gray", "RGB": "RGB"}
_PLAIN_MODES = {1: "L", 3: "RGB"}


@dataclass(frozen=True, slots=True)
class JpegHeader:
    """What is known of a JPEG file before any of it is decoded.

    Attributes:
        width: pixels as stored, before the file is turned upright.
        height: as `width`.
        simple: whether the short way may be tried.
        mode: of its pixels, ``"L"`` or ``"RGB"``; ``"CMYK"`` for anything else.
        coefficients: bytes that libjpeg keeps of the whole file, because its scans are more than one.
        turned: its EXIF orientation, 1 to 8.
    """

    width: int
    height: int
    simple: bool
    mode: str
    coefficients: int
    turned: int


def is_jpeg(view: memoryview) -> bool:
    """Whether `view` begins as JPEG files do."""
    return view[:3] == _MAGIC


def read_jpeg_header(view: memoryview) -> JpegHeader | None:
    """The header of a file that begins as JPEG files do; None where it makes no sense."""
    frame, turned = None, 1
    for marker, start, end in _segments(view):
        turned = _orientation(view, marker, start, end) or turned
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):  # noqa: PLR2004 - tables
            if frame is not None or end - start < 10:  # noqa: PLR2004 - a hierarchical file, or none
                return None
            frame = marker, bytes(view[start + 4 : end])
        elif marker == _START_OF_SCAN and frame is not None and end - start > 4:  # noqa: PLR2004
            return _header(*frame, scanned=view[start + 4], turned=turned)
    return None


def scaled_size(width: int, height: int, scale_to: tuple[int, int] | None) -> tuple[int, int]:
    """The least size that is not below `scale_to` among the whole and those in `SCALES`, as Pillow's `draft` finds it.

    >>> scaled_size(1280, 853, (224, 224)), scaled_size(100, 100, None)
    ((640, 427), (100, 100))
    """
    if scale_to is not None:
        least = min(width // scale_to[0], height // scale_to[1])
        for scale in SCALES:
            if scale <= least:
                return ceil(width / scale), ceil(height / scale)
    return width, height


def short_way(header: JpegHeader, mode: str | None) -> bool:
    """Whether a file with this header may be decoded to `mode`, or its own, without Pillow.

    In images of less than a block several factors give one size, so the size would not say which is meant.
    """
    large = min(header.width, header.height) >= _BLOCK
    return simplejpeg is not None and header.simple and large and (mode or header.mode) in _COLORSPACES


def decode_jpeg(
    view: memoryview, header: JpegHeader, mode: str, size: tuple[int, int], scratch: Scratch | None
) -> Bitmap | None:
    """The pixels of `view`, as stored, in `mode` and one of its scaled sizes; None where Pillow has to look at it.

    They lie in `scratch`, where there is one, padded: a resize can read them there.
    """
    (width, height), whole = size, size == (header.width, header.height)
    least = {} if whole else {"min_width": width, "min_height": height}
    padded = scratch is not None and mode == "RGB"
    channels = 4 if padded else CHANNELS[mode]
    target = None if scratch is None else scratch.memory(width * height * channels)
    try:
        made = simplejpeg.decode_jpeg(view, "RGBX" if padded else _COLORSPACES[mode], buffer=target, **least)
    except ValueError:
        return None
    return Bitmap(made.data, width, height, mode, padded) if made.shape == (height, width, channels) else None


def lean_jpeg(view: memoryview) -> tuple[io.BytesIO, int]:
    """A copy of the file without its metadata, and the orientation that told: for Pillow, who warns of odd tags.

    What stays of the header's segments is what the pixels need: tables, frame, JFIF and Adobe's note on colours.
    Where the segments end or make no sense, the rest of the file is left as it is for the decoder to judge.
    """
    kept, turned, at = [view[:2]], 1, 2
    for marker, start, end in _segments(view):
        if marker == _START_OF_SCAN:
            break
        if not _is_metadata(marker):
            kept.append(view[start:end])
        turned = _orientation(view, marker, start, end) or turned
        at = end
    return io.BytesIO(b"".join([*kept, view[at:]])), turned


def _segments(view: memoryview) -> Iterator[tuple[int, int, int]]:
    """Marker, start and end of each segment, up to the first start of scan or what makes no sense."""
    at = 2
    while at + 4 <= len(view) and view[at] == 0xFF and view[at + 1] != 0xFF:  # noqa: PLR2004
        marker, size = view[at + 1], int.from_bytes(view[at + 2 : at + 4], "big")
        end = at + 2 + size
        if size < 2 or end > len(view):  # noqa: PLR2004 - the size counts itself
            return
        yield marker, at, end
        if marker == _START_OF_SCAN:
            return
        at = end


def _header(marker: int, frame: bytes, scanned: int, turned: int) -> JpegHeader | None:
    height, width, components = int.from_bytes(frame[1:3], "big"), int.from_bytes(frame[3:5], "big"), frame[5]
    if not (height and width and components) or len(frame) < 6 + 3 * components:
        return None
    simple = marker in _SIMPLE and frame[0] == 8 and components in _PLAIN_MODES  # noqa: PLR2004 - bits
    several = marker in (0xC2, 0xC6, 0xCA, 0xCE) or scanned < components
    coefficients = _coefficients(width, height, frame[6 : 6 + 3 * components]) if several else 0
    return JpegHeader(width, height, simple, _PLAIN_MODES.get(components, "CMYK"), coefficients, turned)


def _coefficients(width: int, height: int, components: bytes) -> int:
    """Bytes of all coefficients: two each, 64 a block, blocks as the sampling factors say."""
    factors = [(max(1, both >> 4), max(1, both & 15)) for both in components[1::3]]
    most_across, most_down = max(across for across, _ in factors), max(down for _, down in factors)
    blocks = 0
    for across, down in factors:
        columns = ceil(width / (_BLOCK * most_across)) * across
        blocks += columns * ceil(height / (_BLOCK * most_down)) * down
    return 128 * blocks


def _orientation(view: memoryview, marker: int, start: int, end: int) -> int:
    """What an EXIF segment tells; 0 for another segment."""
    if marker != _APP1 or bytes(view[start + 4 : start + 10]) != b"Exif\0\0":
        return 0
    return orientation(bytes(view[start + 4 : end]))


def _is_metadata(marker: int) -> bool:
    """Whether a segment is a comment, or for an application other than JFIF (0xE0) and Adobe (0xEE)."""
    return marker == 0xFE or (0xE1 <= marker <= 0xEF and marker != 0xEE)  # noqa: PLR2004
