"""Orientation: which way up a photograph is, by its EXIF data.

Pillow's own reader warns of every odd tag, and a warning belongs to the host, not to a row of its data; one tag is all
that is wanted here. EXIF data is a small TIFF file: a byte order, the offset of a directory, entries of 12 bytes.
"""

from __future__ import annotations

import struct

from PIL import Image

from brim.operators.images.bitmap import Picture, image_of

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


def as_stored(size: tuple[int, int], turned: int) -> tuple[int, int]:
    """`size` of an upright picture as it is before it is turned, or the other way round.

    >>> as_stored((4, 3), turned=6), as_stored((4, 3), turned=3)
    ((3, 4), (4, 3))
    """
    return (size[1], size[0]) if turned >= 5 else size  # noqa: PLR2004 - those that lie on their side


def upright(picture: Picture, turned: int) -> Picture:
    """`picture`, whose orientation is `turned`, the right way up."""
    return image_of(picture).transpose(_UPRIGHT[turned]) if turned in _UPRIGHT else picture
