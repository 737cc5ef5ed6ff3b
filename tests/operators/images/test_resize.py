"""Resize: the fast library and Pillow compute the same picture."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import brim
from brim.operators.images import resize as module
from brim.operators.images.bitmap import Bitmap, image_of
from brim.operators.images.resize import Resizer, filter_for

PHOTOGRAPHS = sorted((Path(brim.__file__).parent / "demo/photographs").glob("*.jpg"))


def picture(width, height, mode, seed=0):
    noise = np.random.default_rng(seed).integers(0, 255, (height // 3 + 1, width // 3 + 1, 4), np.uint8)
    return Image.fromarray(noise, "RGBA").resize((width, height)).convert(mode)


def with_pillow(image, *size_and_mode):
    resizer = Resizer()
    resizer._fast = None
    return resizer.resize(image, *size_and_mode)


@pytest.mark.skipif(module.fast is None, reason="cykooz-resizer is not installed")
@pytest.mark.parametrize("photograph", PHOTOGRAPHS, ids=lambda path: path.stem)
@pytest.mark.parametrize("size", [(224, 224), (100, 75), (333, 250), (700, 500), (17, 400)])
def test_both_ways_give_the_same_pixels_but_for_rounding(photograph, size):
    """A box counts a pixel on its very edge or not, and a cubic that overshoots is cut first or last: that is the 2 %."""
    with Image.open(photograph) as image:
        image.load()
    mode = image.mode
    made, expected = Resizer().resize(image, *size, mode), with_pillow(image, *size, mode)
    assert made.size == size
    apart = np.abs(np.asarray(image_of(made), int) - np.asarray(expected, int))
    assert apart.mean() < 0.3
    assert (apart > 1).mean() < 0.02


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_bitmaps_and_images_are_resized_alike(mode):
    image = picture(50, 40, mode)
    bitmap = Bitmap(image.tobytes(), 50, 40, mode)
    resizer = Resizer()
    for size in ((20, 10), (40, 30), (90, 80), (50, 40)):
        one, other = (np.asarray(image_of(resizer.resize(p, *size, mode))) for p in (image, bitmap))
        assert np.array_equal(one, other)


@pytest.mark.parametrize("asked", ["L", "LA", "RGB", "RGBA"])
@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_the_mode_that_is_asked_for_comes_out(mode, asked):
    made = Resizer().resize(picture(20, 20, mode), 7, 5, asked)
    assert (made.mode, made.size) == (asked, (7, 5))


def test_a_picture_of_the_right_size_is_left_alone():
    image = picture(20, 20, "RGB")
    assert Resizer().resize(image, 20, 20, "RGB") is image


def test_the_filter_goes_by_how_much_a_picture_shrinks():
    assert filter_for(3) == filter_for(1.75) == Image.Resampling.BOX
    assert filter_for(1.7) == filter_for(1.1) == Image.Resampling.BICUBIC
    assert filter_for(1) == filter_for(0.5) == Image.Resampling.BILINEAR
