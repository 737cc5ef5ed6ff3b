"""Codecs: what goes in comes out, other programs agree, and nothing grows past its limit."""

import bz2
import doctest
import gzip
import lzma
import tracemalloc
import zlib

import brotli
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brim.errors import LimitExceeded, PlanError
from brim.operators import codecs, decompressors, frames
from brim.operators.codecs import CODECS, check_codec, compress
from brim.operators.decompressors import decompress, fill
from brim.operators.frames import likely_size, told_size, window_bytes

FOLLOWING = ("gzip", "zstd", "lz4", "brotli", "bz2", "xz")
TEXT = b"fill memory to the brim and never over it. " * 1000


def raw_deflate(data):
    stream = zlib.compressobj(wbits=-15)
    return stream.compress(data) + stream.flush()


OTHERS = {
    "gzip": (gzip.compress, gzip.decompress),
    "zlib": (zlib.compress, zlib.decompress),
    "deflate": (raw_deflate, lambda data: zlib.decompress(data, wbits=-15)),
    "brotli": (brotli.compress, brotli.decompress),
    "bz2": (bz2.compress, bz2.decompress),
    "xz": (lzma.compress, lzma.decompress),
}


@pytest.mark.parametrize("codec", CODECS)
@settings(deadline=None)  # 3 MB of xz take a while on a busy machine
@given(data=st.binary(max_size=2000) | st.builds(bytes, st.integers(0, 3_000_000)))
def test_what_is_compressed_comes_back(codec, data):
    packed = compress(codec, data)
    assert decompress(codec, packed, max(1, len(data))) == data
    assert packed == compress(codec, pa.py_buffer(data))
    assert decompress(codec, pa.py_buffer(packed), 1 << 30) == data


@pytest.mark.parametrize("codec", OTHERS)
def test_other_programs_read_and_write_the_same(codec):
    pack, unpack = OTHERS[codec]
    assert decompress(codec, pack(TEXT), len(TEXT)) == TEXT
    assert unpack(compress(codec, TEXT)) == TEXT


@pytest.mark.parametrize("codec", FOLLOWING)
def test_streams_that_follow_each_other_are_all_read(codec):
    assert decompress(codec, compress(codec, TEXT) * 3, 1 << 20) == TEXT * 3


@pytest.mark.parametrize("codec", ["gzip", "xz"])
def test_padding_after_the_last_stream_is_allowed(codec):
    assert decompress(codec, compress(codec, TEXT) + bytes(512), 1 << 20) == TEXT


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("share", [0, 0.01, 0.5, 0.99])
def test_a_value_cut_short_is_refused(codec, share):
    packed = compress(codec, bytes(range(256)) * 400)
    with pytest.raises(ValueError, match=codec):
        decompress(codec, packed[: int(len(packed) * share)], 1 << 20)


@pytest.mark.parametrize("codec", CODECS)
def test_what_follows_the_end_is_refused(codec):
    with pytest.raises(ValueError, match=codec):
        decompress(codec, compress(codec, TEXT) + b"junk, and more of it", 1 << 20)


@pytest.mark.parametrize("codec", CODECS)
def test_html_is_no_codec(codec):
    with pytest.raises(ValueError, match=f"not readable as {codec}"):
        decompress(codec, b"<!DOCTYPE html><html><body>404 Not Found</body></html>", 1 << 20)


@pytest.mark.parametrize("codec", ["gzip", "zlib", "bz2", "xz"])
def test_a_wrong_checksum_is_refused(codec):
    packed = bytearray(compress(codec, TEXT))
    place = {"gzip": -6, "zlib": -1, "bz2": -2, "xz": len(packed) // 2}[codec]
    packed[place] ^= 0x10
    with pytest.raises(ValueError, match=f"not readable as {codec}"):
        decompress(codec, bytes(packed), 1 << 20)


@pytest.mark.parametrize("codec", CODECS)
def test_the_limit_is_exact(codec):
    packed = compress(codec, TEXT)
    assert decompress(codec, packed, len(TEXT)) == TEXT
    with pytest.raises(LimitExceeded) as failure:
        decompress(codec, packed, len(TEXT) - 1)
    assert failure.value.value == len(TEXT)
    assert failure.value.limit == len(TEXT) - 1


@pytest.mark.parametrize("codec", [codec for codec in CODECS if codec != "bz2"])
def test_a_bomb_stops_at_the_limit(codec):
    bomb = compress(codec, bytes(64 << 20))
    pools, memory = [], memoryview(bytearray(1 << 20))
    tracemalloc.start()
    before, pool = tracemalloc.get_traced_memory()[0], pa.default_memory_pool().bytes_allocated()
    with pytest.raises(LimitExceeded):
        pools.extend(
            pa.default_memory_pool().bytes_allocated() for _ in fill(codec, bomb, lambda most: memory[:most], 4 << 20)
        )
    peak = tracemalloc.get_traced_memory()[1] - before
    tracemalloc.stop()
    dictionary = 8 << 20 if codec == "xz" else 0
    assert peak < (4 << 20) + dictionary
    assert max(pools, default=0) - pool < 4 << 20


@pytest.mark.parametrize("codec", ["zstd", "lz4", "snappy"])
def test_a_size_that_is_told_is_read_before_anything_is_made(codec):
    for size in (0, 1, 255, 256, 300, 65_791, 65_792, 1 << 20):
        told = told_size(codec, memoryview(compress(codec, bytes(size))))
        assert told in (size, None if codec == "lz4" else size)


def test_a_snappy_block_that_tells_a_size_it_cannot_hold_is_corrupt():
    with pytest.raises(ValueError, match="cannot hold"):
        decompress("snappy", b"\xff\xff\xff\x7f\0", 1 << 30)
    with pytest.raises(ValueError, match="snappy"):
        decompress("snappy", b"\xff" * 9, 1 << 30)


def test_an_lz4_frame_that_tells_its_size_is_refused_by_it():
    header = b"\x04\x22\x4d\x18\x48\x40" + (1 << 40).to_bytes(8, "little") + b"\0"
    with pytest.raises(LimitExceeded) as failure:
        decompress("lz4", header, 1 << 20)
    assert failure.value.value == 1 << 40


@pytest.mark.parametrize("codec", CODECS)
@given(noise=st.binary(max_size=300), place=st.integers(0, 1000), value=st.integers(0, 255))
def test_any_bytes_decompress_or_say_why_not(codec, noise, place, value):
    damaged = bytearray(compress(codec, noise))
    damaged[place % len(damaged)] = value
    for data in (noise, bytes(damaged)):
        try:
            assert len(decompress(codec, data, 10_000)) <= 10_000
        except (ValueError, LimitExceeded):
            continue


def test_an_unknown_codec_is_refused_by_name():
    assert check_codec("gzip") == "gzip"
    with pytest.raises(PlanError, match="no codec 'rar'; there are gzip, zlib"):
        check_codec("rar")


@pytest.mark.parametrize("codec", ["gzip", "zstd", "lz4", "snappy"])
def test_the_likely_size_is_the_size(codec):
    for size in (0, 1, 70_000, 3_000_000):
        likely = likely_size(codec, memoryview(compress(codec, bytes(size))))
        assert likely in (size, None if codec == "lz4" else size)
    assert likely_size("gzip", memoryview(b"<!DOCTYPE html><html>")) is None
    assert likely_size("gzip", memoryview(b"\x1f\x8b" + b"\xff" * 20)) == 1032 * 22  # no more than deflate could hold


def test_the_window_is_told_by_the_header():
    large = bytes(range(256)) * 40_000
    assert window_bytes("xz", memoryview(lzma.compress(large, preset=6))) == (8 << 20) + (512 << 10)
    assert window_bytes("xz", memoryview(lzma.compress(large, preset=9))) == (64 << 20) + (512 << 10)
    zstd = memoryview(compress("zstd", large))
    assert 1 << 20 <= window_bytes("zstd", zstd) <= (16 << 20)
    assert window_bytes("snappy", memoryview(compress("snappy", large))) == len(large)
    for codec in CODECS:
        assert window_bytes(codec, memoryview(b"")) >= 0


@pytest.mark.parametrize("codec", CODECS)
@given(noise=st.binary(max_size=60))
def test_any_bytes_tell_sizes_or_none(codec, noise):
    for start in (b"", compress(codec, b"brim")[:20]):
        view = memoryview(start + noise)
        assert window_bytes(codec, view) >= 0
        assert (likely_size(codec, view) or 0) >= (told_size(codec, view) or 0) * (codec != "gzip")


@pytest.mark.parametrize("module", [codecs, decompressors, frames])
def test_the_doctests_hold(module):
    failed, tried = doctest.testmod(module)
    assert tried
    assert not failed
