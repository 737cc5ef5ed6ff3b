"""Orientation: which way up a photograph is, by its EXIF data.

Pillow's own reader warns of every odd tag, and a warning belongs to the host, not to a row of its data; one tag is all
that is wanted here. EXIF data is a small TIFF file: a byte order, the offset of a directory, entries of 12 bytes.
"""

from __future__ import annotations

import io
import struct

from PIL import Image

_ORIENTATION = 0x0112
_SHORT = 3
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def orientation(exif: bytes) -> int:
    r"""The orientation told by `exif`, 1 to 8; 1, upright, when it tells none that can be read.

    >>> orientation(b"II*\0" + bytes([8, 0, 0, 0, 1, 0, 0x12, 0x01, 3, 0, 1, 0, 0, 0, 6, 0, 0, 0]))
    6
    """
    exif = exif.removeprefix(b"Exif\0\0")
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(exif[:4])
    if order is None:
        return 1
    try:
        (start,) = struct.unpack_from(order + "L", exif, 4)
        (entries,) = struct.unpack_from(order + "H", exif, start)
        for entry in range(entries):
            tag, kind, _, value = struct.unpack_from(order + "HHLH", exif, start + 2 + 12 * entry)
            if tag == _ORIENTATION:
                return int(value) if kind == _SHORT and value in _UPRIGHT else 1
    except struct.error:
        return 1
    return 1


def lies_on_its_side(turned: int) -> bool:
    """Whether height and width change places to turn the image upright."""
    return turned >= 5  # noqa: PLR2004 - see the table


def upright(image: Image.Image, turned: int) -> Image.Image:
    """`image`, whose orientation is `turned`, the right way up."""
    return image.transpose(_UPRIGHT[turned]) if turned in _UPRIGHT else image


def lean_jpeg(file: memoryview) -> tuple[io.BytesIO, int]:
    """A JPEG file without its metadata, and the orientation that told.

    What stays of the header's segments is what the pixels need: tables, frame, JFIF and Adobe's note on colours.
    Where the segments end or make no sense, the rest of the file is left as it is for the decoder to judge.
    """
    kept, turned, at = [file[:2]], 1, 2
    while at + 4 <= len(file) and file[at] == 0xFF and file[at + 1] not in (0xFF, 0xDA):  # noqa: PLR2004 - start of scan
        marker, size = file[at + 1], int.from_bytes(file[at + 2 : at + 4], "big")
        segment = file[at : at + 2 + size]
        if size < 2 or len(segment) < 2 + size:  # noqa: PLR2004 - the size counts itself
            break
        if marker == 0xE1 and bytes(segment[4:10]) == b"Exif\0\0":  # noqa: PLR2004 - APP1
            turned = orientation(bytes(segment[4:]))
        if not _is_metadata(marker):
            kept.append(segment)
        at += len(segment)
    return io.BytesIO(b"".join([*kept, file[at:]])), turned


def _is_metadata(marker: int) -> bool:
    """Whether a segment is a comment, or for an application other than JFIF (0xE0) and Adobe (0xEE)."""
    return marker == 0xFE or (0xE1 <= marker <= 0xEF and marker != 0xEE)  # noqa: PLR2004
