"""Bytes: images and compressed values that are not what they say, or would be far too large."""

from __future__ import annotations

import gzip
import io
import struct
import zlib

import numpy as np
import pyarrow as pa
from PIL import Image

import brim
from brim import col

from .table import Place, fails, keeps

HTML = b"<!doctype html><html><body>404: not here</body></html>"


def jpeg(width: int = 320, height: int = 200) -> bytes:
    noise = np.random.default_rng(0).integers(0, 255, (height, width, 3), np.uint8)
    sink = io.BytesIO()
    Image.fromarray(noise).save(sink, "jpeg")
    return sink.getvalue()


def huge_png() -> bytes:
    """13,000 x 13,000 pixels, 169 million, in about half a megabyte."""
    side = 13_000
    packer = zlib.compressobj(1)
    line = b"\0" + bytes(3 * side)
    data = b"".join(packer.compress(line) for _ in range(side // 10)) + packer.flush()

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    padding = chunk(b"teXt", bytes(500_000 - len(data)))
    return b"\x89PNG\r\n\x1a\n" + head + padding + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def images(*data: bytes | None, on_error: str = "raise") -> brim.Pipeline:
    column = brim.from_pydict({"file": pa.array(data, pa.binary())})
    thumb = col("file").image.decode(on_error=on_error).image.resize(8, 8)
    return column.select(thumb=thumb).select(missing=col("thumb").is_null())


def unpacked(codec: str, *data: bytes, max_bytes: int = 1 << 20) -> brim.Pipeline:
    column = brim.from_pydict({"data": pa.array(data, pa.binary())})
    return column.select(out=col("data").bin.decompress(codec, max_bytes=max_bytes)).select(size=col("out").bin.size())


@fails("Images", "HTML where an image should be", brim.CorruptInput, r"file, row 1 of its input: not an image")
def html_image(at: Place):
    return images(jpeg(), HTML)


@keeps("Images", 'the same with `on_error="null"`', [False, True, False], failed=1, says="not an image")
def html_image_null(at: Place):
    return images(jpeg(), HTML, jpeg(), on_error="null")


@fails("Images", "the same in a later batch", brim.CorruptInput, r"file, row 21 of its input: not an image")
def html_image_late(at: Place):
    files = brim.from_pydict({"file": pa.array([jpeg(16, 16)] * 21 + [HTML], pa.binary())}).into_batches(4)
    return files.select(thumb=col("file").image.decode().image.resize(8, 8))


@fails("Images", "HTML that was downloaded as an image", brim.CorruptInput, "image.*body.*row 0.*not an image")
def html_download(at: Place):
    urls = brim.from_pydict({"url": [at.serve("a.jpg", HTML)]})
    return urls.with_columns(body=col("url").url.download()).select(thumb=col("body").image.decode().image.resize(8, 8))


@fails("Images", "a JPEG cut off in the middle", brim.CorruptInput, r"file, row 0 of its input.*truncated")
def cut_jpeg(at: Place):
    return images(jpeg()[:5000])


@fails(
    "Images", "a PNG of 169 million pixels in 0.5 MB", brim.LimitExceeded, r"image pixels is 169,000,000, the limit is"
)
def pixel_bomb(at: Place):
    return images(huge_png())


@keeps("Images", 'the same with `on_error="null"`', [True, False], failed=1, says="image pixels is 169,000,000")
def pixel_bomb_null(at: Place):
    return images(huge_png(), jpeg(), on_error="null")


@fails("Images", "no bytes at all", brim.CorruptInput, r"file, row 0 of its input.*no bytes")
def no_bytes(at: Place):
    return images(b"")


@keeps("Images", "a null (which stays one, and is no failure)", [True, False])
def null_image(at: Place):
    return images(None, jpeg())


@fails("Images", "SVG, which is no format that is read", brim.CorruptInput, "not an image")
def svg_image(at: Place):
    return images(b'<svg xmlns="http://www.w3.org/2000/svg" width="100000" height="100000"/>')


@fails("Images", "a column that is no bytes", brim.SchemaMismatch, "image.*expected .*found int64")
def image_of_ints(at: Place):
    return brim.range(3).select(x=col("id").image.decode())


# Compressed


@fails(
    "Compressed",
    "a gzip bomb of 1:1000, beyond `max_bytes`",
    brim.LimitExceeded,
    r"data, row 1 of its input.*decompressed size.*the limit is 1,048,576",
)
def gzip_bomb(at: Place):
    return unpacked("gzip", gzip.compress(b"ok"), gzip.compress(bytes(100_000_000), 9))


@fails(
    "Compressed",
    "a zstd frame that says it holds 1 TB",
    brim.LimitExceeded,
    r"decompressed size is 1,099,511,627,776, the limit is 1,048,576",
)
def zstd_lie(at: Place):
    return unpacked("zstd", b"\x28\xb5\x2f\xfd\xe0" + struct.pack("<Q", 1 << 40) + bytes(100))


@fails("Compressed", "gzip cut off in the middle", brim.CorruptInput, r"data, row 0 of its input.*ends too early")
def cut_gzip(at: Place):
    return unpacked("gzip", gzip.compress(bytes(range(256)) * 10)[:-30])


@fails("Compressed", "bytes that are no gzip", brim.CorruptInput, r"data, row 0 of its input.*not readable as gzip")
def not_gzip(at: Place):
    return unpacked("gzip", HTML)


@fails("Compressed", "a codec that does not exist", brim.PlanError, "no codec 'rar'; there are gzip")
def unknown_codec(at: Place):
    return unpacked("rar", b"x")
