"""Foresight: sizes after each step, and the work that the hungriest of them takes."""

import doctest

from brim.operators.images import foresight as module
from brim.operators.images.foresight import ABOUT_BYTES, cost
from brim.operators.images.steps import Crop, Encode, Height, Resize, ToTensor, Width


def test_a_picture_weighs_its_pixels_after_the_last_step():
    assert cost([], (10, 5), "RGB").made == 150 + ABOUT_BYTES
    assert cost([(Resize(4, 3), "L")], (10, 5), "RGB").made == 12 + ABOUT_BYTES
    assert cost([(Crop((8, 1, 9, 9)), "")], (10, 5), "LA").made == 2 * 2 * 4 + ABOUT_BYTES
    assert cost([(Crop((80, 1, 9, 9)), "")], (10, 5), "L").made == 4 + ABOUT_BYTES  # refused when it is done
    assert cost([(Resize(4, 3), "RGB"), (ToTensor(), "RGB")], (10, 5), "RGB").made == 36 + ABOUT_BYTES
    assert cost([(Encode("png"), "")], (10, 5), "RGBA").made == 200 + ABOUT_BYTES
    assert cost([(Width(), "")], (10, 5), "RGB").made == cost([(Height(), "")], (10, 5), "L").made == ABOUT_BYTES


def test_the_work_is_that_of_the_hungriest_step():
    assert cost([], (10, 5), "RGB", work=900).work == 900
    assert cost([(Width(), "")], (10, 5), "RGB", work=900).work == 900
    small = cost([(Resize(2, 2), "RGB")], (10, 5), "RGB", work=900)
    assert small.work == 900
    large = cost([(Resize(100, 100), "RGB")], (10, 5), "RGB", work=900)
    assert large.work == 4 * 50 + 4 * 500 + 2 * 4 * 10_000
    kept = cost([(Resize(100, 100), "RGBA")], (10, 5), "RGBA", work=900, kept=7000)
    assert kept.work == large.work + 4 * 50 + 7000  # and a copy that is weighed by alpha
    assert large.whole == large.work + large.made


def test_the_doctests_hold():
    failed, tried = doctest.testmod(module)
    assert tried
    assert not failed
