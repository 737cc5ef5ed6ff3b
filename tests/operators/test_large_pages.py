"""Large pages: fresh memory of the size that was asked for, of which only what is written counts."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest

from brim.operators.large_pages import LARGE_BYTES, is_large, mapped
from brim.sizes import KIB, MIB

pytestmark = pytest.mark.skipif(not is_large(LARGE_BYTES), reason="no huge pages here")


@pytest.mark.parametrize("size", [1, 4097, LARGE_BYTES - 1, LARGE_BYTES, 8_000_064, 9 * MIB + 1])
def test_all_of_it_can_be_written_and_begins_as_zeros(size):
    memory = mapped(size)
    assert len(memory) == size
    assert bytes(memory) == bytes(size)
    memory[:] = b"\1" * size
    assert bytes(memory) == b"\1" * size


def _anonymous() -> int:
    status = Path("/proc/self/status").read_text()
    return int(status.split("RssAnon:")[1].split()[0]) * KIB


@pytest.mark.parametrize("size", [2 * MIB + 4 * KIB, 5 * MIB, 8_000_064, 19 * MIB])
def test_it_weighs_hardly_more_than_its_size_and_nothing_when_it_is_gone(size):
    content = b"\1" * size
    mapped(size)[:] = content
    before = _anonymous()
    memories = [mapped(size) for _ in range(8)]
    for memory in memories:
        memory[:] = content
    assert _anonymous() - before < 8 * size * 17 // 16 + MIB
    del memory, memories
    gc.collect()
    assert _anonymous() - before < MIB


def test_small_memory_is_not_mapped():
    assert is_large(LARGE_BYTES)
    assert not is_large(LARGE_BYTES - 1)
