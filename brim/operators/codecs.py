"""Codecs: compress and decompress one value.

``gzip`` and ``zlib`` are the containers, ``deflate`` is the raw stream in them; ``lz4`` and ``zstd`` are frames;
``snappy`` is a block without a frame, as Parquet and Spark write it. Where streams may follow each other (gzip, zstd,
lz4, brotli, bz2, xz), all of them are read. Compressing the same bytes gives the same bytes: no time stamp is written.

Decompression is done in steps of at most about `STEP_BYTES`, so the limit holds before the memory is taken. What cannot
be decompressed is a `ValueError` that says why; the caller knows where the value came from.
"""

from __future__ import annotations

import bz2
import lzma
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import pyarrow as pa
from isal import igzip, igzip_lib, isal_zlib

from brim.errors import LimitExceeded, PlanError
from brim.sizes import MIB

STEP_BYTES = MIB
_INPUT_BYTES = MIB // 4
_XZ_MEMORY = 128 * MIB  # twice what the highest preset of xz asks for
_SNAPPY_RATIO = 64  # three bytes of a block copy at most sixty-four
_RAW = -15
_GZIP = 31
_ERRORS: tuple[Any, ...] = (ValueError, OSError, EOFError, lzma.LZMAError, igzip_lib.IsalError, pa.ArrowException)

_COMPRESS: dict[str, Callable[[Any], bytes]] = {
    "gzip": lambda data: bytes(igzip.compress(data, mtime=0)),
    "zlib": lambda data: bytes(isal_zlib.compress(data)),
    "deflate": lambda data: bytes(isal_zlib.compress(data, wbits=_RAW)),
    "zstd": lambda data: bytes(pa.Codec("zstd", 3).compress(data, asbytes=True)),
    "lz4": lambda data: bytes(pa.Codec("lz4").compress(data, asbytes=True)),
    "brotli": lambda data: bytes(pa.Codec("brotli", 5).compress(data, asbytes=True)),
    "snappy": lambda data: bytes(pa.Codec("snappy").compress(data, asbytes=True)),
    "bz2": bz2.compress,
    "xz": lzma.compress,
}
CODECS = tuple(_COMPRESS)


def check_codec(codec: str) -> str:
    """`codec`, or a `PlanError` that names those there are."""
    if codec not in CODECS:
        raise PlanError(f"no codec {codec!r}; there are {', '.join(CODECS)}")
    return codec


def compress(codec: str, data: Any) -> bytes:
    """`data`, bytes or any buffer, compressed at a level that is quick and good.

    >>> len(compress("zstd", bytes(1000))) < 100
    True
    """
    return _COMPRESS[codec](data)


def decompress(codec: str, data: Any, max_bytes: int) -> bytes:
    """`data` decompressed, whole.

    Raises:
        LimitExceeded: it would be larger than `max_bytes`.
        ValueError: it is not what the codec writes, or ends too early.

    >>> decompress("xz", compress("xz", b"brim"), max_bytes=100)
    b'brim'
    """
    return b"".join(chunks(codec, data, max_bytes))


def chunks(codec: str, data: Any, max_bytes: int) -> Iterator[Any]:
    """`data` decompressed, a step at a time; raises as `decompress` does, at the step that shows it."""
    view = memoryview(data).cast("B")
    if not view:
        raise ValueError(f"not {codec}: no bytes")
    told = told_size(codec, view)
    if told is not None and told > max_bytes:
        raise LimitExceeded("decompressed size", told, max_bytes)
    size = 0
    try:
        for chunk in _streams(codec, view):
            size += len(chunk)
            if size > max_bytes:
                raise LimitExceeded("decompressed size, so far,", size, max_bytes)
            yield chunk
    except _ERRORS as error:
        raise ValueError(f"not readable as {codec}: {error}") from error


def told_size(codec: str, view: memoryview) -> int | None:
    """The decompressed size of the first frame, where its header tells one. It may lie.

    >>> told_size("snappy", memoryview(compress("snappy", bytes(1000))))
    1000
    """
    match codec:
        case "zstd":
            return _zstd_size(view)
        case "lz4" if len(view) >= 14 and view[4] & 0x08:  # noqa: PLR2004 - the flag of a content size
            return int.from_bytes(view[6:14], "little")
        case "snappy":
            return _snappy_size(view)
        case _:
            return None


def _streams(codec: str, view: memoryview) -> Iterator[Any]:
    match codec:
        case "gzip":
            return _members(view, lambda: _Inflate(_GZIP), padding=True)
        case "zlib":
            return _members(view, lambda: _Inflate(isal_zlib.MAX_WBITS), most=1)
        case "deflate":
            return _members(view, lambda: _Inflate(_RAW), most=1)
        case "bz2":
            return _members(view, bz2.BZ2Decompressor)
        case "xz":
            return _members(view, lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY), padding=True)
        case "snappy":
            return _snappy(view)
        case _:
            return _arrow(codec, view)


class _Decompressor(Protocol):
    """One stream, as `bz2` and `lzma` have it."""

    @property
    def eof(self) -> bool: ...

    @property
    def needs_input(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, max_length: int) -> bytes: ...


class _Inflate:
    """A gzip, zlib or deflate stream, in the shape of `bz2`'s."""

    def __init__(self, wbits: int) -> None:
        self._stream = isal_zlib.decompressobj(wbits)

    @property
    def eof(self) -> bool:
        return bool(self._stream.eof)

    @property
    def needs_input(self) -> bool:
        return not self._stream.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return bytes(self._stream.unused_data)

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return bytes(self._stream.decompress(data or self._stream.unconsumed_tail, max_length))


def _members(
    view: memoryview, open_stream: Callable[[], _Decompressor], most: int | None = None, *, padding: bool = False
) -> Iterator[bytes]:
    """Streams that follow each other, at most `most`; zeros after the last are `padding` where the format has it."""
    at, members = 0, 0
    while at < len(view):
        if padding and members and not any(view[at:]):
            return
        if members == most:
            raise ValueError(f"{len(view) - at} bytes follow its end")
        stream, members = open_stream(), members + 1
        while not stream.eof:
            data = bytes(view[at : at + _INPUT_BYTES]) if stream.needs_input else b""
            at += len(data)
            chunk = stream.decompress(data, STEP_BYTES)
            if chunk:
                yield chunk
            elif not data and not stream.eof:
                raise ValueError("it ends too early")
        at -= len(stream.unused_data)


def _arrow(codec: str, view: memoryview) -> Iterator[pa.Buffer]:
    with pa.CompressedInputStream(pa.BufferReader(pa.py_buffer(view)), codec) as stream:
        while (chunk := stream.read_buffer(STEP_BYTES)).size:
            yield chunk


def _snappy(view: memoryview) -> Iterator[pa.Buffer]:
    size = _snappy_size(view)
    if size is None or size > _SNAPPY_RATIO * len(view):
        raise ValueError(f"{len(view)} bytes cannot hold the {size} it tells of")
    yield pa.Codec("snappy").decompress(view, decompressed_size=size)


def _snappy_size(view: memoryview) -> int | None:
    """The varint a block begins with, of at most five bytes."""
    size = 0
    for place, byte in enumerate(view[:5]):
        size |= (byte & 0x7F) << (7 * place)
        if not byte & 0x80:
            return size
    return None


def _zstd_size(view: memoryview) -> int | None:
    """The content size of a frame (RFC 8878, 3.1.1.1)."""
    if len(view) < 5 or bytes(view[:4]) != b"\x28\xb5\x2f\xfd":  # noqa: PLR2004 - magic and descriptor
        return None
    descriptor = view[4]
    single = descriptor >> 5 & 1
    width = (single, 2, 4, 8)[descriptor >> 6]
    start = 5 + (not single) + (0, 1, 2, 4)[descriptor & 3]
    field = view[start : start + width]
    if not width or len(field) < width:
        return None
    return int.from_bytes(field, "little") + (256 if width == 2 else 0)  # noqa: PLR2004
