"""Families and how they are spelt, as their examples say."""

from __future__ import annotations

import doctest

import pytest

from brim.pipeline.metrics import exposition, family


@pytest.mark.parametrize("module", [exposition, family])
def test_the_examples_hold(module):
    failed, attempted = doctest.testmod(module)
    assert failed == 0
    assert attempted >= 2
