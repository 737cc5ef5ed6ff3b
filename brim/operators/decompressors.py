"""Decompressors: from one compressed value to its bytes, written step by step into memory that the caller gives.

gzip goes through ISA-L and zstd, lz4 and brotli through Arrow, straight into that memory; the others are copied there.
All of them let other threads run meanwhile. A step is at most `STEP_BYTES`, so that a limit holds before the memory is
taken. What cannot be decompressed is a `ValueError` that says why; the caller knows where the value came from.
"""

from __future__ import annotations

import bz2
import lzma
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import pyarrow as pa
from isal import igzip, igzip_lib, isal_zlib

from brim.errors import LimitExceeded
from brim.operators.binary_column import BinaryColumn
from brim.operators.frames import snappy_size, told_size
from brim.sizes import KIB, MIB

STEP_BYTES = MIB
_INPUT_BYTES = MIB // 4
_SMALL = 64 * KIB  # a file object costs 5 us more than a bare stream, which copies more
_XZ_MEMORY = 128 * MIB  # twice what the highest preset of xz asks for
_SNAPPY_RATIO = 64  # three bytes of a block copy at most sixty-four
_RAW = -15
_GZIP = 31
_ERRORS: tuple[Any, ...] = (ValueError, OSError, EOFError, lzma.LZMAError, igzip_lib.IsalError, pa.ArrowException)

Space = Callable[[int], memoryview]
"""Gives memory for the next step: some bytes, at most as many as it is asked for. What it gave before is done with."""


def decompress(codec: str, data: Any, max_bytes: int) -> bytes:
    """`data` decompressed, whole; raises as `fill`.

    >>> from brim.operators.codecs import compress
    >>> decompress("xz", compress("xz", b"brim"), max_bytes=100)
    b'brim'
    """
    column = BinaryColumn()
    for size in fill(codec, data, column.space, max_bytes):
        column.grow(size)
    column.end()
    return bytes(column.finish()[0].as_buffer())


def fill(codec: str, data: Any, space: Space, max_bytes: int) -> Iterator[int]:
    """Decompress `data` into the memory that `space` gives; yields how many bytes each step wrote there.

    Raises, at the step that shows it:
        LimitExceeded: it would be larger than `max_bytes`.
        ValueError: it is not what the codec writes, or ends too early.
    """
    view = memoryview(data).cast("B")
    if not view:
        raise ValueError(f"not {codec}: no bytes")
    told = told_size(codec, view)
    if told is not None and told > max_bytes:
        raise LimitExceeded("decompressed size", told, max_bytes)
    whole = 0
    try:
        for size in _steps(codec, view, space):
            whole += size
            if whole > max_bytes:
                raise LimitExceeded("decompressed size, so far,", whole, max_bytes)
            yield size
    except _ERRORS as error:
        raise ValueError(f"not readable as {codec}: {error}") from error


def _steps(codec: str, view: memoryview, space: Space) -> Iterator[int]:
    match codec:
        case "gzip" if len(view) > _SMALL:
            open_gzip: Any = igzip.IGzipFile
            return _read(open_gzip(fileobj=pa.BufferReader(pa.py_buffer(view)), mode="rb"), space)
        case "zstd" | "lz4" | "brotli":
            return _read(pa.CompressedInputStream(pa.BufferReader(pa.py_buffer(view)), codec), space)
        case _:
            return _copied(_chunks(codec, view), space)


def _read(stream: Any, space: Space) -> Iterator[int]:
    with stream:
        while size := stream.readinto(space(STEP_BYTES)):
            yield size


def _copied(chunks: Iterator[Any], space: Space) -> Iterator[int]:
    for chunk in chunks:
        rest = memoryview(chunk).cast("B")
        while rest:
            target = space(len(rest))
            size = min(len(target), len(rest), STEP_BYTES)
            target[:size] = rest[:size]
            rest = rest[size:]
            yield size


def _chunks(codec: str, view: memoryview) -> Iterator[Any]:
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
        case _:
            return _snappy(view)


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


def _snappy(view: memoryview) -> Iterator[pa.Buffer]:
    size = snappy_size(view)
    if size is None or size > _SNAPPY_RATIO * len(view):
        raise ValueError(f"{len(view)} bytes cannot hold the {size} it tells of")
    yield pa.Codec("snappy").decompress(view, decompressed_size=size)
