"""Frames: what the first bytes of a compressed value, or its last, tell of decompressing it.

Sources: gzip RFC 1952 (2.3.1), zstd RFC 8878 (3.1.1.1), LZ4 frame format 1.6.3, snappy's format description, the .xz
file format 1.2 (3.1, 5.3.1), bzip2 as its manual says (3.7 MB at the highest level), brotli RFC 7932 (9.1).
"""

from __future__ import annotations

from brim.sizes import KIB, MIB

_DEFLATE_RATIO = 1032  # three bits of deflate stand for 258 bytes at most
_READ_BYTES = 512 * KIB
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_LZ4_MAGIC = b"\x04\x22\x4d\x18"


def told_size(codec: str, view: memoryview) -> int | None:
    r"""The decompressed size of the first frame, where its header tells one. It may lie.

    >>> told_size("snappy", memoryview(b"\xe8\x07..."))
    1000
    """
    match codec:
        case "zstd":
            return _zstd_size(view)
        case "lz4" if len(view) >= 14 and view[4] & 0x08:  # noqa: PLR2004 - the flag of a content size
            return int.from_bytes(view[6:14], "little")
        case "snappy":
            return snappy_size(view)
        case _:
            return None


def likely_size(codec: str, view: memoryview) -> int | None:
    """As `told_size`; of a gzip file that is one member smaller than 4 GiB, what its last bytes tell."""
    if codec != "gzip":
        return told_size(codec, view)
    if len(view) < 18 or bytes(view[:2]) != b"\x1f\x8b":  # noqa: PLR2004 - header and trailer
        return None
    return min(int.from_bytes(view[-4:], "little"), _DEFLATE_RATIO * len(view))


def window_bytes(codec: str, view: memoryview) -> int:
    """The memory a decompressor takes for itself, as the header of the first frame tells; at least about that."""
    match codec:
        case "zstd":
            return _zstd_window(view) + 2 * _READ_BYTES
        case "lz4" if len(view) > 5:  # noqa: PLR2004
            return 2 * (1 << (8 + 2 * (view[5] >> 4 & 7))) + _READ_BYTES
        case "snappy":
            return snappy_size(view) or 0
        case "bz2":
            return 4 * MIB
        case "xz":
            return _xz_dictionary(view) + _READ_BYTES
        case "brotli":
            return 16 * MIB if len(view) > MIB else 16 * len(view) + MIB
        case _:
            return 2 * _READ_BYTES


def snappy_size(view: memoryview) -> int | None:
    """The varint a block of snappy begins with, of at most five bytes."""
    size = 0
    for place, byte in enumerate(view[:5]):
        size |= (byte & 0x7F) << (7 * place)
        if not byte & 0x80:
            return size
    return None


def _zstd_size(view: memoryview) -> int | None:
    if len(view) < 5 or bytes(view[:4]) != _ZSTD_MAGIC:  # noqa: PLR2004 - magic and descriptor
        return None
    descriptor = view[4]
    single = descriptor >> 5 & 1
    width = (single, 2, 4, 8)[descriptor >> 6]
    start = 5 + (not single) + (0, 1, 2, 4)[descriptor & 3]
    field = view[start : start + width]
    if not width or len(field) < width:
        return None
    return int.from_bytes(field, "little") + (256 if width == 2 else 0)  # noqa: PLR2004


def _zstd_window(view: memoryview) -> int:
    if len(view) < 6 or bytes(view[:4]) != _ZSTD_MAGIC:  # noqa: PLR2004
        return 0
    if view[4] >> 5 & 1:  # a single segment: the content is the window
        return min(_zstd_size(view) or 0, 128 * MIB)
    base = 1 << (10 + (view[5] >> 3))
    return base + base // 8 * (view[5] & 7)


def _xz_dictionary(view: memoryview) -> int:
    """The dictionary of LZMA2 where it is the only filter of the first block; 8 MiB, the default, where it is not."""
    if len(view) < 18 or view[13] & 0x03:  # noqa: PLR2004 - no block, or several filters
        return 8 * MIB
    at = 14 + sum(_varint_length(view, 14) for _ in range(bool(view[13] & 0x40)))
    at += _varint_length(view, at) if view[13] & 0x80 else 0
    if len(view) < at + 3 or view[at] != 0x21 or view[at + 2] > 40:  # noqa: PLR2004 - LZMA2
        return 8 * MIB
    bits = view[at + 2]
    return (2 | bits & 1) << (bits // 2 + 11)


def _varint_length(view: memoryview, at: int) -> int:
    return next((length + 1 for length, byte in enumerate(view[at : at + 9]) if not byte & 0x80), 9)
