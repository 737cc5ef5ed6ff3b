"""Counting sort: rows dealt out to a few hundred partitions, in one pass, each in the order of arrival."""

from __future__ import annotations

from typing import Any

import numpy as np

from brim.operators.keys.views import Places, Words

Ids = np.ndarray[Any, Any]

HASH_BITS = 64


def partition_order(ids: Ids, parts: int) -> tuple[Places, Places]:
    """Rows in order of their partition, and where each partition begins in that order.

    `ids` are uint8 or uint16 numbers below `parts`, one a row. The order is stable; the second array has `parts` + 1
    numbers. numpy sorts integers of 16 bits by counting them: 3 ns a row.

    >>> order, offsets = partition_order(np.array([1, 0, 2, 1], np.uint8), 3)
    >>> order.tolist(), offsets.tolist()
    ([1, 0, 3, 2], [0, 1, 3, 4])
    """
    order = np.argsort(ids, kind="stable")
    offsets = np.zeros(parts + 1, np.int64)
    np.cumsum(np.bincount(ids, minlength=parts), out=offsets[1:])
    return order, offsets


def hash_parts(hashes: Words, bits: int, level: int) -> Ids:
    """Partition ids of `bits` bits (1 to 16) from the hashes, other bits of them at each level.

    Level 0 takes the highest; there are 64 // `bits` levels. The ids are uint8, or uint16 where they must be.

    >>> hash_parts(np.array([0xAB << 56], np.uint64), 4, 1).tolist()
    [11]
    """
    assert 1 <= bits <= 16  # noqa: PLR2004 - what a counting sort takes
    assert 0 <= level < HASH_BITS // bits
    shifted = hashes >> np.uint64(HASH_BITS - bits * (level + 1))
    shifted &= np.uint64((1 << bits) - 1)
    return shifted.astype(np.uint8 if bits <= 8 else np.uint16)  # noqa: PLR2004 - bits
