"""Codecs: compress and decompress one value.

``gzip`` and ``zlib`` are the containers, ``deflate`` is the raw stream in them; ``lz4`` and ``zstd`` are frames;
``snappy`` is a block without a frame, as Parquet and Spark write it. Where streams may follow each other (gzip, zstd,
lz4, brotli, bz2, xz), all of them are read. Compressing the same bytes gives the same bytes: no time stamp is written.

Decompressing is in `decompressors.py`.
"""

from __future__ import annotations

import bz2
import lzma
from collections.abc import Callable
from typing import Any

import pyarrow as pa
from isal import igzip, isal_zlib

from brim.errors import PlanError

_RAW = -15

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
