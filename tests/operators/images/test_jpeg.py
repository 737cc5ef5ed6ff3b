"""JPEG: the short way gives what Pillow gives, and what it cannot read is Pillow's to judge."""

import doctest
import io

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from brim.errors import LimitExceeded
from brim.operators.images import jpeg as module
from brim.operators.images.bitmap import Bitmap, image_of
from brim.operators.images.decode import decode, decode_stored, look
from brim.operators.images.jpeg import read_jpeg_header, scaled_size
from brim.operators.images.steps import Decode

pytest.importorskip("simplejpeg")


def picture(width=160, height=88, mode="RGB", seed=0):
    noise = np.random.default_rng(seed).integers(0, 255, (height // 8 + 1, width // 8 + 1, 3), np.uint8)
    return Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC).convert(mode)


def file_of(image, **options):
    file = io.BytesIO()
    image.save(file, "JPEG", **options)
    return file.getvalue()


def with_pillow(data, step):
    """As `decode` does it where the extra is not installed."""
    installed, module.simplejpeg = module.simplejpeg, None
    try:
        return decode(pa.py_buffer(data), step)
    finally:
        module.simplejpeg = installed


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"optimize": True}, {"restart_marker_rows": 1}])
@pytest.mark.parametrize("scale_to", [None, (160, 88), (80, 44), (60, 30), (20, 9), (3, 2)])
def test_the_pixels_are_those_of_pillow(subsampling, options, scale_to):
    data = file_of(picture(), subsampling=subsampling, quality=80, **options)
    for mode in (None, "L", "RGB"):
        step = Decode(mode, scale_to=scale_to)
        made = decode(pa.py_buffer(data), step)
        assert isinstance(made, Bitmap)
        assert np.array_equal(np.asarray(image_of(made)), np.asarray(with_pillow(data, step)))


@pytest.mark.parametrize("mode", [None, "L", "RGB"])
@pytest.mark.parametrize("turned", range(1, 9))
def test_turned_and_grey_files_too(mode, turned):
    exif = Image.Exif()
    exif[0x0112] = turned
    data = file_of(picture(mode="L"), exif=exif)
    step = Decode(mode, scale_to=(40, 22))
    made, expected = image_of(decode(pa.py_buffer(data), step)), with_pillow(data, step)
    assert (made.mode, made.size) == (expected.mode, expected.size)
    assert np.array_equal(np.asarray(made), np.asarray(expected))


@pytest.mark.parametrize(
    ("image", "mode"),
    [
        (picture(mode="CMYK"), "RGB"),
        (picture(), "RGBA"),
        (picture(), "LA"),
        (picture(7, 200), "RGB"),
        (picture(1, 1), None),
    ],
)
def test_what_the_short_way_does_not_do_goes_the_long_way(image, mode):
    step = Decode(mode, scale_to=(2, 2))
    made = decode(pa.py_buffer(file_of(image)), step)
    assert isinstance(made, Image.Image)
    assert np.array_equal(np.asarray(made), np.asarray(with_pillow(file_of(image), step)))


def test_a_file_that_libjpeg_only_warns_of_is_read_as_pillow_reads_it():
    data = file_of(picture())
    odd = data[:-2] + bytes(5) + data[-2:]  # "extraneous bytes before marker"
    outlook = look(pa.py_buffer(odd), Decode())
    made, _ = decode_stored(outlook, Decode())
    assert outlook.jpeg is not None
    assert isinstance(made, Image.Image)
    assert np.array_equal(np.asarray(made), np.asarray(with_pillow(odd, Decode())))


FILES = [file_of(picture()), file_of(picture(), progressive=True), file_of(picture(mode="L"), quality=30)]


def outcome(read, data, step):
    try:
        made = image_of(read(data, step))
    except (ValueError, LimitExceeded) as error:
        return type(error), str(error)
    return made.mode, made.size, made.tobytes()


@given(
    st.sampled_from(FILES),
    st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=4),
    st.floats(0.05, 1.0),
    st.sampled_from([None, (40, 22)]),
)
@settings(max_examples=300, deadline=None)
def test_damaged_files_come_out_as_from_pillow(data, damage, share, scale_to):
    damaged = bytearray(data)
    for place, value in damage:
        damaged[place % len(damaged)] = value
    damaged = bytes(damaged[: max(3, int(len(damaged) * share))])
    step = Decode(scale_to=scale_to, max_pixels=10**6)
    short = outcome(lambda data, step: decode(pa.py_buffer(data), step), damaged, step)
    expected = outcome(with_pillow, damaged, step)
    if short[0] is LimitExceeded:  # told before Pillow finds what else is wrong
        assert expected[0] in (LimitExceeded, ValueError)
    else:
        assert short == expected


@given(st.integers(1, 3000), st.integers(1, 3000), st.integers(1, 700), st.integers(1, 700))
def test_the_scaled_size_is_that_of_pillows_draft_and_never_below(width, height, across, down):
    image = Image.open(io.BytesIO(file_of(Image.new("L", (8, 8)))))
    image._size, image.tile = (width, height), [image.tile[0]._replace(extents=(0, 0, width, height))]
    image.draft(None, (across, down))
    made = scaled_size(width, height, (across, down))
    assert made == image.size
    assert made[0] >= min(width, across)
    assert made[1] >= min(height, down)


def test_the_header_tells_what_libjpeg_will_keep():
    def header(**options):
        return read_jpeg_header(memoryview(file_of(picture(161, 88), **options)))

    assert header().coefficients == 0
    assert header(progressive=True, subsampling="4:4:4").coefficients == 3 * 128 * 21 * 11
    assert header(progressive=True, subsampling="4:2:0").coefficients == 128 * (22 * 12 + 2 * 11 * 6)
    assert (header().width, header().height, header().mode, header().simple) == (161, 88, "RGB", True)


@given(st.binary(max_size=200))
def test_any_bytes_have_a_header_or_none(noise):
    for start in (b"\xff\xd8\xff", b"\xff\xd8\xff\xc0\0\x11\x08", b"\xff\xd8\xff\xda\0\x02"):
        header = read_jpeg_header(memoryview(start + noise))
        assert header is None or (header.width > 0 and 1 <= header.turned <= 8)


def test_the_doctests_hold():
    failed, tried = doctest.testmod(module)
    assert tried
    assert not failed
