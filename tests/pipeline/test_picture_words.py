"""The words of a picture, as their examples say."""

from __future__ import annotations

import doctest

from brim.pipeline import picture_words
from brim.pipeline.picture_words import ASCII, UNICODE, fit


def test_the_examples_hold():
    failed, attempted = doctest.testmod(picture_words)
    assert (failed, attempted) == (0, 3)


def test_a_text_fills_its_columns_exactly():
    assert fit("embed", 7, UNICODE) == "embed  "
    assert fit("with_columns", 5, UNICODE) == "with…"
    assert fit("漢漢漢", 4, ASCII) == "漢 ~"
