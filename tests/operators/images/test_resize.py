"""Resize: the fast library and Pillow compute the same picture."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from brim.operators.images import resize as module
from brim.operators.images.bitmap import Bitmap, image_of
from brim.operators.images.resize import Resizer, filter_for


def picture(width, height, mode, seed=0):
    """Without black or white, where a cubic overshoots and it matters in which direction a picture is resized first."""
    noise = np.random.default_rng(seed).integers(60, 195, (height // 3 + 1, width // 3 + 1, 4), np.uint8)
    return Image.fromarray(noise, "RGBA").resize((width, height)).convert(mode)


def with_pillow(image, *size_and_mode):
    resizer = Resizer()
    resizer._fast = None
    return resizer.resize(image, *size_and_mode)


sides = st.integers(1, 90)


@pytest.mark.skipif(module.fast is None, reason="cykooz-resizer is not installed")
@given(sides, sides, sides, sides, st.sampled_from(["L", "LA", "RGB", "RGBA"]), st.integers(0, 9))
@settings(max_examples=150, deadline=None)
def test_both_ways_give_the_same_pixels_but_for_rounding(width, height, across, down, mode, seed):
    image = picture(width, height, mode, seed)
    made, expected = Resizer().resize(image, across, down, mode), with_pillow(image, across, down, mode)
    assert made.size == (across, down)
    assert np.abs(np.asarray(image_of(made), int) - np.asarray(expected, int)).max() <= 1


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
