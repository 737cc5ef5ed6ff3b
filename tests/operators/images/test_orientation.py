"""Orientation: photographs come upright, whatever their EXIF data is like."""

import doctest
import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from brim.operators.images import orientation as module
from brim.operators.images.jpeg import lean_jpeg
from brim.operators.images.orientation import orientation


def picture(width=40, height=24):
    across, down = np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height))
    return Image.fromarray(np.dstack([across, down, np.full_like(across, 90)]).astype(np.uint8))


def turned_file(turned, format_="JPEG"):
    exif = Image.Exif()
    exif[0x0112] = turned
    exif[0x010F] = "a camera"
    file = io.BytesIO()
    picture().save(file, format_, exif=exif)
    return file.getvalue()


@pytest.mark.parametrize("turned", range(1, 9))
@pytest.mark.parametrize("order", ["<", ">"])
def test_the_tag_is_read_in_both_byte_orders(turned, order):
    exif = Image.Exif()
    exif.endian = order
    exif[0x0112] = turned
    assert orientation(exif.tobytes()) == turned


@pytest.mark.parametrize("turned", range(1, 9))
def test_a_lean_jpeg_has_the_same_pixels_and_tells_its_orientation(turned):
    data = turned_file(turned)
    lean, told = lean_jpeg(memoryview(data))
    assert told == turned
    assert b"a camera" not in lean.getvalue()
    assert np.array_equal(np.asarray(Image.open(lean)), np.asarray(Image.open(io.BytesIO(data))))
    upright = module.upright(Image.open(lean), told)
    assert np.array_equal(np.asarray(upright), np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data)))))


@given(st.binary(max_size=64))
def test_any_bytes_have_an_orientation(noise):
    for start in (b"", b"II*\0", b"MM\0*", b"Exif\0\0II*\0\x08\0\0\0"):
        assert 1 <= orientation(start + noise) <= 8


@given(st.binary(max_size=200))
def test_any_bytes_pass_through_a_lean_jpeg(noise):
    lean, told = lean_jpeg(memoryview(b"\xff\xd8\xff" + noise))
    assert lean.getvalue()[:2] == b"\xff\xd8"
    assert 1 <= told <= 8


def test_the_doctests_hold():
    failed, tried = doctest.testmod(module)
    assert tried
    assert not failed
