"""Decode: every kind of file, and everything that is none."""

import io
import struct
import zlib
from contextlib import suppress

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageFile, ImageOps

from brim.errors import LimitExceeded
from brim.operators.images.bitmap import image_of
from brim.operators.images.decode import decode, look
from brim.operators.images.steps import Decode


def picture(width=40, height=24):
    across, down = np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height))
    return Image.fromarray(np.dstack([across, down, np.full_like(across, 90)]).astype(np.uint8))


def file_of(image, format_, **options):
    file = io.BytesIO()
    image.save(file, format_, **options)
    return file.getvalue()


def decoded(data, mode=None, **options):
    return image_of(decode(pa.py_buffer(data), Decode(mode, **options)))


def png_header(width, height):
    chunk = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = b"IDAT" + zlib.compress(bytes(1000))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c)) for c in (chunk, data, b"IEND")
    )


@pytest.mark.parametrize("format_", ["PNG", "WEBP", "GIF", "TIFF", "BMP"])
def test_a_lossless_file_gives_its_pixels(format_):
    grey = picture().convert("L")
    options = {"lossless": True} if format_ == "WEBP" else {}
    image = decoded(file_of(grey, format_, **options), "L")
    assert (image.mode, image.size) == ("L", (40, 24))
    assert np.array_equal(np.asarray(image), np.asarray(grey))


@pytest.mark.parametrize("big", [False, True])
def test_tiff_files_of_both_sizes_are_read(big):
    assert np.array_equal(np.asarray(decoded(file_of(picture(), "TIFF", big_tiff=big))), np.asarray(picture()))


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_a_mode_is_kept_when_none_is_asked_for(mode):
    image = picture().convert(mode)
    assert np.array_equal(np.asarray(decoded(file_of(image, "PNG"))), np.asarray(image))


@pytest.mark.parametrize("asked", ["L", "LA", "RGB", "RGBA"])
@pytest.mark.parametrize(
    "data",
    [
        file_of(picture().quantize(16), "PNG"),
        file_of(picture().quantize(16), "PNG", transparency=3),
        file_of(picture().quantize(16), "PNG", transparency=bytes(range(16))),
        file_of(picture(), "PNG", transparency=(0, 0, 90)),
        file_of(picture().convert("L"), "PNG", transparency=7),
        file_of(picture().convert("1"), "PNG"),
        file_of(picture().convert("CMYK"), "JPEG"),
        file_of(picture().convert("CMYK"), "TIFF"),
        file_of(picture().convert("LAB"), "TIFF"),
        file_of(picture().convert("I;16"), "PNG"),
        file_of(picture().convert("I;16B"), "TIFF"),
        file_of(picture().convert("F"), "TIFF"),
        file_of(picture().convert("I"), "TIFF"),
        file_of(picture().convert("RGBA"), "GIF"),
        file_of(picture(), "JPEG", progressive=True),
    ],
)
def test_every_kind_of_file_comes_in_every_mode(data, asked):
    image = decoded(data, asked)
    assert (image.mode, image.size) == (asked, (40, 24))
    assert decoded(data).mode in ("L", "LA", "RGB", "RGBA")


def test_sixteen_bits_become_their_upper_eight():
    values = np.array([[0, 255, 256, 30_000, 65_535]], np.uint16)
    data = file_of(Image.fromarray(values), "PNG")
    assert np.asarray(decoded(data)).tolist() == [[0, 0, 1, 117, 255]]
    assert np.asarray(decoded(data, "RGB"))[0, 3].tolist() == [117, 117, 117]


def test_a_palette_with_transparency_has_an_alpha_channel():
    palette = Image.new("P", (2, 1))
    palette.putpalette([10, 20, 30, 40, 50, 60])
    palette.putdata([0, 1])
    image = decoded(file_of(palette, "PNG", transparency=1))
    assert np.asarray(image).tolist() == [[[10, 20, 30, 255], [40, 50, 60, 0]]]


@pytest.mark.parametrize(("format_", "options"), [("GIF", {}), ("WEBP", {"lossless": True}), ("PNG", {})])
def test_an_animation_gives_its_first_frame(format_, options):
    first, second = Image.new("RGB", (8, 8), (255, 0, 0)), Image.new("RGB", (8, 8), (0, 0, 255))
    data = file_of(first, format_, save_all=True, append_images=[second], **options)
    assert np.asarray(decoded(data, "RGB"))[0, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("turned", [1, 3, 6, 8])
def test_images_come_upright(format_, turned):
    exif = Image.Exif()
    exif[0x0112] = turned
    data = file_of(picture(), format_, exif=exif)
    expected = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB")
    assert np.array_equal(np.asarray(decoded(data, "RGB")), np.asarray(expected))


@pytest.mark.parametrize("turned", [1, 6])
@pytest.mark.parametrize(("asked", "made"), [((60, 60), (100, 60)), ((160, 60), (200, 120)), ((40, 24), (50, 30))])
def test_a_jpeg_is_decoded_to_about_the_size_asked_for_and_never_below(turned, asked, made):
    exif = Image.Exif()
    exif[0x0112] = turned
    data = file_of(picture(400, 240), "JPEG", exif=exif)
    if turned == 6:
        asked, made = asked[::-1], made[::-1]
    image = decoded(data, scale_to=asked)
    assert image.size == made
    assert image.width >= asked[0]
    assert image.height >= asked[1]


def test_a_pixel_is_an_image():
    assert np.asarray(decoded(file_of(Image.new("RGB", (1, 1), (1, 2, 3)), "PNG"))).tolist() == [[[1, 2, 3]]]


def test_odd_metadata_neither_warns_nor_fails():
    exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x0f\x01\x02\0\xff\0\0\0\xff\xff\xff\0\0\0\0\0"
    data = file_of(picture(), "JPEG")
    data = data[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + data[2:]
    assert decoded(data).size == (40, 24)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "no bytes"),
        (b"<!DOCTYPE html><html>404</html>", "HTML"),
        (b"\n <?xml version='1.0'?><svg/>", "HTML or XML"),
        (b"hello", "begins with b'hello'"),
        (b"%!PS-Adobe-3.0 EPSF-3.0", "begins with b'%!PS-Ado'"),
        (b"\xff\xd8\xff", "not a readable image"),
        (b"\x89PNG\r\n\x1a\n", "not a readable image"),
        (b"RIFF\x10\0\0\0WAVEfmt ", "not a readable image"),
        (b"GIF89a", "not a readable image"),
        (b"II*\0\x08\0\0\0", "not a readable image"),
        (b"BM", "not a readable image"),
    ],
)
def test_what_is_no_image_is_told_apart(data, reason):
    with pytest.raises(ValueError, match=reason):
        decoded(data)


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_file_cut_short_is_no_image(format_, share):
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8))
    data = file_of(noise, format_)
    with pytest.raises(ValueError, match="not a readable image"):
        decoded(data[: int(len(data) * share)])


def test_a_bomb_is_refused_by_its_header():
    with pytest.raises(LimitExceeded) as failure:
        decoded(png_header(13_000, 13_000))
    assert (failure.value.value, failure.value.limit) == (169_000_000, 89_478_485)
    with pytest.raises(LimitExceeded):
        decoded(file_of(picture(), "PNG"), max_pixels=40 * 24 - 1)
    assert decoded(file_of(picture(), "PNG"), max_pixels=40 * 24).size == (40, 24)


def test_a_bomb_that_pillow_refuses_itself_is_a_limit_too():
    webp = bytearray(
        file_of(picture().convert("RGBA"), "WEBP", save_all=True, append_images=[Image.new("RGBA", (40, 24))])
    )
    assert webp[12:16] == b"VP8X"
    webp[24:30] = (16_000).to_bytes(3, "little") * 2
    with pytest.raises(LimitExceeded) as failure:
        decoded(bytes(webp))
    assert failure.value.value == 16_001**2


def test_the_work_is_known_from_the_header():
    step = Decode(scale_to=(50, 30))

    def work(data, step=step):
        return look(pa.py_buffer(data), step).work_bytes

    plain, progressive, grey = (
        file_of(picture(400, 240).convert(m), "JPEG", progressive=p)
        for p, m in ((False, "RGB"), (True, "RGB"), (False, "L"))
    )
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = file_of(picture(400, 240), "JPEG", exif=exif)
    pixels = 400 * 240
    assert work(plain) == 4 * 50 * 30  # padded, for the resize that follows
    assert work(plain, Decode()) == 3 * pixels
    assert work(plain, Decode("L")) == work(grey, Decode()) == pixels
    assert work(progressive) == 4 * 50 * 30 + 3 * pixels  # 4:2:0, so 1.5 numbers of two bytes a pixel
    assert work(turned, Decode()) == (3 + 8) * pixels
    assert work(turned, Decode(scale_to=(30, 50))) == 4 * 50 * 30
    assert work(plain, Decode("RGBA")) == 2 * len(plain) + 8 * pixels
    for format_, bytes_a_pixel in (("PNG", 4), ("TIFF", 8), ("WEBP", 16), ("BMP", 4)):
        data = file_of(picture(), format_)
        assert work(data) == 2 * len(data) + bytes_a_pixel * 40 * 24
        assert work(data, Decode("L")) == 2 * len(data) + (20 if format_ == "WEBP" else 8) * 40 * 24


def test_a_header_that_makes_no_sense_is_told_before_anything_is_decoded():
    with pytest.raises(ValueError, match="HTML"):
        look(pa.py_buffer(b"<html>"), Decode())
    with pytest.raises(LimitExceeded):
        look(pa.py_buffer(png_header(13_000, 13_000)), Decode())
    huge = look(pa.py_buffer(png_header(30_000, 30_000)), Decode(max_pixels=10**9))
    assert huge.whole == (30_000, 30_000)
    assert huge.work_bytes > 8 * 30_000**2


def test_nothing_of_pillow_that_all_share_is_changed():
    assert Image.MAX_IMAGE_PIXELS == 89_478_485
    assert ImageFile.LOAD_TRUNCATED_IMAGES is False


FILES = [file_of(picture(), f) for f in ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP")]


@given(st.sampled_from(FILES), st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=6))
def test_any_damage_gives_an_image_or_a_reason(data, damage):
    damaged = bytearray(data)
    for place, value in damage:
        damaged[place % len(damaged)] = value
    with suppress(ValueError, LimitExceeded):
        assert decoded(bytes(damaged), max_pixels=10**6).mode in ("L", "LA", "RGB", "RGBA")
